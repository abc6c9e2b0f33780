"""The target's catalog as it is stored: each kind of row read whole, once, when first needed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property

import psycopg
from psycopg.rows import TupleRow

from rollback_tui.postgres.aside import query
from rollback_tui.postgres.deletion import Address
from rollback_tui.postgres.foresight.objects import ForeignKey, Index, Relation

Cursor = psycopg.Cursor[TupleRow]


class Stored:
    """Rows of the catalog, in the shapes in which they are looked up.

    Every look-up may raise psycopg.Error.
    """

    def __init__(self, cursor: Cursor) -> None:
        """Nothing is asked yet."""
        self.cursor = cursor

    def rows(self, name: str, oids: Sequence[int] | None = None) -> list[TupleRow]:
        """Run ``queries/<name>.sql``, for some relations where it asks for them.

        Raises psycopg.Error.
        """
        given = None if oids is None else {"oids": list(oids)}
        return self.cursor.execute(query(name).encode(), given).fetchall()

    @cached_property
    def relations(self) -> dict[int, Relation]:
        """Relations of users' schemas by oid."""
        return {row[0]: Relation(*row) for row in self.rows("foresight_relations")}

    @cached_property
    def named(self) -> dict[tuple[str, str], Relation]:
        """The same by schema and name."""
        return {(r.schema, r.plain): r for r in self.relations.values()}

    @cached_property
    def indexes(self) -> dict[int, list[Index]]:
        """Indexes by their table."""
        found: dict[int, list[Index]] = defaultdict(list)
        for row in self.rows("foresight_indexes"):
            numbers = tuple(int(word) for word in row[6].split())
            index = Index._make((*row[:6], numbers, *row[7:]))
            found[index.table].append(index)
        return found

    @cached_property
    def index_by_oid(self) -> dict[int, Index]:
        """Indexes by their own oid."""
        return {i.oid: i for indexes in self.indexes.values() for i in indexes}

    @cached_property
    def keys(self) -> list[ForeignKey]:
        """Every foreign key."""
        return [
            ForeignKey._make((*row[:4], tuple(row[4]), tuple(row[5]), *row[6:]))
            for row in self.rows("foresight_foreign_keys")
        ]

    @cached_property
    def keys_from(self) -> dict[int, list[ForeignKey]]:
        """Foreign keys by their table."""
        found: dict[int, list[ForeignKey]] = defaultdict(list)
        for key in self.keys:
            found[key.table].append(key)
        return found

    @cached_property
    def keys_to(self) -> dict[int, list[ForeignKey]]:
        """Foreign keys by the table they refer to."""
        found: dict[int, list[ForeignKey]] = defaultdict(list)
        for key in self.keys:
            found[key.parent].append(key)
        return found

    @cached_property
    def inheritance(self) -> list[tuple[int, int]]:
        """(below, above) of partitions and heirs, tables and indexes."""
        return [(row[0], row[1]) for row in self.rows("foresight_inheritance")]

    @cached_property
    def children(self) -> dict[int, list[int]]:
        """What is just below a table or an index."""
        found: dict[int, list[int]] = defaultdict(list)
        for child, parent in self.inheritance:
            found[parent].append(child)
        return found

    @cached_property
    def parents(self) -> dict[int, list[int]]:
        """What is just above it."""
        found: dict[int, list[int]] = defaultdict(list)
        for child, parent in self.inheritance:
            found[child].append(parent)
        return found

    @cached_property
    def owned(self) -> dict[int, list[tuple[int, int]]]:
        """(sequence, column number) of the sequences that belong to a table."""
        found: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for sequence, table, column in self.rows("foresight_sequences"):
            found[table].append((sequence, column))
        return found

    @cached_property
    def defaults(self) -> dict[int, int]:
        """Default partitions by their partitioned table."""
        return {row[0]: row[1] for row in self.rows("foresight_default_partitions")}

    @cached_property
    def parts(self) -> dict[tuple[str, int, str], Address]:
        """Addresses of triggers, policies and rules by (class, relation, name)."""
        return {
            (kind, table, name): Address(catalog, oid, 0)
            for kind, catalog, oid, table, name in self.rows("foresight_parts")
        }

    @cached_property
    def views(self) -> dict[int, list[int | None]]:
        """What views read; None where they call a function of a user's."""
        found: dict[int, list[int | None]] = defaultdict(list)
        for view, relation in self.rows("foresight_views"):
            found[view].append(relation)
        return found

    @cached_property
    def triggers(self) -> dict[int, list[int]]:
        """``tgtype`` of enabled triggers by relation."""
        found: dict[int, list[int]] = defaultdict(list)
        for table, bits in self.rows("foresight_triggers"):
            found[table].append(bits)
        return found

    @cached_property
    def default_sequences(self) -> dict[int, dict[int, int]]:
        """Sequences that give columns their defaults: table → column number → sequence."""
        found: dict[int, dict[int, int]] = defaultdict(dict)
        for table, column, sequence in self.rows("foresight_default_sequences"):
            found[table][column] = sequence
        return found

    @cached_property
    def rules(self) -> dict[int, list[str]]:
        """Events of rules by relation."""
        found: dict[int, list[str]] = defaultdict(list)
        for relation, event in self.rows("foresight_rules"):
            found[relation].append(event)
        return found

    @cached_property
    def partition_keys(self) -> dict[int, list[str | None]]:
        """Columns that tables are partitioned by; None for an expression."""
        found: dict[int, list[str | None]] = defaultdict(list)
        for table, column in self.rows("foresight_partition_keys"):
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
