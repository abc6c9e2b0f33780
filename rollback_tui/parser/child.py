"""The child process: reads statements, answers one question about each.

It is started by its path, with ``python -I``, and so needs nothing but the standard library and
postgast. Frames both ways are a 4-byte big-endian length and JSON. The first answer is
``"ready"``; then each request, ``{"ask": QUESTION, "texts": [...]}``, is answered by one frame a
text, in order and each as soon as it is known: when the child dies, the first text without an
answer is the one that killed it. What cannot be answered is ``null``.

``QUESTIONS`` names what may be asked: a function from a statement to the JSON of its answer.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
import os
import re
import resource
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

Answer = Callable[[str], bytes]

MEMORY_BYTES = 2 * 1024**3
MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""A longer answer would only fill the memory of the one who asked."""
_NULL = b"null"


def main() -> None:
    """Answer requests on standard input until it ends."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not get between the frames
    _limit()
    questions = {name: load() for name, load in QUESTIONS.items()}
    _write(answers, b'"ready"')
    while (request := _read(requests)) is not None:
        answer = questions[str(request["ask"])]
        texts = request["texts"]
        for text in texts if isinstance(texts, list) else ():
            _write(answers, _answered(answer, str(text)))


def _limit() -> None:
    """A crash leaves no core file, and a hostile statement cannot eat the machine's memory."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def _answered(answer: Answer, text: str) -> bytes:
    try:
        body = answer(text)
    except Exception:  # noqa: BLE001 - any failure means the same: this one is unknown
        return _NULL
    return body if len(body) <= MAX_ANSWER_BYTES else _NULL


def _tree() -> Answer:
    """Parse trees: ``{"version": …, "stmts": [{"stmt": {"drop_stmt": {…}}}]}``.

    libpg_query writes JSON itself, ten times as fast as protobuf's ``MessageToDict`` builds a
    dict. The two differ only in how keys are spelled, and the protobuf schema knows both:
    ``removeType`` is the ``json_name`` of ``remove_type``. A quote inside a string is escaped,
    so what stands between two quotes and before a colon is always a key.
    """
    from postgast import ParseResult
    from postgast.native import lib

    spelled = {
        field.json_name.encode(): b'"%s":' % field.name.encode()
        for message in ParseResult.DESCRIPTOR.file.message_types_by_name.values()
        for field in message.fields
        if field.json_name != field.name
    }
    key = re.compile(rb'"([A-Za-z_][A-Za-z0-9_]*)":')

    def respelled(match: re.Match[bytes]) -> bytes:
        return spelled.get(match[1]) or match[0]

    def parse(statement: str) -> bytes:
        text = statement.encode()
        if b"\0" in text:
            return _NULL  # C would read only what is before it
        result = lib.pg_query_parse(text)
        try:
            if result.error or not result.parse_tree:
                return _NULL
            return key.sub(respelled, result.parse_tree)
        finally:
            lib.pg_query_free_parse_result(result)

    return parse


def _reading() -> Answer:
    """What else a statement says: see :mod:`rollback_tui.core.demand`. Loaded at the first use."""

    def read(statement: str) -> bytes:
        import postgast

        walking, touching = _beside("walking"), _beside("touching")
        if "\0" in statement:
            return _NULL
        found = postgast.parse(statement).stmts
        if len(found) != 1:
            return _NULL
        node = found[0].stmt
        touched: object = None
        why = ""
        try:
            touched = touching.touched(node, walking)
        except touching.Unasked as error:
            why = str(error)
        return json.dumps(
            {
                "touched": touched,
                "why": why,
                "demands": _beside("demanding").demands(node, walking),
                "changes": _beside("changing").changes(node, walking),
                "uses": walking.uses(node),
                "constant": walking.constant(node),
            }
        ).encode()

    return read


@functools.cache
def _beside(name: str) -> Any:
    """Load a module that lies beside this one: no package is there to import it from."""
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


QUESTIONS: dict[str, Callable[[], Answer]] = {"tree": _tree, "reading": _reading}
"""Question → what loads its answerer, before the child says that it is ready."""


def _read(stream: BinaryIO) -> dict[str, object] | None:
    header = stream.read(4)
    if len(header) < 4:
        return None
    (length,) = struct.unpack(">I", header)
    request = json.loads(stream.read(length))
    return dict(request)


def _write(stream: BinaryIO, body: bytes) -> None:
    stream.write(struct.pack(">I", len(body)) + body)
    stream.flush()


if __name__ == "__main__":
    main()
