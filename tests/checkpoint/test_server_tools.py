from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from rollback_tui.checkpoint.facts import plan_checkpoint
from rollback_tui.checkpoint.restore import compare, restore_beside
from rollback_tui.config import CheckpointSettings
from rollback_tui.core.errors import ToolFailed
from rollback_tui.postgres import server_tools
from rollback_tui.postgres.connect import with_database
from rollback_tui.postgres.server_tools import (
    child_environment,
    database_argument,
    find_tool,
    parameters,
    plain_environment,
    run_tool,
    suits,
)
from tests.checkpoint.conftest import Made, fill, make_checkpoint, target_of
from tests.conftest import Database

PASSWORD = "s3cr:et\\ 'pass"  # all that a passfile and a DSN have to escape


@pytest.fixture
def secured(database: Database) -> Iterator[str]:
    """Connection string over TCP for a role that really needs its password."""
    admin = database.connect(superuser=True)
    role = sql.Identifier(database.owner)
    admin.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(PASSWORD)))
    row = admin.execute("SHOW hba_file").fetchone()
    hba = Path(str(row[0] if row else ""))
    before = hba.read_text()
    hba.write_text(f"host all {database.owner} 127.0.0.1/32 scram-sha-256\n{before}")
    admin.execute("SELECT pg_reload_conf()")
    bare = database.server.tcp_dsn(database.name, database.owner)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            psycopg.connect(bare).close()
        except psycopg.OperationalError:
            break
        time.sleep(0.02)
    else:
        raise AssertionError("the server still lets us in without a password")
    yield psycopg.conninfo.make_conninfo(bare, password=PASSWORD)
    hba.write_text(before)
    admin.execute("SELECT pg_reload_conf()")


class Watch:
    """Looks at every process of the machine, again and again, for a secret."""

    def __init__(self, secret: str) -> None:
        self.secret = secret.encode()
        self.found: set[str] = set()
        self.seen: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.is_set():
            for entry in Path("/proc").iterdir():
                if not entry.name.isdigit() or int(entry.name) == os.getpid():
                    continue
                for kind in ("cmdline", "environ"):
                    try:
                        content = (entry / kind).read_bytes()
                    except OSError:
                        continue
                    for name in (b"pg_dump", b"pg_restore"):
                        if kind == "cmdline" and name in content:
                            self.seen.add(name.decode())
                    if self.secret in content:
                        self.found.add(f"{kind} of {content[:60]!r}")
            time.sleep(0.005)


def test_the_password_is_in_no_argument_environment_or_file(
    database: Database, secured: str, project: Path
) -> None:
    fill(database.connect())
    own = database.server.dsn("postgres", database.owner)
    new = database.name + "_b"
    with Watch(PASSWORD) as watch:
        checkpoint = Path(make_checkpoint(secured, project).path)
        restore_beside(checkpoint, secured, own, new)
    assert watch.seen == {"pg_dump", "pg_restore"}
    assert watch.found == set()
    assert compare(checkpoint, with_database(secured, new)) == ()
    for file in checkpoint.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert PASSWORD.encode() not in content, file
            assert b"s3cr" not in content, file


def test_the_passfile_is_private_and_goes_away(secured: str) -> None:
    with child_environment(secured) as environment:
        passfile = Path(environment["PGPASSFILE"])
        assert stat.S_IMODE(passfile.stat().st_mode) == 0o600
        assert stat.S_IMODE(passfile.parent.stat().st_mode) == 0o700
        assert not any(PASSWORD in value for value in environment.values())
        tool = find_tool("pg_dump", 18)
        assert tool is not None
        done = subprocess.run([tool.path, "-w", "-s"], env=environment, capture_output=True)
        assert done.returncode == 0, done.stderr
    assert not passfile.parent.exists()


def test_a_passfile_of_the_caller_is_used_through_us(
    secured: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passfile = tmp_path / "pgpass"
    passfile.touch(0o600)
    escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    passfile.write_text(f"*:*:*:*:{escaped}\n")
    monkeypatch.setenv("PGPASSFILE", str(passfile))
    bare = psycopg.conninfo.make_conninfo(secured, password=None)
    assert parameters(bare)["password"] == PASSWORD


def test_nothing_of_the_callers_pg_variables_is_inherited(
    database: Database, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGDATABASE", made.database.name)
    monkeypatch.setenv("PGOPTIONS", "-c statement_timeout=1")
    monkeypatch.setenv("PGTZ", "Asia/Tokyo")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    dsn = psycopg.conninfo.make_conninfo(database.dsn, options="-c work_mem=5MB", sslmode="prefer")
    with child_environment(dsn, application="rollback_tui pg_dump") as environment:
        assert environment["PGDATABASE"] == database.name
        assert environment["PGHOST"] == database.server.host
        assert environment["PGPORT"] == str(database.server.port)
        assert environment["PGUSER"] == database.owner
        assert environment["PGOPTIONS"] == "-c work_mem=5MB"
        assert environment["PGSSLMODE"] == "prefer"
        assert environment["PGAPPNAME"] == "rollback_tui pg_dump"
        assert "PGTZ" not in environment
        assert "AWS_SECRET_ACCESS_KEY" not in environment


def test_a_service_is_written_out(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "services"
    file.write_text(
        f"[shop]\nhost={database.server.host}\nport={database.server.port}\n"
        f"user={database.owner}\ndbname=elsewhere\nkeepalives_idle=77\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    with child_environment(f"service=shop dbname={database.name}") as environment:
        assert environment["PGDATABASE"] == database.name
        assert environment["PGHOST"] == database.server.host
        assert environment["PGSERVICEFILE"] != str(file)
        assert "dbname" not in Path(environment["PGSERVICEFILE"]).read_text()


# --- which program ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "server", "expected"),
    [
        (18, 18, True),
        (18, 17, True),
        (17, 18, False),
        (15, 13, True),
        (16, 13, True),
        (16, 16, True),
        (17, 16, False),
        (18, 13, False),
        (12, 13, False),
    ],
)
def test_which_version_suits(tool: int, server: int, expected: bool) -> None:
    assert suits(tool, server) is expected


def pretend(directory: Path, version: str) -> Path:
    """A program that only knows its version."""
    directory.mkdir(parents=True)
    program = directory / "pg_dump"
    program.write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {version}'\n")
    program.chmod(0o755)
    return directory


@pytest.fixture
def pretended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = ("14.9 (Debian 14.9-1)", "16.3", "15.2", "17.1", "18.0", "19beta1", "mine")
    places = [pretend(tmp_path / str(number), text) for number, text in enumerate(versions)]
    monkeypatch.setattr(server_tools, "_directories", lambda: iter(places))


@pytest.mark.parametrize(
    ("server", "expected"),
    [(13, 14), (14, 14), (15, 15), (16, 16), (17, 17), (18, 18), (19, None), (20, None)],
)
def test_the_same_major_or_the_smallest_newer(
    pretended: None, server: int, expected: int | None
) -> None:
    tool = find_tool("pg_dump", server)
    assert (tool.major if tool else None) == expected


def test_debians_wrapper_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrapper = pretend(tmp_path / "share", "18.1") / "pg_dump"
    wrapper = wrapper.rename(wrapper.with_name("pg_wrapper"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pg_dump").symlink_to(wrapper)
    monkeypatch.setattr(server_tools, "_directories", lambda: iter([tmp_path / "bin"]))
    assert find_tool("pg_dump", 18) is None


def test_the_real_ones_are_found(made: Made) -> None:
    for name in ("pg_dump", "pg_restore"):
        tool = find_tool(name, 18)
        assert tool is not None
        assert tool.major == 18
        assert tool.version.startswith("18.")


def test_facts(made: Made, tmp_path: Path) -> None:
    target = target_of(made.database.dsn)
    facts = plan_checkpoint(CheckpointSettings(), tmp_path, target, 1000)
    assert facts.writable and facts.pg_dump_major == 18 and facts.why == ""
    assert facts.free_bytes is not None and facts.free_bytes > 0
    assert list(tmp_path.iterdir()) == []


def test_facts_when_it_cannot_be(made: Made, tmp_path: Path, pretended: None) -> None:
    (tmp_path / "file").write_text("")
    settings = CheckpointSettings(directory="file/below")
    facts = plan_checkpoint(settings, tmp_path, target_of(made.database.dsn), 1000)
    assert not facts.writable
    assert "is not a directory" in facts.why
    assert facts.pg_dump is None
    assert "no pg_restore was found" in facts.why or "only pg_restore" in facts.why


# --- running --------------------------------------------------------------------------------------


def python(code: str, **options: Any) -> None:
    run_tool(
        [sys.executable, "-c", code],
        environment=plain_environment(),
        **{"seconds": 20.0, **options},
    )


def test_lines_come_one_by_one() -> None:
    lines: list[str] = []
    python(r"import sys; sys.stderr.write('a\nb\r\nlast')", on_line=lines.append)
    assert lines == ["a", "b\r", "last"]


def test_the_last_words_are_printable_and_without_password() -> None:
    with pytest.raises(ToolFailed) as caught:
        python(
            r"import sys; sys.stderr.write('error: \x1b[31mhunter2 is wrong\n'); sys.exit(3)",
            secret="hunter2",
            remedies=(("is wrong", "Use the right one."),),
        )
    assert caught.value.summary.endswith("error: ␛[31m*** is wrong")
    assert caught.value.remedy == "Use the right one."


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    sys.stderr.write(f"{os.getpid()}\\n"); sys.stderr.flush()
while True:
    time.sleep(1)
"""


def test_at_the_deadline_the_whole_group_is_ended() -> None:
    lines: list[str] = []
    # It would go on for ever; and it must have begun before it is ended.
    with pytest.raises(ToolFailed, match="took longer than 3 s"):
        python(STUBBORN, on_line=lines.append, seconds=3)
    assert gone(int(lines[0]))


def test_abort_ends_the_whole_group() -> None:
    lines: list[str] = []
    with pytest.raises(ToolFailed, match="was aborted"):
        python(STUBBORN, on_line=lines.append, aborted=lambda: bool(lines))
    assert gone(int(lines[0]))


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(ToolFailed, match="cannot be started"):
        run_tool(["/nonexistent/pg_dump"], environment={}, seconds=1)


@pytest.mark.parametrize("name", ["a=b", "it's", "back\\slash", "two words", "postgresql://x"])
def test_a_database_name_is_never_a_connection_string(name: str) -> None:
    parsed = psycopg.conninfo.conninfo_to_dict(database_argument(name))
    assert parsed == {"dbname": name}
