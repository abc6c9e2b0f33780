"""Messages of the protocol 3.0: read from a program, written to it.

(PostgreSQL: "Message Formats" of the chapter on the frontend/backend protocol.)
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence

MOST_STARTUP = 10_000
"""Bytes before anybody has shown a password (PostgreSQL: MAX_STARTUP_PACKET_LENGTH)."""
MOST_MESSAGE = 64 * 1024 * 1024
"""Bytes of one message of a session."""
_FLUSH = 64 * 1024


class Gone(Exception):
    """The program has closed its connection, or is silent for too long."""


class Malformed(Exception):
    """What came is no message of the protocol."""


class Body:
    """The content of one message, taken from its beginning to its end."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def take(self, length: int) -> bytes:
        """Return the next bytes. Raises Malformed, as all of these do, when there are fewer."""
        end = self._at + length
        if length < 0 or end > len(self._content):
            raise Malformed("a message is shorter than it says")
        part, self._at = self._content[self._at : end], end
        return part

    def byte(self) -> bytes:
        """Return one byte."""
        return self.take(1)

    def short(self) -> int:
        """Return a 16-bit number; it counts things, so it is not negative."""
        return int(struct.unpack("!H", self.take(2))[0])

    def number(self) -> int:
        """Return a signed 32-bit number."""
        return int(struct.unpack("!i", self.take(4))[0])

    def oid(self) -> int:
        """Return an unsigned 32-bit number."""
        return int(struct.unpack("!I", self.take(4))[0])

    def text(self) -> bytes:
        """Return what stands before the next zero byte."""
        end = self._content.find(b"\0", self._at)
        if end < 0:
            raise Malformed("a text in a message has no end")
        part, self._at = self._content[self._at : end], end + 1
        return part

    def value(self) -> bytes | None:
        """Return a value with its length before it; -1: NULL."""
        length = self.number()
        return None if length == -1 else self.take(length)

    def rest(self) -> bytes:
        """Return all that is left."""
        return self.take(len(self._content) - self._at)


class Wire:
    """A connection of a program, one message at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._out = bytearray()

    def startup(self) -> bytes:
        """Return the first message, which has no type. Raises Gone or Malformed."""
        length = int(struct.unpack("!I", self._exactly(4))[0])
        if not 8 <= length <= MOST_STARTUP:
            raise Malformed("the first message is no start of a session")
        return self._exactly(length - 4)

    def message(self, most: int = MOST_MESSAGE) -> tuple[bytes, Body]:
        """Return type and content of the next message. Raises Gone or Malformed."""
        head = self._exactly(5)
        length = int(struct.unpack("!I", head[1:])[0])
        if not 4 <= length <= most:
            raise Malformed(f"a message of {length:,} bytes")
        return head[:1], Body(self._exactly(length - 4))

    def write(self, *messages: bytes) -> None:
        """Write messages; they go out with the next flush, or when there are many."""
        for message in messages:
            self._out += message
        if len(self._out) > _FLUSH:
            self.flush()

    def flush(self) -> None:
        """Send all that was written. Raises Gone."""
        out, self._out = self._out, bytearray()
        if not out:
            return
        try:
            self.socket.sendall(out)
        except OSError:
            raise Gone from None

    def is_gone(self) -> bool:
        """Whether the program has closed its connection. To be asked when there is something to
        read: what was sent stays to be read."""
        try:
            return not self.socket.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def _exactly(self, length: int) -> bytes:
        parts = bytearray()
        while len(parts) < length:
            try:
                part = self.socket.recv(min(length - len(parts), 1024 * 1024))
            except OSError:
                raise Gone from None
            if not part:
                raise Gone
            parts += part
        return bytes(parts)


def message(kind: bytes, content: bytes = b"") -> bytes:
    """Return one message of the server."""
    return kind + struct.pack("!I", len(content) + 4) + content


def fields(kind: bytes, parts: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return an ErrorResponse (``E``) or a NoticeResponse (``N``) with fields by their codes."""
    return message(kind, b"".join(code + text + b"\0" for code, text in parts) + b"\0")


def fatal(sqlstate: str, text: str) -> bytes:
    """Return the error with which the gateway itself ends a session."""
    words = f"rollback_tui: {text}".replace("\0", "").encode()
    parts = [(b"S", b"FATAL"), (b"V", b"FATAL"), (b"C", sqlstate.encode()), (b"M", words)]
    return fields(b"E", parts)


def parameter_status(name: bytes, value: bytes) -> bytes:
    """Return a ParameterStatus."""
    return message(b"S", name + b"\0" + value + b"\0")


def ready(status: str) -> bytes:
    """Return a ReadyForQuery: ``I``, ``T`` or ``E``."""
    return message(b"Z", status.encode())


def data_row(values: Sequence[bytes | None]) -> bytes:
    """Return a DataRow."""
    parts = [
        struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
        for value in values
    ]
    return message(b"D", struct.pack("!H", len(values)) + b"".join(parts))


PARSED = message(b"1")
BOUND = message(b"2")
CLOSED = message(b"3")
NO_DATA = message(b"n")
SUSPENDED = message(b"s")
EMPTY = message(b"I")
