"""What goes on in the target now: one round trip, called each second."""

from __future__ import annotations

from datetime import datetime

import msgspec
import psycopg

from rollback_tui.core.activity.signals import Signal
from rollback_tui.core.errors import ConnectionFailed
from rollback_tui.core.model import Activity, PreparedTransaction, Replication, Session
from rollback_tui.core.text import printable
from rollback_tui.postgres.aside import query
from rollback_tui.postgres.connect import Connection


class _Wait(msgspec.Struct):
    """The lock that a session waits for; of any database."""

    pid: int
    blocked_by: tuple[int, ...]
    lock: str
    lock_age: float | None


class _Counters(msgspec.Struct):
    """The target's row of ``pg_stat_database``."""

    commits: int | None = None
    rollbacks: int | None = None
    rows_written: int | None = None
    stats_reset: datetime | None = None


def activity(connection: Connection, *, database_bytes: int | None = None) -> Activity:
    """Ask what goes on.

    The database's size walks all its files, so a caller that refreshes often passes the last
    ``database_bytes`` in and is not charged for it again.
    """
    row = connection.execute(query("activity").encode()).fetchone()
    if row is None:  # pragma: no cover - a SELECT without FROM has always one row
        raise ConnectionFailed("the server gave no answer", "Connect again.")
    taken_at, sessions, waits, prepared, replication, counters, connections, maximum = row
    if database_bytes is None:
        database_bytes = size(connection)
    # Straight from the text: with two thousand sessions half the time of going by dictionaries.
    counted = msgspec.json.decode(counters, type=_Counters) if counters else _Counters()
    return Activity(
        taken_at=taken_at,
        sessions=_waiting(
            msgspec.json.decode(sessions, type=tuple[Session, ...]),
            msgspec.json.decode(waits, type=tuple[_Wait, ...]),
        ),
        prepared=msgspec.json.decode(prepared, type=tuple[PreparedTransaction, ...]),
        replication=msgspec.json.decode(replication, type=Replication),
        commits=counted.commits or 0,
        rollbacks=counted.rollbacks or 0,
        connections=connections or 0,
        max_connections=maximum,
        database_bytes=database_bytes,
        rows_written=counted.rows_written,
        stats_reset=counted.stats_reset,
    )


def _waiting(sessions: tuple[Session, ...], waits: tuple[_Wait, ...]) -> tuple[Session, ...]:
    by_pid = {wait.pid: wait for wait in waits}
    return tuple(
        session
        if (wait := by_pid.get(session.pid)) is None
        else msgspec.structs.replace(
            session, blocked_by=wait.blocked_by, lock=wait.lock, lock_age=wait.lock_age
        )
        for session in sessions
    )


def size(connection: Connection) -> int:
    """Return the size of the target in bytes; 0 when we may not ask."""
    try:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return 0
    return int(row[0]) if row else 0


def named(connection: Connection, pid: int, backend_start: datetime | None) -> tuple[str, str]:
    """Return application and role of a session as the server knows them; empty where there is none,
    or our role may not see it. Never raises a psycopg.Error: what is to be done does not wait for
    a name."""
    try:
        row = connection.execute(
            "SELECT application_name, usename FROM pg_catalog.pg_stat_activity"
            " WHERE pid = %s AND backend_start IS NOT DISTINCT FROM %s::timestamptz",
            [pid, backend_start],
        ).fetchone()
    except psycopg.Error:
        return "", ""
    return (printable(row[0] or ""), printable(row[1] or "")) if row else ("", "")


def cancel(connection: Connection, pid: int, backend_start: datetime | None) -> Signal:
    """Cancel the running query of another session of this database (``pg_cancel_backend``).

    ``backend_start``: the session's, as it was seen; None where our role may not see it. Raises
    psycopg.Error, but not when the server refuses: that is an answer.
    """
    return _signal(connection, "pg_cancel_backend", pid, backend_start)


def terminate(connection: Connection, pid: int, backend_start: datetime | None) -> Signal:
    """End another session of this database (``pg_terminate_backend``); see :func:`cancel`."""
    return _signal(connection, "pg_terminate_backend", pid, backend_start)


def _signal(
    connection: Connection, function: str, pid: int, backend_start: datetime | None
) -> Signal:
    """Only sessions of this very database, never ourselves, and only the one that was seen: a pid
    is given to somebody else as soon as its session has ended."""
    question = psycopg.sql.SQL(
        "SELECT {}(pid) FROM pg_stat_activity WHERE pid = %s"
        " AND backend_start IS NOT DISTINCT FROM %s::timestamptz AND pid <> pg_backend_pid()"
        " AND datname = current_database()"
        # NULL for a role that may not see it; whether it may end it is the server's to say.
        " AND coalesce(backend_type, 'client backend')"
        " IN ('client backend', 'walsender', 'autovacuum worker')"
        " AND (usesysid IS NOT NULL OR backend_type = 'autovacuum worker')"
    ).format(psycopg.sql.Identifier("pg_catalog", function))
    try:
        row = connection.execute(question, [pid, backend_start]).fetchone()
    except psycopg.errors.InsufficientPrivilege as error:
        why = error.diag.message_detail or error.diag.message_primary or str(error)
        return Signal(outcome="not allowed", why=printable(" ".join(why.split())))
    return Signal(outcome="signalled" if row and row[0] else "gone")
