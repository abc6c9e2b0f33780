"""What the catalog knows of the tables whose data is to be kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow, dict_row

from rollback_tui.core.text import printable
from rollback_tui.postgres.archive.values import CannotKeep, Column, Counter, Kind, Source
from rollback_tui.postgres.aside import query

_STORED = ("r", "p")


class Look:
    """Asks the catalog about tables, with an empty ``search_path``."""

    def __init__(self, cursor: psycopg.Cursor[TupleRow], emptied: Sequence[int] = ()) -> None:
        self._cursor = cursor.connection.cursor(row_factory=dict_row)
        self._emptied = emptied

    def _ask(self, name: str, oid: int) -> list[dict[str, Any]]:
        return self._cursor.execute(query(name).encode(), {"oid": oid}).fetchall()

    def _table(self, oid: int) -> dict[str, Any] | None:
        """A table that stores rows, and may be read whole; None when it stores none."""
        rows = self._ask("kept_relation", oid)
        if not rows or rows[0]["kind"] not in _STORED:
            return None
        table = rows[0]
        name = printable(table["name"])
        if not table["readable"]:
            raise CannotKeep(f"this role may not read {name}")
        if table["filtered"]:
            raise CannotKeep(f"row-level security hides rows of {name} from this role")
        if table["has_foreign_parts"]:
            raise CannotKeep(f"{name} has partitions on another server")
        if set(table["children"]) - set(self._emptied):
            raise CannotKeep(f"other tables inherit from {name}")
        return table

    def _columns(self, oid: int) -> list[Column]:
        """All but the generated ones: those are computed again."""
        return [
            Column(
                name=c["name"],
                type=c["type"],
                as_text=c["as_text"],
                collated=c["collated"],
                width=c["width"],
            )
            for c in self._ask("kept_columns", oid)
            if not c["generated"]
        ]

    def keys(self, oid: int, without: Iterable[str] = ()) -> tuple[str, ...]:
        """The best key that has none of these columns; nothing where there is none."""
        gone = set(without)
        return next((key for key in self.all_keys(oid) if not gone & set(key)), ())

    def all_keys(self, oid: int) -> list[tuple[str, ...]]:
        """All that tell the rows apart, the best first."""
        return [tuple(row["columns"]) for row in self._ask("kept_keys", oid)]

    def numbers(self, oid: int) -> list[Source]:
        """Sequences alone, whose table stays."""
        return [
            Source(kind="sequence", relation=c.sequence, column=None, counters=(c,), rows=1)
            for c in self._counters(oid)
        ]

    def _counters(self, oid: int, column: str | None = None) -> tuple[Counter, ...]:
        return tuple(
            Counter(sequence=s["name"], column=s["column"], last_value=s["last_value"])
            for s in self._ask("kept_sequences", oid)
            if column is None or s["column"] == column
        )

    def whole(self, oid: int) -> list[Source]:
        """All rows of a table."""
        table = self._table(oid)
        if table is None:
            return []
        return [
            Source(
                kind="rows",
                relation=table["name"],
                key=self.keys(oid),
                columns=tuple(self._columns(oid)),
                owner=table["owner"],
                alone=table["kind"] == "r",
                counters=self._counters(oid),
                rows=table["rows"],
                bytes=table["bytes"],
            )
        ]

    def values(self, oid: int, column: str, changed: bool, gone: Iterable[str]) -> list[Source]:
        """The values of a column, each with the key of its row."""
        table = self._table(oid)
        columns = {c.name: c for c in self._columns(oid)}
        if table is None or column not in columns:
            return []
        key = self.keys(oid, gone)
        if not key or any(name not in columns for name in key):
            raise CannotKeep(
                f"{printable(table['name'])} has no other key to tell its rows apart:"
                " no primary key, and no unique index on columns that are NOT NULL"
            )
        return [
            Source(
                kind="changed values" if changed else "values",
                relation=table["name"],
                column=column,
                key=key,
                columns=tuple(columns[name] for name in (*key, column)),
                owner=table["owner"],
                alone=table["kind"] == "r",
                counters=() if changed else self._counters(oid, column),
                rows=table["rows"],
                bytes=table["bytes"],
            )
        ]

    def chosen(self, oid: int, kind: Kind, rows: str, path: tuple[int, ...]) -> list[Source]:
        """Rows that ``rows`` returns, and those that the foreign keys of other tables reach."""
        table = self._table(oid)
        if table is None:
            raise CannotKeep("it changes rows through a view, or on another server")
        name = table["name"]
        if table["ruled"]:
            raise CannotKeep(f"a rule of {printable(name)} may change other rows instead")
        if oid in path:
            raise CannotKeep(f"ON DELETE CASCADE leads from {printable(name)} back to itself")
        key = self.keys(oid)
        if not key and kind != "rows":
            raise CannotKeep(f"{printable(name)} has no key to find its changed rows again by")
        found = [
            Source(
                kind=kind,
                relation=name,
                key=key,
                columns=tuple(self._columns(oid)),
                owner=table["owner"],
                alone=table["kind"] == "r",
                query=rows,
                rows=table["rows"],
                bytes=table["bytes"],
            )
        ]
        if kind == "changed rows":
            return found
        for along in self._ask("kept_along", oid):
            follows: Kind = "rows" if along["action"] == "c" else "changed rows"
            reached = self._reached(along, rows)
            found += self.chosen(along["oid"], follows, reached, (*path, oid))
        return found

    def _reached(self, along: dict[str, Any], rows: str) -> str:
        """The rows of another table that refer to ``rows``. Every name came quoted from the
        catalog, and ``rows`` is made of the statement itself."""
        child = self._ask("kept_relation", along["oid"])[0]["name"]
        pairs = zip(along["columns"], along["referenced"], strict=True)
        same = " AND ".join(f"child.{c} = parent.{r}" for c, r in pairs)
        text = sql.SQL(
            "SELECT child.* FROM {} AS child WHERE EXISTS (SELECT FROM (\n{}\n) AS parent WHERE {})"
        ).format(sql.SQL(child), sql.SQL(rows), sql.SQL(same))
        return text.as_string(self._cursor)
