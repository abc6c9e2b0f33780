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

_ANY = "*"
"""In place of a column: any of them."""


class Trail:
    """Which parts of which tables are no longer as the catalog has them.

    What a statement changes counts for the next one, from :meth:`settle` on.
    """

    def __init__(self) -> None:
        """Nothing was changed yet."""
        self._parts: dict[int, set[str]] = defaultdict(set)
        self._whole: set[int] = set()
        self._unknown: set[int] = set()
        self._leaning: dict[int, set[str]] = defaultdict(set)
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

    def lean(self, oids: Iterable[int], columns: Iterable[str] | None) -> None:
        """Something new hangs on these columns, or (None) on nobody knows which of them."""
        tables = list(oids)
        wanted = {_ANY} if columns is None else set(columns)

        def apply() -> None:
            for oid in tables:
                self._leaning[oid] |= wanted

        self._coming.append(apply)

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

    def ask_known(self, oid: int) -> None:
        """Raise Unsure when nobody knows any more what belongs to a table."""
        if oid in self._unknown:
            raise Unsure(str(oid))

    def ask_free(self, oid: int, column: str | None) -> None:
        """Raise Unsure when something new hangs on a column; None: on any of them."""
        new = self._leaning.get(oid, set())
        if new and (column is None or new & {_ANY, column}):
            raise Unsure(str(oid))

    def ask_whole(self, oid: int) -> None:
        """Raise Unsure when the table has more indexes or constraints than the catalog knows."""
        if oid in self._unknown or oid in self._whole:
            raise Unsure(str(oid))


def remember(catalog: Catalog, kind: str, node: Node) -> None:
    """Note what a statement that is no ALTER TABLE adds to tables that are there already.

    An index; a partition or an heir; a foreign key of a new table; a view, a trigger, a policy.
    """
    if kind not in _MAKING:
        return
    trail = trail_of(catalog)
    named = [fields for _, fields in each(node) if "relname" in fields]
    tables = [oid for range_var in named for oid in _family(catalog, range_var)]
    trail.lean(tables, None)
    if kind in ("index_stmt", "create_stmt"):
        trail.grow(tables)
    above = [child(item, "range_var") for item in children(node, "inh_relations")]
    trail.lose_track(oid for parent in above for oid in _family(catalog, parent))
    trail.settle()


_MAKING = frozenset(
    {"index_stmt", "create_stmt", "view_stmt", "create_table_as_stmt", "rule_stmt"}
    | {"create_trig_stmt", "create_policy_stmt", "create_stats_stmt", "create_seq_stmt"}
)
"""Statements whose making hangs on tables that they name."""


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
