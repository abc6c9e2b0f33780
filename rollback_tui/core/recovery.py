"""The ladder of recovery: what could bring the database back, and what each rung would cost."""

from __future__ import annotations

from typing import Literal

from rollback_tui.core.model import Value

Rung = Literal["clone", "dump", "external", "reapply"]
"""``clone``: swap the copy in. ``dump``: restore the checkpoint beside and swap. ``external``: a
backup outside, by its own commands. ``reapply``: the up migrations once more, nothing restored."""


class LostRows(Value, frozen=True, kw_only=True):
    """Rows of one table that were written since and would be gone."""

    table: str
    rows: int | None
    """New or changed rows; None: could not be counted."""
    basis: str
    """How it is known: ``compared row by row``, ``the server's counters since …``."""


class RecoveryOption(Value, frozen=True, kw_only=True):
    """One rung of the ladder, for one run, as it stands now."""

    rung: Rung
    title: str
    restores: str
    """What the database would be afterwards, in one sentence."""
    estimated_seconds: float | None
    """None: nobody can say."""
    basis: str = ""
    """How the seconds are known: ``measured …, when it was proven``."""
    lost: tuple[LostRows, ...] | None
    """Writes since; empty: none. None: not known."""
    obstacle: str = ""
    """Why it cannot be taken; empty: it can."""
    remedy: str = ""
    commands: tuple[str, ...] = ()
    """What to type where the tool does not do it itself."""
    confirm: str = ""
    """What must be typed to take it: the database's name, or ``lose N rows``."""

    @property
    def lost_rows(self) -> int | None:
        """All rows that would be lost; None when one table is not known."""
        if self.lost is None or any(one.rows is None for one in self.lost):
            return None
        return sum(one.rows or 0 for one in self.lost)
