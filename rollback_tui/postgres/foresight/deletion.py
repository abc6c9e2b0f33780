"""What goes with an object that is dropped, and which relations are locked for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from rollback_tui.core.script.identity import Object, as_named, is_part
from rollback_tui.postgres.aside import query
from rollback_tui.postgres.deletion import Address, Edge, Known, arrays, is_gone, walk

if TYPE_CHECKING:
    from rollback_tui.postgres.foresight.answer import Locks
    from rollback_tui.postgres.foresight.catalog import Catalog, Relation

PG_CLASS, PG_CONSTRAINT, PG_EXTENSION = 1259, 2606, 3079
"""The catalogs' own oids; the same in every version (``pg_class.dat`` and its like)."""

_HOLDING = frozenset({"table", "sequence", "column"})
"""Classes of objects that hold data of their own."""


class Deletion(NamedTuple):
    """The consequences of dropping some objects."""

    named: tuple[Object, ...]
    """What was asked to be dropped, qualified."""
    collateral: tuple[Object, ...]
    """What goes along: by CASCADE, and partitions."""
    loses_data: bool


class Dependencies:
    """``pg_depend`` as far as it was asked for, each object once; and what is dropped by now."""

    def __init__(self, catalog: Catalog) -> None:
        """Nothing is asked yet."""
        self._catalog = catalog
        self._known = Known(catalog.cursor)
        self._locks: dict[Address, tuple[int | None, bool]] = {}
        self._identities: dict[Address, Object | None] = {}
        self._gone: set[Address] = set()

    def prefetch(self, roots: Iterable[Address]) -> None:
        """Read all that may go with ``roots``, in as many queries as it is deep."""
        seen = self._known.prefetch(roots, cascade=True)
        self._read_locks(seen)
        self._read_identities(seen)

    def drop(self, roots: Sequence[Address], locks: Locks, *, cascade: bool) -> Deletion:
        """Drop ``roots`` in thought, once for all: what goes is forgotten by the catalog.

        What that locks is added to ``locks``. Raises psycopg.Error, or Unsure when something that
        goes was renamed by an earlier statement: its parts are known by the old name only.
        """
        went: set[Address] = set()
        walk(self._left, dict.fromkeys(roots, ""), went, cascade=cascade)
        self._lock(went, locks)
        shown = self._shown(roots, went)
        self._read_identities(shown)
        every = {a: found for a in shown if (found := self._identities[a]) is not None}
        members = self._members(went)
        named = tuple(as_named(*every[a]) for a in roots if a in every)
        words = frozenset(every.values())
        collateral = {
            as_named(*found)
            for a, found in every.items()
            if a not in roots and a not in members and not is_part(*found, words)
        }
        self._gone |= went
        self._catalog.forget(a.object for a in went if a.column == 0)
        return Deletion(
            named=named,
            collateral=tuple(sorted(collateral)),
            loses_data=any(kind in _HOLDING for kind, _ in (*named, *collateral)),
        )

    def identity(self, address: Address) -> Object:
        """Return (object class, qualified name) of an object. Raises psycopg.Error."""
        self._read_identities([address])
        return as_named(*(self._identities[address] or ("", "")))

    def is_gone(self, address: Address) -> bool:
        """Whether an earlier statement dropped it."""
        return address in self._gone

    def edges(self, addresses: Sequence[Address]) -> list[Edge]:
        """Return what depends on some objects. Raises psycopg.Error."""
        return self._known.edges(addresses)

    def _left(self, addresses: Sequence[Address]) -> list[Edge]:
        """What depends on them and was not dropped by an earlier statement."""
        return [e for e in self.edges(addresses) if not is_gone(e.dependent, self._gone)]

    def _members(self, gone: Iterable[Address]) -> set[Address]:
        """What belongs to an extension that goes: that is the extension itself."""
        extensions = [a for a in gone if a.catalog == PG_EXTENSION]
        return {e.dependent for e in self.edges(extensions) if e.automatic}

    def _shown(self, roots: Sequence[Address], gone: set[Address]) -> list[Address]:
        """The roots, what went by a normal dependency, and tables that went by any.

        The server takes the newest dependent first. One that is internal to another (the part of
        a foreign key that is about one partition) takes its owner along as if by CASCADE.
        """
        ordered = sorted(gone)
        normal: dict[Address, None] = {}
        for edge in self.edges(ordered):
            if not edge.automatic:
                normal |= dict.fromkeys([edge.owner or edge.dependent, edge.dependent])
            elif edge.owner and edge.on != edge.owner < edge.dependent:
                normal[edge.owner] = None
        normal = {target: None for target in normal if target in gone}
        relations = {a: self._catalog.by_oid(a.object) for a in ordered if a.catalog == PG_CLASS}
        tables = [a for a, r in relations.items() if r and r.kind in "rpf" and a.column == 0]
        return list(dict.fromkeys([*roots, *normal, *tables]))

    def _lock(self, gone: set[Address], locks: Locks) -> None:
        """Dropping locks each relation, the table of an index, and what a partition is of."""
        self._read_locks(gone)
        for address in sorted(gone):
            oid, light = self._locks[address]
            relation = self._catalog.by_oid(oid) if oid else None
            if relation is None:
                continue
            self._catalog.ask_name(relation.oid)
            locks.take(relation, "ShareUpdateExclusive" if light else "AccessExclusive")
            if address.catalog != PG_CLASS or address.column:
                continue
            locks.take_each(self._catalog.new_parents(relation.oid), "AccessExclusive")
            index = self._catalog.index(relation.oid)
            if index is not None:
                locks.take(self._catalog.by_oid(index.table), "AccessExclusive")
            elif relation.is_partition:
                locks.take_each(self._above(relation.oid), "AccessExclusive")

    def _above(self, oid: int) -> list[Relation]:
        """The table that a partition is of, and its default partition: its bounds change."""
        found = []
        for parent in self._catalog.parents_of(oid):
            found.append(parent)
            default = self._catalog.default_partition(parent.oid)
            if default is not None:
                found.append(default)
        return found

    def _read_locks(self, addresses: Iterable[Address]) -> None:
        missing = [a for a in addresses if a not in self._locks]
        if missing:
            rows = self._catalog.cursor.execute(
                query("foresight_deleted").encode(), arrays(missing)
            ).fetchall()
            self._locks |= {Address(*row[:3]): (row[3], row[4]) for row in rows}

    def _read_identities(self, addresses: Iterable[Address]) -> None:
        missing = [a for a in addresses if a not in self._identities]
        if missing:
            self._identities |= dict.fromkeys(missing)
            rows = self._catalog.cursor.execute(
                query("foresight_identity").encode(), arrays(missing)
            ).fetchall()
            self._identities |= {Address(*row[:3]): (row[3], row[4]) for row in rows}
