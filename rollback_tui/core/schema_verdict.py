"""Is the schema the one that the target version is supposed to have, and whose doing is the rest?

The baseline of the goal says what should be there. What differs from it after the rollback is
*drift* when it differed before the run already and the rolled-back migrations never meant to change
it: the baseline of the version that was current says so. Everything else is *leftover*: this
rollback leaves it behind, changes it, or fails to bring it back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Literal

from rollback_tui.core.model import Value
from rollback_tui.core.schema import (
    Difference,
    SchemaSnapshot,
    condensed,
    diff,
    moved_columns,
)
from rollback_tui.core.text import printable, shorten

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
    entangled: tuple[str, ...] = ()
    """Objects among ``leftover`` that were not as they should be before the run already, and that
    the run changed further: what of it is whose doing cannot be told apart."""
    why: str = ""
    """Why it is unknown, and what would make it known; empty: it is known."""
    baseline_at: datetime | None = None
    """When the baseline was read (UTC); None: not known, or there is none."""


def verdict(
    after: SchemaSnapshot,
    baseline: SchemaSnapshot | None,
    *,
    before: SchemaSnapshot,
    current: SchemaSnapshot | None,
    origin: Origin,
    version: str,
    bookkeeping: Sequence[str] = (),
    why: str = "",
    baseline_at: datetime | None = None,
) -> SchemaVerdict:
    """Judge ``after`` against ``baseline``.

    ``before`` is what was there before the run, ``current`` the baseline of the version that was
    current then. Without it nothing is excused as drift: a migration that is not undone looks just
    like it. ``bookkeeping``: the framework's version table and others of its own, qualified: where
    the baseline was taken before one existed, that it is there now is nobody's leftover. ``why``
    there is no baseline, and when it was taken (``baseline_at``), is told with the verdict.
    """
    if baseline is None:
        return SchemaVerdict(
            kind="unknown",
            origin="none",
            version=version,
            objects=len(after.objects),
            fingerprint=after.fingerprint,
            why=why or NO_BASELINE,
        )
    differences: Sequence[Difference] = diff(baseline, after)
    for table in bookkeeping:
        differences = _without(table, differences, baseline)
    notes = tuple(
        f"order of columns differs: {printable(t)}" for t in moved_columns(baseline, after)
    )
    notes += tuple(d.describe() for d in differences if d.cosmetic)
    # Nobody looked at these: that must not be called identical.
    notes += tuple(
        f"not compared, this role may not read it: {printable(name)}"
        for name in sorted({*baseline.unread, *after.unread})
    )
    real = [d for d in differences if not d.cosmetic]
    drift = tuple(d for d in real if current is not None and _drifted(d, before, current))
    known = set(drift)
    leftover = tuple(d for d in real if d not in known)
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
        # What the run changed is its own doing, whatever was there before.
        unsure=current is None and any(before.objects.get(d.object) == d.after for d in leftover),
        entangled=() if current is None else _entangled(leftover, before, current),
        baseline_at=baseline_at,
    )


NO_BASELINE = "no baseline of this version: `rollback-tui baseline record` keeps one at each deploy"


def _drifted(difference: Difference, before: SchemaSnapshot, current: SchemaSnapshot) -> bool:
    """Whether the run left it as it was, and no rolled-back migration was meant to change it."""
    name = difference.object
    return (
        before.objects.get(name) == difference.after
        and current.objects.get(name) == difference.before
    )


def _entangled(
    leftover: Iterable[Difference], before: SchemaSnapshot, current: SchemaSnapshot
) -> tuple[str, ...]:
    """Return what had drifted, and was then changed by the run or should have been."""
    return tuple(
        d.object for d in leftover if before.objects.get(d.object) != current.objects.get(d.object)
    )


def _without(
    table: str, differences: Sequence[Difference], baseline: SchemaSnapshot
) -> tuple[Difference, ...]:
    """Leave out the framework's version table where the baseline does not know it yet."""
    name = f"table {table}"
    whole = next((d for d in differences if d.object == name), None)
    if not table or whole is None or name in baseline.objects:
        return tuple(differences)
    theirs = _following([whole], differences)
    return tuple(d for d in differences if d.object not in theirs)


def _following(wholes: Sequence[Difference], others: Iterable[Difference]) -> AbstractSet[str]:
    """Return the names of ``wholes`` and of all that came or went only because they did."""
    names = {d.object for d in wholes}
    found = set(names)
    for other in others:
        if other.object not in names and other not in condensed([*wholes, other]):
            found.add(other.object)
    return found


# --- what was agreed to ---------------------------------------------------------------------------


def declared(differences: Sequence[Difference], patterns: Iterable[str]) -> tuple[Difference, ...]:
    """Return what ``[verify] accept`` declares to be right: ``*`` stands for any text. With a table
    that came or went as a whole go its columns, indexes and grants."""
    written = [
        re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)
        for pattern in patterns
        if pattern.strip()
    ]
    named = [d for d in differences if any(p.fullmatch(d.object) for p in written)]
    if not named:
        return ()
    found = _following(named, differences)
    return tuple(d for d in differences if d.object in found)


def undeclared(
    differences: Sequence[Difference], patterns: Iterable[str]
) -> tuple[Difference, ...]:
    """Return what ``[verify] accept`` does not declare."""
    right = set(declared(differences, patterns))
    return tuple(d for d in differences if d not in right)


def unforeseen(
    met: Sequence[Difference], accepted: Iterable[Difference], patterns: Iterable[str]
) -> tuple[Difference, ...]:
    """Return what is left over and was neither accepted, exactly as it is now, nor declared."""
    known = set(accepted)
    return tuple(d for d in undeclared(met, patterns) if d not in known)


# --- words --------------------------------------------------------------------------------------


def in_words(difference: Difference) -> str:
    """Return a difference from a baseline as one printable line."""
    name = printable(difference.object)
    if difference.before is None:
        return f"left behind: {name}"
    if difference.after is None:
        definition = shorten(difference.before, 120)
        return f"not brought back: {name}" + (f" ({definition})" if definition else "")
    return difference.describe()


def how_many(differences: Sequence[Difference]) -> str:
    """``1 object``, ``3 objects``: what only follows from another is not counted."""
    number = len(condensed(differences))
    return f"{number:,} object{'' if number == 1 else 's'}"


ORIGINS: dict[Origin, str] = {
    "recorded": "recorded at a deploy",
    "replayed": "made by the up scripts on an empty database",
    "none": "there is none",
}
"""Where a baseline comes from, in words."""


def summary(found: SchemaVerdict) -> str:
    """Return the verdict in one short sentence, with what it was compared with."""
    if found.kind == "unknown":
        return f"not known: {found.why}"
    baseline = f"the {found.origin} baseline"
    if found.kind == "identical":
        return f"identical with {baseline}, {found.objects:,} objects"
    if found.kind == "equivalent":
        return f"equivalent to {baseline}: only order or comments differ"
    if found.kind == "drift":
        return f"nothing left over; {how_many(found.drift)} drifted before ({baseline})"
    also = f", {how_many(found.drift)} drifted before" if found.drift else ""
    return f"{how_many(found.leftover)} left over{also} ({baseline})"


def compared_with(found: SchemaVerdict) -> str:
    """Return which baseline it was compared with, what that is and from when."""
    version = printable(found.version) or "the empty history"
    when = f", {found.baseline_at:%Y-%m-%d %H:%M} UTC" if found.baseline_at else ""
    return f"baseline of {version}: {ORIGINS[found.origin]}{when}"


def evidence(found: SchemaVerdict) -> list[str]:
    """Return what it was compared with and the differences, one line each: what is left over, what
    had drifted, what no statement notices."""
    entangled = set(found.entangled)
    lines = [compared_with(found)] if found.kind != "unknown" else []
    if found.unsure:
        lines.append(UNSURE)
    lines += [
        f"leftover, {in_words(d)}"
        + (" (it was not as it should be before the run already)" if d.object in entangled else "")
        for d in condensed(found.leftover)
    ]
    lines += [f"drift, not this run's doing, {in_words(d)}" for d in condensed(found.drift)]
    return [*lines, *found.notes]


UNSURE = (
    "what of it was so before the run is not known: there is no baseline of the current version"
)


def mending_lines(found: SchemaVerdict) -> list[str]:
    """Return what would mend what is left over: statements to copy, and what speaks against."""
    lines: list[str] = []
    for one in found.mending:
        lines += [f"{printable(statement)};" for statement in one.sql]
        if one.why:
            lines.append(f"-- {printable(one.object)}: {printable(one.why)}")
    return lines
