"""The child process: reads statements, answers with their parse trees.

It is started by its path, with ``python -I``, and so needs nothing but the standard library and
postgast. Frames both ways are a 4-byte big-endian length and JSON. The first answer is
``"ready"``; then each request, a list of statements, is answered by one frame a statement:
the tree of its one command, or null.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import struct
import sys
from collections.abc import Callable
from typing import BinaryIO

MEMORY_BYTES = 2 * 1024**3


def main() -> None:
    """Answer requests on standard input until it ends."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not get between the frames
    _limit()
    parse = _load()
    _write(answers, "ready")
    while (statements := _read(requests)) is not None:
        for statement in statements:
            _write(answers, parse(statement))


def _limit() -> None:
    """A crash leaves no core file, and a hostile statement cannot eat the machine's memory."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def _load() -> Callable[[str], object]:
    import postgast
    from google.protobuf.json_format import MessageToDict

    def parse(statement: str) -> object:
        try:
            found = postgast.parse(statement).stmts
            if len(found) != 1:
                return None
            return MessageToDict(found[0].stmt, preserving_proto_field_name=True)
        except Exception:  # noqa: BLE001 - any failure means the same: this one is unknown
            return None

    return parse


def _read(stream: BinaryIO) -> list[str] | None:
    header = stream.read(4)
    if len(header) < 4:
        return None
    (length,) = struct.unpack(">I", header)
    statements = json.loads(stream.read(length))
    return [str(statement) for statement in statements]


def _write(stream: BinaryIO, value: object) -> None:
    try:
        body = json.dumps(value).encode()
    except (RecursionError, ValueError):
        body = b"null"
    stream.write(struct.pack(">I", len(body)) + body)
    stream.flush()


if __name__ == "__main__":
    main()
