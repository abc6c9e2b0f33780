"""The application's log files, followed: their end first, then what comes, like ``tail -F``.

Nothing here trusts a log. What is no plain file is not opened to the end (a FIFO would hang, a
device never end), a line has a length, and a burst is cut so that the newest is seen: whoever looks
at 3 a.m. wants to know what happens now.
"""

from __future__ import annotations

import glob
import os
import stat
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from rollback_tui.core.logs import LogLine

FIRST_LINES = 200
"""Lines of the end of a file that the first look gives."""

LINE_CHARACTERS = 2_000
"""A longer line is cut, and says so."""

POLL_BYTES = 256 * 1024
"""What one look reads of one file; of more, the end."""

FILES = 20
"""Files that are followed at the same time; of more, those that were written last."""

_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

Inode = tuple[int, int]
"""Device and number: what stays when a file is renamed."""


class LogFiles:
    """Follows ``files``, paths or patterns (``/var/log/shop/*.log``); safe to call from several
    threads."""

    def __init__(self, files: Sequence[str]) -> None:
        self.files = tuple(files)
        self._followed: dict[str, _Followed] = {}
        self._read: dict[Inode, int] = {}
        self._unmatched: set[str] = set()
        self._lock = threading.Lock()
        self._closed = False

    def poll(self) -> tuple[LogLine, ...]:
        """Return what came since the last call, file by file; the first call gives the end of each.
        What cannot be read is a line that says so, once for each reason."""
        with self._lock:
            return () if self._closed else tuple(self._poll())

    def _poll(self) -> Iterator[LogLine]:
        for name in self.files:
            found = _matching(name)
            if not found and name not in self._unmatched:
                yield LogLine(file=name, text="(no file matches: waited for)")
                self._unmatched.add(name)
            for path in found:
                if path not in self._followed:
                    self._followed[path] = _Followed(path, self._read, waited=path == name)
        for path, one in list(self._followed.items()):
            yield from (LogLine(file=path, text=text) for text in one.poll())
            if path not in self.files and not os.path.lexists(path):
                del self._followed[path]

    def close(self) -> None:
        """Close the files. Safe to call twice."""
        with self._lock:
            self._closed = True
            for one in self._followed.values():
                one.close()


def _matching(name: str) -> list[str]:
    """Return the path itself, there or not, or the files that match a pattern."""
    if not glob.has_magic(name) or os.path.lexists(name):
        return [name]
    found = glob.glob(name)  # noqa: PTH207 - a pattern may be absolute
    return sorted(sorted(found, key=_written)[-FILES:])


def _written(path: str) -> float:
    try:
        return Path(path).stat().st_mtime
    except OSError:
        return 0.0


class _Followed:
    """One file, by its name: when another file gets the name, that is read from its beginning."""

    def __init__(self, path: str, read: dict[Inode, int], *, waited: bool) -> None:
        self.path = path
        self.waited = waited
        """It was named: that it is not there is worth saying."""
        self.inode: Inode | None = None
        """Of the file that is open; None: none is."""
        self._read = read
        """Up to where each file was read, under whatever name: what is renamed is not shown
        again."""
        self._file = -1
        self._offset = 0
        self._rest = b""
        """Of a line that has not ended yet."""
        self._cut = False
        """The line that is coming was shown, cut; the rest of it is not wanted."""
        self._trouble = ""
        self._looked = False

    def poll(self) -> Iterator[str]:
        """Yield the lines that came, and what is wrong when that is new."""
        try:
            there = Path(self.path).stat()
        except (OSError, ValueError) as error:
            yield from self._ended()
            yield from self._say(error)
            return
        if self.inode == (there.st_dev, there.st_ino):
            yield from self._new()
            return
        rotated = self.inode is not None
        yield from self._ended()
        if not stat.S_ISREG(there.st_mode):
            kind = _KINDS.get(stat.S_IFMT(there.st_mode), "no plain file")
            yield from self._complain(f"it is {kind}: not followed")
            return
        try:
            yield from self._open(rotated=rotated)
        except OSError as error:
            yield from self._say(error)

    def _open(self, *, rotated: bool) -> Iterator[str]:
        self._file = os.open(self.path, _READ)
        found = os.fstat(self._file)
        if not stat.S_ISREG(found.st_mode):  # exchanged in this very moment
            self.close()
            return
        self.inode = (found.st_dev, found.st_ino)
        self._trouble = ""
        read = self._read.get(self.inode, 0)
        self._offset = read if read <= found.st_size else 0
        if rotated and not self._offset:
            yield "(the file was rotated: this is the new one)"
        first = not self._looked
        self._looked = True
        yield from self._new(FIRST_LINES if first else None)

    def _new(self, last: int | None = None) -> Iterator[str]:
        """Yield the lines behind the offset; ``last``: no more than so many."""
        size = os.fstat(self._file).st_size
        if size < self._offset:
            yield "(the file was truncated: from its beginning)"
            self._offset, self._rest, self._cut = 0, b"", False
        skipped = size - self._offset - POLL_BYTES
        if skipped > 0:
            self._offset += skipped
            if last is None:
                yield f"({skipped:,} bytes came at once and are not shown)"
            self._rest, self._cut = b"", False
        data = os.pread(self._file, POLL_BYTES, self._offset)
        self._offset += len(data)
        if self.inode is not None:
            self._read[self.inode] = self._offset
        if skipped > 0:
            # Where it was cut, half a line is left.
            data = data.partition(b"\n")[2]
        lines = list(self._lines(data))
        yield from lines[-last:] if last is not None else lines

    def _lines(self, data: bytes) -> Iterator[str]:
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            if not self._cut:
                yield _text(line)
            self._cut = False
        if len(self._rest) > 4 * LINE_CHARACTERS:
            # It may never end: shown as far as it is kept, and the rest of it is passed over.
            if not self._cut:
                yield _text(self._rest)
            self._cut, self._rest = True, b""

    def _ended(self) -> Iterator[str]:
        """Read what came before the file lost its name, and close it."""
        if self.inode is None:
            return
        yield from self._new()
        if self._rest and not self._cut:
            yield _text(self._rest)
        if os.fstat(self._file).st_nlink == 0:
            # Removed, not renamed: the next file may get its number.
            self._read.pop(self.inode, None)
        self.close()

    def _say(self, error: OSError | ValueError) -> Iterator[str]:
        if isinstance(error, FileNotFoundError):
            if not self.waited:
                return
            yield from self._complain("it is not there: waited for")
        else:
            why = error.strerror if isinstance(error, OSError) else "no possible file name"
            yield from self._complain(f"it cannot be read: {why}")

    def _complain(self, text: str) -> Iterator[str]:
        self._looked = True
        if text != self._trouble:
            self._trouble = text
            yield f"({text})"

    def close(self) -> None:
        """Close what is open; nothing of it is kept."""
        if self._file >= 0:
            os.close(self._file)
        self._file, self.inode, self._offset = -1, None, 0
        self._rest, self._cut = b"", False


def _text(line: bytes) -> str:
    text = line.removesuffix(b"\r").decode("utf-8", errors="replace")
    if len(text) <= LINE_CHARACTERS:
        return text
    return text[:LINE_CHARACTERS] + "… (cut)"
