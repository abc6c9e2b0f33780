"""What a run came to, as one flat record for tables and databases; unknown is None, never zero."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal, get_args

import msgspec

from rollback_tui.core import events as ev
from rollback_tui.core.follow_ups import Ticked, needed, noted_trigger, ticked
from rollback_tui.core.model import CheckStatus, Verdict, Verification
from rollback_tui.core.monitoring.values import MonitorView
from rollback_tui.core.report.kept import kept
from rollback_tui.core.report.losses import certain, lost
from rollback_tui.core.run_view import RunSummary, RunView, fold

Names = tuple[str, ...]


class RunMetadata(RunSummary, frozen=True, kw_only=True):
    """One run: the line of the history, and all that can be counted or compared besides. What a
    run never came to is None, for nobody knows it; so is all of it when the journal is damaged."""

    finished_at: str | None = None
    """ISO 8601, UTC; None: it has no outcome."""
    summary: str | None = None
    """The outcome in a sentence."""
    environment: str | None = None
    reason: str | None = None
    trigger: str | None = None
    attended: bool | None = None
    committed: bool | None = None
    settled_by: str | None = None
    """``guardian`` or ``operator``, where the worker was interrupted."""
    host: str | None = None
    port: int | None = None
    fingerprint: str | None = None
    """Of the target: changes when it is another database."""
    server_version: int | None = None
    """``server_version_num``."""
    tool_version: str | None = None
    framework: str | None = None
    version_before: str | None = None
    goal: str | None = None
    """The version afterwards; empty: no migration at all. None: not known."""
    plan_sha256: str | None = None
    statements: int | None = None
    """Of the plan."""
    statements_done: int | None = None
    """That the server answered, and that were not rolled back."""
    operator: str | None = None
    operator_uid: int | None = None
    operator_sudo_user: str | None = None
    operator_ssh: str | None = None
    """Address of the SSH client."""
    operator_host: str | None = None
    operator_git: str | None = None
    """As git is configured: claimed."""
    door: str | None = None
    """``rename``, ``limit``, ``terminate``; empty: it was not closed."""
    downtime_seconds: float | None = None
    """How long the door was closed; None while it is."""
    sessions_ended: int | None = None
    rows_lost: int | None = None
    """Removed for good, rows kept in the archive not among them; of a recovery those written since
    that it took away."""
    values_lost: int | None = None
    rows_changed: int | None = None
    """Written anew by an UPDATE: their former values are gone."""
    rows_kept: int | None = None
    """Copied into the run's archive first."""
    checks_failed: Names | None = None
    checks_warned: Names | None = None
    checks_unknown: Names | None = None
    overrides: Names | None = None
    """Checks that were set aside."""
    override_reasons: Names | None = None
    """Why, in the same order."""
    verifications_passed: Names | None = None
    verifications_failed: Names | None = None
    """Also those that were accepted."""
    verifications_unknown: Names | None = None
    verifications_accepted: Names | None = None
    questions: int | None = None
    """That the run asked."""
    answers: Names | None = None
    """``gate: commit, by deploy, uid 1000, host ops-1``, in order."""
    abort_asked: bool | None = None
    abort_by: str | None = None
    """Who asked; empty: nobody, a signal, or not known."""
    alarms: int | None = None
    monitored: bool = False
    alerts: Names | None = None
    """Metrics that the monitoring afterwards raised an alert for; None: it was not monitored."""
    follow_ups_open: int | None = None
    follow_ups_done: int | None = None
    checkpoint: str | None = None
    """Its path; empty: none was made."""
    checkpoint_bytes: int | None = None
    recovery_rung: str | None = None
    journal_lines: int | None = None
    preflight_seconds: float | None = None
    checkpoint_seconds: float | None = None
    announce_seconds: float | None = None
    drain_seconds: float | None = None
    close_door_seconds: float | None = None
    clone_seconds: float | None = None
    execute_seconds: float | None = None
    verify_seconds: float | None = None
    gate_seconds: float | None = None
    commit_seconds: float | None = None
    recover_seconds: float | None = None
    open_door_seconds: float | None = None
    health_seconds: float | None = None
    aftercare_seconds: float | None = None


PHASES: tuple[ev.Phase, ...] = get_args(ev.Phase)

COLUMNS: Names = tuple(field.encode_name for field in msgspec.structs.fields(RunMetadata))
"""The names of all fields. The first ten are those of a line of the history."""


def seconds_of(run: RunMetadata, phase: ev.Phase) -> float | None:
    """Return how long ``phase`` of the run took; None: it was not needed, or never ended."""
    found: float | None = getattr(run, f"{phase}_seconds")
    return found


def damaged(summary: RunSummary) -> RunMetadata:
    """Return the record of a run whose journal cannot be trusted: nothing more is known of it."""
    return RunMetadata(**msgspec.structs.asdict(summary))


def metadata(
    summary: RunSummary,
    records: Sequence[ev.Record],
    *,
    view: RunView | None = None,
    monitoring: MonitorView | None = None,
    ticks: Iterable[Ticked] = (),
) -> RunMetadata:
    """Return the record of the run whose journal holds ``records``; ``view`` is their fold where
    the caller has it, ``monitoring`` and ``ticks`` what was kept afterwards."""
    view = view or fold(records)
    begun = view.started
    if begun is None:
        return damaged(summary)
    known: dict[str, Any] = {
        **msgspec.structs.asdict(summary),
        **_plan(begun),
        **_people(begun),
        **_course(view, records),
        **_lost(view),
        **_judged(view),
        **_afterwards(view, monitoring, ticks),
        **{f"{one.phase}_seconds": one.seconds for one in view.phases if one.status != "skipped"},
    }
    return RunMetadata(**known)


def _plan(begun: ev.RunStarted) -> dict[str, object]:
    target, plan = begun.target, begun.plan
    known = bool(plan.version_table)
    return {
        "environment": begun.environment,
        "reason": begun.reason,
        "trigger": begun.trigger,
        "attended": begun.attended,
        "host": target.host,
        "port": target.port,
        "fingerprint": target.fingerprint,
        "server_version": target.server_version,
        "tool_version": begun.tool_version,
        "framework": plan.framework,
        "version_before": plan.current or "",
        # With a script by hand and no framework, nobody knows either version.
        "goal": (plan.goal or "") if known else None,
        "plan_sha256": begun.plan_sha256,
        "statements": len(plan.statements),
    }


def _people(begun: ev.RunStarted) -> dict[str, object]:
    operator = begun.operator
    address = operator.ssh_connection.split()
    return {
        "operator": operator.user,
        "operator_uid": operator.uid,
        "operator_sudo_user": operator.sudo_user,
        "operator_ssh": address[0] if address else "",
        "operator_host": operator.host,
        "operator_git": operator.git_identity,
    }


def _course(view: RunView, records: Sequence[ev.Record]) -> dict[str, object]:
    aborts = [r.event for r in records if isinstance(r.event, ev.AbortAsked)]
    open_since = view.door_closed_at is None
    made = view.checkpoint
    return {
        "finished_at": _moment(view.finished_at),
        "summary": view.finished.summary if view.finished else "",
        "committed": view.committed,
        "settled_by": view.settling.by if view.settling else "",
        "statements_done": sum(s.status == "done" for s in view.statements),
        "door": view.door or "",
        "downtime_seconds": round(view.downtime, 3) if open_since else None,
        "sessions_ended": view.sessions_ended,
        "questions": sum(isinstance(r.event, ev.Question) for r in records),
        "answers": tuple(f"{a.name}: {a.choice}, by {a.who or a.by}" for a in view.answers),
        "abort_asked": bool(aborts),
        "abort_by": next((one.who for one in aborts if one.who), ""),
        "alarms": len(view.alarms),
        "checkpoint": made.path if made else "",
        "checkpoint_bytes": made.bytes if made else None,
        "recovery_rung": view.planned_recovery.rung if view.planned_recovery else "",
        "journal_lines": len(records),
    }


def _moment(value: datetime | None) -> str | None:
    return value.isoformat(timespec="seconds") if value else None


def _lost(view: RunView) -> dict[str, object]:
    """Zero only where it is certain that nothing went."""
    archived = sum(event.rows for event in kept(view))
    if view.started is not None and view.started.task == "recover":
        return {"rows_lost": _taken_away(view), "rows_kept": archived}
    if not certain(view):
        return {"rows_kept": archived}
    gone = [one for one in lost(view) if not one.kept]
    unknown = any(one.kind == "unknown" for one in gone)

    def total(kind: Literal["rows", "values", "changed"]) -> int | None:
        counts = [one.count for one in gone if one.kind == kind]
        return None if unknown or None in counts else sum(count or 0 for count in counts)

    return {
        "rows_lost": total("rows"),
        "values_lost": total("values"),
        "rows_changed": total("changed"),
        "rows_kept": archived,
    }


def _taken_away(view: RunView) -> int | None:
    if view.outcome in ("refused", "unchanged"):
        return 0 if view.outcome == "refused" or certain(view) else None
    counts = [one.rows for one in view.lost.lost] if view.lost is not None else [None]
    return None if None in counts else sum(count or 0 for count in counts)


def _judged(view: RunView) -> dict[str, object]:
    def checks(status: CheckStatus) -> Names:
        return tuple(c.name for c in view.checks if c.status == status)

    def verified(verdict: Verdict) -> Names:
        return tuple(v.name for v in view.verifications if v.verdict == verdict)

    return {
        "checks_failed": checks("fail"),
        "checks_warned": checks("warn"),
        "checks_unknown": checks("unknown"),
        "overrides": tuple(o.name for o in view.overrides),
        "override_reasons": tuple(o.reason for o in view.overrides),
        "verifications_passed": verified("pass"),
        "verifications_failed": verified("fail"),
        "verifications_unknown": verified("unknown"),
        "verifications_accepted": tuple(v.name for v in view.verifications if _accepted(v)),
    }


def _accepted(verification: Verification) -> bool:
    return verification.verdict != "pass" and bool(verification.accepted)


def _afterwards(
    view: RunView, monitoring: MonitorView | None, ticks: Iterable[Ticked]
) -> dict[str, object]:
    monitored = monitoring is not None and monitoring.begun is not None
    # Before there is an outcome nothing is left to be done that is not being done.
    items = ticked(needed(view, monitoring), ticks) if view.finished else None
    noted = noted_trigger(items or ())
    return {
        **({"trigger": noted.note} if noted else {}),
        "monitored": monitored,
        "alerts": tuple(dict.fromkeys(one.metric for one in monitoring.raised))
        if monitoring is not None and monitored
        else None,
        "follow_ups_open": None if items is None else sum(not one.done for one in items),
        "follow_ups_done": None if items is None else sum(one.done for one in items),
    }
