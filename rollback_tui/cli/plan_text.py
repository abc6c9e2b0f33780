"""A plan as lines of text: each statement with what is known of it, in a few lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rollback_tui.core import foreseen
from rollback_tui.core.checks.plan import way_out, without_a_way_back
from rollback_tui.core.model import Migration, Plan, Statement
from rollback_tui.core.outlook import InTheWay, locks_unknown
from rollback_tui.core.text import printable, shorten

_DANGER = {True: "LOSES DATA", False: "", None: "UNKNOWN"}
_MOST = 3
"""Losses, violations or sessions of one statement that are named."""

Way = Sequence[InTheWay] | str
"""Who is in the way now, or why nobody knows."""


def plan_lines(plan: Plan, way: Way) -> Iterator[str]:
    """Yield the lines. ``way`` is what stands in it now, or the reason why that is not known."""
    if plan.version_table:
        current, goal = plan.current or "nothing", plan.goal or "no migration at all"
        yield printable(f"{plan.framework}: {current} → {goal}")
    else:
        yield "no framework is known: from an unknown version to another"
    if plan.by_hand:
        yield printable(f"SCRIPT GIVEN BY HAND: {plan.by_hand}")
    if plan.version_stays:
        yield printable(f"NO VERSION IS CHANGED: {plan.version_stays}")
    if not plan.transactional:
        yield (
            "NOT ONE TRANSACTION: it goes statement by statement, what is done stays done, and"
            " only the checkpoint brings it back."
        )
    stuck = without_a_way_back(plan)
    waiting = _by_statement(() if isinstance(way, str) else way)
    for migration in plan.migrations:
        yield ""
        yield from _migration(migration, waiting, stuck=migration in stuck)
    yield ""
    if stuck:
        yield f"→ {way_out(stuck)}. As it is, this plan is refused."
    elif any(m.script.problems for m in plan.migrations if m.script):
        yield "→ As it is, this plan is refused: `rollback-tui check` says what helps."
    yield from _way(plan, way)


def _migration(
    migration: Migration, waiting: Mapping[int, Sequence[InTheWay]], *, stuck: bool
) -> Iterator[str]:
    yield printable(f"{migration.version} {migration.name}")
    script = migration.script
    if script is None:
        first, *others = migration.why_no_script.splitlines() or [""]
        yield f"  NO DOWN MIGRATION: {printable(first)}"
        for text in others:
            yield f"    {printable(text)}"
        return
    if script.origin:
        yield f"  ({printable(script.origin)})"
    if script.wrapper_removed:
        yield "  (BEGIN … COMMIT around the script is taken off)"
    if script.nothing_to_undo and not script.statements:
        yield printable(f"  nothing to undo: {script.nothing_to_undo}")
    elif not script.statements and not script.problems:
        yield f"  NO DOWN MIGRATION: {printable(script.path)} holds no statement"
    elif migration.why_no_script:
        yield f"  NO DOWN MIGRATION: {printable(migration.why_no_script)}"
    for problem in script.problems:
        yield f"  line {problem.line}: {printable(problem.summary)}"
    for statement in script.statements:
        danger = _DANGER[statement.effect.loses_data]
        yield (
            f"  {statement.index:>3}  line {statement.line:<4} {danger:<11}"
            f" {shorten(statement.sql, 90)}"
        )
        for name, text in _known(statement, waiting.get(statement.index, ())):
            yield f"       {name:<8} {printable(text)}"
    for text in () if stuck else migration.version_change:
        yield f"       version table: {printable(text)}"


def _known(statement: Statement, waiting: Sequence[InTheWay]) -> Iterator[tuple[str, str]]:
    effect = statement.effect
    if effect.no_op:
        yield "nothing", "it does nothing now: what it names is not there (or is there already)"
        return
    locks = foreseen.locks(effect)
    if locks:
        yield "locks", locks
    yield from _first("loses", [foreseen.loss(one) for one in statement.loss])
    broken = [one for one in statement.violations if one.count != 0]
    certain = any(one.certain for one in broken)
    yield from _first(
        "FAILS" if certain else "may fail", [foreseen.violation(one) for one in broken]
    )
    if effect.collateral:
        names = [f"{kind} {name}" for kind, name in effect.collateral]
        yield "CASCADE", foreseen.several(names, _MOST)
    if effect.hazards:
        yield "hazards", ", ".join(effect.hazards)
    yield from _first("waits", [foreseen.waits(one) for one in waiting])


def _first(name: str, texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    for place, text in enumerate(texts[:_MOST]):
        yield (name if place == 0 else ""), text
    if len(texts) > _MOST:
        yield "", f"and {len(texts) - _MOST:,} more"


def _way(plan: Plan, way: Way) -> Iterator[str]:
    if isinstance(way, str):
        yield f"Who is in the way now is not known: {printable(way)}"
        return
    yield (
        f"{len({(one.pid, one.application) for one in way}):,} in the way now."
        if way
        else "Nobody is in the way now."
    )
    unknown = locks_unknown(plan.statements)
    if unknown:
        listed = foreseen.several([str(index) for index in unknown], 10)
        noun = "statement" if len(unknown) == 1 else "statements"
        yield f"Not known what is locked by {noun} {listed}."


def _by_statement(way: Sequence[InTheWay]) -> Mapping[int, Sequence[InTheWay]]:
    found: dict[int, list[InTheWay]] = {}
    for one in way:
        for index in one.statements:
            found.setdefault(index, []).append(one)
    return found
