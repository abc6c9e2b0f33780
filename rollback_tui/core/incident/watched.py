"""The closer monitoring after a run, each metric on one line and as a curve that fits a page."""

from __future__ import annotations

from datetime import datetime

from rollback_tui.core.incident.after import ended
from rollback_tui.core.incident.values import Monitoring, Watched
from rollback_tui.core.monitoring.values import METRICS, Metric, MonitorView, Reading
from rollback_tui.core.run_view import RunView

POINTS = 120
"""As many points a curve has at most."""

_Seen = tuple[datetime, Reading]


def monitoring(view: MonitorView, run: RunView) -> Monitoring:
    """Return what the monitoring came to; what was not measured says why."""
    begun = view.begun
    return Monitoring(
        begun_at=begun.at if begun else None,
        until=begun.until if begun else None,
        ended_at=view.ended.at if view.ended else None,
        ended=ended(view.ended) if view.ended else "",
        samples=len(view.samples),
        newest_at=view.samples[-1].at if view.samples else None,
        interval_seconds=begun.interval if begun else None,
        gap_seconds=round(sum((gap.at - gap.since).total_seconds() for gap in view.gaps), 3),
        alerts=len(view.raised),
        standing=len(view.standing),
        metrics=tuple(_watched(view, metric) for metric in METRICS) if begun else (),
        why="" if begun else _why_not(view, run),
        as_bad_as_before=view.as_bad_as_before,
    )


def _why_not(view: MonitorView, run: RunView) -> str:
    if view.ended is not None:
        return ended(view.ended)
    if run.outcome is None:
        return "the run has no outcome yet"
    if run.outcome == "refused":
        return "nothing was touched"
    return "no process looked after this run, or it has not begun to"


def _watched(view: MonitorView, metric: Metric) -> Watched:
    rule = view.rule(metric)
    seen = [(s.at, r) for s in view.samples for r in s.readings if r.metric == metric]
    below = rule is not None and rule.worse == "below"
    known = [(at, r.value) for at, r in seen if r.value is not None]
    worst = _worst(known, below=below)
    last = seen[-1][1] if seen else None
    usual = next((u for u in (view.begun.usual if view.begun else ()) if u.metric == metric), None)
    return Watched(
        metric=metric,
        unit=rule.unit if rule else None,
        usual=usual.value if usual else rule.usual if rule else None,
        worst=worst[1] if worst else None,
        worst_at=worst[0] if worst else None,
        now=last.value if last else None,
        threshold=rule.threshold if rule else None,
        level=rule.level if rule else None,
        worse="below" if below else "above",
        alerts=sum(one.metric == metric for one in view.raised),
        standing=any(one.metric == metric for one in view.standing),
        measured=len(known),
        missing=sum(r.unknown for _, r in seen),
        why=_why(last),
        nothing=last is not None and last.nothing,
        rule=rule.basis if rule else "",
        points=_points(view, seen, below=below),
        raised=_raised(view, metric),
    )


def _raised(view: MonitorView, metric: Metric) -> tuple[float, ...]:
    if view.begun is None:
        return ()
    zero = view.begun.at
    return tuple(
        round((one.at - zero).total_seconds(), 1) for one in view.raised if one.metric == metric
    )


def _why(last: Reading | None) -> str:
    if last is None:
        return "never measured"
    return "" if last.value is not None else last.why or "not known why"


def _worst(known: list[tuple[datetime, float]], *, below: bool) -> tuple[datetime, float] | None:
    if not known:
        return None
    return (min if below else max)(known, key=lambda one: one[1])


def _points(
    view: MonitorView, seen: list[_Seen], *, below: bool
) -> tuple[tuple[float, float | None], ...]:
    """Return the curve: the worst of each stretch of time, and None where nobody measured."""
    if view.begun is None or not seen:
        return ()
    zero = view.begun.at
    found = [((at - zero).total_seconds(), r.value) for at, r in seen]
    # A gap is a hole in the curve, however few samples are around it.
    for gap in view.gaps:
        middle = (gap.since + (gap.at - gap.since) / 2 - zero).total_seconds()
        found.append((middle, None))
    found.sort(key=lambda one: one[0])
    if len(found) > POINTS:
        found = _thinned(found, below=below)
    return tuple((round(at, 1), _rounded(value)) for at, value in found)


def _thinned(
    found: list[tuple[float, float | None]], *, below: bool
) -> list[tuple[float, float | None]]:
    width = max(found[-1][0], 1.0) / (POINTS - 1)
    buckets: dict[int, list[tuple[float, float | None]]] = {}
    for one in found:
        buckets.setdefault(int(one[0] // width), []).append(one)
    kept = []
    for bucket in buckets.values():
        known = [(at, value) for at, value in bucket if value is not None]
        # One reading that failed is not hidden behind the others of its stretch.
        if len(known) < len(bucket) and len(known) <= len(bucket) / 2:
            kept.append(next(one for one in bucket if one[1] is None))
        else:
            kept.append((min if below else max)(known, key=lambda one: one[1]))
    return kept


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")
