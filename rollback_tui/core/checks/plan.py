"""Is there something to roll back, all of it, and what does it take along?"""

from __future__ import annotations

from collections.abc import Sequence

from rollback_tui.core.checks.verdicts import Question, some
from rollback_tui.core.facts import EventTrigger, Facts
from rollback_tui.core.model import CheckResult, Migration, Plan
from rollback_tui.core.script.idle import only_idle
from rollback_tui.core.script.version_table import touches_version_table
from rollback_tui.core.text import shorten

PLAN_NOT_EMPTY = Question("plan_not_empty", "Something to roll back", fixed=True)
DOWN_MIGRATION = Question("down_migration", "Down migration exists", fixed=True)
LATER_MIGRATIONS = Question("later_migrations", "No later migration stays")
DEPENDENTS = Question("dependents", "Nothing else depends on it")
VERSION_TABLE = Question("version_table", "Version table is left alone")
EVENT_TRIGGERS = Question("event_triggers", "No event trigger interferes")

_NO_DDL = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "SET", "LOCK"})
"""Commands that fire no event trigger (PostgreSQL's "Event Trigger Firing Matrix")."""


def plan_not_empty(facts: Facts) -> CheckResult:
    """Fail when the plan holds no migration."""
    plan = facts.plan
    if not plan.migrations:
        return PLAN_NOT_EMPTY.failed(
            "no migration is applied" if not plan.applied else "the plan holds no migration",
            (f"applied: {some(len(plan.applied), 'migration')}",),
            "Choose a version on screen 1, or with --steps or --to.",
        )
    return PLAN_NOT_EMPTY.passed(
        f"{some(len(plan.migrations), 'migration')}, {some(len(plan.statements), 'statement')}",
        [f"{m.version} {m.name}" for m in plan.migrations]
        + [f"afterwards at {plan.goal_words}"]
        + ([f"the script was given by hand: {plan.by_hand}"] if plan.by_hand else []),
    )


def down_migration(facts: Facts) -> CheckResult:
    """Every migration needs a script with at least one statement: goose and golang-migrate take
    the version out silently when there is none, and leave the schema."""
    missing = without_a_way_back(facts.plan)
    if missing:
        return DOWN_MIGRATION.failed(
            f"no effective down migration for {missing[0].version}"
            + (f" and {len(missing) - 1} more" if len(missing) > 1 else ""),
            [line for m in missing for line in _why_missing(m).splitlines()],
            f"{way_out(missing)}: a version is never just crossed out.",
        )
    if not facts.plan.migrations:
        return DOWN_MIGRATION.failed(
            "there is no migration to roll back", (), "Choose a version first."
        )
    idle = sum(not m.script.statements for m in facts.plan.migrations if m.script)
    return DOWN_MIGRATION.passed(
        some(len(facts.plan.migrations), "down migration")
        + (f", {idle} of them without a statement" if idle else " with statements"),
        [
            f"{m.script.path}: {some(len(m.script.statements), 'statement')}, "
            f"sha256 {m.script.sha256[:12]}"
            + ("" if m.script.statements else f" ({m.script.nothing_to_undo})")
            for m in facts.plan.migrations
            if m.script
        ],
    )


def without_a_way_back(plan: Plan) -> list[Migration]:
    """Return the migrations of the plan that nothing takes back: the plan is refused."""
    return [m for m in plan.migrations if not _effective(m, plan)]


def way_out(missing: Sequence[Migration]) -> str:
    """Return what helps where nothing takes ``missing`` back, without a full stop."""
    if all(m.capturable for m in missing):
        return (
            "Capture it from the tool itself (c on screen 3, or `rollback-tui capture`), or give a"
            " script by hand (--script FILE)"
        )
    if any("\n" in m.why_no_script for m in missing):
        return "Take one of the ways above, then come back"
    return (
        "Write the down migration, or give a script by hand (--script FILE), or check out the code"
        " that has it; then come back"
    )


def _effective(migration: Migration, plan: Plan) -> bool:
    script = migration.script
    if script is None:
        return False
    if only_idle(script) and not plan.by_hand:
        return bool(script.problems)
    return bool(script.statements or script.problems or script.nothing_to_undo)


def _why_missing(migration: Migration) -> str:
    if migration.script is None:
        why = migration.why_no_script or "there is no down migration"
    else:
        idle = only_idle(migration.script)
        what = "no statement that changes anything" if idle else "no statement"
        why = f"{migration.script.path} holds {what}"
    return f"{migration.version}: {why}"


def later_migrations(facts: Facts) -> CheckResult:
    """What was applied after a planned migration may build on it; it must go first."""
    plan = facts.plan
    if not plan.version_table:
        return LATER_MIGRATIONS.warned(
            "nobody knows what else is applied: there is only the script that was given by hand",
            (plan.version_stays,),
            "Make sure that nothing newer builds on what the script takes away.",
        )
    planned = {m.version for m in plan.migrations}
    places = [place for place, m in enumerate(plan.applied) if m.version in planned]
    last = max(places, default=-1)
    staying = [m for m in plan.applied[: last + 1] if m.version not in planned]
    unknown = planned - {m.version for m in plan.applied}
    if unknown:
        return LATER_MIGRATIONS.failed(
            "the plan holds a migration that is not applied",
            sorted(unknown),
            "Read the state again (screen 1) and make the plan anew.",
        )
    if staying:
        return LATER_MIGRATIONS.failed(
            f"{some(len(staying), 'later migration')} would stay applied",
            [f"{m.version} {m.name}" for m in staying],
            "Roll the later ones back too: choose them with --steps or --to.",
        )
    return LATER_MIGRATIONS.passed("the plan holds the newest applied migrations")


def dependents(facts: Facts) -> CheckResult:
    """Objects outside the plan that depend on what it drops, from ``pg_depend``."""
    found = facts.dependents
    if found is None:
        return DEPENDENTS.unknown(
            facts,
            "dependents",
            "pg_depend could not be read",
            "Try again; else look at the dropped objects with \\d+ in psql.",
        )
    blocking = [d for d in found if not d.cascades]
    lines = [f"statement {d.statement}: {d.dependent} depends on {d.dropped}" for d in blocking]
    # What nobody can read (DO, CALL, functions) may drop the dependent before it is in the way.
    unread = (s.index for s in facts.plan.statements if s.effect.basis == "unknown")
    first = min(unread, default=None)
    if not facts.plan.transactional:
        first = None  # it would stop half way, with what was done before staying done
    if any(first is None or d.statement <= first for d in blocking):
        return DEPENDENTS.failed(
            f"{some(len(blocking), 'object')} outside the plan would make it fail",
            lines,
            "Drop or change these first (add it to the down migration), then check again.",
        )
    taken = [
        f"statement {d.statement}: {d.dependent} goes with {d.dropped}" for d in found if d.cascades
    ]
    if blocking:
        return DEPENDENTS.warned(
            f"{some(len(blocking), 'object')} would make it fail, unless statement {first} helps",
            [*lines, *taken],
            f"Nobody knows what statement {first} does: rehearse the plan (r on screen 3).",
        )
    if taken:
        return DEPENDENTS.warned(
            f"CASCADE takes {some(len(taken), 'more object')} along",
            taken,
            "Make sure that nobody needs these, or drop them by name in the down migration.",
        )
    return DEPENDENTS.passed(
        "nothing outside the plan depends on what it drops",
        ("by pg_depend; function bodies written as text are not in it",),
    )


def version_table(facts: Facts) -> CheckResult:
    """The run itself takes the versions out of the framework's table, after the scripts: one that
    drops, empties or moves it leaves nothing that says what is applied."""
    table, stays = facts.plan.version_table, facts.plan.version_stays
    if not table:
        return VERSION_TABLE.warned(
            "no version table is known, so no version is changed",
            (stays,),
            "If a tool keeps its versions here after all, tell it afterwards with its own command.",
        )
    touching = [s for s in facts.plan.statements if touches_version_table(s, table)]
    if touching:
        return VERSION_TABLE.failed(
            f"{some(len(touching), 'statement')} of the plan would change {table} itself",
            [f"statement {s.index}, line {s.line}: {shorten(s.sql, 100)}" for s in touching],
            "Take that out of the script: the version table is left alone."
            if stays
            else "Take that out of the down migration: the run changes the version table itself.",
        )
    if stays:
        return VERSION_TABLE.warned(
            f"the version stays in {table}",
            (stays,),
            "Know what the tool will do with that next, before the next deploy.",
        )
    return VERSION_TABLE.passed(f"no statement touches {table}")


def event_triggers(facts: Facts) -> CheckResult:
    """Nobody can tell beforehand what a trigger's function will do: refuse, or do more."""
    if facts.event_triggers is None:
        return EVENT_TRIGGERS.unknown(
            facts,
            "event_triggers",
            "pg_event_trigger could not be read",
            "Look with: SELECT * FROM pg_event_trigger;",
        )
    kinds = {s.effect.kind for s in facts.plan.statements} - _NO_DDL
    firing = [t for t in facts.event_triggers if _fires(t, kinds)]
    if firing:
        return EVENT_TRIGGERS.warned(
            f"{some(len(firing), 'event trigger')} will run inside these statements",
            [f"{t.name}: {t.function}() on {t.event}" for t in firing],
            "Read what it does. If it refuses a statement, all is rolled back; its owner can"
            " ALTER EVENT TRIGGER … DISABLE it meanwhile.",
        )
    return EVENT_TRIGGERS.passed(
        "none that these statements would fire",
        [f"not for them: {t.name} ({t.event})" for t in facts.event_triggers],
    )


def _fires(trigger: EventTrigger, kinds: set[str]) -> bool:
    """A kind begins with its command tag; what nobody could read may be anything."""
    if not trigger.tags:
        return bool(kinds)
    return any(
        kind == "unknown" or kind == tag or kind.startswith(f"{tag} ")
        for kind in kinds
        for tag in trigger.tags
    )
