"""The formatted view of a statement. A view only: what is executed is the original slice.

``sqlparse.format`` changes SQL: strings that continue on a new line, function bodies, text
after the operator ``#``, ``AT TIME ZONE``. Its result must never reach a server, a hash or a
comparison; and where it cannot cope, the original is shown.
"""

from __future__ import annotations

import sqlparse

MAX_CHARACTERS = 10_000
"""Longer statements are shown as they are: sqlparse's time grows faster than the text."""
MAX_DEPTH = 60
"""Deeper parentheses are shown as they are, for the same reason."""


def formatted(sql: str) -> str:
    """Return ``sql`` re-indented for reading, or ``sql`` itself when that is not possible."""
    if len(sql) > MAX_CHARACTERS or sql.count("(") > MAX_DEPTH * 4 or _depth(sql) > MAX_DEPTH:
        return sql
    try:
        view = str(sqlparse.format(sql, reindent=True))
    except Exception:  # noqa: BLE001 - RecursionError, SQLParseError …: the original always serves
        return sql
    return view if view.strip() else sql


def _depth(sql: str) -> int:
    depth = deepest = 0
    for character in sql:
        if character in "([":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]":
            depth -= 1
    return deepest
