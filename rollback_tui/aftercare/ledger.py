"""A file of JSON lines that only grows: each line is on disk when the call returns, and half a line
that a crash left is cut off before the next one."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from rollback_tui.checkpoint.storage import sync
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.text import inert_json

T = TypeVar("T")


class LedgerDamaged(RollbackTuiError):
    """A line of the file is none that we wrote."""


class Ledger(Generic[T]):
    """One file, of lines of one kind. Several processes may append; each line stays whole."""

    def __init__(self, path: Path, kind: type[T]) -> None:
        """``kind``: the type of a line, or a union of tagged ones."""
        self.path = path
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(kind)

    def append(self, line: T) -> None:
        """Append one line; it is on disk when this returns. Raises OSError."""
        data = inert_json(msgspec.json.encode(line)) + b"\n"
        with self._opened() as file:
            first = not os.lseek(file, 0, os.SEEK_END)
            view = memoryview(data)
            while view:
                view = view[os.write(file, view) :]
            os.fsync(file)
            if first:
                # A file that a crash takes out of its directory takes its lines with it.
                sync(self.path.parent)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            size = os.lseek(file, 0, os.SEEK_END)
            whole = _whole(file, size)
            if whole != size:
                os.ftruncate(file, whole)
            yield file
        finally:
            os.close(file)

    def read(self) -> tuple[T, ...]:
        """Return all whole lines; none where there is no file. Raises LedgerDamaged."""
        return self.follow(0)[0]

    def follow(self, offset: int) -> tuple[tuple[T, ...], int]:
        """Return the whole lines from byte ``offset`` on, and where they end. Raises
        LedgerDamaged."""
        try:
            with self.path.open("rb") as file:
                file.seek(offset)
                data = file.read()
        except FileNotFoundError:
            return (), 0
        except OSError as error:
            raise LedgerDamaged(
                f"{self.path} cannot be read: {error.strerror}", "Check the run's directory."
            ) from None
        end = data.rfind(b"\n") + 1
        try:
            lines = tuple(self._decoder.decode(one) for one in data[:end].split(b"\n")[:-1])
        except msgspec.MsgspecError as error:
            raise LedgerDamaged(
                f"{self.path} holds a line that is not ours: {error}",
                "Move it away: what the run did is in its journal.",
            ) from None
        return lines, offset + end


def _whole(file: int, size: int) -> int:
    """Return where the last whole line ends."""
    end = size
    while end > 0:
        start = max(0, end - 65536)
        found = os.pread(file, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
