"""What is kept on disk: written whole or not at all, private, durable. And the directories of
checkpoints: a name reserved, files made durable, the whole published at once.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from rollback_tui.core.errors import CheckpointError
from rollback_tui.core.text import printable

PARTIAL = ".partial-"
"""Prefix of a checkpoint that is being made, or whose maker died."""

LATEST = "latest"
"""Symbolic link to the newest checkpoint."""

_SYNCED_AT_ONCE = 16

NAME_FORMAT = "%Y%m%d_%H%M%S"


def now() -> datetime:
    """Return the wall clock, UTC."""
    return datetime.now(UTC)


def no_space(directory: Path) -> tuple[tuple[str, str], ...]:
    """Return the remedies for a disk that takes no more."""
    remedy = (
        f"Free space for {printable(str(directory))}, "
        "or set checkpoint.directory to a larger file system."
    )
    return tuple((sign, remedy) for sign in ("No space left", "quota exceeded", "File too large"))


def storage_error(error: OSError, directory: Path) -> CheckpointError:
    """Return the error for the operator when the file system refused something."""
    reason = error.strerror or str(error)
    remedy = next(
        (text for sign, text in no_space(directory) if sign in reason),
        "Make the directory writable, or set checkpoint.directory to another.",
    )
    return CheckpointError(
        f"The checkpoint cannot be written in {printable(str(directory))}: {reason}", remedy
    )


@contextlib.contextmanager
def building(directory: Path, clock: Callable[[], datetime]) -> Iterator[tuple[Path, Path]]:
    """Yield (partial directory, final path); after the block the partial one is gone.

    Either the block published it with :func:`publish`, or it failed and it is removed.
    Raises CheckpointError when the file system refuses.
    """
    try:
        make_directory(directory)
        partial, final = _reserve(directory, clock().astimezone(UTC).strftime(NAME_FORMAT))
    except OSError as error:
        raise storage_error(error, directory) from None
    try:
        yield partial, final
    except OSError as error:
        raise storage_error(error, directory) from None
    finally:
        if partial.exists():
            shutil.rmtree(partial, ignore_errors=True)


def _reserve(directory: Path, stem: str) -> tuple[Path, Path]:
    """Make the partial directory of a name that nobody has, and that nobody else is making.

    The partial directory comes first: while it is ours, nobody can publish under the name.
    """
    for number in range(1, 1000):
        name = stem if number == 1 else f"{stem}_{number}"
        partial, final = directory / f"{PARTIAL}{name}", directory / name
        try:
            partial.mkdir(mode=0o700)
        except FileExistsError:
            continue
        if not os.path.lexists(final):
            return partial, final
        partial.rmdir()
    raise FileExistsError(17, f"a thousand checkpoints of {stem} exist")


def make_directory(path: Path) -> None:
    """Make a directory (0700), and what is missing above it; durable. Raises OSError.

    Without the last step a power failure could take a directory away in which files were made
    durable with all care: its name is an entry of the directory above.
    """
    missing = [path]
    while not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    for directory in reversed(missing):
        if not directory.is_dir():
            directory.mkdir(mode=0o700, exist_ok=True)
            sync(directory.parent)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all (0600): temp, fsync, rename, fsync of the directory.

    What was there under the name is replaced, a link itself and not where it leads. Raises
    OSError; then what was there is there still.
    """
    # mkstemp makes a new file with 0600 and never follows a link that someone left there.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_private(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a new file that only we can read. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        os.fchmod(descriptor, mode)


def sync(path: Path) -> None:
    """Make a file or a directory durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def tighten_and_sync(root: Path) -> None:
    """Make a tree private (directories 0700, files 0600 or 0700) and durable. Raises OSError.

    Several files at once: a dump of ten thousand tables has as many files, and a file system
    writes its journal once for all that wait for it.
    """
    places = [(Path(folder), names) for folder, _, names in os.walk(root, topdown=False)]

    def settle(path: Path) -> None:
        path.chmod(0o700 if path.stat().st_mode & 0o100 else 0o600)
        sync(path)

    with ThreadPoolExecutor(_SYNCED_AT_ONCE, thread_name_prefix="sync") as pool:
        list(pool.map(settle, [folder / name for folder, names in places for name in names]))
    for folder, _ in places:
        folder.chmod(0o700)
        sync(folder)


def publish(partial: Path, final: Path) -> None:
    """Give a finished checkpoint its name and make ``latest`` point to it. Raises OSError."""
    link = final.parent / f".{LATEST}-{secrets.token_hex(4)}"
    link.symlink_to(final.name)
    try:
        partial.rename(final)
        link.replace(final.parent / LATEST)
    finally:
        link.unlink(missing_ok=True)
    sync(final.parent)
