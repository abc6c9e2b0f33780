"""The door: what keeps applications out of the target while the run has it.

Rungs, best first; the best one that can be is chosen, and what speaks against a better is said:

``rename``
    The database is called something else meanwhile, and an empty placeholder that accepts no
    connections has its name: see :mod:`rollback_tui.postgres.rename`. Nobody comes in who does
    not look up the new name, and who does is ended.
``limit``
    ``CONNECTION LIMIT 0`` (needs the database's owner): everybody but superusers hears "too
    many connections". A ``REVOKE CONNECT`` beside it would keep nobody else out, since it does
    not stop superusers either, and would leave another ACL behind; so it is not used.
``terminate``
    Sessions are ended as they come back, again and again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import psycopg
from psycopg import sql

from rollback_tui.config import Door
from rollback_tui.core.errors import ConnectionFailed
from rollback_tui.core.facts import Privileges
from rollback_tui.core.model import Rung, Value
from rollback_tui.core.script.itself import names_its_database
from rollback_tui.core.text import printable, shorten
from rollback_tui.postgres.connect import Connection, connect, with_database

_PROBE_SECONDS = 5.0


class Choice(Value, frozen=True, kw_only=True):
    """The rung of the door, and why it is not a better one."""

    rung: Rung
    why: tuple[str, ...] = ()


class Asked(Value, frozen=True, kw_only=True):
    """What the choice depends on besides the two connections."""

    rights: Privileges
    """Of our role, in the target."""
    settings: Door
    dsn: str
    """How we reach the server; with another database name it is tried whether we come in."""
    beside: str
    """The name that the target would have behind the door."""
    statements: tuple[str, ...] = ()
    """What the run will execute."""


def choose(maintenance: Connection, oid: int, asked: Asked) -> Choice:
    """Return the best rung for the database with this number. Raises psycopg.Error."""
    against = tuple(_against_rename(maintenance, oid, asked))
    if not against:
        # Asked last, because a server logs every connection that it refuses.
        against = tuple(_kept_out(asked))
    return lower(asked, against) if against else Choice(rung="rename")


def lower(asked: Asked, against: tuple[str, ...]) -> Choice:
    """Return the best rung below ``rename``, given why it is not that."""
    if asked.settings.rung == "terminate":
        return Choice(rung="terminate", why=against)
    rights = asked.rights
    if not rights.superuser and not rights.database_owner:
        owner = "the role does not own the database: it may not limit its connections"
        return Choice(rung="terminate", why=(*(w for w in against if w != _NOT_OWNER), owner))
    return Choice(rung="limit", why=against)


_NOT_OWNER = "the role does not own the database"

# What is tied to a database by its name, or stays in it whoever is ended: it would keep the
# rename waiting, or be lost. A role without pg_read_all_stats does not see the workers.
_TIED = """
SELECT 'the logical replication slot ' || s.slot_name || ' reads from this database'
FROM pg_catalog.pg_replication_slots s JOIN pg_catalog.pg_database d ON d.datname = s.database
WHERE d.oid = %(oid)s
UNION ALL
SELECT 'the subscription ' || subname || ' writes to this database'
FROM pg_catalog.pg_subscription WHERE subdbid = %(oid)s
UNION ALL
SELECT DISTINCT 'a ' || backend_type || ' works in this database'
FROM pg_catalog.pg_stat_activity
WHERE datid = %(oid)s
  AND backend_type NOT IN ('client backend', 'autovacuum worker', 'parallel worker')
ORDER BY 1
"""


def _against_rename(maintenance: Connection, oid: int, asked: Asked) -> Iterator[str]:
    settings, rights = asked.settings, asked.rights
    if settings.rung != "best":
        yield f'[door] rung = "{settings.rung}" in the configuration'
    if settings.allow_applications or settings.allow_users:
        yield "allow-listed sessions stay inside, and a database in use cannot be renamed"
    if not rights.superuser:
        if not rights.database_owner:
            yield _NOT_OWNER
        if not rights.createdb:
            yield "the role has no CREATEDB"
    row = maintenance.execute(
        "SELECT oid::bigint FROM pg_catalog.pg_database WHERE datname = current_database()"
    ).fetchone()
    if row is not None and row[0] == oid:
        yield "the maintenance database is the target itself"
    speaking = sum(names_its_database(text) for text in asked.statements)
    if speaking:
        yield (
            f"{speaking} of the plan's statements may name the database: they must find it under"
            " its own name"
        )
    for (text,) in maintenance.execute(_TIED, {"oid": oid}):
        yield printable(text)


def _kept_out(asked: Asked) -> Iterator[str]:
    """Try the future name. "Does not exist" comes after pg_hba.conf has let us in, and after the
    password: ``InitPostgres`` looks for the database behind ``PerformAuthentication``."""
    try:
        connect(with_database(asked.dsn, asked.beside), timeout=_PROBE_SECONDS).close()
    except ConnectionFailed as error:
        # libpq gives no SQLSTATE for this, and servers speak many languages; but in all of them
        # this message names the database, and the other one that does names the file.
        said = error.summary
        if printable(" ".join(asked.beside.split())) not in said or "pg_hba" in said:
            yield f"under another name of the database we are not let in: {shorten(said, 120)}"
    except psycopg.Error as error:  # pragma: no cover - closing a connection that was lost
        yield f"not known whether another name of the database lets us in: {printable(str(error))}"
    else:
        yield f"there is a database {printable(asked.beside)} already"


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
WHERE (d.oid = %(oid)s OR d.datname = %(name)s)
  AND a.pid <> pg_backend_pid()
  AND a.usesysid IS NOT NULL
  AND coalesce(a.backend_type, 'client backend') = 'client backend'
  AND a.pid <> ALL(%(keep)s)
  AND NOT coalesce(a.application_name = ANY(%(applications)s), false)
  AND NOT coalesce(a.usename = ANY(%(users)s), false)
"""


def strangers(
    connection: Connection,
    database: str | int,
    *,
    keep: Collection[int],
    applications: Sequence[str] = (),
    users: Sequence[str] = (),
) -> tuple[tuple[int, str, bool], ...]:
    """Return ``(pid, "pid application user", may be ended by us)`` of everybody else inside.

    ``database``: its name, or the number that stays with it when it is renamed.
    """
    rows = connection.execute(
        _MAY_END,
        {
            "oid": database if isinstance(database, int) else None,
            "name": database if isinstance(database, str) else None,
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


def end_backend(connection: Connection, pid: int, start: int = 0) -> None:
    """Terminate just this backend; never another one that has its pid by now."""
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %(pid)s AND"
        " (%(start)s = 0 OR (extract(epoch FROM backend_start) * 1000000)::bigint = %(start)s)",
        {"pid": pid, "start": start},
    )
