"""What a terminal shows, and the fewest bytes that make it show something else.

Textual sends whole widgets, or whole lines of them, each piece with all its colours. Over a slow
link that is a tenth of a second for one digit that changed. Here every cell is known, so only the
cells that differ are sent, with only the attributes that differ from the ones before them.

Pure: text in, text out. The frames that come in are Textual's own (a cursor position, then styled
text, line for line); what is no frame is refused, and whoever asks sends it as it is.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from rich.cells import get_character_cell_size

_TOKEN = re.compile(
    r"\x1b\[(?P<row>\d+);(?P<column>\d+)H"
    r"|\x1b\[(?P<sgr>[\d;]*)m"
    r"|\x1b\]8;[^\x1b\x07]*(?:\x1b\\|\x07)"
    r"|(?P<text>[^\x00-\x1f]+)"
    r"|\n"
)
_BEGIN = re.compile(r"\x1b\[\d+;\d+H")
_NARROW = re.compile("[ -~\u2500-\u259f·…✓✗→←↑↓↩▸›–—≈×]+")
"""What takes one cell each in every terminal; all else is looked up, one by one."""
_VISIBLE_ON_BLANK = frozenset({"4", "7", "9", "21", "53"})
"""Attributes that a space shows too: underlined, reversed, struck through, overlined."""


class Picture:
    """The cells of a screen: one character and one style (the parameters of an SGR) each.

    The second cell of a wide character is the empty text. None is a cell that nobody knows.
    """

    def __init__(self, width: int, height: int, fill: str | None = None) -> None:
        """``fill``: what is in every cell; None where nobody knows."""
        self.width, self.height = width, height
        self.texts: list[list[str | None]] = [[fill] * width for _ in range(height)]
        self.styles: list[list[str]] = [[""] * width for _ in range(height)]
        self.cursor = (0, 0)
        """Row and column, from 0, where the last frame left it: where text would be put in."""

    def resized(self, width: int, height: int) -> Picture:
        """Return the same picture, cut or with unknown cells at its ends."""
        made = Picture(width, height)
        across = min(width, self.width)
        for row in range(min(height, self.height)):
            made.texts[row][:across] = self.texts[row][:across]
            made.styles[row][:across] = self.styles[row][:across]
        return made

    def take(self, frame: str) -> bool:
        """Put one frame into the picture; False, and nothing is changed, when it is no frame."""
        if not _BEGIN.match(frame):
            return False
        tokens, at = [], 0
        while at < len(frame):
            token = _TOKEN.match(frame, at)
            if token is None:
                return False
            tokens.append(token)
            at = token.end()
        row = column = 0
        style = ""
        for token in tokens:
            kind = token.lastgroup
            if kind == "text":
                column = self._put(row, column, token["text"], style)
            elif kind == "sgr":
                style = token["sgr"]
                style = "" if style == "0" else style
            elif kind == "column":
                row, column = int(token["row"]) - 1, int(token["column"]) - 1
        self.cursor = (min(row, self.height - 1), min(column, self.width - 1))
        return True

    def _put(self, row: int, column: int, text: str, style: str) -> int:
        """Write ``text`` from ``column`` on; return the column behind it."""
        if not 0 <= row < self.height:
            return column
        texts, styles = self.texts[row], self.styles[row]
        if text.isspace():
            style = _on_blank(style)
        cells: list[str | None] = list(text) if _NARROW.fullmatch(text) else _cells(text)
        if column + len(cells) > self.width:
            cells = cells[: max(0, self.width - column)]
            if cells and get_character_cell_size(str(cells[-1])[:1]) > 1:
                cells[-1] = " "
        end = column + len(cells)
        if cells:
            # Half of a wide character cannot stay.
            if texts[column] == "" and column and cells[0] != "":
                texts[column - 1] = " "
            if end < self.width and texts[end] == "":
                texts[end] = " "
            texts[column:end] = cells
            styles[column:end] = [style] * len(cells)
        return end

    def row(self, number: int) -> str:
        """Return the text of one row; what nobody knows is a blank."""
        return "".join(" " if text is None else text for text in self.texts[number])


class Pen:
    """Where the terminal's cursor is, and what it would write with."""

    def __init__(self) -> None:
        self._style: str | None = None
        """None: nobody knows."""
        self._row = self._column = -1
        """A row of -1: nobody knows."""

    def lost(self) -> None:
        """Somebody else has moved it, or the screen is another one."""
        self._style, self._row = None, -1

    def plain(self) -> str:
        """Return what makes it write without any attribute; empty when it does."""
        told = "" if self._style == "" else "\x1b[m"
        self._style = ""
        return told

    def move(self, row: int, column: int) -> str:
        """Return what puts the cursor on a cell; empty when it stands there."""
        if (row, column) == (self._row, self._column):
            return ""
        self._row, self._column = row, column
        return f"\x1b[{row + 1};{column + 1}H"

    def difference(self, wanted: Picture, sent: Picture) -> str:
        """Return what makes a terminal that shows ``sent`` show ``wanted``, and make ``sent`` that.
        Both have the same size. What nobody knows of ``wanted`` stays as it is."""
        told: list[str] = []
        for row in range(wanted.height):
            texts, styles = wanted.texts[row], wanted.styles[row]
            known, before = sent.texts[row], sent.styles[row]
            if texts != known or styles != before:
                for first, last in _changes(texts, styles, known, before):
                    self._draw(told, row, first, last, wanted)
                sent.texts[row], sent.styles[row] = texts.copy(), styles.copy()
        return "".join(told)

    def _draw(self, told: list[str], row: int, first: int, last: int, wanted: Picture) -> None:
        """Draw the cells from ``first`` to before ``last``; they have one style."""
        texts, style = wanted.texts[row], wanted.styles[row][first]
        text = "".join(t for t in texts[first:last] if t)
        told.append(self._way(row, first, texts, wanted.styles[row]))
        if style != self._style and not (text.isspace() and _same_blank(self._style, style)):
            told.append(_change(self._style, style))
            self._style = style
        told.append(text)
        self._row, self._column = row, last
        if last >= wanted.width or len(text) != last - first:
            # At the end, and behind what is wide or combined, terminals do not agree on it.
            self._row = -1

    def _way(self, row: int, column: int, texts: list[str | None], styles: list[str]) -> str:
        """Return the shortest way from where the cursor is."""
        straight = f"\x1b[{row + 1};{column + 1}H"
        if self._row < 0 or row < self._row:
            return straight
        across = column - self._column
        if row > self._row:
            return min(_step(row - self._row, "B") + _across(across), straight, key=len)
        gap = texts[self._column : column]
        # To write again what is there is shorter than to jump over a few.
        if 0 <= across <= _FEW and all(t and t.isascii() for t in gap):
            between = "".join(t or "" for t in gap)
            same = all(s == self._style for s in styles[self._column : column])
            if same or (between.isspace() and _same_blank(self._style, styles[self._column])):
                return between
        return min(_across(across), straight, key=len)


_FEW = 4


def _changes(
    texts: list[str | None], styles: list[str], known: list[str | None], before: list[str]
) -> list[tuple[int, int]]:
    """Return (first, behind the last) of each stretch of one style that differs."""
    found: list[tuple[int, int]] = []
    for column, (text, style, old, was) in enumerate(
        zip(texts, styles, known, before, strict=True)
    ):
        if text is None or (text == old and style == was):
            continue
        if found and found[-1][1] == column and (text == "" or styles[column - 1] == style):
            found[-1] = (found[-1][0], column + 1)
        elif text != "":
            # The second half of a wide one is drawn with its first.
            found.append((column, column + 1))
    return found


def _across(columns: int) -> str:
    return _step(abs(columns), "C" if columns > 0 else "D") if columns else ""


def _step(by: int, final: str) -> str:
    return f"\x1b[{final}" if by == 1 else f"\x1b[{by}{final}"


def _cells(text: str) -> list[str | None]:
    """Return one text a cell: empty behind a wide character; what takes no room of its own
    belongs to the cell before it."""
    found: list[str | None] = []
    for character in text:
        wide = get_character_cell_size(character)
        if wide:
            found += [character] + [""] * (wide - 1)
            continue
        head = next((n for n in range(len(found) - 1, -1, -1) if found[n]), None)
        if head is not None:
            found[head] = f"{found[head]}{character}"
    return found


# --- styles ---------------------------------------------------------------------------------------


class _Style(NamedTuple):
    """An SGR taken apart."""

    attributes: frozenset[str]
    ink: str
    ground: str


@lru_cache(4096)
def _parsed(style: str) -> _Style:
    codes = style.split(";") if style else []
    attributes, ink, ground = [], "", ""
    while codes:
        code = codes.pop(0)
        if code in ("38", "48"):
            length = 2 if codes[:1] == ["5"] else 4
            colour = ";".join([code, *codes[:length]])
            del codes[:length]
            ink, ground = (colour, ground) if code == "38" else (ink, colour)
        elif re.fullmatch(r"3[0-7]|9[0-7]|39", code):
            ink = "" if code == "39" else code
        elif re.fullmatch(r"4[0-7]|10[0-7]|49", code):
            ground = "" if code == "49" else code
        elif code:
            attributes.append(code)
    return _Style(frozenset(attributes), ink, ground)


@lru_cache(4096)
def _change(before: str | None, after: str) -> str:
    """Return the shortest SGR that makes ``after`` of ``before``."""
    if not after:
        return "\x1b[m"
    anew = f"\x1b[0;{after}m"
    if before is None:
        return anew
    old, new = _parsed(before), _parsed(after)
    if old.attributes - new.attributes:
        # Attributes are switched off in ways that not all terminals share, save all at once.
        return anew
    codes = sorted(new.attributes - old.attributes, key=int)
    if new.ink != old.ink:
        codes.append(new.ink or "39")
    if new.ground != old.ground:
        codes.append(new.ground or "49")
    return min(f"\x1b[{';'.join(codes)}m", anew, key=len)


@lru_cache(4096)
def _on_blank(style: str) -> str:
    """Return what a space shows of ``style``."""
    parsed = _parsed(style)
    return style if parsed.attributes & _VISIBLE_ON_BLANK else parsed.ground


@lru_cache(4096)
def _same_blank(before: str | None, after: str) -> bool:
    """Return whether a space looks the same in both."""
    return before is not None and _on_blank(before) == _on_blank(after)
