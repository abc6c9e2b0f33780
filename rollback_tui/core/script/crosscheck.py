"""A second reading of a script's boundaries, by sqlparse, where it is quick enough.

Our scanner follows psql's rules; sqlparse guesses for many dialects and is known to be wrong for
some of PostgreSQL's (see the tests). So a disagreement says only that somebody should look: it is
a doubt, shown, and settled by the target's own parser, which takes each statement or does not.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

import sqlparse

from rollback_tui.core.model import Problem
from rollback_tui.core.script.lexer import pieces
from rollback_tui.core.script.slices import Slice
from rollback_tui.core.text import shorten

MAX_BYTES = 64 * 1024
"""Of all scripts of one reading together: 0.1 s for ordinary SQL, measured 0.6 s for the worst
that was found (nothing but parentheses). sqlparse takes 14 s for 5 MB, and cannot be stopped."""
MAX_DOUBTS = 10
"""At most so many are listed: the first ones say where to look."""
_SHOWN = 60

_REMEDY = (
    "Compare the two readings. PostgreSQL's own parser decides: the server is asked before "
    "anything is confirmed."
)


class SecondReading:
    """Reads the scripts of one plan again, as long as that takes no noticeable time."""

    def __init__(self, limit: int = MAX_BYTES) -> None:
        self._left = limit

    def doubts(
        self, data: bytes, start: int, end: int, slices: Sequence[Slice]
    ) -> tuple[Problem, ...] | None:
        """Return where sqlparse cuts ``data[start:end]`` otherwise than ``slices`` do.

        Empty: both agree. None: there is no second reading, because the script is too long or
        sqlparse gave up. ``slices`` are in order; what is outside of them (an own-line BEGIN and
        COMMIT that was taken off) counts as statements of its own.
        """
        if end - start > self._left:
            return None
        self._left -= end - start
        starts = _starts(data, start, end)
        if starts is None:
            return None
        return tuple(_disagreements(data, start, end, slices, starts))


def _starts(data: bytes, start: int, end: int) -> list[int] | None:
    """Return the byte offsets at which sqlparse's statements begin; None when it gave up."""
    script = data[start:end].decode("utf-8")
    try:
        found = sqlparse.split(script)
    except Exception:  # noqa: BLE001 - RecursionError, SQLParseError …: no second opinion, then
        return None
    starts: list[int] = []
    position, offset = 0, start
    for piece in found:
        # Each piece is a stretch of the text without the white space around it.
        place = script.find(piece, position)
        if place < 0:
            return None
        offset += len(script[position:place].encode())
        if piece:
            starts.append(offset)
        position = place + len(piece)
        offset += len(piece.encode())
    return starts


def _disagreements(
    data: bytes, start: int, end: int, slices: Sequence[Slice], starts: list[int]
) -> Iterator[Problem]:
    """Yield a doubt for each place where one reading has a boundary and the other has none."""
    text = data[:end].decode("latin-1")
    ours_begin = [piece.start for piece in slices]
    previous: tuple[float, int] | None = None
    count = 0
    for kind, first, last in pieces(text, start, end):
        theirs = bisect_right(starts, first)
        inside = bisect_right(starts, last - 1) != theirs
        if kind != "comment":
            ours = _group(slices, ours_begin, first)
            if ours is None and text[first] == ";":
                continue  # it ends a statement, and belongs to none
            # Outside of every slice there is only a wrapper: its BEGIN, or its COMMIT.
            group = (ours if ours is not None else _between(ours_begin, first), theirs)
            differs = previous is not None and (group[0] == previous[0]) != (
                group[1] == previous[1]
            )
            previous = group
            inside = inside or differs
        if inside:
            yield _doubt(text, slices, starts, first)
            count += 1
            if count == MAX_DOUBTS:
                return


def _group(slices: Sequence[Slice], begin: list[int], offset: int) -> int | None:
    at = bisect_right(begin, offset) - 1
    return at if at >= 0 and offset < slices[at].end else None


def _between(begin: list[int], offset: int) -> float:
    return bisect_right(begin, offset) - 0.5


def _doubt(text: str, slices: Sequence[Slice], starts: list[int], offset: int) -> Problem:
    mine = next((piece for piece in slices if piece.start <= offset < piece.end), None)
    ours = text[mine.start : mine.end] if mine else text[offset : offset + _SHOWN]
    at = bisect_right(starts, offset)
    first = starts[at - 1] if at else offset
    last = starts[at] if at < len(starts) else len(text)
    return Problem(
        line=text.count("\n", 0, offset) + 1,
        offset=offset,
        summary=f"two readings of where a statement ends: by psql's rules it is "
        f"“{_shown(ours)}”, by sqlparse's “{_shown(text[first:last])}”",
        remedy=_REMEDY,
        rule="boundaries",
    )


def _shown(latin1: str) -> str:
    return shorten(latin1.encode("latin-1").decode("utf-8", "replace"), _SHOWN)
