"""The contents of a table as one number that does not depend on the order of its rows.

Each row is written down as text by the server, hashed to 64 bits, and the hashes are summed up: a
row more, a row less, a value changed or two values exchanged gives another sum. The text is that
of the types' own output functions, so no code of users is called, and it must be taken with the
settings of :data:`rollback_tui.postgres.aside.CANONICAL`, which fix how constants are written.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from rollback_tui.postgres.aside import aside, query

METHOD = "sum of hashtextextended(row, 0), 1"
"""How it is computed. Only fingerprints of one method can be compared; kept beside each one that
is kept. The hash is the same on PostgreSQL 13 to 18 and on machines of one byte order."""


def fingerprint(columns: Sequence[sql.Composable]) -> sql.Composed:
    """Return the aggregate, as text, over ``columns`` (SQL, quoted) of all rows of a FROM.

    ``0`` of a table without rows. A record of one column or of none is a record, too; NULL and an
    empty text are written differently in it. ``sum`` of bigint is a numeric: it cannot overflow.
    """
    return sql.SQL(
        "coalesce(pg_catalog.sum(pg_catalog.hashtextextended("
        '(ROW({})::pg_catalog.text) COLLATE "C", 0)), 0)::pg_catalog.text'
    ).format(sql.SQL(", ").join(columns))


class Column(NamedTuple):
    """One column of a table."""

    number: int
    """``pg_attribute.attnum``: it stays when the column is renamed."""
    name: str
    """Quoted where needed."""
    bare: str
    type: int
    modifier: int
    generated: bool
    by_oid: bool
    """Of a ``reg…`` type, whose text follows what it names: read as the number it is."""
    types: tuple[str, ...]
    """Types of users that the text of a value depends on, qualified."""
    heirs: bool
    """The table has heirs that are no partitions: their rows are not its own."""

    @property
    def expression(self) -> sql.SQL:
        """How it is read."""
        # The name was quoted by the server itself.
        return sql.SQL(f"{self.name}::pg_catalog.oid" if self.by_oid else self.name)


class Reading(NamedTuple):
    """One table that is to be read."""

    oid: int
    table: str
    """Qualified and quoted where needed."""
    columns: tuple[Column, ...] | None
    """None: its rows are only counted."""
    small: bool
    """Read together with others, in one statement."""


class Read(NamedTuple):
    """What was found in one table."""

    rows: int | None
    """None: not read."""
    fingerprint: str = ""
    """Empty: only counted, or not read."""
    why: str = ""
    """Why it was not read."""


_TOGETHER = 100
"""Small tables read by one statement; each needs a lock of its own while it lasts."""

OUT_OF_TIME = "not reached within the budget"

_NOT_READ = {
    psycopg.errors.QueryCanceled: OUT_OF_TIME,
    psycopg.errors.LockNotAvailable: "another session has it locked",
    psycopg.errors.InsufficientPrivilege: "this role may not read all of it",
    psycopg.errors.ObjectNotInPrerequisiteState: "it has no data",
    psycopg.errors.UndefinedTable: "it is not there",
    psycopg.errors.UndefinedColumn: "a column of it is not there",
    psycopg.errors.UndefinedFunction: "a type of it cannot be written as text",
}


def columns(
    connection: psycopg.Connection[Any], oids: Iterable[int]
) -> dict[int, tuple[Column, ...]]:
    """Return the columns of tables, in order; a table that is not there has none.

    Raises psycopg.Error.
    """
    found: dict[int, list[Column]] = {}
    with aside(connection, canonical=True) as cursor:
        rows = cursor.execute(query("contents_columns").encode(), {"oids": list(oids)}).fetchall()
    for oid, number, name, bare, type_, modifier, generated, by_oid, types, heirs in rows:
        found.setdefault(oid, []).append(
            Column(number, name, bare, type_, modifier, generated, by_oid, tuple(types), heirs)
        )
    return {oid: tuple(every) for oid, every in found.items()}


def read(
    connection: psycopg.Connection[Any], readings: Sequence[Reading], seconds: float
) -> dict[int, Read]:
    """Read tables, in the order given but the small ones first, within ``seconds`` altogether.

    What cannot be read says why. Works in an open transaction and leaves no trace in it. Raises
    psycopg.Error only when the connection is of no use.
    """
    deadline = time.monotonic() + seconds
    found: dict[int, Read] = {}
    small = [reading for reading in readings if reading.small]
    for place in range(0, len(small), _TOGETHER):
        batch = small[place : place + _TOGETHER]
        found |= _asked(connection, batch, deadline) if deadline > time.monotonic() else {}
    for reading in readings:
        if reading.oid not in found:
            found |= _alone(connection, reading, deadline)
    return found


def _alone(
    connection: psycopg.Connection[Any], reading: Reading, deadline: float
) -> dict[int, Read]:
    if deadline <= time.monotonic():
        return {reading.oid: Read(None, why=OUT_OF_TIME)}
    why: list[str] = []
    return _asked(connection, [reading], deadline, why) or {
        reading.oid: Read(None, why="".join(why))
    }


def _asked(
    connection: psycopg.Connection[Any],
    readings: Sequence[Reading],
    deadline: float,
    why: list[str] | None = None,
) -> dict[int, Read]:
    """Ask for several in one statement; one that cannot be read spoils it: then it is empty, and
    ``why`` says so."""
    text = sql.SQL(" UNION ALL ").join(_select(reading) for reading in readings)
    try:
        with aside(connection, seconds=deadline - time.monotonic(), canonical=True) as cursor:
            cursor.execute("SELECT pg_catalog.set_config('lc_monetary', 'C', true)")
            rows = cursor.execute(text).fetchall()
    except tuple(_NOT_READ) as error:
        if why is not None:
            why.append(_NOT_READ[type(error)])
        return {}
    return {oid: Read(number, mark) for oid, number, mark in rows}


def _select(reading: Reading) -> sql.Composed:
    own = bool(reading.columns) and reading.columns is not None and reading.columns[0].heirs
    mark: sql.Composable = sql.SQL("''")
    if reading.columns:
        mark = fingerprint([column.expression for column in reading.columns])
    return sql.SQL("SELECT {}::pg_catalog.int8, pg_catalog.count(*), {} FROM {}{}").format(
        sql.Literal(reading.oid),
        mark,
        sql.SQL("ONLY " if own else ""),
        sql.SQL(reading.table),
    )
