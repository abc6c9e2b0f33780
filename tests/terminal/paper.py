"""A terminal that remembers the look of each cell: what the fewest bytes are compared on."""

from __future__ import annotations

import re
from typing import NamedTuple

from rollback_tui.core.text import cells

_TOKEN = re.compile(r"\x1b\[(\?)?([\d;]*)([A-Za-z])|([^\x1b])", re.DOTALL)
_MOVES = {"A": (-1, 0), "B": (1, 0), "C": (0, 1), "D": (0, -1)}


class Look(NamedTuple):
    """How a cell looks."""

    text: str = " "
    attributes: frozenset[int] = frozenset()
    ink: str = ""
    ground: str = ""

    @property
    def seen(self) -> Look:
        """What an eye sees: the colour of a space's ink is no part of it."""
        bare = self.text == " " and not self.attributes & {4, 7, 9}
        return Look(" ", frozenset(), "", self.ground) if bare else self


class Paper:
    """Cells that are drawn on by what a program sends."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.rows = [[Look()] * width for _ in range(height)]
        self._row = self._column = 0
        self._pen = Look()

    @property
    def seen(self) -> list[list[Look]]:
        """All cells, as they are seen."""
        return [[look.seen for look in row] for row in self.rows]

    def feed(self, text: str) -> None:
        """Draw."""
        at = 0
        while at < len(text):
            token = _TOKEN.match(text, at)
            assert token is not None, repr(text[at : at + 20])
            at = token.end()
            if token[4] is not None:
                self._write(token[4])
            elif not token[1]:
                self._obey(token[3], [int(n or 0) for n in token[2].split(";")])

    def _write(self, character: str) -> None:
        if character == "\n":
            return
        wide = cells(character)
        assert self._column + wide <= self.width, "written over the edge"
        if not wide:
            before = self._column - 1 - (self.rows[self._row][self._column - 1].text == "")
            look = self.rows[self._row][before]
            self.rows[self._row][before] = look._replace(text=look.text + character)
            return
        row = self.rows[self._row]
        for column in (self._column, self._column + wide):
            # Half of a wide character that is overwritten does not stay.
            if column < self.width and row[column].text == "":
                row[column] = row[column]._replace(text=" ")
                row[column - 1] = row[column - 1]._replace(text=" ")
        row[self._column] = self._pen._replace(text=character)
        if wide == 2:
            row[self._column + 1] = self._pen._replace(text="")
        self._column += wide

    def _obey(self, final: str, numbers: list[int]) -> None:
        if final == "H":
            self._row, self._column = numbers[0] - 1, numbers[1] - 1
        elif final in _MOVES:
            down, right = _MOVES[final]
            by = max(1, numbers[0])
            self._row, self._column = self._row + down * by, self._column + right * by
        elif final == "m":
            self._dye(numbers)

    def _dye(self, numbers: list[int]) -> None:
        pen = self._pen
        while numbers:
            code = numbers.pop(0)
            if code == 0:
                pen = Look()
            elif code in (38, 48):
                length = 2 if numbers[0] == 5 else 4
                colour = f"{numbers[:length]}"
                del numbers[:length]
                pen = pen._replace(ink=colour) if code == 38 else pen._replace(ground=colour)
            elif code in range(30, 40) or code in range(90, 98):
                pen = pen._replace(ink="" if code == 39 else str(code))
            elif code in range(40, 50) or code in range(100, 108):
                pen = pen._replace(ground="" if code == 49 else str(code))
            else:
                pen = pen._replace(attributes=pen.attributes | {code})
        self._pen = pen
