"""CREATE, resolved: what is there already, and what a new object locks of the old ones."""

from __future__ import annotations

import re

from rollback_tui.core.model import Effect, Lock
from rollback_tui.core.script.effects import effect as told_by_text
from rollback_tui.core.script.tree import (
    Node,
    child,
    children,
    dotted,
    each,
    flag,
    opened,
    option,
    relation,
    strings,
    text,
)
from rollback_tui.postgres.foresight import reading
from rollback_tui.postgres.foresight.answer import Locks, nothing, resolved
from rollback_tui.postgres.foresight.catalog import Catalog, Relation, Unsure

_AX, _SRX, _SUX, _AS = "AccessExclusive", "ShareRowExclusive", "ShareUpdateExclusive", "AccessShare"


def table(catalog: Catalog, effect: Effect, node: Node) -> Effect:
    """CREATE TABLE: its parents, the tables it refers to or is made like."""
    node = child(node, "base_stmt") or node
    if flag(node, "if_not_exists") and _there(catalog, child(node, "relation")):
        return nothing(effect)
    locks = Locks(catalog)
    scans = False
    for item in children(node, "inh_relations"):
        above = catalog.known(relation(child(item, "range_var")))
        if child(node, "partbound"):
            scans = _partition_of(catalog, above, locks)
        else:
            locks.take(above, _SUX)
    for kind, fields in each(children(node, "table_elts")):
        if kind == "constraint" and text(fields, "contype") == "CONSTR_FOREIGN":
            name = relation(child(fields, "pktable"))
            if name != relation(child(node, "relation")):
                refer(catalog, catalog.known(name), locks)
        elif kind == "table_like_clause":
            locks.take(catalog.known(relation(child(fields, "relation"))), _AS)
    return resolved(effect, locks=locks.taken, scans=scans)


def refer(catalog: Catalog, parent: Relation, locks: Locks) -> None:
    """A new foreign key refers to ``parent``, and to each of its partitions."""
    locks.take(parent, _SRX)
    if parent.kind == "p":
        locks.take_each(catalog.descendants_of(parent.oid), _SRX)


def _partition_of(catalog: Catalog, above: Relation, locks: Locks) -> bool:
    """Lock what a new partition touches; return whether rows are looked through.

    It inherits indexes and foreign keys. The default partition must hold no row of its own.
    """
    locks.take(above, _AX)
    locks.take_indexes(above, _SUX)
    for key in catalog.foreign_keys_from(above.oid):
        parent = catalog.by_oid(key.parent)
        if parent is not None:
            refer(catalog, parent, locks)
    for key in catalog.foreign_keys_to(above.oid):
        locks.take(catalog.by_oid(key.table), _SRX)
    default = catalog.default_partition(above.oid)
    locks.take(default, _AX)
    return default is not None


def index(catalog: Catalog, effect: Effect, node: Node) -> Effect:
    """CREATE INDEX: on each partition too, unless ONLY is said."""
    fields = child(node, "relation")
    of = catalog.known(relation(fields))
    slow = flag(node, "concurrent")
    mode = _SUX if slow else "Share"
    locks = Locks(catalog)
    name = text(node, "idxname")
    if flag(node, "if_not_exists") and name and catalog.there(of.schema, name):
        locks.take(of, mode)
        return resolved(nothing(effect), locks=locks.taken, objects=(of.name,))
    below = catalog.descendants_of(of.oid) if of.kind == "p" and flag(fields, "inh") else ()
    locks.take_each((of, *below), mode)
    scans = any(r.kind in "rm" for r in (of, *below))
    return resolved(
        effect,
        objects=(of.name,),
        locks=locks.taken,
        scans=scans,
        without=() if scans else ("may_fail_on_data",),
    )


def view(catalog: Catalog, effect: Effect, node: Node) -> Effect:
    """CREATE VIEW only analyses its query; OR REPLACE locks the view that is there."""
    locks = Locks(catalog)
    reading.name_only(catalog, child(node, "query"), locks)
    name = relation(child(node, "view"))
    there = catalog.relation(name) if flag(node, "replace") else None
    locks.take(there, _AX)
    return resolved(effect, locks=locks.taken)


def trigger(catalog: Catalog, effect: Effect, node: Node) -> Effect:
    """CREATE TRIGGER: for each row also on every partition."""
    on = catalog.known(relation(child(node, "relation")))
    locks = Locks(catalog)
    locks.take(on, _SRX)
    if on.kind == "p" and flag(node, "row"):
        locks.take_each(catalog.descendants_of(on.oid), _SRX)
    if child(node, "constrrel"):
        locks.take(catalog.known(relation(child(node, "constrrel"))), _AS)
    return resolved(effect, objects=(on.name,), locks=locks.taken)


def on_table(catalog: Catalog, effect: Effect, node: Node) -> Effect:
    """CREATE RULE, CREATE and ALTER POLICY: the table, and what their expressions name."""
    on = catalog.known(relation(child(node, "relation") or child(node, "table")))
    locks = Locks(catalog)
    locks.take(on, _AX)
    for key in ("qual", "with_check", "where_clause"):
        reading.name_only(catalog, child(node, key), locks)
    for item in children(node, "actions"):
        kind, fields = opened(item)
        if kind.endswith("_stmt") and child(fields, "relation"):
            locks.take(catalog.known(relation(child(fields, "relation"))), "RowExclusive")
        reading.name_only(catalog, item, locks)
    return resolved(effect, objects=(on.name,), locks=locks.taken)


def sequence(catalog: Catalog, effect: Effect, node: Node) -> Effect:
    """CREATE and ALTER SEQUENCE; OWNED BY looks at the table."""
    name = relation(child(node, "sequence"))
    makes = effect.kind.startswith("CREATE")
    there = catalog.relation(name)
    if makes and flag(node, "if_not_exists") and there is not None:
        return nothing(effect)
    if not makes and there is None:
        if effect.if_exists:
            return nothing(effect)
        raise Unsure(name)
    locks = Locks(catalog)
    if not makes:
        locks.take(there, _SRX)
    owner = child(child(option(node, "options", "owned_by") or {}, "arg"), "list")
    words = strings(children(owner, "items"))
    if len(words) > 1:
        locks.take(catalog.known(dotted(words[:-1])), _AS)
    names = (there.name,) if there is not None and not makes else effect.objects
    return resolved(effect, objects=names, locks=locks.taken)


def extension(catalog: Catalog, effect: Effect, node: Node) -> Effect:
    """CREATE EXTENSION IF NOT EXISTS does nothing where it is; else nobody knows its script."""
    if flag(node, "if_not_exists") and catalog.has("extension", text(node, "extname")):
        return nothing(effect)
    raise Unsure("extension")


def schema(catalog: Catalog, effect: Effect, node: Node) -> Effect:
    """CREATE SCHEMA, with the statements inside it."""
    if flag(node, "if_not_exists") and catalog.has("schema", text(node, "schemaname")):
        return nothing(effect)
    found: dict[str, Lock] = {}
    for item in children(node, "schema_elts"):
        kind, fields = opened(item)
        maker = _INSIDE.get(kind)
        if maker is None:
            raise Unsure(kind)
        for lock in maker(catalog, told_by_text(item), fields).locks:
            found[lock.relation] = lock
    return resolved(effect, locks=tuple(found.values()))


_INSIDE = {"create_stmt": table, "view_stmt": view, "create_seq_stmt": sequence}


def publication(catalog: Catalog, effect: Effect, node: Node) -> Effect:
    """CREATE and ALTER PUBLICATION: its tables, with their heirs."""
    if text(node, "action") == "AP_SetObjects":
        raise Unsure("what it published so far")
    locks = Locks(catalog)
    for lock in effect.locks:
        found = catalog.known(lock.relation)
        locks.take(found, lock.mode)
        if found.kind == "r":
            locks.take_each(catalog.descendants_of(found.oid), lock.mode)
    return resolved(effect, locks=locks.taken)


def function(catalog: Catalog, effect: Effect, node: Node) -> Effect:
    """CREATE FUNCTION: a body in SQL is analysed, which locks what it names.

    Raises Unsure when a body that is a string seems to name a relation.
    """
    locks = Locks(catalog)
    reading.name_only(catalog, child(node, "sql_body"), locks)
    language = child(child(option(node, "options", "language") or {}, "arg"), "string")
    body = child(child(option(node, "options", "as") or {}, "arg"), "list")
    if text(language, "sval").lower() == "sql":
        words = set(re.findall(r"\w+", " ".join(strings(children(body, "items"))).lower()))
        if words & {r.plain.lower() for r in catalog.all()}:
            raise Unsure("function")
    return resolved(effect, locks=locks.taken)


def _there(catalog: Catalog, fields: Node) -> bool:
    """Whether a relation to be made is there already: in the first schema, or the one named."""
    return catalog.relation(relation(fields)) is not None
