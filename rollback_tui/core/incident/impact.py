"""What users and data felt: each figure with who says so; what nobody measured is said."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rollback_tui.core import events as ev
from rollback_tui.core.incident.values import Archived, Figure, Impact, LostSince, Probes
from rollback_tui.core.monitoring.values import MonitorView
from rollback_tui.core.report import kept, recovering, words
from rollback_tui.core.report.losses import Lost, certain, lost
from rollback_tui.core.run_view import RunView

_PROBES = "health probes"
_REASONS = re.compile(r"(?:^|; )(failed_requests|affected_users): ")
"""Before each reason in that of :class:`ImpactCounted`."""
_HOOK = "impact command: "
"""How the worker begins the line that says why the command told nothing."""


def impact(records: Sequence[ev.Record], view: RunView, monitoring: MonitorView) -> Impact:
    """Return the impact, as far as the journal, the hook and Prometheus tell it."""
    felt = view.impact
    archived = kept.kept(view)
    removed = lost(view)
    probes = None
    if felt is not None and felt.probes:
        probes = Probes(failed=felt.failed_probes or 0, asked=felt.probes)
    return Impact(
        downtime_seconds=_downtime(view),
        downtime=_downtime_words(view),
        failed_requests=_figures(records, view, monitoring, "failed_requests"),
        affected_users=_figures(records, view, monitoring, "affected_users"),
        probes=probes,
        sessions_ended=view.sessions_ended,
        lost=removed,
        lost_since=tuple(
            LostSince(table=one.table, rows=one.rows, basis=one.basis)
            for one in (view.lost.lost if view.lost else ())
        ),
        lost_known=_known(view, removed),
        lost_words=_lost_words(view, removed),
        archived=tuple(
            Archived(
                statement=one.statement, what=kept.in_words(one), rows=one.rows, table=one.table
            )
            for one in archived
        ),
        restore_archived=kept.restore_command(view) if archived else "",
    )


def _downtime(view: RunView) -> float | None:
    if view.started is None or view.door_closed_at is not None:
        return None
    return round(view.downtime, 3)


def _downtime_words(view: RunView) -> str:
    if view.started is None:
        return "not known: nothing of the run is known"
    return f"{words.downtime(view)}; {words.door(view)}" if view.door else words.downtime(view)


def _figures(
    records: Sequence[ev.Record], view: RunView, monitoring: MonitorView, name: str
) -> tuple[Figure, ...]:
    """Return what each source that was asked says of it."""
    found = []
    felt = view.impact
    told = getattr(felt, name) if felt is not None else None
    asked = _command(felt)
    problem = next(
        (
            r.event.summary.removeprefix(_HOOK)
            for r in records
            if isinstance(r.event, ev.Progress) and r.event.summary.startswith(_HOOK)
        ),
        "",
    )
    if asked or told is not None:
        source = f"impact command ({asked})" if asked else "impact command"
        why = "" if told is not None else "the command did not say"
        found.append(Figure(value=told, source=source, why=why))
    elif problem:
        found.append(Figure(value=None, source="impact command", why=problem))
    counted = monitoring.impact
    if counted is not None:
        value, why = getattr(counted, name), _unsaid(counted.why, name)
        if value is not None or why:
            found.append(
                Figure(value=value, source="Prometheus", why="" if value is not None else why)
            )
    return tuple(found)


def _unsaid(why: str, name: str) -> str:
    """Return why Prometheus did not say this figure; empty where it was not asked for it."""
    whole, *parts = _REASONS.split(why)
    return dict(zip(parts[::2], parts[1::2], strict=True)).get(name, "") if parts else whole


def _command(felt: ev.ImpactMeasured | None) -> str:
    """The program that was asked, of ``health probes, /usr/bin/impact``."""
    if felt is None:
        return ""
    if felt.source == _PROBES:
        return ""
    return felt.source.removeprefix(f"{_PROBES}, ")


def _known(view: RunView, removed: Sequence[Lost]) -> bool:
    if view.outcome == "recovered":
        if view.lost is not None:
            return all(one.rows is not None for one in view.lost.lost)
        return view.from_clone
    return certain(view) and all(item.count is not None for item in removed)


def _lost_words(view: RunView, removed: Sequence[Lost]) -> str:
    gone = [item for item in removed if not item.kept]
    if gone:
        text = "; ".join(item.describe() for item in gone)
        if view.steps is not None and not view.committed:
            text += "; more is not known: the run went statement by statement and stopped"
        return text
    if view.lost is not None and view.outcome == "recovered":
        return recovering.lost_in_all(view.lost)
    if view.outcome == "recovered" and view.from_clone:
        return "none: the copy was made behind the closed door"
    if view.outcome == "recovered":
        return "what was written after the checkpoint was made; it was not counted"
    if view.outcome is None:
        return "not known: the run is not finished"
    if not certain(view):
        return "not known"
    return "none: all that was removed is archived" if removed else "none"
