"""Watching the application's queries after the opening, on a server that writes a log."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psycopg
import pytest

from rollback_tui.config import Health, Recovery, Settings
from rollback_tui.core import events as ev
from rollback_tui.core.model import Verification
from rollback_tui.core.query_errors import LoggedError
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.postgres.connect import connect
from rollback_tui.postgres.server_log import ServerLog
from rollback_tui.run.afterwards.query_errors import QueryWatch
from rollback_tui.run.context import Run
from rollback_tui.survey.planning import make_plan
from tests.cli.conftest import DOWN_2, Project
from tests.conftest import Database, create_database, drop_database
from tests.run.test_undo import _run as opened_run

READING = """
GRANT EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint), pg_stat_file(text) TO {0}
"""
MISSING = "SELECT verified_at FROM users"
"""What the application would ask if it were not changed with the migration."""
NEVER_OVER = 600
"""Seconds: longer than a test may take."""


@pytest.fixture(scope="module")
def logging() -> Iterator[EmbeddedServer]:
    """A server that writes its log to files, in every form."""
    settings = {"logging_collector": "on", "log_destination": "stderr,csvlog,jsonlog"}
    running = EmbeddedServer(major=18, tcp=True, settings=settings)
    yield running
    running.stop()


@pytest.fixture
def target(logging: EmbeddedServer) -> Iterator[Database]:
    """A database there, whose owner may read the log."""
    made = create_database(logging)
    with psycopg.connect(logging.dsn(), autocommit=True) as admin:
        admin.execute(READING.format(made.owner).encode())
    yield made
    with psycopg.connect(logging.dsn(), autocommit=True) as admin:
        admin.execute(
            READING.replace("GRANT", "REVOKE").replace(" TO ", " FROM ").format(made.owner).encode()
        )
    drop_database(made)


@pytest.fixture
def run(target: Database, tmp_path: Path) -> Iterator[Run]:
    """A run on it, with its connections open."""
    project = Project(tmp_path, target)
    project.two_migrations()
    with connect(target.dsn) as connection:
        plan = make_plan(connection, Settings(), tmp_path)
    made = opened_run(project, plan)
    configure(made, watch_seconds=1.2)
    yield made
    made.close()
    made.control.close()
    made.journal.close()


def configure(run: Run, log_files: tuple[str, ...] = (), *, watch_seconds: float = 1.2) -> None:
    run.settings = msgspec.structs.replace(
        run.settings,
        health=Health(watch_seconds=watch_seconds),
        recovery=Recovery(log_files=log_files),
    )


def application(target: Database) -> psycopg.Connection[tuple[object, ...]]:
    return target.connect(application_name="shop")


def watched(run: Run, target: Database, *queries: str, times: int = 1) -> Verification:
    """Roll back, and let the application ask ``queries`` after the opening."""
    watch = QueryWatch(run)
    shop = application(target)
    shop.execute("SELECT 1")
    watch.before()
    watch.before()
    with target.connect() as other:
        other.execute(DOWN_2.encode())
    watch.opened()
    ask(target, *queries, times=times)
    shop.execute("SELECT 1")
    judged = watch.judge()
    assert run.view.verifications[-1] == judged
    return judged


def ask(target: Database, *queries: str, times: int = 1) -> None:
    """Ask in a session that ends: the server counts what it did at once."""
    with psycopg.connect(target.dsn, autocommit=True, application_name="shop") as shop:
        for query in queries * times:
            try:
                shop.execute(query.encode())
            except psycopg.Error:
                continue


def test_a_query_that_names_what_is_gone_is_found_in_the_servers_log(
    run: Run, target: Database
) -> None:
    judged = watched(run, target, "SELECT 1", MISSING)
    assert judged.verdict == "fail"
    assert judged.summary == ("1 error names what the run changed: column public.users.verified_at")
    assert judged.evidence[0] == (
        'the server\'s log (shop): 42703 column "verified_at" does not exist'
    )
    assert judged.seconds > 1


def test_an_application_that_copes_passes(run: Run, target: Database) -> None:
    judged = watched(run, target, "SELECT count(*) FROM users", times=30)
    assert judged.verdict == "pass", judged
    assert "transactions rolled back in" in judged.summary
    assert "read: the server's log" in judged.evidence
    waits = [e for e in journal(run) if isinstance(e, ev.Waiting)]
    assert [w.phase for w in waits] == ["health"]


def test_other_errors_are_told_and_do_not_fail(run: Run, target: Database) -> None:
    judged = watched(run, target, "SELECT 1 / 0", "SELECT nothing_of_ours FROM users")
    assert judged.verdict == "pass", judged
    assert "2 other errors in the logs" in judged.summary
    assert any("22012 division by zero" in line for line in judged.evidence)


def test_without_the_log_many_that_are_rolled_back_fail(run: Run, target: Database) -> None:
    with psycopg.connect(target.server.dsn(), autocommit=True) as admin:
        admin.execute(
            READING.replace("GRANT", "REVOKE")
            .replace(" TO ", " FROM ")
            .format(target.owner)
            .encode()
        )
    ask(target, "SELECT 1", times=2000)  # how it usually is
    judged = watched(run, target, MISSING, times=80)
    assert judged.verdict == "fail", judged
    assert "transactions rolled back in 1 s, before" in judged.summary
    assert any("not read: the server's log: our role may not" in e for e in judged.evidence)


def test_the_applications_own_log_counts_too(run: Run, target: Database, tmp_path: Path) -> None:
    log = tmp_path / "shop.log"
    log.write_text('ERROR relation "tokens" does not exist (of yesterday)\n')
    configure(run, ("shop.log", "not_there.log"))
    watch = QueryWatch(run)
    application(target).execute("SELECT 1")
    watch.before()
    watch.opened()
    with log.open("a") as file:
        file.write('GET / 200\npsycopg.errors.UndefinedTable: relation "tokens" does not exist\n')
    judged = watch.judge()
    assert judged.verdict == "fail"
    assert judged.summary == "1 error names what the run changed: table public.tokens"
    assert judged.evidence[0].startswith(f"{log}: psycopg.errors.UndefinedTable")
    assert any("not_there.log: it is not there" in line for line in judged.evidence)
    assert "read: the server's log, the application's logs" in judged.evidence


def test_nobody_there_is_unknown_and_is_not_waited_for(run: Run, target: Database) -> None:
    configure(run, watch_seconds=NEVER_OVER)
    watch = QueryWatch(run)
    watch.before()
    watch.opened()
    judged = watch.judge()
    assert judged.verdict == "unknown"
    assert judged.summary == "no application was connected, before the run or after it"


def test_an_application_that_asks_nothing_is_unknown(run: Run, target: Database) -> None:
    shop = application(target)
    shop.execute("SELECT 1")
    watch = QueryWatch(run)
    watch.before()
    watch.opened()
    judged = watch.judge()
    assert (judged.verdict, judged.summary) == ("unknown", "no application asked anything in 1 s")


def test_zero_seconds_is_not_watched(run: Run, target: Database) -> None:
    configure(run, watch_seconds=0)
    watch = QueryWatch(run)
    application(target)
    watch.before()
    watch.opened()
    judged = watch.judge()
    assert (judged.verdict, judged.summary) == (
        "unknown",
        "not watched: [health] watch_seconds is 0",
    )


def test_who_wants_the_run_to_end_does_not_wait_for_the_window(run: Run, target: Database) -> None:
    configure(run, watch_seconds=NEVER_OVER)
    watch = QueryWatch(run)
    application(target).execute("SELECT 1")
    watch.before()
    watch.opened()
    run.control.aborted.set()
    watch.judge()


def journal(run: Run) -> list[ev.AnyEvent]:
    lines = run.journal.path.read_text().splitlines()
    return [msgspec.convert(json.loads(line), ev.Record).event for line in lines]


# --- the forms of a log ---------------------------------------------------------------------------


def written(target: Database) -> tuple[LoggedError, ...]:
    """Errors that the log of this form holds after some queries."""
    with connect(target.server.dsn("postgres", target.owner)) as connection:
        log = ServerLog(connection, target.name)
        assert log.why == ""
        ask(target, MISSING, "DO $$ BEGIN RAISE WARNING 'not an error'; END $$")
        with (
            psycopg.connect(target.server.dsn(), autocommit=True) as elsewhere,
            contextlib.suppress(psycopg.Error),
        ):
            elsewhere.execute("SELECT of_another_database")
        with (
            psycopg.connect(
                target.dsn, autocommit=True, application_name="rollback_tui run"
            ) as ours,
            pytest.raises(psycopg.Error),
        ):
            ours.execute("SELECT of_our_own")
        deadline = time.monotonic() + 60
        while not log.errors(connection) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.1)
        return log.errors(connection)


@pytest.mark.parametrize("kind", ["jsonlog", "csvlog"])
def test_a_structured_log_tells_state_application_and_database(target: Database, kind: str) -> None:
    assert written(target) == (
        LoggedError(
            source="the server's log",
            sqlstate="42P01",
            text='relation "users" does not exist',
            application="shop",
        ),
    )


def test_a_plain_log_tells_the_words(target: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ServerLog, "_formats", lambda *_: ("stderr",))
    found = written(target)
    texts = [one.text for one in found]
    assert any(text.startswith('relation "users" does not exist') for text in texts)
    assert not any("not an error" in text for text in texts)
    assert {one.source for one in found} == {"the server's log (all databases)"}


def test_a_log_that_is_not_in_files_or_not_ours_to_read_is_said(database: Database) -> None:
    with connect(database.server.dsn("postgres", database.owner)) as connection:
        assert ServerLog(connection, database.name).why == (
            "it is not written to files (logging_collector)"
        )
