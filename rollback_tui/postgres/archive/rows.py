"""Asking for and writing the rows of one item, while an archive is restored.

``a`` is what is kept, ``t`` the table that it goes back into. Every name came quoted from the
catalog.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString

import psycopg

from rollback_tui.postgres.archive.sql_text import put
from rollback_tui.postgres.archive.target import Destination


class Rows:
    """What can be asked and done; all of it raises psycopg.Error."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def send(self, template: LiteralString, **parts: object) -> int:
        """Send a statement that changes something; return how many rows it was about."""
        return self._connection.execute(put(template, **parts).encode()).rowcount

    def count(self, template: LiteralString, **parts: object) -> int:
        """Ask for one number."""
        row = self._connection.execute(put(template, **parts).encode()).fetchone()
        return int(row[0]) if row else 0

    def absent(self, one: Destination) -> int:
        """How many of the kept rows are not there exactly as they were."""
        if one.key:
            return self.gone(one) + self.count(
                "SELECT count(*) FROM {kept} a JOIN {table} t ON {same} WHERE {was} <> {now}",
                kept=one.item.table,
                table=one.relation,
                same=one.same_row(),
                was=one.texts("a"),
                now=one.texts("t"),
            )
        return self.count(
            "SELECT count(*) FROM (SELECT {kept} FROM {archive} a EXCEPT ALL"
            " SELECT {now} FROM {table} t) AS absent",
            kept=one.texts("a"),
            archive=one.item.table,
            now=one.texts("t"),
            table=one.relation,
        )

    def insertion(self, one: Destination, there: int, found: Sequence[Destination]) -> str:
        """Return the INSERT of the kept rows that are not there, of which ``there`` are."""
        columns = [c.name for c in one.columns]
        values = [one.value(c) for c in one.columns]
        joins = ""
        for number, other in enumerate(self._columns_of(one, found)):
            # A column that an earlier statement had removed: it may not take a null.
            source = f"v{number}"
            joins += f" LEFT JOIN {other.item.table} {source} ON " + " AND ".join(
                f"a.{name} = {source}.{name}" for name in other.item.key
            )
            column = next(c for c in other.item.columns if c.name == other.item.column)
            columns.append(column.name)
            values.append(other.value(column, source))
        condition = "true"
        if one.key:
            condition = put(
                "NOT EXISTS (SELECT FROM {table} t WHERE {same})",
                table=one.relation,
                same=one.same_row(),
            )
        elif there:
            condition = "false"
        return put(
            "INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE"
            " SELECT {values} FROM {kept} a{joins} WHERE {condition}",
            table=one.relation,
            columns=", ".join(columns),
            values=", ".join(values),
            kept=one.item.table,
            joins=joins,
            condition=condition,
        )

    @staticmethod
    def _columns_of(one: Destination, found: Sequence[Destination]) -> list[Destination]:
        """The columns of the same table that were kept before its rows were."""
        kept = {c.name for c in one.item.columns}
        return [
            other
            for other in found
            if other.oid == one.oid
            and other.item.kind == "values"
            and other.item.item < one.item.item
            and other.item.column not in kept
            and kept.issuperset(other.item.key)
        ]

    def gone(self, one: Destination) -> int:
        """How many of the kept values belong to a row that is not there any more."""
        return self.count(
            "SELECT count(*) FROM {kept} a WHERE NOT EXISTS (SELECT FROM {table} t WHERE {same})",
            kept=one.item.table,
            table=one.relation,
            same=one.same_row(),
        )

    def differing(self, one: Destination, condition: str = "true") -> int:
        """How many rows that are there have something else than what is kept."""
        return self.count(
            "SELECT count(*) FROM {kept} a JOIN {table} t ON {same}"
            " WHERE {differs} AND {condition}",
            kept=one.item.table,
            table=one.relation,
            same=one.same_row(),
            differs=one.differs(),
            condition=condition,
        )

    def update(self, one: Destination) -> int:
        """Write what is kept into the rows that have something else; return how many."""
        if not one.written:
            return 0
        return self.send(
            "UPDATE {table} t SET {values} FROM {kept} a WHERE {same} AND {differs}",
            table=one.relation,
            values=", ".join(f"{c.name} = {one.value(c)}" for c in one.written),
            kept=one.item.table,
            same=one.same_row(),
            differs=one.differs(),
        )
