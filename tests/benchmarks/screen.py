"""What the first screen costs beside ``pg_activity``, in the same run on the same server.

::

    python -m tests.benchmarks.screen [--seconds N] [--size WIDTHxHEIGHT]

A PostgreSQL 18 of its own with the demo's shop under load and forty sessions more, all of them
running something (``pg_activity`` shows no idle ones). Each program gets a pseudo-terminal of the
same size and shows those sessions, refreshed each second:

``first table``  seconds from exec until a row of a session can be read, median of three starts
``first CPU``    what that took, in seconds of CPU (on a busy machine the figure to compare)
``screens``      seconds until such a row is on the alternate screen, where keys are taken: ours are
                 loaded behind a first look in plain lines
``bytes/s``      sent to the terminal while it refreshes
``idle bytes``   sent while it is paused, in all
``CPU/s``        seconds of CPU for each second, while it refreshes
``memory``       resident, MiB, at the end

``pg_activity`` (PostgreSQL licence) is no dependency of ours: the one on the PATH is taken, or it
is installed with pip into ``~/.cache/rollback-tui-benchmarks``.

How long the screens stand still with ten thousand of everything: ``tests/benchmarks/large.py``.

Nothing is asserted; the figures are this machine's.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import pty
import select
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import termios
import threading
import time
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import psycopg

from rollback_tui.demo.scene import open_demo
from tests.ssh.screen import Screen

SESSIONS = 40
MARK = "bench-"
"""Begins the application name of each session, so it is on the screen as soon as one is shown."""
STARTS = 3
CACHE = Path("~/.cache/rollback-tui-benchmarks").expanduser()
_TICKS = os.sysconf("SC_CLK_TCK")
_ALTERNATE = b"\x1b[?1049h"
_ANSWERS = ((b"\x1b[6n", b"\x1b[1;1R"), (b"\x1b[?2026$p", b"\x1b[?2026;2$y"))
"""What a terminal answers when it is asked where the cursor is, and whether it knows synchronised
output."""


class Cost(NamedTuple):
    """What one program cost."""

    first: float
    first_cpu: float
    screens: float
    bytes_a_second: float
    idle_bytes: int
    cpu_a_second: float
    memory: float


class Watched:
    """A program in a pseudo-terminal of its own, read by nobody but us."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], size: tuple[int, int]
    ) -> None:
        self.size = size
        self.screen = Screen(*size)
        self.sent = b""
        self._master, slave = pty.openpty()
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)

    def take(self, seconds: float) -> int:
        """Read for so long; return how many bytes came."""
        found, until = 0, time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            found += len(self._part(left))
        return found

    def until(self, text: str, seconds: float = 60) -> tuple[float, float]:
        """Read until ``text`` is on the screen; return the seconds since the start, and those of
        CPU."""
        return self._until(lambda: text in self.screen.text, text, seconds)

    def entered(self, text: str, seconds: float = 60) -> tuple[float, float]:
        """Read until ``text`` is on the alternate screen."""

        def there() -> bool:
            return _ALTERNATE in self.sent and text in self.screen.text

        return self._until(there, text, seconds)

    def _until(self, there: Callable[[], bool], text: str, seconds: float) -> tuple[float, float]:
        now, cpu = time.perf_counter(), self.cpu()
        while time.perf_counter() - self.began < seconds:
            if there():
                return now - self.began, cpu
            part = self._part(1.0)
            # Before it is looked at, which takes a while itself.
            now, cpu = time.perf_counter(), self.cpu()
            was = _ALTERNATE in self.sent
            self.sent += part
            if not was and _ALTERNATE in self.sent:
                # It begins empty.
                self.screen = Screen(*self.size)
                part = self.sent.partition(_ALTERNATE)[2]
            self.screen.feed(part.decode(errors="replace"))
        raise SystemExit(f"{text} was never on the screen:\n{self.screen.text}")

    def _part(self, seconds: float) -> bytes:
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return b""
        try:
            part = os.read(self._master, 1 << 16)
        except OSError:
            raise SystemExit(f"it ended:\n{self.screen.text}") from None
        for question, answer in _ANSWERS:
            # pg_activity waits five seconds for each of them.
            if question in part:
                os.write(self._master, answer)
        return part

    def press(self, keys: str) -> None:
        """Send keys."""
        os.write(self._master, keys.encode())

    def cpu(self) -> float:
        """Return the CPU seconds of the program until now."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory(self) -> float:
        """Return its resident memory, MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("VmRSS")]
        return int(line.split()[1]) / 1024

    def end(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self._master)


def measured(
    command: Sequence[str],
    environment: Mapping[str, str],
    size: tuple[int, int],
    pause: str,
    seconds: float,
) -> Cost:
    """Start the program some times, then watch it refresh and pause."""
    firsts: list[float] = []
    cpus: list[float] = []
    screens: list[float] = []
    for start in range(-1, STARTS):
        watched = Watched(command, environment, size)
        try:
            first, cpu = watched.until(MARK)
            entered, _ = watched.entered(MARK)
            if start < 0:
                # The very first reads everything from the disk, and may compile it.
                continue
            firsts.append(first)
            cpus.append(cpu)
            screens.append(entered)
            if start < STARTS - 1:
                continue
            watched.take(4)  # what comes once: the plan, the counts, the charts' first points
            before, began = watched.cpu(), time.perf_counter()
            sent = watched.take(seconds)
            took = time.perf_counter() - began
            cpu = watched.cpu() - before
            watched.press(pause)
            watched.take(2)
            idle = watched.take(5)
            return Cost(
                statistics.median(firsts),
                statistics.median(cpus),
                statistics.median(screens),
                sent / took,
                idle,
                cpu / took,
                watched.memory(),
            )
        finally:
            watched.end()
    raise AssertionError


def busy(dsn: str, stop: threading.Event) -> None:
    """Forty sessions that each run something: short, long, waiting for each other, or open."""

    def short() -> None:
        with psycopg.connect(dsn, autocommit=True, application_name="bench-short") as connection:
            while not stop.is_set():
                connection.execute("SELECT pg_sleep(1.7), 'short'")

    def held(query: str) -> None:
        with psycopg.connect(dsn, application_name="bench-long") as connection:
            connection.execute(query)
            stop.wait()

    queries = [f"SELECT pg_sleep({n}), 'long'" for n in range(3600, 3600 + SESSIONS - 14)]
    queries += ["UPDATE products SET price = price WHERE id = 1999"] * 6
    targets = [partial(held, query) for query in queries] + [short] * 8
    for target in targets:
        threading.Thread(target=_until_the_end, args=(target,), daemon=True).start()


def _until_the_end(work: Callable[[], None]) -> None:
    # The server ends before its clients do.
    with contextlib.suppress(psycopg.Error):
        work()


def pg_activity() -> str:
    """Return the program, installed where it is not here yet."""
    found = shutil.which("pg_activity")
    if found:
        return found
    program = CACHE / "bin" / "pg_activity"
    if not program.exists():
        print("installing pg_activity …", file=sys.stderr)
        venv.create(CACHE, with_pip=True)
        subprocess.run(
            [CACHE / "bin" / "pip", "install", "-q", "pg_activity", "psycopg[binary]"], check=True
        )
    return str(program)


@contextmanager
def _load() -> Iterator[tuple[str, Path]]:
    stop = threading.Event()
    with open_demo() as demo:
        busy(demo.app_dsn, stop)
        time.sleep(2)
        yield demo.dsn, demo.config
        stop.set()


def side_by_side(size: tuple[int, int], seconds: float) -> None:
    """Measure both, print the table."""
    theirs = pg_activity()
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    for name in ("NO_COLOR", "PYTHONDONTWRITEBYTECODE"):
        # An installed package is compiled.
        environment.pop(name, None)
    with _load() as (dsn, config):
        ours = [sys.executable, "-m", "rollback_tui", "--config", str(config), "--dsn", dsn]
        found = [
            ("rollback-tui", measured(ours, environment, size, "p", seconds)),
            (
                "pg_activity",
                measured([theirs, "--refresh", "1", dsn], environment, size, " ", seconds),
            ),
        ]
    print(
        f"{size[0]}×{size[1]:<12}"
        + "".join(
            f"{name:>14}"
            for name in (
                "first table",
                "first CPU",
                "screens",
                "bytes/s",
                "idle bytes",
                "CPU/s",
                "memory",
            )
        )
    )
    for name, cost in found:
        print(
            f"{name:<16}{cost.first:>12.2f} s{cost.first_cpu:>12.2f} s"
            f"{cost.screens:>12.2f} s{cost.bytes_a_second:>14,.0f}"
            f"{cost.idle_bytes:>14,}{cost.cpu_a_second:>14.3f}{cost.memory:>10.1f} MiB"
        )
    ratios = (
        f"{one / other:.2f} ×" if other else "–"
        for one, other in zip(found[0][1], found[1][1], strict=True)
    )
    print(f"{'ratio':<16}" + "".join(f"{ratio:>14}" for ratio in ratios))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--size", default="100x45")
    given = parser.parse_args()
    width, _, height = given.size.partition("x")
    side_by_side((int(width), int(height)), given.seconds)


if __name__ == "__main__":
    main()
