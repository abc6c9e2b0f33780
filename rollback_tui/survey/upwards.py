"""The way up again: the plan that applies once more what a run rolled back."""

from __future__ import annotations

from pathlib import Path

from rollback_tui.config import Settings
from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import Migration, Plan, Script
from rollback_tui.core.script.crosscheck import SecondReading
from rollback_tui.core.script.read import effective, read_script
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable
from rollback_tui.frameworks.registry import FRAMEWORKS
from rollback_tui.parser import Parser
from rollback_tui.postgres.connect import Connection
from rollback_tui.survey.applied import detected, history
from rollback_tui.survey.scripts import up_scripts


def plan_upwards(connection: Connection, settings: Settings, project: Path, undone: Plan) -> Plan:
    """Return the plan that applies the migrations of ``undone`` again, the oldest first: their up
    scripts, each in the same transaction with what the framework itself would enter.

    Raises FrameworkError when that is not possible: other versions are applied than that plan left,
    a script is missing or cannot be read, or one cannot run in a transaction.
    """
    if undone.version_stays:
        raise FrameworkError(
            f"a script given by hand was run, and no up migration is known: {undone.version_stays}",
            "Bring the checkpoint back, or give the way up by hand as another --script.",
        )
    detection = detected(connection, settings, project)
    past = history(connection, detection)
    if past.problem:
        raise FrameworkError(past.problem, "Repair that with the framework's own command first.")
    if [m.version for m in past.applied] != list(undone.applied_after):
        newest = printable(past.applied[0].version) if past.applied else "none"
        raise FrameworkError(
            f"other migrations are applied than the run left: the newest is {newest}",
            f"Somebody migrated since. Go on with {detection.framework} itself.",
        )
    framework = FRAMEWORKS[detection.framework]
    directory = Path(detection.directory)
    applied = {m.version: m for m in undone.applied}
    again = [applied[migration.version] for migration in reversed(undone.migrations)]
    ups = up_scripts(
        connection,
        settings,
        project,
        detection.framework,
        detection.table,
        directory,
        again,
        past.applied,
    )
    migrations: list[Migration] = []
    index, second = 1, SecondReading()
    with Parser() as parser:
        for one, (source, change) in zip(again, ups, strict=True):
            if not isinstance(source, Source):
                raise FrameworkError(source.why, f"Apply it with {detection.framework} itself.")
            if not change:
                raise FrameworkError(
                    f"what {framework.about.title} enters for {printable(one.version)} is of its"
                    " own making",
                    f"Apply it with {framework.about.title} itself.",
                )
            script = read_script(source, first_index=index, trees=parser.trees, second=second)
            index += len(script.statements)
            migrations.append(
                Migration(
                    version=one.version,
                    name=one.name,
                    applied_at=None,
                    script=script,
                    version_change=change,
                )
            )
    plan = Plan(
        framework=detection.framework,
        version_table=detection.table.quoted,
        directory=str(directory),
        current=undone.goal,
        goal=undone.current,
        migrations=tuple(migrations),
        applied=past.applied,
        stale_files=framework.stale_files(directory),
        notes=_changed(undone, migrations),
        direction="up",
        transaction_lock=framework.transaction_lock(detection.table),
        own_tables=framework.own_tables(detection.table),
    )
    _refuse(plan, again=detection.framework)
    return plan


def _refuse(plan: Plan, *, again: str) -> None:
    remedy = f"Apply it with {again} itself."
    for migration in plan.migrations:
        script = migration.script
        if script is None or not (effective(script) or script.nothing_to_undo):
            raise FrameworkError(
                f"the up script of {printable(migration.version)} is empty", remedy
            )
        if script.problems:
            raise FrameworkError(
                f"{printable(script.path)}: {printable(script.problems[0].summary)}", remedy
            )
    if not plan.transactional:
        raise FrameworkError("an up script cannot run in one transaction", remedy)


def _changed(undone: Plan, migrations: list[Migration]) -> tuple[str, ...]:
    """Where up and down are in one file, the hash that was confirmed then is known."""
    then = {m.script.path: _of_file(m.script) for m in undone.migrations if m.script}
    return tuple(
        f"{printable(script.path)} has changed since the run"
        for script in _scripts(migrations)
        if then.get(script.path, _of_file(script)) != _of_file(script)
    )


def _of_file(script: Script) -> str:
    return script.file_sha256 if script.origin else script.sha256


def _scripts(migrations: list[Migration]) -> tuple[Script, ...]:
    return tuple(m.script for m in migrations if m.script)
