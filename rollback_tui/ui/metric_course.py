"""How one metric went since the monitoring began: what its chart is drawn of."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from rollback_tui.core.monitoring.values import Metric, MonitorView, Raised, Unit

TOO_LATE = 2.5
"""So many intervals after a sample the next one is late: between them nobody measured."""

Point = tuple[float, float]
"""Seconds since the monitoring began, and the value then."""


class Stood(NamedTuple):
    """One alert: from when to when it stood."""

    raised: Raised
    over: datetime | None
    """None: it still stands, or stood when the monitoring ended."""
    worst: float
    """The worst reading meanwhile."""


class Course(NamedTuple):
    """One metric over time. Equal courses look alike."""

    metric: Metric
    unit: Unit
    begun: datetime
    until: float
    """Seconds since then up to which it is drawn: the newest sample."""
    runs: tuple[tuple[Point, ...], ...]
    """The readings without a gap between them; where none is, nobody knows."""
    threshold: float | None
    usual: float | None
    worse: str
    alerts: tuple[tuple[float, float], ...]
    """From when to when alerts stood, in seconds since it began."""


def course(view: MonitorView, metric: Metric) -> Course | None:
    """Return how ``metric`` went; None before anything was measured."""
    rule = view.rule(metric)
    if view.begun is None or rule is None or not view.samples:
        return None
    begun, interval = view.begun.at, view.begun.interval
    runs: list[list[Point]] = [[]]
    last: float | None = None
    for sample in view.samples:
        at = (sample.at - begun).total_seconds()
        value = next((r.value for r in sample.readings if r.metric == metric), None)
        late = last is not None and at - last > TOO_LATE * interval
        if runs[-1] and (value is None or late):
            runs.append([])
        if value is not None:
            runs[-1].append((at, value))
        last = at
    until = (view.samples[-1].at - begun).total_seconds()
    return Course(
        metric=metric,
        unit=rule.unit,
        begun=begun,
        until=until,
        runs=tuple(tuple(run) for run in runs if run),
        threshold=rule.threshold,
        usual=rule.usual,
        worse=rule.worse,
        alerts=tuple(
            (
                (one.raised.at - begun).total_seconds(),
                (one.over - begun).total_seconds() if one.over else until,
            )
            for one in stood(view, metric)
        ),
    )


def stood(view: MonitorView, metric: Metric) -> tuple[Stood, ...]:
    """Return every alert of ``metric``, oldest first."""
    found = []
    rule = view.rule(metric)
    worse = min if rule is not None and rule.worse == "below" else max
    ends = [one.at for one in view.cleared if one.metric == metric]
    for raised in (one for one in view.raised if one.metric == metric):
        over = next((at for at in ends if at >= raised.at), None)
        values = [raised.value]
        values += [
            reading.value
            for sample in view.samples
            if sample.at >= raised.at and (over is None or sample.at <= over)
            for reading in sample.readings
            if reading.metric == metric and reading.value is not None
        ]
        found.append(Stood(raised, over, worse(values)))
    return tuple(found)
