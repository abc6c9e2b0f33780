"""What the screens say: labelled numbers, stale data, waiting, failures, hostile names."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from rollback_tui.core import events as ev
from rollback_tui.core.model import Activity, TableCount
from tests.ui.fake import HOSTILE, TABLES, World, check, plan, session, target
from tests.ui.steering import Terminal, drive

FOLDER = Path("/srv/rollback_runs/run-1")
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


def test_nothing_essential_is_cut_at_80_by_24(world: World) -> None:
    async def script(t: Terminal) -> None:
        shown = await t.until("9/100 connections", "2 writers", "longest tx 01:35", "↩ goes")
        assert "shop on db-1.shop.example:5432 as deploy" in shown
        assert "PRODUCTION" in shown and "READ-ONLY" in shown and "no run" in shown
        for step in ("1 State", "2 Safety", "3 Preview", "4 Run", "5 Verify", "6 Report"):
            assert step in shown
        for key in ("/ filter", "K end session", "? help", "n next", "q leave"):
            assert key in shown
        assert "↩ goes  20240115103000" in shown
        assert all(len(row) <= 80 for row in shown.splitlines())
        await t.press("3")
        await t.until("DROP VIEW")
        await t.press("down")
        shown = await t.until("DROP TABLE public.verification_tokens;", "loses 5,321 rows of")
        assert "AccessExclusive" in shown and "1,204 values" in shown

    drive(world, script)


@pytest.mark.parametrize("size", [(60, 20), (40, 10), (200, 60)])
def test_other_sizes_do_not_fail(world: World, size: tuple[int, int]) -> None:
    async def script(t: Terminal) -> None:
        await t.pilot.pause(0.5)
        for step in "23456":
            await t.press(step)
            await t.pilot.pause(0.1)
        if size[0] >= 60:
            for key in ("? help", "b back", "n next", "q leave"):
                assert key in t.text, "the keys that lead on must have room"
        await t.press("question_mark", "escape", "L", "escape")

    drive(world, script, size=size)


def test_an_estimate_is_never_shown_as_exact(world: World) -> None:
    slow: dict[str, TableCount] = {t.name: t for t in TABLES}

    def count(name: str) -> TableCount:
        if name == "public.users":
            return msgspec.structs.replace(slow[name], exact=20_120)
        return slow[name]

    world.count = count  # type: ignore[method-assign]

    async def script(t: Terminal) -> None:
        shown = await t.until("20,120", "1/3 counted · ✗ 2 too long", "~120,345 ✗")
        assert "~120,345" in shown
        [unknown] = [row for row in shown.splitlines() if 'public."order"' in row]
        assert "?" in unknown and " 0 " not in unknown

    drive(world, script)


def test_stale_data_says_since_when_and_why(world: World) -> None:
    async def script(t: Terminal) -> None:
        await t.until("sessions 4")
        world.down = "connection to db-1 refused"
        shown = await t.until("stale since", "connection to db-1 refused")
        assert re.search(r"stale since \d\d:\d\d:\d\d: connection to db-1 refused", shown)
        assert "shop-worker" in shown, "the last data stays"
        world.down = ""
        await t.pilot.pause(1.5)
        await t.until("sessions 4")
        assert "stale since" not in t.text

    drive(world, script)


def test_a_hanging_refresh_is_not_asked_twice(world: World) -> None:
    import threading

    release = threading.Event()
    calls = []
    real = world.activity

    def activity() -> Activity:
        calls.append(1)
        if len(calls) == 2:
            release.wait(10)
        return real()

    world.activity = activity  # type: ignore[method-assign]

    async def script(t: Terminal) -> None:
        await t.until("sessions 4")
        await t.until("no answer from the server yet", seconds=8)
        assert len(calls) == 2
        release.set()
        await t.pilot.pause(0.6)
        assert "no answer" not in t.text

    drive(world, script)


def test_waiting_for_writers_names_them_and_judges_when_they_are_gone(world: World) -> None:
    async def script(t: Terminal) -> None:
        await t.until("1 State ✓")
        await t.press("2", "w")
        await t.until("left waiting for 2 that write: pid 4713 (shop-worker, shop)")
        world.sessions = ()
        await t.until("✓ pass      Nobody writes")
        assert "left waiting" not in t.text

    drive(world, script)


def pids(text: str) -> list[str]:
    """The pids of the list, from top to bottom."""
    return re.findall(r"^│ +(\d{4}) ", text, re.MULTILINE)


def test_filter_sort_and_pause(world: World) -> None:
    async def script(t: Terminal) -> None:
        await t.until("sessions 4")
        await t.press("slash")
        await t.type("backoffice")
        await t.press("enter")
        shown = await t.until("sessions 1", "filter “backoffice”")
        assert "shop-worker" not in shown
        await t.press("escape")
        await t.until("sessions 4")
        await t.press("s")
        await t.until("sessions 4 · longest query")
        assert pids(t.text)[:2] == ["4714", "4712"]
        await t.press("p")
        await t.until("PAUSED (p)")

    drive(world, script)


def test_hostile_names_are_shown_literally(world: World) -> None:
    world.environment = HOSTILE
    world.the_target = target(HOSTILE)
    world.sessions = (session(1, HOSTILE, "active", HOSTILE, user=HOSTILE, writing=True),)
    world.the_checks = (
        check("c", HOSTILE, "fail", summary=HOSTILE, evidence=(HOSTILE,), remedy=HOSTILE),
    )
    world.report_text = HOSTILE
    whole = plan()
    script_of = whole.migrations[0].script
    assert script_of is not None
    statement = msgspec.structs.replace(
        script_of.statements[1],
        sql=HOSTILE,
        effect=msgspec.structs.replace(script_of.statements[1].effect, objects=(HOSTILE,)),
    )
    script_of = msgspec.structs.replace(script_of, statements=(statement,), path=HOSTILE)
    migration = msgspec.structs.replace(
        whole.migrations[0], name=HOSTILE, script=script_of, version_change=(HOSTILE,)
    )
    world.make_plan = lambda _: msgspec.structs.replace(whole, migrations=(migration,))

    async def script(t: Terminal) -> None:
        shown = await t.until("sessions 1", "[/red]")
        assert "[/red]␛" in shown
        for keys in (["enter"], ["escape", "2"], ["o"], ["escape", "3"], ["f"], ["L"], ["escape"]):
            await t.press(*keys)
            await t.pilot.pause(0.2)
            assert not UNSAFE.search(t.text), t.text
        assert "[/red]␛" in t.text

    drive(world, script, size=(120, 40))


def test_hostile_run_and_report(world: World) -> None:
    world.report_text = f"# Report\n\n{HOSTILE} <b>x</b> [click](https://evil.example)\n"
    world.begin(plan(), HOSTILE)
    world.happen(
        ev.Alarm(summary=HOSTILE, remedy=HOSTILE),
        ev.SqlSent(connection="target", sql=HOSTILE),
        ev.Question(name="gate", text=HOSTILE, choices=(HOSTILE, "no"), default="no", seconds=60),
    )

    async def script(t: Terminal) -> None:
        await t.until("The run asks: [/red]", "[bold]")
        assert not UNSAFE.search(t.text), t.text
        await t.press("5")
        await t.until("The run asks: [/red]")
        world.happen(ev.RunFinished(outcome="rolled_back", summary=HOSTILE, report=""))
        world.past = (msgspec.structs.replace(world.summary("rolled_back"), database=HOSTILE),)
        await t.until("6 Report ✓")
        await t.press("6")
        await t.until("Report")
        await t.pilot.pause(0.3)
        assert not UNSAFE.search(t.text), t.text

    drive(world, script, folder=FOLDER, size=(120, 40))


def test_the_worker_is_gone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rollback_tui.ui.following.QUIET", 0.1)
    world.begin(plan(), "a reason")
    world.worker = "dead"

    async def script(t: Terminal) -> None:
        await t.until("THE WORKER IS GONE", "guardian", "NO WORKER", "settle 6f1c")
        world.happen(ev.RunFinished(outcome="unchanged", summary="settled", report=""))
        await t.until("run: unchanged")
        assert "WORKER IS GONE" not in t.text
        await t.until("✗ checkpoint     stopped")
        await t.press("n")
        await t.until("Nothing was verified before")

    drive(world, script, folder=FOLDER)


def test_a_stopped_worker_is_stale_and_neither_dead_nor_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rollback_tui.ui.following.QUIET", 0.1)
    world.begin(plan(), "a reason")
    world.worker = "stopped"

    async def script(t: Terminal) -> None:
        shown = await t.until("STALE: no sign of life since", "process exists (pid 4900)")
        assert "run: STALE" in shown and "kill -CONT 4900" in shown
        assert "rollback-tui settle" not in shown
        world.worker = "running"
        await t.until("run: checkpoint")
        assert "STALE" not in t.text

    drive(world, script, folder=FOLDER)


def test_a_failed_statement_and_what_comes_next(world: World) -> None:
    world.begin(plan(), "a reason")
    world.drain()
    world.execute(2)
    world.fail()

    async def script(t: Terminal) -> None:
        await t.until("2BP01 cannot drop column verified_at", "ALARM maintenance mode is still on")
        await t.until("✗   3", "undone")
        await t.press("5")
        await t.until("Type exactly:", "$ bin/maintenance off", "nothing was changed")

    drive(world, script, folder=FOLDER)


def test_abort_asks_first_and_is_too_late_after_commit(world: World) -> None:
    world.begin(plan(), "a reason")

    async def script(t: Terminal) -> None:
        await t.until("run: checkpoint")
        await t.press("x")
        await t.until("Abort this run?")
        await t.press("enter")
        assert not any(isinstance(r.event, ev.AbortAsked) for r in world.records)
        # The same key again: an abort is quick, because it is safe.
        await t.press("x", "x")
        await t.until("abort asked")
        await t.press("x")
        await t.until("Not now: it is too late")

    drive(world, script, folder=FOLDER)


def test_a_key_held_down_leaves_no_plan_half_done(world: World) -> None:
    world.begin(plan(), "a reason")

    async def script(t: Terminal) -> None:
        await t.until("run: checkpoint")
        world.happen(ev.StepsStarted(backend_pid=4750))
        await t.until("statement by statement")
        await t.press("x")
        await t.until("It stops between two statements.")
        assert "again: Abort" not in t.text
        await t.press("x", "x", "x")
        assert not any(isinstance(r.event, ev.AbortAsked) for r in world.records)
        await t.press("tab", "enter")
        await t.until("abort asked")

    drive(world, script, folder=FOLDER)


def test_an_abort_answered_after_the_end_frightens_nobody(world: World) -> None:
    world.begin(plan(), "a reason")

    async def script(t: Terminal) -> None:
        await t.until("run: checkpoint")
        await t.press("x")
        await t.until("Abort this run?")
        world.happen(ev.RunFinished(outcome="unchanged", summary="settled", report=""))
        await t.until("run: unchanged")
        await t.press("tab", "enter")
        await t.until("Not now: the run has ended.")
        assert not any(isinstance(r.event, ev.AbortAsked) for r in world.records)

    drive(world, script, folder=FOLDER)


def test_a_run_without_an_event_is_not_called_too_late(world: World) -> None:
    async def script(t: Terminal) -> None:
        shown = await t.until("Waiting for the first event", "no limit: q leaves, the run goes on")
        assert "no longer be aborted" not in shown

    drive(world, script, folder=FOLDER)


def test_help_names_every_key_of_the_screen(world: World) -> None:
    async def script(t: Terminal) -> None:
        await t.until("1 State ✓")
        await t.press("question_mark")
        shown = await t.until("Help · 1 State")
        for words in ("Show only what matches all words", "Terminate the session", "not now: this"):
            assert words in shown
        await t.press("ctrl+q")
        assert "Help ·" not in t.text, "ctrl+q inside a dialog closes the dialog only"
        assert t.app.return_value is None

    drive(world, script, size=(120, 40))
