"""What the earlier ALTER TABLEs of a plan changed, so that the old state is not believed.

The catalog tells how things are now. After ``ALTER TABLE t DROP COLUMN a`` it is still right
about the other columns of ``t``, and wrong about ``a``; after ``ADD UNIQUE (b)`` it no longer
knows all the indexes of ``t``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from weakref import WeakKeyDictionary

from rollback_tui.core.script.tree import Node, child, children, each, relation
from rollback_tui.postgres.foresight.catalog import Catalog, Unsure


class Trail:
    """Which parts of which tables are no longer as the catalog has them.

    What a statement changes counts for the next one, from :meth:`settle` on.
    """

    def __init__(self) -> None:
        """Nothing was changed yet."""
        self._parts: dict[int, set[str]] = defaultdict(set)
        self._whole: set[int] = set()
        self._unknown: set[int] = set()
        self._coming: list[Callable[[], None]] = []

    def change(self, oids: Iterable[int], names: Iterable[str]) -> None:
        """Columns or constraints of these names are changed, made or dropped."""
        tables, wanted = list(oids), set(names)

        def apply() -> None:
            for oid in tables:
                self._parts[oid] |= wanted

        self._coming.append(apply)

    def grow(self, oids: Iterable[int]) -> None:
        """Indexes or constraints are added whose names nobody needs to know."""
        tables = set(oids)
        self._coming.append(lambda: self._whole.update(tables))

    def lose_track(self, oids: Iterable[int]) -> None:
        """Something is changed, and nobody knows what."""
        tables = set(oids)
        self._coming.append(lambda: self._unknown.update(tables))

    def settle(self) -> None:
        """The statement is resolved (or cannot be): what it changes counts from here on."""
        for apply in self._coming:
            apply()
        self._coming.clear()

    def ask(self, oid: int, name: str) -> None:
        """Raise Unsure when a column or constraint is not as the catalog has it."""
        if oid in self._unknown or name in self._parts.get(oid, ()):
            raise Unsure(name)

    def ask_whole(self, oid: int) -> None:
        """Raise Unsure when the table has more indexes or constraints than the catalog knows."""
        if oid in self._unknown or oid in self._whole:
            raise Unsure(str(oid))


def remember(catalog: Catalog, kind: str, node: Node) -> None:
    """Note what a statement that is no ALTER TABLE adds to tables that are there already.

    An index; a partition or an heir; a foreign key of a new table.
    """
    trail = trail_of(catalog)
    if kind == "index_stmt":
        trail.grow(_family(catalog, child(node, "relation")))
    elif kind == "create_stmt":
        above = [child(item, "range_var") for item in children(node, "inh_relations")]
        trail.lose_track(oid for parent in above for oid in _family(catalog, parent))
        keys = [child(f, "pktable") for k, f in each(node) if k == "constraint"]
        trail.grow(oid for table in keys if table for oid in _family(catalog, table))
    trail.settle()


def _family(catalog: Catalog, range_var: Node) -> list[int]:
    """Return the table that a statement names, and all below it; none when nobody knows it."""
    try:
        table = catalog.relation(relation(range_var))
    except Unsure:
        return []
    if table is None:
        return []
    return [table.oid, *(t.oid for t in catalog.descendants_of(table.oid))]


_TRAILS: WeakKeyDictionary[Catalog, Trail] = WeakKeyDictionary()


def trail_of(catalog: Catalog) -> Trail:
    """Return what was changed so far in the plan that ``catalog`` is used for."""
    if catalog not in _TRAILS:
        _TRAILS[catalog] = Trail()
    return _TRAILS[catalog]
