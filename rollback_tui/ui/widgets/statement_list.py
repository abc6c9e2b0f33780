"""The list of statements: of any length, its columns chosen anew by what is known of the plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.content import Content

from rollback_tui.ui.widgets.row_list import Row, RowList


class StatementList(RowList):
    """Rows that are made when they come into sight."""

    def show_rows(self, keys: Sequence[str], row: Callable[[int], Row]) -> None:
        """Show one row for each of ``keys``; ``row`` makes the cells of one, by its place.

        The same ``keys`` object again means the same rows, with cells that may have changed.
        """
        self.show_made(keys, row)

    def say(self, above: Content, below: Content) -> None:
        """Put ``above`` and ``below`` on the border; what is there already costs nothing."""
        self.entitle(above, below)
