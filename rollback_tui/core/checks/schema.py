"""Will the schema be the one that the target version is supposed to have?"""

from __future__ import annotations

from collections.abc import Iterable

from rollback_tui.core.checks.verdicts import Question
from rollback_tui.core.facts import Facts
from rollback_tui.core.model import CheckResult
from rollback_tui.core.rehearsal import Rehearsal
from rollback_tui.core.schema import Difference, condensed
from rollback_tui.core.schema_verdict import (
    UNSURE,
    Mending,
    SchemaVerdict,
    compared_with,
    declared,
    evidence,
    how_many,
    in_words,
    summary,
    undeclared,
)
from rollback_tui.core.text import printable

RESTORED = Question("schema_restored", "Schema comes back")
NAME = RESTORED.name
"""The check whose override accepts what a rehearsal found left over: exactly that."""

_REHEARSE = "Rehearse it: r on screen 3, or `rollback-tui check --rehearse`."
_NO_BASELINE = (
    "`rollback-tui baseline record` in each deploy keeps one; now: `rollback-tui baseline replay`"
    " runs the up scripts on an empty database."
)
_NO_VERSION = "Compare by hand: a rehearsal says what the script changes in the schema."
_ACCEPT = (
    "Mend the down script and look again; or accept exactly this with a typed reason (o on screen 2"
    ", `run --override schema_restored=REASON`), or declare it in [verify] accept."
)


def schema_restored(facts: Facts) -> CheckResult:
    """Two in five real down scripts leave something behind. Only a rehearsal tells beforehand;
    without one nothing is known, which does not stand in the way, and is never green."""
    rehearsal = facts.rehearsal
    if rehearsal is None:
        known = facts.baseline != "none"
        missing = _NO_VERSION if facts.plan.version_stays else _NO_BASELINE
        return RESTORED.warned(
            "not known before the run: not rehearsed" + ("" if known else ", and no baseline"),
            [],
            _REHEARSE if known else f"{_REHEARSE} {missing}",
        )
    if rehearsal.failure or rehearsal.foreseen is None:
        return _not_foreseen(rehearsal)
    found = rehearsal.foreseen
    if found.kind == "unknown" and facts.plan.version_stays:
        return RESTORED.warned(
            "nobody can know: no version says what schema should be there", [], _NO_VERSION
        )
    if found.kind == "unknown":
        return RESTORED.warned(
            "not known before the run: no baseline of the target version", [found.why], _NO_BASELINE
        )
    if found.kind != "leftover":
        return RESTORED.passed(f"rehearsed: {summary(found)}", evidence(found))
    return _leftover(facts, found)


def _not_foreseen(rehearsal: Rehearsal) -> CheckResult:
    """A rehearsal that was stopped says nothing; one in which the plan failed says that this run
    would fail as well."""
    failed = [m for m in rehearsal.statements if m.failed]
    if failed:
        return RESTORED.unknown_because(
            f"the plan failed in the rehearsal: {rehearsal.failure}",
            rehearsal.notes,
            "Mend the down script. A failure for want of rows: rehearse --from dump.",
        )
    return RESTORED.warned(
        f"not known before the run: {rehearsal.failure or 'the rehearsal did not come to that'}",
        rehearsal.notes,
        _REHEARSE,
    )


def _leftover(facts: Facts, found: SchemaVerdict) -> CheckResult:
    right = declared(found.leftover, facts.accepted_differences)
    wrong = undeclared(found.leftover, facts.accepted_differences)
    lines = [f"declared in [verify] accept: {in_words(d)}" for d in condensed(right)]
    if not wrong:
        return RESTORED.warned(
            f"{how_many(right)} left over, declared to be right in [verify] accept",
            lines,
            "Nothing to do: the run goes on with exactly these.",
        )
    also = f", {how_many(right)} declared" if right else ""
    drifted = f", {how_many(found.drift)} drifted before" if found.drift else ""
    unsure = [UNSURE] if found.unsure else []
    return RESTORED.failed(
        f"{how_many(wrong)} left over{also}{drifted} (the {found.origin} baseline)",
        [
            compared_with(found),
            *unsure,
            *_with_mending(wrong, found),
            *lines,
            *_drift(found.drift),
        ],
        _ACCEPT,
    )


def _with_mending(wrong: Iterable[Difference], found: SchemaVerdict) -> list[str]:
    """Object by object: what is wrong, and the DDL that would mend it."""
    mending: dict[str, list[Mending]] = {}
    for one in found.mending:
        mending.setdefault(one.object, []).append(one)
    entangled = set(found.entangled)
    lines: list[str] = []
    for difference in condensed(tuple(wrong)):
        before = " (not as it should be before the run already)"
        lines.append(in_words(difference) + (before if difference.object in entangled else ""))
        for mend in mending.get(difference.object, ()):
            lines += [f"  mend: {printable(statement)};" for statement in mend.sql]
            if mend.why:
                lines.append(f"  note: {printable(mend.why)}")
    return lines


def _drift(drift: Iterable[Difference]) -> list[str]:
    return [f"drift, not this run's doing: {in_words(d)}" for d in condensed(tuple(drift))]
