"""The manual guide on the screen: how to go on without the tool, also when nobody can connect."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from rollback_tui.core.text import printable
from rollback_tui.ui.glyphs import plain
from rollback_tui.ui.keys import key
from rollback_tui.ui.requests import Failure
from rollback_tui.ui.theme import line
from rollback_tui.ui.widgets.dialogs import copied
from rollback_tui.ui.widgets.markdown_view import MarkdownView
from rollback_tui.ui.widgets.pane import Pane
from rollback_tui.ui.wording import run_of

if TYPE_CHECKING:
    from rollback_tui.ui.app import RollbackApp

FILE = "RECOVERY.md"
"""The same text in the run's folder."""


class ManualGuide(Pane[None]):
    """The guide of one run, rendered, to scroll through."""

    NAME = "By hand"
    HELP = (
        "How to bring the database back without this tool: this run's own paths, names and "
        "commands, in the order in which to type them. Read it when the console cannot go on, or "
        "when you would rather do it yourself; it changes nothing. The same text is a file in the "
        "run's folder; c copies its path. esc leads back."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,q,m", "close", "close", id="by_hand.close", tooltip="Back to the screen below"
        ),
        Binding(
            "c", "copy", "copy the path", id="by_hand.copy", tooltip="Copy the path of the guide"
        ),
    ]

    def __init__(self, folder: Path, text: str) -> None:
        super().__init__()
        self._folder = folder
        self._text = text

    def compose(self) -> ComposeResult:
        """Title, text, where the file is."""
        with Vertical(id="dialog", classes="-reading -whole"):
            yield Static(
                line((f"By hand: run {run_of(self._folder)}", "strong")), id="dialog-title"
            )
            yield MarkdownView(plain(printable(self._text, keep_lines=True)), id="guide-text")
            yield Static(line(("the same in ", "dim"), str(self._folder / FILE)))
            copy = key("by_hand.copy")
            yield Static(line((f"↑ ↓ scroll · {copy} copies the path · esc closes", "dim")))

    def on_mount(self) -> None:
        """Let the arrows scroll at once."""
        self.query_one("#guide-text").focus()

    def action_copy(self) -> None:
        """Copy the path of the file."""
        path = str(self._folder / FILE)
        copied(self.app, path, path)

    def action_close(self) -> None:
        """Close."""
        self.dismiss(None)

    action_decline = action_close


def show_guide(app: RollbackApp) -> None:
    """Make the guide of the run that is followed, from its journal, and show it."""
    folder = app.guide.walk.undone
    if folder is None:
        app.say("Not now: no run has been started.", "warning")
        return

    def made(text: str) -> None:
        app.push_screen(ManualGuide(folder, text))

    def failed(failure: Failure) -> None:
        said = [f"{failure.summary.rstrip('.')}.", failure.remedy]
        said.append(f"It may still be in {folder / FILE}")
        app.say(" ".join(part for part in said if part), "error")

    app.guide.requests.ask("guide", lambda: app.guide.operations.guide(folder), made, failed)
