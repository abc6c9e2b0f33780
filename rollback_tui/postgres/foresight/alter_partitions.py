"""ALTER TABLE: partitions attached and detached, and plain inheritance.

Measured on PostgreSQL 15, 16 and 18. ``ALTER INDEX … ATTACH PARTITION`` has the same tree.
"""

from __future__ import annotations

from rollback_tui.core.script.tree import Node, child, children, flag, opened, relation, text
from rollback_tui.postgres.foresight.alter_work import AS, AX, SRX, STORED, SUX, Work, leaves
from rollback_tui.postgres.foresight.catalog import Relation
from rollback_tui.postgres.foresight.proof import condition, not_null, proves


def attach(work: Work, command: Node) -> None:
    """ATTACH PARTITION: its rows are read unless a CHECK proves that they belong there."""
    order = child(child(command, "def"), "partition_cmd")
    part = work.catalog.known(relation(child(order, "name")))
    work.objects.append(part.name)
    work.done()
    if work.table.kind in ("i", "I"):
        _attach_index(work, part)
        return
    work.trail.ask_whole(work.table.oid)
    work.trail.ask_whole(part.oid)
    bound = child(order, "bound")
    whole = (part, *work.catalog.descendants_of(part.oid))
    work.locks.take_each(whole, AX)
    work.locks.take_each(_above(work, work.table), AS)
    work.locks.take_indexes(work.table, SUX)
    default = None if flag(bound, "is_default") else work.catalog.default_partition(work.table.oid)
    if default is not None:
        work.locks.take_each((default, *work.catalog.descendants_of(default.oid)), AX)
    _attach_keys(work, part, whole)
    _attach_rows(work, part, whole, default, bound)
    work.trail.grow(t.oid for t in whole)
    work.trail.lose_track([work.table.oid])


def _attach_index(work: Work, part: Relation) -> None:
    work.locks.take(part, AX)
    for index in (work.catalog.index(work.table.oid), work.catalog.index(part.oid)):
        if index is not None:
            work.locks.take(work.catalog.by_oid(index.table), AS)


def _above(work: Work, table: Relation) -> list[Relation]:
    """Return what a partitioned table is itself a partition of, to the top."""
    found: list[Relation] = []
    at = [table]
    while at:
        at = [above for one in at if one.is_partition for above in work.catalog.parents_of(one.oid)]
        found += at
    return found


def _attach_keys(work: Work, part: Relation, whole: tuple[Relation, ...]) -> None:
    """The parent's foreign keys become the partition's, and those that refer to the parent too."""
    own = work.catalog.foreign_keys_from(part.oid)
    for key in work.catalog.foreign_keys_from(work.table.oid):
        _, referred = work.refers(key)
        if referred is None:
            continue
        tables = work.partitions(referred)
        work.locks.take_each(tables, SRX)
        if not any(k.parent == key.parent and k.validated for k in own):
            work.compare(leaves(whole), tables)
            work.check(whole)
    for key in work.catalog.foreign_keys_to(work.table.oid):
        work.locks.take(work.catalog.by_oid(key.table), SRX)


def _attach_rows(
    work: Work,
    part: Relation,
    whole: tuple[Relation, ...],
    default: Relation | None,
    bound: Node,
) -> None:
    """Rows are read for the bound, for indexes that are missing, and in the default partition."""
    above = [i for i in work.catalog.indexes_of(work.table.oid) if i.valid]
    if len(above) > len(work.catalog.indexes_of(part.oid)):
        work.scan(leaves(whole))
    elif above and any(work.catalog.indexes_of(part.oid)):
        work.unknown_scan = True
    proven = _proven(work, part, bound)
    if proven is False:
        work.check(whole)
    elif proven is None:
        work.unknown_scan = True
        work.hazards.add("may_fail_on_data")
    if default is not None:
        work.check(leaves((default, *work.catalog.descendants_of(default.oid))))


def _proven(work: Work, part: Relation, bound: Node) -> bool | None:
    """Whether the partition's own CHECKs prove the bound. None: it may be, in other words.

    Without a CHECK they cannot; for a range or a list of one key and plain numbers the words of
    the constraint can be compared. The bounds of a table that is itself a partition come on top.
    """
    checks = [
        condition(c.definition)
        for c in work.catalog.constraints(part.oid).values()
        if c.type == "c" and c.validated
    ]
    if not checks:
        return False
    if work.table.is_partition:
        return None
    row = work.catalog.cursor.execute(
        "SELECT a.attname FROM pg_partitioned_table p JOIN pg_attribute a"
        " ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]"
        " WHERE p.partrelid = %s AND p.partnatts = 1",
        [work.table.oid],
    ).fetchone()
    if row is None:
        return None
    name = row[0]
    terms = _terms(name, bound)
    column = work.catalog.columns(part.oid).get(name)
    if terms is None or column is None:
        return None
    if not column.not_null and not proves(checks, not_null(name)):
        return None
    return True if all(proves(checks, term) for term in terms) else None


def _terms(column: str, bound: Node) -> list[str] | None:
    """Return the bound of a single key as the server would write it; None for other bounds."""
    if text(bound, "strategy") == "l":
        values = [_number(item) for item in children(bound, "listdatums")]
        return [f"{column} = {values[0]}"] if len(values) == 1 and values[0] is not None else None
    lower = [_number(item) for item in children(bound, "lowerdatums")]
    upper = [_number(item) for item in children(bound, "upperdatums")]
    if text(bound, "strategy") != "r" or len(lower) != 1 or len(upper) != 1:
        return None
    if lower[0] is None or upper[0] is None:
        return None
    return [f"{column} >= {lower[0]}", f"{column} < {upper[0]}"]


def _number(node: Node) -> str | None:
    kind, fields = opened(node)
    if kind != "a_const" or "ival" not in fields:
        return None
    number = child(fields, "ival").get("ival", 0)
    return str(number) if isinstance(number, int) and number >= 0 else None


def detach(work: Work, command: Node) -> None:
    """DETACH PARTITION: the rows stay in it, and whoever reads the parent misses them."""
    order = child(child(command, "def"), "partition_cmd")
    part = work.catalog.known(relation(child(order, "name")))
    work.objects.append(part.name)
    work.done()
    work.trail.ask_whole(part.oid)
    work.trail.ask_known(work.table.oid)
    slow = flag(order, "concurrent")
    whole = (part, *work.catalog.descendants_of(part.oid))
    work.locks.take_each(whole, AX)
    default = work.catalog.default_partition(work.table.oid)
    if default is not None:
        work.locks.take(default, SUX if slow else AX)
    above = {i.oid for i in work.catalog.indexes_of(work.table.oid)}
    for index in work.catalog.indexes_of(part.oid):
        if above & {p.oid for p in work.catalog.parents_of(index.oid)}:
            work.locks.take(work.catalog.by_oid(index.oid), AX)
    for key in work.catalog.foreign_keys_from(part.oid):
        if key.inherited_from:
            work.locks.take(work.catalog.by_oid(key.parent), SRX)
    for key in work.catalog.foreign_keys_to(work.table.oid):
        # Rows that refer to the partition would refer to nothing: they are looked for.
        referring = work.catalog.by_oid(key.table)
        work.locks.take(referring, AX)
        for below in work.catalog.foreign_keys_to(part.oid):
            if referring is not None and below.inherited_from == key.oid:
                work.drops.append(("constraint", work.part(below.name, referring)))
        if referring is not None and referring.kind in STORED:
            work.check([referring])
    work.lose(None)
    work.trail.lose_track([work.table.oid, *(t.oid for t in whole)])


def finalize(work: Work, command: Node) -> None:
    """DETACH PARTITION … FINALIZE: ends a concurrent detaching that was interrupted."""
    order = child(child(command, "def"), "partition_cmd")
    part = work.catalog.known(relation(child(order, "name")))
    work.objects.append(part.name)
    work.done()
    work.locks.take_each((part, *work.catalog.descendants_of(part.oid)), AX)


def inherit(work: Work, command: Node) -> None:
    """INHERIT and NO INHERIT: the rows of the heir are seen through its parent, or no longer."""
    parent = work.catalog.known(relation(child(child(command, "def"), "range_var")))
    work.objects.append(parent.name)
    work.done()
    if text(command, "subtype") == "AT_AddInherit":
        work.locks.take(parent, SUX)
        # To see that nothing becomes its own ancestor.
        work.locks.take_each(work.catalog.descendants_of(work.table.oid), AS)
    else:
        work.locks.take(parent, AS)
        work.lose(None)
    work.trail.lose_track([work.table.oid, parent.oid])
