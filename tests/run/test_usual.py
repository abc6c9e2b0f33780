"""What the worker measures before anything changes for the application."""

from __future__ import annotations

import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import msgspec
import psycopg
import pytest

from rollback_tui.config import Settings
from rollback_tui.config_aftercare import SWITCH, Monitor
from rollback_tui.config_health import Health
from rollback_tui.core import events as ev
from rollback_tui.core.monitoring.usual import FILE_NAME
from rollback_tui.core.monitoring.values import METRICS, Metric, Usual
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.postgres.connect import connect
from rollback_tui.run import engine, journal, usual
from rollback_tui.run.context import Run
from rollback_tui.run.usual import UsualWatch
from rollback_tui.survey.planning import make_plan
from tests.cli.conftest import Project
from tests.conftest import Database, create_database, drop_database
from tests.debian import debian as debian
from tests.run.test_undo import _run as opened_run
from tests.run.web_server import BadServer, hangs


@pytest.fixture(autouse=True)
def switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that stays behind is started by these tests: that is the command line's."""
    monkeypatch.delenv(SWITCH)


def made(database: Database, directory: Path, settings: Settings | None = None) -> Run:
    """A run with its connections open, as after preflight."""
    project = Project(directory, database)
    project.two_migrations()
    with connect(database.dsn) as connection:
        plan = make_plan(connection, Settings(), directory)
    run = opened_run(project, plan)
    run.settings = settings or Settings()
    return run


def close(run: Run) -> None:
    run.close()
    run.control.close()
    run.journal.close()


@pytest.fixture
def run(database: Database, tmp_path: Path) -> Iterator[Run]:
    found = made(database, tmp_path)
    yield found
    close(found)


def events(run: Run) -> list[ev.AnyEvent]:
    return [record.event for record in journal.read(run.journal.path)]


def was(metric: Metric, found: tuple[Usual, ...]) -> Usual:
    (one,) = (one for one in found if one.metric == metric)
    return one


def answering(status: bytes) -> BadServer:
    def answer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")

    return BadServer(answer)


def test_a_whole_run_says_what_was_usual_before_it_announces_itself(
    database: Database, tmp_path: Path
) -> None:
    """With an application that does something and a health URL that answers well."""
    web = answering(b"200 OK")
    settings = Settings(health=Health(url=web.url, watch_seconds=0))
    run = made(database, tmp_path, settings)
    run.request = msgspec.structs.replace(run.request, settings=settings)
    with psycopg.connect(database.dsn, autocommit=True) as shop:
        for number in range(30):
            shop.execute("BEGIN")
            shop.execute("SELECT count(*) FROM users")
            shop.execute("ROLLBACK" if number < 20 else "COMMIT")
    try:
        finished = engine.carry_out(run)
        assert finished.outcome == "rolled_back", finished
        found = events(run)
        (event,) = (one for one in found if isinstance(one, ev.UsualMeasured))
        assert run.view.usual == event
        phases = [
            one.phase for one in found[: found.index(event)] if isinstance(one, ev.PhaseStarted)
        ]
        assert phases == ["preflight", "checkpoint"]
        assert [one.metric for one in event.usual] == [m for m in METRICS if m != "database"]
        assert was("error_rate", event.usual).value == 0
        probed = was("response_time", event.usual)
        assert probed.value is not None and probed.counted is not None
        assert 1 <= probed.counted <= len(web.requests)
        connections = was("database_connections", event.usual)
        assert connections.value is not None and connections.value >= 2
        # Twenty of some dozens that the server has counted since the database was made.
        assert (was("rollbacks", event.usual).value or 0) > 0.1
        performance = was("query_performance", event.usual)
        assert performance.value is None and "CREATE EXTENSION" in performance.why
        kept = usual.read(run.folder)
        assert kept is not None and kept.usual == event.usual
        assert stat.S_IMODE((run.folder / FILE_NAME).stat().st_mode) == 0o600
    finally:
        web.close()
        close(run)
    assert not any(thread.name == "usual" and thread.is_alive() for thread in threading.enumerate())


def test_the_times_of_queries_are_kept(debian: EmbeddedServer, tmp_path: Path) -> None:
    database = create_database(debian)
    with psycopg.connect(database.superuser_dsn, autocommit=True) as admin:
        admin.execute("CREATE EXTENSION pg_stat_statements")
    run = made(database, tmp_path)
    try:
        with psycopg.connect(database.dsn, autocommit=True) as shop:
            for _ in range(7):
                shop.execute("SELECT email FROM users WHERE id = 7")
        watch = UsualWatch(run)
        watch.begin()
        watch.end()
        kept = usual.read(run.folder)
        assert kept is not None and kept.yardstick.statements is not None
        (query,) = (one for one in kept.yardstick.statements.queries if "email" in one.text)
        assert (query.text, query.calls) == ("SELECT email FROM users WHERE id = $1", 7)
        performance = was("query_performance", kept.usual)
        assert performance.value == 1 and performance.counted is not None
        assert performance.counted >= 7
    finally:
        close(run)
        drop_database(database)


def test_what_fails_before_the_run_already_is_usual(run: Run) -> None:
    web = answering(b"500 Internal Server Error")
    run.settings = msgspec.structs.replace(run.settings, health=Health(url=web.url))
    watch = UsualWatch(run)
    watch.begin()
    watch.end()
    web.close()
    assert run.view.usual is not None
    errors = was("error_rate", run.view.usual.usual)
    assert (errors.value, errors.counted) == (1.0, len(web.requests))


def test_a_health_url_that_is_silent_costs_the_run_a_second(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that only waiting moves."""
    silent = BadServer(hangs)
    passed = [100.0]
    monkeypatch.setattr(usual, "time", SimpleNamespace(monotonic=lambda: passed[0]))

    def wait(seconds: float) -> bool:
        passed[0] += seconds
        return False

    monkeypatch.setattr(run.control.aborted, "wait", wait)
    run.settings = msgspec.structs.replace(run.settings, health=Health(url=silent.url))
    watch = UsualWatch(run)
    watch.begin()
    watch.end()
    silent.close()
    assert passed[0] == pytest.approx(101.0, abs=0.06)
    assert run.view.usual is not None
    assert was("error_rate", run.view.usual.usual).value is None


def test_the_runs_connections_are_as_they_were(run: Run, database: Database) -> None:
    """Nothing is set in them, and none is opened inside the target."""
    target, maintenance = run.live_target(), run.live_maintenance()
    pids = {connection.info.backend_pid for connection in (target, maintenance)}
    state = "SELECT current_setting('statement_timeout'), current_setting('search_path')"
    before = [connection.execute(state).fetchone() for connection in (target, maintenance)]
    watch = UsualWatch(run)
    watch.begin()
    with database.connect() as other:
        inside = other.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        ).fetchone()
    watch.end()
    assert inside == (2,)  # the run's, and this one
    assert (run.live_target(), run.live_maintenance()) == (target, maintenance)
    assert {c.info.backend_pid for c in (target, maintenance)} == pids
    assert [c.execute(state).fetchone() for c in (target, maintenance)] == before
    idle = psycopg.pq.TransactionStatus.IDLE
    assert {c.info.transaction_status for c in (target, maintenance)} == {idle}


@pytest.mark.parametrize("how", ["switched off", "no monitoring"])
def test_nobody_measures_for_a_monitoring_that_will_not_be(
    run: Run, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "switched off":
        monkeypatch.setenv(SWITCH, "off")
    else:
        run.settings = msgspec.structs.replace(run.settings, monitor=Monitor(seconds=0))
    watch = UsualWatch(run)
    watch.begin()
    watch.end()
    assert run.view.usual is None
    assert not (run.folder / FILE_NAME).exists()


def test_what_cannot_be_measured_never_matters_to_the_run(
    run: Run, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server loses our sessions, the health URL never answers, an abort has come."""
    silent = BadServer(lambda _: time.sleep(60))
    run.settings = msgspec.structs.replace(run.settings, health=Health(url=silent.url))
    watch = UsualWatch(run)
    watch.begin()
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        for pid in run.own_pids:
            admin.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    run.control.aborted.set()
    watch.end()
    silent.close()
    found = run.view.usual
    assert found is not None
    assert was("response_time", found.usual).why.startswith("no probe was answered in")
    assert was("database_connections", found.usual).value is not None  # of the first look


def test_a_disk_that_is_full_is_nobodys_concern_here(run: Run) -> None:
    watch = UsualWatch(run)
    watch.begin()
    (run.folder / FILE_NAME).mkdir()  # in whose place no file can be put
    watch.end()
    assert run.view.usual is None
