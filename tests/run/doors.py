"""A run before its closed door, and applications that want to come in."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from rollback_tui.config import Settings
from rollback_tui.core.model import Plan
from rollback_tui.postgres.connect import connect, target
from rollback_tui.run import folder, journal
from rollback_tui.run.context import Run
from rollback_tui.run.control import Control
from rollback_tui.run.journal import Journal
from rollback_tui.run.preflight import started
from rollback_tui.run.request import RunRequest, operator

APPLICATIONS = 6
NO_PLAN = Plan(
    framework="dbmate",
    version_table="public.schema_migrations",
    directory="db/migrations",
    current=None,
    goal=None,
    migrations=(),
    applied=(),
)


@contextlib.contextmanager
def opened_run(
    dsn: str, directory: Path, settings: Settings | None = None, plan: Plan = NO_PLAN
) -> Iterator[Run]:
    """A run in this process with its connections open, as after preflight."""
    identity = str(uuid.uuid4())
    with connect(dsn) as connection:
        fingerprint = target(connection).fingerprint
    request = RunRequest(
        run=identity,
        folder=str(folder.create(directory / "rollback_runs", identity)),
        project=str(directory),
        dsn=dsn,
        settings=settings or Settings(),
        plan=plan,
        fingerprint=fingerprint,
        overrides={},
        reason="a test",
        operator=operator(),
        attended=False,
    )
    with _running(request) as run:
        run.write(started(run))
        run.open_connections()
        yield run


@contextlib.contextmanager
def again(run: Run) -> Iterator[Run]:
    """The same run in the hands of somebody who knows only its journal, the first being dead."""
    run.close()
    run.journal.close()
    run.control.close()
    with _running(run.request) as another:
        for record in journal.read(another.journal.path):
            another._advance(record)
        another.begin_cleaning_up()
        yield another


@contextlib.contextmanager
def _running(request: RunRequest) -> Iterator[Run]:
    path = Path(request.folder)
    run = Run(request, Journal(path / journal.FILE_NAME), Control(request.run, path))
    try:
        yield run
    finally:
        run.close()
        run.control.close()
        with contextlib.suppress(OSError):  # closed already, when the run was taken over
            run.journal.close()


@dataclass
class Applications:
    """Sessions that write and come back, all the time."""

    dsn: str
    acknowledged: list[tuple[float, int, int]] = field(default_factory=list)
    """When the answer came, by ``time.monotonic``; which application; which write of it."""
    heard: list[str] = field(default_factory=list)
    """What they heard instead of an answer."""
    stop: threading.Event = field(default_factory=threading.Event)

    def work(self, number: int) -> None:
        """Write until told to stop."""
        count = 0
        while not self.stop.is_set():
            try:
                with psycopg.connect(
                    self.dsn, autocommit=True, application_name=f"application {number}"
                ) as connection:
                    while not self.stop.is_set():
                        count += 1
                        connection.execute("INSERT INTO written VALUES (%s, %s)", [number, count])
                        self.acknowledged.append((time.monotonic(), number, count))
                        time.sleep(0.005)
            except psycopg.Error as error:
                self.heard.append(str(error))
                time.sleep(0.01)

    def between(self, since: float, until: float) -> int:
        """How many writes were acknowledged then."""
        return sum(since <= at <= until for at, _, _ in list(self.acknowledged))

    def working(self, seconds: float = 20.0) -> bool:
        """Whether every one of them gets a write through now."""
        since = time.monotonic()
        while time.monotonic() < since + seconds:
            if len({n for at, n, _ in list(self.acknowledged) if at >= since}) == APPLICATIONS:
                return True
            time.sleep(0.02)
        return False


@contextlib.contextmanager
def applications(dsn: str) -> Iterator[Applications]:
    """Six applications at work; ended with the block."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE written (application int, number int)")
    made = Applications(dsn)
    threads = [threading.Thread(target=made.work, args=(n,)) for n in range(APPLICATIONS)]
    for thread in threads:
        thread.start()
    try:
        assert made.working()
        yield made
    finally:
        made.stop.set()
        for thread in threads:
            thread.join()
