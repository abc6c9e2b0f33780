"""How a thing looks: tones instead of colours, glyphs with words.

A *tone* is what a text means (``good``, ``bad`` …). Lines are textual Content with theme
variables; table cells are Rich Text with the sixteen ANSI names, which the app maps to the
same palette. Nothing is said by colour alone: every status has a glyph and a word.
"""

from __future__ import annotations

from typing import Literal

from rich.text import Text
from textual.content import Content

from rollback_tui.core.text import printable
from rollback_tui.ui.glyphs import plain

Tone = Literal["plain", "dim", "strong", "good", "warn", "bad", "accent", "alarm", "armed"]

_LINE: dict[Tone, str] = {
    "plain": "",
    "dim": "$text-muted",
    "strong": "bold",
    "good": "$text-success",
    "warn": "$text-warning",
    "bad": "bold $text-error",
    "accent": "$text-accent",
    "alarm": "bold reverse $text-error",
    "armed": "bold reverse $text-warning",
}
_CELL: dict[Tone, str] = {
    "plain": "",
    "dim": "bright_black",
    "strong": "bold",
    "good": "green",
    "warn": "yellow",
    "bad": "bold red",
    "accent": "cyan",
    "alarm": "bold reverse red",
    "armed": "bold reverse yellow",
}

STATUS: dict[str, tuple[str, str, Tone]] = {
    "pass": ("✓", "pass", "good"),
    "warn": ("!", "warn", "warn"),
    "fail": ("✗", "fail", "bad"),
    "unknown": ("?", "unknown", "warn"),
    "overridden": ("o", "aside", "warn"),
    "accepted": ("≈", "accepted", "warn"),
}
"""Glyph, word and tone of a check's status or a verification's verdict."""

PROGRESS: dict[str, tuple[str, Tone]] = {
    "waiting": ("·", "dim"),
    "running": ("▸", "accent"),
    "done": ("✓", "good"),
    "failed": ("✗", "bad"),
    "skipped": ("–", "dim"),
    "rolled back": ("↩", "warn"),
}
"""Glyph and tone of a phase or a statement of a run."""

OUTCOME: dict[str, tuple[str, str, Tone]] = {
    "rolled_back": ("✓", "rolled back and verified", "good"),
    "refused": ("✗", "refused: nothing was touched", "warn"),
    "unchanged": ("↩", "failed: the database is proven unchanged", "warn"),
    "recovered": ("↩", "recovered from the checkpoint", "warn"),
    "needs_operator": ("✗", "needs you: see the next commands", "alarm"),
    "running": ("▸", "running", "accent"),
    "stopped": ("?", "stopped: its process exists and does not answer", "warn"),
    "unfinished": ("?", "unfinished: nothing works on it any more", "bad"),
}
"""Glyph, words and tone of a run's outcome, or of its state in the history."""


def cell(text: object, tone: Tone = "plain", *, right: bool = False) -> Text:
    """Return a table cell: printable on this terminal, on one line, never markup."""
    return Text(
        plain(printable(str(text))),
        style=_CELL[tone],
        no_wrap=True,
        overflow="ellipsis",
        justify="right" if right else "left",
    )


def piece(text: object, tone: Tone = "plain", *, keep_lines: bool = False) -> Content:
    """Return a piece of a line: printable on this terminal, never markup."""
    return Content.styled(plain(printable(str(text), keep_lines=keep_lines)), _LINE[tone])


def line(*pieces: str | tuple[object, Tone] | Content) -> Content:
    """Return the pieces as one Content; a bare string is plain, a pair is (text, tone)."""
    whole = Content("")
    for part in pieces:
        if isinstance(part, Content):
            whole = whole + part
        elif isinstance(part, str):
            whole = whole + piece(part)
        else:
            whole = whole + piece(part[0], part[1])
    return whole


def lines(rows: list[Content]) -> Content:
    """Return the rows below each other."""
    return Content("\n").join(rows)
