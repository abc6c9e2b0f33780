"""The directories of a project in which files of its own may be, for tools that put theirs
anywhere."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.text import printable

DEEPEST = 10
"""Directories below the project that are gone into: Maven's are six above a first package."""
MOST_DIRECTORIES = 20_000

_SKIPPED_TEXT = """
    node_modules site-packages dist-packages venv env __pycache__ build dist target static media
    """
_SKIPPED = frozenset(_SKIPPED_TEXT.split())
"""Names of directories with what others wrote, or what was made from the project's own files."""


def directories(project: Path) -> Iterator[Path]:
    """Yield ``project`` and the directories below it, top down; links are not followed.

    Raises FrameworkError when there are more than MOST_DIRECTORIES.
    """
    waiting, seen = deque([(project, 0)]), 0
    while waiting:
        directory, depth = waiting.popleft()
        seen += 1
        if seen > MOST_DIRECTORIES:
            raise FrameworkError(
                f"{printable(str(project))} has more than {MOST_DIRECTORIES:,} directories",
                "Name the directory in which the migrations are with --migrations DIR.",
            )
        yield directory
        if depth == DEEPEST:
            continue
        try:
            with os.scandir(directory) as entries:
                below = [e.name for e in entries if e.is_dir(follow_symlinks=False)]
        except OSError:
            continue  # what this user may not read, the tool cannot have read as this user either
        waiting.extend(
            (directory / name, depth + 1)
            for name in sorted(below)
            if not name.startswith(".")
            and name not in _SKIPPED
            and not (directory / name / "pyvenv.cfg").exists()
        )
