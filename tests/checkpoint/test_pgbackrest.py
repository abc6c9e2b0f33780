"""The real pgBackRest: a run's restore point, and the commands that lead back to it, executed.

PostgreSQL's own packages and pgBackRest's are needed (Debian: postgresql-15 and pgbackrest); where
they are not installed, these tests are skipped, and say so.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec
import psycopg
import pytest

from rollback_tui.checkpoint import external, pgbackrest
from rollback_tui.checkpoint.storage import now
from rollback_tui.config import PgBackRest
from rollback_tui.core.checks.external import external_backup
from rollback_tui.core.errors import CheckpointError
from rollback_tui.core.model import CheckResult
from rollback_tui.embedded.watcher import identity
from rollback_tui.postgres.connect import connect, target
from tests.cli.conftest import Project, events, only
from tests.conftest import create_database
from tests.core.example import facts

PROGRAM = shutil.which("pgbackrest")


def _server_programs() -> Path | None:
    """The newest server here that this pgBackRest knows: 2.45 knows up to 15, 2.48 up to 16, 2.54
    up to 17."""
    if PROGRAM is None:
        return None
    said = subprocess.run([PROGRAM, "version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"2\.(\d+)", said)
    minor = int(found.group(1)) if found else 0
    newest = 17 if minor >= 54 else 16 if minor >= 48 else 15
    usable = [
        path
        for path in Path("/usr/lib/postgresql").glob("*/bin")
        if (path / "initdb").exists() and 13 <= int(path.parent.name) <= newest
    ]
    return max(usable, key=lambda path: int(path.parent.name), default=None)


PROGRAMS = _server_programs()

pytestmark = pytest.mark.skipif(
    PROGRAM is None or PROGRAMS is None,
    reason="pgbackrest, or a PostgreSQL server that it knows, is not installed",
)

CONFIGURATION = """
[global]
repo1-path={directory}/repo
lock-path={directory}/lock
spool-path={directory}/spool
log-level-file=off
log-level-console=warn
start-fast=y
compress-type=none
process-max=2
[{stanza}]
pg1-path={directory}/data
pg1-port={port}
pg1-socket-path={directory}
pg1-user=postgres
"""

STANZA = "our shop"
"""A name that a shell would take apart."""


@dataclass
class Cluster:
    """A server of Debian's with an archive; as the user that owns it."""

    directory: Path
    port: int

    @property
    def host(self) -> str:
        return str(self.directory)

    @property
    def settings(self) -> PgBackRest:
        return PgBackRest(
            stanza=STANZA, config=str(self.directory / "pgbackrest.conf"), archive_seconds=20
        )

    def dsn(self, database: str = "postgres", user: str = "postgres") -> str:
        return f"host={self.directory} port={self.port} dbname={database} user={user}"

    def bash(self, command: str) -> str:
        """Type a command, as the server's user, with the server's programs on the PATH."""
        with (self.directory / "output").open("w+") as output:
            # Not a pipe: a server that it starts would hold it open.
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", command],
                cwd="/",
                env={"PATH": f"{PROGRAMS}:{os.environ['PATH']}", "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=90,
                **identity("nobody" if os.geteuid() == 0 else None),
            )
            output.seek(0)
            said = output.read()
        assert done.returncode == 0, f"{command}\n{said}"
        return said

    def backrest(self, command: str) -> str:
        return self.bash(
            f"pgbackrest --config={self.directory}/pgbackrest.conf --stanza='{STANZA}' {command}"
        )


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A server that archives to a stanza, with one full backup."""
    directory = Path(tempfile.mkdtemp(prefix="rbt", dir="/tmp"))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        made = Cluster(directory, int(probe.getsockname()[1]))
    configuration = directory / "pgbackrest.conf"
    configuration.write_text(
        CONFIGURATION.format(directory=directory, port=made.port, stanza=STANZA)
    )
    if os.geteuid() == 0:
        for path in (directory, configuration):
            shutil.chown(path, "nobody")
    data = directory / "data"
    try:
        made.bash(
            f"initdb --pgdata={data} --username=postgres --auth=trust --no-sync --encoding=UTF8"
        )
        settings = {
            "archive_mode": "on",
            "archive_command": f'pgbackrest --config={configuration} "--stanza={STANZA}"'
            " archive-push %p",
            "unix_socket_directories": str(directory),
            "listen_addresses": "",
            "jit": "off",  # most of the time of what it compiles would go into compiling
            "port": str(made.port),
            "fsync": "off",
            "shared_buffers": "32MB",
            "max_wal_senders": "3",
        }
        text = "".join(f"{name} = '{value}'\n" for name, value in settings.items())
        made.bash(f"cat >>{data}/postgresql.conf <<'END'\n{text}\nEND")
        made.bash(f"pg_ctl --pgdata={data} --wait --log={directory}/log start")
        made.backrest("stanza-create")
        made.backrest("--type=full backup")
        yield made
    finally:
        if (data / "postmaster.pid").exists():
            made.bash(f"pg_ctl --pgdata={data} --mode=immediate --wait stop")
        shutil.rmtree(directory)


@pytest.fixture
def project(cluster: Cluster, tmp_path: Path) -> Project:
    """The usual project on this server, with pgBackRest configured; it goes with the server."""
    database = create_database(cast(Any, cluster))
    with psycopg.connect(cluster.dsn(database.name), autocommit=True) as admin:
        functions = "pg_create_restore_point(text), pg_switch_wal()"
        admin.execute(f"GRANT EXECUTE ON FUNCTION {functions} TO {database.owner}")
        admin.execute(f"GRANT pg_read_all_settings TO {database.owner}")
    made = Project(tmp_path, database)
    made.two_migrations()
    made.configure(configured(cluster))
    return made


def configured(cluster: Cluster, more: str = "") -> str:
    config = json.dumps(cluster.settings.config)
    return (
        "[checkpoint]\nenabled = false\n"
        f"[pgbackrest]\nstanza = {json.dumps(STANZA)}\nconfig = {config}\n{more}\n"
    )


def judged(project: Project, cluster: Cluster, **changes: Any) -> CheckResult:
    """What the safety check says with these settings."""
    settings = msgspec.structs.replace(cluster.settings, **changes)
    with connect(project.database.dsn) as connection:
        found = external.facts(connection, settings, target(connection))
    check = external_backup(msgspec.structs.replace(facts(), external=found))
    assert check is not None
    return check


def test_a_fresh_backup_passes_and_says_what_there_is(project: Project) -> None:
    printed = json.loads(project.here("check", "--json").stdout)
    (check,) = (check for check in printed["checks"] if check["name"] == "external_backup")
    assert check["status"] == "pass", check["summary"]
    assert "a restore point will be made" in check["summary"]
    said = "\n".join(check["evidence"])
    assert re.search(r"newest backup \d{8}-\d{6}F \(full\)", said)
    assert re.search(r"WAL in the archive up to [0-9A-F]{24}", said)


def test_a_stale_one_warns_and_fails_where_it_is_required(
    cluster: Cluster, project: Project
) -> None:
    stale = judged(project, cluster, max_age_hours=1e-6)
    assert stale.status == "warn" and "stale" in stale.summary
    assert judged(project, cluster, max_age_hours=1e-6, required=True).status == "fail"


def test_who_cannot_be_asked_is_not_known(cluster: Cluster, project: Project) -> None:
    gone = judged(project, cluster, required=True, command=("/nonexistent/pgbackrest",))
    assert (gone.status, gone.overridable) == ("unknown", True)
    assert any("cannot be started" in line for line in gone.evidence)
    hangs = judged(project, cluster, command=("sleep", "60"), answer_seconds=0.2)
    assert hangs.status == "warn"
    other = judged(project, cluster, stanza="another")
    assert other.status == "warn" and "no backup" in other.summary + other.evidence[0]


def test_a_stanza_of_another_cluster_is_no_backup_of_this_one(
    cluster: Cluster, project: Project
) -> None:
    with connect(project.database.dsn) as connection:
        here = target(connection)
    stanza = pgbackrest.info(cluster.settings)
    assert pgbackrest.judged(stanza, cluster.settings, here, now()).problem == ""
    other = msgspec.structs.replace(here, system_identifier="7000000000000000001")
    assert "another cluster" in pgbackrest.judged(stanza, cluster.settings, other, now()).problem


def test_a_role_without_the_right_is_told_before(cluster: Cluster, project: Project) -> None:
    with psycopg.connect(cluster.dsn(project.database.name), autocommit=True) as admin:
        owner = project.database.owner
        admin.execute(f"REVOKE EXECUTE ON FUNCTION pg_switch_wal() FROM {owner}".encode())
    check = judged(project, cluster)
    assert check.status == "warn"
    assert "GRANT EXECUTE ON FUNCTION" in check.summary
    with (
        connect(project.database.dsn) as connection,
        pytest.raises(CheckpointError, match="No restore point was made"),
    ):
        external.make_restore_point(connection, cluster.settings, "00000000")


def test_the_commands_of_the_run_bring_the_server_back(cluster: Cluster, project: Project) -> None:
    """The run takes the table away; what is printed, typed as it is, brings it back."""
    before = project.query("SELECT * FROM tokens ORDER BY 1")
    done = project.here(*project.run_arguments)
    assert done.returncode == 0, done.stderr
    (point,) = only(events(done.stdout), "restore_point_made")
    run = only(events(done.stdout), "run_started")[0]["run"]
    assert point["name"] == f"rollback_tui_{run[:8]}"
    assert point["archived"] and not point["problem"]
    assert len(project.versions()) == 1
    # More damage, and a backup after it, with which nobody could get back before it.
    with psycopg.connect(cluster.dsn(project.database.name), autocommit=True) as admin:
        admin.execute("DROP TABLE users")
    cluster.backrest("--type=diff backup")
    stop, restore, start, wait = point["commands"]
    assert stop.startswith("pg_ctl ") and start.startswith("pg_ctl ")
    assert wait.startswith("until ")
    assert f"--set={point['backup']}" in restore and "'--stanza=our shop'" in restore
    for command in point["commands"]:
        cluster.bash(command)
    assert project.query("SELECT pg_is_in_recovery()") == [(False,)]
    assert project.query("SELECT * FROM tokens ORDER BY 1") == before
    assert project.query("SELECT count(*), count(verified_at) FROM users") == [(200, 42)]
    assert len(project.versions()) == 2


def test_wal_that_does_not_arrive_is_said(cluster: Cluster, project: Project) -> None:
    """The server's word is not enough: its archive_command may lead somewhere else. The last test:
    the archive has a gap after it."""
    settings = msgspec.structs.replace(cluster.settings, archive_seconds=1)
    with psycopg.connect(cluster.dsn(), autocommit=True) as admin:
        admin.execute("ALTER SYSTEM SET archive_command = '/bin/true'")
        admin.execute("SELECT pg_reload_conf()")
        with connect(project.database.dsn) as connection:
            point = external.make_restore_point(connection, settings, "00000001")
        assert not point.archived and "the repository ends at" in point.problem
        admin.execute("ALTER SYSTEM SET archive_command = '/bin/false'")
        admin.execute("SELECT pg_reload_conf()")
        with connect(project.database.dsn) as connection:
            point = external.make_restore_point(connection, settings, "00000002")
        assert not point.archived and "was not archived in 1 s" in point.problem
        assert point.commands
        project.configure(configured(cluster, "required = true\narchive_seconds = 1"))
        refused = project.here(
            *project.run_arguments, "--override", "external_backup=the archive is repaired later"
        )
    assert refused.returncode == 1
    assert len(project.versions()) == 2
