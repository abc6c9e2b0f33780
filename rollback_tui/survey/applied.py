"""What is applied: the framework that is recognised, and what its version table says.

All that a run asks of it; reading the scripts (:mod:`rollback_tui.survey.planning`) needs far more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from rollback_tui.config import Settings
from rollback_tui.core.model import Plan
from rollback_tui.frameworks.detect import (
    TABLE_NAMES,
    Detection,
    Unrecognised,
    detect,
    names_of,
)
from rollback_tui.frameworks.protocol import Framework, History, TableShape
from rollback_tui.frameworks.registry import FRAMEWORKS, plugged_in
from rollback_tui.postgres import catalog
from rollback_tui.postgres.connect import Connection


class NoFramework(NamedTuple):
    """No framework is recognised, and none is needed: a script is given by hand."""

    why: str


def recognised(
    connection: Connection, settings: Settings, project: Path
) -> Detection | NoFramework:
    """As :func:`detected`; but where a script is given by hand, it is no error that the database
    has no version table of any framework, unless one was asked for by name."""
    wanted = settings.migrations
    try:
        return detected(connection, settings, project)
    except Unrecognised as error:
        if not wanted.script or wanted.framework or wanted.table:
            raise
        return NoFramework(error.summary)


def detected(connection: Connection, settings: Settings, project: Path) -> Detection:
    """Recognise the framework of ``project``; one that is plugged in only when none that is built
    in fits. Raises FrameworkError or ConfigurationError."""
    name = settings.migrations.framework
    named = (FRAMEWORKS[name],) if name else ()
    try:
        return _detected(connection, settings, project, {*TABLE_NAMES, *names_of(named)}, None)
    except Unrecognised as error:
        if named:
            raise
        plugged = plugged_in()
        if not plugged.frameworks and not plugged.problems:
            raise
        try:
            names = {*TABLE_NAMES, *names_of(plugged.frameworks)}
            return _detected(connection, settings, project, names, plugged.frameworks)
        except Unrecognised:
            remedy = " ".join((error.remedy, *plugged.problems))
            raise Unrecognised(error.summary, remedy, error.why) from None


def _detected(
    connection: Connection,
    settings: Settings,
    project: Path,
    names: Iterable[str],
    among: Sequence[Framework] | None,
) -> Detection:
    wanted = settings.migrations
    shapes = [
        TableShape(schema=schema, name=name, columns=columns, primary_key=key)
        for schema, name, columns, key in catalog.version_table_shapes(
            connection, sorted(names), wanted.table
        )
    ]
    return detect(
        shapes,
        project,
        directory=wanted.directory,
        framework=wanted.framework,
        table=wanted.table,
        version_column=wanted.version_column,
        time_column=wanted.time_column,
        among=among,
    )


def versions(connection: Connection, settings: Settings, project: Path, plan: Plan) -> list[str]:
    """Return the versions that are applied now, newest first; nothing for a plan of which no
    framework knows. Raises FrameworkError, ConfigurationError or psycopg.Error."""
    if not plan.version_table:
        return []
    detection = detected(connection, settings, project)
    return [m.version for m in history(connection, detection).applied]


def history(connection: Connection, detection: Detection) -> History:
    """Return what the framework's table says is applied, newest first by its own rule."""
    framework = FRAMEWORKS[detection.framework]
    files = framework.files(Path(detection.directory))
    query = framework.history_sql(detection.table)
    return framework.history(connection.execute(query.encode()).fetchall(), files)
