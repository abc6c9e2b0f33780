"""The contents of a table as one number that does not depend on the order of its rows.

Each row is written down as text by the server, hashed to 64 bits, and the hashes are summed up: a
row more, a row less, a value changed or two values exchanged gives another sum. The text is that
of the types' own output functions, so no code of users is called, and it must be taken with the
settings of :data:`rollback_tui.postgres.aside.CANONICAL`, which fix how constants are written.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

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
