"""A run's folder: ``rollback_runs/<YYYYmmdd_HHMMSS>_<id>/``, 0700, with all of its artefacts."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

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
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
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
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
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
    """Write a file whole or not at all (0600): temp, fsync, rename, fsync of the directory."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
