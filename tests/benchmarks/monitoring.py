"""What one sample of the monitoring costs, on the server and in our own process, as a table.

::

    python -m tests.benchmarks.monitoring [SAMPLES] [SESSIONS]

SAMPLES (100) are taken one after the other of a database with SESSIONS (60) idle sessions, and the
health URL of an application is asked five times for each; the mean. On the server: CPU of all its
processes, the backend's beginning and end included. Beside it, in the same run, what it costs to
ask ``pg_stat_activity`` once with ``psql``, where that is installed.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psycopg

from rollback_tui.aftercare.clock import SystemClock
from rollback_tui.aftercare.sampling import Sampler
from rollback_tui.aftercare.watch import ledger
from rollback_tui.core.monitoring.values import FILE_NAME, Sampled
from rollback_tui.embedded.server import EmbeddedServer
from tests.aftercare.monitored import application, charge

SAMPLES = 100
SESSIONS = 60
PROBES = 5
INTERVAL = 15.0

_ACTIVITY = "SELECT * FROM pg_stat_activity"


def used(pid: int) -> float:
    """Return the CPU seconds of a server: of its processes that live, and of those that ended."""
    tick = os.sysconf("SC_CLK_TCK")

    def of(process: int, *, children: bool) -> float:
        try:
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            return 0.0
        return sum(int(value) for value in fields[11 : 15 if children else 13]) / tick

    living = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return of(pid, children=True) + sum(of(int(child), children=False) for child in living)


def each(times: int, work: Callable[[], None], server: int) -> tuple[float, float, float]:
    """Return milliseconds for one ``work``: CPU of the server, CPU of ours with the children we
    waited for, and what the clock says."""
    work()
    before, times_before, began = used(server), os.times(), time.monotonic()
    for _ in range(times):
        work()
    wall, now = time.monotonic() - began, os.times()
    # A backend that ended is counted when its parent has noticed.
    time.sleep(0.3)
    ours = sum(now[:4]) - sum(times_before[:4])
    theirs = used(server) - before
    return 1000 * theirs / times, 1000 * ours / times, 1000 * wall / times


def run(command: list[str]) -> None:
    """Run it, and wait for its end."""
    pid = os.posix_spawnp(
        command[0],
        command,
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    _, status = os.waitpid(pid, 0)
    if status:
        raise SystemExit(f"{command[0]} ended with {os.waitstatus_to_exitcode(status)}")


def line(name: str, found: tuple[float, float, float]) -> None:
    """Print a line of the table."""
    print(f"{name:<34}{found[0]:>10.2f}{found[1]:>10.2f}{found[2]:>10.2f}")


def main() -> None:
    """Measure, print."""
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES
    sessions = int(sys.argv[2]) if len(sys.argv) > 2 else SESSIONS
    server = EmbeddedServer(major=18)
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as opened:
        opened.callback(server.stop)
        shop = opened.enter_context(application())
        for _ in range(sessions):
            opened.enter_context(psycopg.connect(server.dsn(), application_name="shop"))
        folder = Path(temporary) / "run"
        stop, book = threading.Event(), ledger(folder)
        looks = Sampler(charge(folder, server.dsn()), "postgres", SystemClock())
        whole = Sampler(
            charge(folder, server.dsn(), shop.url, probes=PROBES), "postgres", SystemClock()
        )

        def sample(sampler: Sampler) -> None:
            readings = sampler.sample(stop, sampler._clock.steady(), 0.0)
            assert readings is not None
            book.append(Sampled(at=SystemClock().now(), readings=readings))

        print(f"{'':<34}{'server':>10}{'ours':>10}{'clock':>10}   ms each, {sessions} sessions")
        look = each(samples, looks.first_look, server.pid)
        line("one look at the database", look)
        all_of_it = each(samples, lambda: sample(whole), server.pid)
        line(f"one sample, with {PROBES} probes", all_of_it)
        if shutil.which("psql"):
            command = ["psql", server.dsn(), "-XAtqc", _ACTIVITY]
            theirs = each(samples, lambda: run(command), server.pid)
            line("psql, pg_stat_activity once", theirs)
            print(
                f"    a look costs the server {look[0] / max(theirs[0], 0.01):.1f} times that,"
                f" a sample us {all_of_it[1] / max(theirs[1], 0.01):.1f} times that"
            )
        size = (folder / FILE_NAME).stat().st_size / (samples + 1)
        print(
            f"every {INTERVAL:g} s: {look[0] / INTERVAL / 10:.3f} % of one core of the server,"
            f" {all_of_it[1] / INTERVAL / 10:.3f} % of one core here,"
            f" {size / 1000:.1f} kB a sample, {size * 7200 / INTERVAL / 1e6:.1f} MB in two hours"
        )


if __name__ == "__main__":
    main()
