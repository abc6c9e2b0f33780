"""The session with the real server, through libpq, one command at a time.

What the program sends between two Syncs is one transaction unless it has begun one itself. libpq's
pipeline mode keeps that: every step is sent without a Sync of its own, and answered because a
flush is asked for.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import psycopg
from psycopg import pq
from psycopg.pq import ExecStatus, PipelineStatus, TransactionStatus
from psycopg.pq.abc import PGresult

from rollback_tui.core.script.lexer import pieces
from rollback_tui.postgres.connect import Connection, connect
from rollback_tui.postgres.gateway.results import FAILED
from rollback_tui.postgres.gateway.wire import Gone, Wire

APPLICATION = "rollback_tui gateway"
_WAKE_SECONDS = 0.5
_CLOSES = 170000
"""libpq since 17 can close a prepared statement by the protocol."""

_LETTERS = {
    TransactionStatus.IDLE: "I",
    TransactionStatus.INTRANS: "T",
    TransactionStatus.INERROR: "E",
}

REPORTED = (
    *("server_version", "server_encoding", "client_encoding", "application_name"),
    *("default_transaction_read_only", "in_hot_standby", "is_superuser", "session_authorization"),
    *("DateStyle", "IntervalStyle", "TimeZone", "integer_datetimes"),
    *("standard_conforming_strings", "scram_iterations", "search_path"),
)
"""Settings that a server reports (PostgreSQL: GUC_REPORT; not each server has all)."""


class Bound(NamedTuple):
    """Values for a prepared statement."""

    values: Sequence[bytes | None]
    formats: Sequence[int]
    """Of each value: 0 text, 1 binary."""


def first_word(text: bytes) -> str:
    """Return the first word of a statement, in upper case."""
    latin = text.decode("latin-1")
    for token in pieces(latin, 0, len(latin)):
        if token.kind != "comment":
            return latin[token.start : token.end].upper()
    return ""


class Refused(Exception):
    """The program asked for what is not given here; its session ends."""


class Upstream:
    """Everything as the program sends it.

    Every method that asks the server may raise Gone (the program is gone, or the gateway ends) and
    psycopg.OperationalError (the server is).
    """

    def __init__(self, dsn: str, wire: Wire, ended: Callable[[], bool]) -> None:
        """Connect. Raises ConnectionFailed."""
        self.connection: Connection = connect(dsn, application=APPLICATION)
        self.pgconn = self.connection.pgconn
        self._wire, self._ended = wire, ended
        self._told: dict[str, bytes] = {}

    def close(self) -> None:
        """End the session; what it still executes is cancelled, what it has begun rolled back."""
        if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
            self.cancel()
        self.connection.close()

    def cancel(self) -> None:
        """Cancel what is being executed; from any thread."""
        try:
            self.connection.cancel_safe(timeout=5)
        except psycopg.Error:
            return

    def adopt(self, settings: Sequence[tuple[bytes, bytes]]) -> PGresult | None:
        """Take the settings that the program wants from the start; return what failed."""
        for name, value in settings:
            result = self.ask("SELECT pg_catalog.set_config($1, $2, false)", [name, value])
            if result.status in FAILED:
                return result
        return None

    def ask(self, text: str, values: Sequence[bytes] = ()) -> PGresult:
        """Execute a statement of ours outside of a pipeline."""
        self._leave_pipeline()
        self.pgconn.send_query_params(text.encode(), list(values) or None)
        return self._last()

    def convert(self, value: bytes, type_oid: int) -> bytes:
        """Return a text value in the binary format, as the server itself writes it."""
        result = self._step(
            lambda: self.pgconn.send_query_params(
                b"SELECT $1", [value], [type_oid], [0], result_format=1
            )
        )
        if result.status != ExecStatus.TUPLES_OK:
            raise psycopg.OperationalError(f"type {type_oid} has no binary format")
        return result.get_value(0, 0) or b""

    def changed_settings(self) -> list[tuple[bytes, bytes]]:
        """Return the reported settings that are not what was returned before."""
        found = []
        for name in REPORTED:
            value = self.pgconn.parameter_status(name.encode())
            if value is not None and self._told.get(name) != value:
                self._told[name] = value
                found.append((name.encode(), value))
        return found

    @property
    def encoding(self) -> str:
        """The encoding that the session speaks, by its name in Python."""
        return self.connection.info.encoding

    # --- what the program asks for ---------------------------------------------------------------

    def controls(self, text: bytes) -> bool:
        """Whether the statement is not to be prepared, because :meth:`control` executes it. Raises
        Refused for COPY, which libpq cannot do in a pipeline."""
        if first_word(text) == "COPY":
            raise Refused("COPY in the extended protocol; only a simple query may have it")
        return False

    def control(self, text: bytes) -> PGresult:
        """Execute what was not prepared."""
        return self.ask(text.decode())

    def simple(self, text: bytes) -> Iterator[PGresult]:
        """Execute what may be several statements; yield what each returns. While a COPY is
        yielded, :meth:`put`, :meth:`finish` and :meth:`copied` are to be used."""
        self._leave_pipeline()
        self.pgconn.send_query(text)
        while (result := self._next()) is not None:
            yield result

    def prepare(self, name: bytes, text: bytes, types: Sequence[int]) -> PGresult:
        """Parse one statement."""
        return self._step(lambda: self.pgconn.send_prepare(name, text, list(types) or None))

    def describe(self, name: bytes) -> PGresult:
        """Describe a prepared statement."""
        return self._step(lambda: self.pgconn.send_describe_prepared(name))

    def describe_cursor(self, name: bytes) -> PGresult:
        """Describe a cursor that SQL has declared: to the protocol it is a portal."""
        return self._step(lambda: self.pgconn.send_describe_portal(name))

    def execute(self, name: bytes, bound: Bound, result_format: int) -> PGresult:
        """Execute a prepared statement to its end."""
        values, formats = list(bound.values) or None, list(bound.formats) or None
        return self._step(
            lambda: self.pgconn.send_query_prepared(name, values, formats, result_format)
        )

    def deallocate(self, name: bytes) -> PGresult:
        """Forget a prepared statement."""
        if pq.version() >= _CLOSES:
            return self._step(lambda: self.pgconn.send_close_prepared(name))
        quoted = b'"' + name.replace(b'"', b'""') + b'"'
        return self._step(lambda: self.pgconn.send_query_params(b"DEALLOCATE " + quoted, None))

    def sync(self) -> None:
        """End the transaction of the batch, unless the program has begun one itself."""
        if self.pgconn.pipeline_status == PipelineStatus.OFF:
            return
        self.pgconn.pipeline_sync()
        while True:
            result = self._next()
            if result is not None and result.status == ExecStatus.PIPELINE_SYNC:
                break
            if self.pgconn.status != pq.ConnStatus.OK:
                raise psycopg.OperationalError("the connection is lost")
        self.pgconn.exit_pipeline_mode()

    @property
    def status(self) -> str:
        """``I`` no transaction, ``T`` in one, ``E`` in one that failed."""
        letter = _LETTERS.get(TransactionStatus(self.pgconn.transaction_status))
        if letter is None:
            raise psycopg.OperationalError("the connection is lost")
        return letter

    # --- COPY ------------------------------------------------------------------------------------

    def put(self, data: bytes) -> None:
        """Send rows of a COPY FROM STDIN."""
        self.pgconn.put_copy_data(data)

    def finish(self, failure: bytes | None) -> None:
        """End a COPY FROM STDIN, or let it fail."""
        self.pgconn.put_copy_end(failure)

    def copied(self) -> Iterator[bytes]:
        """Yield the rows of a COPY TO STDOUT."""
        while True:
            length, data = self.pgconn.get_copy_data(1)
            if length > 0:
                yield bytes(data)
            elif length == 0:
                self._wait()
                self.pgconn.consume_input()
            else:
                return

    # --- libpq -----------------------------------------------------------------------------------

    def _step(self, send: Callable[[], None]) -> PGresult:
        """Do one step of the extended protocol, without a Sync."""
        if self.pgconn.pipeline_status == PipelineStatus.OFF:
            self.pgconn.enter_pipeline_mode()
        send()
        self.pgconn.send_flush_request()
        return self._last()

    def _last(self) -> PGresult:
        """Return the last result of what was sent."""
        last = None
        while (result := self._next()) is not None:
            last = result
        if last is None:
            raise psycopg.OperationalError("the server does not answer any more")
        return last

    def _next(self) -> PGresult | None:
        """Return the next result; None at the end of what was sent."""
        while self.pgconn.flush():
            self._wait(writing=True)
            self.pgconn.consume_input()
        while self.pgconn.is_busy():
            self._wait()
            self.pgconn.consume_input()
        return self.pgconn.get_result()

    def _wait(self, *, writing: bool = False) -> None:
        """Wait for the server, as long as the program is there and the gateway is open."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)
        with selectors.DefaultSelector() as selector:
            selector.register(self.pgconn.socket, events)
            selector.register(self._wire.socket, selectors.EVENT_READ, "program")
            while not self._ended():
                ready = [key.data for key, _ in selector.select(_WAKE_SECONDS)]
                if "program" in ready:
                    if self._wire.is_gone():
                        raise Gone
                    # It has sent more already; that waits.
                    selector.unregister(self._wire.socket)
                if None in ready:
                    return
        raise Gone

    def _leave_pipeline(self) -> None:
        if self.pgconn.pipeline_status != PipelineStatus.OFF:
            self.sync()
