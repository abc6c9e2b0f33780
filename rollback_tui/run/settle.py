"""Settle: read the database, never memory, and bring an interrupted run to a named outcome."""

from __future__ import annotations

import contextlib

import psycopg

from rollback_tui.core import events as ev
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.model import Outcome
from rollback_tui.core.run_view import advance, fold
from rollback_tui.postgres import target_lock
from rollback_tui.run import journal as run_journal
from rollback_tui.run.aftermath import finish
from rollback_tui.run.afterwards.health import health
from rollback_tui.run.cloning import drop_clone, stop_cloning
from rollback_tui.run.context import Run, summary_of
from rollback_tui.run.doorway import reopen
from rollback_tui.run.engine import judge_result
from rollback_tui.run.judgement import (
    prove_unchanged,
    reach,
    says_committed,
    version_says_committed,
    wait_until_gone,
)
from rollback_tui.run.preflight import one_run_a_target, stop_dumping
from rollback_tui.run.recovery.bring_back import settle_recovery
from rollback_tui.run.recovery.reapply import settle_reapplied
from rollback_tui.run.recovery.swap import settle_swap
from rollback_tui.run.request import RunRequest
from rollback_tui.run.stepwise_outcome import settle_stepwise
from rollback_tui.run.worker import opened

_LOCK_SECONDS = 5.0


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
        _remember(run, records)
        _hold(run, alone=alone)
        run.begin_cleaning_up()
        run.write(ev.SettleStarted(by="operator" if alone else "guardian"))
        if run.journal.cut_off:
            text = f"the journal ended in half a line ({run.journal.cut_off} bytes): cut off"
            run.write(ev.Progress(phase="recover", summary=text))
        outcome, summary = _brought_to_an_end(run)
        stop_dumping(run)
        if outcome != "needs_operator" and not run.view.alarms:
            drop_clone(run)
        return finish(run, outcome, summary)


def _remember(run: Run, records: tuple[ev.Record, ...]) -> None:
    """Take over what the journal knows of the run."""
    for record in records:
        run.view = advance(run.view, record)
        if isinstance(record.event, ev.TransactionStarted):
            run.xid = record.event.xid
        if isinstance(record.event, ev.TransactionStarted | ev.StepsStarted):
            run.backend_pid = record.event.backend_pid
            run.backend_start = record.event.backend_start


def _hold(run: Run, *, alone: bool) -> None:
    """Take the target's lock. The dead worker's own session may have it yet, and may even be
    busy with a long statement."""
    try:
        target_lock.end_holder(run.live_maintenance(), run.database, run.door_application)
        one_run_a_target(run, _LOCK_SECONDS)
    except (RollbackTuiError, psycopg.Error):
        # The guardian stands directly behind its worker: nobody could come in between but by a
        # lock that the server has not given up yet, and the door must open.
        if alone:
            raise


def _brought_to_an_end(run: Run) -> tuple[Outcome, str]:
    task = run.view.started.task if run.view.started else "rollback"
    if task == "recover":
        return settle_recovery(run)
    settled = _settled(run)
    return settled if task == "rollback" else settle_reapplied(run, *settled)


def _settled(run: Run) -> tuple[Outcome, str]:
    """Decide, open the door at once, and only then prove: nobody waits for a proof."""
    committed: bool | None = None
    trouble = ""
    try:
        committed = _committed(run)
    except Exception as error:  # noqa: BLE001 - whatever it was, the door must still open
        trouble = summary_of(error)
    reopen(run, None)
    if committed is None:
        return "needs_operator", f"The worker died. Then: {trouble}"
    try:
        return _judged(run, committed=committed)
    except Exception as error:  # noqa: BLE001 - an outcome is better than a proof
        return "needs_operator", f"The worker died. Then: {summary_of(error)}"


def _committed(run: Run) -> bool:
    """Return whether the transaction was committed, once the backend that had it is gone."""
    stop_cloning(run)
    settle_swap(run)
    if not run.backend_pid:
        return False
    wait_until_gone(run, run.backend_pid)
    if run.view.committed or not run.plan.transactional or run.view.swapped is not None:
        return run.view.committed
    connection, _ = reach(run, None)
    if says_committed(run, connection):
        run.write(ev.Committed(xid=run.xid))
    else:
        run.write(ev.TransactionRolledBack(reason="the worker died"))
    return run.view.committed


def _judged(run: Run, *, committed: bool) -> tuple[Outcome, str]:
    if not run.backend_pid:
        return "refused", "The worker died before anything was touched."
    if run.view.swapped is not None:
        return _recovered(run)
    if not run.plan.transactional:
        outcome, told = settle_stepwise(run)
        if outcome != "rolled_back":
            return outcome, told
        outcome, judged = judge_result(run, healthy=health(run))
        return outcome, f"{told} {judged}"
    if committed:
        run.committed = True
        if not _to_its_end(run):
            return "needs_operator", (
                "The worker died. The run's row is in the target, but the version table is as"
                " before: the script ended the run's transaction."
                if not run.plan.version_stays
                else "The worker died. The run's row is in the target, but the run had sent no"
                " COMMIT: the script ended the run's transaction."
            )
        outcome, told = judge_result(run, healthy=health(run))
        return outcome, f"The worker died; its COMMIT had arrived. {told}"
    proof = prove_unchanged(run, None)
    if proof.proven:
        return "unchanged", f"The worker died. Nothing was changed ({proof.basis} compared)."
    return "needs_operator", "The worker died, and the database is not as before."


def _to_its_end(run: Run) -> bool:
    """Whether what was committed is the whole plan. Where no version is changed, the journal says
    whether the run itself had come to its COMMIT."""
    if not run.plan.version_stays:
        return version_says_committed(run, run.live_target())
    return any(p.phase == "commit" and p.status != "waiting" for p in run.view.phases)


def _recovered(run: Run) -> tuple[Outcome, str]:
    """It died when another database had been put in place: compare that with what was there."""
    with contextlib.suppress(psycopg.Error, RollbackTuiError):
        proof = prove_unchanged(run, None)
        if proof.proven and "schema" in proof.basis:
            return "recovered", f"The worker died after the recovery ({proof.basis} compared)."
    return "needs_operator", "The worker died after the recovery, which is not proven."
