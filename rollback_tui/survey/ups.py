"""The up scripts of all that is applied: what they are, and whether they are still the same."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rollback_tui.config import Settings
from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import AppliedMigration, Plan
from rollback_tui.core.names import parts
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files
from rollback_tui.frameworks.protocol import Framework, Missing, VersionTable
from rollback_tui.frameworks.registry import FRAMEWORKS
from rollback_tui.postgres.connect import Connection
from rollback_tui.survey.scripts import up_scripts


class Up(NamedTuple):
    """The way up of one migration."""

    version: str
    source: Source | None
    """None: the framework's program prints it, and has not been asked (:func:`with_scripts`)."""
    mark: str
    """Changes with what makes it: with the script, and with whether it is transactional; where it
    is printed, with the migration's file, so that no program need be called to compare it. What
    else that program reads, its own version included, does not show."""


class Ups(NamedTuple):
    """The up scripts of the applied migrations, oldest first."""

    scripts: tuple[Up, ...]
    """Up to the first that is not known."""
    why: str
    """Why there are no more; empty: these are all."""

    def upto(self, version: str | None) -> tuple[Up, ...] | None:
        """Return the scripts up to and with ``version`` (None or empty: no migration, and so no
        script); None when one of them is not known."""
        if not version:
            return ()
        for place, up in enumerate(self.scripts):
            if up.version == version:
                return self.scripts[: place + 1]
        return None

    def made_from(self, version: str | None) -> str:
        """Return the SHA-256 (hex) of all that makes the schema of ``version``; empty when a script
        of it is not known. It changes with their order, and with any byte that is executed; where
        scripts are printed, with any byte of the migrations' files."""
        scripts = self.upto(version)
        if scripts is None:
            return ""
        whole = hashlib.sha256()
        for up in scripts:
            whole.update(f"{up.version}\0{up.mark}\n".encode(errors="surrogateescape"))
        return whole.hexdigest()


def known_ups(plan: Plan) -> Ups:
    """Return the up scripts of everything that is applied, before or after the plan, whichever is
    more. What cannot be read ends the list; no program is called."""
    return read_ups(plan.framework, Path(plan.directory), _applied(plan))


def _applied(plan: Plan) -> tuple[AppliedMigration, ...]:
    if plan.direction == "down":
        return plan.applied
    again = [
        AppliedMigration(version=m.version, name=m.name, path=m.script.path if m.script else None)
        for m in reversed(plan.migrations)
    ]
    return (*again, *plan.applied)


def read_ups(framework: str, directory: Path, applied: Sequence[AppliedMigration]) -> Ups:
    """Return the up scripts of ``applied``, which is newest first, as ``framework`` finds them."""
    found: list[Up] = []
    for migration in reversed(applied):
        name = printable(migration.version)
        try:
            up = _up(FRAMEWORKS[framework], directory, migration)
        except FrameworkError as error:
            return Ups(tuple(found), f"the up script of {name} cannot be read: {error.summary}")
        if not isinstance(up, Up):
            return Ups(tuple(found), f"the up script of {name} is not known: {up.why}")
        found.append(up)
    return Ups(tuple(found), "")


def _up(framework: Framework, directory: Path, migration: AppliedMigration) -> Up | Missing:
    if framework.kind == "printed" and migration.path is not None:
        path = Path(migration.path)
        try:
            data = files.read(path.parent, path.name)
        except FileNotFoundError:
            return Missing(why=f"{printable(migration.path)} does not exist")
        return Up(migration.version, None, f"{hashlib.sha256(data).hexdigest()}\0printed")
    source = framework.up(migration, directory)
    if not isinstance(source, Source):
        return source
    text = source.data[source.start : source.end]
    mark = f"{hashlib.sha256(text).hexdigest()}\0{source.transactional}"
    return Up(migration.version, source, mark)


def with_scripts(
    ups: Ups, connection: Connection, settings: Settings, project: Path, plan: Plan
) -> Ups:
    """Return ``ups``, of ``plan``, with the scripts that the framework's program prints: it is
    called for that. What it cannot print ends the list."""
    if all(up.source is not None for up in ups.scripts):
        return ups
    applied = {m.version: m for m in _applied(plan)}
    try:
        printed = up_scripts(
            connection,
            settings,
            project,
            plan.framework,
            version_table_of(plan),
            Path(plan.directory),
            [applied[up.version] for up in ups.scripts],
            (),
        )
    except FrameworkError as error:
        return Ups((), f"the up scripts are not known: {error.summary}")
    found: list[Up] = []
    for up, one in zip(ups.scripts, printed, strict=True):
        if not isinstance(one.script, Source):
            name = printable(up.version)
            return Ups(tuple(found), f"the up script of {name} is not known: {one.script.why}")
        found.append(Up(up.version, one.script, up.mark))
    return Ups(tuple(found), ups.why)


def version_table_of(plan: Plan) -> VersionTable:
    """Return the version table of ``plan``, by its name alone."""
    schema, name = parts(plan.version_table)
    return VersionTable(schema=schema, name=name)
