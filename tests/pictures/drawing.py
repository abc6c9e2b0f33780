"""A screen as a drawing: what stands in each cell and how it looks, as SVG and back.

Rich can export an SVG, but its bytes belong to Rich: its template, its generated ids, where it cuts
a line in segments. Here only what a person sees is written down, so a drawing changes when the
screen does and not when a library does: a text, its column, its colours, its weight. The files are
a fraction of the size, and can be read back, so that a difference can be said in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape
from typing import NamedTuple
from xml.etree import ElementTree

from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import TerminalTheme

from rollback_tui.core.text import cells

WIDE, HIGH, FONT = 9.64, 19, 16
"""A cell and the height of its letters, in pixels: the proportions of DejaVu Sans Mono."""
EDGE = 10
"""Pixels around the screen."""
FAMILY = "ui-monospace,Menlo,'DejaVu Sans Mono','Liberation Mono',Consolas,monospace"
_NAMESPACE = "http://www.w3.org/2000/svg"
_GAP = re.compile(r" {2,}")


class Look(NamedTuple):
    """How a cell looks."""

    ink: str
    """Colour of the letter, ``#rrggbb``."""
    paper: str
    bold: bool = False
    italic: bool = False
    underline: bool = False
    strike: bool = False


class Piece(NamedTuple):
    """Cells of one line that look alike."""

    row: int
    column: int
    text: str
    look: Look


def pieces(lines: Iterable[Iterable[Segment]], colours: TerminalTheme) -> Iterator[Piece]:
    """Yield what stands on a screen. Where a segment ends inside a look does not matter."""
    for row, line in enumerate(lines):
        column, begun = 0, None
        for segment in line:
            if segment.control or not segment.text:
                continue
            look = _look(segment.style or Style.null(), colours)
            if begun is not None and begun.look == look:
                begun = begun._replace(text=begun.text + segment.text)
            else:
                if begun is not None:
                    yield begun
                begun = Piece(row, column, segment.text, look)
            column += cells(segment.text)
        if begun is not None:
            yield begun


def _look(style: Style, colours: TerminalTheme) -> Look:
    ink, paper = (
        colour.get_truecolor(colours, foreground=foreground).hex
        if colour is not None
        else (colours.foreground_color if foreground else colours.background_color).hex
        for colour, foreground in ((style.color, True), (style.bgcolor, False))
    )
    if style.reverse:
        ink, paper = paper, ink
    return Look(
        ink, paper, bool(style.bold), bool(style.italic), bool(style.underline), bool(style.strike)
    )


def svg(drawn: list[Piece], size: tuple[int, int], title: str) -> str:
    """Return the drawing. ``title`` is what is read aloud to those who do not see it."""
    papers = [piece.look.paper for piece in drawn]
    ground = max(sorted(set(papers)), key=papers.count) if papers else "#000000"
    looks: dict[Look, str] = {}
    rects, texts = [], []
    for piece in drawn:
        x, y = EDGE + piece.column * WIDE, EDGE + piece.row * HIGH
        if piece.look.paper != ground:
            rects.append(
                f'<rect x="{x:.2f}" y="{y}" width="{cells(piece.text) * WIDE:.2f}"'
                f' height="{HIGH}" fill="{piece.look.paper}"/>'
            )
        plain = piece.look._replace(paper="")
        for column, text in _words(piece):
            named = looks.setdefault(plain, f"s{len(looks)}")
            texts.append(
                f'<text class="{named}" x="{EDGE + column * WIDE:.2f}" y="{y + HIGH - 5}"'
                f' textLength="{cells(text) * WIDE:.2f}">{escape(text, quote=False)}</text>'
            )
    css = "".join(_css(name, look) for look, name in looks.items())
    wide, high = size[0] * WIDE + 2 * EDGE, size[1] * HIGH + 2 * EDGE
    return "\n".join(
        [
            f'<svg xmlns="{_NAMESPACE}" viewBox="0 0 {wide:.2f} {high}" width="{wide:.0f}"'
            f' height="{high}" font-family="{FAMILY}" font-size="{FONT}" xml:space="preserve">',
            f"<title>{escape(title, quote=False)}</title>",
            f"<style>text{{white-space:pre}}{css}</style>",
            f'<rect width="100%" height="100%" rx="6" fill="{ground}"/>',
            *rects,
            *texts,
            "</svg>\n",
        ]
    )


def _words(piece: Piece) -> Iterator[tuple[int, str]]:
    """Yield column and text of what is not blank: so a font of another width cannot push it."""
    if piece.look.underline or piece.look.strike:
        yield piece.column, piece.text
        return
    at = 0
    for gap in [*_GAP.finditer(piece.text), None]:
        end = gap.start() if gap else len(piece.text)
        text = piece.text[at:end]
        if text.strip():
            kept = text.lstrip(" ")
            yield piece.column + cells(piece.text[: end - len(kept)]), kept.rstrip(" ")
        at = gap.end() if gap else at


def _css(name: str, look: Look) -> str:
    lines = " ".join(
        word for word, on in (("underline", look.underline), ("line-through", look.strike)) if on
    )
    said = [f"fill:{look.ink}"]
    said += ["font-weight:bold"] if look.bold else []
    said += ["font-style:italic"] if look.italic else []
    said += [f"text-decoration:{lines}"] if lines else []
    return f".{name}{{{';'.join(said)}}}"


# --- read again -------------------------------------------------------------------------------


def rows(drawing: str) -> list[tuple[str, str]]:
    """Return of each line of a drawing its text, and how that looks."""
    tree = ElementTree.fromstring(drawing)
    style = tree.findtext(f"{{{_NAMESPACE}}}style") or ""
    looks = dict(re.findall(r"\.(s\d+)\{([^}]*)\}", style))
    texts: dict[int, str] = {}
    found: dict[int, list[str]] = {}
    for element in tree:
        row = int((float(element.get("y", "-999")) - EDGE) // HIGH)
        column = round((float(element.get("x", "0")) - EDGE) / WIDE)
        if row < 0:
            continue
        if element.tag.endswith("text"):
            text = element.text or ""
            so_far = texts.get(row, "")
            texts[row] = so_far + " " * (column - cells(so_far)) + text
            found.setdefault(row, []).append(f"{text!r}: {looks[element.get('class', '')]}")
        else:
            wide = round(float(element.get("width", "0")) / WIDE)
            found.setdefault(row, []).append(
                f"columns {column} to {column + wide - 1} on {element.get('fill')}"
            )
    last = max([*texts, *found], default=-1)
    return [(texts.get(row, ""), "\n".join(found.get(row, []))) for row in range(last + 1)]


def differences(drawn: str, kept: str) -> list[str]:
    """Return in words what is not as it was, line by line; the words first, then the looks."""
    before, now = rows(kept), rows(drawn)
    said = []
    for number in range(max(len(before), len(now))):
        old, new = (side[number] if number < len(side) else ("", "") for side in (before, now))
        if old[0] != new[0]:
            said += [f"line {number + 1:>2} was  |{old[0]}|", f"        is   |{new[0]}|"]
        elif old[1] != new[1]:
            was, is_ = set(old[1].splitlines()), set(new[1].splitlines())
            said.append(f"line {number + 1:>2} looks different: |{old[0]}|")
            said += [f"        was  {one}" for one in sorted(was - is_)]
            said += [f"        is   {one}" for one in sorted(is_ - was)]
    return said
