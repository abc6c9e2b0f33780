"""A list of any length of which only what is in sight is made, drawn and sent.

Textual's DataTable needs seconds to lay out ten thousand rows. Here a row is asked for when it
comes into sight; when something changes, the cells in sight are compared with what was drawn,
and only the others are sent again. The cursor is known by the row's key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from rollback_tui.core.text import cells
from rollback_tui.ui.widgets.live_table import Column, same

Row = tuple[Text, ...]
_HEADER = 1
_REMEMBERED = 400
"""Rows that were in sight and stay made; more are forgotten when there are that many."""


class _Shown(NamedTuple):
    """A column that has room: its place in the row, its first cell, and how many it has."""

    number: int
    left: int
    width: int
    column: Column


class StatementList(ScrollView, can_focus=True):
    """Rows of Rich Text by key, each asked for when it is in sight."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "statement-list--header",
        "statement-list--cursor",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "up", "move(-1)", "row above", show=False, id="list.above", tooltip="The row above"
        ),
        Binding(
            "down", "move(1)", "row below", show=False, id="list.below", tooltip="The row below"
        ),
        Binding(
            "pageup",
            "page(-1)",
            "page above",
            show=False,
            id="list.page_above",
            tooltip="A page up",
        ),
        Binding(
            "pagedown",
            "page(1)",
            "page below",
            show=False,
            id="list.page_below",
            tooltip="A page down",
        ),
        Binding("home", "first", "first row", show=False, id="list.first", tooltip="The first row"),
        Binding("end", "last", "last row", show=False, id="list.last", tooltip="The last row"),
    ]

    class Highlighted(Message):
        """The cursor stands on another row."""

        def __init__(self, control: StatementList, key: str) -> None:
            super().__init__()
            self._control = control
            self.key = key

        @property
        def control(self) -> StatementList:
            """The list."""
            return self._control

    def __init__(self, columns: Sequence[Column], *, id: str) -> None:  # noqa: A002 - Textual's
        super().__init__(id=id)
        self._layout_of = tuple(columns)
        self._columns: tuple[_Shown, ...] = ()
        self._keys: Sequence[str] = ()
        self._row: Callable[[int], Row] = lambda _: ()
        self._drawn: dict[int, Row] = {}
        self._cursor = 0
        self._said: tuple[Content, Content] | None = None

    # --- what it shows ------------------------------------------------------------------------

    @property
    def row_count(self) -> int:
        """How many rows there are, in sight or not."""
        return len(self._keys)

    @property
    def cursor_row(self) -> int:
        """Where the cursor stands, from 0."""
        return self._cursor

    @property
    def current_key(self) -> str | None:
        """The key of the row under the cursor; None when there is no row."""
        return self._keys[self._cursor] if self._cursor < len(self._keys) else None

    def show_rows(self, keys: Sequence[str], row: Callable[[int], Row]) -> None:
        """Show one row for each of ``keys``; ``row`` makes the cells of one, by its place.

        The same ``keys`` object again means the same rows, with cells that may have changed.
        """
        self._row = row
        if keys is not self._keys:
            self._take(keys)
        for place in self._in_sight():
            if place in self._drawn:
                self._redraw(place, self._drawn[place], row(place))
        # What is out of sight is made again when it comes back.
        self._drawn = {p: self._drawn[p] for p in self._in_sight() if p in self._drawn}

    def say(self, above: Content, below: Content) -> None:
        """Put ``above`` and ``below`` on the border; what is there already costs nothing."""
        if self._said != (above, below):
            self._said = (above, below)
            # Content, not text: a text on a border would be read as markup.
            self.border_title, self.border_subtitle = above, below

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Take other columns; nothing happens when they are the same."""
        if tuple(columns) != self._layout_of:
            self._layout_of = tuple(columns)
            self._lay_out()

    def _take(self, keys: Sequence[str]) -> None:
        here, shown = self.current_key, self._keys
        self._keys = keys
        if tuple(keys) == tuple(shown):
            return
        place = next((n for n, key in enumerate(keys) if key == here), None)
        self._cursor = min(self._cursor, max(0, len(keys) - 1)) if place is None else place
        self._drawn = {}
        self.virtual_size = Size(0, len(keys) + _HEADER)
        self.refresh()
        self._follow()
        if self.current_key is not None and self.current_key != here:
            self.post_message(self.Highlighted(self, self.current_key))

    def _in_sight(self) -> range:
        top = round(self.scroll_y)
        return range(top, min(len(self._keys), top + max(0, self._height - _HEADER)))

    @property
    def _height(self) -> int:
        return self.scrollable_content_region.height

    def _redraw(self, place: int, before: Row, after: Row) -> None:
        self._drawn[place] = after
        y = place - round(self.scroll_y) + _HEADER
        for shown in self._columns:
            if not same(before[shown.number], after[shown.number]):
                self.refresh(Region(shown.left, y, shown.width, 1))

    # --- layout -------------------------------------------------------------------------------

    def on_resize(self, _event: Resize) -> None:
        """Lay the columns out again, and keep the cursor in sight."""
        self._lay_out()
        self._follow()

    def _lay_out(self) -> None:
        # One cell stays free for the scrollbar: the columns must not move when it comes.
        room = self.content_region.width - 1
        chosen = [(n, c) for n, c in enumerate(self._layout_of) if room >= c.least]
        fixed = sum(column.width for _, column in chosen) + len(chosen) + 1
        left, found = 1, []
        for number, column in chosen:
            width = column.width or max(10, room - fixed)
            found.append(_Shown(number, left, width, column))
            left += width + 1
        self._columns = tuple(found)
        self.refresh()

    # --- drawing ------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """Return one line: the header, a row in sight, or nothing."""
        width = self.scrollable_content_region.width
        if y < _HEADER:
            style = self.get_component_rich_style("statement-list--header")
            return self._strip([Text(c.label) for c in self._layout_of], style, width)
        place = round(self.scroll_y) + y - _HEADER
        if place >= len(self._keys):
            return Strip.blank(width, self.rich_style)
        if place not in self._drawn:
            if len(self._drawn) > _REMEMBERED:
                self._drawn = {}
            self._drawn[place] = self._row(place)
        style = self.rich_style
        if place == self._cursor:
            style = self.get_component_rich_style("statement-list--cursor")
        return self._strip(self._drawn[place], style, width, cursor=place == self._cursor)

    def _strip(
        self, row: Sequence[Text], style: Style, width: int, *, cursor: bool = False
    ) -> Strip:
        segments = [Segment(" ", style)]
        for shown in self._columns:
            text = row[shown.number]
            own = Style.parse(text.style) if isinstance(text.style, str) else text.style
            # The cursor's colours win, so that its row can be read in every theme.
            drawn = own + style if cursor else style + own
            fitted = _fit(text, shown.width, at_start=shown.column.keep_end)
            segments += [Segment(fitted, drawn), Segment(" ", style)]
        return Strip(segments).adjust_cell_length(width, style)

    # --- cursor -------------------------------------------------------------------------------

    def go_to(self, key: str | None) -> None:
        """Put the cursor on the row ``key``, when it is there."""
        if key is not None and key != self.current_key and key in self._keys:
            self.go_to_row(self._keys.index(key))

    def go_to_row(self, place: int) -> None:
        """Put the cursor on row ``place``, from 0; beyond the ends, on the first or last."""
        place = max(0, min(len(self._keys) - 1, place))
        if place == self._cursor or not self._keys:
            return
        before, self._cursor = self._cursor, place
        for row in (before, place):
            self.refresh(
                Region(0, row - round(self.scroll_y) + _HEADER, self.content_region.width, 1)
            )
        self._follow()
        self.post_message(self.Highlighted(self, self._keys[place]))

    def _follow(self) -> None:
        """Scroll no more than is needed to have the cursor in sight."""
        rows = self._height - _HEADER
        if rows <= 0:
            return
        top = round(self.scroll_y)
        wanted = min(max(top, self._cursor - rows + 1), self._cursor)
        if wanted != top:
            self.scroll_to(y=wanted, animate=False, force=True)

    def action_move(self, by: int) -> None:
        """Go to the row above (-1) or below (1)."""
        self.go_to_row(self._cursor + by)

    def action_page(self, by: int) -> None:
        """Go a page up (-1) or down (1)."""
        self.go_to_row(self._cursor + by * max(1, self._height - _HEADER - 1))

    def action_first(self) -> None:
        """Go to the first row."""
        self.go_to_row(0)

    def action_last(self) -> None:
        """Go to the last row."""
        self.go_to_row(len(self._keys) - 1)

    def on_click(self, event: Click) -> None:
        """Put the cursor on the row that was clicked."""
        offset = event.get_content_offset(self)
        if offset is not None and offset.y >= _HEADER:
            self.go_to_row(round(self.scroll_y) + offset.y - _HEADER)


def _fit(text: Text, room: int, *, at_start: bool) -> str:
    """Return the plain text in exactly ``room`` cells, cut at its end or ``at_start``."""
    plain, used = text.plain, cells(text.plain)
    if used > room:
        kept: list[str] = []
        used = 1
        for character in reversed(plain) if at_start else plain:
            wide = cells(character)
            if used + wide > room:
                break
            kept.append(character)
            used += wide
        plain = "…" + "".join(reversed(kept)) if at_start else "".join(kept) + "…"
    blank = " " * (room - used)
    return blank + plain if text.justify == "right" else plain + blank
