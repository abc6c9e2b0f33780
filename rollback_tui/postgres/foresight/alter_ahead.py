"""What the ALTER TABLEs of a plan will ask the catalog for, read in a few queries beforehand.

Over a slow connection ten thousand statements must not cost ten thousand round trips.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rollback_tui.core.model import Effect
from rollback_tui.core.names import parts
from rollback_tui.core.script.tree import dotted
from rollback_tui.postgres.deletion import Address
from rollback_tui.postgres.foresight.catalog import Catalog, Relation, Unsure
from rollback_tui.postgres.foresight.column_types import types_of
from rollback_tui.postgres.foresight.deletion import PG_CLASS, PG_CONSTRAINT


def prefetch(catalog: Catalog, effects: Sequence[Effect]) -> None:
    """Read columns, constraints, and what hangs on those that are dropped or change their type.

    ``effects`` are what the text alone tells. A name that nobody knows is left out. Raises
    psycopg.Error.
    """
    altered = [e for e in effects if e.kind.startswith("ALTER ")]
    catalog.prefetch(_families(catalog, (name for e in altered for name in e.objects)))
    dropped = [(kind, name) for e in altered for kind, name in e.drops]
    roots = [address for kind, name in dropped for address in _addresses(catalog, kind, name)]
    nullable = (name for e in altered if "DROP NOT NULL" in e.kind for name in e.objects)
    for oid in _families(catalog, nullable):
        own = catalog.constraints(oid).values()
        roots += [Address(PG_CONSTRAINT, c.oid, 0) for c in own if c.type == "n"]
    if roots:
        catalog.dependencies.prefetch(roots)
    retyped = _families(catalog, (table for e in altered for table, _ in e.retyped))
    if retyped:
        types_of(catalog).read_users(retyped)


def _families(catalog: Catalog, names: Iterable[str]) -> list[int]:
    """Return the tables of some names, and all below them."""
    found: dict[int, None] = {}
    for name in dict.fromkeys(names):
        table = _table(catalog, name)
        if table is not None:
            below = catalog.descendants_of(table.oid)
            found |= dict.fromkeys([table.oid, *(t.oid for t in below)])
    return list(found)


def _table(catalog: Catalog, name: str) -> Relation | None:
    try:
        return catalog.relation(name)
    except Unsure:
        return None


def _addresses(catalog: Catalog, kind: str, name: str) -> Iterable[Address]:
    words = parts(name)
    table = _table(catalog, dotted(list(words[:-1]))) if len(words) > 1 else None
    if table is None:
        return
    for one in (table, *catalog.descendants_of(table.oid)):
        if kind == "column" and (column := catalog.columns(one.oid).get(words[-1])):
            yield Address(PG_CLASS, one.oid, column.number)
        if kind == "constraint" and (own := catalog.constraints(one.oid).get(words[-1])):
            yield Address(PG_CONSTRAINT, own.oid, 0)
