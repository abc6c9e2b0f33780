"""Where PostgreSQL's own parser and scanner (through pglast) see statements, in bytes."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

from pglast.parser import parse_sql, scan

from rollback_tui.core.script.lexer import tokens
from rollback_tui.core.script.split import split

Span = tuple[int, int, int]
"""Start, end, line."""


def boundaries(script: str) -> list[Span]:
    """Return the statements from their first significant token to their last.

    Raises pglast.parser.ParseError where the script is not SQL.
    """
    found = [
        (token.start, token.end + 1)
        for token in scan(script)
        if token.name not in ("SQL_COMMENT", "C_COMMENT")
    ]
    starts = [start for start, _ in found]
    place = _bytes(script)
    spans: list[Span] = []
    for statement in parse_sql(script):
        first = statement.stmt_location
        last = first + statement.stmt_len if statement.stmt_len else len(script)
        inside = found[bisect_left(starts, first) : bisect_left(starts, last)]
        while inside and script[inside[0][0]] == ";":
            inside.pop(0)  # an empty statement before it
        while inside and script[inside[-1][0]] == ";":
            inside.pop()
        start, end = inside[0][0], inside[-1][1]
        line = script.count("\n", 0, start) + 1
        spans.append((place[start], place[end], line))
    return spans


def ours(script: str) -> list[Span]:
    """Return the statements that we see; a wrapper that was taken off is not among them."""
    return [(piece.start, piece.end, piece.line) for piece in split(script.encode()).statements]


Marks = tuple[list[tuple[int, str]], list[tuple[int, int]]]
"""Semicolons and parentheses with their places; comments from start to end."""


def marks(script: str) -> Marks:
    """Return what decides boundaries, as PostgreSQL's scanner sees it. Raises as it does."""
    place = _bytes(script)
    signs: list[tuple[int, str]] = []
    comments: list[tuple[int, int]] = []
    for token in scan(script):
        if token.name in ("ASCII_59", "ASCII_40", "ASCII_41"):
            signs.append((place[token.start], script[token.start]))
        elif token.name in ("SQL_COMMENT", "C_COMMENT"):
            comments.append((place[token.start], place[token.end + 1]))
    return signs, comments


def our_marks(script: str) -> Marks | None:
    """Return the same as our lexer sees it; None where a backslash command is in it."""
    text = script.encode().decode("latin-1")
    signs: list[tuple[int, str]] = []
    comments: list[tuple[int, int]] = []
    quoted, previous = False, 0
    for token in tokens(text, 0, len(text)):
        if token.kind == "command":
            return None
        if token.kind == "comment":
            comments.append((token.start, token.end))
            continue
        if token.kind == "mark" and text[token.start] in ";()":
            signs.append((token.start, text[token.start]))
        elif token.kind == "string" and quoted:
            # 'a' -- comment, new line, 'b': one string to PostgreSQL, and what is between in it.
            while comments and comments[-1][0] > previous:
                comments.pop()
        quoted, previous = token.kind == "string", token.end
    return signs, comments


def _bytes(script: str) -> list[int]:
    """Return the byte offset of each character, and of the end."""
    if script.isascii():
        return list(range(len(script) + 1))
    return [0, *accumulate(len(character.encode()) for character in script)]
