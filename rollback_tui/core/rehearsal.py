"""A rehearsal: the plan executed on a scratch database, and what each statement really did."""

from __future__ import annotations

from typing import Literal

from rollback_tui.core.model import Lock, Value, Verdict
from rollback_tui.core.schema import Difference
from rollback_tui.core.schema_verdict import SchemaVerdict

Source = Literal["schema", "dump", "clone"]
"""What the scratch database is made from: the schema alone; a checkpoint with its data, which is
thereby proven; or a template copy of the target, where nobody is connected to it."""


class Dropped(Value, frozen=True, kw_only=True):
    """An object that a statement dropped."""

    kind: str
    """PostgreSQL's own word: ``table``, ``table column``, ``view``."""
    name: str
    """PostgreSQL's ``object_identity``: qualified, quoted where needed."""
    collateral: bool
    """The statement did not name it: it went because of CASCADE, or is a partition of what went."""


class RowsChanged(Value, frozen=True, kw_only=True):
    """Rows of one table that a statement wrote."""

    relation: str
    inserted: int
    updated: int
    deleted: int


class Measured(Value, frozen=True, kw_only=True):
    """What one statement did in a rehearsal. ``None``: could not be measured."""

    index: int
    seconds: float
    transactional: bool
    """It ran inside a transaction."""
    locks: tuple[Lock, ...] | None
    """The strongest lock on each relation that was there before; those on system catalogs and
    TOAST are left out. None for a statement that ran alone: its locks are gone when it ends."""
    rewritten: tuple[str, ...] | None
    """Tables and materialised views that were there before and have new files; those that TRUNCATE
    emptied are not called so."""
    scanned: tuple[str, ...] | None
    """Tables that were read from end to end."""
    dropped: tuple[Dropped, ...] | None
    listed: bool = False
    """``dropped`` was told by two listings of the catalog, not by the server itself: tables, views,
    columns, functions, types, schemas, extensions and the indexes it names, nothing else."""
    changed: tuple[RowsChanged, ...] | None
    rows: int | None
    """As the command tag says."""
    notices: tuple[str, ...] = ()
    failed: str = ""
    """The server's own words; empty: it succeeded."""
    sqlstate: str = ""


class RoundTrip(Value, frozen=True, kw_only=True):
    """Whether the schema was the same again after ``down`` and then ``up``."""

    verdict: Verdict
    summary: str
    differences: tuple[str, ...] = ()


class Rehearsal(Value, frozen=True, kw_only=True):
    """One rehearsal of one plan."""

    plan_sha256: str
    source: Source
    embedded: bool
    """On a server of our own, not on the target's."""
    server_version: int
    """``server_version_num`` of where it ran."""
    database: str
    """What the scratch database was called."""
    made_seconds: float
    """How long it took to make."""
    seconds: float
    """All of it."""
    statements: tuple[Measured, ...]
    """Up to the first that failed."""
    failure: str = ""
    """Why it did not come to its end; empty: every statement ran."""
    round_trip: RoundTrip | None = None
    """None: the up scripts are not known, or it did not come to that."""
    proven: str = ""
    """Path of the checkpoint that was restored for it, and so proven; empty: none."""
    removed: bool = True
    """The scratch database is gone."""
    differences: tuple[str, ...] = ()
    """Where what was measured is not what had been forecast: ``statement 3: …``."""
    foreseen: SchemaVerdict | None = None
    """The schema after the plan against the baseline of the goal, with what is left over; None: it
    did not come to that."""
    changes: tuple[Difference, ...] | None = None
    """What the plan changed in the schema, before → after; None: it did not come to that."""
    notes: tuple[str, ...] = ()
    """What whoever reads this must know of how it came about: why it was not on the target's
    server, that the versions differ."""

    def of(self, index: int) -> Measured | None:
        """Return what statement ``index`` did; None when it was not reached."""
        return next((m for m in self.statements if m.index == index), None)
