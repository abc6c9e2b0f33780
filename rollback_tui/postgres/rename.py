"""The door by rename: where a database is, found by its number whatever it is called.

An empty *placeholder* that accepts no connections takes the target's name while the target works
on under another one: who connects hears "not currently accepting connections", superusers too, and
nobody can create a database under the free name. Everything that belongs to a database itself
(owner, privileges, limit, settings, comment) hangs on its number and stays with it.

Statements are returned as text, so that they can be journaled before they are sent. A rename asks
for the database's owner and CREATEDB (``RenameDatabase`` in ``src/backend/commands/dbcommands.c``),
takes an exclusive lock on the database, so that nobody new comes in, and waits up to five seconds
for those inside (``CountOtherDBBackends``); then it fails with 55006 ``object_in_use``. A prepared
transaction makes it fail likewise, and does not go away.
"""

from __future__ import annotations

import hashlib

from psycopg import sql

from rollback_tui.core.model import Value
from rollback_tui.postgres.connect import Connection

CLOSED = "__rollback_"
"""Between the target's name and the run's first eight characters: its name behind the door."""

SPARE = "__closed_"
"""Likewise: the placeholder's name while the door is open."""

_MARK = "rollback-tui placeholder"


class Place(Value, frozen=True, kw_only=True):
    """One row of ``pg_database``."""

    oid: int
    name: str
    accepts: bool
    """``datallowconn``."""
    connection_limit: int
    """``datconnlimit``: -1 is no limit, -2 a half-dropped database (PostgreSQL 16+, and the
    minor releases of older ones since August 2023)."""


_PLACE = "SELECT oid::bigint, datname, datallowconn, datconnlimit FROM pg_database WHERE "


def place(maintenance: Connection, oid: int) -> Place | None:
    """Return where the database with this number is; None when it does not exist."""
    return _place(maintenance, _PLACE + "oid = %s", oid)


def named(maintenance: Connection, name: str) -> Place | None:
    """Return the database of this name; None when there is none."""
    return _place(maintenance, _PLACE + "datname = %s", name)


def _place(maintenance: Connection, query: str, value: object) -> Place | None:
    row = maintenance.execute(query.encode(), [value]).fetchone()
    if row is None:
        return None
    oid, name, accepts, limit = row
    return Place(oid=oid, name=name, accepts=accepts, connection_limit=limit)


def create_placeholder(connection: Connection, name: str) -> str:
    """Return the statement that makes the placeholder under its spare name.

    From ``template0``, which nobody can be inside of. Until PostgreSQL 14, and with the strategy
    ``file_copy``, it costs a checkpoint: it is made before anything is shut.
    """
    return _text(
        connection,
        "CREATE DATABASE {} TEMPLATE template0 ALLOW_CONNECTIONS false CONNECTION LIMIT 0",
        sql.Identifier(name),
    )


def mark_placeholder(connection: Connection, name: str, run: str) -> str:
    """Return the statement that writes on the placeholder what it is."""
    comment = (
        f"{_MARK} of run {run}: empty, keeps the name of a database whose door is closed."
        " It may be dropped when no run is going on and the database has its own name."
    )
    return _text(connection, "COMMENT ON DATABASE {} IS {}", sql.Identifier(name), comment)


def drop_placeholder(connection: Connection, name: str) -> str:
    """Return the statement that drops the placeholder; it costs a checkpoint (``dropdb()``)."""
    return _text(connection, "DROP DATABASE {}", sql.Identifier(name))


def is_placeholder(maintenance: Connection, oid: int, run: str) -> bool:
    """Return whether this database is the placeholder of ``run``: it carries the mark, or none
    because the run died before it could write it; and it never let anybody in."""
    row = maintenance.execute(
        "SELECT NOT datallowconn AND coalesce(starts_with(shobj_description(oid, 'pg_database'),"
        " %s), true) FROM pg_database WHERE oid = %s",
        [f"{_MARK} of run {run}:", oid],
    ).fetchone()
    return bool(row and row[0])


def accept(connection: Connection, name: str, *, yes: bool) -> str:
    """Return the statement that lets sessions in, or keeps new ones out, superusers too."""
    return _text(
        connection, "ALTER DATABASE {} ALLOW_CONNECTIONS {}", sql.Identifier(name), sql.Literal(yes)
    )


def away(connection: Connection, name: str, renamed: str, placeholder: str) -> str:
    """Return the transaction, without its COMMIT, that gives the placeholder the target's name
    and lets us in under the other one."""
    return _transaction(
        _rename(connection, name, renamed),
        _rename(connection, placeholder, name),
        accept(connection, renamed, yes=True),
    )


def back(connection: Connection, name: str, renamed: str, placeholder: str) -> str:
    """Return the transaction, without its COMMIT, that undoes :func:`away`; with an empty
    ``placeholder`` for when nobody has the target's name."""
    return _transaction(
        *([_rename(connection, name, placeholder)] if placeholder else []),
        _rename(connection, renamed, name),
        accept(connection, name, yes=True),
    )


def _transaction(*statements: str) -> str:
    return ";\n".join(("BEGIN", *statements))


def _rename(connection: Connection, old: str, new: str) -> str:
    return _text(
        connection, "ALTER DATABASE {} RENAME TO {}", sql.Identifier(old), sql.Identifier(new)
    )


def _text(connection: Connection, statement: str, *parts: sql.Composable | str) -> str:
    # Every statement is a literal of this module; only its parts come from elsewhere.
    text = sql.SQL(statement)
    return text.format(
        *(p if isinstance(p, sql.Composable) else sql.Literal(p) for p in parts)
    ).as_string(connection)


def prepared_transactions(maintenance: Connection, oid: int) -> tuple[str, ...]:
    """Return the gids of the prepared transactions in this database: none can be renamed with
    one, and they survive everything but COMMIT PREPARED and ROLLBACK PREPARED."""
    return tuple(
        gid
        for (gid,) in maintenance.execute(
            "SELECT p.gid FROM pg_prepared_xacts p JOIN pg_database d ON d.datname = p.database"
            " WHERE d.oid = %s ORDER BY 1",
            [oid],
        )
    )


# Not those that change by themselves (datfrozenxid, datminmxid), nor datcollversion, which only
# says with which library it was last found right, nor dathasloginevt, which the server clears
# when somebody connects.
# Privileges are a list whose order says nothing; granted anew, they come in another.
_PROPERTIES = """
SELECT pg_get_userbyid(d.datdba),
       CASE WHEN d.datacl IS NOT NULL
            THEN array(SELECT a::text FROM unnest(d.datacl) a ORDER BY 1)::text END,
       d.datconnlimit::text, d.datistemplate::text,
       pg_encoding_to_char(d.encoding), d.datcollate::text, d.datctype::text, t.spcname::text,
       shobj_description(d.oid, 'pg_database'), d.datallowconn::text
FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE d.oid = %s
"""
_NAMES = (
    "owner",
    "privileges",
    "connection limit",
    "template flag",
    "encoding",
    "collation",
    "character type",
    "tablespace",
    "comment",
    "accepting connections",
)

_SETTINGS = """
SELECT r.rolname, c.setting
FROM pg_db_role_setting s
LEFT JOIN pg_roles r ON r.oid = s.setrole
CROSS JOIN LATERAL unnest(s.setconfig) c(setting)
WHERE s.setdatabase = %s
"""


def properties(maintenance: Connection, oid: int) -> dict[str, str]:
    """Return a short hash of everything that belongs to this database itself, by what it is.

    Hashes, because they are journaled and a setting may hold something secret. Empty when there
    is no such database.
    """
    row = maintenance.execute(_PROPERTIES, [oid]).fetchone()
    if row is None:
        return {}
    found = dict(zip(_NAMES, row, strict=True))
    for role, text in maintenance.execute(_SETTINGS, [oid]):
        name, _, value = text.partition("=")
        found[f"setting {name}" + (f" of role {role}" if role else "")] = value
    return {what: _hash(value) for what, value in found.items()}


def _hash(value: str | None) -> str:
    return "" if value is None else hashlib.sha256(value.encode()).hexdigest()[:16]


def changed(before: dict[str, str], after: dict[str, str]) -> tuple[str, ...]:
    """Return what is not as it was: ``owner``, ``setting work_mem of role bob``."""
    return tuple(sorted(what for what in before | after if before.get(what) != after.get(what)))
