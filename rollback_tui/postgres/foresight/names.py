"""Names as an Effect has them, taken apart."""

from __future__ import annotations

import re

_PART = re.compile(r'\s*(?:"((?:[^"]|"")+)"|([^".\s(]+))\s*(\.|\(|\Z)')


def parts(name: str) -> tuple[str, ...]:
    """Return the parts of a qualified name, without quotes; empty when it is no name.

    A name in an Effect is written as ``quote_ident`` does: what is not quoted is lower case
    already. Arguments of a function are left out.
    """
    found: list[str] = []
    at = 0
    while match := _PART.match(name, at):
        quoted, plain, after = match.groups()
        found.append(quoted.replace('""', '"') if quoted else plain)
        at = match.end()
        if after != ".":
            return tuple(found)
    return ()
