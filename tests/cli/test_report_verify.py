"""``report --verify`` on a real run."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import psycopg
import pytest

from tests.cli.conftest import Project


def journal_of(project: Project) -> Path:
    (path,) = (project.directory / "rollback_runs").glob("*/journal.jsonl")
    return path


def change(project: Project, text: str) -> None:
    with psycopg.connect(project.database.dsn) as connection:
        connection.execute(text.encode())


def test_a_run_is_intact_until_somebody_touches_its_journal_or_its_row(project: Project) -> None:
    project.two_migrations()
    assert project.here(*project.run_arguments).returncode == 0
    done = project.command("report", "--verify")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "journal.jsonl: intact" in done.stdout
    assert "vouches for lines 1 to" in done.stdout

    path = journal_of(project)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"a test", b"a jest"))
    done = project.here("report", "--verify", "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["verdict"] == "altered"
    assert found["anchored"] is None
    path.write_bytes(whole)

    change(project, "DROP SCHEMA rollback_tui CASCADE")
    done = project.here("report", "--verify")
    assert done.returncode == 1
    assert "journal.jsonl: not anchored" in done.stdout


def test_schema_and_rows_are_what_they_were_without_the_row(project: Project) -> None:
    """The second run sees a database with our schema in it, and nothing of it differs."""
    project.two_migrations()
    before = json.loads(project.here("state", "--json").stdout)
    first = project.here(*project.run_arguments)
    assert first.returncode == 0, first.stdout + first.stderr
    assert len(project.query("SELECT * FROM rollback_tui.runs")) == 1
    change(project, "DROP SCHEMA rollback_tui CASCADE")
    without = json.loads(project.here("state", "--json").stdout)
    change(project, "CREATE SCHEMA rollback_tui")
    change(project, "CREATE TABLE rollback_tui.runs (run uuid)")
    with_it = json.loads(project.here("state", "--json").stdout)
    assert with_it["schema_fingerprint"] == without["schema_fingerprint"]
    assert with_it["schema_fingerprint"] != before["schema_fingerprint"]
    assert [t["name"] for t in with_it["tables"]] == [t["name"] for t in without["tables"]]


def test_a_squatted_table_is_said_before_and_the_version_table_decides(project: Project) -> None:
    project.two_migrations()
    change(project, "CREATE SCHEMA rollback_tui")
    change(project, "CREATE TABLE rollback_tui.runs (run uuid)")
    checks = json.loads(project.here("check", "--json").stdout)["checks"]
    (check,) = [c for c in checks if c["name"] == "run_row"]
    assert check["status"] == "warn"
    assert "other columns" in check["evidence"][0]
    done = project.here(*project.run_arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    (judge,) = [e for e in events if e["kind"] == "run_row_inserted"]
    assert (judge["judge"], "other columns" in judge["why"]) == ("version table", True)
    assert project.query("SELECT * FROM rollback_tui.runs") == []
    verified = project.here("report", "--verify")
    assert verified.returncode == 1
    assert "could not write its row" in verified.stdout


@pytest.mark.parametrize(
    "statement", ["DROP SCHEMA rollback_tui CASCADE", "DELETE FROM rollback_tui.runs"]
)
def test_a_script_that_removes_the_row_is_not_committed(project: Project, statement: str) -> None:
    """Its COMMIT, if the answer were lost, would be taken for a ROLLBACK."""
    project.two_migrations(down=f"DROP TABLE tokens;\n{statement};\n")
    overrides = [
        f"--override={name}=because it is a test"
        for name in ("data_loss", "dependents", "privileges")
    ]
    done = project.here(*project.run_arguments, *overrides)
    assert done.returncode == 3, done.stdout + done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert "removed the run's own row" in last["summary"]
    assert len(project.versions()) == 2


def test_half_a_line_that_a_crash_left_is_said_and_the_run_is_settled(project: Project) -> None:
    project.two_migrations("DROP TABLE tokens;\nSELECT pg_sleep(60);")
    run = project.start(*project.run_arguments)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = list((project.directory / "rollback_runs").glob("*/journal.jsonl"))
        if found and found[0].read_bytes().count(b'"statement_started"') == 2:
            break
        time.sleep(0.05)
    path = journal_of(project)
    worker = json.loads(path.read_bytes().splitlines()[0])["event"]["worker_pid"]
    guardian = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(guardian, signal.SIGKILL)
    os.kill(worker, signal.SIGKILL)
    run.communicate(timeout=60)
    with path.open("ab") as file:
        file.write(b'{"seq":99,"at":"2026')
    before = project.here("report", "--verify")
    assert before.returncode == 1
    assert "20 bytes of a line that is not whole" in before.stdout

    settled = project.here("settle")

    assert settled.returncode == 3, settled.stdout + settled.stderr
    assert "the journal ended in half a line (20 bytes): cut off" in path.read_text()
    after = project.here("report", "--verify", "--json")
    assert after.returncode == 1
    checked = json.loads(after.stdout)
    assert (checked["verdict"], checked["torn_bytes"]) == ("not anchored", 0)
    assert "nothing was committed" in "\n".join(checked["evidence"])
