"""What a terminal shows after the bytes that a program drew: enough of one to read the screens."""

from __future__ import annotations

import re

from rollback_tui.core.text import cells

_TOKEN = re.compile(
    r"\x1b\[(?P<csi>[0-9;:<=>?]*)[ -/]*(?P<final>[@-~])"
    r"|\x1b[\]P_^X].*?(?:\x07|\x1b\\)"
    r"|\x1b[()*+#][0-9A-Za-z]"
    r"|\x1b[ -OQ-WYZ\\`-~]"
    r"|(?P<text>[^\x00-\x1f\x7f]+)"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f])",
    re.DOTALL,
)


class Screen:
    """Rows of characters. Knows cursor movement and erasing, which is all that is used."""

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._row = self._column = 0
        self._rows = [[" "] * width for _ in range(height)]
        self._rest = ""

    @property
    def rows(self) -> list[list[str]]:
        """The cells of all rows; behind a wide character an empty one."""
        return self._rows

    @property
    def text(self) -> str:
        """All rows, without the blanks at their ends."""
        return "\n".join("".join(row).rstrip() for row in self._rows)

    def feed(self, text: str) -> None:
        """Take what was drawn; half an escape sequence waits for its other half."""
        text = self._rest + text
        at = 0
        while at < len(text) and (match := _TOKEN.match(text, at)):
            if match["text"] is not None:
                self._put(match["text"])
            elif match["control"] is not None:
                self._control(match["control"])
            elif match["final"] is not None:
                self._sequence(match["csi"], match["final"])
            at = match.end()
        self._rest = text[at:]

    def _put(self, text: str) -> None:
        for character in text:
            wide = cells(character)
            if wide == 0:
                continue
            if self._column < self._width:
                self._rows[self._row][self._column] = character
                if wide == 2 and self._column + 1 < self._width:
                    self._rows[self._row][self._column + 1] = ""
            self._column += wide

    def _control(self, control: str) -> None:
        if control == "\r":
            self._column = 0
        elif control == "\n":
            self._row += 1
            if self._row == self._height:
                self._rows = [*self._rows[1:], [" "] * self._width]
                self._row -= 1
        elif control == "\b":
            self._column = max(0, self._column - 1)

    def _sequence(self, parameters: str, final: str) -> None:
        if not re.fullmatch(r"[0-9;]*", parameters):
            return  # modes, and questions that nobody answers
        numbers = [int(n) if n else 0 for n in parameters.split(";")]
        first = numbers[0]
        if final in "Hf":
            self._row = min(self._height, max(1, first)) - 1
            self._column = max(1, numbers[1] if len(numbers) > 1 else 1) - 1
        elif final in "ABCD":
            self._move(final, max(1, first))
        elif final == "G":
            self._column = max(1, first) - 1
        elif final == "K":
            begin, end = {0: (self._column, self._width), 1: (0, self._column + 1)}.get(
                first, (0, self._width)
            )
            self._erase(self._row, begin, end)
        elif final == "J" and first == 2:
            for row in range(self._height):
                self._erase(row, 0, self._width)

    def _move(self, final: str, by: int) -> None:
        if final in "AB":
            self._row += by if final == "B" else -by
            self._row = min(self._height - 1, max(0, self._row))
        else:
            self._column += by if final == "C" else -by
            self._column = min(self._width - 1, max(0, self._column))

    def _erase(self, row: int, begin: int, end: int) -> None:
        for column in range(begin, min(end, self._width)):
            self._rows[row][column] = " "
