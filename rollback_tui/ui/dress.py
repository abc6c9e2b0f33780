"""The application's outside: its theme, its characters, its keys, and what leaves for the terminal.

Apart from :mod:`rollback_tui.ui.app` so that a smaller application of the same looks can be made.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from textual.app import App
from textual.binding import Binding
from textual.driver import Driver
from textual.filter import LineFilter

from rollback_tui.ui import keys
from rollback_tui.ui.glyphs import choose, plain
from rollback_tui.ui.inert import Inert
from rollback_tui.ui.looks import Looks
from rollback_tui.ui.themes import THEMES, Sixteen, palette


class Dressed(App[int]):
    """Looks as ``looks`` say. Without them as on a terminal that can do everything, except that
    NO_COLOR is obeyed."""

    def __init__(
        self, looks: Looks | None = None, *, driver_class: type[Driver] | None = None
    ) -> None:
        if looks is None:
            no_color = "NO_COLOR" in os.environ
            looks = Looks(theme="terminal", depth="none") if no_color else Looks()
        self.looks = looks
        # Textual chooses its filters here, before there is a theme: without this, NO_COLOR
        # becomes computed greys instead of the terminal's own two colours.
        ansi = True if looks.choices == ("terminal",) else None
        super().__init__(driver_class=driver_class, ansi_color=ansi)
        # Every animated scroll is some kilobytes over SSH, and none of them helps.
        self.animation_level = "none"
        self._inert = Inert()
        self._sixteen = Sixteen()
        choose(looks.glyphs)
        keys.use(looks.keymap)
        self.set_keymap(dict(looks.keymap))
        for theme in THEMES:
            self.register_theme(theme)
        self._put_on()

    def _put_on(self) -> None:
        name = f"rollback-{self.looks.theme}"
        theme = self.available_themes[name]
        if not theme.ansi:
            # The app asks for one of the two, by whether its theme is dark.
            self.ansi_theme_dark = self.ansi_theme_light = palette(theme)
        self.theme = name
        self.set_class(theme.ansi, "-ansi")

    def action_next_theme(self) -> None:
        """Take the next theme that this terminal can show, and keep the choice."""
        before, self.looks = self.looks, self.looks.next_theme()
        self.clear_notifications()
        if before.theme != self.looks.theme:
            self._put_on()
            self.notify(f"Colours: {self.looks.theme}", timeout=3.0, markup=False)
            return
        why = "NO_COLOR is set" if before.depth == "none" else "this terminal has only 16 colours"
        self.notify(plain(f"No other colours: {why}"), timeout=3.0, markup=False)

    def get_key_display(self, binding: Binding) -> str:
        """Return the key as people write it, in characters that this terminal has."""
        return plain(keys.shown(binding.key))

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Add the filters that let no control character, and nothing that this terminal cannot
        show, get out."""
        few = [self._sixteen] if self.current_theme.ansi else []
        return [*super().get_line_filters(), *few, self._inert]
