"""A down script that a person wrote and names with ``--script FILE``."""

from __future__ import annotations

from pathlib import Path

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files

NAME = "script"
"""What stands for the framework in a plan when none is known."""


def place(project: Path, script: str) -> Path:
    """Return the file that is meant: a link that the operator names may lead anywhere, and what it
    leads to now is what is confirmed. ``project``: where a relative path starts."""
    path = project / script
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a link to itself: reading it says so
        return path


def given(path: Path) -> Source:
    """Return the whole file as a down migration; by the same rules as any migration file is read.

    Raises FrameworkError when there is none, or when it is not safe to read.
    """
    try:
        data = files.read(path.parent, path.name)
    except FileNotFoundError:
        raise FrameworkError(
            f"there is no script {printable(str(path))}",
            "Correct --script (or script under [migrations] in rollback.toml).",
        ) from None
    return Source(path=str(path), data=data, start=0, end=len(data))
