"""The plan: the framework's history and files, turned into what will be rolled back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from rollback_tui.config import Settings
from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import AppliedMigration, Migration, Plan, Script
from rollback_tui.core.script.collector import collector_paused
from rollback_tui.core.script.crosscheck import SecondReading
from rollback_tui.core.script.read import Trees, effective, read_script
from rollback_tui.core.script.source import Source
from rollback_tui.core.script.version_table import marked
from rollback_tui.frameworks.registry import FRAMEWORKS
from rollback_tui.parser import Parser
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.foresight import Tree, foresee
from rollback_tui.survey.applied import detected, history
from rollback_tui.survey.counting import counted
from rollback_tui.survey.scripts import Found, down_scripts


def make_plan(
    connection: Connection,
    settings: Settings,
    project: Path,
    *,
    steps: int = 1,
    version: str | None = None,
    count_losses: bool = True,
) -> Plan:
    """Return the plan for the newest ``steps`` migrations, or for all newer than ``version``.

    Raises FrameworkError when the history, the files or the choice make no sense.
    """
    detection = detected(connection, settings, project)
    past = history(connection, detection)
    if past.problem:
        raise FrameworkError(past.problem, "Repair that with the framework's own command first.")
    chosen = _chosen(past.applied, steps, version)
    goal = past.applied[len(chosen)] if len(chosen) < len(past.applied) else None
    framework = FRAMEWORKS[detection.framework]
    directory = Path(detection.directory)
    downs = down_scripts(connection, settings, project, detection, past.applied, chosen)
    trees: dict[str, Tree | None] = {}
    with Parser() as parser:

        def remembered(texts: Sequence[str]) -> Sequence[Tree | None]:
            found = parser.trees(texts)
            trees.update(zip(texts, found, strict=True))
            return found

        migrations = _migrations(chosen, downs, remembered)
        plan = Plan(
            framework=detection.framework,
            version_table=detection.table.quoted,
            directory=str(directory),
            current=past.applied[0].version if past.applied else None,
            goal=goal.version if goal else None,
            migrations=migrations,
            applied=past.applied,
            stale_files=framework.stale_files(directory),
            notes=(*detection.why, *_unread(parser)),
        )
        with collector_paused():
            plan = marked(_foreseen(connection, plan, trees))
        return counted(connection, plan, parser) if count_losses else plan


def _unread(parser: Parser) -> tuple[str, ...]:
    if not parser.unread:
        return ()
    return (
        f"{parser.unread:,} statements were not parsed within the time: what they do is unknown,"
        " and treated as dangerous",
    )


def _chosen(
    applied: Sequence[AppliedMigration], steps: int, version: str | None
) -> Sequence[AppliedMigration]:
    if not applied:
        raise FrameworkError("no migration is applied", "There is nothing to roll back.")
    if version is not None:
        place = next((i for i, m in enumerate(applied) if m.version == version), None)
        if place is None:
            raise FrameworkError(
                f"version {version} is not applied",
                f"Applied are: {', '.join(m.version for m in applied[:10])}.",
            )
        if place == 0:
            raise FrameworkError(
                f"version {version} is the current one", "There is nothing to roll back."
            )
        return applied[:place]
    if not 1 <= steps <= len(applied):
        raise FrameworkError(
            f"{steps} steps cannot be rolled back: {len(applied)} migrations are applied",
            f"Choose --steps between 1 and {len(applied)}.",
        )
    return applied[:steps]


def _migrations(
    chosen: Sequence[AppliedMigration], downs: Sequence[Found], trees: Trees
) -> tuple[Migration, ...]:
    """Return the migrations of the plan, each with what takes it back."""
    migrations: list[Migration] = []
    index = 1
    second = SecondReading()
    for migration, found in zip(chosen, downs, strict=True):
        script: Script | None = None
        why = ""
        if isinstance(found.script, Source):
            script = read_script(found.script, first_index=index, trees=trees, second=second)
            index += len(script.statements)
            if not effective(script) and not script.problems:
                why = f"{found.script.path} has no effective statement in its down part"
        else:
            why = found.script.why
        migrations.append(
            Migration(
                version=migration.version,
                name=migration.name,
                applied_at=migration.applied_at,
                script=script,
                why_no_script=why,
                version_change=found.version_change,
            )
        )
    return tuple(migrations)


def _foreseen(connection: Connection, plan: Plan, trees: Mapping[str, Tree | None]) -> Plan:
    """Return the plan with its effects resolved against the catalog."""
    statements = plan.statements
    scripts = [m.script.statements for m in plan.migrations if m.script]
    found = foresee(
        connection,
        statements,
        [trees.get(s.sql) for s in statements],
        first={script[0].index for script in scripts if script},
    )
    effects = {s.index: effect for s, effect in zip(statements, found, strict=True)}
    return plan.with_statements(lambda s: msgspec.structs.replace(s, effect=effects[s.index]))
