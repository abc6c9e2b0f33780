"""The words of an archive: what is kept, of which columns, and in which kind."""

from __future__ import annotations

from typing import Literal

from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.model import Value

Kind = Literal["rows", "values", "changed rows", "changed values", "merged rows", "sequence"]
"""``rows`` and ``values`` are removed, the changed ones overwritten; a MERGE may do both."""


class CannotKeep(RollbackTuiError):
    """What a statement removes cannot be kept; nothing was removed."""

    def __init__(self, why: str) -> None:
        super().__init__(why, "Leave the statement out of what is kept, or save its data by hand.")


class Column(Value, frozen=True, kw_only=True):
    """One column that an archive holds. Names are quoted where needed."""

    name: str
    type: str
    """As ``format_type`` writes it, qualified unless it is PostgreSQL's own."""
    as_text: bool
    """Kept as text, because its type may be dropped before it is restored."""
    collated: bool = False
    """Has a collation of somebody's own, which may be dropped, too."""
    width: int | None = None
    """Average bytes of a value, as the last ANALYZE found it."""

    @property
    def kept_as(self) -> str:
        """The expression that reads it so that nothing depends on a type of the application."""
        if self.as_text:
            return f'{self.name}::pg_catalog.text COLLATE pg_catalog."default" AS {self.name}'
        if self.collated:
            return f'{self.name} COLLATE pg_catalog."default" AS {self.name}'
        return self.name


class Counter(Value, frozen=True, kw_only=True):
    """How far a sequence of a kept table had come."""

    sequence: str
    column: str | None
    """None: it belongs to no column."""
    last_value: int


class Source(Value, frozen=True, kw_only=True):
    """One thing to be kept: the rows of a table, or the values of one of its columns."""

    kind: Kind
    relation: str
    """Qualified and quoted where needed."""
    column: str | None = None
    key: tuple[str, ...] = ()
    """Columns that tell the rows apart."""
    columns: tuple[Column, ...] = ()
    """What is copied; of values, the key first."""
    owner: str = ""
    counters: tuple[Counter, ...] = ()
    query: str = ""
    """The rows as a query of the statement's own making, whose names mean what they mean in the
    script; empty: the whole table."""
    alone: bool = False
    """The rows of the table itself, and not of its partitions."""
    rows: int | None = None
    """An estimate: what the last ANALYZE found in the table."""
    bytes: int | None = None
    """Of the table's heap and TOAST now."""

    def describe(self, rows: int | None) -> str:
        """Return it as words: ``42 values of public.users.verified_at``."""
        where = self.relation + (f".{self.column}" if self.column else "")
        if self.kind == "sequence":
            return f"the last number of {where}"
        noun = "rows" if self.kind == "merged rows" else self.kind
        if rows is None:
            return f"{noun} of {where}"
        return f"{rows:,} {noun[:-1] if rows == 1 else noun} of {where}"
