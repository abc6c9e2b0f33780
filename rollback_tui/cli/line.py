"""The connections of a terminal, and what was sent over them."""

from __future__ import annotations

import collections
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import psycopg

from rollback_tui.core.errors import ConnectionFailed, RollbackTuiError
from rollback_tui.core.text import printable, shorten
from rollback_tui.postgres.connect import Connection

T = TypeVar("T")

_LOG_TEXTS = 300
_LOG_WIDTH = 400


class Line:
    """One connection that is made when it is needed, and made again when it was lost. Calls
    from several threads take turns."""

    def __init__(self, opened: Callable[[], Connection]) -> None:
        self._open = opened
        self._connection: Connection | None = None
        self._lock = threading.Lock()

    def ask(self, question: Callable[[Connection], T]) -> T:
        """Ask on this connection. Raises RollbackTuiError, also for the server's errors.

        One that was lost while nobody used it (a run's door ends it, too) is made again.
        """
        with self._lock:
            if self._connection is not None:
                try:
                    return self._put(self._connection, question)
                except ConnectionFailed:
                    self._connection = None
            self._connection = self._open()
            return self._put(self._connection, question)

    @staticmethod
    def _put(connection: Connection, question: Callable[[Connection], T]) -> T:
        try:
            return question(connection)
        except psycopg.Error as error:
            if connection.closed or connection.broken:
                raise ConnectionFailed(
                    printable(" ".join(str(error).split())) or "the connection was lost",
                    "It is made again by itself.",
                ) from None
            raise _refused(error) from None

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Close it, and let whoever asks wait until the block ends."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            yield

    def close(self) -> None:
        """Close it; the next question opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


class SentLog:
    """The SQL that was sent, each text once with how often and when last: what is refreshed each
    second must not push out what was done once."""

    def __init__(self) -> None:
        self._sent: collections.OrderedDict[str, tuple[int, str]] = collections.OrderedDict()
        self._lock = threading.Lock()

    def add(self, text: str) -> None:
        """Take in one text; comments and line breaks are left out."""
        lines = (line for line in text.splitlines() if not line.lstrip().startswith("--"))
        flat = shorten(" ".join(lines), _LOG_WIDTH)
        with self._lock:
            times, _ = self._sent.pop(flat, (0, ""))
            self._sent[flat] = (times + 1, time.strftime("%H:%M:%S"))
            if len(self._sent) > _LOG_TEXTS:
                self._sent.popitem(last=False)

    def lines(self) -> tuple[str, ...]:
        """Return the texts, the one sent last at the end."""
        with self._lock:
            return tuple(
                f"{last} {f'×{times} ' if times > 1 else ''}{text}"
                for text, (times, last) in self._sent.items()
            )


def _refused(error: psycopg.Error) -> RollbackTuiError:
    message = error.diag.message_primary or str(error)
    remedy = "See the server's log; the SQL log shows what was sent."
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        remedy = "Connect as the role that runs the migrations, or have it granted the right."
    return RollbackTuiError(printable(" ".join(message.split())), remedy)
