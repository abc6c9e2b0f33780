"""The last door before the terminal: no control, bidi or zero-width character gets through.

Text is made printable where it enters the program; this filter is for whatever was forgotten.
It keeps each segment's width, so a hostile name cannot move the layout either.
"""

from __future__ import annotations

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from rollback_tui.core.text import printable


class Inert(LineFilter):
    """Replaces every unsafe character by ``�``, as wide as the screen believes it to be."""

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
    return (text.isascii() and text.isprintable()) or printable(text) == text


def _inert(text: str) -> str:
    return "".join(
        character if printable(character) == character else "�" * cell_len(character)
        for character in text
    )
