"""Markdown to scroll through: laid out once in a thread, drawn line by line.

Textual's own widget makes a widget of each paragraph and each cell of a table: a report of ten
kilobytes holds the keys up for more than a second. Here a report is a list of lines.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from textual import on
from textual.events import Resize
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip


class _Wanted(NamedTuple):
    text: str
    width: int


class MarkdownView(ScrollView, can_focus=True):
    """Shows Markdown that is printable already. Links are text, and lead nowhere."""

    DEFAULT_CSS = """
    MarkdownView { overflow-x: hidden; overflow-y: auto; scrollbar-size: 0 1; }
    """
    LAYING_OUT: ClassVar[str] = "being laid out …"

    class _Made(Message):
        """A thread has laid a text out."""

        bubble = False

        def __init__(self, wanted: _Wanted, made: list[list[Segment]]) -> None:
            super().__init__()
            self.wanted = wanted
            self.made = made

    def __init__(self, text: str = "", *, id: str) -> None:  # noqa: A002 - Textual's name
        self._text = text
        self._wanted = _Wanted("", 0)
        self._lines: list[list[Segment]] = []
        super().__init__(id=id)

    def show(self, text: str) -> None:
        """Show ``text`` from its beginning; nothing happens when it is shown already."""
        if text != self._text:
            self._text = text
            self._lines = [[Segment(self.LAYING_OUT)]]
            self.scroll_home(animate=False)
            self._lay_out()
            self.refresh()

    def on_resize(self, _event: Resize) -> None:
        """Lay the text out again where the width is another one."""
        self._lay_out()

    def _lay_out(self) -> None:
        # The scrollbar's cell stays free: the lines must not break anew when it comes.
        room = self.scrollable_content_region.width
        width = room if self.show_vertical_scrollbar else room - 1
        wanted = _Wanted(self._text, width)
        if width > 0 and wanted != self._wanted:
            self._wanted = wanted
            self.run_worker(partial(self._make, wanted), thread=True, group="lay out")

    def _make(self, wanted: _Wanted) -> None:
        """In a thread: lay ``wanted`` out, and say so."""
        self.post_message(self._Made(wanted, _laid_out(wanted)))

    @on(_Made)
    def _take(self, message: _Made) -> None:
        # Another text, or another width, may have come first.
        if message.wanted == self._wanted:
            self._lines = message.made
            self.virtual_size = Size(message.wanted.width, len(self._lines))
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return one line of the text, or an empty one below it."""
        width, style = self.scrollable_content_region.width, self.rich_style
        place = round(self.scroll_y) + y
        if place >= len(self._lines):
            return Strip.blank(width, style)
        found = Strip(Segment.apply_style(self._lines[place], style))
        return found.adjust_cell_length(width, style)


def _laid_out(wanted: _Wanted) -> list[list[Segment]]:
    # Only who reads a report pays for the parser, and not on the way to the first screen.
    from rollback_tui.ui.widgets.markdown_lines import lines_of

    return lines_of(wanted.text, wanted.width)
