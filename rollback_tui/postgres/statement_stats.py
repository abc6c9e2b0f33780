"""``pg_stat_statements``: how often each query was called, and how long it took in all.

The extension's documentation (F.30) and its versions: ``total_exec_time`` is ``total_time`` before
1.8 (PostgreSQL 13 brings 1.8; a database that came through pg_upgrade may have kept an older one),
and when it was set to zero, and how often entries gave way to others, is in
``pg_stat_statements_info`` from 1.9 (PostgreSQL 14) on.
"""

from __future__ import annotations

import msgspec
import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from rollback_tui.core.monitoring.query_text import WIDTH, shown
from rollback_tui.core.monitoring.statement_times import MOST, Statements
from rollback_tui.core.text import shorten
from rollback_tui.postgres.aside import query
from rollback_tui.postgres.connect import Connection

SECONDS = 3.0
"""A look that takes longer is given up by the server: nothing is worth disturbing it."""

_EXECUTION = (1, 8)
_INFO = (1, 9)

_WHERE = """
SELECT /* rollback_tui */ n.nspname, e.extversion
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_stat_statements'
"""

_decoder = msgspec.json.Decoder(Statements)


def briefly(
    connection: Connection, text: sql.Composable, seconds: float
) -> psycopg.Cursor[TupleRow]:
    """Execute one question in one round trip, with limits that hold for it alone.

    Several commands in one message of the simple protocol are one transaction (PostgreSQL's
    documentation, 55.2.2.1), with which ``SET LOCAL`` ends. So nothing of it stays in the session,
    whatever its settings were; and it ends with COMMIT, which is not counted as a rollback. The
    connection must be in autocommit and outside a transaction. Raises psycopg.Error.
    """
    limit = max(1, round(seconds * 1000))
    whole = sql.SQL(
        "SET /* rollback_tui */ LOCAL search_path = pg_catalog;"
        " SET /* rollback_tui */ LOCAL statement_timeout = {limit};"
        " SET /* rollback_tui */ LOCAL lock_timeout = {limit};"
        " SET /* rollback_tui */ LOCAL jit = off; {text}"
    ).format(limit=sql.Literal(limit), text=text)
    # Several commands in one can never be a prepared statement.
    cursor = connection.execute(whole, prepare=False)
    while cursor.nextset():
        pass
    return cursor


def marked(name: str) -> str:
    """Return the SQL of ``queries/<name>.sql`` from its first word on, which our mark comes after.
    What is written above that would be the beginning of its text for most servers, and the mark, by
    which our own questions are left out, out of sight."""
    text = query(name)
    return text[text.index("WITH /* rollback_tui */") :]


def read(
    connection: Connection, database: int, *, seconds: float = SECONDS
) -> tuple[Statements | None, str]:
    """Return what ``pg_stat_statements`` says of the database with this number so far, or None and
    why not, in words.

    The extension must be in the database of ``connection``. Two round trips. Raises psycopg.Error
    only when the connection is lost.
    """
    try:
        return _read(connection, database, seconds)
    except psycopg.Error as error:
        if connection.broken:
            raise
        return None, _reason(error)


def _read(connection: Connection, database: int, seconds: float) -> tuple[Statements | None, str]:
    row = briefly(connection, sql.SQL(_WHERE), seconds).fetchone()
    if row is None:
        return None, (
            "the extension pg_stat_statements is not in this database"
            " (CREATE EXTENSION pg_stat_statements, as a superuser)"
        )
    schema, version = str(row[0]), _version(str(row[1]))
    info = sql.Identifier(schema, "pg_stat_statements_info")
    asked = sql.SQL("(SELECT {column} FROM {info})" if version >= _INFO else "NULL")
    text = sql.SQL(marked("vitals_statements")).format(
        view=sql.Identifier(schema, "pg_stat_statements"),
        total=sql.Identifier("total_exec_time" if version >= _EXECUTION else "total_time"),
        oid=sql.Literal(database),
        most=sql.Literal(MOST),
        reset=asked.format(column=sql.Identifier("stats_reset"), info=info),
        evicted=asked.format(column=sql.Identifier("dealloc"), info=info),
    )
    answer = briefly(connection, text, seconds).fetchone()
    if answer is None:  # pragma: no cover - a SELECT without FROM has always one row
        return None, "the server gave no answer"
    found = _decoder.decode(answer[0])
    queries = tuple(msgspec.structs.replace(q, text=shown(q.text, WIDTH)) for q in found.queries)
    return msgspec.structs.replace(found, queries=queries), ""


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def _reason(error: psycopg.Error) -> str:
    match error:
        case psycopg.errors.ObjectNotInPrerequisiteState():
            return "pg_stat_statements is not in shared_preload_libraries"
        case psycopg.errors.InsufficientPrivilege():
            return "our role may not read pg_stat_statements (GRANT pg_read_all_stats)"
        case psycopg.errors.QueryCanceled():
            return "pg_stat_statements did not answer in time"
        case _:
            return shorten(f"pg_stat_statements: {error}", 160)
