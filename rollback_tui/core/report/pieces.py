"""Pieces of Markdown. What goes into them is made inert here, or is Markdown already."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rollback_tui.core.text import markdown, printable


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Cells are Markdown already."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def fenced(text: str, language: str = "") -> list[str]:
    """A block of text as it is, with a fence longer than any in it."""
    inert = printable(text, keep_lines=True)
    longest = max((len(run) for run in re.findall(r"`+", inert)), default=0)
    fence = "`" * max(3, longest + 1)
    return [fence + language, *inert.splitlines(), fence]


def code(text: str) -> str:
    """A piece of code in a line, or in the cell of a table."""
    inert = printable(text)
    if "`" in inert or "|" in inert:
        return markdown(inert)
    return f"`{inert}`" if inert else ""
