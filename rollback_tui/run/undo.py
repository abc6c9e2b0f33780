"""When something failed before COMMIT was answered: roll back, prove, and only if the database
did change, bring it back from the checkpoint."""

from __future__ import annotations

import psycopg

from rollback_tui.core import events as ev
from rollback_tui.core.model import Outcome
from rollback_tui.postgres.watchdog import answer_within
from rollback_tui.run.context import Run, summary_of
from rollback_tui.run.doorway import Keeper
from rollback_tui.run.judgement import prove_unchanged, wait_until_gone
from rollback_tui.run.recovery.automatic import recover as recover

_ROLLBACK_SECONDS = 20.0
"""However much was done, undoing it is the work of a moment: only the answer can be late."""


def undo(run: Run, keeper: Keeper | None, error: BaseException) -> tuple[Outcome, str]:
    """Return the outcome and its summary. The first error is the one that is told."""
    why = summary_of(error)
    try:
        roll_back(run, why)
        proof = prove_unchanged(run, keeper)
        if proof.proven:
            return "unchanged", f"{why}. Nothing was changed (compared: {proof.basis})."
        if not run.escaped or not run.shut:
            # Somebody else changed it, or others are writing: restoring would lose their work.
            return "needs_operator", f"{why}. The database is not as before; see the differences."
        if recover(run):
            return "recovered", f"{why}. The database was brought back from the checkpoint."
        return "needs_operator", f"{why}. The database is not as before."
    except Exception as second:  # noqa: BLE001 - the door must still open, and the first be told
        return "needs_operator", f"{why}. Then: {summary_of(second)}"


def roll_back(run: Run, why: str) -> None:
    """End the transaction; when the connection is lost, wait until its backend is gone."""
    connection = run.target
    if connection is None:
        return
    try:
        # Also before its id is known: an abort may come right behind BEGIN.
        with answer_within(connection, _ROLLBACK_SECONDS):
            connection.execute("ROLLBACK")
    except psycopg.Error:
        connection.close()
        if run.xid:
            wait_until_gone(run, run.backend_pid)
    if not run.xid:
        return
    run.write(ev.TransactionRolledBack(reason=why))
