"""Ten thousand statements: opened and scrolled as a hundred are, none hidden."""

from __future__ import annotations

from statistics import median

import pytest

from rollback_tui.core import events as ev
from tests.effort import counted
from tests.ui.fake import World
from tests.ui.samples import many, rehearsal, waits
from tests.ui.steering import Terminal, drive
from tests.ui.test_screens import FOLDER

TOTAL = 10_000
DESTRUCTIVE = (4_000, 7_777, 9_999)


@pytest.fixture
def large(world: World) -> World:
    whole = many(TOTAL, DESTRUCTIVE)
    world.make_plan = lambda _: whole
    return world


async def effort(t: Terminal, key: str, times: int) -> float:
    """How often the program calls something for this key: the median of so many times, for what
    the clock draws anew meanwhile is not the key's. On a busy machine that may be so most of the
    times: the least of three medians, where the first is much. How long it takes is for the
    benchmarks."""
    medians: list[float] = []
    while len(medians) < 3 and min(medians, default=TOTAL) >= TOTAL:
        found = []
        for _ in range(times):
            with counted() as one:
                await t.press(key)
            found.append(one.total)
        medians.append(median(found))
    return min(medians)


def test_opening_looks_at_each_statement_a_few_times(large: World) -> None:
    async def script(t: Terminal) -> None:
        await t.until("1 State ✓")
        with counted() as opening:
            await t.press("3")
            await t.until("10,000 statements, 3 destructive, 3 to review")
        assert TOTAL < opening.total < 30 * TOTAL
        # Only what is in sight is drawn, and a row is no widget.
        assert 0 < opening.of["RowList.render_line"] < 200
        assert len(list(t.app.screen.walk_children())) < 100

    drive(large, script)


def test_a_key_looks_at_what_is_in_sight(large: World) -> None:
    """Less than one call for each statement that there is."""

    async def script(t: Terminal) -> None:
        await t.until("1 State ✓")
        await t.press("3")
        await t.until("10,000 statements, 3 destructive, 3 to review")
        for key in ("down", "pagedown", "up", "pageup", "end", "home", "d", "space", "m"):
            assert await effort(t, key, 5) < TOTAL, key

    drive(large, script)


def test_the_three_that_matter_are_found_with_one_key(large: World) -> None:
    async def script(t: Terminal) -> None:
        await t.until("1 State ✓")
        await t.press("3")
        await t.until("3 to review")
        for index in DESTRUCTIVE:
            await t.press("d")
            await t.until(f"{index} of 10000  DROP TABLE  to review")
        await t.press("d")
        await t.until("4000 of 10000")
        await t.press("D")
        await t.until("9999 of 10000")
        for _ in DESTRUCTIVE:
            await t.press("d", "space")
        await t.until("3 destructive, all reviewed")
        await t.press("d")
        await t.until("Nothing is left that wants your eyes.")

    drive(large, script)


def test_the_last_row_is_there_and_the_cursor_stays_when_answers_come(large: World) -> None:
    async def script(t: Terminal) -> None:
        await t.until("1 State ✓")
        await t.press("3")
        await t.until("3 to review")
        await t.press("end")
        await t.until("version table", "public.schema_migrations")
        await t.press("up", "up")
        await t.until("9999 of 10000")
        large.the_way = (waits(*range(1, TOTAL + 1)),)
        await t.until("10,000 statements blocked now", "✗ blocked 4714", "9999 of 10000")
        assert await effort(t, "up", 5) < TOTAL
        t.app.guide.replace(rehearsal=rehearsal(plan_sha256=t.app.guide.walk.plan.sha256))  # type: ignore[union-attr]
        await t.until("rehearsed on a schema copy", "✗ blocked 4714")

    drive(large, script)


def test_the_console_follows_a_statement_far_down(world: World) -> None:
    whole = many(TOTAL, DESTRUCTIVE)
    world.begin(whole, "a reason")
    world.happen(ev.PhaseStarted(phase="execute"), ev.StatementStarted(index=8_123))

    async def script(t: Terminal) -> None:
        await t.until("statement 8123 of 10000", "▸  8123", seconds=60)
        await t.press("enter")
        await t.until("Statement 8123, line 8123")

    drive(world, script, folder=FOLDER)
