"""Migration files, read so that nothing in the directory can mislead or hang us."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.text import printable

MAX_BYTES = 16 * 1024 * 1024
"""Size in bytes above which a file is not taken for a migration."""


def names(directory: Path) -> tuple[str, ...]:
    """Return the names in ``directory`` that are not directories, in the order of their bytes.

    The order is the one Go's ``sort`` gives, which the frameworks written in Go rely on.
    Raises FrameworkError when the directory is missing or cannot be read, or when a name in it is
    not UTF-8.
    """
    try:
        with os.scandir(directory) as entries:
            # Go's DirEntry.IsDir() does not follow links either.
            found = [entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        raise FrameworkError(
            f"no such directory: {_shown(directory)}",
            "Name the directory with the migration files with --migrations DIR.",
        ) from None
    except NotADirectoryError:
        raise FrameworkError(
            f"not a directory: {_shown(directory)}",
            "Name the directory with the migration files with --migrations DIR.",
        ) from None
    except OSError as error:
        raise FrameworkError(
            f"{_shown(directory)} cannot be read: {error.strerror}",
            "Give this user permission to read it, or name another one with --migrations DIR.",
        ) from None
    for name in found:
        if any("\udc80" <= character <= "\udcff" for character in name):
            # Neither the journal nor the report could hold such a name: both are UTF-8.
            raise FrameworkError(
                f"the name of {_shown(directory / name)} is not UTF-8", "Rename that file."
            )
    return tuple(sorted(found, key=os.fsencode))


def read(directory: Path, name: str) -> bytes:
    """Return the bytes of the file ``name`` of ``directory``.

    A symbolic link is followed only when it stays inside ``directory``. Opened without blocking,
    and only a regular file of at most MAX_BYTES is read: a FIFO would hang us, a device could do
    anything. Raises FileNotFoundError when there is no such file, FrameworkError for the rest.
    """
    shown = _shown(directory / name)
    try:
        base = directory.resolve(strict=True)
        path = (directory / name).resolve(strict=True)
    except FileNotFoundError:
        raise
    except (OSError, RuntimeError) as error:
        raise _unreadable(shown, error) from None
    if not path.is_relative_to(base):
        raise FrameworkError(
            f"{shown} leads out of the migrations directory, to {_shown(path)}",
            "Put the file itself into the migrations directory.",
        )
    try:
        # The path is resolved: whoever puts a link there after that is refused by O_NOFOLLOW.
        descriptor = os.open(
            path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        )
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _unreadable(shown, error) from None
    try:
        # Before any read: os.fdopen would itself fail on a directory and leave it open.
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise FrameworkError(
                f"{shown} is not a regular file",
                "Replace it by a plain file, or take it out of the migrations directory.",
            )
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            # One byte more than allowed shows a file that grew after fstat.
            data = b"" if status.st_size > MAX_BYTES else file.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    if status.st_size > MAX_BYTES or len(data) > MAX_BYTES:
        raise FrameworkError(
            f"{shown} is larger than {MAX_BYTES // 1024 // 1024} MB",
            "A migration of that size is not taken; move its data out of the file.",
        )
    return data


@contextmanager
def said_plainly() -> Iterator[None]:
    """Raise FrameworkError for what the file system refuses within: a directory that this user may
    not enter, a link to itself."""
    try:
        yield
    except OSError as error:
        name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "a file"
        raise _unreadable(printable(name), error) from None


def _unreadable(shown: str, error: OSError | RuntimeError) -> FrameworkError:
    if isinstance(error, RuntimeError):  # Path.resolve before Python 3.13
        reason = "it is a symbolic link to itself"
    elif error.errno == errno.ELOOP:
        reason = "it is a symbolic link that changed while it was read, or that leads to itself"
    elif error.errno == errno.ENXIO:
        reason = "it is a socket or a device"
    else:
        reason = error.strerror or "unknown error"
    forbidden = isinstance(error, PermissionError)
    return FrameworkError(
        f"{shown} cannot be read: {reason}",
        "Give this user permission to read it, and to enter the directories above it."
        if forbidden
        else "Make it a plain file that this user may read.",
    )


def _shown(path: Path) -> str:
    return printable(str(path))
