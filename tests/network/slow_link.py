"""A link on which every byte is a while on its way."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import deque


class SlowLink:
    """Listens on 127.0.0.1 and passes everything on to ``upstream`` there, ``seconds`` late."""

    def __init__(self, upstream: int, seconds: float) -> None:
        self._upstream, self._seconds = upstream, seconds
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._start(self._serve)

    def close(self) -> None:
        """End everything."""
        for end in (self._listening, *self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in list(self._threads):
            thread.join(5)

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listening.accept()[0]
                server = socket.create_connection(("127.0.0.1", self._upstream), timeout=5)
                server.settimeout(None)
                self._open += [client, server]
                self._start(self._carry, client, server)
                self._start(self._carry, server, client)

    def _carry(self, source: socket.socket, goal: socket.socket) -> None:
        """Read as fast as it comes; hand each piece over when its time has come."""
        waiting: deque[tuple[float, bytes]] = deque()
        arrived = threading.Condition()

        def deliver() -> None:
            with contextlib.suppress(OSError):
                while True:
                    with arrived:
                        arrived.wait_for(lambda: bool(waiting))
                        due, part = waiting.popleft()
                    time.sleep(max(0.0, due - time.monotonic()))
                    if not part:
                        goal.shutdown(socket.SHUT_RDWR)
                        return
                    goal.sendall(part)

        self._start(deliver)
        part = b"x"
        while part:
            try:
                part = source.recv(65536)
            except OSError:
                part = b""
            with arrived:
                waiting.append((time.monotonic() + self._seconds, part))
                arrived.notify()
