"""Screen 5 when the run has ended: the ladder, the guide by hand, the application's logs."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from rollback_tui.core import events as ev
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.logs import LogLine
from rollback_tui.core.recovery import LostRows
from rollback_tui.core.run_view import RunSummary
from rollback_tui.run.by_hand import guide as by_hand
from rollback_tui.ui.app import RollbackApp
from rollback_tui.ui.log_lines import KEPT, LogLines, _judged, looks_wrong
from rollback_tui.ui.screens.by_hand import FILE
from rollback_tui.ui.screens.ladder import rung_text
from rollback_tui.ui.walk import Walk, may_not_undo
from rollback_tui.ui.widgets.proof_items import items, lost_text
from rollback_tui.ui.widgets.run_lines import log_line
from tests.core.example import records, view
from tests.ui.fake import HOSTILE, World, plan
from tests.ui.samples import rungs
from tests.ui.steering import Terminal, drive

FOLDER = Path("/srv/rollback_runs/20260314_031209_ab12cd34")
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
LOG = "/srv/shop/log/production.log"


def ended(world: World) -> None:
    world.begin(plan(), "a reason")
    world.drain()
    world.execute()
    world.gate()
    world.finish()


async def to_ladder(t: Terminal) -> None:
    await t.until("run: rolled_back")
    await t.press("5", "u")
    await t.until("Undo run ab12cd34")


def test_a_rung_is_taken_only_armed_with_its_text_typed_and_followed_as_a_run(
    world: World,
) -> None:
    ended(world)
    world.options = rungs()

    async def script(t: Terminal) -> None:
        await to_ladder(t)
        shown = await t.until("1,207 rows", "~0.3 s", "? unknown", "compared row by row")
        assert "a arms this terminal" in shown and "READ-ONLY" in shown
        await t.press("enter")
        await t.until("Not now: a recovery replaces the database")
        await t.press("down")
        await t.until("toc.dat is not as in the manifest", "rollback-tui checkpoint verify")
        await t.press("down", "c")
        assert t.app.clipboard.splitlines()[0] == "systemctl stop postgresql"
        await t.press("home")
        await t.arm()
        await t.press("enter")
        await t.until("type lose 1,207 rows", "1,204  public.orders")
        assert t.app.focused is not None and t.app.focused.id == "field-confirm"
        await t.press("enter", "enter", "enter")
        await t.pilot.pause(0.1)
        assert "type lose" not in t.text and world.recovered == [], "enter alone takes nothing"
        await t.press("enter")
        await t.until("type lose 1,207 rows")
        await t.type("lose 1207 rows")
        await t.press("enter")
        await t.type("the shop is down for all")
        await t.until("✗ not the same")
        await t.press("enter", "enter")
        assert world.recovered == []
        await t.press("enter")
        await t.focus("#field-confirm")
        await t.type("lose 1,207 rows")
        await t.press("enter")
        await t.type("the shop is down for all")
        await t.focus("#yes")
        await t.press("enter")
        await t.until("recovery of run ab12cd34", "1 step done", "is about to", "restore beside")
        await t.press("5")
        await t.until("▸ repairs", "repair schema", "1,207 rows", "· waits")
        world.recovered_well()
        await t.until("recovery of run ab12cd34: recovered", "? unknown", "– not done")
        await t.select("#proofs", "recovery 1 repair schema inconsistencies")
        await t.until("sent to repair it:", "SET NOT")
        # What is undone then is still the first run.
        await t.press("u")
        await t.until("Undo run ab12cd34")
        assert world.ladders == [FOLDER, FOLDER]

    app = drive(world, script, folder=FOLDER)
    [(folder, option, reason)] = world.recovered
    assert (folder, option, reason) == (FOLDER, rungs()[0], "the shop is down for all")
    assert app.guide.walk.folder != FOLDER


def test_while_it_counts_it_says_so_and_escape_leaves(world: World) -> None:
    ended(world)
    world.options = rungs()
    world.may_answer.clear()

    async def script(t: Terminal) -> None:
        await to_ladder(t)
        await t.until("▸ 00:0", "counting what was written since", "esc leaves")
        await t.press("escape")
        assert "Undo run" not in t.text
        world.may_answer.set()
        await t.pilot.pause(0.2)
        await t.press("u")
        await t.until("1,207 rows")

    drive(world, script, folder=FOLDER)


def test_a_terminal_that_only_looks_sees_the_ladder_and_takes_nothing() -> None:
    world = World(read_only=True)
    ended(world)
    world.options = rungs()

    async def script(t: Terminal) -> None:
        await to_ladder(t)
        await t.until("Not now: this terminal was started read-only.")
        await t.press("enter", "a")
        assert "type lose" not in t.text and "ARMED" not in t.text

    drive(world, script, folder=FOLDER)
    assert world.recovered == []


def test_the_console_opens_by_itself_and_says_why_the_ladder_is_not_known(world: World) -> None:
    ended(world)

    def failing(folder: Path) -> tuple[()]:
        raise RollbackTuiError("the server does not answer", "Go on by hand: m.")

    world.recovery_options = failing  # type: ignore[method-assign,assignment]
    app = RollbackApp(world, folder=FOLDER, console=True)

    async def run() -> None:
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            t = Terminal(app, pilot, world)
            await t.until("Undo run ab12cd34", "✗ not known: the server does not answer")
            world.down = "connection refused"
            await t.press("m")
            await t.until("By hand: run ab12cd34", f"{FOLDER}/RECOVERY.md")
            await t.press("escape", "escape")
            await t.until("5 Verify")

    import asyncio

    asyncio.run(run())
    assert by_hand.GUIDE == FILE


def test_a_guide_that_cannot_be_made_says_where_the_file_is(world: World) -> None:
    ended(world)

    def failing(folder: Path) -> str:
        raise RollbackTuiError("the journal is damaged", "")

    world.guide = failing  # type: ignore[method-assign]

    async def script(t: Terminal) -> None:
        await t.until("run: rolled_back")
        await t.press("5", "m")
        await t.until("the journal is damaged. It may still be in")

    drive(world, script, folder=FOLDER)


def test_what_cannot_be_undone_says_why() -> None:
    assert may_not_undo(Walk()) == "no run has been started"
    going = Walk(folder=FOLDER, view=view())
    assert may_not_undo(going) == "the run has no outcome yet"
    refused = view(ev.RunFinished(outcome="refused", summary="", report=""))
    assert "nothing was touched" in may_not_undo(msgspec.structs.replace(going, view=refused))


def test_unknown_losses_come_first_and_are_never_a_zero() -> None:
    lost = (
        LostRows(table="a", rows=5, basis="counters"),
        LostRows(table="b", rows=None, basis="no counters"),
    )
    first, second = lost_text(lost).plain.splitlines()
    assert "unknown" in first and " b " in first and "5" in second
    assert "not known" in lost_text(None).plain and "No row" in lost_text(()).plain
    shown = items(view(ev.LostCounted(lost=lost, agreed=None)))
    assert ("lost", ("? lost", "bad")) in [(key, mark) for key, mark, _, _ in shown]
    option = msgspec.structs.replace(rungs()[0], lost=None)
    assert "NOT KNOWN which writes" in rung_text(option, Walk()).plain


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (
            ev.RecoveryPlanned(
                rung="clone", restores="as before", estimated_seconds=None, steps=()
            ),
            "recovery as before; expected: nobody can say",
        ),
        (
            ev.LostCounted(lost=(LostRows(table="a", rows=2, basis=""),), agreed=5),
            "writes 2 rows written since are lost (agreed: 5)",
        ),
        (
            ev.LostCounted(lost=(LostRows(table="a", rows=None, basis=""),), agreed=None),
            "writes 0 rows written since are lost, and unknown in 1 table",
        ),
        (ev.RepairProposed(step="mend", sql=("REINDEX INDEX a", "b")), "repair mend: REINDEX"),
        (
            ev.RecoveryStep(name="mend", ok=True, seconds=1, summary="?", verdict="unknown"),
            "step ? mend 1.0 s",
        ),
    ],
)
def test_the_log_of_a_recovery_run(event: ev.AnyEvent, words: str) -> None:
    assert words in str(log_line(records(event)[-1], plan()))


def test_the_history_says_what_kind_of_run_it_was(world: World) -> None:
    ended(world)
    first = world.summary("rolled_back")
    recovery = RunSummary(
        **{
            **msgspec.structs.asdict(first),
            "folder": "/srv/rollback_runs/20260314_032000_ee",
            "task": "recover",
            "recovers": str(FOLDER),
            "outcome": "recovered",
        }
    )
    world.past = (recovery, first)
    world.options = rungs()

    async def script(t: Terminal) -> None:
        await t.until("run: rolled_back")
        await t.press("6")
        await t.until("recovery of run ab12cd34", "took back 20240115103000")
        await t.press("5", "u")
        await t.until("as counted at", "! run ee has undone it already")

    drive(world, script, folder=FOLDER)


# --- the application's logs -----------------------------------------------------------------------


def lines(*texts: str) -> list[LogLine]:
    return [LogLine(file=LOG, text=text) for text in texts]


def test_an_error_after_the_commit_stands_out_at_once_and_in_the_pane(world: World) -> None:
    world.begin(plan(), "a reason")
    world.log_feed.files = (LOG,)
    world.log_feed.coming = lines("INFO up", f"ERROR an old one {HOSTILE}")

    async def script(t: Terminal) -> None:
        await t.until("run: checkpoint")
        while not t.app.guide.logs.lines:
            await t.pilot.pause(0.1)
        world.drain()
        world.execute()
        world.gate()
        world.finish()
        await t.until("run: rolled_back")
        await t.press("5")
        # Two looks: only what came after the one that saw the door open is told apart for sure.
        await t.pilot.pause(2.2)
        assert "in the application's logs" not in t.text
        world.log_feed.coming = lines("ERROR: column users.verified_at does not exist", "INFO x")
        await t.until("✗ 1 error line in the application's logs after the COMMIT")
        await t.press("l")
        shown = await t.until(
            "── after the COMMIT, with the door open ──", "✗ ERROR: column users.verified_at", LOG
        )
        assert not UNSAFE.search(shown)
        assert "✗ ERROR an old one" not in shown and "[/red]" in shown
        await t.press("p")
        world.log_feed.coming = lines("INFO later")
        await t.until("PAUSED, 1 new line")
        assert "INFO later" not in t.text
        await t.press("p")
        await t.until("INFO later")

    drive(world, script, folder=FOLDER)


def test_without_files_it_says_how_to_name_them(world: World) -> None:
    ended(world)

    async def script(t: Terminal) -> None:
        await t.until("run: rolled_back")
        await t.press("5", "l")
        await t.until("No log files are configured", "[recovery]", "log_files = [")

    drive(world, script, folder=FOLDER)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("2026-03-14 ERROR PG::UndefinedColumn", True),
        ('{"level":"error","msg":"x"}', True),
        ("Traceback (most recent call last):", True),
        ('10.0.0.7 - "GET /orders HTTP/1.1" 502 17', True),
        ("INFO 500 orders shipped", False),
        ("DEBUG mirror_orders took 3 ms", False),
    ],
)
def test_what_looks_wrong(text: str, wrong: bool) -> None:
    assert looks_wrong(text) is wrong


def test_a_flood_is_bounded_and_what_is_left_out_is_counted() -> None:
    class Nobody:
        walk = Walk()

    logs = LogLines(Nobody())  # type: ignore[arg-type]
    logs._arrived(_judged(tuple(lines(*map(str, range(KEPT + 7))))))
    assert len(logs.lines) == KEPT and logs.left_out == 7


def test_hostile_texts_of_a_recovery_are_shown_literally(world: World) -> None:
    ended(world)
    world.guide_text = f"# {HOSTILE}\n\n{HOSTILE} <b>x</b>\n"
    hostile = msgspec.structs.replace(
        rungs()[0],
        title=HOSTILE,
        restores=HOSTILE,
        confirm=HOSTILE,
        lost=(LostRows(table=HOSTILE, rows=1, basis=HOSTILE),),
    )
    world.options = (hostile,)

    async def script(t: Terminal) -> None:
        await to_ladder(t)
        await t.until("[/red]", "1 row")
        assert not UNSAFE.search(t.text), t.text
        await t.arm()
        await t.press("enter")
        await t.until("type [/red]")
        assert not UNSAFE.search(t.text), t.text
        await t.press("escape", "m")
        await t.until("By hand")
        await t.pilot.pause(0.2)
        assert not UNSAFE.search(t.text), t.text

    drive(world, script, folder=FOLDER, size=(120, 40))
