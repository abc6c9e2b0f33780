"""The whole way from looking to the report, with the keyboard alone."""

from __future__ import annotations

import msgspec
import pytest
from textual.widgets import Input

from rollback_tui.ui.widgets.typed_confirm import FIELDS
from tests.ui.fake import World, plan
from tests.ui.steering import Terminal, drive

REASON = "errors since the deploy"


async def to_confirmation(t: Terminal) -> None:
    """From the first screen to the fields, everything judged, reviewed and armed."""
    await t.until("1 State ✓", "2 Safety")
    await t.press("n")
    await t.until("We may not roll back", "Nobody writes (failed)")
    for name in ("no_writers", "pooler"):
        await set_aside(t, name)
    await t.until("We may roll back (2 set aside, 1 warning)")
    await t.press("n")
    await t.until("3 destructive, 3 to review")
    await t.press("m", "down", "space", "space", "space")
    await t.until("all reviewed")
    await t.press("n")
    await t.until("You are about to roll back", "this terminal is READ-ONLY")
    await t.arm()


async def set_aside(t: Terminal, name: str) -> None:
    await t.select("#checks", name)
    await t.press("o")
    await t.until("Set aside: ")
    await t.type("known and accepted")
    await t.press("tab", "tab", "enter")


async def confirm(t: Terminal) -> None:
    await t.focus("#field-database")
    await t.type("shop")
    await t.press("enter")
    await t.type("20240110090000")
    await t.press("enter")
    await t.type(t.figure)
    await t.press("enter")
    await t.type(REASON)
    await t.until("ready: tab to Start")
    await t.focus("#confirm-yes")
    await t.press("enter")


def test_what_was_typed_for_another_plan_counts_for_nothing(world: World) -> None:
    async def script(t: Terminal) -> None:
        async def type_all() -> None:
            await t.focus("#field-database")
            for text in ("shop", "20240110090000", t.figure, REASON):
                await t.type(text)
                await t.press("enter")
            await t.until("ready: tab to Start")

        await to_confirmation(t)
        await type_all()
        # The same plan read again, with the same figures, takes nothing from the operator.
        t.app.guide.planning.read(t.app.guide.walk.choice)
        await t.until("ready: tab to Start")
        t.app.guide.keep(frozenset({2}))
        await t.until("what was typed is forgotten", "keeps ", "the texts do not match yet")
        await type_all()
        made = world.make_plan
        world.make_plan = lambda steps=1: msgspec.structs.replace(  # type: ignore[misc]
            made(steps), transaction_lock=("SELECT pg_advisory_xact_lock(1)",)
        )
        t.app.guide.planning.read(t.app.guide.walk.choice)
        await t.until("2 checks stand in the way")
        fields = [t.app.screen.query_one(f"#field-{name}", Input) for name in FIELDS]
        assert [field.value for field in fields] == [""] * len(FIELDS)

    drive(world, script, size=(120, 40))
    assert world.started == []


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_whole_path(world: World, size: tuple[int, int]) -> None:
    async def script(t: Terminal) -> None:
        await to_confirmation(t)
        await confirm(t)
        await t.until("run: checkpoint", "elapsed", "dumping public.orders 3 of 12")
        world.drain()
        await t.until("waiting: for writers to finish", "pid 4713, 4714", "maintenance ON")
        world.execute()
        await t.until("5 of 5 done", "door CLOSED", "ALTER DATABASE shop" if size[1] > 30 else "▸")
        world.gate()
        await t.until("The run asks: The schema could not be compared. Commit?", "04:5")
        assert t.app.focused is not None
        assert t.app.focused.id == "choice-0"
        await t.press("tab", "enter")
        await t.until("Answer: commit?", "cannot be taken back")
        await t.press("enter")
        assert world.approved == [], "enter alone answers nothing"
        await t.press("enter")
        await t.until("Answer: commit?")
        await t.press("tab", "enter")
        await t.until("taken: commit")
        assert world.approved == ["commit"]
        world.finish()
        await t.until("rolled back and verified", "run: rolled_back")
        await t.press("n")
        await t.until("Row counts", "unknown", "Schema as it was")
        await t.press("n")
        await t.until("Rollback report", "Rolled back and verified.", "✓ rolled_back")
        await t.press("1", "r")
        # What was planned before the run is not offered as if it were still to come.
        await t.until("↩ gone  20240115103000", "as before the run", "In 1, enter begins another.")
        await t.focus("#migrations")
        await t.press("home", "enter")
        await t.until("It is rolled back already.")
        assert len(world.choices) == 1
        await t.press("q")

    app = drive(world, script, size=size)
    assert app.return_value == 0
    assert app.running_folder is None
    [(confirmed, overrides, reason)] = world.started
    assert confirmed == plan()
    assert overrides == {"no_writers": "known and accepted", "pooler": "known and accepted"}
    assert reason == REASON
    # Nothing of the world was asked on the thread that draws.
    assert world.threads and all(name.startswith("ask-") for name in world.threads)


def test_leaving_a_run_that_goes_on(world: World) -> None:
    async def script(t: Terminal) -> None:
        await to_confirmation(t)
        await confirm(t)
        await t.until("run: checkpoint")
        await t.press("q")
        await t.until("Leave?", "rollback-tui attach", "/srv/rollback_runs/run-1")
        await t.press("enter")
        assert "Leave?" not in t.text, "enter on the first button must stay"
        await t.press("q", "tab", "enter")

    app = drive(world, script)
    assert app.return_value == 0
    assert str(app.running_folder) == "/srv/rollback_runs/run-1"


@pytest.mark.parametrize(
    ("outcome", "code"),
    [("refused", 1), ("unchanged", 3), ("recovered", 4), ("needs_operator", 5)],
)
def test_the_exit_code_is_the_outcome(world: World, outcome: str, code: int) -> None:
    from pathlib import Path

    from rollback_tui.core import events as ev

    world.begin(plan(), "a reason")
    world.happen(
        ev.RunFinished(outcome=outcome, summary="it ended", report="")  # type: ignore[arg-type]
    )

    async def script(t: Terminal) -> None:
        await t.until(f"run: {outcome}")
        await t.press("q")

    assert drive(world, script, folder=Path("/srv/run-1")).return_value == code
