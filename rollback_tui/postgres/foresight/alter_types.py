"""ALTER COLUMN TYPE: whether the table is rewritten, and what is made anew around the column.

Indexes and constraints that use the column are dropped and made again
(``RememberAllDependentForRebuilding``): their relations are locked, a foreign key's other table
too. An index keeps its files when nothing in it changes (``CheckIndexCompatible``).
"""

from __future__ import annotations

from collections.abc import Iterable

from rollback_tui.core.script.tree import Node, child, children, quote, strings, text
from rollback_tui.postgres.foresight.alter_work import AX, SRX, STORED, Work, leaves
from rollback_tui.postgres.foresight.catalog import (
    Constraint,
    ForeignKey,
    Index,
    Relation,
    Unsure,
)
from rollback_tui.postgres.foresight.column_types import Typed, casts

_ALIKE = frozenset({25, 1043})
"""text and varchar share their operator classes."""


def alter_type(work: Work, command: Node) -> None:
    """ALTER COLUMN … TYPE, of the table and of all below it."""
    name = text(command, "name")
    definition = child(child(command, "def"), "column_def")
    column = work.known_column(name)
    new = work.type_of(definition)
    old = Typed(column.type, column.modifier)
    using = child(definition, "raw_default")
    rewrites = _rewrites(work, name, old, new, using)
    collation = _collation(work, definition, new)
    work.done()
    tables = work.reach()
    work.trail.change((t.oid for t in tables), [name])
    if old != new or using:
        work.retyped.append((work.table.name, quote(name)))
    if column.identity:
        # The identity column's sequence becomes one of the same type.
        work.locks.take_each(work.catalog.sequences_of(work.table.oid, column.number), SRX)
    if work.table.kind == "f" or column.generated == "v":
        rewrites = False
    if rewrites:
        work.rewrite(tables)
        if not (_plain(work, name, using, new) and work.types.widens(old, new)):
            work.lose(None)
            work.hazards |= {"narrows_values", "may_fail_on_data"}
    same = collation == column.collation and _same_operators(work, old, new)
    _make_anew(work, tables, name, rewritten=rewrites, same=same)


def _rewrites(work: Work, name: str, old: Typed, new: Typed, using: Node) -> bool:
    steps: list[Node] | None = casts(using, name) if using else []
    if steps is None:
        return True
    return work.types.rewritten(old, [*(work.types.of(step) for step in steps), new])


def _plain(work: Work, name: str, using: Node, new: Typed) -> bool:
    """Whether USING says nothing more than the cast that would be taken without it."""
    steps = casts(using, name) if using else []
    return steps is not None and all(work.types.of(step) == new for step in steps)


def _collation(work: Work, definition: Node, new: Typed) -> int:
    """Return the column's new collation: without COLLATE it is that of the type."""
    named = strings(children(child(definition, "coll_clause"), "collname"))
    return work.types.collation(named) if named else work.types.get(new.oid).collation


def _same_operators(work: Work, old: Typed, new: Typed) -> bool:
    before, after = work.types.base(old.oid), work.types.base(new.oid)
    return before == after or {before, after} <= _ALIKE


def _make_anew(
    work: Work, tables: tuple[Relation, ...], name: str, *, rewritten: bool, same: bool
) -> None:
    """Lock what uses the column, and say whether rows are read for it again."""
    work.types.read_users([t.oid for t in tables])
    for table in tables:
        column = work.catalog.columns(table.oid).get(name)
        if column is None:
            continue
        work.trail.ask_whole(table.oid)
        for what, oid in work.types.users(table.oid, column.number):
            if what == "index":
                index = work.catalog.index(oid)
                if index is not None:
                    _index(work, table, index, rewritten=rewritten, same=same)
            else:
                _constraint(work, table, oid, rewritten=rewritten, same=same)


def _index(work: Work, table: Relation, index: Index, *, rewritten: bool, same: bool) -> None:
    """An index is dropped and made again; from the rows, unless its files can stay."""
    relation = work.catalog.by_oid(index.oid)
    work.locks.take(relation, AX)
    alone = relation is not None and relation.kind == "i" and not relation.is_partition
    reusable = alone and same and index.valid and not index.partial and 0 not in index.columns
    if not rewritten and not reusable:
        work.scan([table])


def _constraint(work: Work, table: Relation, oid: int, *, rewritten: bool, same: bool) -> None:
    found = _named(work.catalog.constraints(table.oid).values(), oid)
    if found is not None:
        work.trail.ask(table.oid, found.name)
    if found is not None and found.type in ("p", "u", "x"):
        index = work.catalog.index(found.index_oid)
        if index is not None:
            _index(work, table, index, rewritten=rewritten, same=same)
    elif found is not None and found.type == "c" and found.validated:
        work.scan([table])
    for key in (
        *work.catalog.foreign_keys_from(table.oid),
        *work.catalog.foreign_keys_to(table.oid),
    ):
        if key.oid == oid:
            _foreign_key(work, key, rewritten=rewritten, same=same)


def _named(constraints: Iterable[Constraint], oid: int) -> Constraint | None:
    return next((c for c in constraints if c.oid == oid), None)


def _foreign_key(work: Work, key: ForeignKey, *, rewritten: bool, same: bool) -> None:
    """Both tables are locked; the rows are compared again when the stored values changed."""
    child_table, parent = work.refers(key)
    if child_table is None or parent is None:
        raise Unsure(key.name)
    work.trail.ask(child_table.oid, key.name)
    work.locks.take(child_table, AX)
    work.locks.take(parent, AX)
    if not key.validated:
        return
    if rewritten:
        if child_table.kind in STORED:
            work.compare(leaves([child_table]), [parent])
    elif not same:
        work.unknown_scan = True
