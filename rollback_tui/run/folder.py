"""A run's folder: ``rollback_runs/<YYYYmmdd_HHMMSS>_<id>/``, 0700, with all of its artefacts."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from rollback_tui.checkpoint.storage import make_directory, sync, write_whole
from rollback_tui.core.errors import ConfigurationError
from rollback_tui.run import journal

LOG = "rollback.log"
REPORT = "report.md"
REPORT_JSON = "report.json"
WORKER_LOG = "worker.log"
SOCKET = "control.path"


def create(directory: Path, run: str) -> Path:
    """Make the folder of a new run and return it. Raises ConfigurationError."""
    stamp = datetime.now(UTC).strftime("%Y%m%d_%H%M%S")
    folder = directory / f"{stamp}_{run[:8]}"
    try:
        make_directory(directory)
        folder.mkdir(mode=0o700)
        # The journal makes its own name durable, not that of the folder it is in.
        sync(directory)
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be made: {error.strerror}",
            "Set [run] directory to a directory you may write to.",
        ) from None
    return folder.resolve()


def problem(directory: Path) -> str | None:
    """Return why journals cannot be written below ``directory``; None when they can.

    It really tries: permissions, read-only mounts and full disks all look alike otherwise.
    """
    try:
        make_directory(directory)
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(b"\0" * 65536)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return f"{directory}: {error.strerror}"
    return None


def folders(directory: Path) -> tuple[Path, ...]:
    """Return the folders of all runs, newest first. Raises ConfigurationError."""
    if not directory.is_dir():
        return ()
    try:
        found = [p for p in directory.iterdir() if (p / journal.FILE_NAME).exists()]
    except OSError as error:
        raise ConfigurationError(
            f"{directory} cannot be read: {error.strerror}",
            "Runs can be seen by the user who made them.",
        ) from None
    return tuple(sorted(found, key=lambda p: p.name, reverse=True))


def write(path: Path, text: str) -> None:
    """Write a text whole or not at all. Raises OSError."""
    write_whole(path, text.encode())
