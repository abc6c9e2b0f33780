"""Temporary files in memory, where there is room: a test's database is three hundred files, made
and removed again within a second. On a disk's file system that can cost twenty times what it costs
in memory (ext4 without a journal: a fifth of a second of computing, for each of a thousand tests).
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")  # where glibc has shm_open() put its files: the one such place by name
ROOM = 2 << 30
"""Bytes. Four test processes with their servers need less than half of it."""


def use() -> None:
    """Have the temporary files of this process and of all that it starts in memory, unless the
    environment says where they are to be. The directories that pytest makes and leaves for
    somebody to look at (``tmp_path``) stay where they are."""
    if "TMPDIR" in os.environ or not _has_room():
        return
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    os.environ["TMPDIR"] = str(MEMORY)
    tempfile.tempdir = None  # what was found before; it is looked for again


def _has_room() -> bool:
    """Whether there is memory for files, in which programs may be started too."""
    try:
        found = os.statvfs(MEMORY)
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return False
    available = next((int(line.split()[1]) for line in lines if "MemAvailable" in line), 0) << 10
    return (
        os.access(MEMORY, os.W_OK | os.X_OK)
        and not found.f_flag & os.ST_NOEXEC
        and min(found.f_bavail * found.f_frsize, available) >= ROOM
    )
