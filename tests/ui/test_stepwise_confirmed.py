"""A plan that is not one transaction is said to be so, and asks for a text of its own."""

from __future__ import annotations

import msgspec
import pytest

from rollback_tui.core.model import Plan
from tests.ui.fake import World, plan
from tests.ui.steering import Terminal, drive
from tests.ui.test_guided_path import REASON, to_confirmation


def not_one_transaction(steps: int = 1) -> Plan:
    made = plan(steps)
    migrations = tuple(
        msgspec.structs.replace(
            m, script=msgspec.structs.replace(m.script, transactional=False) if m.script else None
        )
        for m in made.migrations
    )
    return msgspec.structs.replace(made, migrations=migrations)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_start_works_only_when_it_was_typed_that_it_cannot_be_undone(
    world: World, size: tuple[int, int]
) -> None:
    world.make_plan = not_one_transaction

    async def script(t: Terminal) -> None:
        await to_confirmation(t)
        await t.until("what is done stays done", "cannot be undone")
        await t.press("escape", "3")
        await t.until("NOT ONE TRANSACTION")
        await t.press("4")
        await t.focus("#field-database")
        await t.type(world.the_target.database)
        await t.press("enter")
        await t.type(not_one_transaction().goal or "")
        await t.press("enter")
        await t.type(t.figure)
        await t.press("enter")
        assert t.app.focused is not None
        assert t.app.focused.id == "field-undone"
        await t.focus("#field-reason")
        await t.type(REASON)
        await t.until("the texts do not match yet")
        await t.focus("#field-undone")
        await t.type("cannot be undone")
        await t.until("ready: tab to Start")
        assert world.started == []
        await t.focus("#confirm-yes")
        await t.press("enter")
        await t.until("run: checkpoint")
        await t.press("q", "tab", "enter")

    drive(world, script, size=size)
    assert len(world.started) == 1
    assert world.stepwise_confirmed
