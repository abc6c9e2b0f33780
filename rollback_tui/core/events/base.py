"""What every event is made of, and the phases of a run."""

from __future__ import annotations

from typing import Literal

import msgspec

Phase = Literal[
    "preflight",
    "checkpoint",
    "announce",
    "drain",
    "close_door",
    "clone",
    "execute",
    "verify",
    "gate",
    "commit",
    "recover",
    "open_door",
    "health",
    "aftercare",
]


PHASES: tuple[Phase, ...] = (
    "preflight",
    "checkpoint",
    "announce",
    "drain",
    "close_door",
    "execute",
    "verify",
    "gate",
    "commit",
    "open_door",
    "health",
    "aftercare",
)
"""The phases of every run, in order. ``clone`` comes only if chosen, ``recover`` if needed."""


RECOVERY_PHASES: tuple[Phase, ...] = (
    "preflight",
    "announce",
    "checkpoint",
    "drain",
    "close_door",
    "recover",
    "open_door",
    "health",
    "aftercare",
)
"""The phases of a run that brings back what an earlier one left: in ``checkpoint`` the dump is
restored beside, while applications still work."""


QuestionName = Literal["gate", "drain", "health", "recover"]


PhaseStatus = Literal["done", "failed", "skipped"]


class Event(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True
):
    """Base of the events."""
