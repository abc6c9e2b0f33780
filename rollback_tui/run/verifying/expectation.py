"""What the plan itself removes, rows and objects: read before the first statement, judged after the
last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from psycopg import sql

from rollback_tui.core.model import Plan
from rollback_tui.core.names import chains, parts
from rollback_tui.core.run_view import RunView
from rollback_tui.postgres.addresses import addresses
from rollback_tui.postgres.aside import aside
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.deletion import Address

# A dropped table takes its partitions and, with CASCADE, its inheritance children along; a
# dropped schema everything in it.
_DROPPED = """
WITH RECURSIVE gone (oid) AS (
    SELECT c.oid FROM unnest(%(relations)s::text[]) AS wanted
    JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(wanted)
    UNION
    SELECT c.oid FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE pg_catalog.quote_ident(n.nspname) = ANY(%(schemas)s)
    UNION
    SELECT i.inhrelid FROM gone JOIN pg_catalog.pg_inherits i ON i.inhparent = gone.oid
)
SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname)
FROM gone JOIN pg_catalog.pg_class c USING (oid)
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'f')
"""

_QUALIFIED = """
SELECT wanted, pg_catalog.format('%%I.%%I', n.nspname, c.relname)
FROM unnest(%s::text[]) AS wanted
JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(wanted)
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
"""


def dropped_tables(connection: Connection, plan: Plan) -> frozenset[str]:
    """Return the qualified names of the tables that the plan drops, before it does so.

    What the plan does not name, and drops all the same, is not here: the verification of the
    rows then says so.
    """
    drops = [drop for statement in plan.statements for drop in statement.effect.drops]
    rows = connection.execute(
        _DROPPED,
        {
            "relations": [name for kind, name in drops if "table" in kind or "view" in kind],
            "schemas": [name for kind, name in drops if kind == "schema"],
        },
    ).fetchall()
    return frozenset(name for (name,) in rows)


def expected_deletes(
    connection: Connection, plan: Plan, view: RunView, before: dict[str, int | None]
) -> dict[str, int]:
    """Return how many rows each table may have lost: what its DELETE answered, all of what was
    truncated, and of the version table, which has a verification of its own, one a migration."""
    names = _qualified(
        connection,
        [d.relation for s in plan.statements for d in s.effect.doomed]
        + ([plan.version_table] if plan.version_table else []),
    )
    answered = {s.index: s.rows for s in view.statements}
    found: dict[str, int] = {}
    for statement in plan.statements:
        for doomed in statement.effect.doomed:
            table = names.get(doomed.relation)
            if table is None or doomed.kind == "column":
                continue
            if doomed.kind == "table":
                rows = before.get(table)
            else:
                rows = answered.get(statement.index) if _deletes(statement.effect.kind) else 0
            found[table] = found.get(table, 0) + (rows or 0)
    version_table = names.get(plan.version_table)
    if version_table is not None:
        found[version_table] = min(before.get(version_table) or 0, len(plan.migrations))
    return found


def _deletes(kind: str) -> bool:
    return kind.upper().startswith("DELETE")


def _qualified(connection: Connection, names: Iterable[str]) -> dict[str, str]:
    rows = connection.execute(_QUALIFIED, [sorted(set(names))]).fetchall()
    return dict(rows)


_COLUMNS = """
SELECT a.attrelid, a.attnum FROM pg_catalog.pg_attribute a
  JOIN unnest(%s::oid[], %s::int[]) AS o(relation, number)
    ON a.attrelid = o.relation AND a.attnum = o.number
 WHERE NOT a.attisdropped
"""
_CATALOGS = """
SELECT c.oid, quote_ident(c.relname) FROM pg_catalog.pg_class c
 WHERE c.oid = ANY(%s::oid[]) AND c.relnamespace = 'pg_catalog'::regnamespace
"""


def doomed_objects(connection: Connection, plan: Plan) -> dict[Address, str]:
    """Return what the plan drops and is there now, by its number, which no other object will have.

    What one of its statements renames first is left out: its name is another object's by then.
    Raises psycopg.Error.
    """
    renamed = {
        chain[-1]
        for s in plan.statements
        if "RENAME" in s.effect.kind.upper() or "SET SCHEMA" in s.effect.kind.upper()
        for chain in chains(s.sql)
    }
    drops = dict.fromkeys(
        item
        for s in plan.statements
        if not s.effect.no_op
        for item in (*s.effect.drops, *s.effect.collateral)
        if renamed.isdisjoint(parts(item[1]))
    )
    with aside(connection) as cursor:
        found = addresses(cursor, drops)
    return {address: f"{what} {name}" for (what, name), known in found.items() for address in known}


def still_there(connection: Connection, doomed: Mapping[Address, str]) -> tuple[str, ...]:
    """Return those of the objects that are there. Raises psycopg.Error."""
    left: list[str] = []
    columns = [address for address in doomed if address.column]
    whole: dict[int, list[Address]] = {}
    for address in doomed:
        if not address.column:
            whole.setdefault(address.catalog, []).append(address)
    with aside(connection, canonical=True) as cursor:
        given = [[a.object for a in columns], [a.column for a in columns]]
        there = set(cursor.execute(_COLUMNS, given).fetchall())
        left += [doomed[a] for a in columns if (a.object, a.column) in there]
        for oid, catalog in cursor.execute(_CATALOGS, [list(whole)]).fetchall():
            text = sql.SQL("SELECT oid FROM pg_catalog.{} WHERE oid = ANY({}::oid[])").format(
                sql.SQL(catalog), sql.Literal([a.object for a in whole[oid]])
            )
            kept = {row[0] for row in cursor.execute(text).fetchall()}
            left += [doomed[a] for a in whole[oid] if a.object in kept]
    return tuple(left)
