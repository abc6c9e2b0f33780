"""Who may come in: the listener on loopback, the password, and the end of everything."""

from __future__ import annotations

import contextlib
import hmac
import secrets
import socket
import struct
import threading
import time
from types import TracebackType

import psycopg

from rollback_tui.core.address import Address
from rollback_tui.core.errors import ConnectionFailed
from rollback_tui.core.text import printable
from rollback_tui.postgres.connect import connect
from rollback_tui.postgres.gateway import results, wire
from rollback_tui.postgres.gateway.read_only import ReadOnly
from rollback_tui.postgres.gateway.recorded import Recording
from rollback_tui.postgres.gateway.session import Session
from rollback_tui.postgres.gateway.startup import Start, read_start
from rollback_tui.postgres.gateway.upstream import APPLICATION, Refused, Upstream
from rollback_tui.postgres.gateway.wire import Gone, Malformed, Wire

MOST_SESSIONS = 20
"""At once: more than the pool of any migration tool."""
MOST_STRANGERS = 10
"""Connections at once that have not shown the password."""
STRANGER_SECONDS = 10.0
"""To show it."""
_LOOK_SECONDS = 0.2
_JOIN_SECONDS = 5.0
_MOST_PASSWORD = 1000


class Gateway:
    """A PostgreSQL server on 127.0.0.1 that has one database: that of ``dsn``.

    ::

        with Gateway(dsn, read_only=True) as gateway:
            call_the_tool(gateway.address)
        gateway.recording.entries

    With ``read_only`` nothing can be written through it, see
    :mod:`~rollback_tui.postgres.gateway.read_only`. It lives as long as the context, at most
    ``seconds``; when it ends, every session ends: what was being executed is cancelled, and open
    transactions are rolled back.
    """

    def __init__(self, dsn: str, *, read_only: bool, seconds: float = 600.0) -> None:
        self.recording = Recording()
        self._dsn = dsn
        self._kind = ReadOnly if read_only else Upstream
        self._seconds = seconds
        self._password = secrets.token_urlsafe(24)
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._strangers = threading.BoundedSemaphore(MOST_STRANGERS)
        self._programs: dict[threading.Thread, socket.socket] = {}
        self._upstreams: dict[tuple[int, int], Upstream] = {}
        self._address: Address | None = None

    def __enter__(self) -> Gateway:
        """Listen. Raises ConnectionFailed when the database cannot be reached."""
        with contextlib.closing(connect(self._dsn, application=APPLICATION)) as tried:
            database, user = tried.info.dbname, tried.info.user
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(_LOOK_SECONDS)
        self._address = Address(
            host="127.0.0.1",
            port=int(self._listening.getsockname()[1]),
            user=user,
            password=self._password,
            database=database,
        )
        self._thread = threading.Thread(target=self._listen, name="gateway", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every session and stop listening."""
        self.end()
        self._thread.join(_JOIN_SECONDS)
        with self._lock:
            left = list(self._programs)
        for thread in left:
            thread.join(_JOIN_SECONDS)

    def end(self) -> None:
        """Have every session ended soon, from any thread; nobody comes in any more."""
        self._ended.set()

    @property
    def address(self) -> Address:
        """Where a program finds it, with the password that was made for this context."""
        if self._address is None:
            raise RuntimeError("the gateway is not open")
        return self._address

    # --- the listener's thread -------------------------------------------------------------------

    def _listen(self) -> None:
        deadline = time.monotonic() + self._seconds
        while not self._ended.is_set() and time.monotonic() < deadline:
            try:
                program, _ = self._listening.accept()
            except TimeoutError:
                continue
            except OSError:
                break
            program.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if not self._strangers.acquire(blocking=False):
                program.close()
                continue
            thread = threading.Thread(
                target=self._serve, args=(program,), name="gateway session", daemon=True
            )
            with self._lock:
                self._programs[thread] = program
            thread.start()
        self._listening.close()
        self._end_all()

    def _end_all(self) -> None:
        self._ended.set()
        with self._lock:
            programs = list(self._programs.values())
        for program in programs:
            with contextlib.suppress(OSError):
                program.shutdown(socket.SHUT_RDWR)

    # --- a session's thread ----------------------------------------------------------------------

    def _serve(self, program: socket.socket) -> None:
        """One connection, from its first byte to its last. It never raises."""
        talk = Wire(program)
        try:
            program.settimeout(STRANGER_SECONDS)
            try:
                started = self._let_in(talk)
            finally:
                self._strangers.release()
            if started is not None:
                # A silent program is its caller's business, who has a deadline for it.
                program.settimeout(None)
                self._converse(talk, started)
        except Gone:
            pass
        except (Malformed, Refused) as error:
            code = "08P01" if isinstance(error, Malformed) else "0A000"
            self._turn_away(talk, code, str(error))
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            words = " ".join(str(error).split()) or "the server is gone"
            self._turn_away(talk, "08006", words)
        finally:
            program.close()
            with self._lock:
                self._programs.pop(threading.current_thread(), None)

    def _turn_away(self, talk: Wire, sqlstate: str, why: str) -> None:
        self.recording.turn_away(printable(why))
        with contextlib.suppress(Gone):
            talk.write(wire.fatal(sqlstate, why))
            talk.flush()

    def _let_in(self, talk: Wire) -> Start | None:
        """Return what the session wants, once the password was right; None: it was no session."""
        start = read_start(talk)
        if start.cancels is not None:
            self._cancel(start.cancels)
            return None
        if start.newer:
            talk.write(_negotiated(start.unknown))
        # In clear: loopback and a password that is made for one call need no TLS and no SCRAM.
        talk.write(wire.message(b"R", struct.pack("!I", 3)))
        talk.flush()
        kind, body = talk.message(_MOST_PASSWORD)
        given = body.text() if kind == b"p" else b""
        known = start.user == self.address.user.encode()
        if not hmac.compare_digest(given, self._password.encode()) or not known:
            self._turn_away(talk, "28P01", "user or password are not those of the address")
            return None
        if start.database != self.address.database.encode():
            shown = start.database.decode("utf-8", "replace")
            self._turn_away(talk, "3D000", f"database {shown} is not the one of the address")
            return None
        return start

    def _cancel(self, key: tuple[int, int]) -> None:
        with self._lock:
            found = self._upstreams.get(key)
        if found is not None:
            found.cancel()

    def _converse(self, talk: Wire, start: Start) -> None:
        with self._lock:
            full = len(self._upstreams) >= MOST_SESSIONS
        if full:
            self._turn_away(talk, "53300", f"more than {MOST_SESSIONS} sessions at once")
            return
        try:
            upstream = self._kind(self._dsn, talk, self._ended.is_set)
        except ConnectionFailed as error:
            self._turn_away(talk, "08006", error.summary)
            return
        key = (secrets.randbits(31), secrets.randbits(31))
        with self._lock:
            self._upstreams[key] = upstream
        try:
            failed = upstream.adopt(start.settings)
            if failed is not None:
                talk.write(results.diagnostics(b"E", failed))
                talk.flush()
                return
            talk.write(wire.message(b"R", struct.pack("!I", 0)))
            talk.write(wire.message(b"K", struct.pack("!ii", *key)))
            Session(talk, upstream, self.recording, start.settings).run()
        finally:
            with self._lock:
                del self._upstreams[key]
            upstream.close()


def _negotiated(unknown: tuple[bytes, ...]) -> bytes:
    """NegotiateProtocolVersion: 3.0, and these options are not known."""
    names = b"".join(name + b"\0" for name in unknown)
    return wire.message(b"v", struct.pack("!II", 0, len(unknown)) + names)
