"""DROP, TRUNCATE and DROP OWNED, resolved: what goes along, and what is locked for it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from rollback_tui.core.model import Effect
from rollback_tui.core.names import parts
from rollback_tui.core.script.effects_drop import object_class
from rollback_tui.core.script.tree import Node, child, children, flag, relation, text
from rollback_tui.postgres.aside import query
from rollback_tui.postgres.deletion import Address
from rollback_tui.postgres.foresight.alter_trail import trail_of
from rollback_tui.postgres.foresight.answer import Locks, nothing, resolved
from rollback_tui.postgres.foresight.catalog import Catalog, Relation, Unsure
from rollback_tui.postgres.foresight.deletion import PG_CLASS, Deletion

_TRUNCATE = 32
"""A bit of ``pg_trigger.tgtype`` (``pg_trigger.h``)."""

RELATIONS = frozenset({"table", "view", "materialized view", "index", "sequence", "foreign table"})
_ON_TABLES = frozenset({"trigger", "policy", "rule"})


def drop(catalog: Catalog, effect: Effect, node: Node) -> Effect:
    """DROP of anything that DropStmt drops."""
    what = object_class(text(node, "remove_type"))
    roots = [a for _, name in effect.drops if (a := _address(catalog, what, name)) is not None]
    if len(roots) < len(effect.drops) and not effect.if_exists:
        raise Unsure(what)
    if not roots:
        return nothing(effect)
    if any(root.object in catalog.reshaped for root in roots):
        raise Unsure("which partitions and heirs it has by then")
    if flag(node, "concurrent"):
        return _concurrently(catalog, effect, roots)
    if effect.cascade:
        for root in roots:
            # What an earlier statement hung on it goes too, and the catalog does not know it yet.
            trail_of(catalog).ask_free(root.object, None)
    locks = Locks(catalog)
    for root in roots:
        index = catalog.index(root.object) if what == "index" else None
        table = catalog.by_oid(index.table) if index is not None else None
        if table is not None and table.kind == "p":
            # Partitions are locked also where they have no part of the index (ON ONLY).
            locks.take_each(catalog.descendants_of(table.oid), "AccessExclusive")
    found = catalog.dependencies.drop(roots, locks, cascade=effect.cascade)
    return _dropped(effect, found, locks)


def _address(catalog: Catalog, what: str, name: str) -> Address | None:
    if what in RELATIONS:
        found = catalog.relation(name)
        return None if found is None else Address(PG_CLASS, found.oid, 0)
    if what in _ON_TABLES:
        words = parts(name)
        table = catalog.relation(name[: -len(_last(name)) - 1]) if len(words) > 1 else None
        return None if table is None else catalog.part(what, table, words[-1])
    return catalog.address(what, name)


def _last(name: str) -> str:
    """The last part of a name as it is written, quotes included."""
    inside = False
    for place in range(len(name) - 1, -1, -1):
        if name[place] == '"':
            inside = not inside
        elif name[place] == "." and not inside:
            return name[place + 1 :]
    return name


def _dropped(effect: Effect, found: Deletion, locks: Locks) -> Effect:
    """Put the answer together: what CASCADE takes along, and whether it holds data, is known."""
    on_tables = bool(effect.drops) and effect.drops[0][0] in _ON_TABLES
    names = [r.name for r in locks.relations] if on_tables else [name for _, name in found.named]
    doomed = tuple(
        msgspec.structs.replace(d, relation=name)
        for d in effect.doomed
        for kind, name in found.named
        if kind == "table" and parts(name)[-1:] == parts(d.relation)[-1:]
    )
    return resolved(
        effect,
        objects=tuple(dict.fromkeys(names)),
        locks=locks.taken,
        drops=found.named,
        collateral=found.collateral,
        doomed=doomed,
        rewrites=False,
        scans=False,
        loses_data=found.loses_data,
        transactional=True,
    )


def _concurrently(catalog: Catalog, effect: Effect, roots: Sequence[Address]) -> Effect:
    """Waits for those who use the index, and lets everybody else go on."""
    locks = Locks(catalog)
    for address in roots:
        locks.take(catalog.by_oid(address.object), "ShareUpdateExclusive")
        index = catalog.index(address.object)
        if index is not None:
            locks.take(catalog.by_oid(index.table), "ShareUpdateExclusive")
    names = [r.name for r in catalog.each(a.object for a in roots)]
    catalog.forget(a.object for a in roots)
    return resolved(
        effect,
        objects=tuple(names),
        locks=locks.taken,
        drops=tuple(("index", name) for name in names),
    )


def truncate(catalog: Catalog, effect: Effect, node: Node) -> Effect:
    """TRUNCATE, with partitions and heirs, what refers to it, and sequences to be restarted."""
    emptied: dict[int, Relation] = {}
    for item in children(node, "relations"):
        fields = child(item, "range_var")
        named = catalog.known(relation(fields))
        emptied[named.oid] = named
        if flag(fields, "inh"):
            emptied |= {r.oid: r for r in catalog.descendants_of(named.oid)}
    if effect.cascade:
        _with_referring(catalog, emptied)
    locks = Locks(catalog)
    for table in emptied.values():
        locks.take(table, "AccessExclusive")
        if table.kind == "r":
            locks.take_indexes(table, "AccessExclusive")
        if flag(node, "restart_seqs"):
            locks.take_each(catalog.sequences_of(table.oid), "AccessExclusive")
    doomed = tuple(
        msgspec.structs.replace(d, relation=catalog.known(d.relation).name) for d in effect.doomed
    )
    fires = any(bits & _TRUNCATE for oid in emptied for bits in catalog.triggers_of(oid))
    return resolved(
        effect,
        objects=tuple(table.name for table in emptied.values()),
        locks=locks.taken,
        doomed=doomed,
        # A trigger of a user may do anything.
        hazards=(*effect.hazards, *(["cannot_forecast"] if fires else [])),
    )


def _with_referring(catalog: Catalog, emptied: dict[int, Relation]) -> None:
    """Add what refers to a table that is emptied, and what refers to that, and so on."""
    frontier = list(emptied)
    while frontier:
        keys = [k for oid in frontier for k in catalog.foreign_keys_to(oid)]
        frontier = [r.oid for r in catalog.each(k.table for k in keys) if r.oid not in emptied]
        emptied |= {r.oid: r for r in catalog.each(frontier)}


def drop_owned(catalog: Catalog, effect: Effect, node: Node) -> Effect:
    """DROP OWNED: what the roles own in this database, and the privileges they were given."""
    rows = catalog.cursor.execute(
        query("foresight_owned").encode(), {"roles": _roles(catalog, node)}
    )
    roots = [Address(*row) for row in rows.fetchall()]
    locks = Locks(catalog)
    found = catalog.dependencies.drop(roots, locks, cascade=effect.cascade)
    # With many roots nothing tells one that was named from one that another would take along.
    return _dropped(effect, found, locks)


def reassign_owned(catalog: Catalog, effect: Effect, node: Node) -> Effect:
    """REASSIGN OWNED: each relation changes hands, its indexes and sequences with it."""
    rows = catalog.cursor.execute(
        query("foresight_owned").encode(), {"roles": _roles(catalog, node)}
    )
    locks = Locks(catalog)
    for address in (Address(*row) for row in rows.fetchall()):
        table = catalog.by_oid(address.object) if address.catalog == PG_CLASS else None
        if table is not None:
            locks.take_whole(table, "AccessExclusive", "AccessExclusive")
            locks.take_each(catalog.sequences_of(table.oid), "AccessExclusive")
    return resolved(effect, locks=locks.taken)


def _roles(catalog: Catalog, node: Node) -> list[str]:
    """Names of roles; CURRENT_USER and its like are not followed through a SET ROLE."""
    if catalog.later:
        raise Unsure("what the role owns by then")
    specs = [child(item, "role_spec") for item in children(node, "roles")]
    if any(text(spec, "roletype") != "ROLESPEC_CSTRING" for spec in specs):
        raise Unsure("current_user")
    return [text(spec, "rolename") for spec in specs]


def drop_subscription(catalog: Catalog, effect: Effect, node: Node) -> Effect:
    """DROP SUBSCRIPTION runs alone while it has a replication slot on the other server."""
    row = catalog.cursor.execute(
        "SELECT s.subslotname IS NOT NULL FROM pg_subscription s"
        " WHERE s.subname = %s AND s.subdbid ="
        " (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())",
        [text(node, "subname")],
    ).fetchone()
    if row is None and effect.if_exists:
        return nothing(effect)
    if row is None:
        raise Unsure("subscription")
    return resolved(effect, transactional=not row[0])
