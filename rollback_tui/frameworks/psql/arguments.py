r"""The arguments of psql's commands, as ``src/bin/psql/psqlscanslash.l`` reads them.

Arguments are separated by white space and end with the line, or at a backslash outside quotes,
where the next command begins (``\\`` goes back to SQL). ``'…'`` takes C's escapes, ``"…"`` keeps
its quotes, and variables are filled in; what backquotes hold would be run by a shell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from rollback_tui.frameworks.quoting import literal

NAME = r"[A-Za-z0-9_\x80-\xff]+"
"""What a variable may be called (``variable_char`` of psql's scanner), over latin-1 text."""

_PART = re.compile(
    rf"""'(?P<quoted> (?:[^'\\\n]|\\[^\n]|'')*)'
      | "(?P<identifier> [^"\n]*)"
      | :'(?P<literal> {NAME})'
      | :"(?P<delimited> {NAME})"
      | :\{{\?(?P<is_set> {NAME})\}}
      | :(?P<plain> {NAME})
      | (?P<other> [^\s\\'"`:]+|:)
    """,
    re.VERBOSE,
)
_ESCAPE = re.compile(r"''|\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|(.))", re.DOTALL)
_SIMPLE = {"n": "\n", "t": "\t", "b": "\b", "r": "\r", "f": "\f"}
_BLANK = re.compile(r"[ \t\r\f\v]*")


class Arguments(NamedTuple):
    """What follows a command."""

    values: tuple[str, ...]
    unset: tuple[str, ...]
    """Variables in them that have no value: their text stays as it is."""
    used: tuple[str, ...]
    """Variables in them that have one."""
    end: int
    """Where the line ends, or the next command begins."""
    unreadable: str
    """Why the line cannot be read to its end; empty: it was."""


def arguments(text: str, position: int, variables: Mapping[str, str]) -> Arguments:
    """Return the arguments that stand in ``text`` (latin-1) from ``position`` on."""
    values: list[str] = []
    unset: list[str] = []
    used: list[str] = []
    current: str | None = None
    while True:
        part = _PART.match(text, position)
        if part:
            name = part["literal"] or part["delimited"] or part["plain"]
            if name:
                (used if name in variables else unset).append(name)
            current = (current or "") + _meant(part, variables)
            position = part.end()
            continue
        if current is not None:
            values.append(current)
            current = None
        after = _BLANK.match(text, position)
        if after and after.end() > position:
            position = after.end()
            continue
        unreadable = ""
        if position < len(text) and text[position] not in "\n\\":
            backquote = text[position] == "`"
            unreadable = "a shell would run what is in backquotes" if backquote else "an open quote"
            newline = text.find("\n", position)
            position = len(text) if newline < 0 else newline
        return Arguments(tuple(values), tuple(unset), tuple(used), position, unreadable)


def quoted_literal(value: str) -> str:
    r"""Return ``:'name'`` filled in: as ``PQescapeLiteral`` writes it, `` E'…'`` where there is a
    backslash, with a blank so that no word before it takes the ``E``."""
    return " " + literal(value) if "\\" in value else literal(value)


def quoted_identifier(value: str) -> str:
    """Return ``:"name"`` filled in: ``PQescapeIdentifier`` always quotes."""
    return '"' + value.replace('"', '""') + '"'


def _meant(part: re.Match[str], variables: Mapping[str, str]) -> str:
    if part["quoted"] is not None:
        return _ESCAPE.sub(_escaped, part["quoted"])
    if part["is_set"]:
        return "TRUE" if part["is_set"] in variables else "FALSE"
    name = part["literal"] or part["delimited"] or part["plain"]
    if not name or name not in variables:
        return part.group()
    if part["literal"]:
        return quoted_literal(variables[name])
    return quoted_identifier(variables[name]) if part["delimited"] else variables[name]


def _escaped(match: re.Match[str]) -> str:
    if match.group() == "''":
        return "'"
    if match[1]:
        return chr(int(match[1], 8) & 0xFF)
    if match[2]:
        return chr(int(match[2], 16))
    return _SIMPLE.get(match[3], match[3])


def truth(value: str) -> bool | None:
    """Return what psql takes ``value`` for (``ParseVariableBool``); None: for no truth value."""
    word = value.lower()
    if not word:
        return None
    if "true".startswith(word) or "yes".startswith(word) or word in ("on", "1"):
        return True
    if "false".startswith(word) or "no".startswith(word) or word in ("of", "off", "0"):
        return False
    return None


def latin(text: str) -> str:
    """Return the bytes of ``text`` as characters, one each, as psql's scanner takes them."""
    return text.encode(errors="surrogateescape").decode("latin-1")


def text_of(latin: str) -> str:
    """Return what :func:`latin` made, for people."""
    return latin.encode("latin-1").decode("utf-8", "replace")
