"""The up scripts of all that is applied: what they are, and whether they are still the same."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import AppliedMigration, Plan
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable
from rollback_tui.frameworks.registry import FRAMEWORKS


class Up(NamedTuple):
    """The way up of one migration."""

    version: str
    source: Source


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
        of it is not known. It changes with any byte that is executed, and with their order."""
        scripts = self.upto(version)
        if scripts is None:
            return ""
        whole = hashlib.sha256()
        for up in scripts:
            source = up.source
            text = source.data[source.start : source.end]
            line = f"{up.version}\0{hashlib.sha256(text).hexdigest()}\0{source.transactional}\n"
            whole.update(line.encode(errors="surrogateescape"))
        return whole.hexdigest()


def up_scripts(plan: Plan) -> Ups:
    """Return the up scripts of everything that is applied, before or after the plan, whichever is
    more. What cannot be read ends the list."""
    applied = plan.applied
    if plan.direction == "up":
        again = [
            AppliedMigration(
                version=m.version, name=m.name, path=m.script.path if m.script else None
            )
            for m in reversed(plan.migrations)
        ]
        applied = (*again, *applied)
    return read_ups(plan.framework, Path(plan.directory), applied)


def read_ups(framework: str, directory: Path, applied: Sequence[AppliedMigration]) -> Ups:
    """Return the up scripts of ``applied``, which is newest first, as ``framework`` finds them."""
    found: list[Up] = []
    for migration in reversed(applied):
        name = printable(migration.version)
        try:
            source = FRAMEWORKS[framework].up(migration, directory)
        except FrameworkError as error:
            return Ups(tuple(found), f"the up script of {name} cannot be read: {error.summary}")
        if not isinstance(source, Source):
            return Ups(tuple(found), f"the up script of {name} is not known: {source.why}")
        found.append(Up(migration.version, source))
    return Ups(tuple(found), "")
