"""What the commands print, where not every character can be printed.

Python writes UTF-8 also where the locale is C (PEP 538, PEP 540), and raises UnicodeEncodeError
where ``PYTHONIOENCODING`` or the locale names another encoding. Neither may happen to somebody
who reads a report at night: what cannot be shown is printed in ASCII, as on the screens.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import sys
from typing import TextIO

import click

from rollback_tui.core.text import ascii_json, inert_json

CODEC = "rollback_tui_ascii"
"""ASCII, with forms and escapes for the rest. It is not called ``ascii`` because click takes a
stream of that name for a mistake, and writes UTF-8 to it."""


def prepare() -> None:
    """Make standard output and standard error safe: nothing that is printed raises, and a terminal
    is sent what it can show."""
    codecs.register(_search)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A stream that was closed, or is nobody's: then nothing is printed either.
            with contextlib.suppress(OSError, ValueError):
                _prepare(stream)


def echo_json(encoded: bytes) -> None:
    """Print one JSON document: in UTF-8 (RFC 8259), and where that cannot be shown in ASCII, which
    is the same document."""
    told = inert_json(encoded)
    click.echo(told if _is_utf8(sys.stdout) else ascii_json(told))


def _prepare(stream: io.TextIOWrapper) -> None:
    if not _is_utf8(stream) or (stream.isatty() and not _shows_everything()):
        stream.reconfigure(encoding=CODEC)
    else:
        # Half a character, as the name of a file may have one, is no reason to stop.
        stream.reconfigure(errors="backslashreplace")


def _shows_everything() -> bool:
    # Only here: the worker has no terminal, and needs nothing of the screens.
    from rollback_tui.ui.glyphs import recognised

    return recognised() == "unicode"


def _is_utf8(stream: TextIO) -> bool:
    try:
        return codecs.lookup(getattr(stream, "encoding", "") or "ascii").name == "utf-8"
    except LookupError:
        return False


def _encode(text: str, errors: str = "strict") -> tuple[bytes, int]:  # noqa: ARG001 - its form
    from rollback_tui.ui.glyphs import in_ascii

    return in_ascii(text).encode("ascii"), len(text)


class _Encoder(codecs.IncrementalEncoder):
    def encode(self, text: str, final: bool = False) -> bytes:  # noqa: ARG002 - its form
        return _encode(text)[0]


def _search(name: str) -> codecs.CodecInfo | None:
    if name != CODEC:
        return None
    ascii_codec = codecs.lookup("ascii")
    return codecs.CodecInfo(
        _encode,
        ascii_codec.decode,
        incrementalencoder=_Encoder,
        name=CODEC,
    )
