"""An answer that does not come, and what is said of a session that does not answer."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.postgres.connect import Connection, connect
from rollback_tui.postgres.door import backend_start
from rollback_tui.postgres.watchdog import (
    Watch,
    answer_within,
    backend_state,
    synchronous_standby_missing,
)
from tests.conftest import Database
from tests.demo.processes import soon


def watchers() -> int:
    return sum(thread.name == "watchdog" for thread in threading.enumerate())


def handles() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("how", ["socket", "tcp"])
def test_a_call_without_an_answer_is_cut(database: Database, how: str) -> None:
    server = database.server
    dsn = (server.dsn if how == "socket" else server.tcp_dsn)(database.name, database.owner)
    before = handles()
    with connect(dsn) as connection:
        began = time.monotonic()
        with (
            pytest.raises(psycopg.OperationalError),
            answer_within(connection, 0.3) as watch,
        ):
            connection.execute("SELECT pg_sleep(600)")
        assert time.monotonic() - began >= 0.3
        assert watch.cut
        assert connection.broken
    assert watchers() == 0
    assert handles() == before


def test_an_answer_in_time_leaves_no_trace(database: Database) -> None:
    with connect(database.dsn) as connection:
        before = handles()
        for _ in range(50):
            with answer_within(connection, 5) as watch:
                connection.execute("SELECT 1")
        assert not watch.cut
        assert handles() == before
        assert watchers() == 0


def test_an_error_of_the_block_is_the_one_that_is_raised(database: Database) -> None:
    with connect(database.dsn) as connection:
        with pytest.raises(psycopg.errors.UndefinedTable), answer_within(connection, 5):
            connection.execute("SELECT * FROM nowhere")
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert watchers() == 0


def test_nothing_is_cut_once_the_block_has_ended(database: Database) -> None:
    """Answers that come just when the time is over: cut or not, the word always holds."""
    cut = 0
    connection = connect(database.dsn)
    for turn in range(200):
        pause = 0.0005 * (turn % 8)
        with answer_within(connection, 0.002) as watch:
            time.sleep(pause)
        if watch.cut:
            cut += 1
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
            connection.close()
            connection = connect(database.dsn)
        else:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    connection.close()
    assert 0 < cut < 200


def test_a_watch_that_has_ended_cannot_fire(database: Database) -> None:
    with connect(database.dsn) as connection:
        watch = Watch(1)
        watch.begin(os.dup(connection.fileno()))
        watch.end()
        watch.expire()
        assert not watch.cut
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_several_connections_are_watched_at_once(database: Database) -> None:
    """Only the one that got no answer is cut."""
    with connect(database.dsn) as slow, connect(database.dsn) as quick:

        def wait() -> None:
            with pytest.raises(psycopg.OperationalError), answer_within(slow, 0.3):
                slow.execute("SELECT pg_sleep(600)")

        thread = threading.Thread(target=wait)
        thread.start()
        with answer_within(quick, 60):
            quick.execute("SELECT pg_sleep(0.6)")
        thread.join()
        assert slow.broken
        assert not quick.broken


def test_a_closed_connection_is_not_watched(database: Database) -> None:
    connection = connect(database.dsn)
    connection.close()
    with pytest.raises(psycopg.OperationalError), answer_within(connection, 5):
        connection.execute("SELECT 1")


def started(connection: Connection) -> tuple[int, int]:
    return connection.info.backend_pid, backend_start(connection)


def test_what_another_session_does(database: Database) -> None:
    with connect(database.dsn) as asking, connect(database.dsn) as other:
        pid, start = started(other)
        assert backend_state(asking, pid, start).doing == "idle"
        other.execute("BEGIN")
        assert backend_state(asking, pid, start).doing == "in transaction"
        other.execute("CREATE TABLE t (i int)")

        def sleep() -> None:
            with pytest.raises(psycopg.errors.QueryCanceled):
                other.execute("SELECT pg_sleep(600)")

        thread = threading.Thread(target=sleep)
        thread.start()
        try:
            assert soon(lambda: backend_state(asking, pid, start).doing == "running", 60)
            first = backend_state(asking, pid, start)
            time.sleep(0.3)
            second = backend_state(asking, pid, start)
        finally:
            asking.execute("SELECT pg_cancel_backend(%s)", [pid])
            thread.join()
        assert first.seconds is not None
        assert second.seconds is not None
        assert second.seconds >= first.seconds + 0.2, "since it began to, in seconds"
        assert f"running for {first.seconds:.0f} s" in first.describe()
        assert backend_state(asking, pid, start + 1).doing == "gone"
    with connect(database.dsn) as asking:
        assert soon(lambda: backend_state(asking, pid, start).doing == "gone", 60)


def test_a_session_that_waits_for_a_lock(database: Database) -> None:
    # Whoever asks is in no transaction: inside one, pg_stat_activity stays as it was read first.
    with (
        connect(database.dsn) as asking,
        connect(database.dsn) as holding,
        connect(database.dsn) as other,
    ):
        holding.execute("CREATE TABLE t (i int)")
        holding.execute("BEGIN; LOCK TABLE t")
        pid, start = started(other)
        thread = threading.Thread(target=lambda: other.execute("SELECT * FROM t"))
        thread.start()
        try:
            waits = "waiting for a lock"
            assert soon(lambda: backend_state(asking, pid, start).doing == waits, 60)
        finally:
            holding.execute("ROLLBACK")
            thread.join()


def test_what_may_not_be_seen_is_not_called_idle(database: Database) -> None:
    admin = database.connect(superuser=True)
    name = f"{database.owner}_small"
    admin.execute(f"CREATE ROLE {name} LOGIN")
    try:
        with connect(f"{database.dsn} user={name}") as asking, connect(database.dsn) as other:
            seen = backend_state(asking, *started(other))
            assert seen.doing is None
            assert "may not see" in seen.describe()
    finally:
        admin.execute(f"DROP ROLE {name}")


@pytest.fixture(scope="module")
def synchronous() -> Iterator[EmbeddedServer]:
    """A server that waits for a synchronous standby that does not exist."""
    server = EmbeddedServer(major=18, settings={"synchronous_standby_names": "ANY 2 (x, y)"})
    yield server
    server.stop()


def test_a_commit_that_waits_for_a_standby_is_known_as_such(synchronous: EmbeddedServer) -> None:
    """Cutting it does not undo it: it is committed on this server, and the words say so."""
    with connect(synchronous.dsn()) as asking:
        asking.execute("SET synchronous_commit = local")
        asking.execute("CREATE TABLE t (i int)")
        other = connect(synchronous.dsn())
        pid, start = started(other)
        other.execute("BEGIN")
        other.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(psycopg.OperationalError), answer_within(other, 0.5) as watch:
            other.execute("COMMIT")
        assert watch.cut
        state = backend_state(asking, pid, start)
        assert state.doing == "waiting for a standby"
        assert "synchronous standby" in state.describe()
        asking.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        assert backend_state(asking, pid, start).doing == "gone"
        assert asking.execute("SELECT count(*) FROM t").fetchone() == (1,)

        missing = synchronous_standby_missing(asking)
        assert "'ANY 2 (x, y)', and none of the 2 it waits for is streaming" in missing
        assert "committed on this server only" in missing


def test_where_no_commit_waits_nothing_is_missing(synchronous: EmbeddedServer) -> None:
    with connect(f"{synchronous.dsn()} options='-c synchronous_commit=local'") as connection:
        assert synchronous_standby_missing(connection) == ""


def test_without_the_setting_nothing_is_missing(database: Database) -> None:
    with connect(database.dsn) as connection:
        assert synchronous_standby_missing(connection) == ""


@pytest.mark.parametrize(
    "question",
    [
        lambda connection: connection.execute("SELECT pg_sleep(600)"),
        lambda connection: connection.execute(b"SELECT pg_sleep(600)", binary=True),
        lambda connection: connection.cursor().executemany("SELECT pg_sleep(%s)", [[600]]),
    ],
)
def test_a_patient_connection_is_not_patient_for_ever(
    database: Database, question: Callable[[Connection], object]
) -> None:
    with connect(database.dsn, patience=1.5) as connection:
        with connection.transaction():
            connection.execute("SELECT pg_sleep(0.2)")
        began = time.monotonic()
        with pytest.raises(psycopg.OperationalError):
            question(connection)
        assert time.monotonic() - began >= 1.5
        assert connection.broken
    assert watchers() == 0
