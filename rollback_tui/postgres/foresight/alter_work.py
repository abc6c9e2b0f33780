"""One ALTER TABLE while it is worked out, command by command."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rollback_tui.core.model import Doomed
from rollback_tui.core.script.tree import Node, child, quote
from rollback_tui.postgres.deletion import Address
from rollback_tui.postgres.foresight.alter_trail import Trail, trail_of
from rollback_tui.postgres.foresight.answer import Locks
from rollback_tui.postgres.foresight.catalog import (
    Catalog,
    Column,
    Constraint,
    ForeignKey,
    Relation,
    Unsure,
)
from rollback_tui.postgres.foresight.column_types import Typed, Types, types_of
from rollback_tui.postgres.foresight.deletion import PG_CLASS, PG_CONSTRAINT

AX, SUX, SRX = "AccessExclusive", "ShareUpdateExclusive", "ShareRowExclusive"
AS, RS, S = "AccessShare", "RowShare", "Share"

STORED = frozenset("rm")
"""Kinds of relation with rows of their own."""


class Work:
    """What the commands of one ALTER TABLE do, gathered.

    PostgreSQL locks the table once, in the strongest mode that any of the commands asks for
    (``AlterTableGetLockLevel``), and descendants in the same mode.
    """

    def __init__(self, catalog: Catalog, table: Relation, mode: str, *, recurse: bool) -> None:
        """``mode`` is that of the whole statement; without ``recurse`` it says ONLY."""
        self.catalog = catalog
        self.types: Types = types_of(catalog)
        self.trail: Trail = trail_of(catalog)
        self.table = table
        self.mode = mode
        self.recurse = recurse
        self.version = catalog.version // 10000
        self.locks = Locks(catalog)
        self.locks.take(table, mode)
        self.rewritten: dict[int, Relation] = {}
        self.scanned = False
        self.unknown_rewrite = False
        """Nobody can tell whether a table is rewritten."""
        self.unknown_scan = False
        self.loses: bool | None = False
        self.hazards: set[str] = set()
        """Those that only the catalog can tell: ``may_fail_on_data``, ``narrows_values``."""
        self.effective = False
        """At least one command does something."""
        self.doomed: list[Doomed] = []
        self.drops: list[tuple[str, str]] = []
        self.retyped: list[tuple[str, str]] = []
        self.roots: list[Address] = []
        """What is dropped, to follow what depends on it."""
        self.dropped_columns: set[str] = set()
        self.gone: list[int] = []
        """Relations that go by themselves, to be forgotten when all is resolved."""
        self.renamed: dict[int, str] = {}
        """Relations that get another name, likewise."""
        self.used_types: list[str] = []
        """Types that columns have from here on, by their own names: to drop one drops these."""
        self.objects: list[str] = [table.name]

    # --- looking up -----------------------------------------------------------------------------

    def below(self) -> tuple[Relation, ...]:
        """Partitions and heirs of the table, however deep; none with ONLY."""
        self.trail.ask_known(self.table.oid)
        return self.catalog.descendants_of(self.table.oid) if self.recurse else ()

    def family(self) -> tuple[Relation, ...]:
        """The table and all below it that a recursing command reaches."""
        return (self.table, *self.below())

    def column(self, name: str, table: Relation | None = None) -> Column | None:
        """Return a column. Raises Unsure when an earlier statement changed it."""
        of = table or self.table
        self.trail.ask(of.oid, name)
        return self.catalog.columns(of.oid).get(name)

    def known_column(self, name: str, table: Relation | None = None) -> Column:
        """Return a column. Raises Unsure when there is none: the statement would fail."""
        found = self.column(name, table)
        if found is None:
            raise Unsure(name)
        return found

    def constraint(self, name: str, table: Relation | None = None) -> Constraint | None:
        """Return a constraint. Raises Unsure when an earlier statement changed it."""
        of = table or self.table
        self.trail.ask(of.oid, name)
        return self.catalog.constraints(of.oid).get(name)

    def part(self, column: str, table: Relation | None = None) -> str:
        """Return a column's qualified, quoted name."""
        return f"{(table or self.table).name}.{quote(column)}"

    def drop_column(self, table: Relation, number: int) -> None:
        """A column goes, and with it whatever depends on it."""
        self.roots.append(Address(PG_CLASS, table.oid, number))

    def drop_constraint(self, oid: int) -> None:
        """A constraint goes, and with it whatever depends on it."""
        self.roots.append(Address(PG_CONSTRAINT, oid, 0))

    def type_of(self, definition: Node) -> Typed:
        """Return the type of a column definition. Raises Unsure when there is none (yet)."""
        found = self.types.of(child(definition, "type_name"))
        for oid in (found.oid, self.types.get(found.oid).element):
            if oid and self.types.get(oid).schema != "pg_catalog":
                self.used_types.append(self.types.get(oid).name)
        return found

    # --- noting ---------------------------------------------------------------------------------

    def done(self) -> None:
        """A command does something, if only to the catalog."""
        self.effective = True

    def reach(self) -> tuple[Relation, ...]:
        """Lock all below the table in the statement's mode; return the table and them."""
        self.locks.take_each(self.below(), self.mode)
        return self.family()

    def scan(self, tables: Iterable[Relation]) -> None:
        """Every row of ``tables`` is read; those without rows of their own are not."""
        if any(t.kind in STORED for t in tables):
            self.scanned = True

    def check(self, tables: Iterable[Relation]) -> None:
        """Every row is read, and one of them may break the rule."""
        read = leaves(tables)
        if read:
            self.hazards.add("may_fail_on_data")
            self.scan(read)

    def rewrite(self, tables: Iterable[Relation]) -> None:
        """``tables`` get new files, and all their indexes with them."""
        for table in tables:
            if table.kind in STORED:
                self.rewritten[table.oid] = table
                self.trail.ask_whole(table.oid)
                self.locks.take_indexes(table, AX)

    def lose(self, answer: bool | None) -> None:
        """Data is lost (True), or nobody knows (None)."""
        if answer is True or self.loses is not True:
            self.loses = answer if answer is not False else self.loses

    def compare(self, referring: Iterable[Relation], referred: Sequence[Relation]) -> None:
        """Rows are compared with those of the table they refer to, by one query over both.

        Planning it opens every index of both (``RI_Initial_Check`` in ``ri_triggers.c``);
        partitioned indexes only since PostgreSQL 16.
        """
        for table in (*referring, *referred):
            self.trail.ask_whole(table.oid)
            if table.kind == "p" and self.version < 16:
                continue
            self.locks.take_indexes(table, AS)
        self.scan(referring)

    def follow(self, *, cascade: bool) -> tuple[tuple[str, str], ...]:
        """Note locks and losses of all that is dropped; return what goes beside what is named.

        Heirs lose a column or constraint as if they had been named: so the server reports it.
        """
        if not self.roots:
            return ()
        found = self.catalog.dependencies.drop(self.roots, self.locks, cascade=cascade)
        self.drops = list(dict.fromkeys((*self.drops, *found.named)))
        if any(kind in ("table", "column") for kind, _ in found.collateral):
            self.lose(True)
        return found.collateral

    def leave(self) -> None:
        """All is resolved: the next statement finds what this one leaves behind."""
        self.catalog.forget(self.gone)
        for oid, name in self.renamed.items():
            self.catalog.renamed(oid, plain=name)
        for name in self.used_types:
            self.catalog.changed(quote(name))

    def partitions(self, table: Relation) -> tuple[Relation, ...]:
        """Return a table and, when it is partitioned, all below it."""
        if table.kind != "p":
            return (table,)
        return (table, *self.catalog.descendants_of(table.oid))

    def refers(self, key: ForeignKey) -> tuple[Relation | None, Relation | None]:
        """Return the two tables of a foreign key: that which refers, that which is referred to."""
        return self.catalog.by_oid(key.table), self.catalog.by_oid(key.parent)


def leaves(tables: Iterable[Relation]) -> tuple[Relation, ...]:
    """Return those of ``tables`` that have rows of their own."""
    return tuple(table for table in tables if table.kind in STORED)
