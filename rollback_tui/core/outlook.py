"""What stands around a plan: who is in its way, who still uses what goes, what it drags along."""

from __future__ import annotations

from typing import Literal

from rollback_tui.core.facts import Dependent
from rollback_tui.core.model import Value


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
