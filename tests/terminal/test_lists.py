"""A list looks at what is in sight, however long it is: counted, not timed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from rich.text import Text
from textual import on
from textual.app import App, ComposeResult
from textual.content import Content

from rollback_tui.core.model import TableCount
from rollback_tui.ui.widgets.live_table import Column, LiveTable
from tests.effort import counted
from tests.ui.fake import World, session
from tests.ui.steering import Terminal, drive

TOTAL = 10_000
IN_SIGHT = 20
COLUMNS = (Column("name", "name", 0), Column("age", "age", 6))
Rows = list[tuple[str, tuple[Text, Text]]]


class Listed(App[None]):
    """A list and nothing else; knows what it was told of its rows."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def compose(self) -> ComposeResult:
        yield LiveTable(COLUMNS, id="list")

    @on(LiveTable.Highlighted)
    def _highlighted(self, event: LiveTable.Highlighted) -> None:
        self.told.append(f"on {event.key}")

    @on(LiveTable.Selected)
    def _selected(self, event: LiveTable.Selected) -> None:
        self.told.append(f"took {event.key}")


def rows(number: int, age: int = 1) -> Rows:
    return [(f"k{n}", (Text(f"row {n}"), Text(str(age)))) for n in range(number)]


def listed(
    script: Callable[[LiveTable, Callable[..., Awaitable[None]], Listed], Awaitable[None]],
) -> None:
    """Run ``script`` with a list that shows twenty rows."""
    app = Listed()

    async def run() -> None:
        async with app.run_test(size=(60, IN_SIGHT + 1)) as pilot:

            async def press(*keys: str) -> None:
                await pilot.press(*keys)
                await pilot.pause()

            await script(app.query_one(LiveTable), press, app)

    asyncio.run(run())


def test_ten_thousand_rows_cost_what_is_in_sight() -> None:
    async def script(table: LiveTable, press: Callable[..., Awaitable[None]], app: Listed) -> None:
        every = rows(TOTAL)
        with counted() as first:
            table.show_rows(every)
            await press()
        # Each key is taken once; cells are looked at where there are lines.
        assert first.total < 3 * TOTAL
        assert first.of["same"] == 0
        assert first.of["_fit"] <= 6 * IN_SIGHT
        older = rows(TOTAL, age=2)
        with counted() as again:
            table.show_rows(older)
            await press()
        assert again.of["same"] == 2 * IN_SIGHT
        assert again.of["_fit"] <= 6 * IN_SIGHT
        with counted() as key:
            await press("end")
        assert key.total < 100 * IN_SIGHT
        assert table.current_key == f"k{TOTAL - 1}"

    listed(script)


def test_what_did_not_change_is_not_drawn() -> None:
    async def script(table: LiveTable, press: Callable[..., Awaitable[None]], app: Listed) -> None:
        table.show_rows(rows(40))
        table.entitle(Content("forty"), Content("below"))
        await press()
        with counted() as still:
            table.show_rows(rows(40))
            table.entitle(Content("forty"), Content("below"))
            await press()
        assert still.of["RowList.render_line"] == 0
        changed = rows(40)
        changed[3] = ("k3", (Text("row 3"), Text("9")))
        changed[39] = ("k39", (Text("out of sight"), Text("9")))
        with counted() as one:
            table.show_rows(changed)
            await press()
        assert one.of["RowList.render_line"] == 1

    listed(script)


def test_the_cursor_stays_on_its_row() -> None:
    async def script(table: LiveTable, press: Callable[..., Awaitable[None]], app: Listed) -> None:
        table.show_rows(rows(40))
        await press("down", "down", "enter")
        assert app.told == ["on k0", "on k1", "on k2", "took k2"]
        table.show_rows([("new", (Text("new"), Text("0"))), *reversed(rows(40))])
        await press()
        assert (table.current_key, table.cursor_row) == ("k2", 38)
        # What is gone gives its place to the next; the cursor never leaves the list.
        table.show_rows(rows(2))
        await press()
        assert (table.current_key, table.cursor_row) == ("k1", 1)
        table.show_rows([])
        await press("down", "enter")
        assert table.row_count == 0
        table.go_to("nobody")
        table.show_rows(rows(3))
        table.go_to("k2")
        await press()
        assert table.current_key == "k2"
        assert app.told[-1] == "on k2"

    listed(script)


def test_ten_thousand_tables_and_two_thousand_sessions(world: World) -> None:
    """Counts come one after the other, sessions each second: no list is gone through for each."""
    tables = tuple(
        TableCount(name=f"public.t{n:05}", kind="table", estimate=n, exact=None, bytes=8192)
        for n in range(TOTAL, 0, -1)
    )
    by_name = {table.name: table for table in tables}
    many = tuple(session(4000 + n, "web", "active", "SELECT 1") for n in range(2000))
    world.tables = lambda: tables  # type: ignore[method-assign]
    world.count = lambda table: msgspec.structs.replace(  # type: ignore[method-assign]
        by_name[table], exact=1
    )
    world.sessions = many  # type: ignore[assignment]

    async def script(t: Terminal) -> None:
        with counted() as effort:
            await t.until("300/10,000 counted", "sessions 2,000")
        # Three hundred counts: had each gone through all tables, this would be six million.
        assert effort.total < 200 * TOTAL
        assert effort.of["table_row"] < 300 * IN_SIGHT

    drive(world, script, size=(100, 40))
