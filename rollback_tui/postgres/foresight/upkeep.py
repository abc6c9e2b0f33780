"""ALTER of other things, COMMENT, GRANT, ANALYZE, REINDEX, CLUSTER, REFRESH, resolved."""

from __future__ import annotations

from rollback_tui.core.model import Effect
from rollback_tui.core.names import parts
from rollback_tui.core.script.tree import (
    Node,
    child,
    children,
    dotted,
    enabled,
    flag,
    named,
    option,
    relation,
    strings,
    text,
)
from rollback_tui.postgres.aside import query
from rollback_tui.postgres.foresight import reading
from rollback_tui.postgres.foresight.answer import Locks, resolved
from rollback_tui.postgres.foresight.catalog import Catalog, Relation, Unsure

_AX, _SUX, _AS = "AccessExclusive", "ShareUpdateExclusive", "AccessShare"


def plain(_: Catalog, effect: Effect, __: Node) -> Effect:
    """A statement that locks no relation: its text tells everything."""
    return resolved(effect)


def as_named(catalog: Catalog, effect: Effect, _: Node) -> Effect:
    """A statement that locks just what it names."""
    locks = Locks(catalog)
    for lock in effect.locks:
        locks.take(catalog.known(lock.relation), lock.mode)
    names = tuple(r.name for r in locks.relations)
    return resolved(effect, objects=names or effect.objects, locks=locks.taken)


def grant(catalog: Catalog, effect: Effect, node: Node) -> Effect:
    """GRANT and REVOKE lock what they name since PostgreSQL 18; before, nothing at all."""
    locks = Locks(catalog)
    on_relations = text(node, "objtype") in ("OBJECT_TABLE", "OBJECT_SEQUENCE")
    if on_relations and text(node, "targtype") == "ACL_TARGET_OBJECT":
        found = [catalog.known(named(item)) for item in children(node, "objects")]
        if catalog.version >= 180000:
            locks.take_each(found, _AS)
        return resolved(effect, objects=tuple(r.name for r in found), locks=locks.taken)
    return resolved(effect)


def vacuum(catalog: Catalog, effect: Effect, node: Node) -> Effect:
    """ANALYZE, and VACUUM, which runs alone."""
    if flag(node, "is_vacuumcmd") or not effect.objects:
        found = as_named(catalog, effect, node)
        return found if flag(node, "is_vacuumcmd") else _unsure()
    locks = Locks(catalog)
    for item in children(node, "rels"):
        fields = child(child(item, "vacuum_relation"), "relation")
        table = catalog.known(relation(fields))
        _analysed(table, locks)
        if not flag(fields, "inh"):
            continue
        for below in catalog.descendants_of(table.oid):
            if below.is_partition or catalog.version >= 180000:
                _analysed(below, locks)
            else:
                # Before 18 heirs are only read for the numbers of the table above them.
                locks.take(below, _AS)
    return resolved(effect, objects=tuple(_names(catalog, effect)), locks=locks.taken)


def _analysed(table: Relation, locks: Locks) -> None:
    locks.take(table, _SUX)
    if table.kind in "rm":
        locks.take_indexes(table, _AS)


def _unsure() -> Effect:
    raise Unsure("every table of this role")


def _names(catalog: Catalog, effect: Effect) -> list[str]:
    return [catalog.known(name).name for name in effect.objects]


def reindex(catalog: Catalog, effect: Effect, node: Node) -> Effect:
    """REINDEX of a table or an index; of what is partitioned it runs alone, and all else does."""
    kind = text(node, "kind").removeprefix("REINDEX_OBJECT_")
    if kind not in ("TABLE", "INDEX"):
        return resolved(effect)
    found = catalog.known(relation(child(node, "relation")))
    slow = enabled(option(node, "params", "concurrently"))
    leaves = [r for r in (found, *catalog.descendants_of(found.oid)) if r.kind in "rmi"]
    locks = Locks(catalog)
    for at in leaves:
        index = catalog.index(at.oid)
        table = at if index is None else catalog.by_oid(index.table)
        locks.take(table, _SUX if slow else "Share")
        if index is not None:
            locks.take(at, _SUX if slow else _AX)
        else:
            locks.take_indexes(at, _SUX if slow else _AX)
    alone = slow or found.kind in "pI"
    return resolved(
        effect,
        objects=(found.name,),
        locks=locks.taken,
        scans=any(catalog.index(r.oid) or catalog.indexes_of(r.oid) for r in leaves),
        transactional=not alone,
    )


def cluster(catalog: Catalog, effect: Effect, node: Node) -> Effect:
    """CLUSTER writes the table anew; a partitioned one, and all at once, alone."""
    name = relation(child(node, "relation"))
    if not name:
        return resolved(effect)
    found = catalog.known(name)
    locks = Locks(catalog)
    for at in (found, *catalog.descendants_of(found.oid)) if found.kind == "p" else (found,):
        locks.take_whole(at, _AX, _AX)
    return resolved(
        effect,
        objects=(found.name,),
        locks=locks.taken,
        transactional=found.kind != "p",
    )


def refresh(catalog: Catalog, effect: Effect, node: Node) -> Effect:
    """REFRESH MATERIALIZED VIEW: the view, its indexes, and what it reads."""
    found = catalog.known(relation(child(node, "relation")))
    slow = flag(node, "concurrent")
    locks = Locks(catalog)
    locks.take_whole(found, "Exclusive" if slow else _AX, "RowExclusive" if slow else _AX)
    if not flag(node, "skip_data"):
        for below in catalog.reads_of(found.oid):
            reading.whole(catalog, below, _AS, locks)
    return resolved(effect, objects=(found.name,), locks=locks.taken, scans=None)


def alter_domain(catalog: Catalog, effect: Effect, node: Node) -> Effect:
    """ALTER DOMAIN: a new rule is checked against every relation that holds its values."""
    name = dotted(strings(children(node, "type_name")))
    address = catalog.address("type", name)
    if address is None:
        raise Unsure(name)
    locks = Locks(catalog)
    if effect.scans:
        rows = catalog.cursor.execute(
            query("foresight_domain_users").encode(), {"oid": address.object}
        ).fetchall()
        locks.take_each(catalog.each(row[0] for row in rows), "Share")
    _, whole = catalog.dependencies.identity(address)
    drops = tuple((what, f"{whole}.{dotted(list(parts(at)[-1:]))}") for what, at in effect.drops)
    return resolved(
        effect,
        objects=(whole,),
        locks=locks.taken,
        drops=drops,
        scans=bool(locks.taken),
        without=() if locks.taken else ("may_fail_on_data",),
    )
