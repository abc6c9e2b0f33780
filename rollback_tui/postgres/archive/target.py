"""What is there now of the tables that an archive is restored into."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg.rows import TupleRow, dict_row

from rollback_tui.core.model import Value
from rollback_tui.core.text import printable
from rollback_tui.postgres.archive import ArchiveError, Item
from rollback_tui.postgres.archive.look import Look
from rollback_tui.postgres.archive.sql_text import put
from rollback_tui.postgres.archive.values import Column
from rollback_tui.postgres.aside import query

_EXACT = '::pg_catalog.text COLLATE pg_catalog."C"'
"""Two values are the same when they are written the same, whatever their type calls equal."""


class Now(Value, frozen=True, kw_only=True):
    """A column as it is now. Names and types are quoted where needed."""

    name: str
    type: str
    generated: bool
    always_identity: bool
    filled_with: str | None
    """What the rows of before got when the column was added, as text."""
    constant_default: str | None
    """An expression."""


class Destination(Value, frozen=True, kw_only=True):
    """One item of an archive, and the table it goes back into."""

    item: Item
    oid: int
    relation: str
    """As the catalog has it now, quoted."""
    now: dict[str, Now]
    key: tuple[str, ...]
    """Columns that tell the rows apart now; empty: nothing does."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """What is written: a column that has become generated is computed."""
        return tuple(c for c in self.item.columns if not self.now[c.name].generated)

    @property
    def written(self) -> tuple[Column, ...]:
        """What an UPDATE writes: all but the key."""
        return tuple(c for c in self.columns if c.name not in self.key)

    def value(self, column: Column, source: str = "a") -> str:
        """The kept value, as an expression of the type that its column has now."""
        kept = f"{source}.{column.name}"
        return f"{kept}::{self.now[column.name].type}" if column.as_text else kept

    def same_row(self, source: str = "a") -> str:
        """The condition that joins what is kept (``a``) with what is there (``t``)."""
        kept = {c.name: c for c in self.item.columns}
        return " AND ".join(
            f"t.{name}{_EXACT} = {source}.{name}"
            if kept[name].as_text
            else f"t.{name} = {source}.{name}"
            for name in self.key
        )

    def differs(self) -> str:
        """The condition that something written is not what is kept."""
        columns = self.written
        if not columns:
            return "false"
        pairs = (f"t.{c.name}{_EXACT} IS DISTINCT FROM a.{c.name}{_EXACT}" for c in columns)
        return f"({' OR '.join(pairs)})"

    def texts(self, source: str) -> str:
        """All that is kept of a row, as an array of texts."""
        return f"ARRAY[{', '.join(f'{source}.{c.name}{_EXACT}' for c in self.columns)}]"


def destinations(
    connection: psycopg.Connection[Any], items: Iterable[Item]
) -> tuple[Destination, ...]:
    """Find the tables of ``items``; sequences alone have none.

    With an empty ``search_path``. Raises ArchiveError, which names all that is missing, and
    psycopg.Error.
    """
    with connection.cursor() as cursor:
        found, absent = [], []
        for item in items:
            if item.kind == "sequence":
                continue
            destination = _destination(cursor, item)
            missing = (
                (item.relation,)
                if destination is None
                else [
                    f"{item.relation}.{c.name}"
                    for c in item.columns
                    if c.name not in destination.now
                ]
            )
            absent += [f"{name} (migration {item.version})" for name in missing]
            if destination is not None and not missing:
                found.append(destination)
    if absent:
        raise ArchiveError(
            f"not there now: {printable(', '.join(dict.fromkeys(absent)))}",
            "Apply the migration again first; nothing was changed.",
        )
    for one in found:
        if one.item.kind != "rows" and not one.key:
            raise ArchiveError(
                f"{printable(', '.join(one.item.key))} does not tell the rows of"
                f" {printable(one.relation)} apart now: no such key",
                "Make the key again as it was; nothing was changed.",
            )
    return tuple(found)


def _destination(cursor: psycopg.Cursor[TupleRow], item: Item) -> Destination | None:
    row = cursor.execute(
        "SELECT c.oid::bigint, format('%%I.%%I', n.nspname, c.relname) FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.oid = to_regclass(%s) AND c.relkind IN ('r', 'p')",
        [item.relation],
    ).fetchone()
    if row is None:
        return None
    oid, relation = row
    named = cursor.connection.cursor(row_factory=dict_row)
    columns = named.execute(query("restore_columns").encode(), {"oid": oid}).fetchall()
    now = {c["name"]: Now(**c) for c in columns}
    kept = {c.name for c in item.columns if c.name in now and not now[c.name].generated}
    keys = [key for key in Look(cursor).all_keys(oid) if kept.issuperset(key)]
    if item.column is not None:
        keys = [key for key in keys if set(key) == set(item.key)]
    return Destination(item=item, oid=oid, relation=relation, now=now, key=keys[0] if keys else ())


def parents_first(
    connection: psycopg.Connection[Any], found: Sequence[Destination]
) -> list[list[Destination]]:
    """Return ``found`` in groups, in an order in which every foreign key holds after each.

    Tables that refer to each other in a circle are one group: filled by one statement, at whose
    end their keys are checked. Raises psycopg.Error.
    """
    rows = connection.execute(
        query("restore_order").encode(), {"tables": sorted({d.oid for d in found})}
    ).fetchall()
    needs: dict[int, set[int]] = {d.oid: set() for d in found}
    for table, referenced in rows:
        needs[table].add(referenced)
    groups: list[list[Destination]] = []
    left = dict.fromkeys(needs)
    while left:
        free = [oid for oid in left if not needs[oid] & left.keys()]
        if free:
            # One after the other: what is in one statement does not see the rest of it.
            groups += [[d] for oid in free for d in reversed(found) if d.oid == oid]
        else:
            free = list(left)
            groups.append([d for d in reversed(found) if d.oid in left])
        for oid in free:
            del left[oid]
    return groups


def triggers(
    connection: psycopg.Connection[Any], found: Iterable[Destination]
) -> tuple[tuple[str, str, bool], ...]:
    """Return the application's triggers that would fire: (table, trigger, also under
    replication). Raises psycopg.Error."""
    rows = connection.execute(
        query("restore_triggers").encode(), {"tables": sorted({d.oid for d in found})}
    ).fetchall()
    return tuple((table, name, always) for table, name, always in rows)


def identities(found: Iterable[Destination]) -> tuple[str, ...]:
    """Return the ALTER TABLE … ALTER of each column that takes no value in an UPDATE, because it
    is GENERATED ALWAYS AS IDENTITY."""
    wanted = [
        put("ALTER TABLE {table} ALTER {column}", table=d.relation, column=c.name)
        for d in found
        for c in d.written
        if d.now[c.name].always_identity
    ]
    return tuple(dict.fromkeys(wanted))
