"""PostgreSQL's grammar (postgast, that of version 18) in a child process of its own.

Deep or hostile input can crash or stall the C library. So it never runs in the process that
holds the screen or the run: here a crash costs one statement its tree, which then counts as
*unknown, treat as dangerous*.
"""

from __future__ import annotations

import json
import os
import select
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from rollback_tui.core.demand import Reading

__all__ = ["Parser"]

START_SECONDS = 15.0
"""How long a child may take to load the library; 0.2 s is usual."""
STATEMENT_SECONDS = 2.0
"""How long one statement may take; 0.02 ms is usual."""
MOST_RESTARTS = 5
"""After so many crashes in one call the rest of its statements stay unknown."""
MAX_ANSWER_BYTES = 64 * 1024 * 1024
BATCH_BYTES = 256 * 1024
"""Statements go over in batches: a restart repeats the sending of one batch only."""

_CHILD = Path(__file__).with_name("child.py")
# The child needs no password, no DATABASE_URL, nothing of ours.
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "SYSTEMROOT")


class _Ended(Exception):
    """The child crashed, stalled or answered nonsense."""


class _Command(msgspec.Struct):
    stmt: dict[str, object] = {}


class _Parsed(msgspec.Struct):
    """What libpg_query found in one text."""

    stmts: list[_Command] = []


class Parser:
    """Parses statements in one child process, started when it is first needed.

    A context manager; may be used from several threads, one call at a time.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._received = bytearray()
        self._lock = threading.Lock()
        self._closed = False
        self.unread = 0
        """Texts that the time did not suffice for, or that were left after too many crashes."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def trees(
        self, statements: Sequence[str], seconds: float = 5.0
    ) -> tuple[Mapping[str, object] | None, ...]:
        """Return for each statement the tree of its one command, or None when it is unknown.

        ``seconds`` bound the parsing of all of them; starting the child is not counted, and is
        bounded by itself. Never raises for what a statement holds, and never hangs.
        """
        return tuple(_only_command(answer) for answer in self._asked("tree", statements, seconds))

    def readings(
        self, statements: Sequence[str], seconds: float = 5.0
    ) -> tuple[Reading | None, ...]:
        """Return for each statement what it demands of stored rows and which rows it would touch;
        None when it is unknown. Bounded as :meth:`trees` is."""
        return tuple(_reading(answer) for answer in self._asked("reading", statements, seconds))

    def _asked(self, question: str, texts: Sequence[str], seconds: float) -> list[bytes | None]:
        """Return the child's answer to ``question`` for each text, as JSON; None: unknown.

        The questions are those of ``QUESTIONS`` in the child. Texts that the time did not suffice
        for, or that the child died of, are unknown.
        """
        found: list[bytes | None] = []
        with self._lock:
            restarts = 0
            left = seconds
            while len(found) < len(texts) and left > 0 and restarts <= MOST_RESTARTS:
                batch = _batch(texts, len(found))
                try:
                    self._start()
                except _Ended:
                    break
                began = time.monotonic()
                try:
                    self._ask(question, batch, found, began + left)
                except _Ended:
                    self._end()
                    restarts += 1
                    found.append(None)
                left -= time.monotonic() - began
            missing = len(texts) - len(found)
            self.unread += missing
        return [*found, *[None] * missing]

    def close(self) -> None:
        """End the child. Safe to call twice; a later ``trees`` answers only None."""
        with self._lock:
            self._closed = True
            self._end()

    def _start(self) -> None:
        """Have a child that said it is ready. Raises _Ended when there can be none."""
        if self._closed:
            raise _Ended
        if self._process is not None and self._process.poll() is None:
            return
        self._end()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(_CHILD)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                start_new_session=True,
            )
        except OSError as error:
            raise _Ended from error
        try:
            if self._receive(time.monotonic() + START_SECONDS) != b'"ready"':
                raise _Ended
        except _Ended:
            self._end()
            raise

    def _end(self) -> None:
        """Kill the child and wait for it, so that no zombie stays."""
        process, self._process = self._process, None
        self._received.clear()
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.wait()

    def _ask(
        self, question: str, batch: list[str], found: list[bytes | None], deadline: float
    ) -> None:
        """Append one answer a text to ``found``. Raises _Ended at the one that fails."""
        body = json.dumps({"ask": question, "texts": batch}).encode()
        self._send(struct.pack(">I", len(body)) + body, deadline)
        for _ in batch:
            answer = self._receive(min(deadline, time.monotonic() + STATEMENT_SECONDS))
            found.append(None if answer == b"null" else answer)

    def _send(self, data: bytes, deadline: float) -> None:
        assert self._process is not None and self._process.stdin is not None  # noqa: S101
        descriptor = self._process.stdin.fileno()
        os.set_blocking(descriptor, False)
        rest = memoryview(data)
        while rest:
            _wait(descriptor, deadline, writing=True)
            try:
                rest = rest[os.write(descriptor, rest) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise _Ended from error

    def _receive(self, deadline: float) -> bytes:
        (length,) = struct.unpack(">I", self._read(4, deadline))
        if length > MAX_ANSWER_BYTES:
            raise _Ended
        return self._read(length, deadline)

    def _read(self, length: int, deadline: float) -> bytes:
        assert self._process is not None and self._process.stdout is not None  # noqa: S101
        descriptor = self._process.stdout.fileno()
        received = self._received
        while len(received) < length:
            _wait(descriptor, deadline, writing=False)
            piece = os.read(descriptor, 1 << 20)
            if not piece:
                raise _Ended
            received += piece
        data = bytes(received[:length])
        del received[:length]
        return data


def _only_command(answer: bytes | None) -> Mapping[str, object] | None:
    """Return the tree of the one command in an answer; None when it is unknown or not one."""
    try:
        parsed = msgspec.json.decode(answer, type=_Parsed) if answer else _Parsed()
    except (msgspec.MsgspecError, RecursionError):
        return None
    return parsed.stmts[0].stmt if len(parsed.stmts) == 1 else None


def _reading(answer: bytes | None) -> Reading | None:
    try:
        return msgspec.json.decode(answer, type=Reading | None) if answer else None
    except (msgspec.MsgspecError, RecursionError):
        return None


def _batch(statements: Sequence[str], first: int) -> list[str]:
    size, last = 0, first
    while last < len(statements) and (last == first or size < BATCH_BYTES):
        size += len(statements[last])
        last += 1
    return list(statements[first:last])


def _wait(descriptor: int, deadline: float, *, writing: bool) -> None:
    """Wait until the pipe is ready. Raises _Ended at the deadline."""
    left = deadline - time.monotonic()
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT if writing else select.POLLIN)
    if left <= 0 or not poll.poll(left * 1000):
        raise _Ended
