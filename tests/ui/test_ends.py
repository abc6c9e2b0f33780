"""Signals, crashes, colours: how the terminal process ends, and what it never prints."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from rollback_tui.ui.crash import FAULT, record, redacted
from rollback_tui.ui.inert import Inert
from tests.started import remembered
from tests.ui.fake import HOSTILE

PROGRAM = """
    import sys
    from tests.ui.fake import World
    from rollback_tui.cli.terminal import shown
    from rollback_tui.ui.app import RollbackApp
    from rollback_tui.ui.screens.state import StateScreen

    {extra}
    world = World()
    code = shown(RollbackApp(world))
    print("LEFT", code, world.closed)
    sys.exit(code)
"""
CRASH = """
    def show_step(self, walk):
        dsn = "postgresql://deploy:hunter2@db-1/shop"
        raise ValueError("bad dsn " + dsn)
    StateScreen.show_step = show_step
"""


class Program:
    """The application in a pseudo-terminal of its own."""

    def __init__(self, tmp_path: Path, extra: str = "", **environment: str) -> None:
        code = textwrap.dedent(PROGRAM).replace("{extra}", textwrap.dedent(extra))
        self._master, slave = pty.openpty()
        self.process = remembered(
            subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=slave,
                stdout=slave,
                stderr=slave,
                cwd=Path(__file__).parents[2],
                env={
                    **{k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLORTERM")},
                    "TERM": "xterm-256color",
                    "COLUMNS": "100",
                    "LINES": "30",
                    "TMPDIR": str(tmp_path),
                    **environment,
                },
                start_new_session=True,
            )
        )
        os.close(slave)
        os.set_blocking(self._master, False)
        self.output = b""

    def read(self, until: bytes | None = None, seconds: float = 60) -> bytes:
        """Read until ``until`` was seen, or until the program has ended."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ended = self.process.poll() is not None
            try:
                self.output += os.read(self._master, 65536)
            except (BlockingIOError, OSError):
                if ended:
                    break
                time.sleep(0.02)
            if until is not None and until in self.shown:
                break
        return self.output

    @property
    def shown(self) -> bytes:
        """The output without escape sequences: a text may be drawn in two pieces."""
        return re.sub(rb"\x1b\[[0-9;?>]*[A-Za-z]", b"", self.output)

    def hang_up(self) -> None:
        """Close the far end, as a lost connection does."""
        os.close(self._master)
        self._master = -1

    def end(self) -> int:
        """Wait for the end and return the exit code."""
        try:
            self.read()
            return self.process.wait(60)
        finally:
            os.close(self._master)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_restores_the_screen(tmp_path: Path, number: signal.Signals) -> None:
    program = Program(tmp_path)
    program.read(b"shop-worker")
    program.process.send_signal(number)
    assert program.end() == 0
    assert b"\x1b[?1049l" in program.output, "the alternate screen is left"
    assert b"LEFT 0" in program.output


def test_a_crash_shows_the_place_and_no_value(tmp_path: Path) -> None:
    program = Program(tmp_path, CRASH)
    assert program.end() == FAULT
    shown = program.shown.decode(errors="replace")
    assert "hunter2" not in shown
    assert "ValueError" in shown
    assert "Details without values are in" in shown
    [path] = tmp_path.glob("rollback-tui-crash-*.txt")
    assert path.stat().st_mode & 0o777 == 0o600
    written = path.read_text()
    assert "hunter2" not in written
    assert "show_step" in written


def test_a_crash_leaves_the_run_alone_and_names_the_way_back(tmp_path: Path) -> None:
    program = Program(
        tmp_path,
        """
        from pathlib import Path
        from rollback_tui.ui.screens.run import RunScreen
        from tests.ui.fake import plan
        before = RunScreen.show_step
        def show_step(self, walk):
            secret = "postgresql://deploy:hunter2@db-1/shop"
            if walk.view is not None and walk.view.progress is not None:
                raise ValueError("bad dsn " + secret)
            before(self, walk)
        RunScreen.show_step = show_step
        start = RollbackApp.__init__
        def begun(self, world):
            world.begin(plan(), "a reason")
            start(self, world, folder=Path("/srv/rollback_runs/20260314-031209-run-1"))
        RollbackApp.__init__ = begun
        """,
    )
    assert program.end() == FAULT
    shown = program.shown.decode(errors="replace")
    assert "hunter2" not in shown
    assert "ValueError" in shown
    assert "The run is another process: this did not touch it." in shown
    assert "The run goes on without this terminal. See it: rollback-tui attach run-1" in shown


def test_a_terminal_that_is_gone_without_a_signal_ends_the_screen(tmp_path: Path) -> None:
    """A session leader without a controlling terminal gets no SIGHUP: reads end at once."""
    program = Program(tmp_path)
    program.read(b"shop-worker")
    program.hang_up()
    # Printing its last line fails here, so the exit code says nothing.
    program.process.wait(60)


def test_a_terminal_that_is_gone_ends_a_screen_that_does_not_leave(tmp_path: Path) -> None:
    """What does not end by itself is ended: reading would keep a core busy for ever."""
    program = Program(
        tmp_path,
        """
        RollbackApp.leave = lambda self: None
        """,
    )
    program.read(b"shop-worker")
    program.hang_up()
    program.process.wait(60)


def test_no_color_uses_no_colour(tmp_path: Path) -> None:
    program = Program(tmp_path, NO_COLOR="1", COLORTERM="truecolor")
    program.read(b"shop-worker")
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == 0
    assert b"[38;2;" not in program.output and b";38;2;" not in program.output


def test_a_fault_in_a_question_does_not_end_the_terminal(tmp_path: Path) -> None:
    program = Program(
        tmp_path,
        """
        def tables(self):
            password = "hunter2"
            raise KeyError(f"password={password}")
        World.tables = tables
        """,
    )
    program.read(b"unexpected KeyError")
    assert b"unexpected KeyError" in program.shown
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == 0
    assert b"hunter2" not in program.shown
    [path] = tmp_path.glob("rollback-tui-crash-*.txt")
    assert "hunter2" not in path.read_text()


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://deploy:hunter2@db/shop",
        "host=db password=hunter2 dbname=shop",
        "password='hunter2 x'",
        "PGPASSWORD=hunter2",
    ],
)
def test_redacted(text: str) -> None:
    assert "hunter2" not in redacted(text)


def test_the_record_names_the_cause(tmp_path: Path) -> None:
    try:
        try:
            raise OSError("inner")
        except OSError as inner:
            raise ValueError("outer") from inner
    except ValueError as error:
        what, path = record(error, tmp_path)
    assert path is not None
    assert "ValueError at" in what
    written = path.read_text()
    assert written.index("OSError: inner") < written.index("ValueError: outer")


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
