"""The themes: two calm ones, two of high contrast, and the terminal's own sixteen colours.

Every tone of a text can be read on every background it appears on: at least 4.5:1, and 7:1 in
high contrast (WCAG 2.2, 1.4.3 and 1.4.6); a test computes it for all of them.
"""

from __future__ import annotations

from functools import lru_cache

from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import Theme


def _theme(name: str, *, dark: bool, **colours: str) -> Theme:
    """Return a theme of exactly these colours: nothing that can be read is computed from them.

    ``background`` of a screen, ``surface`` of a question, ``panel`` of the header and the keys;
    ``cursor``/``ink`` of the row under the cursor, ``resting`` of that row in a list without
    focus; ``field`` that is being typed in; ``frame`` of a list without focus; the tones by their
    names.
    """
    get = colours.__getitem__
    return Theme(
        name=name,
        dark=dark,
        primary=get("primary"),
        secondary=get("muted"),
        accent=get("accent"),
        success=get("good"),
        warning=get("warn"),
        error=get("bad"),
        foreground=get("foreground"),
        background=get("background"),
        surface=get("surface"),
        panel=get("panel"),
        variables={
            "text-muted": get("muted"),
            "text-success": get("good"),
            "text-warning": get("warn"),
            "text-error": get("bad"),
            "text-accent": get("accent"),
            "text-primary": get("primary"),
            "primary-muted": get("field"),
            "border": get("primary"),
            "border-blurred": get("frame"),
            "block-cursor-background": get("cursor"),
            "block-cursor-foreground": get("ink"),
            "block-cursor-text-style": "none",
            "block-cursor-blurred-background": get("resting"),
            "input-selection-background": get("cursor"),
            "scrollbar": get("frame"),
            "scrollbar-hover": get("muted"),
            "scrollbar-active": get("muted"),
            "scrollbar-background": get("surface"),
            "scrollbar-corner-color": get("surface"),
        },
    )


DARK = _theme(
    "rollback-dark",
    dark=True,
    background="#14181f",
    surface="#191e26",
    panel="#222934",
    foreground="#cdd3dd",
    muted="#98a1b0",
    good="#8cc492",
    warn="#e2bd6d",
    bad="#f08080",
    accent="#7cc7da",
    primary="#8fb4e8",
    cursor="#2e4a6e",
    ink="#ffffff",
    resting="#242c38",
    field="#1d2c47",
    frame="#3d4757",
)
LIGHT = _theme(
    "rollback-light",
    dark=False,
    background="#f6f7f9",
    surface="#ffffff",
    panel="#e7ebf0",
    foreground="#20262e",
    muted="#535e6c",
    good="#226b33",
    warn="#6b4a00",
    bad="#a8211a",
    accent="#0b6278",
    primary="#24518a",
    cursor="#cfe0f5",
    ink="#10161d",
    resting="#e4e9f0",
    field="#d9e6f6",
    frame="#b7c0cc",
)
CONTRAST = _theme(
    "rollback-contrast",
    dark=True,
    background="#000000",
    surface="#000000",
    panel="#1c1c1c",
    foreground="#ffffff",
    muted="#d0d0d0",
    good="#87ff87",
    warn="#ffd75f",
    bad="#ffafaf",
    accent="#87ffff",
    primary="#afd7ff",
    cursor="#ffffff",
    ink="#000000",
    resting="#303030",
    field="#303030",
    frame="#8a8a8a",
)
CONTRAST_LIGHT = _theme(
    "rollback-contrast-light",
    dark=False,
    background="#ffffff",
    surface="#ffffff",
    panel="#eeeeee",
    foreground="#000000",
    muted="#3a3a3a",
    good="#004d00",
    warn="#4d2d00",
    bad="#870000",
    accent="#003d52",
    primary="#002b6e",
    cursor="#000000",
    ink="#ffffff",
    resting="#dadada",
    field="#dadada",
    frame="#6c6c6c",
)
TERMINAL = Theme(
    name="rollback-terminal",
    dark=True,
    ansi=True,
    # Blue on black cannot be read on the Linux console: cyan leads the eye instead.
    primary="ansi_cyan",
    secondary="ansi_default",
    accent="ansi_cyan",
    success="ansi_green",
    warning="ansi_yellow",
    error="ansi_red",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    variables={
        "ansi-background": "ansi_black",
        "ansi-foreground": "ansi_white",
        "text-muted": "ansi_default",
        "text-success": "ansi_green",
        "text-warning": "ansi_yellow",
        "text-error": "ansi_red",
        "text-accent": "ansi_cyan",
        "text-primary": "ansi_cyan",
        "primary-muted": "ansi_default",
        "border": "ansi_cyan",
        "border-blurred": "ansi_default",
        # The style sheet turns these rows over instead (class ``-ansi``).
        "block-cursor-background": "ansi_default",
        "block-cursor-foreground": "ansi_default",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "ansi_default",
        "input-cursor-background": "ansi_default",
        "input-cursor-foreground": "ansi_default",
        "input-cursor-text-style": "reverse",
        "input-selection-background": "ansi_cyan",
        "scrollbar": "ansi_cyan",
        "scrollbar-hover": "ansi_cyan",
        "scrollbar-active": "ansi_cyan",
        "scrollbar-background": "ansi_default",
        "scrollbar-background-hover": "ansi_default",
        "scrollbar-background-active": "ansi_default",
        "scrollbar-corner-color": "ansi_default",
    },
)
"""Nothing computed: what a terminal of 8 or 16 colours has, and what its owner made of them."""

THEMES = (DARK, LIGHT, CONTRAST, CONTRAST_LIGHT, TERMINAL)
"""All of them, in the order of ``ctrl+t``."""


def palette(theme: Theme) -> TerminalTheme:
    """Return what the sixteen ANSI names of table cells become in a theme of RGB colours."""
    tones = theme.variables
    named = (
        *("background", "text-error", "text-success", "text-warning", "text-primary"),
        *("text-primary", "text-accent", "foreground"),
    )
    own = {"background": theme.background or "", "foreground": theme.foreground or ""}
    colours = [Color.parse(own.get(name) or tones[name]).rgb for name in named]
    grey = Color.parse(tones["text-muted"]).rgb
    return TerminalTheme(colours[0], colours[7], colours, [grey, *colours[1:]])


class Sixteen(LineFilter):
    """Leaves only what a terminal of sixteen colours has, each readable there.

    A background is one of the first eight: the codes 100 to 107 are not everywhere. The grey
    (90) is left out: on half of all palettes it is the background.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002
        """Return the segments in those colours."""
        return [
            segment
            if segment.style is None or segment.control
            else Segment(segment.text, _sixteen(segment.style))
            for segment in segments
        ]


_GREY = 8
_DEFAULT = RichColor.default()


@lru_cache(1024)
def _sixteen(style: Style) -> Style:
    ink, ground = style.color, style.bgcolor
    if ink is not None and (ink.triplet is not None or ink.number == _GREY):
        ink = _DEFAULT
    if ground is not None and ground.triplet is not None:
        ground = _DEFAULT
    elif ground is not None and ground.number is not None and ground.number >= _GREY:
        ground = RichColor.from_ansi(ground.number - _GREY)
    changed = style + Style.from_color(ink, ground)
    return changed + Style(dim=False) if changed.dim else changed
