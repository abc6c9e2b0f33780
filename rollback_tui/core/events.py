"""The facts of a run. The journal is the ordered list of them; everything shown is a fold."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from rollback_tui.core.model import (
    Checkpoint,
    CheckResult,
    Loss,
    Operator,
    Outcome,
    Plan,
    RowChange,
    Rung,
    Target,
    Verification,
)

Phase = Literal[
    "preflight",
    "checkpoint",
    "announce",
    "drain",
    "close_door",
    "clone",
    "execute",
    "verify",
    "gate",
    "commit",
    "recover",
    "open_door",
    "health",
    "aftercare",
]

PHASES: tuple[Phase, ...] = (
    "preflight",
    "checkpoint",
    "announce",
    "drain",
    "close_door",
    "execute",
    "verify",
    "gate",
    "commit",
    "open_door",
    "health",
    "aftercare",
)
"""The phases of every run, in order. ``clone`` comes only if chosen, ``recover`` if needed."""

QuestionName = Literal["gate", "drain", "health", "recover"]

PhaseStatus = Literal["done", "failed", "skipped"]


class Event(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True
):
    """Base of the events."""


class RunStarted(Event, frozen=True, kw_only=True, tag="run_started"):
    """The journal is open; this is what was confirmed."""

    run: str
    """UUID."""
    tool_version: str
    target: Target
    plan: Plan
    plan_sha256: str
    operator: Operator
    reason: str
    environment: str
    folder: str
    worker_pid: int


class CheckJudged(Event, frozen=True, kw_only=True, tag="check_judged"):
    """A safety check was judged again by the worker."""

    check: CheckResult


class CheckOverridden(Event, frozen=True, kw_only=True, tag="check_overridden"):
    """A failed check was set aside with a typed reason."""

    name: str
    reason: str


class PhaseStarted(Event, frozen=True, kw_only=True, tag="phase_started"):
    """A phase began."""

    phase: Phase
    summary: str = ""


class PhaseFinished(Event, frozen=True, kw_only=True, tag="phase_finished"):
    """A phase ended."""

    phase: Phase
    status: PhaseStatus
    seconds: float
    summary: str = ""


class Progress(Event, frozen=True, kw_only=True, tag="progress"):
    """Something moved inside a phase: a table dumped, a table counted."""

    phase: Phase
    summary: str
    done: int | None = None
    total: int | None = None


class SqlSent(Event, frozen=True, kw_only=True, tag="sql_sent"):
    """SQL of the tool's own that was sent and changes something."""

    connection: Literal["target", "maintenance"]
    sql: str


class Waiting(Event, frozen=True, kw_only=True, tag="waiting"):
    """The run waits: for what, for whom, and until when at the latest."""

    phase: Phase
    summary: str
    pids: tuple[int, ...] = ()
    seconds_left: float | None = None


class HookRan(Event, frozen=True, kw_only=True, tag="hook_ran"):
    """A command, URL, SQL or flag file of the configuration was used."""

    name: str
    ok: bool
    seconds: float
    summary: str


class CheckpointMade(Event, frozen=True, kw_only=True, tag="checkpoint_made"):
    """The checkpoint is on disk under its final name, and verified."""

    checkpoint: Checkpoint


class SessionsEnded(Event, frozen=True, kw_only=True, tag="sessions_ended"):
    """Sessions of the target were terminated."""

    sessions: tuple[str, ...]
    """``pid application user`` of each."""


class DoorPrepared(Event, frozen=True, kw_only=True, tag="door_prepared"):
    """A placeholder database is about to be created: whoever settles this run drops it."""

    placeholder: str


class DoorClosed(Event, frozen=True, kw_only=True, tag="door_closed"):
    """Applications are about to be shut out. Carries what opening needs, and is therefore
    written first."""

    rung: Rung
    connection_limit: int
    """``datconnlimit`` before it was closed."""
    renamed_to: str = ""
    """The target's name while the door is closed; only on the rung ``rename``."""
    placeholder: str = ""
    """The placeholder's name while the door is open; only on the rung ``rename``."""


class DoorOpened(Event, frozen=True, kw_only=True, tag="door_opened"):
    """Applications may come in again."""

    seconds_closed: float


class MaintenanceChanged(Event, frozen=True, kw_only=True, tag="maintenance_changed"):
    """The application's maintenance mode was switched."""

    on: bool


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


class StatementSkipped(Event, frozen=True, kw_only=True, tag="statement_skipped"):
    """A statement that an interrupted run had done already."""

    index: int
    why: str


class CloneStarted(Event, frozen=True, kw_only=True, tag="clone_started"):
    """A template copy is about to be made: whoever settles this run may find half of it."""

    database: str
    estimated_seconds: float | None
    strategy: str


class CloneMade(Event, frozen=True, kw_only=True, tag="clone_made"):
    """The template copy stands; applications were out while it was made."""

    database: str
    oid: int
    seconds: float
    bytes: int


class CloneDropped(Event, frozen=True, kw_only=True, tag="clone_dropped"):
    """The copy is not needed any more."""

    database: str


class SwapStarted(Event, frozen=True, kw_only=True, tag="swap_started"):
    """The target is about to be replaced: the catalog says whether it was."""

    new: str
    """Name of the database that takes its place."""
    new_oid: int
    kept: str
    """Name that the failed database gets."""


class Swapped(Event, frozen=True, kw_only=True, tag="swapped"):
    """The target's name now belongs to another database; the failed one is kept."""

    new_oid: int
    kept: str


class LossCounted(Event, frozen=True, kw_only=True, tag="loss_counted"):
    """Inside the transaction, with the relations locked, just before the data goes."""

    statement: int
    losses: tuple[Loss, ...]


class StatementStarted(Event, frozen=True, kw_only=True, tag="statement_started"):
    """A statement of the plan was sent."""

    index: int


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


class Question(Event, frozen=True, kw_only=True, tag="question"):
    """The run needs an answer: through ``approve`` with one of the choices, or the deadline."""

    name: QuestionName
    text: str
    choices: tuple[str, ...]
    default: str
    """What happens when nobody answers."""
    seconds: float


class Answered(Event, frozen=True, kw_only=True, tag="answered"):
    """The question was answered."""

    name: QuestionName
    choice: str
    by: Literal["operator", "deadline", "configuration"]


class AbortAsked(Event, frozen=True, kw_only=True, tag="abort_asked"):
    """The operator pressed abort; it is obeyed at the next safe point before COMMIT."""


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


class RecoveryStep(Event, frozen=True, kw_only=True, tag="recovery_step"):
    """A step of the recovery ended."""

    name: str
    ok: bool
    seconds: float
    summary: str


class ImpactMeasured(Event, frozen=True, kw_only=True, tag="impact_measured"):
    """What users felt, where a hook or the health probe can tell; None: not measured."""

    downtime_seconds: float
    failed_probes: int | None = None
    probes: int | None = None
    affected_users: int | None = None
    failed_requests: int | None = None
    source: str = ""


class Alarm(Event, frozen=True, kw_only=True, tag="alarm"):
    """Something the operator must see even after the run: the door did not open …"""

    summary: str
    remedy: str


class RunFinished(Event, frozen=True, kw_only=True, tag="run_finished"):
    """The one outcome."""

    outcome: Outcome
    summary: str
    report: str
    """Path of the Markdown report."""
    next_commands: tuple[str, ...] = ()
    """Exactly what to type, when the operator is needed."""


AnyEvent = (
    RunStarted
    | CheckJudged
    | CheckOverridden
    | PhaseStarted
    | PhaseFinished
    | Progress
    | SqlSent
    | Waiting
    | HookRan
    | CheckpointMade
    | SessionsEnded
    | DoorPrepared
    | DoorClosed
    | DoorOpened
    | MaintenanceChanged
    | TransactionStarted
    | RunRowInserted
    | StateCaptured
    | CloneStarted
    | CloneMade
    | CloneDropped
    | SwapStarted
    | Swapped
    | LossCounted
    | StatementSkipped
    | StatementStarted
    | StatementFinished
    | StatementFailed
    | VersionChanged
    | VerificationJudged
    | RowsCompared
    | Question
    | Answered
    | AbortAsked
    | Committed
    | TransactionRolledBack
    | UnchangedProven
    | RecoveryStep
    | ImpactMeasured
    | Alarm
    | RunFinished
)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the journal."""

    seq: int
    """From 1."""
    at: datetime
    """Wall clock, UTC. For the reader; never for a duration."""
    elapsed: float
    """Seconds of the monotonic clock since the run began."""
    prev: str
    """Hash of the line before; empty on the first."""
    event: AnyEvent
