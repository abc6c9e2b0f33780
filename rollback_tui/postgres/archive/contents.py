"""What an archive is: its schema, its mark, and the rows of its manifest."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.model import Value
from rollback_tui.postgres.archive.values import Column, Counter, Kind, Source

PREFIX = "rollback_archive_"
MARK = "rollback-tui archive of run "
"""How the comment on each archive's schema begins; the run's id follows."""

FORMAT = 1
MANIFEST = "manifest"
TABLE = re.compile(rf"{PREFIX}[0-9a-f]{{8}}\.(manifest|statement_\d+_item_\d+)")
"""What a manifest may name as a table of its own."""

Send = Callable[[str], int]
"""Sends one statement that changes something, and returns how many rows it was about."""


class ArchiveError(RollbackTuiError):
    """An archive cannot be read, restored or dropped; nothing was changed."""


class Origin(Value, frozen=True, kw_only=True):
    """Of what run and script the data is."""

    run: str
    """UUID."""
    tool_version: str
    version: str
    """Of the migration."""
    script_sha256: str


class Item(Value, frozen=True, kw_only=True):
    """One thing that was kept: a row of the manifest."""

    item: int
    """From 1, in the order in which they were kept."""
    statement: int
    statement_kind: str
    kind: Kind
    relation: str
    """Where it came from, qualified and quoted where needed."""
    column: str | None
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    table: str
    """Where it is, qualified: of a sequence, the manifest itself."""
    rows: int
    owner: str
    counters: tuple[Counter, ...]
    version: str

    def describe(self) -> str:
        """Return it as words: ``42 values of public.users.verified_at``."""
        kept = Source(kind=self.kind, relation=self.relation, column=self.column)
        return kept.describe(self.rows)


class Archive(Value, frozen=True, kw_only=True):
    """One archive of the target."""

    schema: str
    run: str
    """UUID."""
    owner: str
    bytes: int
    created_at: datetime | None = None
    items: tuple[Item, ...] = ()
    problem: str = ""
    """Why its manifest could not be read; empty when it could."""

    @property
    def versions(self) -> tuple[str, ...]:
        """The migrations whose data it holds."""
        return tuple(dict.fromkeys(item.version for item in self.items))


def schema_of(run: str) -> str:
    """Return the name of the schema for a run (UUID)."""
    return f"{PREFIX}{run[:8]}"
