r"""The lexical rules of psql's scanner (``src/fe_utils/psqlscan.l``), over latin-1 text.

Latin-1 gives every byte one character, so that positions in the text are byte offsets in the
file, and every byte from 0x80 is a letter, as it is for PostgreSQL.

The rules that differ from what one would guess:

* White space is ASCII only; a no-break space is a letter of an identifier.
* ``--`` ends at ``\n`` or ``\r``. ``/* */`` nest. Both begin in the middle of an operator too.
* Only ``E'…'`` takes backslashes, and goes on doing so when the string continues on a new line.
  ``B X N U&`` strings end like ordinary ones, so they need no rule of their own.
* A dollar quote does not begin inside an identifier; an identifier may hold ``$``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

Kind = Literal["run", "string", "dollar", "identifier", "comment", "mark", "command", "open"]

SPACE = " \\t\\n\\r\\f\\v"
_NAME = r"[A-Za-z_\x80-\xff][A-Za-z0-9_$\x80-\xff]*"

# No possessive quantifiers and no atomic groups: Python 3.11.2 (Debian 12) matches them wrongly
# inside other groups. Each pattern is written so that it cannot come back to another answer.

# Everything that cannot change where a statement ends, a thousand pieces in one go. The comment
# openers, quotes, dollars that are no parameter, parentheses, semicolons and backslashes are left
# for below.
_RUN = re.compile(
    rf"""(?:[{SPACE}]*(?:
        (?![eE]'){_NAME}
      | \$?[0-9]+(?:(?![eE]'){_NAME})?
      | -(?!-) | /(?!\*)
      | [^{SPACE}A-Za-z_\x80-\xff0-9$'"();\\/-]
    )){{1,1000}}""",
    re.VERBOSE,
)
_BLANK = re.compile(rf"[{SPACE}]+")
_LINE_COMMENT = re.compile(r"--[^\n\r]*")
_COMMENT_EDGE = re.compile(r"/\*|\*/")
# The quote that closes is not followed by another: without that, a string that never ends would
# be taken to end at its last doubled quote.
_STRING = re.compile(r"'[^']*(?:''[^']*)*'(?!')")
_IDENTIFIER = re.compile(r'"[^"]*(?:""[^"]*)*"(?!")')
_ESCAPED = re.compile(r"[^'\\]*(?:(?:\\.|'')[^'\\]*)*'(?!')", re.DOTALL)
_CONTINUED = re.compile(
    rf"[ \t\f\v]*(?:--[^\n\r]*)?[\n\r][{SPACE}]*(?:--[^\n\r]*[\n\r][{SPACE}]*)*'"
)
_DOLLAR = re.compile(r"\$(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)?\$")
_LINE = re.compile(r"[^\n\r]*")
_WORD = re.compile(rf"{_NAME}|[0-9]+(?:{_NAME})?|[^{SPACE}]")


class Token(NamedTuple):
    """A stretch of text: a run of words, numbers and operators, or one quoted thing."""

    kind: Kind
    """``mark`` is one of ``( ) ; $``; ``command`` a backslash to the end of its line;
    ``open`` something that never ends, up to the end of the text."""
    start: int
    end: int


def tokens(text: str, start: int, end: int) -> Iterator[Token]:
    """Yield everything in ``text[start:end]`` but white space, in order. Linear in time."""
    position = start
    while True:
        blank = _BLANK.match(text, position, end)
        if blank:
            position = blank.end()
        if position >= end:
            return
        run = _RUN.match(text, position, end)
        token = Token("run", position, run.end()) if run else _special(text, position, end)
        yield token
        position = token.end


def pieces(text: str, start: int, end: int) -> Iterator[Token]:
    """Yield the tokens of ``text[start:end]``, each ``run`` in its single words."""
    for token in tokens(text, start, end):
        if token.kind == "run":
            for word in _WORD.finditer(text, token.start, token.end):
                yield Token("run", word.start(), word.end())
        else:
            yield token


def words(text: str, start: int, end: int) -> list[str]:
    """Return the words and operator characters of a ``run``, in upper case (ASCII only)."""
    return [_upper(word) for word in _WORD.findall(text, start, end)]


def significant(text: str, start: int, end: int) -> list[str]:
    """Return the words of ``text[start:end]`` in upper case; quoted things as written."""
    found: list[str] = []
    for token in tokens(text, start, end):
        if token.kind == "run":
            found += words(text, token.start, token.end)
        elif token.kind != "comment":
            found.append(text[token.start : token.end])
    return found


def _upper(word: str) -> str:
    # str.upper() would turn the latin-1 letter for byte 0xB5 or 0xFF into something else.
    return word.upper() if word.isascii() else word


def _special(text: str, position: int, end: int) -> Token:
    """Return the token at ``position``, where no run begins."""
    first = text[position]
    if first == "'":
        return _closed("string", _STRING.match(text, position, end), position, end)
    if first in "eE":
        return _escaped(text, position, end)
    if first == '"':
        return _closed("identifier", _IDENTIFIER.match(text, position, end), position, end)
    if first == "-":
        return _closed("comment", _LINE_COMMENT.match(text, position, end), position, end)
    if first == "/":
        return _block_comment(text, position, end)
    if first == "\\":
        return _closed("command", _LINE.match(text, position, end), position, end)
    if first == "$":
        return _dollar(text, position, end)
    return Token("mark", position, position + 1)


def _closed(kind: Kind, match: re.Match[str] | None, position: int, end: int) -> Token:
    return Token(kind, position, match.end()) if match else Token("open", position, end)


def _escaped(text: str, position: int, end: int) -> Token:
    body = _ESCAPED.match(text, position + 2, end)
    while body:
        more = _CONTINUED.match(text, body.end(), end)
        if not more:
            return Token("string", position, body.end())
        body = _ESCAPED.match(text, more.end(), end)
    return Token("open", position, end)


def _block_comment(text: str, position: int, end: int) -> Token:
    depth = 0
    for edge in _COMMENT_EDGE.finditer(text, position, end):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return Token("comment", position, edge.end())
    return Token("open", position, end)


def _dollar(text: str, position: int, end: int) -> Token:
    tag = _DOLLAR.match(text, position, end)
    if not tag:
        return Token("mark", position, position + 1)
    close = text.find(tag.group(), tag.end(), end)
    if close < 0:
        return Token("open", position, end)
    return Token("dollar", position, close + len(tag.group()))
