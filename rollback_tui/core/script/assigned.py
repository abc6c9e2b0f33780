"""Which columns an UPDATE sets, read from its text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rollback_tui.core.script.lexer import tokens

_WORD = re.compile(r"[A-Za-z_\x80-\xff][A-Za-z0-9_$\x80-\xff]*|[0-9]+|[^ \t\n\r\f\v]")
_ENDS = ("from", "where", "returning")
_OTHER = ""
"""What is neither a word nor a mark: a string, a number, an operator."""


def assigned(sql: str) -> tuple[str, ...] | None:
    """Return the names (folded, without quotes) of the columns that a plain UPDATE sets.

    None for every other statement, also for one that begins with WITH, and when it is not
    understood. A part of a column (``a.b``, ``a[1]``) counts as the column.
    """
    words = list(_words(sql))
    if not words or words[0] != (0, "update", False):
        return None
    place = next((i for i, w in enumerate(words) if w == (0, "set", False)), None)
    if place is None:
        return None
    found: list[str] = []
    place += 1
    while place < len(words):
        depth, word, quoted = words[place]
        if word == "(" and not quoted:
            place += 1
            while place < len(words) and words[place][0] > depth:
                if words[place][0] == depth + 1 and _is_name(words[place]):
                    found.append(words[place][1])
                place += 1
        elif _is_name(words[place]):
            found.append(word)
        else:
            return None
        place = _next(words, place)
        if place is None:
            break
    return tuple(dict.fromkeys(found)) or None


def _next(words: list[tuple[int, str, bool]], place: int) -> int | None:
    """Return where the next assignment begins; None: it was the last."""
    for at in range(place + 1, len(words)):
        depth, word, quoted = words[at]
        if depth or quoted:
            continue
        if word == ",":
            return at + 1
        if word in _ENDS and not (word == "from" and words[at - 1][1] == "distinct"):
            return None
    return None


def _is_name(word: tuple[int, str, bool]) -> bool:
    _, text, quoted = word
    return quoted or (bool(text) and (text[0].isalpha() or text[0] == "_" or text[0] >= "\x80"))


def _words(sql: str) -> Iterator[tuple[int, str, bool]]:
    """Yield (depth of parentheses, word or mark in lower case, it was quoted)."""
    latin = sql.encode().decode("latin-1")
    depth = 0
    for token in tokens(latin, 0, len(latin)):
        text = latin[token.start : token.end]
        if token.kind == "identifier":
            yield depth, _back(text[1:-1].replace('""', '"')), True
        elif token.kind == "mark" and text == ")":
            depth -= 1
        elif token.kind == "mark" and text == "(":
            yield depth, "(", False
            depth += 1
        elif token.kind == "run":
            for word in _WORD.findall(text):
                yield depth, _back(word).lower(), False
        elif token.kind != "comment":
            yield depth, _OTHER, False


def _back(latin: str) -> str:
    return latin.encode("latin-1").decode(errors="replace")
