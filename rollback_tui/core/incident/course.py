"""What of a run is a key event, and its line in the timeline: facts that matter a week later."""

from __future__ import annotations

from rollback_tui.core import events as ev
from rollback_tui.core.claim import who
from rollback_tui.core.incident.values import Moment, Tone
from rollback_tui.core.report import task, words
from rollback_tui.core.report.kept import in_words
from rollback_tui.core.report.recovering import lost_in_all
from rollback_tui.core.run_view import RunView
from rollback_tui.core.schema_verdict import summary
from rollback_tui.core.text import data_size, shorten

_SQL = 110

_Told = tuple[str, Tone]

BY: dict[str, str] = {
    "operator": "the operator",
    "deadline": "nobody, the time ran out",
    "configuration": "the configuration",
}
"""Who answered a question, where nothing more is known."""

ASKED: dict[str, str] = {
    "gate": "whether to COMMIT",
    "drain": "what becomes of those who still write",
    "health": "what follows from the application's health",
    "recover": "whether to bring the database back",
}
"""What a question of the run is about."""


def moment(record: ev.Record, view: RunView) -> Moment | None:
    """Return the line of an event; None: it is no key event."""
    told = _told(record.event, view)
    if told is None:
        return None
    return Moment(at=record.at, elapsed=record.elapsed, what=told[0], tone=told[1])


def _told(event: ev.AnyEvent, view: RunView) -> _Told | None:
    match event:
        case ev.RunStarted():
            return _confirmed(event), "plain"
        case ev.CheckOverridden():
            title = next((c.title for c in view.checks if c.name == event.name), event.name)
            return f"Check set aside, {title}: {event.reason}", "attention"
        case ev.UsualMeasured():
            known = sum(one.value is not None for one in event.usual)
            return f"What is usual was measured: {words.some(known, 'metric')}", "plain"
        case ev.HookRan():
            # That of the maintenance mode has an event of its own beside it.
            return None if event.ok and event.name.startswith("maintenance") else _hook(event)
        case ev.MaintenanceChanged():
            return f"Maintenance mode {'on' if event.on else 'off'}", "plain"
        case ev.PhaseFinished(status="failed"):
            why = f": {event.summary}" if event.summary else ""
            return f"Phase {event.phase} failed{why}", "bad"
        case ev.Question():
            return f"Asked {ASKED[event.name]}: {event.text}", "attention"
        case ev.Answered():
            by = event.who or BY[event.by]
            return f"Answered {ASKED[event.name]}: {event.choice}, by {by}", "attention"
        case ev.AbortAsked():
            return "Abort asked for" + (f" by {event.who}" if event.who else ""), "attention"
        case ev.SettleStarted():
            return f"The worker was interrupted; the {event.by} settles the run", "bad"
        case ev.Alarm():
            return f"Alarm: {event.summary}", "bad"
        case ev.RunFinished():
            return f"Outcome: {words.status(view)}", _tone(view)
        case _:
            return _net(event) or _door(event) or _transaction(event, view) or _recovery(event)


def _confirmed(event: ev.RunStarted) -> str:
    versions = ", ".join(m.version for m in event.plan.migrations)
    if event.task == "rollback":
        what = f"roll back {versions}"
    else:
        what = f"{task.of(event.task, event.recovers)} ({versions})"
    reason = f"; reason: {event.reason}" if event.reason else ""
    return f"Confirmed by {who(event.operator)}: {what}{reason}"


def _hook(event: ev.HookRan) -> _Told:
    what = "Team told" if event.name == "notify started" else f"Hook {event.name}"
    if event.ok:
        return f"{what} ({event.summary})" if event.summary else what, "plain"
    return f"{what}: FAILED: {event.summary}", "attention"


def _tone(view: RunView) -> Tone:
    if view.outcome == "rolled_back" or view.outcome == "recovered":
        return "good" if words.status(view).endswith(("verified", "Recovered")) else "attention"
    return "attention" if view.outcome in ("refused", "unchanged") else "bad"


def _net(event: ev.AnyEvent) -> _Told | None:
    """What could bring the database back, and what was known beforehand."""
    match event:
        case ev.CheckpointMade(checkpoint=made):
            size = f"{data_size(made.bytes)}, {words.some(made.tables, 'table')}"
            took = words.seconds(made.seconds)
            return f"Checkpoint made and verified: {size}, in {took}: {made.path}", "good"
        case ev.RestorePointMade():
            tone: Tone = "attention" if event.problem or not event.archived else "good"
            why = f": {event.problem}" if event.problem else ""
            return f"Restore point {event.name} of {event.provider} made{why}", tone
        case ev.CloneMade():
            text = f"Copy {event.database} made in {words.seconds(event.seconds)}"
            return f"{text}, {data_size(event.bytes)}", "good"
        case ev.SchemaForeseen():
            foreseen = f"Schema foreseen: {event.verdict.kind}: {summary(event.verdict)}"
            if event.accepted:
                return f"{foreseen}; accepted: {event.accepted}", "attention"
            return foreseen, "plain"
        case _:
            return None


def _door(event: ev.AnyEvent) -> _Told | None:
    match event:
        case ev.DoorClosed():
            how, kept = words.BY_RUNG[event.rung], words.KEPT_OUT[event.rung]
            return f"Door closed by {how}: {kept}", "attention"
        case ev.SessionsEnded():
            return f"{words.some(len(event.sessions), 'session')} ended", "plain"
        case ev.DoorOpened():
            return f"Door open after {words.seconds(event.seconds_closed)}", "good"
        case _:
            return None


def _transaction(event: ev.AnyEvent, view: RunView) -> _Told | None:
    match event:
        case ev.TransactionStarted():
            again = f" again, attempt {event.attempt}" if event.attempt > 1 else ""
            return f"Transaction {event.xid} begun{again}", "plain"
        case ev.StepsStarted():
            return "Statement by statement: what is done stays done", "attention"
        case ev.RowsKept():
            return f"Archived {in_words(event)} in {event.table}", "good"
        case ev.StatementFinished():
            done = f"Statement {event.index} of {len(view.statements):,} done"
            return f"{done} in {words.seconds(event.seconds)}: {_sql(view, event.index)}", "plain"
        case ev.StatementFailed():
            error = f"SQLSTATE {event.sqlstate}: {event.message}"
            return f"Statement {event.index}, line {event.line}, FAILED: {error}", "bad"
        case ev.VersionChanged():
            return f"Version {event.version} taken out of the version table", "plain"
        case ev.VerificationJudged(verification=it):
            if it.verdict == "fail" and it.accepted:
                return f"{it.title}: accepted ({it.accepted}): {it.summary}", "attention"
            said = {"pass": "passed", "fail": "FAILED", "unknown": "UNKNOWN"}[it.verdict]
            tones: dict[str, Tone] = {"pass": "good", "fail": "bad", "unknown": "attention"}
            return f"{it.title}: {said}: {it.summary}", tones[it.verdict]
        case ev.Committed():
            return "COMMIT: the server confirmed it", "good"
        case ev.TransactionRolledBack():
            return f"ROLLBACK: {event.reason}", "attention"
        case ev.UnchangedProven():
            if event.proven:
                return f"Proven to be as before (compared: {event.basis or 'all'})", "good"
            return "NOT proven to be as before: " + "; ".join(event.differences), "bad"
        case _:
            return None


def _sql(view: RunView, index: int) -> str:
    plan = view.started.plan.statements if view.started else ()
    return shorten(next((s.sql for s in plan if s.index == index), ""), _SQL)


def _recovery(event: ev.AnyEvent) -> _Told | None:
    match event:
        case ev.RecoveryPlanned():
            return f"Recovery planned: {event.restores}", "plain"
        case ev.LostCounted():
            tone: Tone = "attention" if event.lost else "good"
            return f"Rows lost with the recovery: {lost_in_all(event)}", tone
        case ev.RecoveryStep():
            if not event.ok or event.verdict == "fail":
                return f"Recovery, {event.name}: FAILED: {event.summary}", "bad"
            if event.verdict == "unknown":
                return f"Recovery, {event.name}: UNKNOWN: {event.summary}", "attention"
            return f"Recovery, {event.name}: done: {event.summary}", "good"
        case ev.Swapped():
            return f"Database replaced; the failed one is kept as {event.kept}", "attention"
        case _:
            return None
