"""How a thing looks: tones instead of colours, glyphs with words, two calm themes.

A *tone* is what a text means (``good``, ``bad`` …). Lines are textual Content with theme
variables; table cells are Rich Text with the sixteen ANSI names, which the app maps to the
same palette. Nothing is said by colour alone: every status has a glyph and a word.
"""

from __future__ import annotations

from typing import Literal

from rich.terminal_theme import TerminalTheme
from rich.text import Text
from textual.content import Content
from textual.theme import Theme

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


DARK = Theme(
    name="rollback-dark",
    dark=True,
    primary="#7aa2d8",
    secondary="#8c9bb5",
    accent="#6cb6c9",
    success="#7fb685",
    warning="#d9b25f",
    error="#e06c6c",
    foreground="#cdd3dd",
    background="#14181f",
    surface="#191e26",
    panel="#222934",
    variables={
        "text-muted": "#808999",
        "text-success": "#8cc492",
        "text-warning": "#e2bd6d",
        "text-error": "#f08080",
        "text-accent": "#7cc7da",
        "text-primary": "#8fb4e8",
        "border": "#7aa2d8",
        "border-blurred": "#333c4a",
        "block-cursor-background": "#2e4a6e",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#242c38",
        "input-selection-background": "#2e4a6e",
        "scrollbar": "#333c4a",
        "scrollbar-hover": "#465265",
        "scrollbar-active": "#5a6980",
        "scrollbar-background": "#191e26",
        "scrollbar-corner-color": "#191e26",
    },
)

LIGHT = Theme(
    name="rollback-light",
    dark=False,
    primary="#2a5c9a",
    secondary="#5c6878",
    accent="#0f6f86",
    success="#2c7a3d",
    warning="#8f6400",
    error="#b3261e",
    foreground="#20262e",
    background="#f6f7f9",
    surface="#ffffff",
    panel="#e7ebf0",
    variables={
        "text-muted": "#5f6b7a",
        "text-success": "#226b33",
        "text-warning": "#805800",
        "text-error": "#b3261e",
        "text-accent": "#0b6278",
        "text-primary": "#24518a",
        "border": "#2a5c9a",
        "border-blurred": "#c3cad4",
        "block-cursor-background": "#cfe0f5",
        "block-cursor-foreground": "#10161d",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#e4e9f0",
        "input-selection-background": "#cfe0f5",
        "scrollbar": "#c3cad4",
        "scrollbar-hover": "#a9b3c0",
        "scrollbar-active": "#8c98a8",
        "scrollbar-background": "#ffffff",
        "scrollbar-corner-color": "#ffffff",
    },
)

PLAIN = "ansi-dark"
"""The theme for NO_COLOR: the terminal's own colours, nothing computed."""


def _terminal(background: str, foreground: str, inks: str) -> TerminalTheme:
    """Return a palette from ``black red green yellow blue magenta cyan white`` and the bright
    ones, each six hex digits."""

    def rgb(digits: str) -> tuple[int, int, int]:
        return int(digits[0:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)

    colours = [rgb(digits) for digits in inks.split()]
    return TerminalTheme(rgb(background), rgb(foreground), colours[:8], colours[8:])


ANSI_DARK = _terminal(
    "14181f",
    "cdd3dd",
    "14181f f08080 8cc492 e2bd6d 8fb4e8 b99ad6 7cc7da cdd3dd"
    " 808999 f59a9a a2d6a8 edd090 a9c6f0 cdb4e4 98d8e8 ffffff",
)
"""What the sixteen ANSI names of table cells become in the dark theme."""

ANSI_LIGHT = _terminal(
    "f6f7f9",
    "20262e",
    "20262e b3261e 226b33 805800 24518a 6f3f98 0b6278 5f6b7a"
    " 5f6b7a c63b33 2f8444 9a6d00 2f64a8 8550b0 0f7892 20262e",
)
"""The same in the light theme."""
