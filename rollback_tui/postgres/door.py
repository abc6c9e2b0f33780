"""The door: what keeps applications out of the target while the run has it.

Rungs, best first:

``limit``
    ``CONNECTION LIMIT 0`` (needs the database's owner): everybody but superusers hears "too
    many connections". A ``REVOKE CONNECT`` beside it would keep nobody else out, since it does
    not stop superusers either, and would leave another ACL behind; so it is not used.
``terminate``
    Sessions are ended as they come back, again and again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from psycopg import sql

from rollback_tui.core.facts import Privileges
from rollback_tui.core.text import printable
from rollback_tui.postgres.connect import Connection

Rung = Literal["limit", "terminate"]


def rung(privileges: Privileges) -> Rung:
    """Return the best rung that these privileges allow."""
    return "limit" if privileges.superuser or privileges.database_owner else "terminate"


def connection_limit(connection: Connection, database: str) -> int:
    """Return ``datconnlimit``: -1 is no limit."""
    row = connection.execute(
        "SELECT datconnlimit FROM pg_database WHERE datname = %s", [database]
    ).fetchone()
    return int(row[0]) if row else -1


def limit_statement(connection: Connection, database: str, limit: int) -> str:
    """Return the statement that sets the limit, for the log and to be executed."""
    return (
        sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}")
        .format(sql.Identifier(database), sql.Literal(limit))
        .as_string(connection)
    )


# Only client backends with a user: asking for an autovacuum worker makes the whole statement
# fail for a role that is not a superuser. backend_type is NULL for a role that may not see other
# roles' sessions (no pg_read_all_stats); they are inside all the same. A superuser's session can
# be ended by superusers only.
_MAY_END = """
SELECT a.pid, coalesce(a.application_name, ''), coalesce(a.usename, ''),
       me.rolsuper
       OR (NOT coalesce(r.rolsuper, true)
           AND (pg_has_role(current_user, a.usesysid, 'USAGE')
                OR pg_has_role(current_user, 'pg_signal_backend', 'USAGE')))
FROM pg_stat_activity a
JOIN pg_database d ON d.oid = a.datid
JOIN pg_roles me ON me.rolname = current_user
LEFT JOIN pg_roles r ON r.oid = a.usesysid
WHERE d.datname = %(database)s
  AND a.usesysid IS NOT NULL
  AND coalesce(a.backend_type, 'client backend') = 'client backend'
  AND a.pid <> ALL(%(keep)s)
  AND NOT coalesce(a.application_name = ANY(%(applications)s), false)
  AND NOT coalesce(a.usename = ANY(%(users)s), false)
"""


def strangers(
    connection: Connection,
    database: str,
    *,
    keep: Collection[int],
    applications: Sequence[str] = (),
    users: Sequence[str] = (),
) -> tuple[tuple[int, str, bool], ...]:
    """Return ``(pid, "pid application user", may be ended by us)`` of everybody else inside."""
    rows = connection.execute(
        _MAY_END,
        {
            "database": database,
            "keep": list(keep),
            "applications": list(applications),
            "users": list(users),
        },
    ).fetchall()
    return tuple(
        (pid, printable(f"{pid} {application or '-'} {user}"), bool(may))
        for pid, application, user, may in rows
    )


def end_sessions(connection: Connection, pids: Sequence[int]) -> None:
    """Terminate sessions; one that is gone already is no error."""
    if pids:
        connection.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) pid", [pids])


def backend_start(connection: Connection) -> int:
    """Return when the server started our own backend, in microseconds since 1970."""
    row = connection.execute(
        "SELECT (extract(epoch FROM backend_start) * 1000000)::bigint"
        " FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    ).fetchone()
    return int(row[0]) if row and row[0] else 0


def backend_gone(connection: Connection, pid: int, start: int = 0) -> bool:
    """Return whether the backend with this pid and start (0: not known) is gone.

    The system gives a pid again, at the latest after a restart: then it is somebody else's. One
    whose start we may not see counts as ours.
    """
    row = connection.execute(
        "SELECT 1 FROM pg_stat_activity WHERE pid = %(pid)s AND (%(start)s = 0"
        " OR backend_start IS NULL"
        " OR (extract(epoch FROM backend_start) * 1000000)::bigint = %(start)s)",
        {"pid": pid, "start": start},
    ).fetchone()
    return row is None


def end_backend(connection: Connection, pid: int, start: int = 0) -> None:
    """Terminate just this backend; never another one that has its pid by now."""
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %(pid)s AND"
        " (%(start)s = 0 OR (extract(epoch FROM backend_start) * 1000000)::bigint = %(start)s)",
        {"pid": pid, "start": start},
    )
