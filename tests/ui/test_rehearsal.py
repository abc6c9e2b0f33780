"""The key r: what it asks, what it says while it goes on, and what it changes on the screen."""

from __future__ import annotations

import pytest

from rollback_tui.core.model import Loss
from tests.ui.fake import SESSIONS, World
from tests.ui.samples import changed_plan, measured, rehearsal
from tests.ui.steering import Terminal, drive
from tests.ui.test_guided_path import to_confirmation
from tests.ui.test_preview import line_of, read, to_preview


async def begin(t: Terminal, source: str = "schema") -> None:
    """Arm, ask for a rehearsal, and choose."""
    await t.arm()
    await t.press("r")
    await t.until("Rehearse on a scratch database?")
    await t.focus(f"#rehearse-{source}")
    await t.press("enter")


def test_it_needs_an_armed_terminal(world: World) -> None:
    async def script(t: Terminal) -> None:
        await to_preview(t)
        await t.press("r")
        await t.until("Not now: a rehearsal makes a scratch database on")
        assert "Rehearse on a scratch" not in t.text

    drive(world, script)


def test_a_read_only_terminal_says_why_not() -> None:
    async def script(t: Terminal) -> None:
        await to_preview(t)
        await t.press("r")
        await t.until("Not now: a rehearsal makes a scratch database, and")

    drive(World(read_only=True), script)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_the_dialog_says_what_each_way_costs_and_enter_chooses_nothing(
    world: World, size: tuple[int, int]
) -> None:
    async def script(t: Terminal) -> None:
        await to_preview(t)
        await t.arm()
        await t.press("r")
        shown = await t.until("schema only", "with the data", "clone", "~182 MiB")
        assert "not now: 4 sessions are connected, and none may be" in shown
        assert "esc cancels" in shown
        await t.press("enter")
        await t.pilot.pause(0.1)
        assert world.rehearsed == []
        world.sessions = tuple(s for s in SESSIONS if s.ours)
        await t.pilot.pause(1.3)
        await t.press("r")
        await t.until("nobody may connect")

    drive(world, script, size=size)


def test_what_was_measured_replaces_the_forecast(world: World) -> None:
    world.the_rehearsal = rehearsal()

    async def script(t: Terminal) -> None:
        await to_preview(t)
        await begin(t)
        await t.until("rehearsed on a schema copy: 5 statements", "1 difference", "(R: all")
        assert world.rehearsed == ["schema"]
        assert "≠" in line_of(t, 3) and " m" in line_of(t, 1)
        assert "RowExclusive" in line_of(t, 4), "the DO block's lock is known now"
        await t.press("down", "down")
        await t.until("≠ not as forecast: wrote public.users anew: no rewrite had been forecast")
        shown = await read(t)
        assert "took 730 ms on a schema copy, rewrote public.users" in shown
        assert "(measured)" in shown
        await t.press("down")
        shown = await read(t)
        assert "deleted 17 rows of public.sessions" in shown
        await t.press("R")
        await t.until("The schema was the same again.", "work_mem is not set", "removed")

    drive(world, script, size=(120, 40))


def test_a_failure_stands_at_its_statement(world: World) -> None:
    failed = measured(
        3, failed='column "verified_at" is used by a view', sqlstate="2BP01", locks=None
    )
    world.the_rehearsal = rehearsal(
        statements=(measured(1), measured(2), failed),
        failure="statement 3 failed",
        round_trip=None,
        differences=(),
    )

    async def script(t: Terminal) -> None:
        await to_preview(t)
        await begin(t)
        await t.until("rehearsed on a schema copy: FAILED after 2 of 5: statement 3 failed")
        assert "✗ failed" in line_of(t, 3)
        await t.press("down", "down")
        await t.until('failed in the rehearsal: 2BP01 column "verified_at" is used')
        await t.press("down")
        await t.until("not reached in the rehearsal: all below is forecast")

    drive(world, script, size=(120, 40))


def test_it_says_what_it_does_and_can_be_stopped(world: World) -> None:
    world.the_rehearsal = rehearsal()
    world.go_on.clear()

    async def script(t: Terminal) -> None:
        await to_preview(t)
        await begin(t, "dump")
        await t.until("rehearsing on the checkpoint 00:0", "statement 1 of 5", "x stops it")
        await t.press("r")
        await t.until("Not now: a rehearsal goes on: x stops it")
        await t.press("4")
        await t.until("Step 4 is blocked: a rehearsal goes on")
        await t.press("x")
        await t.until("not rehearsed: stopped: the rehearsal was stopped")
        assert world.stopped and t.app.guide.walk.rehearsal is None

    drive(world, script)


def test_leaving_stops_it_and_waits_until_it_has_cleaned_up(world: World) -> None:
    world.the_rehearsal = rehearsal()
    world.go_on.clear()

    async def script(t: Terminal) -> None:
        await to_preview(t)
        await begin(t)
        await t.until("rehearsing on a schema copy")
        await t.press("q")
        await t.until("Leave?", "The rehearsal is stopped")
        await t.press("tab", "enter")

    app = drive(world, script)
    app.ended()
    assert world.stopped


def test_while_a_clone_is_made_the_target_is_left_alone(world: World) -> None:
    world.sessions = ()
    world.the_rehearsal = rehearsal()
    world.go_on.clear()

    async def script(t: Terminal) -> None:
        await to_preview(t)
        await t.pilot.pause(1.2)
        await begin(t, "clone")
        await t.until("rehearsing on a copy with its data", "standing still")
        await t.pilot.pause(0.5)
        asked = world.way_asked
        await t.pilot.pause(1.5)
        assert world.way_asked == asked
        world.go_on.set()
        await t.until("rehearsed on a copy with its data")
        await t.pilot.pause(1.5)
        assert world.way_asked > asked and "standing still" not in t.text

    drive(world, script)


def test_a_rehearsal_of_another_plan_is_thrown_away(world: World) -> None:
    world.the_rehearsal = rehearsal()

    async def script(t: Terminal) -> None:
        await to_preview(t)
        await begin(t)
        await t.until("rehearsed on a schema copy")
        await t.press("1")
        await t.focus("#migrations")
        await t.press("end", "enter", "3")
        await t.until("3 migrations")
        assert "rehearsed on" not in t.text and t.app.guide.walk.rehearsal is None

    drive(world, script)


def test_the_confirmation_and_the_run_know_of_it(world: World) -> None:
    world.the_rehearsal = rehearsal()

    async def script(t: Terminal) -> None:
        await to_confirmation(t)
        await t.press("escape", "3", "r")
        await t.until("Rehearse on a scratch database?")
        await t.focus("#rehearse-schema")
        await t.press("enter")
        await t.until("rehearsed on a schema copy")
        await t.press("4")
        await t.until("rehearsed  on a schema copy: 5 statements", "1 difference")

    drive(world, script, size=(120, 40))


def test_an_unknown_loss_stays_unknown_after_a_rehearsal_without_rows(world: World) -> None:
    world.the_rehearsal = rehearsal()
    unknown = changed_plan(
        2, loss=(Loss(kind="rows", relation="public.t", count=None, why="slow"),)
    )
    world.make_plan = lambda _: unknown

    async def script(t: Terminal) -> None:
        await to_preview(t)
        await begin(t)
        await t.until("rehearsed on a schema copy")
        assert "? rows" in line_of(t, 2) and "unknown" in line_of(t, 4)
        await t.press("down")
        await t.until("an unknown number of rows of public.t", "not counted: slow")

    drive(world, script, size=(120, 40))
