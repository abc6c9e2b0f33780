"""What the target held at one moment, for the comparisons of a run."""

from __future__ import annotations

from rollback_tui.core.schema import SchemaSnapshot


class State:
    """Schema and rows of the target at one moment."""

    def __init__(
        self,
        schema: SchemaSnapshot,
        rows: dict[str, int | None],
        invalid_indexes: tuple[str, ...] = (),
        sequences_behind: dict[str, str] | None = None,
    ) -> None:
        self.schema = schema
        self.rows = rows
        """Exact rows by table; None where time did not allow to count."""
        self.invalid_indexes = invalid_indexes
        self.sequences_behind = sequences_behind
        """A line by sequence that would next give a number its column already holds; None when
        that could not be read."""
