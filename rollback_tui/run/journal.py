"""The journal: the ordered list of a run's events, one JSON line each, fsynced, hash-chained."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from rollback_tui.checkpoint.storage import sync
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.events import AnyEvent, Record
from rollback_tui.core.model import Value
from rollback_tui.core.text import inert_json

FILE_NAME = "journal.jsonl"

_LOOK_SECONDS = 0.5

_REMEDY = "Do not trust this journal; ask the database itself (rollback-tui state)."

_decoder = msgspec.json.Decoder(Record)
_encoder = msgspec.json.Encoder()


class JournalDamaged(RollbackTuiError):
    """A line of the journal is not what was written."""


class JournalInUse(RollbackTuiError):
    """The run's worker is alive: nobody else may write its journal or settle it."""


class Journal:
    """The one writer of a run's journal. Safe to call from several threads."""

    def __init__(self, path: Path) -> None:
        """Open ``path`` (0600). An existing journal is continued: its clock goes on.

        Raises JournalInUse, JournalDamaged or OSError.
        """
        self.path = path
        self.listeners: list[Callable[[Record], None]] = []
        self._lock = threading.RLock()
        self.cut_off = 0
        """Bytes of half a line that a crash had left behind the last whole one."""
        self._torn = False
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self._take(path)
        except BaseException:
            os.close(self._file)
            raise

    def _take(self, path: Path) -> None:
        """Become the one writer, and go on where the last one ended."""
        # Held until the file is closed or the process dies, however it dies.
        if not lock(self._file):
            raise JournalInUse(
                f"{path} is being written by another process",
                "The run is still going on: `rollback-tui attach` shows it.",
            )
        follower = Follower(path)
        earlier = follower.poll()
        # The hash is of the bytes that are there, not of what we would write for them now.
        self._seq, self._prev = follower.seq, follower.prev
        self._began = time.monotonic()
        if earlier:
            # Another process began this run: only the wall clock spans both.
            age = (datetime.now(UTC) - earlier[-1].at).total_seconds()
            self._began -= earlier[-1].elapsed + max(0.0, age)
        self._size = follower.offset
        self.cut_off = follower.torn
        os.ftruncate(self._file, self._size)
        sync(path.parent)

    @property
    def elapsed(self) -> float:
        """Seconds of the monotonic clock since the run began."""
        return time.monotonic() - self._began

    @property
    def head(self) -> str:
        """``<seq>:<sha256>`` of the last line: whoever keeps it can tell later whether the
        journal up to there is the one that was written."""
        with self._lock:
            return f"{self._seq}:{self._prev}"

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
        """Append ``event``; it is on disk when this returns.

        Raises OSError when it is not. The journal stays whole and may be written again: half a
        line is cut off, and a line that only fsync failed on is kept, because a follower may
        have read it already.
        """
        with self._lock:
            record = self.anticipate(event)
            line = _line(record)
            self._append(line)
            self._seq, self._prev = record.seq, _digest(line)
            os.fsync(self._file)
            for listener in self.listeners:
                listener(record)
            return record

    def _append(self, line: bytes) -> None:
        if self._torn:
            os.ftruncate(self._file, self._size)
            self._torn = False
        view = memoryview(line)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError:
            self._torn = True
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
                self._torn = False
            raise
        self._size += len(line)

    def close(self) -> None:
        """Close the file; what was written stays."""
        os.close(self._file)


def lock(file: int) -> bool:
    """Take the lock on an open file, and return whether it is ours; it ends with the file. Who only
    looks whether it is held has it for an instant: that is no reason to leave a run alone."""
    deadline = time.monotonic() + _LOOK_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)


def _line(record: Record) -> bytes:
    return inert_json(_encoder.encode(record)) + b"\n"


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


class Follower:
    """Reads a journal while it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        """Bytes of whole lines that were read."""
        self.prev = ""
        """Hash of the last whole line; empty before there is one."""
        self.seq = 0
        self.torn = 0
        """Bytes behind the last whole line. While a worker writes, a line that is not whole yet;
        after it, half a line that a crash left."""

    def poll(self) -> tuple[Record, ...]:
        """Return the records since the last call; a torn last line is waited for.

        Raises JournalDamaged when a line was altered, removed or cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                if file.seek(0, os.SEEK_END) < self.offset:
                    raise JournalDamaged(f"{self.path} has become shorter", _REMEDY)
                file.seek(self.offset)
                data = file.read()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise JournalDamaged(
                f"{self.path} cannot be read: {error.strerror}", "Check the run's directory."
            ) from None
        records = []
        # By \n alone: with splitlines() a line into which a \r got would be waited for for ever.
        for text in data.split(b"\n")[:-1]:
            line = text + b"\n"
            records.append(self._check(line))
            self.offset += len(line)
        self.torn = len(data) - data.rfind(b"\n") - 1
        return tuple(records)

    def _check(self, line: bytes) -> Record:
        try:
            record = _decoder.decode(line)
        except msgspec.MsgspecError:
            raise JournalDamaged(f"{self.path}: line {self.seq + 1} is damaged", _REMEDY) from None
        if record.prev != self.prev or record.seq != self.seq + 1:
            raise JournalDamaged(
                f"{self.path}: line {self.seq + 1} does not follow the line before it", _REMEDY
            )
        self.prev, self.seq = _digest(line), record.seq
        return record


def read(path: Path) -> tuple[Record, ...]:
    """Return all records of a journal. Raises JournalDamaged."""
    return Follower(path).poll()


class Inspection(Value, frozen=True, kw_only=True):
    """What a whole journal says of itself: each line holds the hash of the line before."""

    records: tuple[Record, ...]
    torn: int
    """Bytes behind the last whole line."""
    last: str
    """Hash of the last whole line; empty when there is none."""

    def head(self, seq: int) -> str | None:
        """Return ``<seq>:<sha256>`` of line ``seq``; None when the journal ends before it."""
        if not 0 < seq <= len(self.records):
            return None
        following = self.records[seq:]
        return f"{seq}:{following[0].prev if following else self.last}"


def inspect(path: Path) -> Inspection:
    """Read a journal from its first line to its last, checking the chain. Raises JournalDamaged."""
    follower = Follower(path)
    records = follower.poll()
    return Inspection(records=records, torn=follower.torn, last=follower.prev)


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
