"""A resolved effect, put together: its locks, and the hazards that follow from what is known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from rollback_tui.core.lock_modes import stronger
from rollback_tui.core.model import Effect, Lock
from rollback_tui.core.script.forecast import derived
from rollback_tui.postgres.foresight.catalog import Catalog, Relation


class Locks:
    """The strongest mode on each relation that a statement takes, as it is found out."""

    def __init__(self, catalog: Catalog) -> None:
        """``catalog`` knows which indexes and partitions a relation has."""
        self._catalog = catalog
        self._modes: dict[int, tuple[Relation, str]] = {}

    def take(self, relation: Relation | None, mode: str) -> None:
        """The statement takes ``mode`` on a relation; None (gone, or a catalog) is left out.

        So is a composite type: it is locked too, but nobody reads or writes it.
        """
        if relation is not None and relation.kind != "c":
            _, held = self._modes.get(relation.oid, (relation, None))
            self._modes[relation.oid] = (relation, stronger(held, mode))

    def take_each(self, relations: Iterable[Relation], mode: str) -> None:
        """The statement takes ``mode`` on each of them."""
        for relation in relations:
            self.take(relation, mode)

    def take_indexes(self, relation: Relation, mode: str) -> None:
        """The statement takes ``mode`` on each index of a table."""
        for index in self._catalog.indexes_of(relation.oid):
            self.take(self._catalog.by_oid(index.oid), mode)

    def take_whole(self, relation: Relation, mode: str, indexes: str) -> None:
        """The statement takes ``mode`` on a table and ``indexes`` on its indexes."""
        self.take(relation, mode)
        self.take_indexes(relation, indexes)

    def take_planned(self, relation: Relation, mode: str) -> None:
        """A query that is planned takes ``mode`` on a table and on each of its indexes.

        Up to PostgreSQL 15 the planner leaves those of a partitioned table alone.
        """
        self.take(relation, mode)
        if relation.kind != "p" or self._catalog.version >= 160000:
            self.take_indexes(relation, mode)

    @property
    def relations(self) -> tuple[Relation, ...]:
        """What is locked, in the order in which it was found."""
        return tuple(relation for relation, _ in self._modes.values())

    @property
    def taken(self) -> tuple[Lock, ...]:
        """The locks, as an Effect has them."""
        return tuple(Lock(relation=r.name, mode=mode) for r, mode in self._modes.values())


def resolved(effect: Effect, *, without: Iterable[str] = (), **changes: Any) -> Effect:
    """Return ``effect`` with ``changes`` to its fields, as the catalog resolved it.

    ``without`` names hazards that the catalog showed to be none; those that follow from the other
    fields are derived anew.
    """
    return derived(msgspec.structs.replace(effect, **{**changes, "resolved": True}), without)


def nothing(effect: Effect) -> Effect:
    """Return the effect of a statement that does nothing as things are now."""
    return Effect(
        kind=effect.kind,
        objects=effect.objects,
        rewrites=False,
        scans=False,
        loses_data=False,
        transactional=effect.transactional is not False,
        cascade=effect.cascade,
        if_exists=effect.if_exists,
        no_op=True,
        resolved=True,
        hazards=("not_transactional",) if effect.transactional is False else (),
    )
