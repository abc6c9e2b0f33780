"""The rows of the framework's own tables, brought into a scratch database that has none: what the
plan changes there must find what it expects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg import errors, sql

from rollback_tui.core.model import Plan
from rollback_tui.postgres.connect import Connection

_SEQUENCES = """
SELECT a.attname, pg_catalog.pg_get_serial_sequence(%(table)s, a.attname)
  FROM pg_catalog.pg_attribute a
 WHERE a.attrelid = pg_catalog.to_regclass(%(table)s) AND a.attnum > 0 AND NOT a.attisdropped
   AND pg_catalog.pg_get_serial_sequence(%(table)s, a.attname) IS NOT NULL
"""


def read(connection: Connection, plan: Plan) -> dict[str, list[bytes]]:
    """Return the rows of each of them that there is, as COPY writes them. Raises psycopg.Error."""
    found = {}
    for table in plan.books:
        there = connection.execute("SELECT pg_catalog.to_regclass(%s)", [table]).fetchone()
        if there == (None,):
            continue
        # The name is quoted by whoever found it.
        with (
            connection.cursor() as cursor,
            cursor.copy(sql.SQL("COPY {} TO STDOUT").format(sql.SQL(table))) as rows,
        ):
            found[table] = [bytes(row) for row in rows]
    return found


def write(connection: Connection, rows: Mapping[str, Sequence[bytes]]) -> None:
    """Write them, those first that others refer to; sequences go on where the target's are.

    ``connection`` is in autocommit. Raises psycopg.Error.
    """
    left = dict(rows)
    while left:
        waiting: dict[str, Sequence[bytes]] = {}
        for table, its_rows in left.items():
            try:
                _copy(connection, table, its_rows)
            except errors.ForeignKeyViolation:
                if len(waiting) + 1 == len(left):
                    # None of them can be first.
                    raise
                waiting[table] = its_rows
            else:
                _go_on(connection, table)
        left = waiting


def _go_on(connection: Connection, table: str) -> None:
    """Set the sequences of ``table`` behind its rows: COPY does not touch them."""
    for column, sequence in connection.execute(_SEQUENCES, {"table": table}).fetchall():
        name = sql.Identifier(column)
        connection.execute(
            sql.SQL(
                "SELECT pg_catalog.setval({}::pg_catalog.regclass, pg_catalog.max({}))"
                " FROM {} HAVING pg_catalog.max({}) IS NOT NULL"
            ).format(sql.Literal(sequence), name, sql.SQL(table), name)
        )


def _copy(connection: Connection, table: str, rows: Sequence[bytes]) -> None:
    name = sql.SQL(table)
    with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("COPY {} FROM STDIN").format(name)) as taken,
    ):
        for row in rows:
            taken.write(row)
