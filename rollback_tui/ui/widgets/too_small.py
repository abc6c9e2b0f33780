"""What stands in a window that is too small for the screens."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from rollback_tui.ui.keys import key
from rollback_tui.ui.looks import LEAST
from rollback_tui.ui.theme import line, lines
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.widgets.status_bar import run_state


def fits(width: int, height: int) -> bool:
    """Return whether the screens can be used in a window of this size."""
    return width >= LEAST[0] and height >= LEAST[1]


class TooSmall(Static):
    """Covers the whole window: a screen of which half is cut off would say what is not so."""

    DEFAULT_CSS = """
    TooSmall {
        overlay: screen;
        position: absolute;
        offset: 0 0;
        width: 100vw;
        height: 100vh;
        max-width: 100vw;
        max-height: 100vh;
        padding: 0;
        background: $background;
        color: $foreground;
    }
    """

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self._said: Content | None = None

    def say(self, content: Content) -> None:
        """Show ``content``; equal content costs nothing."""
        if self._said is None or self._said != content:
            self._said = content
            self.update(content)


def said(walk: Walk, width: int, height: int) -> Content:
    """Return the size that is needed, what the run is doing or asking, and the way out."""
    rows = [line((f"needs {LEAST[0]}×{LEAST[1]}, has {width}×{height}", "strong"))]
    if walk.folder is not None or walk.starting:
        rows.append(line(run_state(walk)))
    view = walk.view
    if view is not None and view.question is not None:
        rows.append(line(("The run asks: ", "warn"), view.question.text))
    elif view is not None and view.finished is not None:
        rows.append(line(view.finished.summary))
    elif walk.running:
        rows.append(line("The run goes on."))
    leave = key("step.quit")
    rows.append(line((f"Make the window larger; {leave} leaves.", "dim")))
    return lines(rows)
