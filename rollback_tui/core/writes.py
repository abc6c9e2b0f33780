"""What one transaction wrote, table by table, as the server itself counted it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from rollback_tui.core.model import Value

WriteState = Literal["written", "new file", "came", "went", "unknown"]
"""``new file``: truncated or written anew as a whole. ``unknown``: the server does not count it."""


class TableWrite(Value, frozen=True, kw_only=True):
    """A table of which it is not proven that nothing was written to it."""

    oid: int
    table: str
    """Qualified and quoted where needed, as it is called now; its last name if it went."""
    before: str
    """What it was called before; empty: it was not there."""
    state: WriteState
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    """Rows since the first look. What a savepoint took back is counted too; what TRUNCATE removed
    is not."""
    partitioned: bool = False
    """It has no rows of its own: this is what happened to its partitions."""
    away: bool = False
    """Its rows are on another server."""

    @property
    def only_added(self) -> bool:
        """Whether every row that was there is there still, unchanged."""
        return self.state == "written" and not self.updated and not self.deleted

    def describe(self) -> str:
        """Return it as words: ``public.users: 3 rows updated``."""
        if self.state in ("came", "went"):
            return f"{self.table}: {'new' if self.state == 'came' else 'gone'}"
        if self.state == "unknown":
            away = self.away
            return f"{self.table}: " + (
                "its rows are on another server" if away else "nobody counted"
            )
        counted = [
            f"{number:,} {'row' if number == 1 else 'rows'} {what}"
            for number, what in (
                (self.inserted, "inserted"),
                (self.updated, "updated"),
                (self.deleted, "deleted"),
            )
            if number
        ]
        if self.state == "new file":
            whole = "partitions came, went or were written anew"
            counted.insert(0, whole if self.partitioned else "truncated or written anew")
        return f"{self.table}: {', '.join(counted)}"


class Writes(Value, frozen=True, kw_only=True):
    """What was written between two looks."""

    tables: tuple[TableWrite, ...]
    """All that is not proven untouched, by name."""
    untouched: int
    """How many tables had no row written and have the same file."""
    large_objects: int = 0
    """Rows written of large objects, which are no table's."""
    unknown: str = ""
    """Why nobody can say; then every table that is there is among ``tables``, as unknown."""

    def of(self) -> dict[str, TableWrite]:
        """Return the tables by the name they had before, those that came by their name now."""
        return {write.before or write.table: write for write in self.tables}

    def disturbed(self) -> frozenset[str]:
        """Return the names, old and new, of all tables that are not proven untouched."""
        return frozenset(name for w in self.tables for name in (w.table, w.before) if name)


def summed(
    oid: int, table: str, before: str, parts: Iterable[TableWrite], *, others: bool
) -> TableWrite:
    """Return what happened to a partitioned table, by what happened to its partitions; ``others``:
    they are not the same ones any more."""
    every = list(parts)
    states = {part.state for part in every}
    state: WriteState = "written"
    if "unknown" in states:
        state = "unknown"
    elif others or states - {"written"}:
        state = "new file"
    return TableWrite(
        oid=oid,
        table=table,
        before=before,
        state=state,
        inserted=sum(part.inserted for part in every),
        updated=sum(part.updated for part in every),
        deleted=sum(part.deleted for part in every),
        partitioned=True,
    )
