"""The application's outside: its theme, its characters, its keys, and what leaves for the terminal.

Apart from :mod:`rollback_tui.ui.app` so that a smaller application of the same looks can be made.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from textual import events
from textual.app import App
from textual.binding import Binding
from textual.content import Content
from textual.driver import Driver
from textual.filter import LineFilter

from rollback_tui.config_screen import ThemeName
from rollback_tui.ui import keys
from rollback_tui.ui.glyphs import choose, plain
from rollback_tui.ui.inert import Inert
from rollback_tui.ui.looks import Looks
from rollback_tui.ui.themes import THEMES, Sixteen, palette
from rollback_tui.ui.widgets.too_small import TooSmall, fits

LOOK = 0.25
"""Seconds between two looks at what is shown in a window that is too small."""


class Dressed(App[int]):
    """Looks as ``looks`` say. Without them as on a terminal that can do everything, except that
    NO_COLOR is obeyed."""

    # Of steps and of questions.
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - Textual declares it so
        (0, "-small"),
        (76, "-normal"),
        (110, "-wide"),
        (150, "-broad"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-flat"),
        (22, "-low"),
        (34, "-tall"),
    ]

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
        self._was_covered = False
        choose(looks.glyphs)
        keys.use(looks.keymap)
        self.set_keymap(dict(looks.keymap))
        for theme in THEMES:
            self.register_theme(theme)
        self._put_on()
        # So that the first reading of the rules has the colours of this theme.
        self.stylesheet.set_variables(self.get_css_variables())

    def refresh_css(self, animate: bool = True) -> None:
        """Take other colours. Before there is a screen none has others: Textual would read all
        rules twice more then, a tenth of the time until something is seen."""
        if self.screen_stack:
            super().refresh_css(animate)

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
        before = self.looks
        self._wear(before.next_theme())
        if before.theme != self.looks.theme:
            self.notify(f"Colours: {self.looks.theme}", timeout=3.0, markup=False)
            return
        why = "NO_COLOR is set" if before.depth == "none" else "this terminal has only 16 colours"
        self.notify(plain(f"No other colours: {why}"), timeout=3.0, markup=False)

    def wear(self, theme: ThemeName) -> None:
        """Take ``theme``, one of those that this terminal can show, and keep the choice."""
        self._wear(self.looks.with_theme(theme))

    def _wear(self, looks: Looks) -> None:
        before, self.looks = self.looks, looks
        self.clear_notifications()
        if before.theme != looks.theme:
            self._put_on()

    # --- a window that is too small -----------------------------------------------------------

    def in_brief(self) -> Content:
        """Return what has to be said where there is no room for a screen."""
        raise NotImplementedError

    def leave(self) -> None:
        """End the application."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Look after windows that are too small."""
        self.set_interval(LOOK, self._cover)

    async def on_event(self, event: events.Event) -> None:
        """Let no key reach what cannot be seen, except the one that leaves."""
        blind = self._covered and isinstance(event, events.Key | events.Paste)
        if not blind or event.is_forwarded:
            await super().on_event(event)
        elif isinstance(event, events.Key) and event.key in self._keys_out:
            self.leave()

    @property
    def _covered(self) -> bool:
        return not fits(*self.size) and bool(self.screen_stack)

    @property
    def _keys_out(self) -> set[str]:
        ids = ("app.quit", "app.interrupt", "step.quit")
        return {name for one in ids for name in keys.names(one)}

    def _cover(self) -> None:
        if not self.screen_stack:
            return
        covers = self.screen.query(TooSmall)
        if self._covered:
            if not covers:
                self.screen.mount(TooSmall())
            for cover in covers:
                cover.say(self.in_brief())
        elif covers or self._was_covered:
            for screen in self.screen_stack:
                screen.query(TooSmall).remove()
        self._was_covered = self._covered

    # --- what leaves for the terminal ---------------------------------------------------------

    def get_key_display(self, binding: Binding) -> str:
        """Return the key as people write it, in characters that this terminal has."""
        return plain(keys.shown(binding.key))

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Add the filters that let no control character, and nothing that this terminal cannot
        show, get out."""
        few = [self._sixteen] if self.current_theme.ansi else []
        return [*super().get_line_filters(), *few, self._inert]
