"""Bytes that are not what they seem: other encodings, NUL, invisible and reordering characters.

Measured: a NUL silently cuts off the rest of a script and success is reported; U+200B joins the
identifier before it, and ``DROP TABLE IF EXISTS users<U+200B>`` then does nothing.
"""

from __future__ import annotations

import re
import unicodedata

from rollback_tui.core.model import Problem
from rollback_tui.core.script.lexer import Kind, Token, tokens

_BIDI = "\u202a-\u202e\u2066-\u2069"
_ZERO_WIDTH = "\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2060-\u2065\u206a-\u206f\u3164\ufeff"
_BLANKS = "\u00a0\u0085\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_ODD = re.compile(f"[{_BIDI}{_ZERO_WIDTH}{_BLANKS}]")
_IS_BIDI = re.compile(f"[{_BIDI}]")
_IS_BLANK = re.compile(f"[{_BLANKS}]")
_SAVE_AS_UTF8 = "Save the file as UTF-8 without a byte order mark, then plan again."
MOST_REPORTED = 50
"""At most so many odd characters are named, one by one."""


def fatal_encoding(data: bytes, start: int, end: int) -> Problem | None:
    """Return why ``data[start:end]`` cannot be read as UTF-8 text at all, or None."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _problem(data, 0, "the file is UTF-16, not UTF-8", _SAVE_AS_UTF8)
    nul = data.find(b"\0", start, end)
    if nul >= 0:
        if data.count(b"\0", start, end) * 3 > end - start:
            return _problem(data, nul, "the file looks like UTF-16, not UTF-8", _SAVE_AS_UTF8)
        return _problem(
            data,
            nul,
            "the script holds a NUL byte; a server would silently ignore all that follows it",
            "Remove the NUL byte from the file, then plan again.",
        )
    try:
        data[start:end].decode("utf-8")
    except UnicodeDecodeError as error:
        offset = start + error.start
        byte = data[offset]
        return _problem(
            data,
            offset,
            f"byte 0x{byte:02X} is not valid UTF-8: the file may be Latin-1 or Windows-1252",
            _SAVE_AS_UTF8,
        )
    return None


def odd_characters(data: bytes, text: str, start: int, end: int) -> tuple[Problem, ...]:
    """Return the characters of ``data[start:end]`` that make the script not what it looks like.

    Reordering (bidi) controls are named everywhere. Invisible characters are named outside
    ``'…'`` strings and comments, where they are data; blanks other than ASCII only where they
    would be taken for letters of an identifier. ``text`` is ``data`` decoded as latin-1.
    """
    found: list[Problem] = []
    if start == 0 and data.startswith(b"\xef\xbb\xbf"):
        found.append(_problem(data, 0, "the file begins with a byte order mark", _SAVE_AS_UTF8))
        start = 3
    if data[start:end].isascii():
        return tuple(found)
    decoded = data[start:end].decode("utf-8")
    matches = list(_ODD.finditer(decoded))
    if not matches:
        return tuple(found)
    regions = _Regions(text, start, end)
    offset, seen = start, 0
    for match in matches:
        offset += len(decoded[seen : match.start()].encode())
        seen = match.start()
        if _matters(match.group(), regions.kind(offset)):
            found.append(_odd(data, offset, match.group()))
            if len(found) >= MOST_REPORTED:
                break
    return tuple(found)


class _Regions:
    """Which quoted thing a byte offset lies in; asked in rising order, never all at once."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self._tokens = tokens(text, start, end)
        self._token: Token | None = next(self._tokens, None)

    def kind(self, offset: int) -> Kind:
        while self._token and self._token.end <= offset:
            self._token = next(self._tokens, None)
        return self._token.kind if self._token and self._token.start <= offset else "run"


def _matters(character: str, kind: Kind) -> bool:
    if _IS_BIDI.match(character):
        return True
    if _IS_BLANK.match(character):
        return kind in ("run", "mark", "command")
    return kind not in ("string", "comment")


def _odd(data: bytes, offset: int, character: str) -> Problem:
    name = unicodedata.name(character, "control character").lower()
    code = f"U+{ord(character):04X} ({name})"
    if _IS_BIDI.match(character):
        return _problem(
            data,
            offset,
            f"{code} makes the text look as if it were in another order",
            "Remove the character from the file: what you read is not what would run.",
        )
    return _problem(
        data,
        offset,
        f"{code} is invisible or looks like a blank, but PostgreSQL takes it for a letter",
        "Remove it, or type an ordinary space: the name it touches is another name.",
    )


def _problem(data: bytes, offset: int, summary: str, remedy: str) -> Problem:
    line = data.count(b"\n", 0, offset) + 1
    return Problem(line=line, offset=offset, summary=summary, remedy=remedy, rule="encoding")
