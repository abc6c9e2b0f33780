"""What goes on in the target now: one round trip, called each second."""

from __future__ import annotations

import json

import msgspec
import psycopg

from rollback_tui.core.errors import ConnectionFailed
from rollback_tui.core.model import Activity, PreparedTransaction, Replication, Session
from rollback_tui.postgres.aside import query
from rollback_tui.postgres.connect import Connection


def activity(connection: Connection, *, database_bytes: int | None = None) -> Activity:
    """Ask what goes on.

    The database's size walks all its files, so a caller that refreshes often passes the last
    ``database_bytes`` in and is not charged for it again.
    """
    row = connection.execute(query("activity").encode()).fetchone()
    if row is None:  # pragma: no cover - a SELECT without FROM has always one row
        raise ConnectionFailed("the server gave no answer", "Connect again.")
    taken_at, sessions, prepared, replication, commits, rollbacks, connections, maximum = row
    if database_bytes is None:
        database_bytes = size(connection)
    return Activity(
        taken_at=taken_at,
        sessions=msgspec.convert(_value(sessions), tuple[Session, ...]),
        prepared=msgspec.convert(_value(prepared), tuple[PreparedTransaction, ...]),
        replication=msgspec.convert(_value(replication), Replication),
        commits=commits or 0,
        rollbacks=rollbacks or 0,
        connections=connections or 0,
        max_connections=maximum,
        database_bytes=database_bytes,
    )


def _value(column: object) -> object:
    return json.loads(column) if isinstance(column, str | bytes) else column


def size(connection: Connection) -> int:
    """Return the size of the target in bytes; 0 when we may not ask."""
    try:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return 0
    return int(row[0]) if row else 0


def cancel(connection: Connection, pid: int) -> bool:
    """Cancel the running query of another session of this database (``pg_cancel_backend``)."""
    return _signal(connection, "pg_cancel_backend", pid)


def terminate(connection: Connection, pid: int) -> bool:
    """End another session of this database (``pg_terminate_backend``)."""
    return _signal(connection, "pg_terminate_backend", pid)


def _signal(connection: Connection, function: str, pid: int) -> bool:
    """Only client sessions of this very database, never ourselves: the pid may be reused."""
    row = connection.execute(
        psycopg.sql.SQL(
            "SELECT {}(pid) FROM pg_stat_activity WHERE pid = %s AND pid <> pg_backend_pid()"
            " AND datname = current_database() AND usesysid IS NOT NULL"
            # NULL for a role that may not see it; whether it may end it is the server's to say.
            " AND coalesce(backend_type, 'client backend') = 'client backend'"
        ).format(psycopg.sql.Identifier("pg_catalog", function)),
        [pid],
    ).fetchone()
    return bool(row and row[0])
