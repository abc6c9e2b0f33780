"""What a query locks: the relations it reads, with their indexes, partitions and what is behind
views.

The planner opens every index of a relation in the mode of the relation itself
(``get_relation_info`` in ``plancat.c``), and a query that is only analysed (a view's definition,
PREPARE) locks no more than what it names.
"""

from __future__ import annotations

from collections.abc import Sequence

from rollback_tui.core.names import parts
from rollback_tui.core.script.tree import Node, child, children, each, flag, opened, relation, text
from rollback_tui.postgres.foresight.answer import Locks
from rollback_tui.postgres.foresight.catalog import Catalog, Relation, Unsure

_SEQUENCES = frozenset({"nextval", "setval"})


def read(catalog: Catalog, node: Node, locks: Locks) -> bool:
    """Add what a query locks by reading, wherever in ``node``; what DML writes is left out.

    Return whether it reads any relation. Raises Unsure for one that the catalog does not know.
    """
    items = _items(node)
    ranges = _ranges(items)
    firm = _firmly(items) if ranges else set()
    local = _local(items) if ranges else set()
    reads = False
    for fields in ranges:
        found = _named(catalog, local, fields)
        if found is not None:
            reads = True
            choosing(catalog, found, node)
            mode = "RowShare" if id(fields) in firm else "AccessShare"
            whole(catalog, found, mode, locks, inherited=flag(fields, "inh"))
    _sequences(catalog, items, locks)
    return reads


def name_only(catalog: Catalog, node: Node, locks: Locks) -> None:
    """Add what a query locks that is analysed and not planned."""
    items = _items(node)
    local = _local(items)
    for fields in _ranges(items):
        locks.take(_named(catalog, local, fields), "AccessShare")


Items = Sequence[tuple[str, Node]]
"""Every node of a query, as :func:`rollback_tui.core.script.tree.each` yields them."""


def _items(node: Node) -> Items:
    return list(each({"statement": node}))


def choosing(catalog: Catalog, found: Relation, node: Node) -> None:
    """Raise Unsure when a condition may choose partitions: the others are not locked then."""
    tables = [found] if found.kind == "p" else []
    if found.kind == "v":
        tables = [r for r in _behind(catalog, found) if r.kind == "p"]
    keys = {key for table in tables for key in catalog.partitioned_by(table.oid)}
    keys |= {
        key
        for table in tables
        for below in catalog.descendants_of(table.oid)
        for key in catalog.partitioned_by(below.oid)
    }
    if not keys:
        return
    mentioned = {
        text(child(item, "string"), "sval")
        for kind, fields in each(node)
        if kind == "column_ref"
        for item in children(fields, "fields")
    }
    if found.kind == "v" or None in keys or keys & mentioned:
        raise Unsure("which partitions")


def _behind(catalog: Catalog, view: Relation) -> list[Relation]:
    found: list[Relation] = []
    views = [view]
    while views:
        below = catalog.reads_of(views.pop().oid)
        found += below
        views += [r for r in below if r.kind == "v"]
    return found


def whole(
    catalog: Catalog, found: Relation, mode: str, locks: Locks, *, inherited: bool = True
) -> None:
    """Add a relation with its indexes, its partitions and heirs, and what a view reads."""
    if found.kind == "v":
        locks.take(found, mode)
        for behind in catalog.reads_of(found.oid):
            if behind.kind == "S":
                raise Unsure("a sequence in a view: read, or asked for a number")
            whole(catalog, behind, mode, locks)
        return
    below = catalog.descendants_of(found.oid) if inherited and found.kind in "rp" else ()
    for table in (found, *below):
        locks.take_planned(table, mode)


def _ranges(items: Items) -> list[Node]:
    """The fields of every relation that is named to be read; FOR UPDATE OF only repeats names."""
    named = [fields for kind, fields in items if kind == "range_var"]
    if not named:
        return []
    repeated = {
        id(child(item, "range_var"))
        for _, fields in items
        if "locked_rels" in fields
        for item in children(fields, "locked_rels")
    }
    return [fields for fields in named if id(fields) not in repeated]


def _named(catalog: Catalog, local: set[str], fields: Node) -> Relation | None:
    """The relation behind a name; None for a WITH query and for a catalog."""
    name, schema = text(fields, "relname"), text(fields, "schemaname")
    if not schema and name in local:
        return None
    if schema in ("pg_catalog", "information_schema"):
        return None
    found = catalog.relation(relation(fields))
    if found is None and not schema and name.startswith("pg_"):
        return None
    if found is None:
        raise Unsure(name)
    return found


def _local(items: Items) -> set[str]:
    """Names of WITH queries."""
    return {text(fields, "ctename") for kind, fields in items if kind == "common_table_expr"}


def _firmly(items: Items) -> set[int]:
    """Which of the relations' nodes have their rows locked: FOR UPDATE, FOR SHARE …"""
    found: set[int] = set()
    for _, fields in items:
        if "locking_clause" not in fields:
            continue
        for item in children(fields, "locking_clause"):
            wanted = {
                text(child(r, "range_var"), "relname")
                for r in children(child(item, "locking_clause"), "locked_rels")
            }
            for kind, at in each(children(fields, "from_clause")):
                words = {text(at, "relname"), text(child(at, "alias"), "aliasname")}
                if kind == "range_var" and (not wanted or wanted & words):
                    found.add(id(at))
    return found


def _sequences(catalog: Catalog, items: Items, locks: Locks) -> None:
    """``nextval`` and ``setval`` of a sequence that is written out."""
    for kind, fields in items:
        if kind != "func_call":
            continue
        name = [text(child(i, "string"), "sval") for i in children(fields, "funcname")]
        if name[-1:] and name[-1] in _SEQUENCES:
            given = children(fields, "args")[:1]
            words = _constant(given[0]) if given else ""
            if not parts(words.lower()):
                raise Unsure(name[-1])
            locks.take(catalog.known(words), "RowExclusive")


def _constant(item: Node) -> str:
    kind, fields = opened(item)
    if kind == "type_cast":
        kind, fields = opened(child(fields, "arg"))
    return text(child(fields, "sval"), "sval") if kind == "a_const" else ""
