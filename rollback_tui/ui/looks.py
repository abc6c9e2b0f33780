"""How the screens look on this terminal: recognised, configured, and chosen with ``ctrl+t``.

NO_COLOR, and a terminal of 16 colours or fewer, come before every wish: only the terminal's own
colours can be relied on there. Then what was chosen last, then the configuration, then dark.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from rollback_tui.config_screen import Screen, ThemeName
from rollback_tui.ui.glyphs import Glyphs, recognised
from rollback_tui.ui.keys import checked

Depth = Literal["none", "16", "256", "truecolor"]
"""Colours of a terminal; ``none`` where NO_COLOR asks for none."""

CHOICES: tuple[ThemeName, ...] = ("dark", "light", "contrast", "contrast-light", "terminal")
"""What ``ctrl+t`` goes through."""


LEAST = (60, 20)
"""Columns and rows below which no screen can be used."""


class Looks(NamedTuple):
    """Everything about this terminal that is decided before the first screen."""

    theme: ThemeName = "dark"
    depth: Depth = "truecolor"
    glyphs: Glyphs = "unicode"
    keymap: Mapping[str, str] = {}
    mouse: bool = False
    interval: float = 1.0
    kept: Path | None = None
    """Where a choice is kept; None: nowhere."""
    configured: ThemeName = "auto"

    @property
    def choices(self) -> tuple[ThemeName, ...]:
        """The themes that can be shown here."""
        return CHOICES if self.depth in ("256", "truecolor") else ("terminal",)

    def next_theme(self) -> Looks:
        """Return the looks with the next theme, and keep that choice for the next start."""
        here = self.choices.index(self.theme)
        return self.with_theme(self.choices[(here + 1) % len(self.choices)])

    def with_theme(self, theme: ThemeName) -> Looks:
        """Return the looks with ``theme``, one of the choices, and keep it for the next start."""
        chosen = self._replace(theme=theme)
        if chosen != self:
            _keep(chosen)
        return chosen


def looks(settings: Screen, environment: Mapping[str, str] | None = None) -> Looks:
    """Return the looks for this terminal. Raises ConfigurationError for keys that cannot be."""
    here = os.environ if environment is None else environment
    found = Looks(
        depth=depth(here),
        glyphs=recognised(here if environment is not None else None)
        if settings.glyphs == "auto"
        else settings.glyphs,
        keymap=checked(settings.keys, "keys of the screens"),
        mouse=settings.mouse,
        interval=settings.interval,
        kept=_file(here),
        configured=settings.theme,
    )
    return found._replace(theme=_theme(found))


def depth(environment: Mapping[str, str]) -> Depth:
    """Return how many colours the terminal has, by what it says of itself.

    NO_COLOR with any value (no-color.org) wins, and an empty one too, as it always did here.
    ``TERM`` without a number is taken for the 16 colours that every terminal has.
    """
    if "NO_COLOR" in environment:
        return "none"
    kind = environment.get("TERM", "")
    if kind in ("linux", "dumb", "unknown", ""):
        # The Linux console takes codes of more colours, and makes its own sixteen of them.
        return "16"
    if environment.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return "truecolor"
    return "256" if kind.endswith(("256color", "kitty", "alacritty", "-direct")) else "16"


def _theme(found: Looks) -> ThemeName:
    if found.depth in ("none", "16"):
        return "terminal"
    last = _last(found)
    if last is not None:
        return last
    return "dark" if found.configured == "auto" else found.configured


def _file(environment: Mapping[str, str]) -> Path | None:
    base = state_directory(environment)
    return base / "theme" if base is not None else None


def state_directory(environment: Mapping[str, str]) -> Path | None:
    """Return where choices are kept (XDG Base Directory Specification: a relative path is
    ignored); None: nowhere."""
    base = Path(environment.get("XDG_STATE_HOME") or "")
    if not base.is_absolute():
        home = environment.get("HOME")
        if not home:
            return None
        base = Path(home) / ".local" / "state"
    return base / "rollback-tui"


def _last(found: Looks) -> ThemeName | None:
    """Return what was chosen last; None for nothing, or when the configuration changed since."""
    if found.kept is None:
        return None
    try:
        chosen, _, configured = found.kept.read_text(encoding="ascii")[:100].strip().partition(" ")
    except (OSError, UnicodeDecodeError):
        return None
    name = next((one for one in CHOICES if one == chosen), None)
    return name if configured == found.configured else None


def _keep(chosen: Looks) -> None:
    """Keep the choice for the next start, where there is room for it: a home that cannot be
    written to is no reason to say anything in the middle of a rollback."""
    if chosen.kept is None:
        return
    with contextlib.suppress(OSError):
        chosen.kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = chosen.kept.with_name(f"theme.{os.getpid()}")
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{chosen.theme} {chosen.configured}\n")
        beside.replace(chosen.kept)
