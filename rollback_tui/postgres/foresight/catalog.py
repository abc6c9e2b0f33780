"""The target's catalog as a forecast needs it: asked in a few queries, however many statements.

Each kind of row is read whole, once, when it is first needed; over a slow connection ten thousand
statements cost no more round trips than ten. What an earlier statement of the plan drops is
forgotten, and what it makes or renames is not answered for (:class:`Unsure`): the catalog of now
says nothing certain about it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import psycopg
from psycopg.rows import TupleRow

from rollback_tui.core.script.tree import dotted
from rollback_tui.postgres.aside import query
from rollback_tui.postgres.deletion import Address
from rollback_tui.postgres.foresight.deletion import Dependencies
from rollback_tui.postgres.foresight.names import parts

Cursor = psycopg.Cursor[TupleRow]


class Unsure(Exception):
    """The catalog of now does not tell: an earlier statement of the plan changes it, or it holds
    something that nobody here knows how to read. The effect stays what the text tells."""


class Relation(NamedTuple):
    """A relation of a user's schema."""

    oid: int
    schema: str
    plain: str
    """Its own name, not quoted."""
    kind: str
    """``relkind``: r table, p partitioned table, v view, m materialised view, S sequence,
    f foreign table, i index, I partitioned index, c composite type."""
    persistence: str
    """``relpersistence``: p permanent, u unlogged, t temporary."""
    is_partition: bool
    owner: int
    has_triggers: bool
    """Of a user, not those that keep a foreign key."""
    has_rules: bool
    row_type: int
    of_type: int
    """``reloftype``; 0: none."""
    method: int
    tablespace: int
    clustered: bool

    @property
    def name(self) -> str:
        """Qualified, and quoted where needed: ``public."order"``."""
        return dotted([self.schema, self.plain])


class Index(NamedTuple):
    """An index of a table."""

    oid: int
    table: int
    unique: bool
    primary: bool
    valid: bool
    constraint: int
    """The constraint it keeps; 0: none."""
    columns: tuple[int, ...]
    """Column numbers; 0 for an expression."""
    partial: bool
    exclusion: bool


class ForeignKey(NamedTuple):
    """A foreign key, as its table and the table it refers to have it."""

    oid: int
    name: str
    table: int
    parent: int
    columns: tuple[int, ...]
    parent_columns: tuple[int, ...]
    validated: bool
    on_delete: str
    """a no action, r restrict, c cascade, n set null, d set default."""
    on_update: str
    inherited_from: int
    """The same foreign key of the partitioned table above; 0: its own."""
    index_oid: int
    """The parent's unique index that it rests on."""
    deferred: bool
    """Initially: checked at COMMIT."""


class Column(NamedTuple):
    """A column of a relation."""

    number: int
    name: str
    type: int
    modifier: int
    type_words: str
    """``character varying(10)``, ``public.colour``."""
    not_null: bool
    has_default: bool
    generated: str
    """s stored, v virtual (18+); empty: not generated."""
    identity: str
    collation: int
    is_local: bool
    inherited: int
    """From how many parents."""


class Constraint(NamedTuple):
    """A constraint of a table (or, without one, of a domain)."""

    oid: int
    name: str
    table: int
    type: str
    """c check, f foreign key, n not null (18+), p primary key, u unique, x exclusion, t trigger."""
    validated: bool
    columns: tuple[int, ...]
    index_oid: int
    parent: int
    """The table that a foreign key refers to; 0."""
    inherited_from: int
    """``conparentid``."""
    is_local: bool
    inherited: int
    no_inherit: bool
    definition: str


class Catalog:
    """What the target's catalog says, and what earlier statements of the plan change in it."""

    def __init__(
        self, cursor: Cursor, path: Sequence[str], *, version: int, timezone: str = ""
    ) -> None:
        """``path`` are the schemas a name is looked for in, in order, ``pg_catalog`` apart;
        ``version`` is ``server_version_num``; ``timezone`` is the session's. ``cursor`` is in a
        read-only transaction whose own search_path is empty. Nothing is asked yet."""
        self.cursor = cursor
        self.version = version
        self.path: tuple[str, ...] | None = tuple(path)
        """None: a statement changed it in a way that cannot be followed."""
        self.timezone: str | None = timezone
        """None: a statement changed it in a way that cannot be followed."""
        self.dependencies = Dependencies(self)
        self.objects: dict[tuple[str, str], Address | None] = {}
        """(class, name as written) → the object that the session's own search_path led to."""
        self._path = self.path
        self._columns: dict[int, dict[str, Column]] = {}
        self._constraints: dict[int, dict[str, Constraint]] = {}
        self._gone: set[int] = set()
        self._changed: set[str] = set()
        self._altered: set[int] = set()

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
            return self._alive(self._named.get((words[-2], words[-1])))
        if self.path is None:
            raise Unsure(name)
        for schema in self.path:
            found = self._alive(self._named.get((schema, words[0])))
            if found is not None:
                return found
        return None

    def there(self, schema: str, plain: str) -> bool:
        """Whether a relation of this name (not quoted) is in a schema."""
        if plain in self._changed:
            raise Unsure(plain)
        return self._alive(self._named.get((schema, plain))) is not None

    def known(self, name: str) -> Relation:
        """Return the relation of a name. Raises Unsure when there is none."""
        found = self.relation(name)
        if found is None:
            raise Unsure(name)
        return found

    def by_oid(self, oid: int) -> Relation | None:
        """Return a relation of a user's schema; None for others, and for what is gone."""
        return self._alive(self._relations.get(oid))

    def each(self, oids: Iterable[int]) -> tuple[Relation, ...]:
        """Return the relations among ``oids`` that are of a user's schema and still there."""
        found = (self.by_oid(oid) for oid in dict.fromkeys(oids))
        return tuple(relation for relation in found if relation is not None)

    def all(self) -> tuple[Relation, ...]:
        """Return every relation of every user's schema."""
        return self.each(self._relations)

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
        found = self._parts.get((kind, relation.oid, name))
        return None if found is None or self.dependencies.is_gone(found) else found

    def _alive(self, relation: Relation | None) -> Relation | None:
        return None if relation is None or relation.oid in self._gone else relation

    # --- what belongs together --------------------------------------------------------------

    def indexes_of(self, oid: int) -> tuple[Index, ...]:
        """Return the indexes of a table or materialised view."""
        return tuple(i for i in self._indexes.get(oid, ()) if i.oid not in self._gone)

    def index(self, oid: int) -> Index | None:
        """Return an index by its own oid."""
        return self._index_by_oid.get(oid)

    def foreign_keys_from(self, oid: int) -> tuple[ForeignKey, ...]:
        """Return the foreign keys of a table."""
        return tuple(k for k in self._keys_from.get(oid, ()) if k.oid not in self._gone)

    def foreign_keys_to(self, oid: int) -> tuple[ForeignKey, ...]:
        """Return the foreign keys that refer to a table."""
        return tuple(k for k in self._keys_to.get(oid, ()) if k.oid not in self._gone)

    def children_of(self, oid: int) -> tuple[Relation, ...]:
        """Return the partitions and heirs just below a table, or below a partitioned index."""
        return self.each(self._children.get(oid, ()))

    def parents_of(self, oid: int) -> tuple[Relation, ...]:
        """Return what a table is a partition or heir of."""
        return self.each(self._parents.get(oid, ()))

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
        return self.by_oid(self._defaults[oid]) if oid in self._defaults else None

    def sequences_of(self, oid: int, column: int | None = None) -> tuple[Relation, ...]:
        """Return the sequences that belong to a table, or to one of its columns, and go with it."""
        owned = self._owned.get(oid, ())
        return self.each(s for s, number in owned if column in (None, number))

    def reads_of(self, view: int) -> tuple[Relation, ...]:
        """Return what a view reads. Raises Unsure where it calls a function of a user's."""
        found = self._views.get(view, ())
        if None in found:
            raise Unsure("function")
        return self.each(oid for oid in found if oid is not None)

    def triggers_of(self, oid: int) -> tuple[int, ...]:
        """Return the ``tgtype`` of each enabled trigger of a user on a relation."""
        return tuple(self._triggers.get(oid, ()))

    def rules_of(self, oid: int) -> frozenset[str]:
        """Return the events a relation has rules for: 2 UPDATE, 3 INSERT, 4 DELETE."""
        return frozenset(self._rules.get(oid, ()))

    def partitioned_by(self, oid: int) -> frozenset[str | None]:
        """Return the columns a table is partitioned by; None stands for an expression."""
        return frozenset(self._partition_keys.get(oid, ()))

    def default_sequences_of(self, oid: int) -> Mapping[int, Relation]:
        """Return the sequences that give columns (by number) their defaults."""
        found = self._default_sequences.get(oid, {})
        return {n: s for n, at in found.items() if (s := self.by_oid(at)) is not None}

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
        for row in self._rows("foresight_columns", wanted):
            column = Column._make(row[1:])
            self._columns[row[0]][column.name] = column
        for row in self._rows("foresight_constraints", wanted):
            constraint = Constraint._make((*row[:5], tuple(row[5]), *row[6:]))
            self._constraints[constraint.table][constraint.name] = constraint

    # --- what earlier statements change ------------------------------------------------------

    def forget(self, oids: Iterable[int]) -> None:
        """These objects (relations, constraints) are dropped by the statement just foreseen."""
        self._gone |= set(oids)

    def changed(self, name: str) -> None:
        """Something of this name is made or renamed: from here on nobody can tell of it."""
        words = parts(name)
        if words:
            self._changed.add(words[-1])

    def altered(self, name: str) -> None:
        """A statement changes columns or constraints of this relation."""
        try:
            found = self.relation(name)
        except Unsure:
            return
        if found is not None:
            self._altered.add(found.oid)

    def is_altered(self, oid: int) -> bool:
        """Whether an earlier statement changes its columns or constraints."""
        return oid in self._altered

    def is_gone(self, oid: int) -> bool:
        """Whether an earlier statement dropped it."""
        return oid in self._gone

    # --- reading ----------------------------------------------------------------------------

    def _rows(self, name: str, oids: Sequence[int] | None = None) -> list[TupleRow]:
        given = None if oids is None else {"oids": list(oids)}
        return self.cursor.execute(query(name).encode(), given).fetchall()

    @cached_property
    def _relations(self) -> dict[int, Relation]:
        return {row[0]: Relation(*row) for row in self._rows("foresight_relations")}

    @cached_property
    def _named(self) -> dict[tuple[str, str], Relation]:
        return {(r.schema, r.plain): r for r in self._relations.values()}

    @cached_property
    def _indexes(self) -> dict[int, list[Index]]:
        found: dict[int, list[Index]] = defaultdict(list)
        for row in self._rows("foresight_indexes"):
            numbers = tuple(int(word) for word in row[6].split())
            index = Index._make((*row[:6], numbers, *row[7:]))
            found[index.table].append(index)
        return found

    @cached_property
    def _index_by_oid(self) -> dict[int, Index]:
        return {i.oid: i for indexes in self._indexes.values() for i in indexes}

    @cached_property
    def _keys(self) -> list[ForeignKey]:
        return [
            ForeignKey._make((*row[:4], tuple(row[4]), tuple(row[5]), *row[6:]))
            for row in self._rows("foresight_foreign_keys")
        ]

    @cached_property
    def _keys_from(self) -> dict[int, list[ForeignKey]]:
        found: dict[int, list[ForeignKey]] = defaultdict(list)
        for key in self._keys:
            found[key.table].append(key)
        return found

    @cached_property
    def _keys_to(self) -> dict[int, list[ForeignKey]]:
        found: dict[int, list[ForeignKey]] = defaultdict(list)
        for key in self._keys:
            found[key.parent].append(key)
        return found

    @cached_property
    def _inheritance(self) -> list[tuple[int, int]]:
        return [(row[0], row[1]) for row in self._rows("foresight_inheritance")]

    @cached_property
    def _children(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = defaultdict(list)
        for child, parent in self._inheritance:
            found[parent].append(child)
        return found

    @cached_property
    def _parents(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = defaultdict(list)
        for child, parent in self._inheritance:
            found[child].append(parent)
        return found

    @cached_property
    def _owned(self) -> dict[int, list[tuple[int, int]]]:
        found: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for sequence, table, column in self._rows("foresight_sequences"):
            found[table].append((sequence, column))
        return found

    @cached_property
    def _defaults(self) -> dict[int, int]:
        return {row[0]: row[1] for row in self._rows("foresight_default_partitions")}

    @cached_property
    def _parts(self) -> dict[tuple[str, int, str], Address]:
        return {
            (kind, table, name): Address(catalog, oid, 0)
            for kind, catalog, oid, table, name in self._rows("foresight_parts")
        }

    @cached_property
    def _views(self) -> dict[int, list[int | None]]:
        found: dict[int, list[int | None]] = defaultdict(list)
        for view, relation in self._rows("foresight_views"):
            found[view].append(relation)
        return found

    @cached_property
    def _triggers(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = defaultdict(list)
        for table, bits in self._rows("foresight_triggers"):
            found[table].append(bits)
        return found

    @cached_property
    def _default_sequences(self) -> dict[int, dict[int, int]]:
        found: dict[int, dict[int, int]] = defaultdict(dict)
        for table, column, sequence in self._rows("foresight_default_sequences"):
            found[table][column] = sequence
        return found

    @cached_property
    def _rules(self) -> dict[int, list[str]]:
        found: dict[int, list[str]] = defaultdict(list)
        for relation, event in self._rows("foresight_rules"):
            found[relation].append(event)
        return found

    @cached_property
    def _partition_keys(self) -> dict[int, list[str | None]]:
        found: dict[int, list[str | None]] = defaultdict(list)
        for table, column in self._rows("foresight_partition_keys"):
            found[table].append(column)
        return found

    @cached_property
    def schemas(self) -> frozenset[str]:
        """Names of all schemas."""
        return frozenset(row[0] for row in self.cursor.execute("SELECT nspname FROM pg_namespace"))

    @cached_property
    def extensions(self) -> frozenset[str]:
        """Names of the extensions of this database."""
        return frozenset(row[0] for row in self.cursor.execute("SELECT extname FROM pg_extension"))
