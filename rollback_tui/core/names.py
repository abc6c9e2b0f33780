"""Names of objects: taken apart, and found as whole words in a piece of SQL.

An identifier without quotes is folded to lower case, one in quotes stands as it is (PostgreSQL's
documentation, 4.1.1 "Identifiers and Key Words").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

_IDENTIFIER = r'"(?:[^"]|"")+"|[^\W\d][\w$]*'
_PART = re.compile(rf"\s*({_IDENTIFIER})\s*(\.|\(|\Z)")
# In this order: what may hide a quote or a word comes before it. Something that never ends (a
# session's query is cut after track_activity_query_size bytes) goes on to the end.
_PIECE = re.compile(
    rf"""(?P<comment>--[^\n\r]*|/\*.*?(?:\*/|\Z))
       | (?P<string>[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z)|'(?:[^']|'')*(?:'|\Z))
       | (?P<dollar>\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z))
       | (?P<number>\$?\d[\w.]*)
       | (?P<chain>(?:{_IDENTIFIER})(?:\s*\.\s*(?:{_IDENTIFIER}))*)""",
    re.VERBOSE | re.DOTALL,
)
_WORD = re.compile(_IDENTIFIER)

Chain = tuple[str, ...]
"""Identifiers joined by dots, folded: ``("public", "users", "id")``."""


@lru_cache(maxsize=4096)
def parts(name: str) -> Chain:
    """Return a qualified name's parts, folded; empty when it is no name.

    What follows an opening parenthesis (a function's arguments) is left out.
    """
    found: list[str] = []
    at = 0
    while match := _PART.match(name, at):
        found.append(_folded(match.group(1)))
        at = match.end()
        if match.group(2) != ".":
            return tuple(found)
    return ()


def chains(text: str) -> Iterator[Chain]:
    """Yield every identifier of a piece of SQL, with what qualifies it.

    A string that holds nothing but a name counts too: ``to_jsonb(u) ->> 'verified_at'`` reads the
    column, ``nextval('orders_id_seq')`` the sequence. Comments, numbers,
    parameters and bodies in dollar quotes are left out.
    """
    for piece in _PIECE.finditer(text):
        if piece.lastgroup == "chain":
            yield tuple(_folded(word) for word in _WORD.findall(piece.group()))
        elif piece.lastgroup == "string":
            inside = parts(piece.group()[1:-1])
            if inside:
                yield inside


def same(one: str, other: str) -> bool:
    """Return whether two names may mean one object: the shorter is the end of the longer."""
    a, b = parts(one), parts(other)
    least = min(len(a), len(b))
    return least > 0 and a[-least:] == b[-least:]


def _folded(word: str) -> str:
    if word.startswith('"'):
        return word[1:-1].replace('""', '"')
    return word.lower()
