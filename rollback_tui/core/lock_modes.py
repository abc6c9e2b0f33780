"""Modes of locks on relations, and which of them cannot be held side by side.

From PostgreSQL's documentation, 13.3.1 "Table-Level Locks", the table "Conflicting Lock Modes";
the same from 13 to 18. Names are without the suffix ``Lock``, as everywhere in a plan.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

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
"""In the order of the server's own numbers (``lockdefs.h``), from 1: the weakest first."""

CONFLICTS = MappingProxyType(
    {
        "AccessShare": frozenset(MODES[7:]),
        "RowShare": frozenset(MODES[6:]),
        "RowExclusive": frozenset(MODES[4:]),
        "ShareUpdateExclusive": frozenset(MODES[3:]),
        "Share": frozenset(MODES[2:]) - {"Share"},
        "ShareRowExclusive": frozenset(MODES[2:]),
        "Exclusive": frozenset(MODES[1:]),
        "AccessExclusive": frozenset(MODES),
    }
)
"""A mode → the modes that another transaction must not hold for it to be granted."""

_RANK = {mode: place for place, mode in enumerate(MODES)}


def conflict(one: str, other: str) -> bool:
    """Return whether two transactions cannot hold these modes on one relation. A mode that is not
    known conflicts with everything."""
    return other in CONFLICTS.get(one, MODES) or other not in CONFLICTS


def strongest(modes: Iterable[str]) -> str:
    """Return the mode with the highest number; empty when there is none. One that is not known
    counts as the strongest."""
    return max(modes, key=lambda mode: _RANK.get(mode, len(MODES)), default="")


def strength(mode: str | None) -> int:
    """Return the server's number of a mode, 1 to 8; 0 for none, 9 for one that is not known."""
    return 0 if mode is None else _RANK.get(mode, len(MODES)) + 1


def stronger(one: str | None, other: str) -> str:
    """Return the mode with the higher number."""
    return other if one is None or strength(other) > strength(one) else one
