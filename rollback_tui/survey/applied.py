"""What is applied: the framework that is recognised, and what its version table says.

All that a run asks of it; reading the scripts (:mod:`rollback_tui.survey.planning`) needs far more.
"""

from __future__ import annotations

from pathlib import Path

from rollback_tui.config import Settings
from rollback_tui.frameworks.detect import TABLE_NAMES, Detection, detect
from rollback_tui.frameworks.protocol import History, TableShape
from rollback_tui.frameworks.registry import FRAMEWORKS
from rollback_tui.postgres import catalog
from rollback_tui.postgres.connect import Connection


def detected(connection: Connection, settings: Settings, project: Path) -> Detection:
    """Recognise the framework of ``project``. Raises FrameworkError or ConfigurationError."""
    wanted = settings.migrations
    shapes = [
        TableShape(schema=schema, name=name, columns=columns, primary_key=key)
        for schema, name, columns, key in catalog.version_table_shapes(
            connection, TABLE_NAMES, wanted.table
        )
    ]
    return detect(
        shapes,
        project,
        directory=wanted.directory,
        framework=wanted.framework,
        table=wanted.table,
    )


def history(connection: Connection, detection: Detection) -> History:
    """Return what the framework's table says is applied, newest first by its own rule."""
    framework = FRAMEWORKS[detection.framework]
    files = framework.files(Path(detection.directory))
    query = framework.history_sql(detection.table)
    return framework.history(connection.execute(query.encode()).fetchall(), files)
