"""Which complete dumps are kept, and why: by number, by age, and never the last net."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from rollback_tui.checkpoint.listing import ListedCheckpoint
from rollback_tui.config import CheckpointSettings
from rollback_tui.core.model import Value

_DAY = 86400.0


class Rule(Value, frozen=True, kw_only=True):
    """What is kept of each target. Both 0: everything."""

    keep: int = 0
    """So many of the newest; 0: their number keeps none."""
    days: float = 0
    """Those of fewer days; 0: their age keeps none."""
    always: bool = False
    """The rule holds though both are 0: whatever may go, goes."""

    @property
    def any(self) -> bool:
        """Whether there is a rule at all."""
        return bool(self.keep or self.days or self.always)


class Fate(Value, frozen=True, kw_only=True):
    """What becomes of one complete dump."""

    goes: bool
    why: str
    """Why it goes, or what keeps it."""
    ordinary: bool = False
    """The rule itself keeps it; otherwise it stays although the rule would let it go."""


def rule(settings: CheckpointSettings) -> Rule:
    """Return the configured rule."""
    return Rule(keep=settings.keep, days=settings.keep_days)


def fates(
    listed: Sequence[ListedCheckpoint], rule: Rule, needed: Mapping[str, str] | None = None
) -> dict[str, Fate]:
    """Return what becomes of each complete dump, by path; ``listed`` is newest first.

    ``needed`` maps real paths to who needs them still. Kept whatever the rule says: those; the
    newest of a target; and the newest one of a target that was proven, for the others are only
    believed.
    """
    places: dict[str | None, int] = {}
    proven: dict[str | None, str] = {}
    found: dict[str, Fate] = {}
    complete = [one for one in listed if one.state == "complete"]
    for one in complete:
        if one.proven_at is not None:
            proven.setdefault(one.fingerprint, one.path)
    for one in complete:
        place = places[one.fingerprint] = places.get(one.fingerprint, 0) + 1
        ordinary = _by_rule(one, place, rule)
        spared = _spared(one, place, needed or {}, proven.get(one.fingerprint, ""))
        kept = ordinary or spared
        found[one.path] = Fate(
            goes=not kept, why=kept or _beyond(place, rule), ordinary=bool(ordinary)
        )
    return found


def _by_rule(one: ListedCheckpoint, place: int, rule: Rule) -> str:
    if not rule.any:
        return "nothing says how long dumps are kept"
    if rule.keep and place <= rule.keep:
        return f"one of the newest {rule.keep}"
    if rule.days and one.age <= rule.days * _DAY:
        return f"younger than {rule.days:g} days"
    return ""


def _spared(one: ListedCheckpoint, place: int, needed: Mapping[str, str], proven: str) -> str:
    needs = needed.get(os.path.realpath(one.path))
    if needs:
        return needs
    if place == 1:
        return "the newest of its target"
    return "the newest of its target that was proven" if one.path == proven else ""


def _beyond(place: int, rule: Rule) -> str:
    parts = []
    if rule.keep:
        parts.append(f"number {place} of its target, {rule.keep} are kept")
    if rule.days:
        parts.append(f"older than {rule.days:g} days")
    return " and ".join(parts) or "asked for"
