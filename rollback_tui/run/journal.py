"""The journal: the ordered list of a run's events, one JSON line each, fsynced, hash-chained."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.events import AnyEvent, Record

FILE_NAME = "journal.jsonl"

_decoder = msgspec.json.Decoder(Record)
_encoder = msgspec.json.Encoder()


class JournalDamaged(RollbackTuiError):
    """A line of the journal is not what was written."""


class Journal:
    """The one writer of a run's journal. Safe to call from several threads."""

    def __init__(self, path: Path) -> None:
        """Open ``path`` (0600). An existing journal is continued: its clock goes on."""
        self.path = path
        self.listeners: list[Callable[[Record], None]] = []
        self._lock = threading.RLock()
        earlier = read(path) if path.exists() else ()
        self._seq = earlier[-1].seq if earlier else 0
        self._prev = _digest(_line(earlier[-1])) if earlier else ""
        self._began = time.monotonic()
        if earlier:
            # Another process began this run: only the wall clock spans both.
            age = (datetime.now(UTC) - earlier[-1].at).total_seconds()
            self._began -= earlier[-1].elapsed + max(0.0, age)
            _drop_torn_tail(path)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        _fsync_directory(path.parent)

    @property
    def elapsed(self) -> float:
        """Seconds of the monotonic clock since the run began."""
        return time.monotonic() - self._began

    def anticipate(self, event: AnyEvent) -> Record:
        """Return the record that ``event`` would become now, without writing it."""
        return Record(
            seq=self._seq + 1,
            at=datetime.now(UTC),
            elapsed=round(self.elapsed, 4),
            prev=self._prev,
            event=event,
        )

    def write(self, event: AnyEvent) -> Record:
        """Append ``event``; it is on disk when this returns. Raises OSError."""
        with self._lock:
            record = self.anticipate(event)
            line = _line(record)
            view = memoryview(line)
            while view:
                view = view[os.write(self._file, view) :]
            os.fsync(self._file)
            self._seq, self._prev = record.seq, _digest(line)
            for listener in self.listeners:
                listener(record)
            return record

    def close(self) -> None:
        """Close the file; what was written stays."""
        os.close(self._file)


def _line(record: Record) -> bytes:
    return _encoder.encode(record) + b"\n"


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def _fsync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _drop_torn_tail(path: Path) -> None:
    """Cut off the half line that a crash may have left behind the last whole one."""
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole != len(data):
        os.truncate(path, whole)


class Follower:
    """Reads a journal while it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._prev = ""
        self._seq = 0

    def poll(self) -> tuple[Record, ...]:
        """Return the records since the last call; a torn last line is waited for.

        Raises JournalDamaged when a line was altered, removed or cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise JournalDamaged(
                f"{self.path} cannot be read: {error.strerror}", "Check the run's directory."
            ) from None
        records = []
        for line in data.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            records.append(self._check(line))
            self._offset += len(line)
        return tuple(records)

    def _check(self, line: bytes) -> Record:
        remedy = "Do not trust this journal; ask the database itself (rollback-tui state)."
        try:
            record = _decoder.decode(line)
        except msgspec.MsgspecError:
            raise JournalDamaged(f"{self.path}: line {self._seq + 1} is damaged", remedy) from None
        if record.prev != self._prev or record.seq != self._seq + 1:
            raise JournalDamaged(
                f"{self.path}: line {self._seq + 1} does not follow the line before it", remedy
            )
        self._prev, self._seq = _digest(line), record.seq
        return record


def read(path: Path) -> tuple[Record, ...]:
    """Return all records of a journal. Raises JournalDamaged."""
    return Follower(path).poll()


def flat(record: Record) -> dict[str, object]:
    """Return a record as ``run --json`` prints it: ``kind`` and the event's fields on top."""
    event: dict[str, object] = msgspec.to_builtins(record.event)
    return {
        "kind": event.pop("kind"),
        "seq": record.seq,
        "at": record.at.isoformat(),
        "elapsed": record.elapsed,
        **event,
    }
