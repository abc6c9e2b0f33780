"""How long each query takes, by ``pg_stat_statements``, against how long it took before."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from rollback_tui.core.value import Value

MOST = 500
"""Queries that are kept of one look: those with the largest total time."""


class QueryTime(Value, frozen=True, kw_only=True):
    """One query of one look, whoever called it."""

    id: int
    """``queryid``."""
    hash: int
    """Of its whole text, as the server normalised it. The id of a query is made of the numbers of
    the tables (before PostgreSQL 18) and columns it names (``queryjumble``): with a column that was
    dropped and added again it is another one, and the text is the same."""
    text: str
    """Its beginning, printable and without constants: see :mod:`.query_text`."""
    calls: int
    seconds: float
    """Total execution time."""


class Statements(Value, frozen=True, kw_only=True):
    """``pg_stat_statements`` of one database at one look; without the queries of such looks."""

    taken_at: datetime
    calls: int
    """Of all queries, also of those that are not kept here or hidden."""
    seconds: float
    """Likewise."""
    queries: tuple[QueryTime, ...] = ()
    """Those with the largest total time, :data:`MOST` at most."""
    left: int = 0
    """Queries that are not among them."""
    hidden: int = 0
    """Entries whose text our role may not see; they are in ``calls`` and ``seconds`` only."""
    reset: datetime | None = None
    """When all was set to zero; None: not known (before PostgreSQL 14)."""
    evicted: int | None = None
    """How often the least used entries gave way to others (``dealloc``); None: not known."""


class Slower(NamedTuple):
    """A query that takes another time than before."""

    text: str
    before: float
    """Mean seconds."""
    now: float
    calls: int

    @property
    def excess(self) -> float:
        """Seconds that its calls took more than they would have taken before."""
        return (self.now - self.before) * self.calls


class Compared(NamedTuple):
    """The time between two looks, against what was before the run."""

    times: float | None
    """All queries that were there before take so many times what they took; None: none was
    called."""
    calls: int
    """Of those queries."""
    slower: tuple[Slower, ...]
    """Those that take longer, the one that costs most first."""
    new: tuple[Slower, ...]
    """Those that were not there before (``before`` is 0), the one that costs most first."""
    seconds: float
    """Execution time of everything between the looks; at least, where ``skipped``."""
    skipped: int
    """Queries that could not be compared: their entry was evicted or set to zero meanwhile."""


class _Sum(NamedTuple):
    calls: int
    seconds: float

    @property
    def mean(self) -> float:
        return self.seconds / self.calls if self.calls else 0.0


def why_not(before: Statements, now: Statements) -> str:
    """Return why two looks cannot be compared; empty when they can."""
    if now.taken_at <= before.taken_at:
        return "the server's clock went back"
    if now.reset != before.reset:
        return "pg_stat_statements was set to zero since the last look"
    if now.calls < before.calls and now.evicted == before.evicted:
        return "pg_stat_statements counts less than at the last look: it was set to zero"
    return ""


def compare(usual: Statements | None, before: Statements, now: Statements) -> Compared:
    """Say how long queries took between two looks (see :func:`why_not`), against the means of
    ``usual``, the look before the run. None: there was none, every query is unknown."""
    by_id, by_text = _means(usual.queries if usual else ())
    earlier = {(one.id, one.hash): one for one in before.queries}
    whole = not before.left and now.evicted == before.evicted
    slower: list[Slower] = []
    new: list[Slower] = []
    took = expected = listed = 0.0
    calls = skipped = 0
    for one in now.queries:
        past = earlier.get((one.id, one.hash))
        if past is None and not whole:
            # It may have been there, below those that were kept.
            skipped += 1
            continue
        more = one.calls - (past.calls if past else 0)
        spent = one.seconds - (past.seconds if past else 0.0)
        if more < 0 or spent < 0:
            skipped += 1
            continue
        if not more:
            continue
        listed += spent
        was = by_id.get(one.id) or by_text.get(one.hash)
        if was is None or not was.calls:
            new.append(Slower(one.text, 0.0, spent / more, more))
            continue
        calls, took, expected = calls + more, took + spent, expected + more * was.mean
        found = Slower(one.text, was.mean, spent / more, more)
        if found.excess > 0:
            slower.append(found)
    whole_time = now.seconds - before.seconds
    return Compared(
        times=took / expected if expected > 0 else None,
        calls=calls,
        slower=tuple(sorted(slower, key=lambda each: -each.excess)),
        new=tuple(sorted(new, key=lambda each: -each.excess)),
        # What is evicted is not in the sum any more.
        seconds=whole_time if now.evicted == before.evicted else max(listed, whole_time),
        skipped=skipped,
    )


def _means(queries: Iterable[QueryTime]) -> tuple[dict[int, _Sum], dict[int, _Sum]]:
    """Return what was counted by id, and by the text's hash."""
    by_id: dict[int, _Sum] = {}
    by_text: dict[int, _Sum] = {}
    for one in queries:
        for table, key in ((by_id, one.id), (by_text, one.hash)):
            had = table.get(key, _Sum(0, 0.0))
            table[key] = _Sum(had.calls + one.calls, had.seconds + one.seconds)
    return by_id, by_text
