"""The password is used, and it is nowhere: not in files, outputs or argument lists."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo, sql

from rollback_tui.demo.server import EmbeddedServer
from tests.cli.conftest import Project, events
from tests.conftest import Database, create_database, drop_database

SECRET = "pw-3Kq9-not-to-be-seen"


class GuardedDatabase(Database):
    """A database whose owner must give a password, over TCP."""

    password = SECRET

    @property
    def dsn(self) -> str:
        return conninfo.make_conninfo(
            self.server.tcp_dsn(self.name, self.owner), password=self.password
        )


@pytest.fixture(scope="module")
def guarded_server() -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(major=18, tcp=True)
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        row = admin.execute("SHOW hba_file").fetchone()
        assert row is not None
        Path(str(row[0])).write_text(
            "local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        )
        admin.execute("SELECT pg_reload_conf()")
    yield server
    server.stop()


@pytest.fixture
def guarded(guarded_server: EmbeddedServer, tmp_path: Path) -> Iterator[Project]:
    made = create_database(guarded_server)
    database = GuardedDatabase(made.server, made.name, made.owner, made.oid)
    with psycopg.connect(guarded_server.dsn(), autocommit=True) as admin:
        admin.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                sql.Identifier(made.owner), sql.Literal(SECRET)
            )
        )
    project = Project(tmp_path, database)
    project.two_migrations()
    (tmp_path / "rollback.toml").write_text('environment = "test"\n')
    yield project
    drop_database(database)


class Watch:
    """Reads the argument lists of all processes, again and again."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    text = path.read_bytes()
                except OSError:
                    continue
                if SECRET.encode() in text:
                    self.seen.append(text.decode(errors="replace"))


def test_a_whole_run_leaves_the_password_nowhere(guarded: Project) -> None:
    with Watch() as watch:
        done = guarded.command(*guarded.run_arguments, env={"DATABASE_URL": guarded.database.dsn})
    assert done.returncode == 0, done.stdout + done.stderr
    assert events(done.stdout)[-1]["outcome"] == "rolled_back"
    assert watch.seen == []
    assert SECRET not in done.stdout + done.stderr
    looked_at = 0
    for path in guarded.directory.rglob("*"):
        if path.is_file():
            looked_at += 1
            assert SECRET.encode() not in path.read_bytes(), path
    assert looked_at > 10
    shown = guarded.command("doctor", env={"DATABASE_URL": guarded.database.dsn})
    assert SECRET not in shown.stdout + shown.stderr


def test_a_wrong_password_is_one_line_and_a_remedy(guarded: Project) -> None:
    wrong = conninfo.make_conninfo(guarded.database.dsn, password="wrong-pw-81")
    done = guarded.command("check", env={"DATABASE_URL": wrong})
    assert done.returncode == 2
    assert "password authentication failed" in done.stderr
    assert "Check user and password" in done.stderr
    assert "wrong-pw-81" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 2


def test_a_password_of_the_environment_reaches_the_worker(guarded: Project) -> None:
    database = guarded.database
    without = database.server.tcp_dsn(database.name, database.owner)
    done = guarded.command(*guarded.run_arguments, "--dsn", without, env={"PGPASSWORD": SECRET})
    assert done.returncode == 0, done.stdout + done.stderr
