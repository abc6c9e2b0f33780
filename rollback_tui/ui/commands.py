"""The commands by name (``ctrl+p``, ``:``): what can be done here and now, and why the rest cannot.

Textual's own palette, with our commands alone: what it offers by itself (taking pictures, enlarging
a widget, its own themes) is of no use at three in the morning. Imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast

from rich.text import Text
from textual import on
from textual.command import (
    CommandInput,
    CommandList,
    CommandPalette,
    DiscoveryHit,
    Hit,
    Hits,
    Provider,
)
from textual.widgets import Input

from rollback_tui.core.text import printable
from rollback_tui.ui.glyphs import plain
from rollback_tui.ui.keys import key
from rollback_tui.ui.screens.help import keys_of
from rollback_tui.ui.screens.step import StepScreen
from rollback_tui.ui.walk import STEPS, blocked

if TYPE_CHECKING:
    from textual.screen import Screen

    from rollback_tui.ui.app import RollbackApp

MEANINGS = (
    "what the database does now; choose how far back",
    "may we roll back?",
    "read every statement",
    "confirm, and watch the run",
    "the proof, and what could undo it",
    "what happened, and earlier runs",
)
"""What one goes to each step for."""
_EVERYWHERE = ("step.", "pane.", "app.")
_ITSELF = (
    *("app.palette", "app.commands", "pane.commands", "step.hide_note"),
    *("dialog.previous", "dialog.following"),
)
"""Not offered: the palette, what is for the eye alone, and moving about in a question."""


class Command(NamedTuple):
    """One line of the palette."""

    name: str
    keys: str
    """The key that does the same; empty where there is none."""
    reason: str
    """Why it cannot be done now; empty when it can."""
    run: Callable[[], object]


def commands(app: RollbackApp, screen: Screen[object]) -> Iterator[Command]:
    """Yield what can be done from ``screen``: its own, then the steps, then everything else."""
    steps = {f"step.{number}" for number in range(1, len(STEPS) + 1)}
    known = sorted(keys_of(screen), key=lambda one: (one.binding.id or "").startswith(_EVERYWHERE))
    for keys, binding, reason in known:
        name = binding.id or ""
        if name in steps or name in _ITSELF:
            continue
        run = partial(_act, app, screen, binding.action, reason)
        yield Command(binding.tooltip or binding.description, keys, reason, run)
    if isinstance(screen, StepScreen):
        for number, (title, meaning) in enumerate(zip(STEPS, MEANINGS, strict=True), 1):
            reason = blocked(app.guide.walk, number)
            go = partial(app.go_to_step, number)
            yield Command(f"{number} {title}: {meaning}", key(f"step.{number}"), reason, go)
        if app.guide.walk.undone is not None:
            yield Command("The guide by hand of this run", "", "", partial(_by_hand, app))
    for theme in app.looks.choices:
        if theme != app.looks.theme:
            yield Command(f"Colours: {theme}", "", "", partial(app.wear, theme))


def _act(app: RollbackApp, screen: Screen[object], action: str, reason: str) -> object:
    if reason:
        app.say(f"Not now: {reason}.", "warning")
        return None
    return app.run_action(action, screen)


def _by_hand(app: RollbackApp) -> None:
    from rollback_tui.ui.screens.by_hand import show_guide

    show_guide(app)


def matching(found: Iterable[Command], query: str) -> list[Command]:
    """Return the commands that have every word of ``query`` in them: those that begin with its
    first word come first, else in the order of the screen."""
    words = query.casefold().split()

    def fits(command: Command) -> bool:
        text = f"{command.name} {command.keys}".casefold()
        return all(word in text for word in words)

    def later(command: Command) -> bool:
        return bool(words) and not command.name.casefold().startswith(words[0])

    return sorted(filter(fits, found), key=later)


class Here(Provider):
    """Finds commands by any part of their words, as typed; in the order of the screen."""

    def _commands(self) -> Iterator[Command]:
        return commands(cast("RollbackApp", self.app), self.screen)

    async def discover(self) -> Hits:
        """Offer everything, before anything is typed."""
        for command in self._commands():
            yield DiscoveryHit(_row(command), command.run, text=plain(printable(command.name)))

    async def search(self, query: str) -> Hits:
        """Offer what has every word of ``query`` in it."""
        for place, command in enumerate(matching(self._commands(), query)):
            name = plain(printable(command.name))
            yield Hit(1 - place / 10_000, _row(command), command.run, text=name)


def _row(command: Command) -> Text:
    # Rich's text is taken as it is; a string would be markup.
    row = Text(f"{plain(printable(command.keys)):>6}  ", style="bold")
    row.append(plain(printable(command.name)), style="not bold")
    if command.reason:
        row.append(plain(printable(f"  (not now: {command.reason})")), style="not bold dim")
    return row


class Palette(CommandPalette):
    """Textual's palette, calm: its cursor does not blink, and nothing in it moves by itself."""

    CSS = """
    Palette SearchIcon { display: none; }
    Palette LoadingIndicator { display: none; }
    Palette > Vertical { margin-top: 1; }
    Palette #--input { border: none; background: $panel; padding: 0 1; }
    Palette CommandInput, Palette CommandInput:focus { border: none; background: $panel; }
    Palette CommandList { border: none; max-height: 18; background: $surface; scrollbar-size: 1 1; }
    Palette CommandList > .option-list--option { text-style: none; padding: 0 1; }
    """

    def __init__(self) -> None:
        super().__init__(
            providers=[Here], placeholder=plain("what to do: type, ↑ ↓, enter; esc leaves")
        )

    def on_mount(self) -> None:
        """Let the cursor stand still."""
        self.query_one(CommandInput).cursor_blink = False

    @on(Input.Submitted)
    def _take(self, event: Input.Submitted) -> None:
        """Do what was typed. On a slow link the words and enter arrive in one piece: then the list
        is still that of the words before, and what is marked in it was not meant."""
        event.stop()
        event.prevent_default()
        calling = self.app.screen_stack[-2]
        found = matching(commands(cast("RollbackApp", self.app), calling), event.value)
        listed = self.query_one(CommandList)
        marked = ""
        if listed.highlighted is not None:
            option = listed.get_option_at_index(listed.highlighted)
            marked = str(getattr(getattr(option, "hit", None), "text", ""))
        names = {plain(printable(one.name)): one for one in found}
        chosen = names.get(marked) or (found[0] if found and event.value.strip() else None)
        if chosen is not None:
            self.dismiss()
            self.app.call_later(chosen.run)

    def action_decline(self) -> None:
        """Close without doing anything."""
        self.dismiss(None)
