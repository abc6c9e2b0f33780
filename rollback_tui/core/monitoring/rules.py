"""When is a reading an alert? One rule for each metric, made of its normal level and of what was
usual before the run, and said in words before it is judged by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rollback_tui.core.monitoring.levels import Levels
from rollback_tui.core.monitoring.values import METRICS, Metric, Rule, Unit, Usual
from rollback_tui.core.monitoring.words import amount

USUAL_TIMES = 2.0
"""Where a level is less than so many times what was usual, it is raised to that: an application
with habits of its own is not called unwell for them."""

LEAST_TIMES = 1.25
"""A threshold is at least so many times what was usual, however small the share."""

FEW = 5
"""Fewer probes before the run do not say what is usual: one of one that failed is no habit."""

FULL = 0.95
"""From this share of all that is possible on, more of it cannot be told from what was usual."""

ANSWER_SECONDS = 5.0
"""Deadline of one look at the database, and so the level of its answers."""


class _Kind(NamedTuple):
    """What makes the rule of one metric."""

    level: str
    """Its key in [monitor.levels]."""
    unit: Unit
    at_least: int | None = None


_KINDS: dict[Metric, _Kind] = {
    "error_rate": _Kind("error_rate", "share"),
    "response_time": _Kind("response_seconds", "seconds"),
    "database_connections": _Kind("connections", "sessions"),
    "query_performance": _Kind("query_slowdown", "times", 20),
    "query_load": _Kind("query_load", "times"),
    "longest_query": _Kind("longest_query_seconds", "seconds"),
    "query_errors": _Kind("query_errors", "a minute"),
    "rollbacks": _Kind("rollbacks", "share", 20),
    "deadlocks": _Kind("deadlocks", "a minute"),
    "lock_waits": _Kind("lock_waits", "sessions"),
    "cache_hit": _Kind("cache_misses", "share", 1000),
    "replication_lag": _Kind("replication_lag_seconds", "seconds"),
}
"""``at_least``: one of two is no share. 20 transactions or calls, and 1,000 blocks (8 MB), are what
a small application does within one interval."""


class _Limits(NamedTuple):
    """Level and threshold, and what made them so."""

    level: float
    threshold: float
    raised: bool
    """The level is not the one of the settings, because of what was usual."""
    lifted: bool
    """The threshold is not its share of the level, for the same reason."""


def rules(
    levels: Levels,
    share: float,
    usual: Iterable[Usual],
    *,
    max_connections: int | None = None,
    answer_seconds: float = ANSWER_SECONDS,
) -> tuple[Rule, ...]:
    """Return one rule for each metric, in the order in which they are shown.

    ``share``: from which share of a normal level on there is an alert. ``max_connections``: of the
    server; None when it could not be asked: then connections are not judged.
    ``answer_seconds``: deadline of one look at the database.
    """
    known = {one.metric: one for one in usual}
    return tuple(
        _database(share, answer_seconds)
        if metric == "database"
        else _rule(metric, levels, share, known.get(metric), max_connections)
        for metric in METRICS
    )


def _database(share: float, answer_seconds: float) -> Rule:
    return Rule(
        metric="database",
        unit="seconds",
        level=answer_seconds,
        threshold=_exact(share * answer_seconds),
        basis=f"no answer; or {share:g} of {amount(answer_seconds, 'seconds')}, the deadline of one"
        " look",
    )


def _rule(
    metric: Metric, levels: Levels, share: float, usual: Usual | None, max_connections: int | None
) -> Rule:
    kind = _KINDS[metric]
    level: float = getattr(levels, kind.level)
    stands = f"the level in [monitor.levels] {kind.level}"
    before = usual.value if usual is not None else None
    few = usual is not None and usual.counted is not None and usual.counted < FEW
    if metric == "error_rate" and few and before is not None and before > share * level:
        before = None
        stands += "; too few probes before the run to call what failed a habit"
    if kind.unit == "times":
        return _relative(metric, share, level, usual, stands)
    if metric == "database_connections":
        if not max_connections:
            return _not_judged(metric, before, "max_connections of the server is not known")
        stands += f": {level:.0%} of max_connections, {max_connections:,}"
        return _absolute(metric, share, level * max_connections, before, max_connections, stands)
    return _absolute(metric, share, level, before, 1 if kind.unit == "share" else None, stands)


def _absolute(
    metric: Metric, share: float, level: float, usual: float | None, top: int | None, stands: str
) -> Rule:
    """A level that stands in the settings; more than ``top`` there cannot be."""
    kind = _KINDS[metric]
    # Of the cache, hits are shown, and misses are what gets worse.
    misses = metric == "cache_hit"
    before = 0.0 if usual is None else 1 - usual if misses else usual
    found = _limits(share, level, before, top)
    normal: float | None = None
    if before > share * level:
        normal = _exact(1 - share * level if misses else share * level)
    if found is None:
        said = f"usual before the run: {_said(metric, before)}"
        return _not_judged(metric, usual, f"{said}, hardly more is possible", normal)
    return Rule(
        metric=metric,
        unit=kind.unit,
        level=_exact(1 - found.level if misses else found.level),
        threshold=_exact(1 - found.threshold if misses else found.threshold),
        worse="below" if misses else "above",
        usual=usual,
        at_least=kind.at_least,
        normal=normal,
        basis=_basis(metric, share, found, before, f"{_said(metric, level)}, {stands}"),
    )


def _limits(share: float, level: float, usual: float, top: int | None) -> _Limits | None:
    """Return them; None where what was usual leaves no room for an alert."""
    raised = max(level, USUAL_TIMES * usual)
    threshold = max(share * raised, LEAST_TIMES * usual)
    if top is not None and raised > level:
        if usual >= FULL * top:
            return None
        # Twice of 60 % there is not; half of what is left above it there is.
        raised, threshold = min(raised, top), min(threshold, (usual + top) / 2)
    return _Limits(
        level=max(raised, threshold),
        threshold=threshold,
        raised=raised > level,
        lifted=threshold != share * raised,
    )


def _basis(metric: Metric, share: float, found: _Limits, usual: float, stands: str) -> str:
    if not found.raised and not found.lifted:
        return f"{share:g} of {stands}"
    before = f"usual before the run: {_said(metric, usual)}"
    if found.lifted:
        return f"{before}; {share:g} of {stands}, is too near to that"
    return f"{share:g} of {_said(metric, found.level)} ({before}), not of {stands}"


def _exact(value: float) -> float:
    """Without the 17th digit of a product: it is written down, and shown."""
    return round(value, 9)


def _said(metric: Metric, value: float) -> str:
    return amount(value, _KINDS[metric].unit) + (" misses" if metric == "cache_hit" else "")


def _relative(metric: Metric, share: float, level: float, usual: Usual | None, stands: str) -> Rule:
    """So many times what was usual: where that is not known there is nothing to compare with."""
    if usual is None or usual.value is None:
        why = (usual.why if usual is not None else "") or "not measured before the run"
        return _not_judged(metric, None, f"what was usual is not known: {why}")
    kind = _KINDS[metric]
    threshold = max(share * level, LEAST_TIMES)
    lifted = f"; at least {LEAST_TIMES:g}" if threshold > share * level else ""
    return Rule(
        metric=metric,
        unit=kind.unit,
        level=max(level, threshold),
        threshold=_exact(threshold),
        usual=usual.value,
        at_least=kind.at_least,
        basis=f"{share:g} of {amount(level, kind.unit)} what was usual, {stands}{lifted}",
    )


def _not_judged(metric: Metric, usual: float | None, why: str, normal: float | None = None) -> Rule:
    return Rule(
        metric=metric,
        unit=_KINDS[metric].unit,
        level=None,
        threshold=None,
        worse="below" if metric == "cache_hit" else "above",
        usual=usual,
        at_least=_KINDS[metric].at_least if normal is not None else None,
        normal=normal,
        basis=f"not judged: {why}",
    )
