"""From the closed door to the answer to COMMIT: the one transaction, the gate, and every doubt."""

from __future__ import annotations

import psycopg

from rollback_tui.core import events as ev
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.model import Outcome
from rollback_tui.core.text import printable
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.watchdog import answer_within, synchronous_standby_missing
from rollback_tui.run.context import Aborted, Run, summary_of
from rollback_tui.run.doorway import Keeper
from rollback_tui.run.execution import StatementRefused, TransactionLost, execute
from rollback_tui.run.judgement import reach, says_committed, wait_until_gone
from rollback_tui.run.stepwise_outcome import roll_back_stepwise
from rollback_tui.run.undo import undo
from rollback_tui.run.verifying.course import Asked, verify


class NotApproved(RollbackTuiError):
    """The gate stayed shut: a verification failed, or the operator chose ROLLBACK."""


def transact(run: Run, keeper: Keeper | None, *more: Asked) -> tuple[Outcome, str]:
    """Carry the plan out from the closed door to the outcome and its summary; raises nothing.
    ``more``: what is asked of the result beside the usual.
    ``rolled_back`` is still to be judged by what was verified."""
    if not run.plan.transactional:
        return roll_back_stepwise(run, keeper)
    try:
        execute(run)
        passed = verify(run, *more)
        gate(run, passed=passed)
        if commit(run, keeper):
            return "rolled_back", ""
        raise StatementRefused("the server lost the COMMIT", "Nothing was committed.")
    except Exception as error:  # noqa: BLE001 - an unknown error must be undone like a known one
        run.begin_cleaning_up()
        if run.committed:
            if not run.view.committed:  # it was the journal that failed
                run.write(ev.Committed(xid=run.xid))
            return "needs_operator", f"Rolled back; then: {summary_of(error)}"
        return undo(run, keeper, error)


def gate(run: Run, *, passed: bool) -> None:
    """Between verification and COMMIT: go on, or ask. Nobody answers: ROLLBACK."""
    with run.phase("gate") as outcome:
        if passed and run.settings.run.gate == "commit":
            accepted = any(v.accepted for v in run.view.verifications)
            also = ", or was accepted beforehand" if accepted else ""
            outcome.summary = f"all that could be verified passed{also}"
            return
        failed = [v for v in run.view.verifications if v.verdict != "pass" and not v.accepted]
        text = (
            "Verified. Commit?"
            if passed
            else "Not as expected: " + "; ".join(f"{v.title}: {v.summary}" for v in failed[:3])
        )
        choice = run.ask(
            ev.Question(
                name="gate",
                text=printable(text),
                choices=("roll back", "commit"),
                default="commit" if passed and not run.request.attended else "roll back",
                seconds=run.settings.run.answer_seconds,
            )
        )
        outcome.summary = choice
        if choice != "commit":
            raise NotApproved(
                "verification failed" if not passed else "not approved", "Nothing was committed."
            )


def commit(run: Run, keeper: Keeper | None) -> bool:
    """Return True when it is committed, False when it certainly is not.

    Success is the command tag COMMIT, literally: after an error the server answers ROLLBACK to
    the same word and no client calls that an error. No answer at all: the run's own row
    decides, read when the old backend is gone.
    """
    with run.phase("commit") as outcome:
        if not run.control.close_abort():
            raise Aborted
        connection = run.live_target()
        pid = connection.info.backend_pid
        try:
            with answer_within(connection, run.settings.run.commit_seconds):
                tag = connection.execute("COMMIT").statusmessage
        except psycopg.OperationalError as error:
            if not connection.broken:
                raise
            committed = _in_doubt(run, keeper, connection, pid)
            found = "it had happened" if committed else "it had not happened"
            outcome.summary = f"no answer to COMMIT ({summary_of(error)}): {found}"
            return committed
        if tag != "COMMIT":
            raise TransactionLost(f"the server answered {tag} to COMMIT", "Nothing was committed.")
        run.committed = True
        run.write(ev.Committed(xid=run.xid))
        return True


def _in_doubt(run: Run, keeper: Keeper | None, lost: Connection, pid: int) -> bool:
    lost.close()
    wait_until_gone(run, pid)
    connection, _ = reach(run, keeper)
    run.committed = says_committed(run, connection)
    if run.committed:
        run.write(ev.Committed(xid=run.xid))
        here_only(run)
    return run.committed


def here_only(run: Run) -> None:
    """Say it when the synchronous standby that COMMIT waited for is away: the server that has
    it now is the only one."""
    why = synchronous_standby_missing(run.live_maintenance())
    if why:
        run.write(
            ev.Alarm(
                summary=f"committed, but durable on this server only: {why}",
                remedy="Bring the synchronous standby back before this server fails.",
            )
        )
