"""Help, commands, SQL log and messages are there wherever the operator is; every answer of every
question is in sight at 60 columns and 20 rows."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import stat
from pathlib import Path

import msgspec
import pytest
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Log

import rollback_tui.ui
from rollback_tui.config_screen import Screen
from rollback_tui.core import events as ev
from rollback_tui.core.confirmation import fact
from rollback_tui.core.model import Loss
from rollback_tui.core.recovery import LostRows, RecoveryOption
from rollback_tui.ui import first_run
from rollback_tui.ui.app import RollbackApp
from rollback_tui.ui.commands import commands
from rollback_tui.ui.looks import Looks, looks
from rollback_tui.ui.messages import Confirmed
from rollback_tui.ui.screens.step import StepScreen
from rollback_tui.ui.theme import line
from rollback_tui.ui.widgets.dialogs import Ask, AskText
from rollback_tui.ui.widgets.pane import Pane
from rollback_tui.ui.widgets.rehearse_dialog import RehearseDialog
from rollback_tui.ui.widgets.take_rung import TakeRung
from tests.ui.fake import World, plan
from tests.ui.steering import Terminal, drive
from tests.ui.test_guided_path import to_confirmation

LONG = [line("What it comes to, in words that are many. " * 4)] * 12


def classes() -> set[type]:
    """Every class of the screens."""
    found: set[type] = set()
    for module in pkgutil.walk_packages(rollback_tui.ui.__path__, "rollback_tui.ui."):
        members = inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
        found |= {one for _, one in members if one.__module__.startswith("rollback_tui.ui")}
    return found


def test_every_step_and_every_pane_says_what_it_is_for() -> None:
    steps = {one for one in classes() if issubclass(one, StepScreen)} - {StepScreen}
    panes = {one for one in classes() if issubclass(one, ModalScreen)} - {Pane}
    assert len(steps) == 6
    ours = {one for one in panes if one.__name__ != "Palette"}
    assert all(issubclass(one, Pane) for one in ours), ours
    for one in steps | ours:
        assert len(one.HELP) > 120, one  # type: ignore[attr-defined]


def test_help_commands_and_sql_are_one_key_away_everywhere(world: World) -> None:
    async def script(t: Terminal) -> None:
        await t.until("3/3 counted", "goes back; tab and enter")
        await t.press("question_mark")
        shown = await t.until("Help · 1 State", "Now: 1 migration goes back", "there is more below")
        assert "Here" in shown
        await t.press("end")
        await t.until("this is the end", "unknown: nobody could find out", "READ-ONLY")
        await t.press("question_mark")
        assert "Help" not in t.text, "its own key closes it"

        names = [c.name for c in commands(t.app, t.app.screen)]
        assert len(names) == len(set(names))
        assert "5 Verify: the proof, and what could undo it" in names
        assert not any(word in " ".join(names) for word in ("aximi", "creenshot", "Quit"))
        await t.press("colon", *"verify")
        await t.until("5 Verify: the proof", "not now: no run has")
        await t.press("enter")
        # One message at a time, in the place of the sentence about the next key.
        await t.until("! Step 5 is blocked: no run has been started.")
        await t.press("colon", *"preview", "enter")
        await t.until("5 statements, 3 destructive")
        await t.press("k")
        await t.until("what could be kept could not be found out")
        rows = t.text.splitlines()
        assert "Step 5" not in t.text
        assert [n for n, row in enumerate(rows) if "what could be kept" in row] == [21]

        await t.press("a")
        await t.until("Arm this terminal?")
        await t.press("L")
        await t.until("SQL that was sent, newest last", "terminal SELECT version FROM")
        await t.press("L", "question_mark")
        await t.until("Help · A question", "question, and nothing is done")
        await t.press("ctrl+q")
        await t.until("Arm this terminal?")
        await t.press("escape", "2")
        await t.until("Nobody writes (failed)")
        await t.press("o")
        await t.until("Set aside: Nobody writes")
        await t.press(*"L?:")
        field = t.app.screen.query_one("#text", Input)
        assert field.value == "L?:", "in a field they are text"
        await t.press("ctrl+p", *"sql", "enter")
        await t.until("SQL that was sent")
        await t.press("escape")
        assert field.has_focus and field.value == "L?:"

    drive(world, script)


def test_the_log_has_what_the_worker_sent_and_stays_where_one_reads(world: World) -> None:
    world.begin(plan(), "a reason")
    world.drain()
    world.execute()

    async def script(t: Terminal) -> None:
        await t.until("5 of 5 done")
        await t.press("L")
        shown = await t.until("worker   maintenance ALTER DATABASE shop", "worker   statement 5")
        assert shown.index("terminal") < shown.index("worker"), "newest last"
        log = t.app.screen.query_one("#log-lines", Log)
        for number in range(60):
            world.happen(ev.SqlSent(connection="target", sql=f"SELECT {number}"))
        # At the end, the newest line is followed.
        await t.until("SELECT 59")
        await t.press("home")
        world.happen(ev.SqlSent(connection="target", sql="SELECT 'one more'"))
        before = log.line_count
        for _ in range(200):
            if log.line_count > before:
                break
            await t.pilot.pause(0.05)
        assert log.line_count > before
        assert log.scroll_y == 0, "who has scrolled up reads there"
        await t.press("end")
        await t.until("one more")
        await t.press("escape")

    drive(world, script, folder=Path("/srv/run-1"))


RUNG = RecoveryOption(
    rung="dump",
    title="Restore the checkpoint beside",
    restores="The database as it was when the checkpoint was made, " * 3,
    estimated_seconds=31.0,
    lost=tuple(LostRows(table=f"public.t{n}", rows=100, basis="counted") for n in range(12)),
    confirm="lose 1,200 rows",
)


@pytest.mark.parametrize(
    ("size", "colours"), [((60, 20), True), ((80, 24), True), ((80, 24), False)]
)
def test_every_answer_of_every_question_is_in_sight(
    world: World, size: tuple[int, int], colours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not colours:
        monkeypatch.setenv("NO_COLOR", "1")
    app = RollbackApp(world, looks=Looks() if colours else looks(Screen()))
    assert app.no_color is not colours

    async def script(t: Terminal) -> None:
        await t.until("goes back; tab and enter")
        world.sessions = ()
        t.app.guide.refresh()
        await t.pilot.pause(0.2)
        for pane in (
            Ask("Leave?", LONG, yes="Leave"),
            AskText("Set aside: a check", LONG, yes="Set aside", wanted="a reason"),
            TakeRung(RUNG, production=True),
            RehearseDialog(t.app.guide.walk),
        ):
            await t.app.push_screen(pane)
            await t.pilot.pause()
            await t.pilot.pause()
            buttons = list(pane.query(Button))
            assert len(buttons) >= 2
            for button in [*buttons, *pane.query(Input)]:
                if not button.disabled:
                    button.focus()
                    await t.pilot.pause()
                # Disabled ones as well: what cannot be chosen says why beside it.
                if not button.disabled or not isinstance(pane, RehearseDialog):
                    seen = button.region.intersection(t.app.screen.region)
                    assert seen == button.region and seen.height == 1, (pane, button)
                    if isinstance(button, Button):
                        assert str(button.label) in t.text.splitlines()[seen.y], t.text
            await t.press("escape")

    drive(world, script, size=size, app=app)


def test_the_note_of_the_first_start_is_shown_once(world: World, tmp_path: Path) -> None:
    here = {"HOME": str(tmp_path), "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}
    marker = first_run.due(here)
    assert marker is not None
    assert first_run.due({**here, "TMUX": "/tmp/tmux-0/default,1,0"}) is None
    assert first_run.due({**here, "STY": "1.pts-0.host"}) is None

    async def script(t: Terminal) -> None:
        await t.until("1 State ✓", "attach shows it again", "h hides this for good")
        await t.press("2")
        await t.until("h hides this for good", "We may not roll back")
        await t.press("h")
        assert "hides this" not in t.text
        await t.press("1", "h")
        await t.until("no note is shown")

    drive(world, script, app=RollbackApp(world, note=marker))
    assert stat.S_IMODE(marker.stat().st_mode) == 0o600
    assert first_run.due(here) is None
    # Where nothing can be kept, it is not shown at every start, and nothing is said.
    (tmp_path / "file").write_text("no directory")
    assert first_run.due({"HOME": str(tmp_path / "file")}) is None
    first_run.read(tmp_path / "file" / "note-read")


@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
def test_the_figure_is_read_above_and_belongs_to_what_was_counted(
    world: World, size: tuple[int, int]
) -> None:
    async def script(t: Terminal) -> None:
        await to_confirmation(t)
        await t.pilot.resize_terminal(*size)
        await t.pilot.pause(0.2)
        shown = t.text
        for text in ("PRODUCTION", "in all  NOT COUNTED in 1 statement", "Cancel", "Start the"):
            assert text in shown, shown
        asked = t.app.guide.walk.plan
        assert asked is not None
        for text in ("shop", "20240110090000", t.figure, "errors since the deploy"):
            await t.type(text)
            await t.press("enter")
        await t.until("ready: tab to Start")
        # Counted anew: another figure is true now, and what was typed is judged again.
        lost = Loss(kind="rows", relation="public.verification_tokens", count=1_234_567)
        anew = asked.with_statements(
            lambda s: msgspec.structs.replace(s, loss=(lost,) if s.dangerous else ())
        )
        assert fact(anew).number == 3 * 1_234_567
        t.app.guide.replace(plan=anew)
        await t.until("in all  3,703,701 rows")
        assert t.app.screen.query_one("#confirm-yes", Button).disabled
        t.app.screen.post_message(Confirmed("errors since the deploy", asked))
        await t.until("The plan was read anew just now: look again.")
        assert world.started == []
        await t.focus("#field-figure")
        await t.press("backspace")
        await t.type("3 703 701")
        await t.until("ready: tab to Start")

    drive(world, script)
