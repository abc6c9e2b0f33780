"""What is applied: the framework that is recognised, and what its version table says.

All that a run asks of it; reading the scripts (:mod:`rollback_tui.survey.planning`) needs far more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import psycopg

from rollback_tui.config import Settings
from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import Plan
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files as migration_files
from rollback_tui.frameworks.detect import (
    TABLE_NAMES,
    Detection,
    Unrecognised,
    detect,
    names_of,
)
from rollback_tui.frameworks.protocol import Framework, History, TableShape
from rollback_tui.frameworks.quoting import identifier
from rollback_tui.frameworks.registry import FRAMEWORKS, plugged_in
from rollback_tui.postgres import catalog
from rollback_tui.postgres.aside import aside
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
    with migration_files.said_plainly():
        found = detect(
            shapes,
            project,
            directory=wanted.directory,
            framework=wanted.framework,
            table=wanted.table,
            version_column=wanted.version_column,
            time_column=wanted.time_column,
            among=among,
        )
    framework = FRAMEWORKS[found.framework]
    others = [
        one.schema for one in shapes if one.name == found.table.name and framework.recognises(one)
    ]
    if not wanted.table and len(others) > 1:
        _refuse_another(connection, found, others)
    return found


def _refuse_another(connection: Connection, found: Detection, schemas: Sequence[str]) -> None:
    """Raise FrameworkError when several schemas have a table of that name, and the bare name leads
    to another one than was taken: the scripts' bare names then do so as well."""
    with aside(connection) as cursor:
        row = cursor.execute(
            "SELECT nspname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE c.oid = to_regclass(quote_ident(%s))",
            [found.table.name],
        ).fetchone()
    if row is None or row[0] == found.table.schema or row[0] not in schemas:
        return
    meant = f"{identifier(str(row[0]))}.{identifier(found.table.name)}"
    raise FrameworkError(
        f"several tables could be the version table: {printable(found.table.quoted)}, and"
        f" {printable(meant)}, to which this connection's search_path leads",
        'Name it in rollback.toml: [migrations] table = "schema.table".',
    )


def versions(connection: Connection, settings: Settings, project: Path, plan: Plan) -> list[str]:
    """Return the versions that are applied now, newest first; nothing for a plan of which no
    framework knows. Raises FrameworkError, ConfigurationError or psycopg.Error."""
    if not plan.version_table:
        return []
    detection = detected(connection, settings, project)
    return [m.version for m in history(connection, detection).applied]


def history(connection: Connection, detection: Detection) -> History:
    """Return what the framework's table says is applied, newest first by its own rule.

    Raises FrameworkError for files that cannot be read, and for rows that the tool never writes:
    which migration is the newest cannot be known from them.
    """
    framework = FRAMEWORKS[detection.framework]
    with migration_files.said_plainly():
        files = framework.files(Path(detection.directory))
    rows = _rows(connection, detection, framework.history_sql(detection.table))
    try:
        found = framework.history(rows, files)
    except (ValueError, TypeError, ArithmeticError):
        # NULL, or a number that is none, where the tool always has a number.
        raise _strange(
            detection, "a row without a version, or with one that is no number"
        ) from None
    if found.problem:
        return found
    times = Counter(one.version for one in found.applied)
    # Text is how a framework takes what is in the column: NULL has become a word.
    if times["None"] and not any(one.path for one in found.applied if one.version == "None"):
        raise _strange(detection, "a row without a version")
    version, most = max(times.items(), key=lambda one: one[1], default=("", 0))
    if most > 1:
        # To take one of them back would delete the rows of all.
        raise _strange(detection, f"{most} rows of version {printable(version)}")
    return found


def _rows(connection: Connection, detection: Detection, query: str) -> list[tuple[object, ...]]:
    """Return all rows: where a policy would hide some of them, an older migration would look like
    the newest one, so that is an error."""
    try:
        with aside(connection) as cursor:
            return cursor.execute(query.encode()).fetchall()
    except psycopg.errors.InsufficientPrivilege as error:
        raise FrameworkError(
            printable(" ".join(str(error).split())),
            "Connect as the role that runs the migrations, or have it granted the right.",
        ) from None
    except (psycopg.DataError, psycopg.ProgrammingError) as error:
        # "infinity" as a time, a column of another type than the tool gives it.
        words = printable(" ".join(str(error).split()))
        raise _strange(detection, f"what cannot be read: {words}") from None


def _strange(detection: Detection, what: str) -> FrameworkError:
    title = FRAMEWORKS[detection.framework].about.title
    return FrameworkError(
        f"{printable(detection.table.quoted)} has {what}: what is applied cannot be told from that",
        f"{title} leaves no such rows. Look at them with psql, find out who wrote them, and correct"
        " them. If another table is the right one: table under [migrations] in rollback.toml.",
    )
