"""The last door before the terminal: no control, bidi or zero-width character gets through, and
none that the terminal cannot show (ui.glyphs).

Text is made printable where it enters the program; this filter is for whatever was forgotten.
It keeps each segment's width, so a hostile name cannot move the layout either.
"""

from __future__ import annotations

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from rollback_tui.core.text import printable
from rollback_tui.ui.glyphs import chosen, one_cell


class Inert(LineFilter):
    """Replaces every unsafe character by ``�`` and what cannot be shown by its ASCII form, each as
    wide as the screen believes it to be."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002
        """Return the segments with text that can only be read."""
        if all(segment.control or _harmless(segment.text) for segment in segments):
            return segments
        return [
            segment
            if segment.control or _harmless(segment.text)
            else Segment(_inert(segment.text), segment.style)
            for segment in segments
        ]


def _harmless(text: str) -> bool:
    if text.isascii():
        return text.isprintable()
    return chosen() == "unicode" and printable(text) == text


def _inert(text: str) -> str:
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if printable(character) != character:
        return one_cell("�") * cell_len(character)
    if character.isascii() or chosen() == "unicode":
        return character
    # A wide character takes two cells, a combining one none: so does what stands for it.
    return one_cell(character) * cell_len(character)
