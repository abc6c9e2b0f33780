"""What the fields of a notice say. Every text that is not our own is made printable here, and
stays on one line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from rollback_tui.config_aftercare import Monitor
from rollback_tui.core import events as ev
from rollback_tui.core.claim import who
from rollback_tui.core.monitoring.rules import rules
from rollback_tui.core.monitoring.values import Raised
from rollback_tui.core.monitoring.words import amount
from rollback_tui.core.report import recovering, task, words
from rollback_tui.core.report.losses import certain, lost
from rollback_tui.core.run_view import RunView
from rollback_tui.core.text import printable, shorten

_LINE = 300
"""Terminal cells of one text that is not ours."""
_HERE = frozenset(("localhost", "127.0.0.1", "::1"))
_FEW = 5
"""Migrations, losses or pieces of evidence that are named; of more only the number is said."""


def run_fields(view: RunView) -> dict[str, str]:
    """Return the fields that say what the run is and how far it has come."""
    started = view.started
    if started is None:
        return {}
    target = started.target
    server = _server(started)
    where = f"{target.database} on {server}"
    environment = _line(started.environment)
    run = started.run[:8]
    phase = view.phase
    return {
        "run": run,
        "task": task.title(started),
        "what": _what(started),
        "database": _line(target.database),
        "host": _line(server),
        "environment": environment,
        "where": _line(where) + (f", {environment}" if environment else ""),
        "operator": _line(who(started.operator)),
        "reason": _line(started.reason),
        "trigger": _line(started.trigger),
        "plan": _plan(started),
        "phase": phase.phase if phase else "",
        "folder": _whole(started.folder),
        "attach": f"rollback-tui attach {run}",
        "next": "\n".join(_whole(one) for one in words.next_commands(view)),
        **(_end(view, view.finished) if view.finished is not None else {}),
    }


def gate_fields(
    at: datetime, question: ev.Question, answered: ev.Answered | None
) -> dict[str, str]:
    """Return the fields of a question that was asked at ``at``."""
    until = (at + timedelta(seconds=question.seconds)).astimezone(UTC)
    return {
        "question": _line(question.text),
        "choices": ", ".join(_line(choice) for choice in question.choices),
        "default": _line(question.default),
        "deadline": f"{until:%H:%M:%S} UTC, after {words.seconds(question.seconds)}",
        "phase": question.name,
        "answer": f"{_line(answered.choice)} (by the {answered.by})" if answered else "",
    }


def alert_fields(view: RunView, alert: Raised, settings: Monitor) -> dict[str, str]:
    """Return the fields of an alert of the monitoring."""
    usual = view.usual.usual if view.usual is not None else ()
    before = next((one for one in usual if one.metric == alert.metric), None)
    unit = next(
        rule.unit
        for rule in rules(settings.levels, settings.share, usual)
        if rule.metric == alert.metric
    )
    if before is None:
        known = "not measured"
    elif before.value is None:
        known = f"not known: {_line(before.why)}" if before.why else "not known"
    else:
        known = amount(before.value, unit)
    return {
        "metric": alert.metric,
        "value": "no answer" if alert.unanswered else amount(alert.value, unit),
        "threshold": amount(alert.threshold, unit),
        "rule": _line(alert.summary),
        "summary": _line(alert.summary),
        "usual": known,
        "evidence": "\n".join(_some([_line(one) for one in alert.evidence])),
    }


def _end(view: RunView, finished: ev.RunFinished) -> dict[str, str]:
    settling = view.settling
    return {
        "outcome": words.status(view),
        "summary": _line(finished.summary),
        "duration": words.seconds(view.elapsed),
        "downtime": words.downtime(view),
        "loss": _loss(view),
        "settled_by": "" if settling is None else f"the {settling.by}, after the worker was gone",
        "report": _whole(finished.report),
    }


def _server(started: ev.RunStarted) -> str:
    """Return host and port so that somebody elsewhere knows which machine is meant."""
    host, port, here = started.target.host, started.target.port, started.operator.host
    if not here or not (host.startswith("/") or host in _HERE):
        return f"{host}:{port}"
    # A name of this machine may be the end of a tunnel: then it is not its own server.
    return f"{here}:{port}" if host.startswith("/") else f"{host}:{port} as seen from {here}"


def _what(started: ev.RunStarted) -> str:
    plan = started.plan
    if started.task == "recover":
        return f"what run {_line(task.run_of(started.recovers))} left"
    found = [
        _line(f"{one.version} {one.name}".strip() if one.name != one.version else one.version)
        for one in plan.migrations
    ]
    return ", ".join(_some(found)) or _line(plan.by_hand) or "a script"


def _plan(started: ev.RunStarted) -> str:
    if started.task == "recover":
        return ""
    return words.some(len(started.plan.statements), "statement")


def _loss(view: RunView) -> str:
    """As the report says it: what is not known is never called none."""
    removed = lost(view)
    kept = [f"{item.describe()} (kept in the archive)" for item in removed if item.kept]
    gone = [f"{item.describe()} ({item.basis})" for item in removed if not item.kept]
    if kept or gone:
        more = view.steps is not None and not view.committed
        named = [_line(one) for one in (*gone, *kept)]
        return "; ".join([*_some(named), *(["more is not known"] if more else [])])
    if view.outcome == "recovered":
        if view.lost is not None:
            # Where the report has its chapter.
            return _line(recovering.lost_in_all(view.lost).removesuffix(" (see Recovery)"))
        if view.from_clone:
            return "none, the copy was made behind the closed door"
        return "what was written after the checkpoint was made; it was not counted"
    return "none" if certain(view) else "not known"


def _some(texts: list[str]) -> list[str]:
    if len(texts) <= _FEW:
        return texts
    return [*texts[: _FEW - 1], f"and {len(texts) - _FEW + 1} more"]


def _line(text: str) -> str:
    return shorten(text, _LINE)


def _whole(text: str) -> str:
    """A path or a command that is cut could not be copied."""
    return printable(" ".join(text.split()))
