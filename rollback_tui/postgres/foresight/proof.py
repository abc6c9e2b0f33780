"""Whether a CHECK that holds proves something of a column, so that its rows need not be read.

PostgreSQL leaves the scan out when the valid CHECK constraints of a table imply what is to be
true (``ConstraintImpliedByRelConstraint`` in ``tablecmds.c``). Here the same is read from the
constraint's text as the server writes it down, for what people write: terms joined by AND and OR.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from rollback_tui.core.script.tree import quote

_CHECK = re.compile(r"CHECK \((.*)\)( NO INHERIT)?( NOT VALID)?( NOT ENFORCED)?\Z", re.DOTALL)
_PIECE = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|[()\[\]]|[A-Za-z_][\w$]*|.""", re.DOTALL)


def condition(definition: str) -> str:
    """Return the expression of ``CHECK ((…))`` as ``pg_get_constraintdef`` writes it; else ''."""
    found = _CHECK.match(definition)
    return found.group(1) if found else ""


def proves(conditions: Iterable[str], term: str) -> bool:
    """Whether one of the conditions, each of which holds for every row, implies ``term``."""
    wanted = _bare(term)
    return any(_implies(text, wanted) for text in conditions)


def not_null(column: str) -> str:
    """Return the term that says that a column is never null."""
    return f"{quote(column)} IS NOT NULL"


def _implies(text: str, wanted: str) -> bool:
    bare = _bare(text)
    if bare == wanted:
        return True
    either = list(_split(bare, "OR"))
    if len(either) > 1:
        return all(_implies(part, wanted) for part in either)
    both = list(_split(bare, "AND"))
    return len(both) > 1 and any(_implies(part, wanted) for part in both)


def _bare(text: str) -> str:
    """Return an expression without the parentheses around the whole of it."""
    found = text.strip()
    while found.startswith("(") and _closes(found) == len(found) - 1:
        found = found[1:-1].strip()
    return found


def _closes(text: str) -> int:
    """Return where the parenthesis closes that ``text`` opens with."""
    depth = 0
    for match in _PIECE.finditer(text):
        depth += {"(": 1, ")": -1}.get(match.group(), 0)
        if depth == 0:
            return match.start()
    return -1


def _split(text: str, word: str) -> Iterator[str]:
    """Yield the parts between ``word`` outside of parentheses, strings and names.

    ``BETWEEN … AND`` and CASE never stand there bare: the server writes comparisons and
    parentheses instead.
    """
    depth, start = 0, 0
    for match in _PIECE.finditer(text):
        piece = match.group()
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(piece, 0)
        if depth == 0 and piece == word:
            yield text[start : match.start()]
            start = match.end()
    yield text[start:]
