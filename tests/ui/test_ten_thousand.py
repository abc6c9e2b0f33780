"""Ten thousand statements: opened within a second, scrolled without a hitch, none hidden."""

from __future__ import annotations

import time

import pytest

from rollback_tui.core import events as ev
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


async def cost(t: Terminal, *keys: str) -> list[float]:
    """Seconds of this process's own work for each key, sorted; waiting is not counted, so that a
    busy machine changes nothing."""
    times = []
    for key in keys:
        began = time.process_time()
        await t.press(key)
        times.append(time.process_time() - began)
    return sorted(times)


def test_it_opens_within_a_second_and_every_key_is_quick(large: World) -> None:
    async def script(t: Terminal) -> None:
        await t.until("1 State ✓")
        began = time.process_time()
        await t.press("3")
        await t.until("10,000 statements, 3 destructive, 3 to review")
        opened = time.process_time() - began
        keys = ["down"] * 12 + ["pagedown"] * 12 + ["up"] * 5 + ["end", "home"] * 2 + ["d"] * 4
        times = await cost(t, *keys, *["space"] * 6, "m")
        median, worst = times[len(times) // 2], times[-1]
        print(f"10,000 statements: opened in {opened:.2f} s, key {median * 1e3:.0f} ms")
        assert opened < 1
        assert median < 0.05 and worst < 0.5

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
        times = await cost(t, *["up"] * 20)
        assert times[len(times) // 2] < 0.05
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
