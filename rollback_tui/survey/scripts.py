"""The scripts of a plan: read from files, printed by the framework's program, or captured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, cast

from rollback_tui.config import Settings
from rollback_tui.core.address import Address
from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks import by_hand
from rollback_tui.frameworks.detect import Detection
from rollback_tui.frameworks.program import Program
from rollback_tui.frameworks.protocol import Framework, Made, Missing, Printing
from rollback_tui.frameworks.registry import FRAMEWORKS
from rollback_tui.postgres.connect import Connection


class Found(NamedTuple):
    """What takes one migration back."""

    script: Source | Missing
    version_change: tuple[str, ...]


def down_scripts(
    connection: Connection,  # noqa: ARG001 - for programs that need the database to print
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
        program = program_of(printing, settings, project, None)
        remaining = applied[len(chosen) :]
        return tuple(
            Found(one.source, one.version_change) if isinstance(one, Made) else Found(one, ())
            for one in printing.print_down(chosen, remaining, table, directory, program)
        )
    previous: list[AppliedMigration | None] = [*applied[1:], None]
    return tuple(
        Found(
            framework.down(migration, directory),
            framework.version_change(table, migration, previous[place]),
        )
        for place, migration in enumerate(chosen)
    )


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
