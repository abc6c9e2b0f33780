"""The guide by hand, executed: its blocks are pasted into bash, one by one, without the tool."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from rollback_tui.config import Settings, parse
from rollback_tui.core import events as ev
from rollback_tui.core.run_view import RunView, fold
from rollback_tui.postgres.server_tools import find_tool
from rollback_tui.run import journal
from rollback_tui.run.by_hand.guide import GUIDE, guide, keep_current
from rollback_tui.run.by_hand.pasted import (
    Server,
    block,
    identifier,
    literal,
    pattern,
    relation,
    word,
)
from rollback_tui.run.doorway import close_door
from tests.cli.conftest import Project, events, only
from tests.conftest import Database
from tests.demo.processes import alive, end_all_in, soon
from tests.run.doors import opened_run
from tests.run.test_doorway import is_open

HOSTILE = 'o\'ne [/red] "q" $(x) `y`\\z\n\x1b[31m=ü'
SLOW = "SELECT pg_sleep(120);\nDROP TABLE tokens;\nALTER TABLE users DROP COLUMN verified_at;\n"
UNHEALTHY = """
[health]
url = "http://127.0.0.1:9/"
attempts = 1
deadline_seconds = 1
watch_seconds = 0
[checkpoint]
clone = "required"
[recovery]
services = ["shop web.service"]
log_files = ["/var/log/shop/*.log", "/var/log/it's"]
"""


def sections(text: str) -> dict[str, list[str]]:
    """The blocks for bash by the heading, of either level, that they stand under."""
    found: dict[str, list[str]] = {}
    heading, fence = "", ""
    inside: list[str] = []
    for line in text.split("\n"):
        opening = re.fullmatch(r"(`{3,})bash", line)
        if fence and line == fence:
            found.setdefault(heading, []).append("\n".join(inside))
            fence, inside = "", []
        elif fence:
            inside.append(line)
        elif opening:
            fence = opening.group(1)
        elif line.startswith("#"):
            heading = re.sub(r"^#+ (\d+\. )?", "", line)
    return found


def paste(database: Database, *blocks: str) -> str:
    """Execute each block as it is; the first that fails fails the test."""
    tool = find_tool("psql", 18)
    assert tool is not None
    said = ""
    for text in blocks:
        done = subprocess.run(
            ["bash", "--norc"],
            input=text,
            env={"PATH": f"{Path(tool.path).parent}:/usr/bin:/bin", "HOME": "/nonexistent"},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{text}\n{done.stderr}"
        said += done.stdout
    return said


def dumped(database: Database) -> str:
    """The database as pg_dump sees it, what belongs to it itself included; but not the run's own
    schema."""
    tool = find_tool("pg_dump", 18)
    assert tool is not None
    command = [tool.path, "--create", "--exclude-schema=rollback_tui", "--dbname"]
    done = subprocess.run(
        [*command, database.superuser_dsn], capture_output=True, text=True, check=True
    )
    # PostgreSQL 18 puts a random word there.
    return re.sub(r"^\\(un)?restrict .*$", "", done.stdout, flags=re.MULTILINE)


@pytest.fixture
def project(tmp_path: Path, database: Database) -> Iterator[Project]:
    """Two migrations; database and directory of names that nobody should give."""
    directory = tmp_path / "it's [red] $(x) \u202e"
    directory.mkdir()
    hostile = HOSTILE.replace("\n", "") + uuid.uuid4().hex[:6]  # pg_dump refuses newlines
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
        admin.execute(rename.format(sql.Identifier(database.name), sql.Identifier(hostile)))
    database.name = hostile
    made = Project(directory, database)
    made.two_migrations()
    with psycopg.connect(database.superuser_dsn, autocommit=True) as admin:
        name = sql.Identifier(database.name)
        admin.execute(sql.SQL("ALTER DATABASE {} SET work_mem = '5MB'").format(name))
        admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
        admin.execute(sql.SQL("COMMENT ON DATABASE {} IS 'of the shop'").format(name))
    yield made
    end_all_in(directory)


def test_a_door_that_a_killed_run_left_is_opened_by_hand(project: Project) -> None:
    """Worker and guardian are killed with -9 in the middle of the script; nobody settles."""
    database = project.database
    path = next((project.directory / "db" / "migrations").glob("*verification*"))
    text = path.read_text()
    path.write_text(text[: text.index("-- migrate:down")] + "-- migrate:down\n" + SLOW)
    before = dumped(database)
    project.configure(
        '[maintenance.on]\nflag_file = "its flag"\n[maintenance.off]\n'
        f'flag_file = "{project.directory}/its flag"'
    )
    process = project.start(*project.run_arguments)
    try:
        assert soon(lambda: _begun(project), 60), process.poll() and process.communicate()
        view = fold(journal.read(project.run_folder() / journal.FILE_NAME))
        assert view.started is not None
        worker = view.started.worker_pid
        os.kill(int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1]), 9)
        os.kill(worker, signal.SIGKILL)
        assert soon(lambda: not alive(worker), 5)
    finally:
        process.kill()
        process.communicate()
    written = (project.run_folder() / GUIDE).read_text()
    assert (project.run_folder() / GUIDE).stat().st_mode & 0o777 == 0o600
    assert not is_open(database)
    found = sections(written)
    said = paste(
        database, *found["Is anything still at work?"], *found["Look where the database is"]
    )
    assert "it has ended" in said or "<defunct>" in said
    assert "the placeholder" in said
    assert "20240202000000" in paste(database, *found["What does it hold?"])
    paste(database, *found["Open the door"], *found["Switch maintenance mode off"])
    assert is_open(database)
    assert not (project.directory / "its flag").exists()
    assert dumped(database) == before
    settled = project.command("settle", "--json")
    assert '"outcome":"unchanged"' in settled.stdout, settled.stderr


def _begun(project: Project) -> bool:
    runs = project.directory / "rollback_runs"
    for path in runs.glob("*/journal.jsonl"):
        return '"statement_started"' in path.read_text()
    return False


def test_a_committed_rollback_is_taken_back_by_hand(project: Project) -> None:
    """The application is not healthy: the operator is needed, and the clone is kept. First it is
    swapped in; then, in its place, the dump."""
    database = project.database
    before = dumped(database)
    project.configure(UNHEALTHY)
    done = project.here(*project.run_arguments)
    assert '"needs_operator"' in done.stdout, done.stdout[-3000:] + done.stderr
    assert only(events(done.stdout), "run_finished")[0]["outcome"] == "needs_operator"
    assert project.versions() == ["20240101000000"]
    printed = project.command("guide")
    assert printed.returncode == 0, printed.stderr
    assert printed.stdout == (project.run_folder() / GUIDE).read_text()
    assert "\x1b" not in printed.stdout
    found = sections(printed.stdout)
    assert found["Stop the services"] == ["sudo systemctl stop -- 'shop web.service'"]
    assert found["Start the services, follow the logs"][-1] == (
        "tail -n 100 -F -- /var/log/shop/*.log '/var/log/it'\"'\"'s'"
    )
    paste(database, *found["From the clone"])
    taken_back(database, found["Verify"], before)
    said = paste(database, *found["From the dump"])
    assert re.search(r"public.*users.* \|\s+200 \|\s+200\n", said), said
    taken_back(database, found["Verify"], before)


def taken_back(database: Database, verify: list[str], before: str) -> None:
    """It is as before, and the guide's own questions say so. What was replaced is dropped."""
    said = paste(database, *verify)
    assert re.search(r"tokens.* \|\s+17 \|\s+17\n", said), said
    assert "20240202000000" in said
    assert re.search(r"tokens_user_id_fkey \|\s+0\n", said), said
    assert dumped(database) == before
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        (kept,) = [name for name in beside(admin) if "__replaced_" in name]
        admin.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(kept)))


def beside(admin: psycopg.Connection[tuple[object, ...]]) -> list[str]:
    return [str(name) for (name,) in admin.execute("SELECT datname FROM pg_database").fetchall()]


@pytest.mark.parametrize("rung", ["limit", "terminate"])
def test_the_other_doors_are_opened_by_hand(database: Database, tmp_path: Path, rung: str) -> None:
    used = parse(f'[door]\nrung = "{rung}"')
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        limited = sql.SQL("ALTER DATABASE {} CONNECTION LIMIT 7")
        admin.execute(limited.format(sql.Identifier(database.name)))
    with opened_run(database.dsn, tmp_path, used) as run:
        keeper = close_door(run)
        assert keeper is not None
        keeper.stop()
        text = guide(run.view, used)
    paste(database, *sections(text).get("Open the door", ()))
    with psycopg.connect(database.server.dsn()) as admin:
        row = admin.execute(
            "SELECT datconnlimit FROM pg_database WHERE oid = %s", [database.oid]
        ).fetchone()
    assert row == (7,)


def test_a_door_that_was_only_announced_is_no_trap(database: Database, tmp_path: Path) -> None:
    """``DoorClosed`` is journaled first: the worker may die before anything was renamed. The block
    with the renames then changes nothing, and the next one is right."""
    with opened_run(database.dsn, tmp_path) as run:
        keeper = close_door(run)
        assert keeper is not None
        keeper.stop()
        text = guide(run.view, run.settings)
    renames, *rest = sections(text)["Open the door"]
    paste(database, renames)
    with pytest.raises(AssertionError, match="already exists"):
        paste(database, renames)
    paste(database, *rest)
    assert is_open(database)


def test_what_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    event = ev.MaintenanceChanged(on=True)
    keep_current(tmp_path / "nowhere", RunView(), Settings(), event)
    keep_current(tmp_path, RunView(), Settings(), event)
    assert "nothing was touched" in (tmp_path / GUIDE).read_text()
    (tmp_path / GUIDE).unlink()
    keep_current(tmp_path, RunView(), Settings(), ev.AbortAsked())
    assert not (tmp_path / GUIDE).exists()


@pytest.mark.parametrize(
    "text", ["plain", "a b", "it's", HOSTILE, "$x", "-n", "\u202e\u200b", "a\\b", "\U000e0041", "*"]
)
def test_words_and_names_arrive_as_they_were(database: Database, text: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"printf %s {word(text)}"], capture_output=True, env={"LC_ALL": "C"}
    )
    assert done.stdout.decode() == text
    with contextlib.closing(database.connect()) as connection:
        row = connection.execute(
            f"SELECT {literal(text)}, x.* FROM (SELECT 1 AS {identifier(text)}) x".encode()
        )
        assert row.description is not None
        assert row.description[1].name == text
        assert row.fetchone() == (text, 1)
    command = Server(host=database.server.host, port=database.server.port, user=database.owner)
    quoted = f"SELECT {literal(text)} AS {identifier(text)};"
    said = paste(database, command.psql(database.name, "\\pset format unaligned", quoted))
    assert text in said


def test_no_name_ends_a_block_or_becomes_another_relation() -> None:
    assert block("a```b").startswith("````bash\n")
    assert block("a").startswith("```bash\n")
    assert relation('public."Order Notes"') == '"public"."Order Notes"'
    assert relation("Public.Users") == '"public"."users"'
    assert pattern("/a b/*.log") == "'/a b/'*.log"
