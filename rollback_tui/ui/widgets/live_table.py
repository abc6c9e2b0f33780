"""A table that is given all its rows each time, and finds out itself what changed.

Rows are known by key, so the cursor stays on its row when others come and go. Only what is in
sight is compared and drawn: ten thousand rows cost no more than forty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType

from rollback_tui.ui.widgets.row_list import Column as Column
from rollback_tui.ui.widgets.row_list import RowList
from rollback_tui.ui.widgets.row_list import same as same

ROWS = 10_000
"""More rows are not shown: nobody reads them, and each has to be made."""


class LiveTable(RowList):
    """Rows of Rich Text by key. Give it all rows each time."""

    GAP = 2
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "take it", show=False, id="list.select", tooltip="This row"),
    ]

    def __init__(self, columns: Sequence[Column], *, id: str) -> None:  # noqa: A002 - Textual's
        self._rows: Sequence[tuple[str, Sequence[Text]]] = ()
        super().__init__(columns, id=id)

    def show_rows(self, rows: Sequence[tuple[str, Sequence[Text]]]) -> None:
        """Show exactly ``rows``, in this order; each is (key, a cell for every column)."""
        self._rows = rows = rows[:ROWS]
        self.show_made([key for key, _ in rows], lambda place: rows[place][1])
