"""What came through the gateway, in the order in which it was sent."""

from __future__ import annotations

import threading

import msgspec

from rollback_tui.core.model import Value

MOST_STATEMENTS = 100_000
MOST_BYTES = 64 * 1024 * 1024
"""More than any migration; a program that sends more is turned away."""


class Parameter(Value, frozen=True, kw_only=True):
    """One bound value, as it was sent."""

    value: bytes | None
    """None: NULL."""
    binary: bool
    type: int
    """Oid of its type, as the server takes the statement; 0: it did not say."""


class Recorded(Value, frozen=True, kw_only=True):
    """One message that had SQL executed: one statement; or several, as ``simple`` allows."""

    session: int
    """1 for the first session of the program, 2 for the next."""
    batch: int
    """Counts what lies between two ReadyForQuery of a session: outside a transaction block, all of
    one batch is one transaction (PostgreSQL: protocol, "Multiple Statements in a Simple Query" and
    "Pipelining")."""
    simple: bool
    """A simple query; otherwise the extended protocol, which takes one statement."""
    text: str
    """Bytes that are no text in the session's encoding are lone surrogates."""
    status: str
    """The transaction when the batch began: ``I`` none, ``T`` open, ``E`` failed."""
    parameters: tuple[Parameter, ...] = ()
    tags: tuple[str, ...] = ()
    """Of what was executed, one a statement: ``DELETE 1``. An empty statement has none."""
    rows: tuple[int, ...] = ()
    """How many rows each returned."""
    sqlstate: str = ""
    """The statement after those of ``tags`` failed with it; empty: nothing failed."""
    error: str = ""
    """The server's words for it."""


class Recording:
    """Everything that was recorded; filled by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[Recorded] = []
        self._turned_away: list[str] = []
        self._sessions = 0
        self._bytes = 0

    @property
    def entries(self) -> tuple[Recorded, ...]:
        """What was executed until now."""
        with self._lock:
            return tuple(self._entries)

    @property
    def sessions(self) -> int:
        """How many sessions came in until now."""
        with self._lock:
            return self._sessions

    @property
    def turned_away(self) -> tuple[str, ...]:
        """Why sessions did not come in or were ended by the gateway, one sentence each."""
        with self._lock:
            return tuple(self._turned_away)

    def came_in(self) -> int:
        """Return the number of a new session."""
        with self._lock:
            self._sessions += 1
            return self._sessions

    def turn_away(self, why: str) -> None:
        """Remember why a session did not come in, or was ended."""
        with self._lock:
            if len(self._turned_away) < 100:
                self._turned_away.append(why)

    def take(self, entry: Recorded) -> int:
        """Remember what is about to be executed; return its place. Raises OverflowError when it is
        more than is kept."""
        with self._lock:
            self._bytes += len(entry.text) + sum(len(p.value or b"") for p in entry.parameters)
            if len(self._entries) >= MOST_STATEMENTS or self._bytes > MOST_BYTES:
                raise OverflowError
            self._entries.append(entry)
            return len(self._entries) - 1

    def answered(
        self, place: int, tag: str | None, rows: int, sqlstate: str = "", error: str = ""
    ) -> None:
        """Add to the entry at ``place`` what the server said: a tag, or an error."""
        with self._lock:
            old = self._entries[place]
            done = tag is not None
            self._entries[place] = msgspec.structs.replace(
                old,
                tags=(*old.tags, tag or "") if done else old.tags,
                rows=(*old.rows, rows) if done else old.rows,
                sqlstate=sqlstate or old.sqlstate,
                error=error or old.error,
            )
