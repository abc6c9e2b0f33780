"""The scripts of a framework that only runs its down migrations: what was captured of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rollback_tui.config import Settings
from rollback_tui.core.errors import ConfigurationError, FrameworkError
from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.text import printable
from rollback_tui.frameworks import captured
from rollback_tui.frameworks.captured import Capture
from rollback_tui.frameworks.protocol import Missing

COMMAND_OR_KEY = "capture it with `rollback-tui capture` (key c on screen 3)"
BY_HAND = "write the script by hand (--script FILE), or roll back with the tool itself"


def captured_down(
    settings: Settings,
    project: Path,
    framework: str,
    migration: AppliedMigration,
    applied: Sequence[AppliedMigration],
    target: str,
) -> Capture | Missing:
    """Return what was captured of ``migration``, the first of ``applied``, and still holds.

    ``target`` is the fingerprint of the database it is for. What is missing can be captured unless
    :func:`obstacle` says otherwise. Raises FrameworkError when the migration's file cannot be read.
    """
    only = f"the down migration of {printable(migration.version)} is code that only"
    against = obstacle(settings, framework, migration)
    if against:
        return Missing(why=f"{only} {framework} can run, and {against}")
    try:
        found = captured.kept(project / settings.run.directory, framework, migration.version)
    except ConfigurationError as error:
        return Missing(why=f"{error.summary}: {COMMAND_OR_KEY}", capturable=True)
    if found is None:
        why = f"{only} {framework} can run: {COMMAND_OR_KEY}"
        return Missing(why=why, capturable=True)
    versions = tuple(one.version for one in applied)
    why = captured.stale(found, migration, versions, target)
    if why:
        return Missing(why=f"{why}: {COMMAND_OR_KEY}", capturable=True)
    if found.refused:
        why = f"what was captured is no script: {found.refused}"
        return Missing(why=why, capturable=True)
    return found


def obstacle(settings: Settings, framework: str, migration: AppliedMigration) -> str:
    """Return why nothing can be captured, and what can be done; empty: it can."""
    try:
        captured.file_sha256(migration)
    except FrameworkError as error:
        return f"{error.summary}. {error.remedy}"
    missing = lacking(settings, framework)
    if missing:
        return (
            f"rollback.toml does not say how it is called ([migrations] {', '.join(missing)});"
            f" or {BY_HAND}"
        )
    return ""


def lacking(settings: Settings, framework: str) -> tuple[str, ...]:
    """Return the keys of ``[migrations]`` without which the tool cannot be called."""
    from rollback_tui.frameworks.registry import FRAMEWORKS

    known = FRAMEWORKS[framework]
    return tuple(
        key
        for key in ("command", "status_command", "down_command")
        if not (getattr(settings.migrations, key) or getattr(known, key, ()))
    )
