"""Two consoles of one run: one is at the controls, the other looks."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollback_tui.core import events as ev
from rollback_tui.core.claim import Controls
from tests.ui.fake import World, plan
from tests.ui.steering import Terminal, drive

FOLDER = Path("/srv/rollback_runs/run-1")
KIM = Controls(mine=False, holder="kim on db-ops", since="03:12:09 UTC")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rollback_tui.ui.following.QUIET", 0.1)


def aborted(world: World) -> bool:
    return any(isinstance(r.event, ev.AbortAsked) for r in world.records)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_the_second_console_only_looks_until_it_takes_over(
    world: World, size: tuple[int, int]
) -> None:
    world.controls = KIM
    world.begin(plan(), "a reason")
    world.drain()
    world.execute()
    world.gate()

    async def script(t: Terminal) -> None:
        await t.until("The run asks", "kim on db-ops is at the controls since 03:12:09 UTC")
        await t.until("only looking")
        await t.press("x")
        await t.until("Not now: read-only: kim on db-ops")
        await t.press("a")
        assert " ARMED " not in t.text
        await t.press("tab", "enter", "tab", "enter")
        assert not aborted(world) and world.approved == []
        await t.press("escape", "t")
        await t.until("Take the controls over?", "unless their link is dead")
        await t.press("enter")
        assert not world.controls.mine, "enter alone takes nothing"
        await t.press("t", "tab", "enter")
        await t.until("This console is at the controls now.")
        assert world.controls.mine
        await t.press("x", "x")
        await t.until("abort asked")

    drive(world, script, folder=FOLDER, size=size)


def test_free_controls_are_offered_and_never_taken_silently(world: World) -> None:
    world.controls = KIM
    world.begin(plan(), "a reason")

    async def script(t: Terminal) -> None:
        await t.until("kim on db-ops is at the controls")
        world.controls = Controls(mine=False)
        await t.until("Nobody is at the controls: t takes them.")
        await t.pilot.pause(0.5)
        assert not world.controls.mine
        await t.press("t")
        await t.until("x aborts it until COMMIT")
        assert world.controls.mine

    drive(world, script, folder=FOLDER)


def test_who_was_taken_over_from_is_told_and_disarmed(world: World) -> None:
    world.begin(plan(), "a reason")

    async def script(t: Terminal) -> None:
        await t.until("x aborts it until COMMIT")
        await t.arm()
        world.controls = KIM
        await t.until("kim on db-ops took the controls over.", "READ-ONLY")
        await t.press("x")
        await t.until("Not now: read-only")
        assert not aborted(world)

    drive(world, script, folder=FOLDER)


def test_the_safe_answer_needs_no_arming_and_the_other_does(world: World) -> None:
    world.begin(plan(), "a reason")
    world.gate()

    async def script(t: Terminal) -> None:
        await t.until("The run asks", "a arms this terminal")
        await t.press("tab", "enter")
        await t.until("commit changes the database: arm this")
        assert world.approved == []
        await t.press("shift+tab", "enter")
        await t.until("Answer: roll back?", "what happens anyway")
        await t.press("tab", "enter")
        await t.until("taken: roll back")
        assert world.approved == ["roll back"]

    drive(world, script, folder=FOLDER)


def test_an_answer_that_came_too_late_is_not_sent(world: World) -> None:
    world.begin(plan(), "a reason")
    world.gate()

    async def script(t: Terminal) -> None:
        await t.until("The run asks")
        await t.press("enter")
        await t.until("Answer: roll back?")
        world.happen(ev.Answered(name="gate", choice="roll back", by="deadline"))
        await t.pilot.pause(0.6)
        await t.press("tab", "enter")
        await t.pilot.pause(0.2)
        assert world.approved == []

    drive(world, script, folder=FOLDER)
