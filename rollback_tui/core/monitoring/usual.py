"""What was usual before the run, of two looks before the door closed: ``usual.json``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from rollback_tui.core.monitoring.looks import Counted, Logged, Vitals
from rollback_tui.core.monitoring.statement_times import Statements, why_not
from rollback_tui.core.monitoring.values import METRICS, Metric, Reading, Usual
from rollback_tui.core.monitoring.vitals import (
    BLOCKS_ENOUGH,
    COUNTERS,
    STATEMENTS,
    TRANSACTIONS_ENOUGH,
    Yardstick,
    readings,
)
from rollback_tui.core.value import Value

FILE_NAME = "usual.json"
PROBES = "health probes"

_SPAN_SECONDS = 5.0
"""Below that, what happens a minute cannot be told from a moment."""
_CALLS_ENOUGH = 50
_BETTER_HIGH: frozenset[Metric] = frozenset({"cache_hit"})
_GAUGES: tuple[Metric, ...] = (
    "database_connections",
    "longest_query",
    "lock_waits",
    "replication_lag",
)


class Probed(Value, frozen=True, kw_only=True):
    """What the health URL answered before the run."""

    probes: int = 0
    failed: int = 0
    slow: float | None = None
    """Seconds of the answer that stands for all, see :mod:`.slowest`; None: none was answered."""
    why: str = ""
    """Why nothing was asked; empty when it was."""


class UsualVitals(Value, frozen=True, kw_only=True):
    """The whole file: what is shown of each metric, and what readings are compared with."""

    at: datetime
    seconds: float
    """How long it was looked at."""
    usual: tuple[Usual, ...]
    yardstick: Yardstick = Yardstick()


def usual_of(
    at: datetime,
    first: Vitals | None,
    last: Vitals | None,
    probed: Probed,
    *,
    seconds: float,
    logged: Logged | None = None,
    why: str = "",
) -> UsualVitals:
    """Put together what was usual. ``first`` and ``last``: looks at both ends of ``seconds``; None:
    it could not be looked, for the reason ``why``.

    Of what is counted there are two views: between the looks, and since the server's statistics
    began. The one that leads to the earlier alert is taken, and ``source`` says which.
    """
    now = last or first
    found = list(_probed(probed, seconds))
    yardstick = Yardstick()
    if now is None:
        missing = why or "the database could not be asked"
        found += [Usual(metric=metric, value=None, why=missing) for metric in _OF_DATABASE]
    else:
        yardstick = _yardstick(first if now is last else None, now)
        # What was there before is what there is now: no standby is then no loss of one.
        before = Yardstick(standbys=yardstick.standbys)
        span = readings(first if now is last else None, now, before, logged=logged)
        by_metric = {one.metric: one for one in span}
        found += [_gauge(by_metric[metric]) for metric in _GAUGES]
        found += [
            _counted(metric, by_metric[metric], now, seconds)
            for metric in ("query_errors", "rollbacks", "deadlocks", "cache_hit")
        ]
        found += _of_statements(yardstick)
    order = {metric: place for place, metric in enumerate(_ORDER)}
    return UsualVitals(
        at=at,
        seconds=round(seconds, 3),
        usual=tuple(sorted(found, key=lambda one: order[one.metric])),
        yardstick=yardstick,
    )


_PROBED: tuple[Metric, ...] = ("error_rate", "response_time")
_ORDER: tuple[Metric, ...] = tuple(metric for metric in METRICS if metric != "database")
"""Whether it answers at all has no habit."""
_OF_DATABASE = tuple(metric for metric in _ORDER if metric not in _PROBED)


def _probed(probed: Probed, seconds: float) -> Iterable[Usual]:
    if not probed.probes:
        why = probed.why or f"no probe was answered in {seconds:.1f} s"
        yield Usual(metric="error_rate", value=None, why=why, source=PROBES)
        yield Usual(metric="response_time", value=None, why=why, source=PROBES)
        return
    source, counted = f"{PROBES}, {seconds:.1f} s", probed.probes
    yield Usual(
        metric="error_rate", value=probed.failed / probed.probes, source=source, counted=counted
    )
    yield Usual(
        metric="response_time",
        value=probed.slow,
        why="" if probed.slow is not None else "no probe was answered",
        source=source,
        counted=counted,
    )


def _gauge(reading: Reading) -> Usual:
    return Usual(
        metric=reading.metric,
        value=reading.value,
        why=reading.why,
        nothing=reading.nothing,
        source=f"{reading.source}, before the run" if reading.source else "",
        counted=reading.counted,
    )


def _counted(metric: Metric, span: Reading, now: Vitals, seconds: float) -> Usual:
    """Choose between the view of the span and that of all time."""
    views: list[Usual] = []
    enough = {"rollbacks": TRANSACTIONS_ENOUGH, "cache_hit": BLOCKS_ENOUGH}.get(metric, 0)
    if span.value is not None and seconds >= _SPAN_SECONDS and (span.counted or 0) >= enough:
        views.append(
            Usual(
                metric=metric,
                value=span.value,
                source=f"{span.source}, {seconds:.0f} s before the run",
                counted=span.counted,
            )
        )
    value, counted = _of_all_time(metric, now)
    if value is not None and now.counted is not None and (counted or 0) >= enough:
        since = now.counted.reset
        views.append(
            Usual(
                metric=metric,
                value=value,
                source=f"{COUNTERS}, since {since:%Y-%m-%d %H:%M}"
                if since
                else f"{COUNTERS}, since they began",
                counted=counted,
            )
        )
    if views:
        # The rule that is made of it then alerts earlier.
        chosen = max if metric in _BETTER_HIGH else min
        return chosen(views, key=lambda view: view.value or 0.0)
    short = f"measured for {seconds:.1f} s only" if span.value is not None else span.why
    return Usual(metric=metric, value=None, why=short, source=span.source, counted=span.counted)


def _of_all_time(metric: Metric, now: Vitals) -> tuple[float | None, int | None]:
    """Return the metric since the statistics began, and of how many it is made."""
    counted = now.counted
    if counted is None:
        return None, None
    if metric == "rollbacks":
        all_of_them = counted.transactions
        return (counted.rollbacks / all_of_them if all_of_them else None), all_of_them
    if metric == "cache_hit":
        blocks = counted.hit + counted.read
        return (counted.hit / blocks if blocks else None), blocks
    minutes = _minutes(counted, now)
    if minutes is None:
        return None, None
    if metric == "deadlocks":
        return counted.deadlocks / minutes, counted.transactions
    # Errors that were only logged are not in it.
    return None, None


def _minutes(counted: Counted, now: Vitals) -> float | None:
    if counted.reset is None:
        return None
    seconds = (now.taken_at - counted.reset).total_seconds()
    return seconds / 60 if seconds >= _SPAN_SECONDS else None


def _yardstick(first: Vitals | None, now: Vitals) -> Yardstick:
    """Return the means of all queries, and how much there was to execute."""
    statements, standbys = now.statements, len(now.standbys) + now.standbys_hidden
    if statements is None:
        why = now.statements_why or "pg_stat_statements was not asked"
        return Yardstick(why=why, standbys=standbys)
    views: list[tuple[float, str]] = []
    past = first.statements if first is not None else None
    if past is not None and not why_not(past, statements):
        seconds = (statements.taken_at - past.taken_at).total_seconds()
        calls = statements.calls - past.calls
        if seconds >= _SPAN_SECONDS and calls >= _CALLS_ENOUGH:
            load = (statements.seconds - past.seconds) / seconds
            views.append((load, f"{seconds:.0f} s before the run"))
    since = _since(statements, now)
    if since is not None and statements.calls >= _CALLS_ENOUGH:
        load = statements.seconds / (statements.taken_at - since).total_seconds()
        views.append((load, f"since {since:%Y-%m-%d %H:%M}"))
    # The lower one: the rule that is made of it alerts earlier.
    load, of = min((view for view in views if view[0] > 0), default=(0.0, ""))
    return Yardstick(statements=statements, load=load or None, load_of=of, standbys=standbys)


def _since(statements: Statements, now: Vitals) -> datetime | None:
    """Return since when the sums of ``statements`` count; None: not known. They outlive a restart,
    and with entries that gave way their calls are lost too."""
    if statements.reset is None or statements.evicted:
        return None
    long = (now.taken_at - statements.reset).total_seconds() >= _SPAN_SECONDS
    return statements.reset if long else None


def _of_statements(yardstick: Yardstick) -> Iterable[Usual]:
    statements = yardstick.statements
    if statements is None or not statements.queries:
        why = yardstick.why or (
            "our role may see no query (pg_read_all_stats)"
            if statements is not None and statements.hidden
            else "no query was executed"
        )
        yield Usual(metric="query_performance", value=None, why=why, source=STATEMENTS)
    else:
        yield Usual(
            metric="query_performance",
            value=1.0,
            source=f"{STATEMENTS}: the means of {len(statements.queries):,} queries"
            + (f", since {statements.reset:%Y-%m-%d %H:%M}" if statements.reset else ""),
            counted=sum(one.calls for one in statements.queries),
        )
    if yardstick.load is None:
        why = yardstick.why or f"too few queries in the time before the run, and {_LONG_UNKNOWN}"
        yield Usual(metric="query_load", value=None, why=why, source=STATEMENTS)
    else:
        yield Usual(
            metric="query_load",
            value=1.0,
            source=f"{STATEMENTS}: {yardstick.load:.3g} s of execution a second,"
            f" {yardstick.load_of}",
            counted=statements.calls if statements is not None else None,
        )


_LONG_UNKNOWN = "nobody knows since when pg_stat_statements counts"
