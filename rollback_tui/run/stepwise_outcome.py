"""What a plan that went statement by statement came to: to its end, stopped, or interrupted."""

from __future__ import annotations

from rollback_tui.core import events as ev
from rollback_tui.core.model import Outcome
from rollback_tui.core.text import printable
from rollback_tui.postgres.ourselves import OURSELVES
from rollback_tui.run.context import Aborted, Run, summary_of
from rollback_tui.run.doorway import Keeper
from rollback_tui.run.judgement import prove_unchanged, reach, wait_until_gone
from rollback_tui.run.recovery.automatic import recover
from rollback_tui.run.steps import Standing, standing
from rollback_tui.run.stepwise import execute_stepwise
from rollback_tui.run.verifying.course import verify_stepwise
from rollback_tui.survey.applied import versions

_BACK = "bring it back"
_LEAVE = "leave it"
_UNPROVEN = "The checkpoint was put in its place, and is not proven to be as before."
_NO_COMMIT = "statement by statement: there is no COMMIT to hold back"


def roll_back_stepwise(run: Run, keeper: Keeper | None) -> tuple[Outcome, str]:
    """Carry the plan out from the closed door to the outcome and its summary; raises nothing.

    It takes the place of the one transaction. The door is opened and health is asked by the
    caller, as after a transaction: ``run.committed`` says whether all of it is done and stands.
    ``rolled_back`` is still to be judged by what was verified.
    """
    try:
        execute_stepwise(run)
    except Exception as error:  # noqa: BLE001 - whatever it was, something may be done already
        outcome, summary = after_failure(run, keeper, error)
        if outcome != "rolled_back":
            return outcome, summary
    try:
        return _judge_result(run)
    except Exception as error:  # noqa: BLE001 - it is done, and the door must still open
        run.begin_cleaning_up()
        return "needs_operator", f"All is done, but it was not verified: {summary_of(error)}."


def _judge_result(run: Run) -> tuple[Outcome, str]:
    if verify_stepwise(run):
        run.skip("gate", _NO_COMMIT)
        run.skip("commit", _NO_COMMIT)
        return "rolled_back", ""
    failed = [v for v in run.view.verifications if v.verdict != "pass"]
    words = "; ".join(f"{v.title}: {v.summary}" for v in failed[:3])
    run.skip("gate", _NO_COMMIT)
    run.skip("commit", _NO_COMMIT)
    run.begin_cleaning_up()
    if _brought_back(run, f"All statements are done, and it is not as expected: {words}"):
        return "recovered", f"Not as expected ({words}). {_back_to(run)}"
    if run.view.swapped is not None:
        return "needs_operator", f"Not as expected ({words}). {_UNPROVEN}"
    return "needs_operator", f"All statements are done, but: {words}."


def after_failure(run: Run, keeper: Keeper | None, error: BaseException) -> tuple[Outcome, str]:
    """Say what is done and what is left, and bring the checkpoint back where that is wanted.

    Returns ``unchanged`` when nothing was done, and proven; ``recovered``; ``needs_operator``
    with the exact state; or ``rolled_back`` when it turns out that all was done and only the
    last answer was lost. Raises nothing: the door must still open.
    """
    run.begin_cleaning_up()
    why = "aborted between two statements" if isinstance(error, Aborted) else summary_of(error)
    try:
        if run.committed and not run.view.committed:  # it was the journal that failed
            run.write(ev.Committed(xid=run.xid))
        if run.view.steps is None:
            return _nothing_done(run, keeper, why)
        return _stopped(run, keeper, why)
    except Exception as second:  # noqa: BLE001 - the first error is told as well
        return "needs_operator", f"{why}. Then: {summary_of(second)}"


def _nothing_done(run: Run, keeper: Keeper | None, why: str) -> tuple[Outcome, str]:
    proof = prove_unchanged(run, keeper)
    if proof.proven:
        return "unchanged", f"{why}. Nothing was changed (compared: {proof.basis})."
    return "needs_operator", f"{why}. The database is not as before; see the differences."


def _stopped(run: Run, keeper: Keeper | None, why: str) -> tuple[Outcome, str]:
    now = _how_far(run, keeper)
    if now.complete:
        _all_done(run)
        return "rolled_back", why
    if not now.touched(run.plan):
        return _nothing_done(run, keeper, why)
    run.write(ev.Progress(phase="execute", summary=now.describe()))
    if _brought_back(run, f"{why}. {now.describe()}"):
        return "recovered", f"{why}. {_back_to(run)}"
    if run.view.swapped is not None:
        return "needs_operator", f"{why}. {_UNPROVEN}"
    return "needs_operator", printable(f"{why}. Left half way: {now.describe()}.")


def _back_to(run: Run) -> str:
    resumed = run.request.resume
    if resumed is not None and resumed.run:
        return (
            "The database was brought back to what this run found: half way, as run"
            f" {resumed.run[:8]} had left it."
        )
    return "The database was brought back from the checkpoint."


def _how_far(run: Run, keeper: Keeper | None) -> Standing:
    """Ask how far it came, when nothing of it goes on any more."""
    steps = run.view.steps
    if steps is not None and (run.target is None or run.target.closed or run.target.broken):
        run.backend_start = steps.backend_start
        wait_until_gone(run, steps.backend_pid)
    connection, _ = reach(run, keeper)
    connection.execute(OURSELVES)
    applied = versions(connection, run.settings, run.project, run.plan)
    return standing(connection, run.view, applied)


def _all_done(run: Run) -> None:
    run.committed = True
    if not run.view.committed:
        run.write(ev.Committed(xid=run.xid))


def _brought_back(run: Run, text: str) -> bool:
    """Ask whether the checkpoint is brought back, and do it; True when it was, and proven.

    Behind a shut door nothing was written since the run looked, so bringing it back loses
    nothing: it is what happens when nobody answers. A dump is older than that; recovery compares
    it with what the run found, and stops where somebody wrote in between. With the door open
    others are writing, and nothing is brought back over their work.
    """
    if not run.shut or (run.view.clone is None and run.view.checkpoint is None):
        return False
    if not run.control.aborted.is_set():
        question = ev.Question(
            name="recover",
            text=printable(text),
            choices=(_BACK, _LEAVE),
            default=_BACK,
            seconds=run.settings.run.answer_seconds,
        )
        try:
            if run.ask(question) != _BACK:
                return False
        except Aborted:
            # Who aborts now wants it as it was.
            pass
    proven = recover(run)
    if run.view.swapped is not None:
        run.committed = False
    return proven


def settle_stepwise(run: Run) -> tuple[Outcome, str]:
    """Say what an interrupted run came to, from its row, its journal and the catalog.

    Only to be called when the plan is not transactional, ``run.view`` holds its journal, and the
    backend of ``run.view.steps`` is gone; the door may still be closed. Nothing of the plan is
    done or undone here. Returns ``unchanged``, ``recovered``, ``needs_operator`` with the exact
    state, or ``rolled_back`` when all is done and was verified (then ``run.committed`` is set).
    Raises RollbackTuiError or psycopg.Error when that cannot be told.
    """
    if run.view.steps is None:
        proof = prove_unchanged(run, None)
        if proof.proven:
            return "unchanged", f"The worker died. Nothing was changed ({proof.basis} compared)."
        return "needs_operator", "The worker died, and the database is not as before."
    now = _how_far(run, None)
    if now.complete:
        _all_done(run)
        if any(p.phase == "verify" and p.status == "done" for p in run.view.phases):
            return "rolled_back", "The worker died; all was done and verified by then."
        return (
            "needs_operator",
            "The worker died. All statements are done"
            + ("" if run.plan.version_stays else " and the version is taken out")
            + "; nobody verified the result.",
        )
    if not now.touched(run.plan):
        proof = prove_unchanged(run, None)
        if proof.proven:
            return "unchanged", f"The worker died. Nothing was changed ({proof.basis} compared)."
    return "needs_operator", printable(f"The worker died half way: {now.describe()}.")
