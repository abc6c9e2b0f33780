"""When an answer does not come: the watchdog, and what another session is seen to be doing.

A reply that is withheld somewhere on the way (a firewall that lost its state, a frozen proxy)
defeats every timeout of the server: to the server the statement is long done. Nor do keepalives
notice it while the other end of the TCP connection still answers them.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, Literal

import psycopg

from rollback_tui.core.model import Value
from rollback_tui.core.text import printable


class Watch:
    """One block that is waited for."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.cut = False
        """The time was over and the connection was cut."""
        self._lock = threading.Lock()
        self._handle: int | None = None

    def begin(self, handle: int) -> None:
        """Watch the socket behind the descriptor ``handle``, which is ours to close."""
        self._handle = handle

    def end(self) -> None:
        """The block is over: from here on nothing is cut any more."""
        with self._lock:
            handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def expire(self) -> None:
        """The time is over: cut the connection, unless the block has ended in this very moment."""
        with self._lock:
            if self._handle is None:
                return
            self.cut = True
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._handle)) as own:
                own.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def answer_within(connection: psycopg.Connection[Any], seconds: float) -> Iterator[Watch]:
    """Cut ``connection`` when the block has not ended after ``seconds``.

    Cutting is ``shutdown(2)`` of its socket (of a duplicate of the descriptor, so that nothing
    of libpq's is closed under it; with TLS as without): a psycopg call that is blocked in the
    block then raises psycopg.OperationalError within milliseconds, ``connection.broken`` is true
    and ``Watch.cut`` as well. Whatever had been sent may still arrive, so what became of it is
    known only once the server's backend is gone.

    After the block has ended nothing is cut any more, also if the time runs out in that moment.
    The block may still end well with ``cut`` true: then the answer had come just before, it holds,
    and only the next use of the connection fails. No thread and no descriptor is left behind.
    A connection that is closed already is not watched; its next use raises by itself.
    Every thread may use this, also for several connections at once.
    """
    watch = Watch(seconds)
    try:
        handle = os.dup(connection.fileno())
    except (psycopg.OperationalError, OSError):
        yield watch
        return
    watch.begin(handle)
    timer = threading.Timer(min(max(0.0, seconds), threading.TIMEOUT_MAX), watch.expire)
    timer.name = "watchdog"
    timer.daemon = True
    try:
        timer.start()
        yield watch
    finally:
        watch.end()
        timer.cancel()
        if timer.ident is not None:
            timer.join()


_WATCH_SECONDS = 0.1
_CANCEL_SECONDS = 5.0


@contextlib.contextmanager
def cancelled_when(
    connection: psycopg.Connection[Any], wanted: Callable[[], bool]
) -> Iterator[None]:
    """Cancel what ``connection`` executes when ``wanted`` says so before the block ends.

    The connection stays; what was cancelled raises psycopg.errors.QueryCanceled.
    """
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_WATCH_SECONDS):
            if wanted():
                with contextlib.suppress(psycopg.Error):
                    connection.cancel_safe(timeout=_CANCEL_SECONDS)

    thread = threading.Thread(target=watch, name="cancel", daemon=True)
    thread.start()
    try:
        yield
    finally:
        # Joined before anything else is sent: a late cancel must not hit that.
        done.set()
        thread.join()


Doing = Literal[
    "gone", "idle", "in transaction", "running", "waiting for a standby", "waiting for a lock"
]


class BackendState(Value, frozen=True, kw_only=True):
    """What the server says of another session."""

    doing: Doing | None
    """None: it is there, and our role may not see more of it."""
    seconds: float | None = None
    """Since when it does so; None where that may not be seen."""

    def describe(self) -> str:
        """Return it in words."""
        if self.doing is None:
            return "still there, but this role may not see what it does"
        if self.doing == "gone":
            return "gone"
        since = "" if self.seconds is None else f" for {self.seconds:.0f} s"
        if self.doing == "waiting for a standby":
            return f"waiting for the synchronous standby to confirm its COMMIT{since}"
        return f"{self.doing}{since}"


# wait_event SyncRep: its transaction is committed on this server already, only the answer to the
# client waits (PostgreSQL: syncrep.c). State and wait are NULL for a role that may not see them.
_BACKEND = """
SELECT a.state, a.wait_event_type, a.wait_event,
       extract(epoch FROM pg_catalog.clock_timestamp() - a.state_change)::float8
FROM pg_catalog.pg_stat_activity a
WHERE a.pid = %(pid)s
  AND (%(start)s = 0 OR a.backend_start IS NULL
       OR (extract(epoch FROM a.backend_start) * 1000000)::bigint = %(start)s)
"""


def backend_state(maintenance: psycopg.Connection[Any], pid: int, start: int = 0) -> BackendState:
    """Return what the backend with this pid and start (microseconds since 1970; 0: not known) is
    doing, asked over another connection. Raises psycopg.Error.

    The system gives a pid again, at the latest after a restart: then it is somebody else's. One
    whose start we may not see counts as ours.
    """
    row = maintenance.execute(_BACKEND, {"pid": pid, "start": start}).fetchone()
    if row is None:
        return BackendState(doing="gone")
    state, wait_type, wait_event, seconds = row
    return BackendState(
        doing=_doing(state, wait_type, wait_event),
        seconds=None if seconds is None else round(max(0.0, seconds), 1),
    )


def _doing(state: str | None, wait_type: str | None, wait_event: str | None) -> Doing | None:
    if wait_event == "SyncRep":
        return "waiting for a standby"
    if state is None:
        return None
    if state == "idle":
        return "idle"
    if state.startswith("idle in transaction"):
        return "in transaction"
    return "waiting for a lock" if wait_type == "Lock" else "running"


_SYNCHRONOUS = """
SELECT pg_catalog.current_setting('synchronous_standby_names'),
       (SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'synchronous_commit'),
       count(*) FILTER (WHERE r.state = 'streaming' AND r.sync_state IN ('sync', 'quorum')),
       count(*) FILTER (WHERE r.pid IS NOT NULL AND r.sync_state IS NULL)
FROM pg_catalog.pg_stat_replication r
"""


def synchronous_standby_missing(connection: psycopg.Connection[Any]) -> str:
    """Return why what is committed here is on this server only; empty when it is not so.

    So it is when ``synchronous_standby_names`` asks for standbys and fewer of them are streaming:
    then COMMIT waits for them, for ever, and ending that wait leaves the transaction committed
    here alone. Without that setting nobody was promised a second copy, and with
    ``synchronous_commit`` off or local nothing waits: then it is empty. What the asking session
    has set for itself does not count. Raises psycopg.Error.
    """
    row = connection.execute(_SYNCHRONOUS).fetchone()
    if row is None:  # pragma: no cover - an aggregate has always one row
        return ""
    names, commit, streaming, hidden = row
    if not names.strip() or commit in ("off", "local"):
        return ""
    wanted = _wanted(names)
    if streaming >= wanted:
        return ""
    asked = f"synchronous_standby_names is {printable(names)!r}"
    if hidden:
        return f"{asked}, and this role may not see whether such a standby is streaming"
    return (
        f"{asked}, and {streaming or 'none'} of the {wanted} it waits for"
        f" {'is' if streaming < 2 else 'are'} streaming: committed on this server only"
    )


def _wanted(names: str) -> int:
    """``FIRST n (…)``, ``ANY n (…)``, ``n (…)``, or a plain list, of which one is waited for."""
    number = re.match(r"\s*(?:(?:FIRST|ANY)\s+)?(\d+)\s*\(", names, re.IGNORECASE)
    return int(number.group(1)) if number else 1
