"""What a statement leaves behind for the forecast of the next ones of the same plan."""

from __future__ import annotations

import contextlib

from rollback_tui.core.model import Effect
from rollback_tui.core.script.tree import (
    Node,
    child,
    children,
    each,
    named,
    opened,
    quote,
    relation,
    text,
)
from rollback_tui.postgres.foresight import alter_trail
from rollback_tui.postgres.foresight.catalog import Catalog, Unsure
from rollback_tui.postgres.foresight.unseen import code_of

_NAMED_BY = {
    "create_stmt": "relation",
    "create_seq_stmt": "sequence",
    "view_stmt": "view",
}
"""Statements that make a relation, and the field of their node that names it."""
_PARTS = {
    "create_trig_stmt": "trigname",
    "create_policy_stmt": "policy_name",
    "rule_stmt": "rulename",
    "index_stmt": "idxname",
}
"""Statements that make a part of a table, and the field that holds its name."""
_OTHERS = frozenset(
    {
        "create_function_stmt",
        "create_enum_stmt",
        "composite_type_stmt",
        "create_range_stmt",
        "create_domain_stmt",
        "define_stmt",
        "create_extension_stmt",
    }
)
"""Statements that make something else; their effect has its name."""
_RELATIONS = frozenset(
    {"table", "view", "materialized view", "index", "sequence", "foreign table", "table column"}
)


def remember(catalog: Catalog, effect: Effect, kind: str, node: Node) -> None:
    """Tell the catalog what a statement changes: later look-ups must not find the old state."""
    if effect.no_op:
        return
    catalog.later = True
    catalog.lost = catalog.lost or _may_do_anything(catalog, effect, kind, node)
    code_of(catalog).note(catalog, effect, kind, node)
    made = effect.objects if kind in _OTHERS else _made(kind, node)
    for name in made:
        catalog.changed(name)
    if kind == "rename_stmt":
        _renamed(catalog, effect, node)
    elif kind == "alter_object_schema_stmt":
        table = relation(child(node, "relation"))
        if not table or not effect.resolved:
            catalog.changed(table or named(child(node, "object")))
    elif kind == "variable_set_stmt":
        _setting(catalog, node)
    elif kind == "alter_table_stmt":
        _refers(catalog, node)
        _reshapes(catalog, node)
    if kind != "variable_set_stmt" and {"search_path", "ALL"} & {*effect.session}:
        catalog.path = None  # set_config
    alter_trail.remember(catalog, kind, node)
    for what, name in (*effect.drops, *effect.collateral):
        if what in _RELATIONS:
            _forget(catalog, name)
        elif what in ("schema", "extension"):
            catalog.dropped(name)


_ANYTHING = frozenset(
    {"do_stmt", "call_stmt", "execute_stmt", "create_event_trig_stmt", "alter_event_trig_stmt"}
)
"""What runs code of its own, or has code run by all that follows."""
_REPLICATION = "session_replication_role"
"""Whether triggers fire and foreign keys hold."""


def _may_do_anything(catalog: Catalog, effect: Effect, kind: str, node: Node) -> bool:
    """Whether what follows cannot be told from the catalog of now at all: code of users has run,
    or a rule makes another statement of a later one."""
    if kind in _ANYTHING or kind == "rule_stmt" or _REPLICATION in effect.session:
        return True
    if kind == "variable_set_stmt":
        return text(node, "name").lower() == _REPLICATION
    return effect.basis == "unknown" and code_of(catalog).calls(node)


def _reshapes(catalog: Catalog, node: Node) -> None:
    """ATTACH and DETACH PARTITION, INHERIT and NO INHERIT: what goes with a table is not as it
    was."""
    for kind, fields in each(node):
        if kind != "alter_table_cmd" or text(fields, "subtype") not in _SHAPES:
            continue
        inner = opened(child(fields, "def"))[1]
        for name in (child(node, "relation"), child(inner, "name"), inner):
            with contextlib.suppress(Unsure):
                found = catalog.relation(relation(name)) if text(name, "relname") else None
                catalog.reshaped |= {found.oid} if found else set()


_SHAPES = frozenset({"AT_AttachPartition", "AT_DetachPartition", "AT_AddInherit", "AT_DropInherit"})


def _made(kind: str, node: Node) -> list[str]:
    """Return the names of the relations that a statement makes."""
    if kind in _PARTS:
        return [quote(text(node, _PARTS[kind]))] if text(node, _PARTS[kind]) else []
    if kind == "create_table_as_stmt":
        return [relation(child(child(node, "into"), "rel"))]
    if kind == "create_foreign_table_stmt":
        return [relation(child(child(node, "base_stmt"), "relation"))]
    if kind == "select_stmt" and child(node, "into_clause"):
        return [relation(child(child(node, "into_clause"), "rel"))]
    if kind == "create_schema_stmt":
        inside = [name for item in children(node, "schema_elts") for name in _made(*opened(item))]
        return [quote(text(node, "schemaname")), *inside]
    return [relation(child(node, _NAMED_BY[kind]))] if kind in _NAMED_BY else []


def _renamed(catalog: Catalog, effect: Effect, node: Node) -> None:
    """Neither name can be looked up any more, but for a relation whose new name is known.

    Columns and constraints are followed elsewhere.
    """
    table = relation(child(node, "relation"))
    what = text(node, "rename_type")
    if what in ("OBJECT_COLUMN", "OBJECT_TABCONSTRAINT", "OBJECT_ATTRIBUTE"):
        return
    if what in ("OBJECT_TRIGGER", "OBJECT_POLICY", "OBJECT_RULE"):
        catalog.changed(quote(text(node, "subname")))
    elif table and effect.resolved:
        return
    else:
        catalog.changed(table or named(child(node, "object")))
    catalog.changed(quote(text(node, "newname")))


def _refers(catalog: Catalog, node: Node) -> None:
    """A foreign key that is added here makes a later DROP TABLE lock the table it refers to."""
    for kind, fields in each(node):
        if kind == "constraint" and text(fields, "contype") == "CONSTR_FOREIGN":
            catalog.refers(relation(child(node, "relation")), relation(child(fields, "pktable")))


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
