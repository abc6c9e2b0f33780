"""A query as it may leave this machine in an alert: what it does, and none of the values in it."""

from __future__ import annotations

import re

from rollback_tui.core.text import shorten

WIDTH = 160
"""Cells of a query in one line of evidence."""
_SHOWN = frozenset(
    {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "VALUES", "TABLE", "FETCH", "EXECUTE"}
    | {"CALL", "REFRESH", "VACUUM", "ANALYZE", "BEGIN", "COMMIT", "ROLLBACK", "("}
)
"""First words of statements that are shown whole. Others (ALTER ROLE … PASSWORD, COPY … PROGRAM,
DO …) may hold a secret where no constant is expected: of those, the first two words."""
_CUT = " …"

_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
      | (?P<dollar>\$(?P<tag>(?:[A-Za-z_\x80-\U0010ffff][\w\x80-\U0010ffff]*)?)\$.*?
            (?:\$(?P=tag)\$|\Z))
      | (?P<text>\b[eE]'(?:[^'\\]|''|\\.)*(?:'|\\?\Z)|'(?:[^']|'')*(?:'|\Z))
      | (?P<name>"(?:[^"]|"")*(?:"|\Z)|\$\d+|[A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*)
      | (?P<number>(?:\d[\d_.]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)""",
    re.VERBOSE | re.DOTALL,
)
"""PostgreSQL's documentation, 4.1 "Lexical Structure". A text may be cut off anywhere."""


def shown(query: str, width: int = WIDTH) -> str:
    """Return ``query`` on one line, printable, its constants replaced by ``?`` and without its
    comments, in which drivers and people write all kinds of things."""
    bare = " ".join(_TOKEN.sub(_replaced, query).split())
    first = re.match(r"\w+|\S", bare)
    if first is not None and first.group().upper() not in _SHOWN:
        bare = " ".join(bare.split()[:2]) + _CUT
    return shorten(bare, width)


def whole(text: str) -> bool:
    """Whether :func:`shown` kept more than the first words: what applications ask all day is."""
    return not text.endswith(_CUT)


def _replaced(token: re.Match[str]) -> str:
    if token["comment"] is not None:
        return " "
    return token.group() if token["name"] is not None else "?"
