"""What the target held at one moment, for the comparisons of a run."""

from __future__ import annotations

from typing import NamedTuple

from rollback_tui.core.schema import SchemaSnapshot
from rollback_tui.core.writes import Writes
from rollback_tui.postgres.constraints import Standing
from rollback_tui.postgres.contents import Read
from rollback_tui.postgres.sequences import Position
from rollback_tui.postgres.writes import Sight
from rollback_tui.run.verifying.budget import Budget
from rollback_tui.survey.proof import Proof


class Evidence(NamedTuple):
    """What a run keeps of the first look, to prove by it what was changed and what was not."""

    proof: Proof
    sight: Sight
    cumulative: bool
    """``sight`` has what all backends have reported: the plan goes statement by statement."""
    reads: dict[int, Read]
    """By the table's oid: its rows, and the fingerprint of its contents."""
    positions: dict[int, Position]
    """Of sequences."""
    sequences_unread: int
    """How many sequences there was no time to look at."""
    constraints: Standing


class State:
    """Schema and rows of the target at one moment."""

    def __init__(
        self,
        schema: SchemaSnapshot,
        rows: dict[str, int | None],
        invalid_indexes: tuple[str, ...] = (),
        sequences_behind: dict[str, str] | None = None,
        evidence: Evidence | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.schema = schema
        self.rows = rows
        """Exact rows by table; None where it was not counted."""
        self.invalid_indexes = invalid_indexes
        self.sequences_behind = sequences_behind
        """A line by sequence that would next give a number its column already holds; None when
        that could not be read. Only sequences of tables that the plan touches."""
        self.evidence = evidence
        """None: only looked at."""
        self.budget = budget or Budget(0.0)
        self.sight_after: Sight | None = None
        self.writes: Writes | None = None
        """What was written since, once that was asked."""
        self.schema_after: SchemaSnapshot | None = None
        """What the schema is after the last statement, once that was asked."""
        self.reads_after: dict[int, Read] | None = None
        """What was read again after the last statement, once it was."""
