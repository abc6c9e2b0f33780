"""One look at the vital signs of a database: what the server counted so far, and how it is now."""

from __future__ import annotations

from datetime import datetime

from rollback_tui.core.monitoring.statement_times import Statements
from rollback_tui.core.query_errors import LoggedError
from rollback_tui.core.value import Value


class Counted(Value, frozen=True, kw_only=True):
    """The database's row of ``pg_stat_database``: all that was counted since ``reset``."""

    commits: int
    rollbacks: int
    deadlocks: int
    hit: int
    """Blocks that were found in the cache (``blks_hit``)."""
    read: int
    """Blocks that were asked of the system (``blks_read``): it may have had them in its own."""
    fatal: int | None = None
    """Sessions ended by an error (``sessions_fatal``); None before PostgreSQL 14."""
    abandoned: int | None = None
    """Sessions whose client was lost (``sessions_abandoned``); likewise."""
    reset: datetime | None = None
    """When it began to be counted; None: never set to zero (15 and later), since when is not
    known; or nothing was counted yet (13 and 14)."""

    @property
    def transactions(self) -> int:
        """All that ended."""
        return self.commits + self.rollbacks

    @property
    def nothing(self) -> bool:
        """Whether nothing was counted at all."""
        return not (self.transactions or self.deadlocks or self.hit or self.read)


class Connections(Value, frozen=True, kw_only=True):
    """Sessions of clients, in the whole server and in this database."""

    total: int
    """Those that count against ``max_connections``, ours included: client backends of all
    databases; replication, autovacuum and parallel workers have room of their own."""
    maximum: int
    """``max_connections``."""
    reserved: int = 0
    """Of these, for superusers and members of ``pg_use_reserved_connections`` only."""
    inside: int
    """In this database, without ours."""
    limit: int = -1
    """``CONNECTION LIMIT`` of this database; -1: none."""
    ours: int = 0
    """Our own in this database, without the one that asks."""
    active: int = 0
    """Of ``inside``: executing something."""
    idle_in_transaction: int = 0
    applications: tuple[tuple[str, int], ...] = ()
    """Which applications have most of ``inside``."""


class Busy(Value, frozen=True, kw_only=True):
    """A session of an application, with its query or its open transaction."""

    pid: int
    application: str
    user: str
    seconds: float
    query: str
    """As the server has it, its beginning: not printable, and with its constants."""


class LockWait(Value, frozen=True, kw_only=True):
    """A session of an application that has waited for a lock for over a second."""

    pid: int
    application: str
    seconds: float
    lock: str
    """``RowExclusiveLock on public.users``; not printable."""
    behind: tuple[str, ...] = ()
    """Who has it or comes before: ``pid 7 (shop, idle in transaction)``. Not printable."""


class Standby(Value, frozen=True, kw_only=True):
    """A server that receives our WAL: a standby, or a subscriber."""

    application: str
    state: str
    """``streaming``, ``catchup`` …"""
    seconds: float | None
    """``replay_lag``; 0 where it has everything. None: the server does not say."""
    bytes: int | None
    """WAL that it has not replayed yet."""


class Vitals(Value, frozen=True, kw_only=True):
    """Everything that one look tells."""

    taken_at: datetime
    """By the server's clock."""
    started_at: datetime
    """When this server was started: another one has another moment."""
    server_version: int
    in_recovery: bool
    """A standby, or one that is being restored."""
    database: str
    database_oid: int | None
    """None: there is no such database."""
    counted: Counted | None
    """None: there is no such database."""
    connections: Connections
    hidden: int = 0
    """Sessions in the database of which our role may not see what they do (``pg_read_all_stats``,
    of which ``pg_monitor`` is a member)."""
    oldest: tuple[Busy, ...] = ()
    """The oldest queries of applications, oldest first. Not ours, none of replication, of
    autovacuum or of ``pg_dump``, whose queries take as long as the tables are."""
    idle: tuple[Busy, ...] = ()
    """The oldest transactions that nobody works on, oldest first."""
    waiting: int = 0
    """Sessions that have waited for a lock for over a second."""
    waiting_unknown: int = 0
    """Those that wait, and nobody may know for how long: hidden ones, before PostgreSQL 14."""
    waits: tuple[LockWait, ...] = ()
    """The longest of them."""
    standbys: tuple[Standby, ...] = ()
    standbys_hidden: int = 0
    """Standbys of which our role may not see how far they are."""
    behind: float | None = None
    """Of a standby: seconds it is behind its primary; 0 when it has replayed all it received. None:
    not a standby, or nothing was ever replayed."""
    asked: int = 0
    """Transactions that this look adds to what the next one finds ``counted``, at most: that in
    which its connection began is one."""
    statements: Statements | None = None
    statements_why: str = ""
    """Why there are none; empty when there are, or they were not asked for. Printable."""


class Logged(Value, frozen=True, kw_only=True):
    """Errors in the server's log since the look before."""

    errors: tuple[LoggedError, ...] = ()
    why: str = ""
    """Why it cannot be read; empty: it was."""
