"""Settle: read the database, never memory, and bring an interrupted run to a named outcome."""

from __future__ import annotations

from rollback_tui.core import events as ev
from rollback_tui.core.model import Outcome
from rollback_tui.core.run_view import advance, fold
from rollback_tui.run import journal as run_journal
from rollback_tui.run.aftermath import finish
from rollback_tui.run.context import Run, summary_of
from rollback_tui.run.doorway import reopen
from rollback_tui.run.engine import judge_result
from rollback_tui.run.judgement import (
    prove_unchanged,
    reach,
    version_says_committed,
    wait_until_gone,
)
from rollback_tui.run.preflight import one_run_a_target
from rollback_tui.run.request import RunRequest
from rollback_tui.run.verification import health
from rollback_tui.run.worker import opened


def settle(request: RunRequest, *, alone: bool = False) -> ev.RunFinished:
    """Finish an interrupted run and return its outcome. Idempotent: one that has its outcome is
    left alone.

    ``alone``: refuse while another run has the target, for it may be long after; the door that
    would be opened is that run's. Raises JournalInUse while its worker lives, RunRefused, and
    RollbackTuiError when the server stays away; it can be called again.
    """
    with opened(request) as run:
        # Read when the journal is ours: the worker may have ended in the last moment.
        records = run_journal.read(run.journal.path)
        finished = fold(records).finished
        if finished is not None:
            return finished
        for record in records:
            run.view = advance(run.view, record)
            if isinstance(record.event, ev.TransactionStarted):
                run.xid = record.event.xid
                run.backend_pid = record.event.backend_pid
                run.backend_start = record.event.backend_start
        if alone:
            one_run_a_target(run)
        run.begin_cleaning_up()
        outcome, summary = _judge(run)
        reopen(run, None)
        if outcome == "rolled_back":
            outcome, told = judge_result(run, healthy=health(run))
            summary = f"{summary} {told}"
        return finish(run, outcome, summary)


def _judge(run: Run) -> tuple[Outcome, str]:
    """Say what the database holds, once the old backend is gone."""
    try:
        if not run.backend_pid:
            return "refused", "The worker died before anything was touched."
        wait_until_gone(run, run.backend_pid)
        connection, _ = reach(run, None)
        if version_says_committed(run, connection):
            run.committed = True
            if not run.view.committed:
                run.write(ev.Committed(xid=run.xid))
            return "rolled_back", "The worker died; its COMMIT had arrived."
        run.write(ev.TransactionRolledBack(reason="the worker died"))
        proof = prove_unchanged(run, None)
        if proof.proven:
            return "unchanged", f"The worker died. Nothing was changed ({proof.basis} compared)."
        return "needs_operator", "The worker died, and the database is not as before."
    except Exception as error:  # noqa: BLE001 - whatever it was, the door must still open
        return "needs_operator", f"The worker died. Then: {summary_of(error)}"
