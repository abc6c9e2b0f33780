"""The password is used, and it is nowhere: not in files, outputs or argument lists."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo, sql

from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.ui.crash import FAULT
from tests.cli.conftest import Project, events, only
from tests.conftest import Database, create_database, drop_database
from tests.demo.processes import end_all_in, soon, working_in
from tests.ssh.terminal import Connection

SECRET = f"pw-{uuid.uuid4().hex}-not-to-be-seen"
"""Of this test process alone: another one may be looking at the same machine."""


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
    end_all_in(tmp_path)
    drop_database(database)


class Watch:
    """Reads the argument lists and environments of all processes, again and again."""

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
            for folder in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    self._look(folder)

    def _look(self, folder: Path) -> None:
        arguments = (folder / "cmdline").read_bytes()
        if SECRET.encode() in arguments:
            self.seen.append(arguments.decode(errors="replace"))
        if SECRET.encode() in (folder / "environ").read_bytes():
            # Only the command that was given it may have it. Between fork and exec a child looks
            # like its parent, so that it is looked at again.
            time.sleep(0.02)
            again = (folder / "cmdline").read_bytes()
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if parent != str(os.getpid()) and SECRET.encode() in (folder / "environ").read_bytes():
                self.seen.append(f"environment of {again.decode(errors='replace')}")


def nowhere(project: Project, *outputs: str) -> None:
    """The password is in no output and in no file of the project."""
    for output in outputs:
        assert SECRET not in output
    looked_at = 0
    for path in project.directory.rglob("*"):
        if path.is_file():
            looked_at += 1
            assert SECRET.encode() not in path.read_bytes(), path
    assert looked_at > 10


def test_a_whole_run_leaves_the_password_nowhere(guarded: Project) -> None:
    with Watch() as watch:
        done = guarded.command(*guarded.run_arguments, env={"DATABASE_URL": guarded.database.dsn})
    assert done.returncode == 0, done.stdout + done.stderr
    assert events(done.stdout)[-1]["outcome"] == "rolled_back"
    assert watch.seen == []
    nowhere(guarded, done.stdout, done.stderr)
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


HOOK = "import os; print(os.environ, open('/proc/self/environ', 'rb').read(), flush=True)"


def test_hooks_are_told_no_password_and_what_they_print_is_kept(guarded: Project) -> None:
    command = json.dumps([sys.executable, "-c", HOOK])
    (guarded.directory / "rollback.toml").write_text(
        f"[maintenance]\non = {{ command = {command} }}\noff = {{ command = {command} }}\n"
        f"[impact]\ncommand = {command}\n"
        '[[caches.clear]]\nsql = "SELECT count(*) FROM pg_stat_activity"\n'
    )
    with Watch() as watch:
        done = guarded.command(
            *guarded.run_arguments, env={"DATABASE_URL": guarded.database.dsn, "PGPASSWORD": SECRET}
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [e["ok"] for e in only(events(done.stdout), "hook_ran")] == [True, True, True]
    assert watch.seen == []
    nowhere(guarded, done.stdout, done.stderr)


def test_settling_leaves_it_nowhere(guarded: Project) -> None:
    (path,) = (guarded.directory / "db" / "migrations").glob("20240202*")
    up = path.read_text().partition("-- migrate:down")[0]
    path.write_text(f"{up}-- migrate:down\nDROP TABLE tokens;\nSELECT pg_sleep(60);\n")
    given = {"DATABASE_URL": guarded.database.dsn}
    with Watch() as watch:
        run = guarded.start(*guarded.run_arguments, env=given)
        journal_file = guarded.directory / "rollback_runs"

        def sleeping() -> bool:
            found = list(journal_file.glob("*/journal.jsonl"))
            return bool(found) and found[0].read_text().count('"statement_started"') == 2

        assert soon(sleeping, 60)
        for pid in working_in(guarded.directory):
            if pid != run.pid:
                os.kill(pid, signal.SIGKILL)
        output, said = run.communicate(timeout=60)
        assert run.returncode == 5, output + said
        settled = guarded.command("settle", env=given)
    assert settled.returncode == 3, settled.stdout + settled.stderr
    assert watch.seen == []
    nowhere(guarded, output, said, settled.stdout, settled.stderr)


def test_a_checkpoint_and_its_restore_leave_it_nowhere(guarded: Project) -> None:
    given = {"DATABASE_URL": guarded.database.dsn}
    with Watch() as watch:
        made = guarded.command("checkpoint", "create", env=given)
        assert made.returncode == 0, made.stdout + made.stderr
        new = f"{guarded.database.name}_restored"
        restored = guarded.command("checkpoint", "restore", "latest", "--into", new, env=given)
    assert restored.returncode == 0, restored.stdout + restored.stderr
    assert watch.seen == []
    nowhere(guarded, made.stdout, made.stderr, restored.stdout, restored.stderr)


FAILING = """
import os, pathlib
from rollback_tui.cli import main
from rollback_tui.ui.screens.state import StateScreen
def failing(self, walk):
    if walk.activity is not None:
        secret = pathlib.Path(os.environ["PGSERVICEFILE"]).read_text().rpartition("=")[2].strip()
        raise ValueError(f"the server did not like {secret}")
StateScreen.show_step = failing
main()
"""


def test_a_fault_of_the_screens_repeats_no_password_that_only_libpq_has_read(
    guarded: Project,
) -> None:
    """It stands in a service file, and in no way in the message that gives it away."""
    database = guarded.database
    given = conninfo.conninfo_to_dict(database.server.tcp_dsn(database.name, database.owner))
    given["password"] = SECRET
    service = guarded.directory.parent / "service.conf"
    service.write_text("[shop]\n" + "".join(f"{name}={value}\n" for name, value in given.items()))
    reports = guarded.directory / "reports"
    reports.mkdir()
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PG") and k != "DATABASE_URL"}
    here = {"PGSERVICEFILE": str(service), "TMPDIR": str(reports), "TERM": "xterm-256color"}
    screen = Connection(
        [sys.executable, "-c", FAILING, "--dsn", "service=shop"], guarded.directory, kept | here
    )
    try:
        assert screen.end() == FAULT
    finally:
        screen.close()
    service.unlink()
    assert b"rollback-tui failed: ValueError at " in screen.drawn
    assert SECRET.encode() not in screen.drawn
    [report] = reports.glob("rollback-tui-crash-*.txt")
    assert "the server did not like ***" in report.read_text()


def test_a_worker_that_fails_before_it_has_begun_prints_no_value(tmp_path: Path) -> None:
    """Its standard error is worker.log: the traceback has places, and not what was being read."""
    for request in (f'{{"dsn": "password={SECRET}"', f'{{"dsn": "password={SECRET}", "run": 1}}'):
        done = subprocess.run(
            [sys.executable, "-m", "rollback_tui", "worker", "--carry-out"],
            input=request,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode != 0
        assert SECRET not in done.stdout + done.stderr
