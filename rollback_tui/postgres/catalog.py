"""What the catalog says: the schema, foreign keys, indexes, sequences, version tables.

Every function works inside an open transaction as well as outside one and leaves no trace in it.
All of them raise psycopg.Error, after which a transaction outside is still usable.

None of them looks into schema ``rollback_tui``. The run writes its own row there, so with it
nothing would ever be "as before the run"; and the schema belongs to no migration, so it may come
and go without anybody's schema having changed.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Any

import psycopg
from psycopg import sql

from rollback_tui.core.model import Value
from rollback_tui.postgres.aside import aside, query
from rollback_tui.postgres.dependents import dependents, not_owned, row_security_tables
from rollback_tui.postgres.schema import snapshot

__all__ = [
    "ForeignKey",
    "SequenceBehind",
    "dependents",
    "foreign_key_violations",
    "foreign_keys",
    "invalid_indexes",
    "not_owned",
    "row_security_tables",
    "sequences_behind",
    "snapshot",
    "version_table_shapes",
]

Shape = tuple[str, str, tuple[tuple[str, str], ...], tuple[str, ...]]
"""Schema, name, ((column, type), …) in order, columns of the primary key."""


# --- foreign keys -------------------------------------------------------------------------------


class ForeignKey(Value, frozen=True, kw_only=True):
    """One foreign key, named so that it can be checked. All names are quoted where needed."""

    name: str
    """``public.orders.orders_user_id_fkey``."""
    table: str
    columns: tuple[str, ...]
    referenced: str
    referenced_columns: tuple[str, ...]
    operators: tuple[str, ...]
    """``pg_catalog.=``: how each pair is compared, referenced column first."""
    collations: tuple[str, ...]
    """The referenced column's collation where the other one's differs; else empty."""
    match_full: bool
    table_only: bool
    """The table has no partitions: what inherits from it is not bound by the key."""
    referenced_only: bool
    unchecked: str = ""
    """Why it cannot be checked by equality: ``NOT VALID`` …; empty when it can."""


def foreign_keys(conn: psycopg.Connection[Any]) -> tuple[ForeignKey, ...]:
    """Return the foreign keys of all user tables, by name; those of partitions are their parent's.

    NOT VALID ones promise nothing of the rows that are there; NOT ENFORCED and PERIOD exist from
    PostgreSQL 18 on. All three are returned with ``unchecked`` set.
    """
    with aside(conn, canonical=True) as cursor:
        name = "foreign_keys" if conn.info.server_version >= 180000 else "foreign_keys_17"
        rows = cursor.execute(query(name).encode()).fetchall()
    return tuple(
        ForeignKey(
            name=name,
            table=table,
            columns=tuple(columns),
            referenced=referenced,
            referenced_columns=tuple(referenced_columns),
            operators=tuple(operators),
            collations=tuple(collations),
            match_full=match_full,
            table_only=table_only,
            referenced_only=referenced_only,
            unchecked=unchecked,
        )
        for (
            name,
            table,
            columns,
            referenced,
            referenced_columns,
            operators,
            collations,
            match_full,
            table_only,
            referenced_only,
            unchecked,
        ) in rows
    )


def foreign_key_violations(
    conn: psycopg.Connection[Any],
    fk: ForeignKey,
    limit: int = 1000,
    seconds: float = 60,
) -> int | None:
    """Return how many rows have no counterpart, at most ``limit``; None when it is unchecked.

    By anti-join, because ``convalidated`` stays true when rows were written under
    ``session_replication_role = replica``. Raises psycopg.errors.QueryCanceled after ``seconds``.
    """
    if fk.unchecked:
        return None
    pairs = sql.SQL(" AND ").join(
        sql.SQL(f"r.{b}{f' COLLATE {c}' if c else ''} OPERATOR({o}) t.{a}")
        for a, b, o, c in zip(
            fk.columns, fk.referenced_columns, fk.operators, fk.collations, strict=True
        )
    )
    table = f"{'ONLY ' if fk.table_only else ''}{fk.table} t"
    referenced = f"{'ONLY ' if fk.referenced_only else ''}{fk.referenced} r"
    all_set = " AND ".join(f"t.{c} IS NOT NULL" for c in fk.columns)
    some_null = " OR ".join(f"t.{c} IS NULL" for c in fk.columns)
    some_set = " OR ".join(f"t.{c} IS NOT NULL" for c in fk.columns)
    # Every name here came quoted from the catalog, through quote_ident or regclass.
    parts = [
        sql.SQL("SELECT 1 FROM {} WHERE {} AND NOT EXISTS (SELECT FROM {} WHERE {})").format(
            sql.SQL(table),
            sql.SQL(all_set),
            sql.SQL(referenced),
            pairs,
        )
    ]
    if fk.match_full and len(fk.columns) > 1:
        parts.append(
            sql.SQL("SELECT 1 FROM {} WHERE ({}) AND ({})").format(
                sql.SQL(table),
                sql.SQL(some_null),
                sql.SQL(some_set),
            )
        )
    statement = sql.SQL("SELECT pg_catalog.count(*) FROM ({} LIMIT {}) AS missing").format(
        sql.SQL(" UNION ALL ").join(parts), sql.Literal(limit)
    )
    with aside(conn, seconds=seconds, canonical=True) as cursor:
        row = cursor.execute(statement).fetchone()
    return int(row[0]) if row else None


# --- indexes, sequences, version tables -----------------------------------------------------------


def invalid_indexes(conn: psycopg.Connection[Any]) -> tuple[str, ...]:
    """Return the indexes that the planner does not use: a failed or unfinished build."""
    with aside(conn, canonical=True) as cursor:
        return tuple(row[0] for row in cursor.execute(query("invalid_indexes").encode()))


class SequenceBehind(Value, frozen=True, kw_only=True):
    """A sequence whose next number its column already holds: the next INSERT would fail."""

    sequence: str
    column: str
    next_value: int
    highest: int
    """The lowest, for a sequence that counts down."""

    def describe(self) -> str:
        """Return it as words."""
        return (
            f"{self.sequence}: would next give {self.next_value:,}, "
            f"{self.column} already holds {self.highest:,}"
        )


def sequences_behind(
    conn: psycopg.Connection[Any], seconds: float = 10, *, only: Collection[str] | None = None
) -> tuple[SequenceBehind, ...]:
    """Return the owned sequences that would next give a number their column is already past.

    ``only``: those of these tables, and these sequences, qualified and quoted where needed.

    Raises psycopg.errors.QueryCanceled when all of it takes longer than ``seconds``.
    """
    deadline = time.monotonic() + seconds
    found = []
    with aside(conn, canonical=True) as cursor:
        owned = cursor.execute(query("owned_sequences").encode()).fetchall()
    for sequence, table, column, step in owned:
        if only is not None and table not in only and sequence not in only:
            continue
        left = deadline - time.monotonic()
        if left <= 0:
            raise psycopg.errors.QueryCanceled(f"no time left before {sequence}")
        statement = sql.SQL(
            "SELECT s.last_value + CASE WHEN s.is_called THEN {step} ELSE 0 END,"
            " (SELECT pg_catalog.{edge}({column}) FROM {table})::bigint FROM {sequence} s"
        ).format(
            step=sql.Literal(step),
            edge=sql.SQL("max" if step > 0 else "min"),
            column=sql.SQL(column),
            table=sql.SQL(table),
            sequence=sql.SQL(sequence),
        )
        with aside(conn, seconds=left, canonical=True) as cursor:
            row = cursor.execute(statement).fetchone()
        if row is None or row[1] is None:
            continue
        next_value, edge = row
        if (step > 0 and next_value <= edge) or (step < 0 and next_value >= edge):
            found.append(
                SequenceBehind(
                    sequence=sequence,
                    column=f"{table}.{column}",
                    next_value=next_value,
                    highest=edge,
                )
            )
    return tuple(found)


def version_table_shapes(
    conn: psycopg.Connection[Any], names: Sequence[str], configured: str = ""
) -> tuple[Shape, ...]:
    """Return the tables that could be a framework's version table, with their shape.

    Those called as one of ``names``, in any schema; and ``configured``, which is
    ``schema.table`` or a name found through ``search_path``. Unquoted, not for display.
    """
    with aside(conn) as cursor:
        rows = cursor.execute(
            query("version_tables").encode(),
            {"names": list(names), "configured": configured},
        ).fetchall()
    return tuple(
        (schema, name, tuple(zip(columns, types, strict=True)), tuple(key))
        for schema, name, columns, types, key in rows
    )
