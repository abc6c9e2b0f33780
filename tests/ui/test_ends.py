"""Signals, keys and faults: how the terminal process ends, and what it leaves in the terminal."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from rollback_tui.core import events as ev
from rollback_tui.run.journal import Journal
from rollback_tui.ui.ending import PATIENCE
from rollback_tui.ui.inert import Inert
from tests.demo.processes import soon
from tests.ui.fake import HOSTILE
from tests.ui.in_terminal import RUNNING, Program

GOES_ON = "The run goes on without this terminal. See it: rollback-tui attach 6f1c0000"


def at_the_state(tmp_path: Path) -> Program:
    program = Program(tmp_path)
    program.read("shop-worker")
    return program


def in_a_dialog(tmp_path: Path) -> Program:
    """The question whether to leave is open, over a run that goes on."""
    program = Program(tmp_path, RUNNING)
    program.read("preflight")
    program.press("q")
    program.read("Leave?")
    return program


def in_a_field(tmp_path: Path) -> Program:
    """A text is half typed."""
    program = at_the_state(tmp_path)
    program.press("/")
    program.read("clear the filter")
    program.press("ship")
    program.read("ship")
    return program


@pytest.mark.parametrize(
    ("number", "where", "said"),
    [
        (signal.SIGTERM, at_the_state, ""),
        (signal.SIGHUP, in_a_dialog, GOES_ON),
        (signal.SIGINT, in_a_dialog, GOES_ON),
        (signal.SIGQUIT, in_a_field, ""),
    ],
)
def test_a_signal_restores_the_screen(
    tmp_path: Path, number: signal.Signals, where: object, said: str
) -> None:
    assert callable(where)
    program: Program = where(tmp_path)
    assert not program.wire.restored
    # Service managers send both.
    program.process.send_signal(number)
    program.process.send_signal(signal.SIGCONT)
    assert program.end() == 0
    assert f"{said}LEFT 0 True" in program.said.replace("\r\n", "")


@pytest.mark.parametrize("keys", ["q", "\x03"], ids=["q", "ctrl+c"])
def test_a_key_restores_the_screen(tmp_path: Path, keys: str) -> None:
    program = at_the_state(tmp_path)
    # Neither stops (ctrl+z), kills (ctrl+\\) nor freezes (ctrl+s) what has the keys for itself.
    program.press("\x1a\x1c\x13")
    program.press("?")
    program.read("Help")
    program.press("\x1b")
    # What follows an escape at once is a key with alt.
    assert soon(lambda: "Help" not in program.read(seconds=0.2), 20)
    # The second one comes while the first is obeyed.
    program.press(keys * 2)
    assert program.end() == 0
    assert "LEFT 0 True" in program.said


def stopped(program: Program) -> bool:
    status: str = psutil.Process(program.process.pid).status()
    return bool(status == psutil.STATUS_STOPPED)


def test_a_stopped_job_gives_the_terminal_back_and_takes_it_again(tmp_path: Path) -> None:
    program = Program(tmp_path, job=True)
    program.read("shop-worker")
    screen = program.modes()
    for number in (signal.SIGTSTP, signal.SIGSTOP):
        program.process.send_signal(number)
        assert soon(lambda: stopped(program), 10)
        program.read(seconds=0.1)
        if number == signal.SIGTSTP:
            assert program.wire.restored
            assert program.modes() == program.before
        program.forget()
        program.process.send_signal(signal.SIGCONT)
        program.read("shop-worker")
        assert not program.wire.restored
        assert program.modes() == screen
    # One thread reads the keys: each key counts once.
    program.press("n")
    program.read("check again")
    program.press("b")
    program.read("shop-worker")
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == 0


def test_what_nobody_could_continue_is_not_stopped(tmp_path: Path) -> None:
    """Behind ``ssh -t`` there is no shell that would: the kernel ignores the stop, and so do we."""
    program = at_the_state(tmp_path)
    program.forget()
    program.process.send_signal(signal.SIGTSTP)
    program.read("shop-worker")
    assert not program.wire.restored
    program.press("q")
    assert program.end() == 0


@pytest.mark.parametrize("moment", ["RollbackApp.on_load", "StateScreen.compose"])
def test_a_signal_before_the_first_paint_leaves_nothing_behind(tmp_path: Path, moment: str) -> None:
    program = Program(
        tmp_path,
        f"""
        before = {moment}
        def killed(self):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.2)
            return before(self)
        {moment} = killed
        """,
    )
    assert program.end() == 0
    assert "LEFT 0 True" in program.said


def rehearsing(tmp_path: Path, seconds: float) -> Program:
    """A rehearsal goes on that takes so long to remove its scratch database."""
    program = Program(
        tmp_path,
        f"""
        def rehearse(self, plan, source, said, stop):
            said("statement 1 of 5")
            stop.wait()
            time.sleep({seconds})
            Path({str(tmp_path)!r}, "removed").touch()
        World.rehearse = rehearse
        """,
    )
    # The step is open when there is a plan.
    program.read("shop-worker", "3 Preview ›")
    program.press("3")
    program.read("to review")
    program.press("a")
    program.read("Arm this terminal?")
    program.press("\t\r")
    program.read("ARMED")
    program.press("r")
    program.read("Rehearse on a scratch database?")
    program.press("\t\r")
    program.read("statement 1 of 5")
    return program


def test_leaving_waits_for_the_scratch_database_until_somebody_asks_again(tmp_path: Path) -> None:
    program = rehearsing(tmp_path, 60)
    program.process.send_signal(signal.SIGINT)
    program.read("Removing the rehearsal's scratch database, 15 s at most")
    assert program.wire.restored
    # Out of patience: the keys must not become commands of the shell.
    program.press("qqq\nrm -rf x\n")
    program.process.send_signal(signal.SIGINT)
    assert program.end() == 0
    assert "It may still be there: `rollback-tui doctor` names it." in program.said


def test_a_lost_terminal_does_not_cut_the_removal_short(tmp_path: Path) -> None:
    program = rehearsing(tmp_path, PATIENCE + 1)
    program.hang_up()
    program.process.wait(60)
    assert (tmp_path / "removed").exists()


def test_a_run_that_ended_while_we_left_is_told_with_its_outcome(tmp_path: Path) -> None:
    folder = tmp_path / "20260314-031209-6f1c0000"
    folder.mkdir()
    kept = Journal(folder / "journal.jsonl")
    kept.write(
        ev.RunFinished(
            outcome="unchanged",
            summary="the third statement failed",
            report=str(folder / "report.md"),
            next_commands=("rollback-tui recover 6f1c",),
        )
    )
    kept.close()
    program = Program(tmp_path, RUNNING + f"    folder = Path({str(folder)!r})\n")
    program.read("preflight")
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == 3
    assert "unchanged: the third statement failed" in program.said
    assert "\r\n  rollback-tui recover 6f1c\r\n" in program.said
    assert f"Report: {folder}/report.md" in program.said
    assert "goes on" not in program.said


def test_a_terminal_that_is_gone_without_a_signal_ends_the_screen(tmp_path: Path) -> None:
    """A session leader without a controlling terminal gets no SIGHUP: reads end at once."""
    program = in_a_dialog(tmp_path)
    program.hang_up()
    # Printing its last line fails here, so the exit code says nothing.
    program.process.wait(60)


def test_a_terminal_that_is_gone_ends_a_screen_that_does_not_leave(tmp_path: Path) -> None:
    """What does not end by itself is ended: reading would keep a core busy for ever."""
    program = Program(tmp_path, "RollbackApp.leave = lambda self: None")
    program.read("shop-worker")
    program.hang_up()
    program.process.wait(60)


def test_what_does_not_end_in_order_still_gives_the_terminal_back(tmp_path: Path) -> None:
    """The event loop hangs, as on a disk that does not answer."""
    program = Program(
        tmp_path,
        f"""
        from rollback_tui.ui.guide import Guide
        def hang(self):
            Path({str(tmp_path)!r}, "hanging").touch()
            time.sleep(600)
        Guide.pause = hang
        """,
    )
    program.read("shop-worker")
    program.press("p")
    assert soon((tmp_path / "hanging").exists, 10)
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == 0
    assert "LEFT" not in program.said


def test_no_color_uses_no_colour(tmp_path: Path) -> None:
    program = Program(tmp_path, NO_COLOR="1", COLORTERM="truecolor")
    program.read("shop-worker")
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == 0
    assert b"[38;2;" not in program.output and b";38;2;" not in program.output


def test_the_filter_keeps_the_width() -> None:
    from rich.cells import cell_len
    from rich.segment import Segment
    from textual.color import Color

    segments = [Segment(f"a{HOSTILE}b"), Segment("plain")]
    shown = Inert().apply(segments, Color(0, 0, 0))
    text = "".join(segment.text for segment in shown)
    assert "\x1b" not in text and "‮" not in text and "[/red]" in text
    assert cell_len(text) == sum(cell_len(s.text) for s in segments)
    same = [Segment("plain")]
    assert Inert().apply(same, Color(0, 0, 0)) is same


def test_an_answer_after_the_end_is_dropped() -> None:
    from rollback_tui.ui.requests import Requests

    async def run() -> list[str]:
        loop = asyncio.get_running_loop()
        taken: list[str] = []
        requests = Requests(lambda act: bool(loop.call_soon_threadsafe(act)) or True)
        import threading

        gate = threading.Event()

        def slow() -> str:
            gate.wait(5)
            return "old"

        requests.ask("t", slow, taken.append, lambda _: None)
        requests.ask("t", lambda: "newer", taken.append, lambda _: None)
        requests.ask("t", lambda: "newest", taken.append, lambda _: None)
        gate.set()
        for _ in range(100):
            await asyncio.sleep(0.01)
            if taken:
                break
        return taken

    assert asyncio.run(run()) == ["newest"]
