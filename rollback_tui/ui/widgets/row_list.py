"""What all lists share: of any length, and only what is in sight is made, drawn and sent.

Textual's DataTable needs seconds to lay out ten thousand rows. Here a row is asked for when it
comes into sight; when something changes, the cells in sight are compared with what was drawn,
and only the others are drawn again. The cursor is known by the row's key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple, Self

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

Row = Sequence[Text]
_HEADER = 1
_REMEMBERED = 400
"""Rows that were in sight and stay made; more are forgotten when there are that many."""


class Column(NamedTuple):
    """One column; the one with ``width`` 0 takes what is left."""

    key: str
    label: str
    width: int
    least: int = 0
    """Hide the column when the list has fewer cells than this."""
    keep_end: bool = False
    """Cut what is too long at its beginning: the end of a qualified name tells it apart."""


class _Shown(NamedTuple):
    """A column that has room: its place in the row, its first cell, and how many it has."""

    number: int
    left: int
    width: int
    column: Column


class RowList(ScrollView, can_focus=True):
    """Rows of Rich Text by key, each asked for when it is in sight."""

    GAP: ClassVar[int] = 1
    """Blanks between two columns."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "row-list--header",
        "row-list--cursor",
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

    class OfRow(Message):
        """Something about one row."""

        def __init__(self, control: RowList, key: str) -> None:
            super().__init__()
            self._control = control
            self.key = key

        @property
        def control(self) -> RowList:
            """The list."""
            return self._control

    class Highlighted(OfRow):
        """The cursor stands on another row."""

    class Selected(OfRow):
        """Enter was pressed on a row, or it was clicked under the cursor."""

    def __init__(self, columns: Sequence[Column], *, id: str) -> None:  # noqa: A002 - Textual's
        self._layout_of = tuple(columns)
        self._columns: tuple[_Shown, ...] = ()
        self._keys: Sequence[str] = ()
        self._row: Callable[[int], Row] = lambda _: ()
        self._drawn: dict[int, Row] = {}
        self._cursor = 0
        self._said: tuple[Content, Content] | None = None
        self._quiet = False
        self._empty = Text()
        # Last: it refreshes, and that asks for what was set above.
        super().__init__(id=id)

    def refresh(self, *regions: Region, **kwargs: Any) -> Self:
        """Draw again; not all of it while only the border changes."""
        if regions or not self._quiet:
            super().refresh(*regions, **kwargs)
        return self

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

    def show_made(self, keys: Sequence[str], row: Callable[[int], Row]) -> None:
        """Show one row for each of ``keys``, no key twice; ``row`` makes the cells of one, by its
        place, when it comes into sight.

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

    def say_when_empty(self, words: Text) -> None:
        """Say ``words`` in the place of the first row while there is none, so that nothing there
        does not look like something broken."""
        before, self._empty = self._empty, words
        if not self._keys and not same(before, words):
            self.refresh(Region(0, _HEADER, self.content_region.width, 1))

    def entitle(self, title: Content, subtitle: Content | None = None) -> None:
        """Put ``title`` on the upper border and ``subtitle`` on the lower one. What is there
        already costs nothing, and other words only their border."""
        said = (title, subtitle or Content(""))
        before, self._said = self._said, said
        for place, (old, new) in enumerate(zip(before or (None, None), said, strict=True)):
            if old is not None and old.plain == new.plain and old.spans == new.spans:
                continue
            self._quiet = True
            try:
                # Content, not text: a text on a border would be read as markup.
                if place == 0:
                    self.border_title = new
                else:
                    self.border_subtitle = new
            finally:
                self._quiet = False
            edge = -1 if place == 0 else self.outer_size.height - 2
            self.refresh(Region(-1, edge, self.outer_size.width, 1))

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Take other columns; nothing happens when they are the same."""
        if tuple(columns) != self._layout_of:
            self._layout_of = tuple(columns)
            self._lay_out()

    def _take(self, keys: Sequence[str]) -> None:
        here, known = self.current_key, self._keys
        self._keys = keys
        if len(keys) == len(known) and tuple(keys) == tuple(known):
            return
        if here is not None and not (self._cursor < len(keys) and keys[self._cursor] == here):
            place = next((n for n, key in enumerate(keys) if key == here), None)
            self._cursor = min(self._cursor, max(0, len(keys) - 1)) if place is None else place
        in_sight = self._in_sight()
        moved = [known[place : place + 1] != keys[place : place + 1] for place in in_sight]
        if self.virtual_size.height != len(keys) + _HEADER:
            self.virtual_size = Size(0, len(keys) + _HEADER)
        self._drawn = {
            p: row
            for p, row in self._drawn.items()
            if p < min(len(keys), len(known)) and keys[p] == known[p]
        }
        if True in moved or len(known) != len(keys):
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
        fixed = sum(column.width for _, column in chosen) + self.GAP * (len(chosen) - 1) + 2
        left, found = 1, []
        for number, column in chosen:
            width = column.width or max(10, room - fixed)
            found.append(_Shown(number, left, width, column))
            left += width + self.GAP
        self._columns = tuple(found)
        self.refresh()

    # --- drawing ------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """Return one line: the header, a row in sight, or nothing."""
        width = self.scrollable_content_region.width
        if y < _HEADER:
            style = self.get_component_rich_style("row-list--header")
            return self._strip([Text(c.label) for c in self._layout_of], style, width)
        place = round(self.scroll_y) + y - _HEADER
        if not self._keys and y == _HEADER and self._empty.plain:
            words = f" {_fit(self._empty, max(1, width - 2), at_start=False)}"
            said = Segment(words, self.rich_style + _style(self._empty))
            return Strip([said]).adjust_cell_length(width, self.rich_style)
        if place >= len(self._keys):
            return Strip.blank(width, self.rich_style)
        if place not in self._drawn:
            if len(self._drawn) > _REMEMBERED:
                self._drawn = {}
            self._drawn[place] = self._row(place)
        style = self.rich_style
        if place == self._cursor:
            style = self.get_component_rich_style("row-list--cursor")
        return self._strip(self._drawn[place], style, width, cursor=place == self._cursor)

    def _strip(
        self, row: Sequence[Text], style: Style, width: int, *, cursor: bool = False
    ) -> Strip:
        segments, gap = [Segment(" ", style)], Segment(" " * self.GAP, style)
        for shown in self._columns:
            text = row[shown.number]
            own = _style(text)
            # The cursor's colours win, so that its row can be read in every theme.
            drawn = own + style if cursor else style + own
            fitted = _fit(text, shown.width, at_start=shown.column.keep_end)
            segments += [Segment(fitted, drawn), gap]
        return Strip(segments).adjust_cell_length(width, style)

    # --- cursor -------------------------------------------------------------------------------

    def go_to(self, key: str | None) -> None:
        """Put the cursor on the row ``key``, when it is there."""
        if key is not None and key != self.current_key and key in self._keys:
            self.go_to_row(self._keys.index(key))

    def action_select(self) -> None:
        """Take the row under the cursor."""
        if self.current_key is not None:
            self.post_message(self.Selected(self, self.current_key))

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
        """Put the cursor on the row that was clicked; a click on its own row takes it."""
        offset = event.get_content_offset(self)
        if offset is None or offset.y < _HEADER:
            return
        place = round(self.scroll_y) + offset.y - _HEADER
        if place == self._cursor:
            self.action_select()
        else:
            self.go_to_row(place)


def same(before: Text, after: Text) -> bool:
    """Return whether two cells look the same."""
    # Text.__eq__ leaves the base style out, and a check may change its colour only.
    return before is after or (before == after and before.style == after.style)


def _style(text: Text) -> Style:
    return Style.parse(text.style) if isinstance(text.style, str) else text.style


def _fit(text: Text, room: int, *, at_start: bool) -> str:
    """Return the plain text in exactly ``room`` cells, cut at its end or ``at_start``."""
    plain = text.plain
    if plain.isascii():
        if len(plain) > room:
            return f"…{plain[len(plain) - room + 1 :]}" if at_start else f"{plain[: room - 1]}…"
        return plain.rjust(room) if text.justify == "right" else plain.ljust(room)
    # A name of a thousand wide characters is not measured for the dozen that have room.
    used = cells(plain) if len(plain) <= 2 * room else room + 1
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
