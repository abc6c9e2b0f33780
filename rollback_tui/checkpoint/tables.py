"""Rows and fingerprints of all tables of a database, in few statements, smallest tables first.

The same for the snapshot that is dumped and for the database that was restored from it, so that
the two can be compared. A fingerprint reads every value and so takes several times as long as a
count; it is bounded by a time, and what it does not reach is only counted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
from psycopg import sql

from rollback_tui.checkpoint.manifest import TableRows
from rollback_tui.postgres.aside import aside
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.contents import fingerprint

_BATCH_TABLES = 100
_BATCH_BYTES = 4 << 20
"""Tables are asked together, until it is one of these: a round trip for each of ten thousand
small ones takes longer than reading them."""

_FIRST_RATE = 30e6
"""Bytes a second, until it was measured."""
_TELLING_BYTES = 1 << 20
"""A smaller batch says nothing of the rate."""

# Columns that a dump has: generated ones are computed again.
_COLUMNS = """
SELECT n.nspname, c.relname, array_agg(quote_ident(a.attname) ORDER BY a.attname COLLATE "C")
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
GROUP BY 1, 2
"""

# Takes a lock on each, which somebody else's may be in the way of; then sizes are unknown.
_SIZES = """
SELECT n.nspname, c.relname, pg_catalog.pg_table_size(c.oid)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""

Name = tuple[str, str]
"""Schema and table, as they are."""


class Reader:
    """Reads the tables of one database over one connection; may be stopped from another thread."""

    def __init__(self, connection: Connection, stop: threading.Event | None = None) -> None:
        """``stop`` ends it early, together with a cancel: what was not read then stays unknown."""
        self.connection = connection
        self.stop = stop or threading.Event()
        self.read = 0
        """How many tables it has done."""
        self._columns: dict[Name, list[str]] = {}
        self._sizes: dict[Name, int] = {}
        self._rate = _FIRST_RATE
        self._deadline: float | None = None

    def rows(
        self,
        tables: Sequence[TableRows],
        *,
        wanted: Callable[[TableRows], bool] = lambda _table: True,
        seconds: float | None = None,
    ) -> tuple[TableRows, ...]:
        """Return ``tables`` with exact rows, and with fingerprints of the ``wanted`` ones.

        ``seconds``: for the fingerprints together; None: as long as it takes. ``rows`` is None
        where a table could not be read, the fingerprint empty where it was not taken. Works in an
        open transaction, which goes on whatever happens. Raises psycopg.Error when the connection
        is lost.
        """
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._columns = self._asked(_COLUMNS) if seconds != 0 else {}
        self._sizes = self._asked(_SIZES)
        found: dict[Name, TableRows] = {}
        for batch in self._batches(tables):
            marked = {_name(table) for table in batch if wanted(table)}
            found |= self._batch(batch, marked)
            self.read += len(batch)
        return tuple(found.get(_name(table), _unread(table)) for table in tables)

    def _asked(self, query: str) -> dict[Name, Any]:
        if self.stop.is_set():
            return {}
        try:
            with aside(self.connection, canonical=True) as cursor:
                rows = cursor.execute(query.encode()).fetchall()
        except psycopg.Error:
            if self.connection.broken:
                raise
            return {}
        return {(schema, name): it for schema, name, it in rows}

    def _batches(self, tables: Sequence[TableRows]) -> Iterator[list[TableRows]]:
        batch: list[TableRows] = []
        size = 0
        for table in sorted(tables, key=lambda one: (self._size(one), _name(one))):
            if batch and (len(batch) == _BATCH_TABLES or size + self._size(table) > _BATCH_BYTES):
                yield batch
                batch, size = [], 0
            batch.append(table)
            size += self._size(table)
        if batch:
            yield batch

    def _size(self, table: TableRows) -> int:
        return self._sizes.get(_name(table), _BATCH_BYTES)

    def _batch(self, batch: list[TableRows], marked: set[Name]) -> dict[Name, TableRows]:
        """Read some tables together; where that fails, each alone, and then only its rows."""
        if self.stop.is_set():
            return {}
        left = None if self._deadline is None else self._deadline - time.monotonic()
        size = sum(self._size(table) for table in batch)
        if left is not None and size / self._rate > left:
            marked = set()
        began = time.monotonic()
        try:
            with aside(self.connection, seconds=left if marked else None, canonical=True) as cursor:
                rows = cursor.execute(self._statement(batch, marked)).fetchall()
        except psycopg.Error:
            if self.connection.broken:
                raise
            return self._apart(batch, marked)
        if marked and size >= _TELLING_BYTES:
            self._rate = size / max(1e-6, time.monotonic() - began)
        return {
            _name(batch[place]): _with(batch[place], int(count), number or "")
            for place, count, number in rows
        }

    def _apart(self, batch: list[TableRows], marked: set[Name]) -> dict[Name, TableRows]:
        if len(batch) == 1:
            return self._batch(batch, set()) if marked else {}
        found: dict[Name, TableRows] = {}
        for table in batch:
            found |= self._batch([table], marked & {_name(table)})
        return found

    def _statement(self, batch: list[TableRows], marked: set[Name]) -> sql.Composed:
        """The tables' own rows, not those of their children."""
        parts = []
        for place, table in enumerate(batch):
            columns = self._columns.get(_name(table), [])
            # Names of columns were quoted by the server. A table may really have none.
            number = (
                fingerprint([sql.SQL(name) for name in columns])
                if _name(table) in marked
                else sql.SQL("NULL::pg_catalog.text")
            )
            parts.append(
                sql.SQL("SELECT {}::pg_catalog.int4, pg_catalog.count(*), {} FROM ONLY {}").format(
                    sql.Literal(place), number, sql.Identifier(table.schema, table.table)
                )
            )
        return sql.SQL(" UNION ALL ").join(parts)


def _name(table: TableRows) -> Name:
    return table.schema, table.table


def _with(table: TableRows, rows: int | None, number: str) -> TableRows:
    return TableRows(
        schema=table.schema,
        table=table.table,
        rows=rows,
        unlogged=table.unlogged,
        fingerprint=number,
    )


def _unread(table: TableRows) -> TableRows:
    return _with(table, None, "")
