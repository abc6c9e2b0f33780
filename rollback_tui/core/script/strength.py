"""Lock modes by their strength, and which of them stand in each other's way."""

from __future__ import annotations

MODES = (
    "AccessShare",
    "RowShare",
    "RowExclusive",
    "ShareUpdateExclusive",
    "Share",
    "ShareRowExclusive",
    "Exclusive",
    "AccessExclusive",
)
"""Weakest first: PostgreSQL's own order and names (``lockdefs.h``), without the suffix."""


def strength(mode: str | None) -> int:
    """Return PostgreSQL's number of a mode, 1 to 8; 0 for none, 9 for one that is not known."""
    if mode is None:
        return 0
    return MODES.index(mode) + 1 if mode in MODES else len(MODES) + 1


def stronger(one: str | None, other: str) -> str:
    """Return the stronger of two modes."""
    return other if one is None or strength(other) > strength(one) else one
