"""How long the event loop stands still under the real screens when there is very much to show.

::

    python -m tests.benchmarks.large

10,000 tables that are being counted, 2,000 sessions of which each is older every second and five
are new, 10,000 statements, 1,000 runs, a log of 100,000 lines: under the real screens in a headless
terminal of 100×45. The world is a made-up one (tests/ui/fake.py): 2,000 real sessions would need a
server of several GB; what is measured is what the screens do with them.

``still``  the longest time between two beats of a heart that beats each 5 ms
``CPU``    the most that the loop's thread computed between two beats: a machine that others use as
           well makes ``still`` longer, and this less so

And the memory of the whole process at its highest. Nothing is asserted.
"""

from __future__ import annotations

import asyncio
import itertools
import resource
import time
from pathlib import Path

import msgspec

from rollback_tui.core.logs import LogLine
from rollback_tui.core.model import Activity, Session, TableCount
from rollback_tui.core.run_view import RunSummary
from tests.ui.fake import World, plan, session
from tests.ui.samples import many
from tests.ui.steering import Terminal, drive

TABLES, SESSIONS, STATEMENTS, RUNS, LINES = 10_000, 2_000, 10_000, 1_000, 100_000
_APPLICATIONS = ("web", "worker", "cron")
_STATES = ("active", "idle", "idle in transaction")


class Heart:
    """Beats on the event loop, and knows its longest pause."""

    def __init__(self) -> None:
        self._still = self._cpu = 0.0
        self._task = asyncio.create_task(self._beat())

    async def _beat(self) -> None:
        last, cpu = time.perf_counter(), time.thread_time()
        while True:
            await asyncio.sleep(0.005)
            now, used = time.perf_counter(), time.thread_time()
            self._still = max(self._still, now - last - 0.005)
            self._cpu = max(self._cpu, used - cpu)
            last, cpu = now, used

    def say(self, what: str) -> None:
        """Print the longest pauses since the last time."""
        print(f"{what:<44}{self._still * 1000:>6.0f} ms{self._cpu * 1000:>6.0f} ms")
        self._still = self._cpu = 0.0

    def stop(self) -> None:
        """Beat no more."""
        self._task.cancel()


def world() -> World:
    """Return a world with very much in it."""
    made = World()
    tables = tuple(
        TableCount(name=f"public.t{n:05}", kind="table", estimate=n, exact=None, bytes=8192 * n)
        for n in range(TABLES, 0, -1)
    )
    by_name = {table.name: table for table in tables}
    sessions = [
        session(10_000 + n, _APPLICATIONS[n % 3], _STATES[n % 3], f"SELECT {n}", query_age=n / 10)
        for n in range(SESSIONS)
    ]
    count, look = itertools.count(1), made.activity

    def activity() -> Activity:
        number = next(count)
        older: list[Session] = [
            msgspec.structs.replace(one, query_age=(one.query_age or 0) + number)
            for one in sessions[5:]
        ]
        fresh = [session(20_000 + 5 * number + n, "web", "active", "SELECT 1") for n in range(5)]
        made.sessions = (*older, *fresh)  # type: ignore[assignment]
        return look()

    made.activity = activity  # type: ignore[method-assign]
    made.tables = lambda: tables  # type: ignore[method-assign]
    made.count = lambda table: msgspec.structs.replace(  # type: ignore[method-assign]
        by_name[table], exact=1
    )
    large = many(STATEMENTS, (4_000, 7_777, 9_999))
    made.make_plan = lambda _: large  # type: ignore[assignment, misc]
    made.past = tuple(
        RunSummary(
            run=f"{n:04x}",
            folder=f"/srv/rollback_runs/20260314_031209_{n:08x}",
            started_at="2026-03-14T03:12:09Z",
            database="shop",
            versions=("1",),
            outcome="rolled_back",
            seconds=31,
        )
        for n in range(RUNS)
    )
    return made


async def look_around(terminal: Terminal) -> None:
    """Go through the screens."""
    heart = Heart()
    await terminal.until("1 State ✓")
    heart.say("the start, until the first table")
    await asyncio.sleep(8)
    heart.say("State: sessions refreshed, tables counted")
    for key in ("down", "pagedown", "end", "home", "s", "v", "v", "v", "v", "v", "v"):
        await terminal.press(key)
    heart.say("State: keys, all views")
    await terminal.press("2")
    await asyncio.sleep(2)
    heart.say("Safety")
    await terminal.press("3")
    await terminal.until("3 to review", seconds=60)
    heart.say("Preview: opened")
    for key in ("down", "pagedown", "end", "home", "d", "space"):
        await terminal.press(key)
    heart.say("Preview: keys")
    await terminal.press("L")
    await asyncio.sleep(1)
    await terminal.press("escape")
    heart.say("SQL log")
    await terminal.press("6")
    await asyncio.sleep(2)
    heart.say("Report, and all runs")
    await terminal.press("tab", "end", "home")
    heart.say("Report: keys")
    heart.stop()


async def follow_logs(terminal: Terminal) -> None:
    """Open the application's log while it grows by very much."""
    heart = Heart()
    await terminal.until("run: checkpoint")
    await terminal.press("5", "l")
    await terminal.until("app.log")
    heart.say("logs: opened")
    terminal.world.log_feed.coming = [
        LogLine(file="app.log", text=f"GET /orders/{n} 200 in 12 ms") for n in range(LINES)
    ]
    await asyncio.sleep(5)
    heart.say("logs: 100,000 lines at once")
    heart.stop()


def main() -> None:
    """Print the table."""
    print(f"{'':<44}{'still':>9}{'CPU':>9}")
    drive(world(), look_around, size=(100, 45))
    followed = World()
    followed.begin(plan(), "a reason")
    followed.log_feed.files = ("app.log",)
    drive(followed, follow_logs, size=(100, 45), folder=Path("/srv/rollback_runs/run-1"))
    print(f"memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
