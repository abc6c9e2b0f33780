"""Is the schema the one that the target version is supposed to have, and whose doing is the rest?

The baseline of the goal says what should be there. What differs from it after the rollback is
*drift* when it differed before the run already and the rolled-back migrations never meant to change
it: the baseline of the version that was current says so. Everything else is *leftover*: this
rollback leaves it behind, changes it, or fails to bring it back.
"""

from __future__ import annotations

from typing import Literal

from rollback_tui.core.model import Value
from rollback_tui.core.schema import (
    Difference,
    SchemaSnapshot,
    diff,
    moved_columns,
)
from rollback_tui.core.text import printable

VerdictKind = Literal["identical", "equivalent", "leftover", "drift", "unknown"]
"""The worst that was found; ``unknown`` where there is no baseline."""

Origin = Literal["recorded", "replayed", "none"]
"""Where the baseline comes from: kept at a deploy, the up scripts run on an empty database."""


class Mending(Value, frozen=True, kw_only=True):
    """What would make one object as it should be."""

    object: str
    """As in :class:`rollback_tui.core.schema.Difference`."""
    sql: tuple[str, ...] = ()
    """Statements without semicolon; empty: they cannot be derived."""
    why: str = ""
    """Why there are none, or what they cost and risk."""


class SchemaVerdict(Value, frozen=True, kw_only=True):
    """The judgement on a schema after a rollback, or after its rehearsal."""

    kind: VerdictKind
    origin: Origin
    version: str
    """The version whose schema it should be; empty: no migration."""
    objects: int = 0
    """How many objects were compared."""
    fingerprint: str = ""
    """Of the schema that was judged."""
    leftover: tuple[Difference, ...] = ()
    """``before`` is what should be, ``after`` what is."""
    drift: tuple[Difference, ...] = ()
    notes: tuple[str, ...] = ()
    """What no statement can notice: the order of columns, comments."""
    unsure: bool = False
    """Nobody knows the schema that the current version should have: some of what is called leftover
    may have been different before already."""
    mending: tuple[Mending, ...] = ()
    """For what is left over, in the order in which it would be executed."""


def verdict(
    after: SchemaSnapshot,
    baseline: SchemaSnapshot | None,
    *,
    before: SchemaSnapshot,
    current: SchemaSnapshot | None,
    origin: Origin,
    version: str,
) -> SchemaVerdict:
    """Judge ``after`` against ``baseline``.

    ``before`` is what was there before the run, ``current`` the baseline of the version that was
    current then (None: there is none, and then nothing is excused as drift that the run did not
    cause: a migration that is not undone looks just like it).
    """
    if baseline is None:
        return SchemaVerdict(
            kind="unknown",
            origin="none",
            version=version,
            objects=len(after.objects),
            fingerprint=after.fingerprint,
        )
    differences = diff(baseline, after)
    notes = tuple(
        f"order of columns differs: {printable(t)}" for t in moved_columns(baseline, after)
    )
    notes += tuple(d.describe() for d in differences if d.cosmetic)
    real = [d for d in differences if not d.cosmetic]
    drift = tuple(d for d in real if current is not None and _drifted(d, before, current))
    leftover = tuple(d for d in real if d not in drift)
    kind: VerdictKind = (
        "leftover" if leftover else "drift" if drift else "equivalent" if notes else "identical"
    )
    return SchemaVerdict(
        kind=kind,
        origin=origin,
        version=version,
        objects=len(after.objects),
        fingerprint=after.fingerprint,
        leftover=leftover,
        drift=drift,
        notes=notes,
        unsure=current is None and bool(leftover),
    )


def _drifted(difference: Difference, before: SchemaSnapshot, current: SchemaSnapshot) -> bool:
    """Whether the run left it as it was, and no rolled-back migration was meant to change it."""
    name = difference.object
    return (
        before.objects.get(name) == difference.after
        and current.objects.get(name) == difference.before
    )
