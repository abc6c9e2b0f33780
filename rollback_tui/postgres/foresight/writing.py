"""What writing rows locks: the table, its indexes, and what its foreign keys look at or change.

Foreign keys look at their parents with FOR KEY SHARE, and act on the rows that refer to a row that
goes or changes its key (``ri_triggers.c``). That is told as if there were such rows: without them
fewer locks are taken. A user's trigger may do anything, so that nobody can tell.
"""

from __future__ import annotations

from collections.abc import Iterable

from rollback_tui.core.script.tree import Node, child, children, flag, opened, relation, text
from rollback_tui.postgres.foresight.answer import Locks
from rollback_tui.postgres.foresight.catalog import Catalog, ForeignKey, Relation, Unsure
from rollback_tui.postgres.foresight.reading import choosing, whole
from rollback_tui.postgres.foresight.unseen import code_of

_INSERT, _DELETE, _UPDATE = 4, 8, 16
"""Bits of ``pg_trigger.tgtype`` (``pg_trigger.h``)."""

_RX, _RS = "RowExclusive", "RowShare"
_RULES = {
    "update_stmt": frozenset("2"),
    "insert_stmt": frozenset("3"),
    "delete_stmt": frozenset("4"),
    "merge_stmt": frozenset("234"),
}
"""Events of rules (``pg_rewrite.ev_type``) that a statement sets off."""
_READS_ONLY = frozenset("ar")
"""Foreign-key actions that only look: no action, restrict."""


class Writing:
    """The locks of the writes in one statement."""

    def __init__(self, catalog: Catalog, locks: Locks) -> None:
        """What is locked is added to ``locks``."""
        self._catalog = catalog
        self._locks = locks
        self._done: set[tuple[int, int, tuple[int, ...] | None]] = set()
        self.unknown = False
        """A trigger of a user fires, or a default or a rule calls a function of theirs."""
        self.checks = False
        """A foreign key looks something up, in which way the planner decides."""

    def write(self, kind: str, node: Node) -> None:
        """Add what one INSERT, UPDATE, DELETE or MERGE locks. Raises Unsure."""
        fields = child(node, "relation")
        named = self._catalog.known(relation(fields))
        target = self._target(named, kind)
        below = self._catalog.descendants_of(target.oid) if flag(fields, "inh") else ()
        tables = (target, *below)
        if kind == "insert_stmt":
            self._insert(named, target, node)
            return
        choosing(self._catalog, target, node)
        for table in tables:
            self._locks.take_planned(table, _RX)
        if kind == "merge_stmt":
            self._merge(tables, node)
        for table in tables:
            if kind == "delete_stmt":
                self._deleted(table)
            elif kind == "update_stmt":
                self._updated(table, self._numbers(table, children(node, "target_list")))

    def plan(self, kind: str, node: Node) -> None:
        """Add what one of them locks that is only planned (EXPLAIN). Raises Unsure."""
        fields = child(node, "relation")
        target = self._target(self._catalog.known(relation(fields)), kind)
        choosing(self._catalog, target, node)
        if kind == "insert_stmt":
            self._locks.take(target, _RX)
        else:
            whole(self._catalog, target, _RX, self._locks, inherited=flag(fields, "inh"))

    def _target(self, named: Relation, kind: str) -> Relation:
        """The table behind a view that rows can be written through."""
        if self._catalog.rules_of(named.oid) & _RULES[kind]:
            raise Unsure("rule")
        if named.kind != "v":
            return named
        if self._catalog.triggers_of(named.oid):
            raise Unsure("trigger")
        behind = self._catalog.reads_of(named.oid)
        if len(behind) != 1:
            raise Unsure(named.name)
        self._locks.take(named, _RX)
        return self._target(behind[0], kind)

    # --- kinds of writes ------------------------------------------------------------------------

    def _insert(self, named: Relation, target: Relation, node: Node) -> None:
        if target.kind == "p":
            raise Unsure("which partition a row goes to")
        self._locks.take(target, _RX)
        conflict = child(node, "on_conflict_clause")
        if child(conflict, "infer"):
            self._locks.take_indexes(target, _RX)
        given, left = self._given(named, target, node)
        self._inserted(target, given, left)
        if text(conflict, "action") == "ONCONFLICT_UPDATE":
            self._updated(target, self._numbers(target, children(conflict, "target_list")))

    def _merge(self, tables: Iterable[Relation], node: Node) -> None:
        for item in children(node, "merge_when_clauses"):
            clause = child(item, "merge_when_clause")
            command = text(clause, "command_type")
            for table in tables:
                numbers = self._numbers(table, children(clause, "target_list"))
                if command == "CMD_DELETE":
                    self._deleted(table)
                elif command == "CMD_UPDATE":
                    self._updated(table, numbers)
                elif command == "CMD_INSERT":
                    if table.kind == "p":
                        raise Unsure("which partition a row goes to")
                    every = {c.number for c in self._catalog.columns(table.oid).values()}
                    given = numbers or every
                    self._inserted(table, given, every - given)

    def _numbers(self, table: Relation, targets: Iterable[Node]) -> set[int]:
        """The columns that a SET or a column list names."""
        columns = self._catalog.columns(table.oid)
        names = [text(child(item, "res_target"), "name") for item in targets]
        missing = [name for name in names if name not in columns]
        if missing:
            raise Unsure(missing[0])
        return {columns[name].number for name in names}

    def _given(self, named: Relation, table: Relation, node: Node) -> tuple[set[int], set[int]]:
        """The columns of ``table`` that get a value, and those that get their default in some row.

        A column that is null in every row is neither: no foreign key looks it up.
        """
        columns = self._catalog.columns(table.oid)
        every = {c.number for c in columns.values()}
        names = [text(child(item, "res_target"), "name") for item in children(node, "cols")]
        _, query = opened(child(node, "select_stmt"))
        rows = [children(child(item, "list"), "items") for item in children(query, "values_lists")]
        if not names:
            names = list(self._catalog.columns(named.oid))
            targets = children(query, "target_list")
            if not query:
                names = []
            elif rows:
                names = names[: len(rows[0])]
            elif "a_star" not in str(targets):
                names = names[: len(targets)]
        if not columns.keys() >= set(names):
            raise Unsure(named.name)
        order = [columns[name].number for name in names]
        values = [list(column) for column in zip(*rows, strict=False)]
        defaults = {
            number
            for number, column in zip(order, values, strict=False)
            if any("set_to_default" in item for item in column)
        }
        null = {
            number
            for number, column in zip(order, values, strict=False)
            if all(flag(child(item, "a_const"), "isnull") for item in column)
        }
        return set(order) - defaults - null, (every - set(order)) | defaults

    # --- what follows -----------------------------------------------------------------------------

    def _inserted(self, table: Relation, given: set[int], left: set[int]) -> None:
        self._fires(table, _INSERT)
        sequences = self._catalog.default_sequences_of(table.oid)
        for number in left:
            self._locks.take(sequences.get(number), _RX)
        filled = given | {
            c.number
            for c in self._catalog.columns(table.oid).values()
            if c.number in left and c.has_default
        }
        for key in self._own_keys(table):
            if filled.issuperset(key.columns):
                self._look(key)

    def _updated(self, table: Relation, columns: set[int], by: ForeignKey | None = None) -> None:
        if self._seen(table, _UPDATE, columns):
            return
        self._fires(table, _UPDATE)
        for key in self._own_keys(table):
            if columns.intersection(key.columns) and key is not by:
                self._look(key)
        for key in self._catalog.foreign_keys_to(table.oid):
            if columns.intersection(key.parent_columns) and not key.deferred:
                self._act(key, key.on_update)

    def _deleted(self, table: Relation) -> None:
        if self._seen(table, _DELETE, None):
            return
        self._fires(table, _DELETE)
        for key in self._catalog.foreign_keys_to(table.oid):
            if not key.deferred:
                self._act(key, key.on_delete, deleting=True)

    def _own_keys(self, table: Relation) -> list[ForeignKey]:
        """A foreign key to a partitioned table has one more row for each partition."""
        keys = self._catalog.foreign_keys_from(table.oid)
        own = {key.oid for key in keys}
        return [k for k in keys if k.inherited_from not in own and not k.deferred]

    def _look(self, key: ForeignKey) -> None:
        """Look for the row that is referred to."""
        self.checks = True
        parent = self._catalog.by_oid(key.parent)
        if parent is not None and parent.kind == "p":
            raise Unsure("which partition has the row that is referred to")
        if parent is not None:
            self._locks.take_planned(parent, _RS)

    def _act(self, key: ForeignKey, action: str, *, deleting: bool = False) -> None:
        """Look for, or change, the rows that refer to one that goes or gets another key."""
        self.checks = True
        table = self._catalog.by_oid(key.table)
        if table is None:
            return
        if table.kind == "p":
            raise Unsure("which partition has the rows that refer to it")
        mode = _RS if action in _READS_ONLY else _RX
        self._locks.take_planned(table, mode)
        if action == "c" and deleting:
            self._deleted(table)
        elif action not in _READS_ONLY:
            self._updated(table, set(key.columns), by=key)

    def _fires(self, table: Relation, event: int) -> None:
        if any(bits & event for bits in self._catalog.triggers_of(table.oid)):
            self.unknown = True
        if event != _DELETE and code_of(self._catalog).written(
            table.oid, inserted=event == _INSERT
        ):
            self.unknown = True

    def _seen(self, table: Relation, event: int, columns: set[int] | None) -> bool:
        """Whether this was followed already: foreign keys may go round in a circle."""
        mark = (table.oid, event, None if columns is None else tuple(sorted(columns)))
        known = mark in self._done
        self._done.add(mark)
        return known
