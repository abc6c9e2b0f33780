"""What depends on the things a plan drops, and whether our role may drop them at all.

How the walk goes is told in :mod:`rollback_tui.postgres.deletion`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from rollback_tui.core.model import Doomed, Statement
from rollback_tui.core.outlook import Dependent
from rollback_tui.postgres.addresses import addresses
from rollback_tui.postgres.aside import aside, canonical_from_here, query
from rollback_tui.postgres.deletion import Address, Known, walk

Cursor = psycopg.Cursor[TupleRow]


def dependents(
    conn: psycopg.Connection[Any], statements: Sequence[Statement], seconds: float = 30
) -> tuple[Dependent, ...]:
    """Return what depends on the things ``statements`` drop and is not itself dropped in time.

    A view that statement 1 drops does not stand in the way of statement 3. With CASCADE all that
    goes with it is named too. An object that the catalog does not know (yet, or any more) has no
    dependents. Raises psycopg.Error.
    """
    with aside(conn, seconds=seconds) as cursor:
        dropped = _resolved(cursor, statements)
        canonical_from_here(cursor)
        known = Known(cursor)
        known.prefetch(
            (address for roots in dropped for address in roots),
            cascade=any(s.effect.cascade for s in statements),
        )
        gone: set[Address] = set()
        found: list[tuple[Statement, str, Address]] = []
        for statement, roots in zip(statements, dropped, strict=True):
            for name, stopped_by in walk(
                known.edges, roots, gone, cascade=statement.effect.cascade
            ):
                found.append((statement, name, stopped_by))
        names = _describe(cursor, {address for _, _, address in found})
    return tuple(
        Dependent(
            statement=statement.index,
            dropped=name,
            dependent=names[address],
            cascades=statement.effect.cascade,
        )
        for statement, name, address in found
        if address in names
    )


def collateral(
    conn: psycopg.Connection[Any], statement: Statement, seconds: float = 30
) -> tuple[Doomed, ...]:
    """Return the tables and columns whose data goes with ``statement`` because of CASCADE.

    ``DROP SCHEMA … CASCADE`` takes tables, ``DROP TYPE … CASCADE`` columns, and ``TRUNCATE …
    CASCADE`` empties all that references the table. What the statement names itself is among
    them. Nothing without CASCADE. Raises psycopg.Error.
    """
    if not statement.effect.cascade:
        return ()
    with aside(conn, seconds=seconds) as cursor:
        if statement.effect.kind.upper().startswith("TRUNCATE"):
            named = addresses(cursor, [("table", d.relation) for d in statement.effect.doomed])
            roots = [address for found in named.values() for address in found]
            name = "truncated_too"
        else:
            gone: set[Address] = set()
            dropped = _resolved(cursor, [statement])[0]
            walk(Known(cursor).edges, dropped, gone, cascade=True)
            catalog = cursor.execute("SELECT 'pg_catalog.pg_class'::regclass::oid").fetchone()
            roots = [a for a in gone if catalog is not None and a.catalog == catalog[0]]
            name = "tables_and_columns"
        canonical_from_here(cursor)
        rows = cursor.execute(
            query(name).encode(),
            {"objects": [a.object for a in roots], "columns": [a.column for a in roots]},
        ).fetchall()
    return tuple(
        Doomed(kind="table" if column is None else "column", relation=table, column=column)
        for table, column in rows
    )


def not_owned(conn: psycopg.Connection[Any], statements: Sequence[Statement]) -> tuple[str, ...]:
    """Return the objects that ``statements`` change and that our role may not change.

    Changing a table needs its owner's role (or a superuser); to drop it, the owner of its schema
    will do. DELETE, UPDATE, INSERT and TRUNCATE need only the privilege. Raises psycopg.Error.
    """
    asked: dict[tuple[str, str, str], None] = {}
    for statement in statements:
        first = statement.effect.kind.split(" ", 1)[0].upper()
        privilege = first if first in ("DELETE", "UPDATE", "INSERT", "TRUNCATE") else ""
        if first in ("SELECT", "GRANT", "REVOKE", "CREATE", "DO", "CALL", "COMMENT", "SET"):
            continue
        mentioned = dict.fromkeys(statement.effect.objects, "table")
        mentioned |= {name: kind for kind, name in statement.effect.drops}
        asked |= dict.fromkeys((kind, name, privilege) for name, kind in mentioned.items())
    if not asked:
        return ()
    with aside(conn) as cursor:
        found = addresses(cursor, [(kind, name) for kind, name, _ in asked])
        known = [
            (name, privilege, address)
            for kind, name, privilege in asked
            for address in found[kind, name]
        ]
        rows = cursor.execute(
            query("not_owned").encode(),
            {
                "names": [name for name, _, _ in known],
                "privileges": [privilege for _, privilege, _ in known],
                "catalogs": [address.catalog for _, _, address in known],
                "objects": [address.object for _, _, address in known],
            },
        ).fetchall()
    return tuple(dict.fromkeys(row[0] for row in rows))


def row_security_tables(conn: psycopg.Connection[Any]) -> tuple[str, ...]:
    """Return the tables whose row-level security applies to our role: a dump would miss rows."""
    with aside(conn, canonical=True) as cursor:
        return tuple(row[0] for row in cursor.execute(query("row_security").encode()))


def _resolved(cursor: Cursor, statements: Sequence[Statement]) -> list[dict[Address, str]]:
    """For each statement what it drops: where it is, and what to call it."""
    known = addresses(cursor, (drop for s in statements for drop in s.effect.drops))
    return [
        {
            address: f"{kind} {name}"
            for kind, name in statement.effect.drops
            for address in known[kind, name]
        }
        for statement in statements
    ]


def _describe(cursor: Cursor, addresses: set[Address]) -> dict[Address, str]:
    ordered = sorted(addresses)
    rows = cursor.execute(
        "SELECT c, o, s, pg_catalog.pg_describe_object(c, o, s)"
        " FROM unnest(%s::oid[], %s::oid[], %s::int[]) AS a(c, o, s)",
        [[a.catalog for a in ordered], [a.object for a in ordered], [a.column for a in ordered]],
    ).fetchall()
    return {Address(*row[0:3]): row[3] for row in rows if row[3] is not None}
