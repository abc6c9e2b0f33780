"""The scripts of a plan, down and up: read from files, printed by the framework's program, or
captured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, cast

from psycopg.conninfo import make_conninfo

from rollback_tui.config import Settings
from rollback_tui.core.address import Address
from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks import by_hand
from rollback_tui.frameworks.detect import Detection
from rollback_tui.frameworks.program import Program
from rollback_tui.frameworks.protocol import Framework, Made, Missing, Printing, VersionTable
from rollback_tui.frameworks.registry import FRAMEWORKS, captures
from rollback_tui.postgres.connect import Connection, target
from rollback_tui.survey.captured import captured_down

_SPARE = 30.0
"""Seconds that a way into the database is open longer than the program may run."""


class Found(NamedTuple):
    """What takes one migration back, or applies it again."""

    script: Source | Missing
    version_change: tuple[str, ...]


def down_scripts(
    connection: Connection,
    settings: Settings,
    project: Path,
    detection: Detection,
    applied: Sequence[AppliedMigration],
    chosen: Sequence[AppliedMigration],
) -> tuple[Found, ...]:
    """Return for each of ``chosen``, the newest of ``applied``, what takes it back. A script that
    is given by hand takes the place of the framework's own: there is then one of ``chosen``.

    Raises FrameworkError when files cannot be read or the framework's program fails.
    """
    framework = FRAMEWORKS[detection.framework]
    directory, table = Path(detection.directory), detection.table
    if settings.migrations.script:
        path = by_hand.place(project, settings.migrations.script)
        previous_one = applied[1] if len(applied) > 1 else None
        change = framework.version_change(table, chosen[0], previous_one)
        return (Found(by_hand.given(path), change),)
    if framework.kind == "printed":
        printing = cast("Printing", framework)
        remaining = applied[len(chosen) :]
        with address_for(printing, connection, settings) as address:
            program = program_of(printing, settings, project, address)
            printed = printing.print_down(chosen, remaining, table, directory, program)
        return _found(printed)
    if framework.kind == "captured":
        return _captured(connection, settings, project, detection, applied, chosen)
    return _of_files(connection, settings, project, detection, applied, chosen)


def up_scripts(
    connection: Connection,
    settings: Settings,
    project: Path,
    name: str,
    table: VersionTable,
    directory: Path,
    again: Sequence[AppliedMigration],
    below: Sequence[AppliedMigration],
) -> tuple[Found, ...]:
    """Return for each of ``again`` (oldest first) what applies it when ``below`` (newest first) is
    applied, as the framework called ``name`` finds it or prints it.

    Raises FrameworkError when files cannot be read or the framework's program fails.
    """
    framework = FRAMEWORKS[name]
    if framework.kind == "printed":
        printing = cast("Printing", framework)
        with address_for(printing, connection, settings) as address:
            program = program_of(printing, settings, project, address)
            printed = printing.print_up(again, below, table, directory, program)
        return _found(printed)
    return tuple(
        Found(framework.up(migration, directory), framework.applied_change(table, migration))
        for migration in again
    )


def _captured(
    connection: Connection,
    settings: Settings,
    project: Path,
    detection: Detection,
    applied: Sequence[AppliedMigration],
    chosen: Sequence[AppliedMigration],
) -> tuple[Found, ...]:
    here = target(connection).fingerprint
    downs = []
    for place, migration in enumerate(chosen):
        below = applied[place:]
        one = captured_down(settings, project, detection.framework, migration, below, here)
        downs.append(
            Found(one, ()) if isinstance(one, Missing) else Found(one.source(), one.version_change)
        )
    return tuple(downs)


def _of_files(
    connection: Connection,
    settings: Settings,
    project: Path,
    detection: Detection,
    applied: Sequence[AppliedMigration],
    chosen: Sequence[AppliedMigration],
) -> tuple[Found, ...]:
    """The files are read; what is code among them is as captured. The version table is changed in
    the same way for both: what was captured may lack the rows of a log beside it."""
    framework, table = FRAMEWORKS[detection.framework], detection.table
    previous: list[AppliedMigration | None] = [*applied[1:], None]
    downs = []
    for place, migration in enumerate(chosen):
        script = framework.down(migration, Path(detection.directory))
        if isinstance(script, Missing) and script.capturable and captures(framework):
            here, below = target(connection).fingerprint, applied[place:]
            one = captured_down(settings, project, detection.framework, migration, below, here)
            script = one if isinstance(one, Missing) else one.source()
        change = framework.version_change(table, migration, previous[place])
        downs.append(Found(script, change))
    return tuple(downs)


def _found(printed: Sequence[Made | Missing]) -> tuple[Found, ...]:
    return tuple(
        Found(one.source, one.version_change) if isinstance(one, Made) else Found(one, ())
        for one in printed
    )


@contextmanager
def address_for(
    framework: Printing, connection: Connection, settings: Settings
) -> Iterator[Address | None]:
    """Yield where the program of ``framework`` may connect while it prints: a way into the database
    of ``connection`` on which nothing can be written. None for one that needs no database.

    Raises ConnectionFailed when the database cannot be reached a second time.
    """
    if not framework.needs_database:
        yield None
        return
    # Both are only needed for the few tools that cannot print without the database.
    from rollback_tui.postgres.gateway import Gateway
    from rollback_tui.postgres.server_tools import parameters_of

    dsn = make_conninfo("", **parameters_of(connection))
    with Gateway(dsn, read_only=True, seconds=settings.migrations.seconds + _SPARE) as gateway:
        yield gateway.address


def program_of(
    framework: Framework, settings: Settings, project: Path, address: Address | None
) -> Program:
    """Return how the program of ``framework`` is called for this project."""
    wanted = settings.migrations
    return Program(
        command=wanted.command or getattr(framework, "command", ()),
        project=project,
        environment=wanted.environment,
        seconds=wanted.seconds,
        address=address,
    )
