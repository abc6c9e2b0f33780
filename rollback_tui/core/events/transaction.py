"""What happened inside the target: statements, losses, verifications, COMMIT or ROLLBACK."""

from __future__ import annotations

from typing import Literal

from rollback_tui.core.events.base import Event
from rollback_tui.core.model import Loss, RowChange, Verification
from rollback_tui.core.proof import Contents, ProofCost


class TransactionStarted(Event, frozen=True, kw_only=True, tag="transaction_started"):
    """BEGIN was answered."""

    xid: str
    backend_pid: int
    attempt: int
    backend_start: int = 0
    """Microseconds since 1970, by the server's clock: with the pid it is one backend only."""


class RunRowInserted(Event, frozen=True, kw_only=True, tag="run_row_inserted"):
    """What will decide whether an unanswered COMMIT happened. Written once a transaction."""

    judge: Literal["run row", "version table"]
    """``run row``: the row of ``rollback_tui.runs`` is in the transaction."""
    head: str = ""
    """``<seq>:<sha256>`` of the journal's last line then; it is in the row as well."""
    why: str = ""
    """Why it is only the version table."""


class StateCaptured(Event, frozen=True, kw_only=True, tag="state_captured"):
    """What the run found behind the door, before its first statement."""

    schema_sha256: str
    rows: tuple[RowChange, ...]
    """``before`` of each table; None where it was not counted."""


class ProofPlanned(Event, frozen=True, kw_only=True, tag="proof_planned"):
    """What will be read to prove the result, and what that may cost."""

    cost: ProofCost


class ContentsTaken(Event, frozen=True, kw_only=True, tag="contents_taken"):
    """Fingerprints of the contents of tables that the plan touches."""

    when: Literal["before", "after"]
    contents: tuple[Contents, ...]
    seconds: float


class StepsStarted(Event, frozen=True, kw_only=True, tag="steps_started"):
    """The plan goes statement by statement, not in one transaction: on this backend."""

    backend_pid: int
    backend_start: int = 0
    """Microseconds since 1970, by the server's clock: with the pid it is one backend only."""
    invalid_indexes: tuple[str, ...] = ()
    """Those that were invalid before: what is invalid later and not among them is ours."""
    resumes: str = ""
    """The run (UUID) that this one goes on with; empty when it begins at the first statement."""


class LossCounted(Event, frozen=True, kw_only=True, tag="loss_counted"):
    """Inside the transaction, with the relations locked, just before the data goes."""

    statement: int
    losses: tuple[Loss, ...]


class RowsKept(Event, frozen=True, kw_only=True, tag="rows_kept"):
    """Before a statement removed them, rows or values were copied into the run's archive, in the
    same transaction as the statement."""

    statement: int
    schema: str
    """``rollback_archive_<run>``."""
    table: str
    """Where they are, qualified."""
    relation: str
    """Where they came from, qualified and quoted where needed."""
    column: str | None
    """None: whole rows."""
    rows: int
    seconds: float


class StatementStarted(Event, frozen=True, kw_only=True, tag="statement_started"):
    """A statement of the plan was sent."""

    index: int
    alone: bool = False
    """Outside any transaction: what became of it, unanswered, only the catalog can tell."""


class StatementFinished(Event, frozen=True, kw_only=True, tag="statement_finished"):
    """The server answered a statement of the plan."""

    index: int
    seconds: float
    command_tag: str
    rows: int | None
    notices: tuple[str, ...] = ()


class StatementFailed(Event, frozen=True, kw_only=True, tag="statement_failed"):
    """The server refused a statement of the plan: its own words."""

    index: int
    line: int
    sql: str
    sqlstate: str
    message: str
    detail: str = ""
    hint: str = ""
    position: int | None = None
    """Characters from 1, in the statement."""


class StatementSkipped(Event, frozen=True, kw_only=True, tag="statement_skipped"):
    """A statement that an interrupted run had done already."""

    index: int
    why: str


class VersionChanged(Event, frozen=True, kw_only=True, tag="version_changed"):
    """The framework's table was changed, in the same transaction."""

    version: str
    sql: tuple[str, ...]


class VerificationJudged(Event, frozen=True, kw_only=True, tag="verification_judged"):
    """A verification was judged."""

    verification: Verification


class RowsCompared(Event, frozen=True, kw_only=True, tag="rows_compared"):
    """Rows of all tables before and after."""

    rows: tuple[RowChange, ...]


class Committed(Event, frozen=True, kw_only=True, tag="committed"):
    """The server's command tag was literally COMMIT."""

    xid: str


class TransactionRolledBack(Event, frozen=True, kw_only=True, tag="transaction_rolled_back"):
    """ROLLBACK was answered, or the connection is gone and with it the transaction."""

    reason: str


class UnchangedProven(Event, frozen=True, kw_only=True, tag="unchanged_proven"):
    """After a failure: schema and rows compared with those before."""

    proven: bool
    differences: tuple[str, ...] = ()
    basis: str = ""
    """What was compared: ``schema, rows and version``."""
