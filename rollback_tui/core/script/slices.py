"""Pieces of a script's file, and the lines they are on."""

from __future__ import annotations

from rollback_tui.core.model import Value


class Slice(Value, frozen=True, kw_only=True):
    """One statement as a piece of the file: ``data[start:end]``, on ``line`` from 1."""

    start: int
    end: int
    line: int


class Lines:
    """Line numbers for offsets that are asked in rising order: linear over the whole file."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._offset = 0
        self._line = 1

    def at(self, offset: int) -> int:
        """Return the line of ``offset``, which must not be before the last one asked."""
        self._line += self._text.count("\n", self._offset, offset)
        self._offset = offset
        return self._line
