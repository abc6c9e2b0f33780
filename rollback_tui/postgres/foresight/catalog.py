"""The target's catalog as a forecast needs it: asked in a few queries, however many statements.

Each kind of row is read whole, once, when it is first needed; over a slow connection ten thousand
statements cost no more round trips than ten. What an earlier statement of the plan drops is
forgotten, and what it makes or renames is not answered for (:class:`Unsure`): the catalog of now
says nothing certain about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rollback_tui.core.names import parts
from rollback_tui.postgres.deletion import Address
from rollback_tui.postgres.foresight.deletion import Dependencies
from rollback_tui.postgres.foresight.objects import (
    Column,
    Constraint,
    ForeignKey,
    Index,
    Relation,
)
from rollback_tui.postgres.foresight.stored import Cursor, Stored

__all__ = [
    "Catalog",
    "Column",
    "Constraint",
    "Cursor",
    "ForeignKey",
    "Index",
    "Relation",
    "Unsure",
]


class Unsure(Exception):
    """The catalog of now does not tell: an earlier statement of the plan changes it, or it holds
    something that nobody here knows how to read. The effect stays what the text tells."""


class Catalog:
    """What the target's catalog says, and what earlier statements of the plan change in it."""

    def __init__(
        self, cursor: Cursor, path: Sequence[str], *, version: int, timezone: str = ""
    ) -> None:
        """``path`` are the schemas a name is looked for in, in order, ``pg_catalog`` apart;
        ``version`` is ``server_version_num``; ``timezone`` is the session's. ``cursor`` is in a
        read-only transaction whose own search_path is empty. Nothing is asked yet."""
        self.cursor = cursor
        self._stored = Stored(cursor)
        self.version = version
        self.path: tuple[str, ...] | None = tuple(path)
        """None: a statement changed it in a way that cannot be followed."""
        self.timezone: str | None = timezone
        """None: a statement changed it in a way that cannot be followed."""
        self.dependencies = Dependencies(self)
        self.objects: dict[tuple[str, str], Address | None] = {}
        """(class, name as written) → the object that the session's own search_path led to."""
        self.lost = False
        """An earlier statement may have changed anything: nothing is answered for any more."""
        self.later = False
        """An earlier statement of the plan changes something."""
        self.reshaped: set[int] = set()
        """Tables that got or gave away a partition or an heir."""
        self._path = self.path
        self._columns: dict[int, dict[str, Column]] = {}
        self._constraints: dict[int, dict[str, Constraint]] = {}
        self._gone: set[int] = set()
        self._changed: set[str] = set()
        self._renamed: set[int] = set()
        self._dropped: set[tuple[str, ...]] = set()
        self._new_keys: dict[int, list[int]] = {}

    def begin_script(self) -> None:
        """Look for names where the session began to: the run puts its search_path back."""
        self.path = self._path

    # --- names ------------------------------------------------------------------------------

    def relation(self, name: str) -> Relation | None:
        """Return the relation of a name as an Effect has it (``users``, ``public."order"``).

        None: there is none. Raises Unsure when an earlier statement made or renamed one of that
        name, or changed where names are looked for.
        """
        words = parts(name)
        if not words or words[-1] in self._changed:
            raise Unsure(name)
        if len(words) > 1:
            return self._alive(self._stored.named.get((words[-2], words[-1])))
        if self.path is None:
            raise Unsure(name)
        for schema in self.path:
            found = self._alive(self._stored.named.get((schema, words[0])))
            if found is not None:
                return found
        return None

    def there(self, schema: str, plain: str) -> bool:
        """Whether a relation of this name (not quoted) is in a schema."""
        if plain in self._changed:
            raise Unsure(plain)
        return self._alive(self._stored.named.get((schema, plain))) is not None

    def known(self, name: str) -> Relation:
        """Return the relation of a name. Raises Unsure when there is none."""
        found = self.relation(name)
        if found is None:
            raise Unsure(name)
        return found

    def by_oid(self, oid: int) -> Relation | None:
        """Return a relation of a user's schema; None for others, and for what is gone."""
        return self._alive(self._stored.relations.get(oid))

    def each(self, oids: Iterable[int]) -> tuple[Relation, ...]:
        """Return the relations among ``oids`` that are of a user's schema and still there."""
        found = (self.by_oid(oid) for oid in dict.fromkeys(oids))
        return tuple(relation for relation in found if relation is not None)

    def all(self) -> tuple[Relation, ...]:
        """Return every relation of every user's schema."""
        return self.each(self._stored.relations)

    def address(self, kind: str, name: str) -> Address | None:
        """Return an object that is no relation, by its class and name; None: there is none.

        Raises Unsure when it was not asked for, or when an earlier statement made or renamed one
        of that name or changed where names are looked for.
        """
        words = parts(name)
        if (kind, name) not in self.objects or not words or words[-1] in self._changed:
            raise Unsure(name)
        if len(words) == 1 and self.path != self._path:
            raise Unsure(name)
        found = self.objects[kind, name]
        return None if found is None or self.dependencies.is_gone(found) else found

    def part(self, kind: str, relation: Relation, name: str) -> Address | None:
        """Return a trigger, policy or rule of a relation; ``name`` is not quoted."""
        if name in self._changed:
            raise Unsure(name)
        found = self._stored.parts.get((kind, relation.oid, name))
        return None if found is None or self.dependencies.is_gone(found) else found

    def _alive(self, relation: Relation | None) -> Relation | None:
        return None if relation is None or relation.oid in self._gone else relation

    # --- what belongs together --------------------------------------------------------------

    def indexes_of(self, oid: int) -> tuple[Index, ...]:
        """Return the indexes of a table or materialised view."""
        return tuple(i for i in self._stored.indexes.get(oid, ()) if i.oid not in self._gone)

    def index(self, oid: int) -> Index | None:
        """Return an index by its own oid."""
        return self._stored.index_by_oid.get(oid)

    def foreign_keys_from(self, oid: int) -> tuple[ForeignKey, ...]:
        """Return the foreign keys of a table."""
        return tuple(k for k in self._stored.keys_from.get(oid, ()) if k.oid not in self._gone)

    def foreign_keys_to(self, oid: int) -> tuple[ForeignKey, ...]:
        """Return the foreign keys that refer to a table."""
        return tuple(k for k in self._stored.keys_to.get(oid, ()) if k.oid not in self._gone)

    def children_of(self, oid: int) -> tuple[Relation, ...]:
        """Return the partitions and heirs just below a table, or below a partitioned index."""
        return self.each(self._stored.children.get(oid, ()))

    def parents_of(self, oid: int) -> tuple[Relation, ...]:
        """Return what a table is a partition or heir of."""
        return self.each(self._stored.parents.get(oid, ()))

    def descendants_of(self, oid: int) -> tuple[Relation, ...]:
        """Return all partitions and heirs below a table, however deep; not the table itself."""
        found: dict[int, Relation] = {}
        frontier = [oid]
        while frontier:
            below = [c for at in frontier for c in self.children_of(at) if c.oid not in found]
            found |= {c.oid: c for c in below}
            frontier = [c.oid for c in below]
        return tuple(found.values())

    def default_partition(self, oid: int) -> Relation | None:
        """Return the default partition of a partitioned table."""
        return self.by_oid(self._stored.defaults[oid]) if oid in self._stored.defaults else None

    def sequences_of(self, oid: int, column: int | None = None) -> tuple[Relation, ...]:
        """Return the sequences that belong to a table, or to one of its columns, and go with it."""
        owned = self._stored.owned.get(oid, ())
        return self.each(s for s, number in owned if column in (None, number))

    def reads_of(self, view: int) -> tuple[Relation, ...]:
        """Return what a view reads. Raises Unsure where it calls a function of a user's."""
        found = self._stored.views.get(view, ())
        if None in found:
            raise Unsure("function")
        return self.each(oid for oid in found if oid is not None)

    def triggers_of(self, oid: int) -> tuple[int, ...]:
        """Return the ``tgtype`` of each enabled trigger of a user on a relation."""
        return tuple(self._stored.triggers.get(oid, ()))

    def rules_of(self, oid: int) -> frozenset[str]:
        """Return the events a relation has rules for: 2 UPDATE, 3 INSERT, 4 DELETE."""
        return frozenset(self._stored.rules.get(oid, ()))

    def partitioned_by(self, oid: int) -> frozenset[str | None]:
        """Return the columns a table is partitioned by; None stands for an expression."""
        return frozenset(self._stored.partition_keys.get(oid, ()))

    def default_sequences_of(self, oid: int) -> Mapping[int, Relation]:
        """Return the sequences that give columns (by number) their defaults."""
        found = self._stored.default_sequences.get(oid, {})
        return {n: s for n, at in found.items() if (s := self.by_oid(at)) is not None}

    def has(self, kind: str, plain: str) -> bool:
        """Whether there is a schema or an extension of this name (not quoted)."""
        if plain in self._changed:
            raise Unsure(plain)
        names = self._stored.schemas if kind == "schema" else self._stored.extensions
        return plain in names and (plain,) not in self._dropped

    def new_parents(self, oid: int) -> tuple[Relation, ...]:
        """Return what earlier statements of the plan made a table refer to."""
        return self.each(self._new_keys.get(oid, ()))

    def columns(self, oid: int) -> Mapping[str, Column]:
        """Return a relation's columns by their plain names; dropped ones are left out."""
        if oid not in self._columns:
            self.prefetch([oid])
        return self._columns[oid]

    def constraints(self, oid: int) -> Mapping[str, Constraint]:
        """Return a table's constraints by their plain names."""
        if oid not in self._constraints:
            self.prefetch([oid])
        return {k: c for k, c in self._constraints[oid].items() if c.oid not in self._gone}

    def prefetch(self, oids: Iterable[int]) -> None:
        """Read columns and constraints of many relations at once. Raises psycopg.Error."""
        wanted = [oid for oid in dict.fromkeys(oids) if oid not in self._columns]
        if not wanted:
            return
        self._columns |= {oid: {} for oid in wanted}
        self._constraints |= {oid: {} for oid in wanted}
        for row in self._stored.rows("foresight_columns", wanted):
            column = Column._make(row[1:])
            self._columns[row[0]][column.name] = column
        for row in self._stored.rows("foresight_constraints", wanted):
            constraint = Constraint._make((*row[:5], tuple(row[5]), *row[6:]))
            self._constraints[constraint.table][constraint.name] = constraint

    # --- what earlier statements change ------------------------------------------------------

    def forget(self, oids: Iterable[int]) -> None:
        """These objects (relations, constraints) are dropped by the statement just foreseen."""
        self._gone |= set(oids)

    def renamed(self, oid: int, *, schema: str = "", plain: str = "") -> None:
        """A relation has another name, or is in another schema, from here on."""
        old = self._stored.relations.get(oid)
        if old is not None:
            new = old._replace(schema=schema or old.schema, plain=plain or old.plain)
            self._stored.relations[oid] = new
            self._stored.named.pop((old.schema, old.plain), None)
            self._stored.named[new.schema, new.plain] = new
            self._renamed.add(oid)

    def ask_name(self, oid: int) -> None:
        """Raise Unsure when the server still calls a relation, and its parts, something else."""
        if oid in self._renamed:
            raise Unsure(str(oid))

    def changed(self, name: str) -> None:
        """Something of this name is made or renamed: from here on nobody can tell of it."""
        words = parts(name)
        if words:
            self._changed.add(words[-1])

    def dropped(self, name: str) -> None:
        """A schema or an extension of this name is dropped."""
        self._dropped.add(parts(name))

    def refers(self, name: str, parent: str) -> None:
        """A foreign key is added to a table."""
        try:
            table, to = self.relation(name), self.relation(parent)
        except Unsure:
            return
        if table is not None and to is not None:
            self._new_keys.setdefault(table.oid, []).append(to.oid)
