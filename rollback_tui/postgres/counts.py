"""How many rows there are: estimated at once, exact where it was counted; and what goes.

Every function works inside an open transaction as well as outside one and leaves no trace in it.
A number that row-level security would make too small is not given at all. Our own schema,
``rollback_tui``, is never among the tables: the run adds a row to it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from rollback_tui.core.model import Doomed, Loss, Statement, TableCount
from rollback_tui.postgres.aside import aside, query
from rollback_tui.postgres.dependents import collateral

_WITH_ROWS = ("table", "partitioned table")
_SMALL_BYTES = 1024 * 1024
_TOGETHER = 200
"""Tables counted by one statement; each needs a lock of its own while it lasts."""

_NOT_COUNTED = (
    psycopg.errors.QueryCanceled,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.ObjectNotInPrerequisiteState,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
)
"""Out of time; no privilege, or a policy hides rows; a materialised view without data; gone while
we waited for it."""


def tables(conn: psycopg.Connection[Any]) -> tuple[TableCount, ...]:
    """Return tables and materialised views with estimates and sizes, the largest first.

    A partitioned table has the sum of its leaves, which are not listed themselves; its estimate
    is None as soon as one leaf was never analysed. One query; a second one, with sizes of the
    last ANALYZE, when a lock on some table stands in the way of measuring. Raises psycopg.Error.
    """
    return _tables(conn, seconds=5)


def count(conn: psycopg.Connection[Any], table: str, seconds: float) -> int | None:
    """Return the exact number of rows of ``table``, or None when it could not be counted.

    ``table`` is a name as :func:`tables` gives it. None after ``seconds`` (waiting for a lock
    included), without the privilege, or when row-level security would hide rows. Raises
    psycopg.errors.UndefinedTable when there is none of that name.
    """
    relation, _ = _known(conn, table)
    if relation is None:
        raise psycopg.errors.UndefinedTable(f"there is no table {table}")
    return _number(conn, _rows_of(relation), seconds)


def count_all(
    conn: psycopg.Connection[Any], seconds: float, *, only: Iterable[str] | None = None
) -> dict[str, int | None]:
    """Return the exact number of rows of every table, the smallest first, within ``seconds``.

    ``only`` names the tables (as :func:`tables` does). None: not counted, because time ran out
    or we may not. A table that does not exist (any more) is left out.
    """
    deadline = time.monotonic() + seconds
    found: dict[str, int | None] = {}
    if only is None:
        listed = [t for t in reversed(_tables(conn, min(seconds, 1))) if t.kind in _WITH_ROWS]
        small = [t.name for t in listed if t.bytes <= _SMALL_BYTES]
        for place in range(0, len(small), _TOGETHER):
            batch = small[place : place + _TOGETHER]
            found |= _count_together(conn, batch, deadline - time.monotonic())
        wanted = [t.name for t in listed if t.name not in found]
    else:
        wanted = list(dict.fromkeys(only))
    for name in wanted:
        left = deadline - time.monotonic()
        if left <= 0:
            found[name] = None
            continue
        with suppress(psycopg.errors.UndefinedTable):
            found[name] = count(conn, name, left)
    return dict(sorted(found.items()))


def _count_together(
    conn: psycopg.Connection[Any], names: Sequence[str], seconds: float
) -> dict[str, int | None]:
    """Count small tables in one statement: a database may have ten thousand of them, and the
    door is closed meanwhile. One that cannot be counted spoils its statement: then it is empty."""
    if seconds <= 0:
        return {}
    parts = [
        sql.SQL("SELECT {}::int, pg_catalog.count(*) FROM {}").format(place, sql.SQL(name))
        for place, name in enumerate(names)
    ]
    try:
        with aside(conn, seconds=seconds, canonical=True) as cursor:
            rows = cursor.execute(sql.SQL(" UNION ALL ").join(parts)).fetchall()
    except (*_NOT_COUNTED, psycopg.errors.UndefinedTable):
        return {}
    return {names[place]: number for place, number in rows}


def losses(
    conn: psycopg.Connection[Any],
    statement: Statement,
    seconds: float,
    *,
    in_run: bool = False,
) -> tuple[Loss, ...]:
    """Count what ``statement`` would remove now, within ``seconds`` altogether.

    A table loses its rows, a column the values that are not null. Rows chosen by a WHERE are not
    counted beforehand (``count=None``): the statement itself will say. What does not exist loses
    nothing. With CASCADE, all that goes along is counted too.
    ``in_run`` marks numbers counted in the run's transaction, the relations locked.
    """
    deadline = time.monotonic() + seconds
    found: dict[tuple[str, str | None], Loss] = {}
    for doomed in (*statement.effect.doomed, *collateral(conn, statement)):
        relation, column = _known(conn, doomed.relation, doomed.column)
        if relation is None or (doomed.kind == "column" and column is None):
            continue
        found[relation, column] = Loss(
            kind="values" if doomed.kind == "column" else "rows",
            relation=relation,
            column=column if doomed.kind == "column" else None,
            count=_lost(conn, doomed, relation, column, deadline - time.monotonic()),
            basis="counted in the run" if in_run else "counted before",
        )
    return tuple(found.values())


def _lost(
    conn: psycopg.Connection[Any],
    doomed: Doomed,
    relation: str,
    column: str | None,
    seconds: float,
) -> int | None:
    if doomed.kind == "rows" or seconds <= 0:
        return None
    if doomed.kind == "table":
        return _number(conn, _rows_of(relation), seconds)
    values = sql.SQL("SELECT pg_catalog.count({}) FROM {}").format(
        sql.SQL(column or ""), sql.SQL(relation)
    )
    return _number(conn, values, seconds)


def _rows_of(relation: str) -> sql.Composed:
    """``relation`` was quoted by the server itself."""
    return sql.SQL("SELECT pg_catalog.count(*) FROM {}").format(sql.SQL(relation))


def _number(conn: psycopg.Connection[Any], text: sql.Composed, seconds: float) -> int | None:
    """Run a count; None when it could not be done."""
    try:
        with aside(conn, seconds=seconds, canonical=True) as cursor:
            row = cursor.execute(text).fetchone()
    except _NOT_COUNTED:
        return None
    return int(row[0]) if row else None


def _known(
    conn: psycopg.Connection[Any], name: str, column: str | None = None
) -> tuple[str | None, str | None]:
    """Return the qualified, quoted name of a relation (and of a column), or None for each."""
    try:
        with aside(conn) as cursor:
            row = cursor.execute(
                query("known_relation").encode(), {"name": name, "column": column}
            ).fetchone()
    except (psycopg.errors.InvalidName, psycopg.errors.SyntaxError, psycopg.DataError):
        # A name that PostgreSQL cannot read names nothing.
        return None, None
    return (row[0], row[1]) if row else (None, None)


def _tables(conn: psycopg.Connection[Any], seconds: float) -> tuple[TableCount, ...]:
    try:
        rows = _table_rows(conn, seconds, measured=True)
    except psycopg.errors.QueryCanceled:
        rows = _table_rows(conn, 5, measured=False)
    return tuple(
        TableCount(name=name, kind=kind, estimate=estimate, exact=None, bytes=size)
        for name, kind, estimate, size in rows
    )


def _table_rows(conn: psycopg.Connection[Any], seconds: float, *, measured: bool) -> list[TupleRow]:
    with aside(conn, seconds=seconds, canonical=True) as cursor:
        return cursor.execute(query("tables").encode(), {"measured": measured}).fetchall()
