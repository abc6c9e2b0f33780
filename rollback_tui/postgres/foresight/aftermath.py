"""What a statement leaves behind for the forecast of the next ones of the same plan."""

from __future__ import annotations

from rollback_tui.core.model import Effect
from rollback_tui.core.script.tree import (
    Node,
    child,
    children,
    dotted,
    opened,
    quote,
    relation,
    text,
)
from rollback_tui.postgres.foresight import alter_trail
from rollback_tui.postgres.foresight.catalog import Catalog, Unsure

_NAMED_BY = {
    "create_stmt": "relation",
    "create_seq_stmt": "sequence",
    "view_stmt": "view",
}
"""Statements that make a relation, and the field of their node that names it."""
_RELATIONS = frozenset(
    {"table", "view", "materialized view", "index", "sequence", "foreign table", "table column"}
)


def remember(catalog: Catalog, effect: Effect, kind: str, node: Node) -> None:
    """Tell the catalog what a statement changes: later look-ups must not find the old state."""
    if effect.no_op:
        return
    for name in _made(kind, node):
        catalog.changed(name)
    if kind == "rename_stmt":
        _renamed(catalog, node)
    elif kind == "alter_object_schema_stmt":
        catalog.changed(relation(child(node, "relation")))
    elif kind == "variable_set_stmt":
        _setting(catalog, node)
    elif kind == "alter_table_stmt":
        catalog.altered(relation(child(node, "relation")))
    alter_trail.remember(catalog, kind, node)
    gone = [name for what, name in (*effect.drops, *effect.collateral) if what in _RELATIONS]
    for name in gone:
        _forget(catalog, name)


def _made(kind: str, node: Node) -> list[str]:
    """Return the names of the relations that a statement makes."""
    if kind == "index_stmt":
        return [quote(text(node, "idxname"))] if text(node, "idxname") else []
    if kind == "create_table_as_stmt":
        return [relation(child(child(node, "into"), "rel"))]
    if kind == "create_foreign_table_stmt":
        return [relation(child(child(node, "base_stmt"), "relation"))]
    if kind == "select_stmt" and child(node, "into_clause"):
        return [relation(child(child(node, "into_clause"), "rel"))]
    if kind == "create_schema_stmt":
        return [name for item in children(node, "schema_elts") for name in _made(*opened(item))]
    return [relation(child(node, _NAMED_BY[kind]))] if kind in _NAMED_BY else []


def _renamed(catalog: Catalog, node: Node) -> None:
    table = relation(child(node, "relation"))
    if not table:
        return
    if text(node, "rename_type") in ("OBJECT_COLUMN", "OBJECT_TABCONSTRAINT", "OBJECT_ATTRIBUTE"):
        catalog.altered(table)
    else:
        catalog.changed(table)
        catalog.changed(dotted([text(node, "newname")]))


def _setting(catalog: Catalog, node: Node) -> None:
    """``SET search_path`` and ``SET TimeZone`` are followed; RESET may lead anywhere."""
    name = text(node, "name").lower()
    values = [child(opened(item)[1], "sval") for item in children(node, "args")]
    words = [text(value, "sval") for value in values]
    known = text(node, "kind") == "VAR_SET_VALUE" and all("sval" in value for value in values)
    if name == "search_path" or not name:
        # "$user" is a schema only where one of that name exists; nobody writes it in a script.
        catalog.path = tuple(w for w in words if w != "$user") if known and name else None
    if name == "timezone" or not name:
        catalog.timezone = words[0] if known and name and words else None


def _forget(catalog: Catalog, name: str) -> None:
    """A relation is dropped, and with it its indexes, sequences and foreign keys."""
    try:
        found = catalog.relation(name)
    except Unsure:
        return
    if found is not None:
        catalog.forget(
            [
                found.oid,
                *(i.oid for i in catalog.indexes_of(found.oid)),
                *(s.oid for s in catalog.sequences_of(found.oid)),
                *(k.oid for k in catalog.foreign_keys_from(found.oid)),
                *(k.oid for k in catalog.foreign_keys_to(found.oid)),
            ]
        )
