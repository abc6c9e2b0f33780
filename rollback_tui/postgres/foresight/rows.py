"""SELECT, INSERT, UPDATE, DELETE, MERGE, COPY, and what else holds such a query, resolved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from rollback_tui.core.model import Effect
from rollback_tui.core.script.tree import (
    Node,
    child,
    children,
    each,
    enabled,
    flag,
    opened,
    option,
    relation,
    text,
)
from rollback_tui.postgres.foresight import reading
from rollback_tui.postgres.foresight.answer import Locks, nothing, resolved
from rollback_tui.postgres.foresight.catalog import Catalog, Unsure
from rollback_tui.postgres.foresight.unseen import code_of
from rollback_tui.postgres.foresight.writing import Writing

WRITES = frozenset({"insert_stmt", "update_stmt", "delete_stmt", "merge_stmt"})


def statement(kind: str) -> Callable[[Catalog, Effect, Node], Effect]:
    """Return the resolver of a SELECT, INSERT, UPDATE, DELETE or MERGE."""
    return lambda catalog, effect, node: _query(catalog, effect, kind, node)


def _query(catalog: Catalog, effect: Effect, kind: str, node: Node) -> Effect:
    locks = Locks(catalog)
    writing = Writing(catalog, locks)
    writes = list(_writes(kind, node))
    for at, fields in writes:
        writing.write(at, fields)
    reads = reading.read(catalog, node, locks)
    searches = any(at != "insert_stmt" for at, _ in writes)
    scans: bool | None = None if reads or searches or writing.checks else False
    if "every_row" in effect.hazards and kind in WRITES and not reads:
        scans = True
    return _unless_unseen(
        catalog,
        effect,
        node,
        unknown=writing.unknown,
        objects=tuple(_qualified(catalog, name) for name in effect.objects),
        locks=locks.taken,
        scans=scans,
        doomed=tuple(
            msgspec.structs.replace(d, relation=_qualified(catalog, d.relation))
            for d in effect.doomed
        ),
    )


def _unless_unseen(
    catalog: Catalog, effect: Effect, node: Node, *, unknown: bool = False, **changes: Any
) -> Effect:
    """Return ``effect`` resolved with ``changes``; where code of users runs unseen, nobody can tell
    what it does, nor whether data is lost by it."""
    if not unknown and not code_of(catalog).named(node):
        return resolved(effect, **changes)
    return resolved(
        effect,
        **changes,
        loses_data=effect.loses_data or None,
        hazards=(*effect.hazards, "cannot_forecast"),
    )


def _writes(kind: str, node: Node) -> Iterator[tuple[str, Node]]:
    """The statement itself, and those in its WITH."""
    if kind in WRITES:
        yield kind, node
    yield from ((at, fields) for at, fields in each(node) if at in WRITES)


def _qualified(catalog: Catalog, name: str) -> str:
    try:
        found = catalog.relation(name)
    except Unsure:
        return name
    return name if found is None else found.name


def create_table_as(catalog: Catalog, effect: Effect, node: Node) -> Effect:
    """CREATE TABLE AS and CREATE MATERIALIZED VIEW: a query whose result is kept, or not even
    run (WITH NO DATA: then it is only analysed)."""
    into = child(node, "into")
    if flag(node, "if_not_exists") and catalog.relation(relation(child(into, "rel"))) is not None:
        return nothing(effect)
    query = child(node, "query")
    locks = Locks(catalog)
    if flag(into, "skip_data"):
        reading.name_only(catalog, query, locks)
        return resolved(effect, locks=locks.taken, scans=False)
    scans = None if reading.read(catalog, query, locks) else False
    return _unless_unseen(catalog, effect, query, locks=locks.taken, scans=scans)


def explain(catalog: Catalog, effect: Effect, node: Node) -> Effect:
    """EXPLAIN plans a statement, and with ANALYZE executes it."""
    kind, query = opened(child(node, "query"))
    if kind not in (*WRITES, "select_stmt"):
        raise Unsure(kind)
    if enabled(option(node, "options", "analyze")):
        return _query(catalog, effect, kind, query)
    locks = Locks(catalog)
    writing = Writing(catalog, locks)
    for at, fields in _writes(kind, query):
        writing.plan(at, fields)
    reading.read(catalog, query, locks)
    return resolved(effect, locks=locks.taken, scans=False)


def prepare(catalog: Catalog, effect: Effect, node: Node) -> Effect:
    """PREPARE only analyses its statement."""
    locks = Locks(catalog)
    kind, query = opened(child(node, "query"))
    if kind in WRITES:
        locks.take(catalog.known(relation(child(query, "relation"))), "RowExclusive")
    reading.name_only(catalog, query, locks)
    return resolved(effect, locks=locks.taken)


def lock(catalog: Catalog, effect: Effect, node: Node) -> Effect:
    """LOCK TABLE, with partitions and heirs, and with what a view reads."""
    modes = {found.relation: found.mode for found in effect.locks}
    locks = Locks(catalog)
    for item in children(node, "relations"):
        fields = child(item, "range_var")
        found = catalog.known(relation(fields))
        mode = modes.get(relation(fields), "AccessExclusive")
        locks.take(found, mode)
        if flag(fields, "inh"):
            locks.take_each(catalog.descendants_of(found.oid), mode)
        behind = [found.oid] if found.kind == "v" else []
        while behind:
            below = catalog.reads_of(behind.pop())
            locks.take_each(below, mode)
            behind += [r.oid for r in below if r.kind == "v"]
    return resolved(
        effect,
        objects=tuple(_qualified(catalog, name) for name in effect.objects),
        locks=locks.taken,
    )


def copy(catalog: Catalog, effect: Effect, node: Node) -> Effect:
    """COPY of a table to a file of the server, or of a query; into a table it is an INSERT."""
    if flag(node, "is_from"):
        raise Unsure("what is in the file")
    locks = Locks(catalog)
    name = relation(child(node, "relation"))
    if name:
        locks.take(catalog.known(name), "AccessShare")
        return resolved(effect, locks=locks.taken, scans=True)
    kind, query = opened(child(node, "query"))
    if kind != "select_stmt":
        raise Unsure(text(node, "kind"))
    reading.read(catalog, query, locks)
    return _unless_unseen(catalog, effect, query, locks=locks.taken, scans=None)
