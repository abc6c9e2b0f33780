"""A start beside a run that has no outcome: it is said first, and nothing else is offered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rollback_tui.core.claim import Claim
from rollback_tui.core.errors import RunRefused
from rollback_tui.core.model import Operator
from tests.ui.fake import World, plan, target
from tests.ui.steering import Terminal, drive

FOLDER = "/srv/rollback_runs/20260314_031209_1a2b3c4d"
DEAD = Claim(
    run="1a2b3c4d-0000-4000-8000-000000000000",
    folder=FOLDER,
    target=target(),
    operator=Operator(user="kim", uid=1000, host="ops-1", ssh_connection="10.0.0.7 5 10.0.0.1 22"),
    since=datetime.now(UTC) - timedelta(minutes=14),
    state="dead",
    phase="execute",
    door_closed=True,
    worker_pid=4900,
)


def claim(**changes: Any) -> Claim:
    return msgspec.structs.replace(DEAD, **changes)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rollback_tui.ui.beside.EVERY", 0.1)
    monkeypatch.setattr("rollback_tui.ui.following.QUIET", 0.1)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (60, 20)])
def test_it_says_what_is_so_and_enter_leaves(world: World, size: tuple[int, int]) -> None:
    world.the_claims = (DEAD,)
    world.down = "the database is not currently accepting connections"

    async def script(t: Terminal) -> None:
        shown = await t.until("has no outcome yet", "1a2b3c4d", "kim on ops-1 from 10.0.0.7")
        for words in (" ago", "execute", "CLOSED", "nothing works on it any more", "PRODUCTION"):
            assert words in shown
        for words in ("Leave", "Attach", "Settle"):
            assert words in shown
        assert "1 State" not in shown
        await t.press("2", "n", "b", "4")
        assert "has no outcome yet" in t.text, "no other screen can be reached"
        await t.press("enter")

    app = drive(world, script, size=size, claims=world.the_claims)
    assert app.return_value == 0
    assert world.settled == []


def test_settling_asks_and_then_shows_the_report_and_the_way_on(world: World) -> None:
    world.begin(plan(), "a reason")
    world.the_claims = (DEAD,)

    async def script(t: Terminal) -> None:
        await t.until("has no outcome yet")
        await t.press("S")
        await t.until("Settle run 1a2b3c4d of shop?")
        await t.press("enter")
        assert world.settled == [], "enter alone settles nothing"
        await t.press("S", "tab", "enter")
        await t.until("Rollback report", "run: unchanged")
        assert world.settled == [Path(FOLDER)]
        await t.press("1")
        await t.until("9/100 connections", "↩ goes  20240115103000")

    drive(world, script, claims=world.the_claims)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("running", "is at work and answers"),
        ("stopped", "there must never be two"),
    ],
)
def test_what_may_still_live_is_not_settled(world: World, state: Any, words: str) -> None:
    world.begin(plan(), "a reason")
    world.the_claims = (claim(state=state),)

    async def script(t: Terminal) -> None:
        await t.until("has no outcome yet", words)
        await t.press("S")
        await t.until("only a run that nothing works on any more")
        await t.press("tab", "enter")
        # The button of settle is passed over by tab: this is Attach.
        await t.until("dumping public.orders", "x aborts it")
        await t.press("1")
        await t.until("blocked: the run has the database")
        assert world.settled == []

    drive(world, script, claims=world.the_claims)


def test_a_damaged_journal_is_not_settled(world: World) -> None:
    world.the_claims = (claim(damaged="line 7 is damaged"),)

    async def script(t: Terminal) -> None:
        await t.until("Its journal cannot be trusted", "line 7 is damaged", "docs/recovery.md")
        await t.press("S")
        await t.until("Not now")
        assert world.settled == []

    drive(world, script, claims=world.the_claims)


def test_a_run_that_gets_its_outcome_meanwhile_opens_the_way(world: World) -> None:
    world.the_claims = (claim(state="running"),)

    async def script(t: Terminal) -> None:
        await t.until("has no outcome yet")
        world.the_claims = ()
        await t.until("Run 1a2b3c4d has its outcome now", "9/100 connections")

    drive(world, script, claims=world.the_claims)


def test_several_are_looked_at_one_after_the_other(world: World) -> None:
    other = claim(run="5e6f7a8b-0000-4000-8000-000000000000", state="running", door_closed=False)
    world.the_claims = (DEAD, other)

    async def script(t: Terminal) -> None:
        await t.until("2 runs have no outcome", "1a2b3c4d")
        await t.press("o")
        await t.until("5e6f7a8b", "open: applications can work")
        await t.press("S")
        await t.until("Not now")

    drive(world, script, claims=world.the_claims)


def test_a_settle_that_fails_says_why_and_can_be_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.begin(plan(), "a reason")
    world.the_claims = (DEAD,)
    works = World.settle

    def refuses(self: World, folder: Path) -> None:
        raise RunRefused("another run has shop now", "See it with `rollback-tui attach`.")

    monkeypatch.setattr(World, "settle", refuses)

    async def script(t: Terminal) -> None:
        await t.until("has no outcome yet")
        await t.press("S", "tab", "enter")
        await t.until("another run has shop now", "rollback-tui attach")
        monkeypatch.setattr(World, "settle", works)
        await t.press("S", "tab", "enter")
        await t.until("run: unchanged")

    drive(world, script, claims=world.the_claims)
