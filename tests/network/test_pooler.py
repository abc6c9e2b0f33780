"""A real pgbouncer in transaction mode: refused with the reason, and nothing of us stays in it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from rollback_tui.postgres.connect import connect, through_pooler
from tests.cli.conftest import Project, events, only
from tests.network.conftest import through
from tests.started import end

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed")

CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {directory}/users
pool_mode = transaction
default_pool_size = 1
ignore_startup_parameters = extra_float_digits
logfile = {directory}/pgbouncer.log
pidfile = {directory}/pgbouncer.pid
"""


@pytest.fixture
def pooler(project: Project) -> Iterator[int]:
    """The port of a pgbouncer before the project's server; one server connection a pool, so that
    what one client leaves behind is what the next one finds."""
    assert PROGRAM is not None
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    # Its user must be able to walk there; pgbouncer refuses to be root.
    directory = project.database.server.directory / "pgbouncer"
    directory.mkdir(mode=0o755)
    settings = directory / "pgbouncer.ini"
    server = project.database.server.tcp_port
    settings.write_text(CONFIGURATION.format(server=server, port=port, directory=directory))
    (directory / "users").write_text(f'"postgres" ""\n"{project.database.owner}" ""\n')
    unprivileged: dict[str, object] = {}
    if os.geteuid() == 0:
        shutil.chown(directory, "nobody")
        unprivileged = {"user": "nobody", "extra_groups": []}
    with (directory / "output").open("w") as output:
        process = subprocess.Popen(
            [PROGRAM, str(settings)],
            stdout=output,
            stderr=output,
            start_new_session=True,
            **unprivileged,  # type: ignore[call-overload]
        )
    try:
        _listening(port, directory)
        yield port
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        finally:
            end(process)
            shutil.rmtree(directory)


def _listening(port: int, directory: Path) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            log = (directory / "output").read_text()
            assert time.monotonic() < deadline, f"pgbouncer does not listen: {log}"
            time.sleep(0.05)
        else:
            return


def through_it(project: Project, port: int, database: str) -> psycopg.Connection[object]:
    """A client of the pooler that gets the very server connection that we would have had."""
    return psycopg.connect(
        f"host=127.0.0.1 port={port} dbname={database} user={project.database.owner}",
        autocommit=True,
        prepare_threshold=None,
    )


def nothing_stays(project: Project, port: int) -> None:
    """No setting and no lock of ours is left in the pooler's sessions."""
    for database in (project.database.name, "postgres"):
        with through_it(project, port, database) as client:
            changed = client.execute(
                "SELECT name, setting FROM pg_settings WHERE source = 'session'"
                " AND name NOT IN ('application_name', 'client_encoding', 'DateStyle', 'TimeZone',"
                " 'standard_conforming_strings')"
            ).fetchall()
            assert changed == [], database
            held = client.execute(
                "SELECT classid, objid FROM pg_locks WHERE locktype = 'advisory'"
            ).fetchall()
            assert held == [], database


def test_it_is_recognised(project: Project, pooler: int) -> None:
    with connect(f"host=127.0.0.1 port={pooler} dbname=postgres user=postgres") as connection:
        assert through_pooler(connection)


@pytest.mark.parametrize("how", ["check", "plan", "state", "doctor"])
def test_looking_through_it_leaves_nothing_behind(project: Project, pooler: int, how: str) -> None:
    project.two_migrations()
    through(project, pooler)
    done = project.here(how)
    assert "Traceback" not in done.stderr
    if how == "check":
        assert done.returncode == 1
        assert "a pooler is in between: locks and settings would leak" in done.stdout
        assert "PostgreSQL's own port" in done.stdout
    if how == "doctor":
        assert "pooler" in done.stdout + done.stderr
    nothing_stays(project, pooler)


def test_a_run_through_it_is_refused_and_touches_nothing(project: Project, pooler: int) -> None:
    project.two_migrations()
    through(project, pooler)
    done = project.here(*project.run_arguments)
    assert "Traceback" not in done.stderr
    assert done.returncode == 1, done.stdout + done.stderr
    found = events(done.stdout)
    assert found[-1]["outcome"] == "refused"
    assert "a pooler is in between" in found[-1]["summary"]
    for kind in ("sql_sent", "door_prepared", "door_closed", "checkpoint_made"):
        assert only(found, kind) == []
    assert project.versions() == ["20240101000000", "20240202000000"]
    assert project.connection_limit() == -1
    nothing_stays(project, pooler)
