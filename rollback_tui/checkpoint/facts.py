"""Whether a checkpoint can be made: asked before the run, so that it does not fail in it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from rollback_tui.config import CheckpointSettings
from rollback_tui.core.facts import CheckpointFacts
from rollback_tui.core.model import Target
from rollback_tui.core.text import printable
from rollback_tui.postgres.server_tools import Tool, find_tool, suits, tools


def plan_checkpoint(
    settings: CheckpointSettings, project: Path, target: Target, database_bytes: int
) -> CheckpointFacts:
    """Return which pg_dump would be used, whether the directory takes a file, and its space.

    ``database_bytes`` is ``pg_database_size``. A file is really written and removed: permission
    bits alone say nothing about a read-only mount or a full disk.
    """
    directory = checkpoint_directory(settings, project)
    problem, free = _try_directory(directory)
    tool = find_tool("pg_dump", target.major)
    restore = find_tool("pg_restore", max(target.major, tool.major)) if tool else None
    reasons = [problem]
    if tool is None:
        reasons.append(missing("pg_dump", target.major, tools("pg_dump")))
    elif restore is None:
        reasons.append(missing("pg_restore", tool.major, tools("pg_restore")))
    usable = tool is not None and restore is not None
    return CheckpointFacts(
        wanted=settings.enabled,
        directory=str(directory),
        writable=not problem,
        free_bytes=free,
        database_bytes=database_bytes,
        pg_dump=tool.path if tool and usable else None,
        pg_dump_version=tool.version if tool and usable else None,
        pg_dump_major=tool.major if tool and usable else None,
        why="; ".join(reason for reason in reasons if reason),
        copied=settings.copy.configured,
        copy_required=settings.copy_required,
    )


def checkpoint_directory(settings: CheckpointSettings, project: Path) -> Path:
    """Return where checkpoints are kept, absolute."""
    return (project / Path(settings.directory).expanduser()).absolute()


def missing(name: str, server_major: int, found: tuple[Tool, ...]) -> str:
    """Say why no program ``name`` can be used with a server of ``server_major``."""
    if not found:
        return f"no {name} was found on PATH or in /usr/lib/postgresql"
    versions = ", ".join(sorted({f"{tool.version} ({printable(tool.path)})" for tool in found}))
    newer = any(tool.major > server_major and not suits(tool.major, server_major) for tool in found)
    why = (
        "what 17 and newer write cannot be restored into a server before 17"
        if newer
        else f"an older one cannot dump a server of version {server_major}"
    )
    return f"only {name} {versions} was found: {why}"


def _try_directory(directory: Path) -> tuple[str, int | None]:
    """Return (why nothing can be written there, free bytes); empty when it can."""
    place = directory
    while not place.exists() and place != place.parent:
        place = place.parent
    shown = printable(str(place))
    if not place.is_dir():
        return f"{shown} is not a directory", None
    try:
        free = shutil.disk_usage(place).free
        with tempfile.TemporaryDirectory(prefix=".rollback_tui-", dir=place) as folder:
            (Path(folder) / "try").write_bytes(b"\0" * 4096)
    except OSError as error:
        return f"{shown} is not writable: {error.strerror}", None
    return "", free
