"""A table that changes only the cells that changed, and repaints only those.

Textual's DataTable repaints the whole widget when any cell changes (17 kB a second for forty
rows); this one skips equal cells and refreshes single ones. Rows are known by key, so the
cursor stays on its row when others come and go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.coordinate import Coordinate
from textual.events import Resize
from textual.geometry import Region
from textual.widgets import DataTable

ROWS = 1000
"""More rows are not shown: Textual needs seconds to lay out ten thousand."""


class Column(NamedTuple):
    """One column; the one with ``width`` 0 takes what is left."""

    key: str
    label: str
    width: int
    least: int = 0
    """Hide the column when the table has fewer cells than this."""
    keep_end: bool = False
    """Cut what is too long at its beginning: the end of a qualified name tells it apart. Only a
    StatementList does."""


class LiveTable(DataTable[Text]):
    """Rows of Rich Text by key. Give it all rows each time: it finds the difference."""

    BINDINGS: ClassVar[list[BindingType]] = [
        # DataTable moves to the first and last column with these; there is no column to go to.
        Binding(
            "home", "scroll_top", "first row", show=False, id="list.first", tooltip="The first row"
        ),
        Binding(
            "end", "scroll_bottom", "last row", show=False, id="list.last", tooltip="The last row"
        ),
    ]

    def __init__(self, columns: Sequence[Column], *, id: str) -> None:  # noqa: A002 - Textual's
        self._layout_of = tuple(columns)
        self._shown_columns: tuple[Column, ...] = ()
        self._shown_width = 0
        self._known: dict[str, tuple[Text, ...]] = {}
        self._quiet = False
        self._titles: tuple[Content, Content | None] | None = None
        # Last: it refreshes, and that asks for what was set above.
        super().__init__(id=id, cursor_type="row", zebra_stripes=False, cell_padding=1)

    def refresh(self, *regions: Region, **kwargs: Any) -> LiveTable:
        """Drop the refresh of everything while single cells are being changed."""
        if not (self._quiet and not regions):
            super().refresh(*regions, **kwargs)
        return self

    def entitle(self, title: Content, subtitle: Content | None = None) -> None:
        """Put ``title`` into the upper border and ``subtitle`` into the lower one. Equal ones cost
        nothing, others repaint their border only: Textual would repaint all rows."""
        titles = (title, subtitle)
        before, self._titles = self._titles, titles
        self._quiet = True
        try:
            if before is None or title.markup != before[0].markup:
                self.border_title = title
                self.refresh(Region(-1, -1, self.outer_size.width, 1))
            if before is None or (subtitle and subtitle.markup) != (before[1] and before[1].markup):
                self.border_subtitle = subtitle
                self.refresh(Region(-1, self.outer_size.height - 2, self.outer_size.width, 1))
        finally:
            self._quiet = False

    def on_resize(self, _event: Resize) -> None:
        """Lay the columns out again when the width is another one."""
        # One cell stays free for the scrollbar: the columns must not move when it comes.
        width = self.scrollable_content_region.width - (0 if self.show_vertical_scrollbar else 1)
        if width > 0 and width != self._shown_width:
            self._shown_width = width
            rows = list(self._known.items())
            here = self.current_key
            self._lay_out(width)
            self.show_rows(rows)
            self.go_to(here)

    def _lay_out(self, width: int) -> None:
        self._known = {}
        self.clear(columns=True)
        self._shown_columns = tuple(c for c in self._layout_of if width >= c.least)
        fixed = sum(c.width for c in self._shown_columns) + 2 * len(self._shown_columns)
        for column in self._shown_columns:
            room = column.width or max(10, width - fixed)
            self.add_column(Text(column.label), width=room, key=column.key)

    @property
    def current_key(self) -> str | None:
        """The key of the row under the cursor; None when there is no row."""
        if not self.is_valid_row_index(self.cursor_row):
            return None
        return self.coordinate_to_cell_key(Coordinate(self.cursor_row, 0)).row_key.value

    def go_to(self, key: str | None) -> None:
        """Put the cursor on the row ``key``, when it is there."""
        if key is not None and key in self._known:
            self.move_cursor(row=self.get_row_index(key), animate=False)

    def show_rows(self, rows: Sequence[tuple[str, Sequence[Text]]]) -> None:
        """Show exactly ``rows``, in this order; each is (key, a cell for every column)."""
        wanted = {key: tuple(cells) for key, cells in rows[:ROWS]}
        if not self._shown_columns:
            # Not laid out yet: on_resize comes before the first paint.
            self._known = wanted
            return
        self._remove([key for key in self._known if key not in wanted])
        for key, cells in wanted.items():
            if key in self._known:
                self._change(key, self._known[key], cells)
            else:
                self.add_row(*self._visible(cells), key=key)
        order = {key: place for place, key in enumerate(wanted)}
        # Removing and appending keep the order of the rest: sort only when it is another one.
        kept = [key for key in self._known if key in wanted]
        appended = [key for key in wanted if key not in self._known]
        if kept + appended != list(wanted):
            self._sort_by(order)
        self._known = wanted

    def _visible(self, cells: tuple[Text, ...]) -> list[Text]:
        keys = {column.key for column in self._shown_columns}
        return [c for column, c in zip(self._layout_of, cells, strict=True) if column.key in keys]

    def _remove(self, gone: list[str]) -> None:
        if len(gone) > 50 and len(gone) > len(self._known) // 2:
            here = self.current_key
            self.clear()
            self._known = {k: v for k, v in self._known.items() if k not in gone}
            for key, cells in self._known.items():
                self.add_row(*self._visible(cells), key=key)
            self.go_to(here)
            return
        for key in gone:
            self.remove_row(key)

    def _change(self, key: str, old: tuple[Text, ...], new: tuple[Text, ...]) -> None:
        row = -1
        for column, before, after in zip(self._layout_of, old, new, strict=True):
            if column not in self._shown_columns or same(before, after):
                continue
            self._quiet = True
            try:
                self.update_cell(key, column.key, after)
            finally:
                self._quiet = False
            row = self.get_row_index(key) if row < 0 else row
            self.refresh_coordinate(Coordinate(row, self._shown_columns.index(column)))

    def _sort_by(self, order: dict[str, int]) -> None:
        here = self.current_key
        places = {id(self.get_row(key)[0]): place for key, place in order.items()}
        first = self._shown_columns[0].key
        self.sort(first, key=lambda text: places[id(text)])
        self.move_cursor(row=order.get(here, 0) if here else 0, animate=False)


def same(before: Text, after: Text) -> bool:
    """Return whether two cells look the same."""
    # Text.__eq__ leaves the base style out, and a check may change its colour only.
    return before == after and before.style == after.style
