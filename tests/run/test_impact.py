"""What a run says that users felt, against what the application itself counted meanwhile."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psycopg
import pytest

from rollback_tui.config import Impact, Settings
from rollback_tui.config_health import Health
from rollback_tui.core import events as ev
from rollback_tui.core.incident import build
from rollback_tui.postgres.connect import connect
from rollback_tui.run import engine, journal
from rollback_tui.run.aftermath import measure_impact
from rollback_tui.run.afterwards.health import Prober
from rollback_tui.run.context import Run
from rollback_tui.survey.planning import make_plan
from tests.cli.conftest import DOWN_2, Project
from tests.conftest import Database
from tests.run.test_undo import _run as opened_run
from tests.run.web_server import says, serving


@contextlib.contextmanager
def opened(database: Database, directory: Path, settings: Settings, down: str) -> Iterator[Run]:
    """A run with its connections open, as after preflight."""
    project = Project(directory, database)
    project.two_migrations(down)
    with connect(database.dsn) as connection:
        plan = make_plan(connection, Settings(), directory)
    run = opened_run(project, plan)
    run.settings = settings
    run.request = msgspec.structs.replace(run.request, settings=settings)
    try:
        yield run
    finally:
        run.close()
        run.control.close()
        run.journal.close()


def test_the_probes_that_failed_are_those_that_the_application_could_not_answer(
    database: Database, tmp_path: Path
) -> None:
    """It needs its database for each answer."""
    answered: list[tuple[datetime, bool]] = []

    def answer(connection: socket.socket) -> None:
        well = True
        try:
            psycopg.connect(database.dsn, application_name="shop").close()
        except psycopg.OperationalError:
            well = False
        answered.append((datetime.now(UTC), well))
        says("200 OK" if well else "503 Service Unavailable")(connection)

    with serving(answer) as server:
        settings = Settings(health=Health(url=server.url, watch_seconds=0))
        down = f"SELECT pg_sleep(1.2);\n{DOWN_2}"
        with opened(database, tmp_path, settings, down) as run:
            assert engine.carry_out(run).outcome == "rolled_back"
            records = journal.read(run.journal.path)
    (said,) = (one for one in records if isinstance(one.event, ev.ImpactMeasured))
    measured = said.event
    assert isinstance(measured, ev.ImpactMeasured)
    # Those that came later ask whether it is well again.
    ours = [well for at, well in answered if at <= said.at]
    assert len(ours) < len(answered)
    assert (measured.probes, measured.failed_probes) == (len(ours), ours.count(False))
    assert ours.count(False) > 0
    closed = next(one for one in records if isinstance(one.event, ev.DoorClosed))
    reopened = next(one for one in records if isinstance(one.event, ev.DoorOpened))
    seconds = reopened.elapsed - closed.elapsed
    assert measured.downtime_seconds == pytest.approx(seconds, abs=0.002)


COMMANDS = {
    "print('{\"failed_requests\": 7}')": (7, ""),
    "print('{\"affected_users\": 2}')": (None, "the command did not say"),
    "import sys; sys.exit('the application\\x1b[31m is away')": (
        None,
        "exit 1: the application␛[31m is away",
    ),
    "print('seven')": (None, "JSON is malformed"),
    "import time; time.sleep(60)": (None, "no answer within 0.5 s"),
}
"""What it does, how many requests failed, and why that is not known."""


def test_a_command_that_cannot_tell_says_why_and_is_never_none(
    database: Database, tmp_path: Path
) -> None:
    with opened(database, tmp_path, Settings(), DOWN_2) as run:
        for program, (failed, why) in COMMANDS.items():
            impact = Impact(command=(sys.executable, "-c", program), timeout_seconds=0.5)
            run.settings = Settings(impact=impact)
            before = len(journal.read(run.journal.path))
            measure_impact(run, Prober(run))
            records = journal.read(run.journal.path)
            begun = [one for one in records if isinstance(one.event, ev.RunStarted)]
            report = build([*begun, *records[before:]], folder=str(run.folder))
            (figure,) = report.impact.failed_requests
            assert (figure.value, why in figure.why) == (failed, True), figure
            assert "impact command" in figure.source
