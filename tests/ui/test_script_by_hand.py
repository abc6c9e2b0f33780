"""A script given by hand is said to be one on each screen; without a framework, it is typed."""

from __future__ import annotations

import msgspec

from rollback_tui.core.model import Plan
from tests.ui.fake import APPLIED, World, plan
from tests.ui.steering import Terminal, drive
from tests.ui.test_guided_path import REASON, to_confirmation

GIVEN = "/srv/shop/back.sql"


def by_hand(steps: int = 1) -> Plan:
    return msgspec.structs.replace(plan(steps), by_hand=GIVEN)


def alone(steps: int = 1) -> Plan:
    made = by_hand(steps)
    script = msgspec.structs.replace(
        made.migrations[0], version="back.sql", name="given by hand", version_change=()
    )
    return msgspec.structs.replace(
        made,
        framework="script",
        version_table="",
        directory="",
        current=None,
        goal=None,
        migrations=(script,),
        applied=(),
        version_stays="there is no version table",
    )


def test_with_a_framework_only_the_newest_is_taken_back(world: World) -> None:
    world.make_plan = by_hand

    async def script(t: Terminal) -> None:
        await t.until("by hand: the newest", "↩ goes")
        await t.focus("#migrations")
        await t.press("down", "enter")
        await t.until("A script given by hand takes back the newest only.")
        assert len(world.choices) == 1
        await to_confirmation(t)
        await t.until("given by hand", APPLIED[1].version, "type the target version")
        await t.press("escape", "3")
        await t.until(f"BY HAND → {APPLIED[1].version}")

    drive(world, script, size=(120, 40))


def test_without_a_framework_the_name_of_the_script_is_typed(world: World) -> None:
    world.make_plan = alone

    async def script(t: Terminal) -> None:
        shown = await t.until("by hand · history unknown", "back.sql")
        assert "↩" not in shown and "no migration" not in shown
        await to_confirmation(t)
        shown = await t.until("no other version", "type the script's name back.sql")
        assert "target version" not in shown
        for text in (world.the_target.database, "back.sql", t.figure, REASON):
            await t.type(text)
            await t.press("enter")
        await t.until("ready: tab to Start")
        assert world.started == []
        await t.press("escape", "3")
        shown = await t.until("BY HAND → version stays")
        assert "migration" not in shown.splitlines()[2]

    drive(world, script, size=(80, 24))
