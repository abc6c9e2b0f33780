"""The key c: scripts that have to be captured from the framework itself."""

from __future__ import annotations

import msgspec

from rollback_tui.core.model import Plan
from rollback_tui.frameworks.captured import Capture, Captures
from tests.ui.fake import HOSTILE, World, plan
from tests.ui.steering import Terminal, drive
from tests.ui.test_preview import to_preview as to_statements


def uncaptured(steps: int = 1) -> Plan:
    """The plan of a framework that only runs its down migrations."""
    made = plan(steps)
    missing = tuple(
        msgspec.structs.replace(
            migration, script=None, version_change=(), capturable=True, why_no_script="capture it"
        )
        for migration in made.migrations
    )
    return msgspec.structs.replace(made, migrations=missing)


async def to_preview(t: Terminal) -> None:
    """Step 3 of a plan without a script."""
    await t.until("1 State ✓")
    await t.press("3")
    await t.until("no down migration")


def capture(version: str, refused: str = "") -> Capture:
    return Capture(
        framework="knex",
        version=version,
        path="migrations/1.js",
        file_sha256="ab" * 32,
        applied=(version,),
        target="0123456789ab",
        database="shop",
        command="knex migrate:down",
        made_at="2026-03-14T03:12:09+00:00",
        statements=("drop table t",),
        version_change=("delete from knex_migrations",),
        left_out=((f"select 1 {HOSTILE}", "it only asks the server"),),
        refused=refused,
    )


def test_it_is_offered_goes_on_and_is_the_next_plan(world: World) -> None:
    version = plan().migrations[0].version
    world.make_plan = uncaptured
    world.the_captures = Captures(made=(capture(version),), notes=("a note",))
    world.go_on.clear()

    async def script(t: Terminal) -> None:
        await to_preview(t)
        await t.until("1 script to be captured from the tool itself: c does")
        await t.press("c")
        await t.until("Not now: to capture makes a scratch copy on the server")
        await t.arm()
        await t.press("c")
        await t.until("capturing 00:0", "asking the tool for its status", "x stops it")
        await t.press("r")
        await t.until("Not now: scripts are being captured")
        world.make_plan = plan
        world.go_on.set()
        await t.until("1 script captured", "5 statements")
        await t.press("C")
        shown = await t.until("drop table t", "delete from knex_migrations", "a note")
        assert "left out" in shown

    drive(world, script, size=(80, 24))
    assert [choice.steps for choice in world.captured] == [1]


def test_it_can_be_stopped(world: World) -> None:
    world.make_plan = uncaptured
    world.go_on.clear()

    async def script(t: Terminal) -> None:
        await to_preview(t)
        await t.arm()
        await t.press("c")
        await t.until("capturing")
        await t.press("4")
        await t.until("Step 4 is blocked")
        await t.press("x")
        await t.until("not captured: it was stopped")
        assert world.stopped

    drive(world, script)


def test_what_is_no_script_says_so(world: World) -> None:
    version = plan().migrations[0].version
    world.make_plan = uncaptured
    world.the_captures = Captures(made=(capture(version, "it read rows of users"),))

    async def script(t: Terminal) -> None:
        await to_preview(t)
        await t.arm()
        await t.press("c")
        await t.until("1 migration of 1 cannot be captured")
        await t.press("C")
        await t.until("no script: it read rows of users")

    drive(world, script)


def test_where_nothing_is_to_be_captured_the_key_says_so(world: World) -> None:
    async def script(t: Terminal) -> None:
        await to_statements(t)
        await t.arm()
        await t.press("c")
        await t.until("no migration of this plan has to be captured")
        assert "captured from the tool" not in t.text

    drive(world, script)
