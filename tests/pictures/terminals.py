"""The kinds of terminals that pictures are shown in."""

from __future__ import annotations

from rich.terminal_theme import TerminalTheme

from rollback_tui.ui.looks import Looks

TERMINALS: dict[str, Looks] = {
    "": Looks(),
    "light": Looks(theme="light"),
    "contrast": Looks(theme="contrast"),
    "contrast-light": Looks(theme="contrast-light"),
    "sixteen colours": Looks(theme="terminal", depth="16"),
    "no colours": Looks(theme="terminal", depth="none"),
    "ascii": Looks(glyphs="ascii"),
    "console": Looks(theme="terminal", depth="16", glyphs="console"),
}
"""By the name that a scene gives; nothing is kept, and nothing is asked of the environment."""

COLOURS = TerminalTheme(
    (12, 12, 12),
    (217, 217, 217),
    [
        (26, 26, 26),
        (222, 84, 84),
        (100, 185, 100),
        (205, 165, 70),
        (95, 145, 225),
        (180, 115, 210),
        (75, 175, 190),
        (190, 190, 190),
    ],
    [
        (110, 110, 110),
        (255, 120, 120),
        (150, 230, 150),
        (250, 210, 120),
        (140, 185, 255),
        (215, 160, 240),
        (120, 220, 230),
        (255, 255, 255),
    ],
)
"""A terminal's own colours, where the application leaves the choice to it."""
