"""What stands around a plan: who is in its way, who still uses what goes, what it drags along."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from rollback_tui.core.model import Statement, Value

AUTOVACUUM = "autovacuum"
"""What an autovacuum worker is called, which has no application."""


class Dependent(Value, frozen=True, kw_only=True):
    """An object outside the plan that depends on something the plan drops."""

    statement: int
    dropped: str
    dependent: str
    """``view public.active_users``."""
    cascades: bool
    """True: it goes with CASCADE. False: it makes the statement fail."""


class InTheWay(Value, frozen=True, kw_only=True):
    """A session that now holds (or waits for) a lock which a statement of the plan would have to
    wait for."""

    statements: tuple[int, ...]
    """Indexes of the statements that would wait for it, ascending."""
    relation: str
    """Qualified and quoted where needed."""
    needed: str
    """The strongest mode that these statements need on it, without ``Lock``."""
    held: str
    """The mode it has, or waits for."""
    granted: bool
    """False: it waits for the lock itself, and stands before us in the queue."""
    pid: int
    """0: a prepared transaction, which has no session."""
    application: str
    """For a prepared transaction, its gid."""
    user: str
    state: str
    query: str
    age: float | None
    """Seconds since its transaction began; None when we may not see it."""
    behind: int
    """How many sessions wait for it already, directly or behind others."""

    @property
    def yields(self) -> bool:
        """Whether it gives way by itself: autovacuum is cancelled a second after somebody waits
        for it (``deadlock_timeout``), unless it prevents a wraparound of transaction ids."""
        return self.application == AUTOVACUUM and "to prevent wraparound" not in self.query


class Mention(Value, frozen=True, kw_only=True):
    """A query that names something the plan takes away."""

    statement: int
    object: str
    """What it names: ``public.users.verified_at``."""
    source: Literal["pg_stat_activity", "pg_stat_statements"]
    application: str
    """Empty where the source does not know it."""
    user: str
    calls: int | None
    """How often it was called since the statistics were reset; None for a session's last query."""
    query: str


class Written(Value, frozen=True, kw_only=True):
    """Rows of a table that were written after a migration had been applied."""

    version: str
    relation: str
    rows: int | None
    """None: cannot be known."""
    basis: Literal["transaction ids", "commit timestamps", ""] = ""
    why: str = ""
    """Why it cannot be known; empty when it is."""


class Keepable(Value, frozen=True, kw_only=True):
    """What it would cost to keep what a destructive statement removes."""

    statement: int
    what: str
    """In words: ``12 rows of public.users``."""
    rows: int | None
    bytes: int | None
    """An estimate; None: nobody can say."""
    seconds: float | None
    """An estimate of the time it adds inside the transaction; None: nobody can say."""
    obstacle: str = ""
    """Why it cannot be kept; empty when it can."""


class Outlook(Value, frozen=True, kw_only=True):
    """All that is asked once a plan. ``None``: could not be found out."""

    dependents: tuple[Dependent, ...] | None
    mentions: tuple[Mention, ...] | None
    statistics: bool | None = None
    """Whether ``pg_stat_statements`` could be read; without it only what runs now is known."""
    written: tuple[Written, ...] | None = None
    keepable: tuple[Keepable, ...] | None = None
    unreadable: tuple[str, ...] = ()
    """What could not be read, with the reason."""


def locks_unknown(statements: Iterable[Statement]) -> tuple[int, ...]:
    """Return the indexes of the statements of which nobody knows all that they lock: for those
    nobody can say who is in the way."""
    return tuple(s.index for s in statements if s.effect.basis == "unknown")
