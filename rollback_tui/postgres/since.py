"""Rows written since a transaction, as far as one database alone can tell.

PostgreSQL keeps with every row the id of the transaction that wrote this version of it (``xmin``);
``age()`` tells which of two ids is the later one. Only what is still there is found: an updated row
once, a deleted one not at all. Ids are 32 bits wide: once a server has given out more than 2^32 of
them, an old row may look new, never a new one old.
"""

from __future__ import annotations

import time

import psycopg
from psycopg import sql

from rollback_tui.core.model import Value
from rollback_tui.core.text import printable
from rollback_tui.postgres.aside import aside
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.counts import tables

LARGE_OBJECTS = "pg_catalog.pg_largeobject"
"""Where large objects are: rows like others, which only a superuser, or who was granted it, may
read."""


class Since(Value, frozen=True, kw_only=True):
    """One table now."""

    table: str
    """Qualified, quoted where needed."""
    rows: int | None
    """Exact; None: not counted."""
    written: int | None
    """Of these, the ones written since; None: not known."""
    why: str = ""
    """Why it was not counted."""


def written_since(connection: Connection, xid: str, seconds: float) -> tuple[Since, ...]:
    """Return all tables, the smallest first, and large objects as one, with the rows that
    transactions after ``xid`` wrote (``pg_current_xact_id()`` as text; empty: only count), within
    ``seconds`` altogether.

    Changes nothing. Raises psycopg.Error only when the connection is of no use any more.
    """
    deadline = time.monotonic() + seconds
    found = []
    known = [(t.name, t.kind) for t in reversed(tables(connection))]
    if has_large_objects(connection):
        known.append((LARGE_OBJECTS, "table"))
    for name, kind in known:
        if kind not in ("table", "partitioned table"):
            continue
        left = deadline - time.monotonic()
        if left <= 0:
            found.append(_unknown(name, "not reached in the time allowed for counting"))
            continue
        only = "" if kind == "partitioned table" else "ONLY "
        newer = "NULL::bigint"
        if xid:
            newer = (
                "count(*) FILTER (WHERE age(xmin) >= 0"
                f" AND age(xmin) < age('{int(xid) % 2**32}'::xid))"
            )
        # Its name came quoted from the catalog.
        text = sql.SQL(f"SELECT count(*), {newer} FROM {only}{name}")  # noqa: S608
        try:
            with aside(connection, seconds=left, canonical=True) as cursor:
                row = cursor.execute(text).fetchone() or (None, None)
        except psycopg.Error as error:
            if connection.broken:
                raise
            found.append(_unknown(name, error.diag.message_primary or str(error)))
            continue
        found.append(Since(table=name, rows=row[0], written=row[1]))
    return tuple(found)


def has_large_objects(connection: Connection) -> bool:
    """Return whether there is any. Everybody may ask that. Raises psycopg.Error."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)"
    ).fetchone()
    return bool(row and row[0])


def _unknown(table: str, why: str) -> Since:
    return Since(table=table, rows=None, written=None, why=printable(" ".join(why.split())))


def next_xid(connection: Connection) -> str:
    """Return the first transaction id that was not given out yet, as text. Raises psycopg.Error."""
    row = connection.execute(
        "SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text"
    ).fetchone()
    return str(row[0]) if row else ""
