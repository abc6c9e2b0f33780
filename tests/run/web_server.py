"""A web server on this machine that behaves as badly as a test wants."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

Answer = Callable[[socket.socket], None]


class BadServer:
    """Answers every connection with ``answer``; keeps the requests it got."""

    def __init__(self, answer: Answer, *, tls: bool = False) -> None:
        self.requests: list[bytes] = []
        self._answer = answer
        self._tls = tls
        """``answer`` speaks TLS itself, from the first byte on."""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/x"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5)
            data = b""
            while not self._tls and not complete(data):
                part = connection.recv(65536)
                if not part:
                    break
                data += part
            self.requests.append(data)
            self._answer(connection)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def complete(data: bytes) -> bool:
    """Whether a whole request is there."""
    if data.startswith(b"\x16"):  # a TLS handshake, which nobody here understands
        return True
    head, found, body = data.partition(b"\r\n\r\n")
    if not found:
        return False
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.split(b":")[1])
    return True


@contextlib.contextmanager
def serving(answer: Answer, *, tls: bool = False) -> Iterator[BadServer]:
    """A server that is closed afterwards."""
    server = BadServer(answer, tls=tls)
    try:
        yield server
    finally:
        server.close()


def says(status: str, body: bytes = b"", *headers: str) -> Answer:
    """Answer at once."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return lambda connection: connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def drips(first: bytes, drop: bytes) -> Answer:
    """Answer a few bytes each 0.2 s, for longer than a test may take."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(first)
        for _ in range(3000):
            time.sleep(0.2)
            connection.sendall(drop)

    return answer


def hangs(connection: socket.socket) -> None:
    """Do not answer, for longer than a test may take, or until the other end has given up."""
    connection.settimeout(600)
    connection.recv(1)


def floods(connection: socket.socket) -> None:
    """Answer without end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65536)
