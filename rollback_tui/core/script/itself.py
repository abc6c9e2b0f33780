"""Does a statement speak of the database it runs in? Then it must find it under its own name."""

from __future__ import annotations

import re

from rollback_tui.core.script.lexer import tokens, words

_WORDS = frozenset({"DATABASE", "CURRENT_DATABASE", "CURRENT_CATALOG"})
_INSIDE = re.compile(r"\b(?:current_)?database\b|\bcurrent_catalog\b", re.IGNORECASE)


def names_its_database(text: str) -> bool:
    """Return whether a statement may name its database or ask for the name.

    ``ALTER DATABASE app SET …`` sent while ``app`` is called something else would change another
    database, or fail; ``current_database()`` would give another answer. Rather too often than
    not: a column called ``database`` counts, and the texts of DO and of functions are only
    searched for the words. Functions that the statement calls are not seen.
    """
    latin = text.encode().decode("latin-1")
    found = list(tokens(latin, 0, len(latin)))
    does = [w for t in found[:1] if t.kind == "run" for w in words(latin, t.start, t.end)][:1]
    for token in found:
        if token.kind == "run" and not _WORDS.isdisjoint(words(latin, token.start, token.end)):
            return True
        quoted = token.kind == "dollar" or (token.kind == "string" and does == ["DO"])
        if quoted and _INSIDE.search(latin, token.start, token.end):
            return True
    return False
