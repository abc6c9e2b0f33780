"""Real places on this machine where people could be told: web servers and a mail server, that
behave as badly as a test wants, one attempt after the other, and well after that."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import json
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.run.web_server import BadServer, complete, says

LOOPBACK = Path(__file__).parent / "loopback.pem"
"""Key and certificate of 127.0.0.1, signed by itself."""

PATIENCE = 30.0


class WebSink:
    """Takes what is POSTed to it as JSON. ``script``: what becomes of the next messages: an HTTP
    status, ``hang`` (no answer), ``drip`` (one that never ends) or ``reset``; then they arrive."""

    def __init__(self, *script: str, tls: Path | None = None) -> None:
        self.script = deque(script)
        self.tried: list[str] = []
        """Title of each message that came, in order."""
        self.arrived: list[dict[str, Any]] = []
        """Those that were taken."""
        self.abandoned = threading.Event()
        """Somebody whom we let hang went away."""
        self.held = threading.Event()
        """Somebody hangs."""
        self._released = threading.Event()
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if tls else None
        if self._context is not None and tls is not None:
            self._context.load_cert_chain(tls)
        self._server = BadServer(self._answer, tls=tls is not None)
        self.port = self._server.port

    def url(self, path: str = "hook") -> str:
        """As Apprise writes it."""
        return f"json{'s' if self._context else ''}://127.0.0.1:{self.port}/{path}"

    @property
    def titles(self) -> list[str]:
        """Of what arrived, in order."""
        return [message["title"] for message in self.arrived]

    def wait_for(self, number: int) -> None:
        """Return when so many messages have arrived."""
        soon(lambda: len(self.arrived) >= number)

    def close(self) -> None:
        """No connection is taken any more: they are refused."""
        self._server.close()

    def release(self) -> None:
        """Who hangs is cut off now."""
        self._released.set()

    def _answer(self, connection: socket.socket) -> None:
        data = self._server.requests[-1]
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_side=True)
            data = b""
            while not complete(data) and (part := connection.recv(65536)):
                data += part
        with connection:
            self._behave(connection, data)

    def _behave(self, connection: socket.socket, data: bytes) -> None:
        if not data.startswith(b"POST"):
            return
        message = json.loads(data.partition(b"\r\n\r\n")[2])
        self.tried.append(message["title"])
        how = self.script.popleft() if self.script else ""
        if how == "hang":
            self._hold(connection)
        elif how == "drip":
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
            self._hold(connection, drip=True)
        elif how == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif how:
            # Repeats what it was sent, with all that is secret in it.
            head = data.partition(b"\r\n\r\n")[0]
            says(f"{how} Said", head.replace(b"\r\n", b", "), "Location: /x")(connection)
        else:
            self.arrived.append(message)
            says("200 OK")(connection)

    def _hold(self, connection: socket.socket, *, drip: bool = False) -> None:
        self.held.set()
        connection.settimeout(0.05)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and not self._released.is_set():
            try:
                if drip:
                    connection.sendall(b".")
                if not connection.recv(10):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        self.abandoned.set()


class MailSink:
    """A mail server. ``script``: its answers to the next recipients, ``550 …``, or ``hang``; then
    it takes them. ``tls``: it has STARTTLS, with this certificate."""

    def __init__(self, *script: str, tls: Path | None = None) -> None:
        self.script = deque(script)
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if tls else None
        if self._context is not None and tls is not None:
            self._context.load_cert_chain(tls)
        self.arrived: list[email.message.EmailMessage] = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self.port = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        assert self._ready.wait(PATIENCE)

    def url(self, *, password: str = "") -> str:
        """As Apprise writes it."""
        who = f"deploy:{password}@" if password else ""
        return self.at(self.port, who, tls=self._context is not None)

    @staticmethod
    def at(port: int, who: str = "", *, tls: bool = False) -> str:
        """The URL of a mail server at a port of this machine."""
        address = f"mailto{'s' if tls else ''}://{who}127.0.0.1:{port}"
        return f"{address}?from=tool@example.org&to=oncall@example.org"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        """Say whether the recipient is one."""
        how = self.script.popleft() if self.script else ""
        if how == "hang":
            await asyncio.sleep(PATIENCE)
        elif how:
            return how
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, _: SMTP, __: Session, envelope: Envelope
    ) -> str:
        """Keep the mail."""
        content = envelope.content
        assert isinstance(content, bytes)
        found = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(found, email.message.EmailMessage)
        self.arrived.append(found)
        return "250 OK"

    def close(self) -> None:
        """Stop it."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            self._loop.create_server(
                lambda: SMTP(self, hostname="sink", loop=self._loop, tls_context=self._context),
                "127.0.0.1",
                0,
            )
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


@contextlib.contextmanager
def web_sink(*script: str, tls: Path | None = None) -> Iterator[WebSink]:
    """A web server that is closed afterwards."""
    sink = WebSink(*script, tls=tls)
    try:
        yield sink
    finally:
        sink.close()


@contextlib.contextmanager
def mail_sink(*script: str, tls: Path | None = None) -> Iterator[MailSink]:
    """A mail server that is closed afterwards."""
    sink = MailSink(*script, tls=tls)
    try:
        yield sink
    finally:
        sink.close()


def refused_port() -> int:
    """A port of this machine where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def soon(happened: Callable[[], bool]) -> None:
    """Return when it has happened."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
