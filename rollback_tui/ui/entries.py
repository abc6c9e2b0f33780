"""A plan as the preview lists it: every statement, every version change, every problem."""

from __future__ import annotations

from typing import Literal

import msgspec

from rollback_tui.core import lock_modes
from rollback_tui.core.model import Lock, Loss, Migration, Plan, Problem, Statement


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the preview, in the order of execution."""

    key: str
    kind: Literal["statement", "version", "problem", "missing"]
    migration: Migration
    sql: str
    statement: Statement | None = None
    problem: Problem | None = None

    @property
    def path(self) -> str:
        """The script's file; empty where there is none."""
        return self.migration.script.path if self.migration.script else ""


def entries(plan: Plan) -> tuple[Entry, ...]:
    """Return everything that will be executed, and everything that stops it."""
    return tuple(entry for migration in plan.migrations for entry in _of(migration))


def _of(migration: Migration) -> list[Entry]:
    found: list[Entry] = []
    script = migration.script
    if no_way_back(migration):
        found.append(
            Entry(key=f"m{migration.version}", kind="missing", migration=migration, sql="")
        )
    if script is not None:
        found += [
            Entry(
                key=f"p{migration.version}:{number}",
                kind="problem",
                migration=migration,
                sql="",
                problem=problem,
            )
            for number, problem in enumerate(script.problems)
        ]
        found += [
            Entry(
                key=f"s{statement.index}",
                kind="statement",
                migration=migration,
                sql=statement.sql,
                statement=statement,
            )
            for statement in script.statements
        ]
    found += [
        Entry(key=f"v{migration.version}:{number}", kind="version", migration=migration, sql=sql)
        for number, sql in enumerate(migration.version_change)
    ]
    return found


def no_way_back(migration: Migration) -> bool:
    """Whether nothing takes the migration back: no script, or one without a statement."""
    script = migration.script
    if script is None or migration.why_no_script:
        return True
    return not (script.statements or script.problems or script.nothing_to_undo)


def loss_of(statement: Statement) -> str:
    """Return what a statement loses, short; an unknown loss is never an empty one."""
    if statement.effect.loses_data is False:
        return "–"
    if not statement.loss:
        return "unknown" if statement.effect.loses_data is None else "yes"
    return ", ".join(_short(loss) for loss in statement.loss)


def _short(loss: Loss) -> str:
    number = "? " if loss.count is None else f"{loss.count:,} "
    if loss.after is not None and loss.count is not None:
        number = f"?{number}"  # of now: an earlier statement changes it first
    if loss.overwritten:
        return f"{number}changed"
    return number + (loss.kind[:-1] if loss.count == 1 else loss.kind)


def objects_of(statement: Statement) -> str:
    """Return what a statement is about: for a column or constraint that goes, its own name."""
    parts = [name for kind, name in statement.effect.drops if kind in ("column", "constraint")]
    return ", ".join(parts or statement.effect.objects)


def short_kind(kind: str) -> str:
    """Return the part of a statement's kind that tells it apart in a narrow column.

    >>> short_kind("ALTER TABLE … DROP COLUMN")
    'DROP COLUMN'
    """
    return kind.rsplit("… ", 1)[-1]


def text_only(statement: Statement) -> bool:
    """Whether the catalog told nothing of it, as when it names what an earlier statement makes:
    then it may do more than its text tells. A setting of the session needs no catalog."""
    effect = statement.effect
    return not effect.resolved and effect.basis != "unknown" and not effect.session


def strongest(locks: tuple[Lock, ...]) -> str:
    """Return the strongest mode among ``locks``; a dash when there are none."""
    return lock_modes.strongest(lock.mode for lock in locks) or "–"


def losses_of(plan: Plan) -> tuple[Loss, ...]:
    """Return all counted losses, the largest first and those not counted before them."""
    return tuple(sorted(plan.losses, key=lambda x: (x.count is not None, -(x.count or 0))))
