"""A piece of network that can be made to fail at an exact byte.

It stands between the program and a real PostgreSQL. Unarmed it passes everything on. Armed, it
waits for some bytes of one client and then does, once, what it was told; every other connection,
and every later one, passes.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from typing import Literal

Fault = Literal["reset", "lose", "withhold", "reset after the answer"]
"""What happens when the bytes are seen:

``reset``                   both ends get a RST; the bytes never reach the server
``lose``                    they and all that follows, both ways, vanish; nobody hears anything
``withhold``                the server gets them, and from then on the client gets nothing
``reset after the answer``  the server gets them and answers; the client gets a RST instead
"""

_ABORT = struct.pack("ii", 1, 0)
"""``SO_LINGER`` with no time: closing sends a RST."""


@dataclass
class _Trap:
    application: bytes
    words: bytes
    after: bytes
    fault: Fault
    sprung: threading.Event = field(default_factory=threading.Event)
    at: float = 0.0
    """When it was sprung, by the monotonic clock."""


class Proxy:
    """Listens on 127.0.0.1; everything goes to ``upstream`` there."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        """The server's port; may be changed, as a virtual address moves in a failover."""
        self._trap: _Trap | None = None
        self._lock = threading.Lock()
        self._pipes: list[_Pipe] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, name="proxy", daemon=True)
        self._thread.start()

    def arm(
        self,
        fault: Fault,
        words: bytes,
        *,
        after: bytes = b"",
        application: str = "rollback_tui run",
    ) -> None:
        """Do ``fault`` to the first connection of this application that sends ``words`` in a
        later packet than ``after``."""
        # The door's application carries the run's id behind these words.
        name = application.encode() + (b" " if application == "rollback_tui door" else b"\0")
        self._trap = _Trap(name, words, after, fault)

    @property
    def sprung_at(self) -> float:
        """When the fault happened (monotonic); 0.0 as long as it has not."""
        return self._trap.at if self._trap else 0.0

    def wait(self, seconds: float) -> bool:
        """Wait until the fault has happened."""
        return self._trap is not None and self._trap.sprung.wait(seconds)

    def cut(self) -> None:
        """Reset every connection there is, as when an address moves to another machine."""
        for pipe in list(self._pipes):
            pipe.reset()

    def close(self) -> None:
        """End everything."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)
        self.cut()
        for pipe in self._pipes:
            pipe.join(5)

    def sprung_by(self, heard: bytes, part: bytes) -> Fault | None:
        """Return the fault that this part of a client's words sets off after what was ``heard``
        of it before; only once."""
        with self._lock:
            trap = self._trap
            if (
                trap is None
                or trap.sprung.is_set()
                or trap.application not in heard
                or trap.after not in heard
                or trap.words not in part
            ):
                return None
            trap.at = time.monotonic()
            trap.sprung.set()
            return trap.fault

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listening.accept()[0]
                try:
                    server = socket.create_connection(("127.0.0.1", self.upstream), timeout=5)
                except OSError:
                    client.close()
                    continue
                server.settimeout(None)
                pipe = _Pipe(self, client, server)
                self._pipes.append(pipe)
                pipe.start()


class _Pipe(threading.Thread):
    """One connection through the proxy."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        super().__init__(name="proxy connection", daemon=True)
        self._proxy = proxy
        self._client = client
        self._server = server
        self._waking, self._waker = socket.socketpair()
        self._fault: Fault | None = None

    def reset(self) -> None:
        """Ask for the end; both sides get a RST."""
        with contextlib.suppress(OSError):
            self._waker.send(b"x")

    def run(self) -> None:
        """Pass bytes on until one side ends, or until the fault."""
        try:
            self._pass_on()
        except OSError:
            pass
        finally:
            self._abort()

    def _pass_on(self) -> None:
        heard = b""
        while True:
            # What is lost or withheld is not read: it stays in the kernel, as if on the way.
            listening = [self._waking]
            if self._fault not in ("lose", "withhold"):
                listening += [self._client, self._server]
            ready = select.select(listening, [], [])[0]
            if self._waking in ready:
                return
            if self._client in ready:
                part = self._client.recv(65536)
                if not part:
                    return
                self._fault = self._fault or self._proxy.sprung_by(heard, part)
                heard += part
                if self._fault == "reset":
                    return
                if self._fault != "lose":
                    self._server.sendall(part)
            if self._server in ready and self._fault not in ("lose", "withhold"):
                part = self._server.recv(65536)
                if not part or self._fault == "reset after the answer":
                    return
                self._client.sendall(part)

    def _abort(self) -> None:
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                if self._fault is not None:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
                end.close()
        self._waking.close()
        self._waker.close()
