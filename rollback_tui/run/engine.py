"""The run, from the first phase to the one outcome. Read it aloud: it is the design's table."""

from __future__ import annotations

from rollback_tui.core import events as ev
from rollback_tui.core import query_errors
from rollback_tui.core.model import Outcome
from rollback_tui.run.aftermath import finish, look_after
from rollback_tui.run.afterwards.health import Prober
from rollback_tui.run.afterwards.query_errors import QueryWatch
from rollback_tui.run.cloning import clone, drop_clone
from rollback_tui.run.committing import transact
from rollback_tui.run.context import Run, summary_of
from rollback_tui.run.doorway import Keeper, close_door, open_again
from rollback_tui.run.preflight import announce, checkpoint, drain, preflight
from rollback_tui.run.recovery.bring_back import bring_back
from rollback_tui.run.recovery.reapply import reapply
from rollback_tui.run.usual import UsualWatch


def carry_out(run: Run) -> ev.RunFinished:
    """Carry the run out. Whatever happens, it ends in one of the five outcomes, with the door
    open and maintenance mode off (or an alarm that says they are not)."""
    if run.request.kind == "recover":
        return bring_back(run)
    if run.request.kind == "reapply":
        return reapply(run)
    keeper: Keeper | None = None
    prober, watch, usual = Prober(run), QueryWatch(run), UsualWatch(run)
    try:
        preflight(run)
        watch.before()
        usual.begin()
        checkpoint(run)
        usual.end()
        announce(run)
        drain(run)
        watch.before()
        prober.start()
        keeper = close_door(run)
        clone(run, needed=not run.plan.transactional)
    except Exception as error:  # noqa: BLE001 - whatever it was, what was closed must open again
        open_again(run, keeper, prober)
        drop_clone(run)
        return finish(run, "refused", summary_of(error))
    outcome, summary = transact(run, keeper)
    open_again(run, keeper, prober)
    healthy = look_after(run, prober, watch)
    if run.committed and outcome == "rolled_back":
        outcome, summary = judge_result(run, healthy=healthy)
    if outcome != "needs_operator" and not run.view.alarms:
        drop_clone(run)
    return finish(run, outcome, summary)


def judge_result(run: Run, *, healthy: bool | None) -> tuple[Outcome, str]:
    """Say what a committed run came to. Rolled back is only what nothing speaks against; what
    nobody could verify is named."""
    verified = run.view.verifications
    done = "applied again" if run.request.kind == "reapply" else "rolled back"
    if healthy is False:
        return "needs_operator", f"{done.capitalize()}, but the application is not healthy."
    failing = next((v for v in verified if v.name == query_errors.NAME), None)
    if failing is not None and failing.verdict == "fail":
        return "needs_operator", f"{done.capitalize()}, but queries fail: {failing.summary}."
    failed = [v.title for v in verified if v.verdict == "fail" and not v.accepted]
    if failed:
        return "needs_operator", f"Committed as the operator chose, although: {', '.join(failed)}."
    accepted = [v.title for v in verified if v.verdict == "fail" and v.accepted]
    unknown = [v.title for v in verified if v.verdict == "unknown"]
    if accepted or unknown:
        told = f" Not so, but accepted beforehand: {', '.join(accepted)}." if accepted else ""
        told += f" Unknown: {', '.join(unknown)}." if unknown else ""
        return "rolled_back", f"{_what(run)} is {done}.{told}"
    return "rolled_back", f"{_what(run)} is {done} and verified."


def _what(run: Run) -> str:
    """Return what has been done: where no version is changed, not more than that a script ran."""
    return (
        "No version is changed; what the script takes back"
        if run.plan.version_stays
        else ("The migration")
    )
