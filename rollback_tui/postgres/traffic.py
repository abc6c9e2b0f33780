"""How much the applications do in a database, and how much of it fails: by the server's counters.

Asked over the connection to the maintenance database: the counters are of the whole cluster, and
what is asked here is then not counted in the target.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import psycopg

from rollback_tui.core.query_errors import Counters
from rollback_tui.postgres.connect import Connection

_SESSION_COUNTERS = 14
"""``sessions_fatal`` and ``sessions_abandoned`` came with PostgreSQL 14."""

_COUNTERS = """
SELECT xact_commit, xact_rollback, {fatal}, {abandoned}, coalesce(stats_reset::text, '')
FROM pg_catalog.pg_stat_database WHERE datid = %s
"""

# Whoever may not see another role's session sees it without its query: that it is there counts.
_SESSIONS = """
SELECT a.pid,
       a.application_name LIKE 'rollback\\_tui%%' AND a.usename = current_user,
       coalesce(a.query_start >= %(since)s, true)
FROM pg_catalog.pg_stat_activity a
WHERE a.datid = %(oid)s AND a.usesysid IS NOT NULL
  AND coalesce(a.backend_type, 'client backend') = 'client backend'
"""


class Sessions(NamedTuple):
    """The sessions of a database."""

    asking: frozenset[int]
    """Backends of applications that asked something since, or of which nobody may know."""
    others: frozenset[int]
    """All of applications."""
    ours: frozenset[int]
    """Our own."""


def clock(connection: Connection) -> datetime:
    """Return the server's time. Raises psycopg.Error."""
    row = connection.execute("SELECT pg_catalog.clock_timestamp()").fetchone()
    if row is None:  # pragma: no cover - a SELECT without FROM has always one row
        raise psycopg.OperationalError("the server gave no answer")
    now: datetime = row[0]
    return now


def counters(connection: Connection, database: int) -> Counters | None:
    """Return what was counted for the database with this number; None: it is not there.

    Raises psycopg.Error.
    """
    known = connection.info.server_version // 10000 >= _SESSION_COUNTERS
    text = _COUNTERS.format(
        fatal="sessions_fatal" if known else "NULL",
        abandoned="sessions_abandoned" if known else "NULL",
    )
    row = connection.execute(text.encode(), [database]).fetchone()
    if row is None:
        return None
    commits, rollbacks, fatal, abandoned, reset = row
    return Counters(
        commits=commits or 0,
        rollbacks=rollbacks or 0,
        fatal=fatal,
        abandoned=abandoned,
        reset=reset,
    )


def sessions(connection: Connection, database: int, since: datetime) -> Sessions:
    """Return who is in the database with this number, and who asked something since. Raises
    psycopg.Error."""
    rows = connection.execute(_SESSIONS.encode(), {"oid": database, "since": since}).fetchall()
    return Sessions(
        asking=frozenset(pid for pid, ours, asked in rows if asked and not ours),
        others=frozenset(pid for pid, ours, _ in rows if not ours),
        ours=frozenset(pid for pid, ours, _ in rows if ours),
    )
