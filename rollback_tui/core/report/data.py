"""The report as a dictionary of plain JSON values. Its shape is stable: see docs/json.md."""

from __future__ import annotations

from typing import Any

import msgspec

from rollback_tui.core.model import Verification
from rollback_tui.core.report import proof, words
from rollback_tui.core.report.afterwards import is_afterwards
from rollback_tui.core.report.kept import kept
from rollback_tui.core.report.losses import certain, lost
from rollback_tui.core.run_view import RunView


def report_json(view: RunView) -> dict[str, Any]:
    """Return the same facts as the Markdown. Unknown is null, never zero or empty."""
    started = view.started
    return {
        "format": 1,
        "run": started.run if started else None,
        "task": started.task if started else None,
        "recovers": (started.recovers or None) if started else None,
        "outcome": view.outcome,
        "status": words.status(view),
        "summary": view.finished.summary if view.finished else None,
        "started_at": _plain(view.started_at),
        "completed_at": _plain(view.finished_at),
        "duration_seconds": round(view.elapsed, 3),
        "downtime_seconds": _downtime(view),
        "door": view.door,
        "database": _database(view),
        "operator": _plain(started.operator) if started else None,
        "environment": started.environment if started else None,
        "reason": started.reason if started else None,
        "tool_version": started.tool_version if started else None,
        "migrations": _migrations(view),
        "acknowledged": _acknowledged(view),
        "rehearsal": _plain(started.rehearsal) if started else None,
        "framework": started.plan.framework if started else None,
        "version_before": started.plan.current if started else None,
        "version_goal": started.plan.goal if started else None,
        "by_hand": (started.plan.by_hand or None) if started else None,
        "version_stays": (started.plan.version_stays or None) if started else None,
        "committed": view.committed,
        "judge": _event(view.judge),
        "checks": _plain(view.checks),
        "overrides": [{"name": o.name, "reason": o.reason} for o in view.overrides],
        "schema_foreseen": _event(view.foreseen),
        "proof": _proof(view),
        "verifications": [_verification(v) for v in view.verifications],
        "rows": _plain(view.rows),
        "impact": _impact(view),
        "kept": [_event(event) for event in kept(view)],
        "statements": _statements(view),
        "failure": _event(view.failure),
        "unchanged": _event(view.unchanged),
        "statistics": _event(view.statistics),
        "recovery_planned": _event(view.planned_recovery),
        "lost": _event(view.lost),
        "recovery": [_event(step) for step in view.recovery],
        "swapped": _event(view.swapped),
        "hooks": [_event(hook) for hook in view.hooks],
        "alarms": [_event(alarm) for alarm in view.alarms],
        "checkpoint": _plain(view.checkpoint),
        "restore_point": _event(view.restore_point),
        "clone": _event(view.clone),
        "follow_ups": list(words.follow_ups(view)),
        "paths": {title.lower(): path for title, path in words.paths(view)},
        "next_commands": list(words.next_commands(view)),
    }


def _plain(value: object) -> Any:
    return msgspec.to_builtins(value)


def _event(event: object) -> Any:
    """An event without its tag, which its place in the report says already."""
    if event is None:
        return None
    plain = msgspec.to_builtins(event)
    plain.pop("kind", None)
    return plain


def _downtime(view: RunView) -> float | None:
    """Null while the door is still closed: nobody knows how long it will be."""
    if view.door_closed_at is not None:
        return None
    return round(view.downtime, 3)


def _database(view: RunView) -> dict[str, Any] | None:
    if view.started is None:
        return None
    plain: dict[str, Any] = _plain(view.started.target)
    return plain | {"fingerprint": view.started.target.fingerprint}


def _migrations(view: RunView) -> list[dict[str, Any]]:
    if view.started is None:
        return []
    return [
        {
            "version": m.version,
            "name": m.name,
            "applied_at": _plain(m.applied_at),
            "path": m.script.path if m.script else None,
            "sha256": m.script.sha256 if m.script else None,
            "origin": m.script.origin if m.script else "",
            "version_change": list(m.version_change),
        }
        for m in view.started.plan.migrations
    ]


def _acknowledged(view: RunView) -> list[dict[str, Any]]:
    """The statements that lose data, or of which nobody knows: confirmed with the plan."""
    if view.started is None:
        return []
    return [
        {
            "statement": s.index,
            "line": s.line,
            "hazards": list(s.effect.hazards),
            "loss": _plain(s.loss),
            "violations": _plain(s.violations),
            "by": view.started.operator.user,
        }
        for s in view.started.plan.statements
        if s.dangerous
    ]


def _verification(verification: Verification) -> dict[str, Any]:
    return {
        "name": verification.name,
        "title": verification.title,
        "verdict": verification.verdict,
        "summary": verification.summary,
        "evidence": list(verification.evidence),
        "seconds": verification.seconds,
        "accepted": verification.accepted or None,
        "after_commit": is_afterwards(verification),
    }


def _proof(view: RunView) -> dict[str, Any] | None:
    """What was planned, what it took, and the contents of what was read before and after."""
    if view.proof is None:
        return None
    taken = {event.when: event.contents for event in view.contents}
    used = proof.used(view)
    return {
        **_plain(view.proof.cost),
        "used_seconds": None if used is None else round(used, 4),
        "before": _plain(taken["before"]) if "before" in taken else None,
        "after": _plain(taken["after"]) if "after" in taken else None,
    }


def _impact(view: RunView) -> dict[str, Any]:
    impact = view.impact
    return {
        "downtime_seconds": _downtime(view),
        "sessions_ended": view.sessions_ended,
        "data_lost": [_plain(item) for item in lost(view)],
        "data_lost_known": certain(view) and all(item.count is not None for item in lost(view)),
        "affected_users": impact.affected_users if impact else None,
        "failed_requests": impact.failed_requests if impact else None,
        "failed_probes": impact.failed_probes if impact else None,
        "probes": impact.probes if impact else None,
        "source": impact.source if impact else "",
    }


def _statements(view: RunView) -> list[dict[str, Any]]:
    if view.started is None:
        return []
    plan = {s.index: s for s in view.started.plan.statements}
    return [
        {
            "index": s.index,
            "line": plan[s.index].line,
            "sql": plan[s.index].sql,
            "kind": plan[s.index].effect.kind,
            "status": words.ended(s, ended=view.finished is not None),
            "seconds": s.seconds,
            "command_tag": s.command_tag,
            "rows": s.rows,
            "notices": list(s.notices),
        }
        for s in view.statements
        if s.index in plan
    ]
