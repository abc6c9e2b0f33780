"""Markdown as lines of a width: everything begins at the left, and no word is left out."""

from __future__ import annotations

from typing import ClassVar

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Heading, Markdown, TableElement
from rich.segment import Segment
from rich.table import Table
from rich.theme import Theme

_STYLES: dict[str, str] = {
    "markdown.h1": "bold",
    "markdown.h2": "bold cyan",
    "markdown.h3": "bold",
    "markdown.h4": "bold",
    "markdown.code": "bold",
    "markdown.code_block": "none",
    "markdown.table.border": "bright_black",
    "markdown.table.header": "bright_black",
    "markdown.item.bullet": "cyan",
    "markdown.item.number": "cyan",
    "markdown.link_url": "none",
    "markdown.link": "none",
    "markdown.hr": "bright_black",
}
"""The sixteen ANSI names, as in the cells of lists: the app maps them to the theme's palette."""


class _Left(Heading):
    """The title too begins where the text does."""

    LEVEL_ALIGN: ClassVar = dict.fromkeys(Heading.LEVEL_ALIGN, "left")


class _Rows(TableElement):
    """A table whose cells are folded where they have no room: Rich leaves their ends out."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table."""
        table = Table(
            box=box.SIMPLE_HEAD,
            show_edge=False,
            pad_edge=False,
            collapse_padding=True,
            style="markdown.table.border",
            header_style="markdown.table.header",
        )
        if self.header is not None and self.header.row is not None:
            for column in self.header.row.cells:
                table.add_column(column.content.copy(), overflow="fold")
        for row in self.body.rows if self.body is not None else ():
            table.add_row(*(cell.content for cell in row.cells))
        yield table


class _Report(Markdown):
    elements: ClassVar = {**Markdown.elements, "heading_open": _Left, "table_open": _Rows}


def lines_of(text: str, width: int) -> list[list[Segment]]:
    """Return ``text``, which is printable already, in lines of ``width`` cells. Links are text."""
    console = Console(
        width=width,
        color_system="standard",
        force_terminal=True,
        theme=Theme(_STYLES),
        emoji=False,
        highlight=False,
        markup=False,
    )
    return console.render_lines(_Report(text, code_theme="ansi_dark", hyperlinks=False))
