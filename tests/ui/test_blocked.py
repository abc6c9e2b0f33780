"""What may not be done yet is not done, and the reason is on the screen."""

from __future__ import annotations

from pathlib import Path

import msgspec

from rollback_tui.ui.operations import Choice
from tests.ui.fake import CHECKS, World, check, plan
from tests.ui.steering import Terminal, drive
from tests.ui.test_guided_path import set_aside, to_confirmation


def test_run_is_blocked_by_checks_then_by_statements(world: World) -> None:
    async def script(t: Terminal) -> None:
        await t.until("1 State ✓")
        await t.press("4")
        await t.until("Step 4 is blocked: 2 checks stand in the way (press 2).")
        await t.press("2")
        await t.until("We may not roll back")
        await set_aside(t, "no_writers")
        await set_aside(t, "pooler")
        await t.press("4")
        await t.until("Step 4 is blocked: 3 destructive statements")
        await t.press("3")
        await t.until("Blocked: 3 destructive statements not reviewed")
        await t.press("n", "n", "n")
        shown = await t.until("Not now: 3 destructive statements not reviewed.")
        assert "b back  n next  q leave" in shown, "a message hides the keys"
        assert shown.count("Not now: 3") == 1, "the same message stands there twice"
        await t.press("5")
        await t.until("Step 5 is blocked: no run has been started.")

    drive(world, script)
    assert world.started == []


def test_harmless_statements_are_marked_together_and_others_never(world: World) -> None:
    async def script(t: Terminal) -> None:
        await t.until("1 State ✓")
        await t.press("3", "m")
        await t.until("3 destructive, 3 to review")
        assert t.app.guide.walk.reviewed == {1, 5}
        # From the last row the key goes on to what is left, not nowhere.
        await t.press("end", "space")
        await t.until("2 of 5  DROP TABLE  to review")

    drive(world, script)


def test_a_check_that_can_never_be_set_aside(world: World) -> None:
    world.the_checks = (
        check("not_standby", "This is the primary", "fail", overridable=False),
        *CHECKS[2:],
    )

    async def script(t: Terminal) -> None:
        await t.until("1 State ✓")
        await t.press("2")
        await t.until("This is the primary (failed)", "It can never be set aside.")
        await t.press("o")
        await t.until("can never be set aside.")
        assert len(t.app.screen_stack) == 2 or "Why is it right" not in t.text

    drive(world, script)


def test_a_reason_needs_ten_characters(world: World) -> None:
    async def script(t: Terminal) -> None:
        await t.until("1 State ✓")
        await t.press("2")
        await t.until("We may not roll back")
        # The cursor is on what stands in the way: nobody has to look for it.
        await t.press("o")
        await t.until("Set aside: Nobody writes")
        await t.type("too short")
        await t.until("1 more character ")
        await t.press("tab", "tab", "enter")
        assert t.app.guide.walk.overrides == ()

    drive(world, script)


def test_enter_never_confirms(world: World) -> None:
    async def script(t: Terminal) -> None:
        await to_confirmation(t)
        # Armed: what is typed next goes into the first text, and is not taken for keys.
        assert t.app.focused is not None
        assert t.app.focused.id == "field-database"
        for text in ("shop", "20240110090000", t.figure, "errors since the deploy"):
            await t.type(text)
            await t.press("enter")
        await t.until("ready: tab to Start")
        await t.press("enter", "enter", "enter")
        assert world.started == []
        await t.press("escape")
        assert t.app.focused.id == "confirm-no"
        await t.press("enter")
        await t.until("all reviewed")
        await t.press("n")
        await t.until("the texts do not match yet")

    drive(world, script)
    assert world.started == []


def test_start_is_inert_until_every_text_matches(world: World) -> None:
    async def script(t: Terminal) -> None:
        await to_confirmation(t)
        await t.focus("#field-version")
        await t.type("20240110090000")
        await t.focus("#field-figure")
        await t.type(t.figure)
        await t.focus("#field-reason")
        await t.type("errors since the deploy")
        await t.focus("#field-database")
        button = t.app.screen.query_one("#confirm-yes")
        for wrong in ("S", "hop", "shop", "2"):
            await t.type(wrong)
            await t.until("✗ not the same", "the texts do not match yet")
            assert button.disabled
        await t.press(*["backspace"] * 9)
        await t.type("shop")
        await t.until("ready: tab to Start")
        await t.press("a", "backspace")
        assert not button.disabled

    drive(world, script)


def test_rolling_everything_back_is_confirmed_with_the_word_none(world: World) -> None:
    world.sessions = ()
    world.the_checks = CHECKS[:2]

    async def script(t: Terminal) -> None:
        await t.until("1 State ✓")
        await t.focus("#migrations")
        await t.press("end", "enter")
        await t.until("back: 3 migrations", "1 State ✓")
        assert world.choices[-1] == Choice(steps=3, version=None)
        await t.press("3", "m", "down", "space", "space", "space")
        await t.until("→ none", "all reviewed")
        await t.press("n")
        await t.until("type the target version none")

    drive(world, script)


def test_how_far_back_is_said_by_the_version_that_stays(world: World) -> None:
    async def script(t: Terminal) -> None:
        await t.until("1 State ✓")
        await t.select("#migrations", "20240110090000")
        await t.press("enter")
        await t.until("back: 2 migrations")
        # A number alone would take back more when something was applied or taken back since.
        assert world.choices[-1] == Choice(steps=2, version="20240101120000")
        world.down = "the version is gone"
        await t.press("r")
        await t.until("the version is gone")
        world.down = ""
        await t.press("r")
        await t.until("back: 1 migration ")

    drive(world, script)
    # What was chosen may be gone: the list must come back all the same.
    assert world.choices[-1] == Choice()


def test_a_disarmed_terminal_ends_no_session(world: World) -> None:
    async def script(t: Terminal) -> None:
        await t.until("sessions 4")
        await t.press("K")
        await t.until("Not now: this terminal is READ-ONLY")
        await t.arm()
        await t.until("a disarm")
        await t.select("#sessions", "4711")
        await t.press("K")
        await t.until("End this session?", "pid 4711 (shop-web, shop)")
        await t.press("enter")
        assert world.signals == [], "enter on the first button must leave it"
        await t.press("K", "tab", "enter")
        await t.until("pid 4711 signalled to end")
        await t.press("C", "tab", "enter")
        await t.until("pid 4711 signalled to cancel its query")

    drive(world, script)
    assert world.signals == [("terminate", 4711), ("cancel", 4711)]


def test_a_read_only_terminal_is_never_armed() -> None:
    world = World(read_only=True)

    async def script(t: Terminal) -> None:
        await t.until("1 State ✓")
        await t.press("a")
        await t.until("Not now: this terminal was started read-only.")
        assert not t.app.guide.walk.armed

    drive(world, script)


def test_attached_to_one_run(world: World) -> None:
    world.begin(plan(), "a reason")

    async def script(t: Terminal) -> None:
        await t.until("run: checkpoint", "4 Run")
        await t.press("1")
        await t.until("Step 1 is blocked: this terminal shows one run only")

    drive(world, script, folder=Path("/srv/run-1"))
    # The database itself is never touched by a terminal that only watches a run.
    assert world.threads == set()


def test_reviews_count_for_one_plan_only(world: World) -> None:
    async def script(t: Terminal) -> None:
        await t.until("1 State ✓")
        await t.press("3", "m")
        await t.until("3 to review")
        assert t.app.guide.walk.reviewed
        changed = plan()
        script_of = changed.migrations[0].script
        assert script_of is not None
        other = msgspec.structs.replace(script_of, sha256="99" * 32)
        migration = msgspec.structs.replace(changed.migrations[0], script=other)
        world.make_plan = lambda _: msgspec.structs.replace(changed, migrations=(migration,))
        await t.press("1", "r")
        for _ in range(100):
            await t.pilot.pause(0.02)
            if not t.app.guide.walk.reviewed:
                return
        raise AssertionError("the marks of another script were kept")

    drive(world, script)
