"""Which rows of a database are not in another one: what putting the other in its place would lose.

Each row is hashed by the server as in :mod:`rollback_tui.postgres.contents`. The hashes are first
summed up in buckets, so that a table which is the same costs one reading on either side and nothing
on the wire; of the buckets that differ, the hashes come sorted and are merged here, however many
they are. Rows of a table with a primary key are told apart by it: new, changed or deleted.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from rollback_tui.core.model import Value
from rollback_tui.core.text import printable
from rollback_tui.postgres.aside import aside
from rollback_tui.postgres.connect import Connection

_BUCKETS = 4096

_ALL = _BUCKETS // 2
"""So many differing buckets and more: all rows are read."""


class Differing(Value, frozen=True, kw_only=True):
    """How many rows of one table are otherwise than in the other database."""

    table: str
    """Qualified, quoted where needed."""
    new: int | None
    """Not in the other one; None: not compared."""
    changed: int = 0
    """In both by their key, with other values."""
    deleted: int = 0
    """Only in the other one."""
    own: int = 0
    """Of the new and the changed, those that one given transaction wrote and nobody since."""
    keyed: bool = True
    """False: no primary key tells a changed row from a new and a deleted one."""
    left_out: tuple[str, ...] = ()
    """Columns that are not in both, or of another type: their values are not compared."""
    why: str = ""
    """Why it was not compared."""


class _Shape(NamedTuple):
    """One table as it is in one of the two databases."""

    partitioned: bool
    columns: dict[str, str]
    """Name, quoted → type."""
    key: tuple[str, ...]


class _Side(NamedTuple):
    """How the rows of a table are read on one side."""

    connection: Connection
    rows: sql.Composed
    """A SELECT of k (what tells rows apart), h (the whole row) and own."""


def differing(
    live: Connection,
    other: Connection,
    tables: Iterable[str],
    *,
    own_xid: str = "",
    seconds: float,
) -> tuple[Differing, ...]:
    """Compare ``tables`` of ``live`` with those of ``other``, in the order given, within
    ``seconds`` altogether; nobody may be writing. Tables that ``other`` has not are left out.

    ``own_xid``: a transaction (``pg_current_xact_id()`` as text) whose rows are told apart. Changes
    nothing. Raises psycopg.Error only when a connection is of no use any more.
    """
    deadline = time.monotonic() + seconds
    found = []
    for table in tables:
        try:
            one = _table(live, other, table, own_xid, deadline)
        except psycopg.Error as error:
            if live.broken or other.broken:
                raise
            one = Differing(table=table, new=None, why=_words(error))
        if one is not None:
            found.append(one)
    return tuple(found)


def _table(
    live: Connection, other: Connection, table: str, own_xid: str, deadline: float
) -> Differing | None:
    if deadline - time.monotonic() <= 0:
        return Differing(table=table, new=None, why="not reached in time")
    here, there = _shape(live, table), _shape(other, table)
    if here is None or there is None:
        return None
    common = [c for c, kind in here.columns.items() if there.columns.get(c) == kind]
    left_out = tuple(sorted(set(here.columns) - set(common)))
    if not common:
        return Differing(table=table, new=None, left_out=left_out, why="no column is in both")
    key = here.key if here.key == there.key and set(here.key) <= set(common) else ()
    xid = str(int(own_xid) % 2**32) if own_xid else ""
    left = _Side(live, _rows(table, here, common, key, xid))
    right = _Side(other, _rows(table, there, common, key, ""))
    buckets = _buckets(left, right, deadline)
    counted = _merged(left, right, buckets, deadline) if buckets else _Counted()
    return Differing(
        table=table,
        new=counted.new,
        changed=counted.changed,
        deleted=counted.deleted,
        own=counted.own,
        keyed=bool(key),
        left_out=left_out,
    )


_SHAPE = """
SELECT c.relkind = 'p',
       ARRAY(SELECT ARRAY[quote_ident(a.attname), format_type(a.atttypid, a.atttypmod)]
               FROM pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
              ORDER BY a.attnum),
       ARRAY(SELECT quote_ident(a.attname)
               FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY k (n, place)
               JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n
              WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid
              ORDER BY k.place)
  FROM pg_class c WHERE c.oid = to_regclass(%s) AND c.relkind IN ('r', 'p')
"""


def _shape(connection: Connection, table: str) -> _Shape | None:
    with aside(connection, canonical=True) as cursor:
        row = cursor.execute(_SHAPE, [table]).fetchone()
    if row is None:
        return None
    partitioned, columns, key = row
    return _Shape(partitioned, dict(columns), tuple(key))


_HASH = 'pg_catalog.hashtextextended((ROW({})::pg_catalog.text) COLLATE "C", 0)'


def _rows(
    table: str, shape: _Shape, columns: Sequence[str], key: Sequence[str], xid: str
) -> sql.Composed:
    """Names came quoted from the catalog. ``ONLY``: what inherits is a table of its own."""
    whole, by = (sql.SQL(_HASH).format(_listed(c)) for c in (columns, key or columns))
    own = sql.SQL("t.xmin = {}::xid").format(sql.Literal(xid)) if xid else sql.SQL("false")
    return sql.SQL("SELECT {} AS k, {} AS h, {} AS own FROM {}{} AS t").format(
        by, whole, own, sql.SQL("" if shape.partitioned else "ONLY "), sql.SQL(table)
    )


def _listed(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL(f"t.{c}") for c in columns)


_SUMS = "SELECT s.k & {}, count(*), sum(s.h)::text FROM ({}) AS s GROUP BY 1"


def _buckets(left: _Side, right: _Side, deadline: float) -> list[int]:
    """Return the buckets in which the two sides differ; both are read at the same time."""

    def sums(side: _Side) -> dict[int, TupleRow]:
        text = sql.SQL(_SUMS).format(sql.Literal(_BUCKETS - 1), side.rows)
        with aside(side.connection, seconds=_left(deadline), canonical=True) as cursor:
            return {row[0]: row[1:] for row in cursor.execute(text)}

    with ThreadPoolExecutor(1) as pool:
        there = pool.submit(sums, right)
        here = sums(left)
        other = there.result()
    return sorted(b for b in here.keys() | other.keys() if here.get(b) != other.get(b))


class _Counted:
    """What a merge has found so far."""

    def __init__(self) -> None:
        self.new = self.changed = self.deleted = self.own = 0

    def take(self, here: Sequence[_Row], there: Sequence[_Row]) -> None:
        """Take in the rows of one key (usually one on either side)."""
        gone = Counter(row[1] for row in there)
        unmatched = []
        for row in here:
            if gone[row[1]] > 0:
                gone[row[1]] -= 1
            else:
                unmatched.append(row)
        deleted = gone.total()
        changed = min(len(unmatched), deleted)
        self.changed += changed
        self.new += len(unmatched) - changed
        self.deleted += deleted - changed
        self.own += sum(row[2] for row in unmatched)


_Row = tuple[int, int, bool]
_KEY = itemgetter(0)


def _merged(left: _Side, right: _Side, buckets: list[int], deadline: float) -> _Counted:
    """Count the rows of these buckets that are not the same on both sides."""
    counted = _Counted()
    with (
        aside(left.connection, seconds=_left(deadline), canonical=True) as ours,
        aside(right.connection, seconds=_left(deadline), canonical=True) as theirs,
        ours.copy(_sorted(left, buckets)) as copy,
        theirs.copy(_sorted(right, buckets)) as copied,
    ):
        for here, there in _paired(_read(copy, deadline), _read(copied, deadline)):
            counted.take(here, there)
    return counted


def _sorted(side: _Side, buckets: list[int]) -> sql.Composed:
    some: sql.Composable = sql.SQL("true")
    if len(buckets) < _ALL:
        some = sql.SQL("s.k & {} = ANY ({})").format(sql.Literal(_BUCKETS - 1), buckets)
    return sql.SQL("COPY (SELECT s.* FROM ({}) AS s WHERE {} ORDER BY 1, 2) TO STDOUT").format(
        side.rows, some
    )


def _read(copy: psycopg.Copy, deadline: float) -> Iterator[_Row]:
    for line in copy:
        if time.monotonic() > deadline:
            raise psycopg.errors.QueryCanceled("the time allowed for comparing is over")
        key, whole, own = bytes(line).split(b"\t")
        yield int(key), int(whole), own == b"t\n"


def _paired(
    left: Iterator[_Row], right: Iterator[_Row]
) -> Iterator[tuple[Sequence[_Row], Sequence[_Row]]]:
    """Yield the rows of each key, of both sides; both come in the order of their keys."""
    ours, theirs = _groups(left), _groups(right)
    here, there = next(ours, None), next(theirs, None)
    while here is not None or there is not None:
        if there is None or (here is not None and here[0] < there[0]):
            yield (here[1] if here else ()), ()
            here = next(ours, None)
        elif here is None or there[0] < here[0]:
            yield (), there[1]
            there = next(theirs, None)
        else:
            yield here[1], there[1]
            here, there = next(ours, None), next(theirs, None)


def _groups(rows: Iterator[_Row]) -> Iterator[tuple[int, list[_Row]]]:
    for key, group in groupby(rows, _KEY):
        yield key, list(group)


def _left(deadline: float) -> float:
    return max(0.001, deadline - time.monotonic())


def _words(error: psycopg.Error) -> str:
    if isinstance(error, psycopg.errors.QueryCanceled):
        return "it took longer than the time allowed for comparing"
    return printable(error.diag.message_primary or " ".join(str(error).split()))
