"""What proves the result, and what that costs behind the closed door: bounded by a budget."""

from __future__ import annotations

from rollback_tui.core.model import Value


class Contents(Value, frozen=True, kw_only=True):
    """The contents of one table as a number that does not depend on the order of its rows."""

    table: str
    """Qualified, quoted where needed."""
    columns: tuple[str, ...]
    """What was read: the columns that survive the plan, by name."""
    rows: int | None
    """None: not read, because time ran out or we may not."""
    fingerprint: str
    """Empty: not read."""
    why: str = ""
    """Why it was not read."""


class ProofCost(Value, frozen=True, kw_only=True):
    """The forecast of the verification."""

    budget_seconds: float
    """``[verify] budget_seconds``: behind the closed door it takes no longer."""
    estimated_seconds: float | None
    """None: nobody can say."""
    counted: tuple[str, ...]
    """Tables whose rows are counted exactly, before and after: the plan touches them."""
    fingerprinted: tuple[str, ...]
    """Tables whose contents are read before and after and compared."""
    others: int
    """Tables that the plan does not touch: the server's own counters prove that nothing was
    written."""
    beyond: tuple[str, ...] = ()
    """Tables that will not be reached within the budget: their contents stay unknown."""
    basis: str = ""
    """How the seconds are known."""
