"""Who was told of a run, as it is now: what arrives meanwhile is seen to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual.containers import VerticalScroll
from textual.widgets import Static

from rollback_tui.ui.after import after_of
from rollback_tui.ui.told_words import told
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.widgets.dialogs import Read
from rollback_tui.ui.wording import run_of

if TYPE_CHECKING:
    from rollback_tui.ui.app import RollbackApp


class Told(Read):
    """Every notice of one run, with what became of it at every place."""

    def __init__(self, folder: Path, walk: Walk) -> None:
        """``folder``: that of the run; ``walk``: what is known of it now."""
        self._folder = folder
        self._said = told(after_of(walk, folder))
        super().__init__(f"Who was told of run {run_of(folder)}", self._said)

    def on_mount(self) -> None:
        """Have it asked anew at once."""
        cast("RollbackApp", self.app).guide.afterwards.look()

    def show(self, walk: Walk) -> None:
        """Show what is known now; who has scrolled down stays there."""
        said = told(after_of(walk, self._folder))
        if said != self._said and self.query("#dialog-body"):
            self._said = said
            self.query_one("#dialog-body", VerticalScroll).query_one(Static).update(said)
            self.call_after_refresh(self._say_keys)
