"""Rates between two looks at the server, and the last five minutes of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from rollback_tui.core.model import Activity
from rollback_tui.core.value import Value

KEPT_SECONDS = 300.0
"""What the charts show."""
SPARE_SECONDS = 60.0
"""Samples are kept so much longer, that no step of a chart ever loses some of its own."""


class Rates(Value, frozen=True, kw_only=True):
    """What happens in a second; None: it cannot be said."""

    transactions: float | None = None
    """Commits and rollbacks."""
    rows_written: float | None = None
    """Rows inserted, updated and deleted, also by what was rolled back."""


class Sample(Value, frozen=True, kw_only=True):
    """One look at the server in numbers."""

    at: datetime
    """The server's clock."""
    connections: int
    """Of the whole server, as they count against ``max_connections``."""
    rates: Rates


class Trend(Value, frozen=True, kw_only=True):
    """The samples of the last minutes, oldest first."""

    samples: tuple[Sample, ...] = ()

    @property
    def rates(self) -> Rates:
        """The rates at the newest look."""
        return self.samples[-1].rates if self.samples else Rates()

    def after(self, before: Activity | None, now: Activity) -> Trend:
        """Return it with ``now`` taken in; ``before`` is the look before that. Where the server's
        clock went back, what was kept says nothing about when, and is dropped."""
        kept = self.samples
        if kept and kept[-1].at > now.taken_at:
            kept = ()
        sample = Sample(at=now.taken_at, connections=now.connections, rates=rates(before, now))
        oldest = now.taken_at.timestamp() - KEPT_SECONDS - SPARE_SECONDS
        return Trend(samples=(*(s for s in kept if s.at.timestamp() >= oldest), sample))


def rates(before: Activity | None, now: Activity) -> Rates:
    """Return the rates between two looks.

    ``pg_stat_database`` counts since its last reset, which may lie between the two; a counter
    that is smaller than before was reset too (after a crash, for one).
    """
    if before is None or before.stats_reset != now.stats_reset:
        return Rates()
    seconds = (now.taken_at - before.taken_at).total_seconds()

    def rate(then: int | None, today: int | None) -> float | None:
        if then is None or today is None or today < then or seconds <= 0:
            return None
        return (today - then) / seconds

    return Rates(
        transactions=rate(before.commits + before.rollbacks, now.commits + now.rollbacks),
        rows_written=rate(before.rows_written, now.rows_written),
    )


def slots(
    trend: Trend, value: Callable[[Sample], float | None], *, seconds: float = 5.0
) -> tuple[float | None, ...]:
    """Return the averages of ``value`` in ``seconds`` each, oldest first, None where nothing is
    known: all that are over, as many as five minutes have. What goes on now is left out, so that
    a picture of it changes once in ``seconds``."""
    if not trend.samples:
        return ()
    found: dict[int, list[float]] = {}
    for sample in trend.samples:
        known = value(sample)
        if known is not None:
            found.setdefault(int(sample.at.timestamp() // seconds), []).append(known)
    last = int(trend.samples[-1].at.timestamp() // seconds)
    first = max(last - int(KEPT_SECONDS // seconds), int(_first(trend) // seconds))
    return tuple(
        sum(found[slot]) / len(found[slot]) if slot in found else None
        for slot in range(first, last)
    )


def _first(trend: Trend) -> float:
    return trend.samples[0].at.timestamp()
