"""What the screens send to a terminal, counted in bytes; and a terminal that takes none."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ssh.screen import Screen
from tests.ssh.terminal import Connection
from tests.terminal.program import SESSIONS

ROOT = Path(__file__).parents[2]
SIZE = (100, 60)
"""High enough for all sessions."""
LEFT = b"\x1b[?1049l"


class Program(Connection):
    """The screens on a made-up world."""

    def __init__(self, tmp_path: Path, kind: str) -> None:
        self._calls = tmp_path / "calls"
        command = [sys.executable, "-m", "tests.terminal.program", str(self._calls), kind]
        super().__init__(command, ROOT, _environment(tmp_path), size=SIZE)
        self.until("sessions 40", "3/3 counted", "1 migration")

    @property
    def calls(self) -> int:
        """How often the sessions were looked at."""
        return self._calls.stat().st_size

    def quiet(self, seconds: float = 0.6) -> int:
        """Read until nothing has come for a while; return how many bytes have come since the
        start."""
        seen = -1
        while seen != len(self.drawn):
            seen = len(self.drawn)
            time.sleep(seconds)
            self.read()
        return seen

    def until_called(self, number: int) -> None:
        """Wait for a look at the sessions, without reading what is sent."""
        deadline = time.monotonic() + 40
        while self.calls < number:
            assert time.monotonic() < deadline and self.process.poll() is None
            time.sleep(0.05)

    def memory(self) -> int:
        """Its resident memory, KiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("VmRSS")]
        return int(line.split()[1])


def _environment(tmp_path: Path) -> dict[str, str]:
    ours = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "XDG_STATE_HOME": str(tmp_path)}
    ours |= {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TMUX", "STY")}
    return {n: v for n, v in kept.items() if not n.startswith("PG")} | ours


@contextmanager
def program(tmp_path: Path, kind: str) -> Iterator[Program]:
    """Run it; leave nothing running."""
    running = Program(tmp_path, kind)
    try:
        yield running
    finally:
        running.close()


def test_nothing_is_sent_when_nothing_changes(tmp_path: Path) -> None:
    with program(tmp_path, "still") as running:
        running.quiet()
        running.press("p")
        running.until("PAUSED")
        before = running.quiet()
        calls = running.calls
        time.sleep(2.5)
        running.read()
        assert running.calls == calls
        assert len(running.drawn) == before
        # The same sessions again, second by second, are nothing new either.
        running.press("p")
        running.until_called(calls + 1)
        before = running.quiet()
        calls = running.calls
        running.until_called(calls + 3)
        assert running.quiet() == before

        _resize_storm(running)

        running.press("q")
        assert running.end() == 0
        # All of it is taken back, and nothing comes behind that.
        assert running.drawn.count(b"\x1b[?1049h") == running.drawn.count(LEFT) == 1
        after = running.drawn.partition(LEFT)[2].replace(b"\x1b[?25h", b"")
        assert after.replace(b"\x1b[?1004l", b"").replace(b"\x1b[m", b"") == b""


def _resize_storm(running: Program) -> None:
    running.press("p")
    running.until("PAUSED")
    running.quiet()
    before = running.read()
    for width, height in [(20, 5), (300, 90), (20, 5), SIZE, (80, 24), (20, 5)] * 4:
        running.resize(width, height)
        running.read()
    # Whatever was there is forgotten: the last change of the size has to bring all of it.
    running.resize(*SIZE)
    running.quiet()
    running.screen = Screen(*SIZE)
    running.resize(*SIZE)
    running.quiet()
    assert running.read() == before
    # The same size twice within one look is no reason to trust what was sent before.
    running.screen = Screen(*SIZE)
    running.resize(20, 5)
    running.resize(*SIZE)
    running.quiet()
    assert running.read() == before


def test_a_refresh_sends_the_cells_that_changed(tmp_path: Path) -> None:
    """Forty ages: a few bytes each, far from the lines that they stand in."""
    with program(tmp_path, "ageing") as running:
        running.until_called(running.calls + 2)
        running.read()
        calls, before = running.calls, len(running.drawn)
        running.until_called(calls + 5)
        running.read()
        sent, looks = len(running.drawn) - before, running.calls - calls
        assert SESSIONS * (looks - 1) < sent < (looks + 1) * (SESSIONS * 12 + 120)


def test_a_terminal_that_takes_nothing_holds_nothing_up(tmp_path: Path) -> None:
    """The reader stops for as long as a dozen refreshes of 4 kB each need: twice what a pseudo-
    terminal holds. The loop goes on, memory stays, and what is shown afterwards is of now."""
    with program(tmp_path, "stirring") as running:
        running.press("-")
        running.until("each 0.5 s")
        running.until_called(running.calls + 3)
        before = running.memory()
        running.until_called(running.calls + 12)
        assert running.memory() < before + 8192
        newest = running.calls
        drawn = len(running.drawn)
        running.read()
        held = len(running.drawn) - drawn
        shown = running.until(f"SELECT {(newest + 3) * 7919 + 4000} ")
        assert "sessions 40" in shown
        # Not one frame for each refresh that nobody saw.
        assert held < 12 * 4000
        # Again, and now it has to leave.
        running.until_called(running.calls + 8)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(20) == 0
        assert running.end() == 0
        assert LEFT in running.drawn


def test_the_header_is_there_before_the_server_answers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        # It is listened on, so the kernel takes the connection; nobody ever says anything.
        port = server.getsockname()[1]
        dsn = f"postgresql://deploy@127.0.0.1:{port}/shop?sslmode=disable"
        command = [sys.executable, "-m", "rollback_tui", "--dsn", dsn]
        environment = {**_environment(tmp_path), "PYTHONPATH": str(ROOT)}
        terminal = Connection(command, tmp_path, environment)
        try:
            terminal.until("connecting", "1 State", "READ-ONLY")
            terminal.press("q")
            # Nor does leaving wait for it.
            assert terminal.end() == 0
        finally:
            terminal.close()
