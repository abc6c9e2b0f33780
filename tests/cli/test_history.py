"""``history`` on real runs: the records, the summary, who decided what, and whether it is whole."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import psycopg

from rollback_tui.cli.history import FIRST_COLUMNS
from rollback_tui.cli.options import Common
from rollback_tui.cli.session import Session
from rollback_tui.config import load
from rollback_tui.core.history.metadata import COLUMNS
from tests.cli.conftest import DOWN_1, DOWN_2, UP_1, UP_2, Project

REASON = "=cmd|'calc'!A1 signups fail"
RUN = ("run", "--confirm", "{name}", "--reason", REASON, "--yes", "--json")
WHY = "because it is not there"
WIDE = 80


def told(project: Project, *arguments: str, code: int = 0) -> str:
    done = project.here("history", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def asked(project: Project, *arguments: str, code: int = 0) -> Any:
    return json.loads(told(project, *arguments, "--json", code=code))


def a_run(project: Project, *more: str) -> int:
    arguments = [part.format(name=project.database.name) for part in RUN]
    return project.here(*arguments, *more).returncode


def log_of(project: Project) -> list[dict[str, Any]]:
    path = project.directory / "rollback_runs" / "decisions.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_two_runs_their_records_decisions_and_the_view(project: Project) -> None:
    """One is refused before it begins, one is committed; then everything is asked of them."""
    project.configure('environment = "staging"')
    assert told(project) == f"No runs in {project.directory / 'rollback_runs'}.\n"
    assert "rollback_tui.runs" in project.here("history", "view", "--create").stderr
    project.migration("20240101000000", "users", UP_1, DOWN_1)
    assert project.here("baseline", "record").returncode == 0
    project.migration("20240202000000", "verification", UP_2, DOWN_2)
    assert project.here("run", "--confirm", "other", "--yes").returncode == 1
    assert a_run(project, "--override", f"no_such_check={WHY}", "--keep", "all") == 0

    (run,) = asked(project)
    _is_the_record(project, run)
    _is_the_table(project)
    _are_chosen(project)
    _are_decisions(project, run["run"])
    _is_whole(project, run)
    _changes_nothing(project)


def _is_the_record(project: Project, run: dict[str, Any]) -> None:
    assert list(run) == list(COLUMNS)
    assert (run["outcome"], run["environment"], run["reason"]) == ("rolled_back", "staging", REASON)
    assert (run["version_before"], run["goal"]) == ("20240202000000", "20240101000000")
    assert run["operator_uid"] == os.getuid()
    assert run["attended"] is False
    # 17 tokens and 42 values were copied into the archive first: nothing is lost.
    assert (run["rows_kept"], run["rows_lost"], run["values_lost"]) == (59, 0, 0)
    assert run["door"] == "rename" and 0 < run["downtime_seconds"] < run["seconds"]
    assert run["commit_seconds"] is not None and run["recover_seconds"] is None
    assert "rows" in " ".join(run["verifications_passed"])
    assert run["verifications_failed"] == []
    lines = (project.run_folder() / "journal.jsonl").read_bytes().count(b"\n")
    assert run["journal_lines"] == lines
    assert (run["monitored"], run["alerts"]) == (False, None)


def _is_the_table(project: Project) -> None:
    (row,) = csv.DictReader(io.StringIO(told(project, "--csv")))
    assert tuple(row)[: len(FIRST_COLUMNS)] == FIRST_COLUMNS
    assert set(row) == set(COLUMNS)
    assert row["reason"] == "'" + REASON
    assert (row["proven"], row["recover_seconds"], row["alerts"]) == ("False", "", "")


def _are_chosen(project: Project) -> None:
    for meant in (
        ("--outcome", "rolled_back", "--outcome", "refused"),
        ("--database", project.database.name, "--environment", "staging"),
        ("--version", "20240202000000", "--since", "1h", "--limit", "1"),
    ):
        assert len(asked(project, *meant)) == 1, meant
    for not_meant in (("--failed",), ("--until", "2d"), ("--task", "recover")):
        assert asked(project, *not_meant) == []
        assert "No such runs" in told(project, *not_meant)
        assert list(csv.DictReader(io.StringIO(told(project, "--csv", *not_meant)))) == []
    assert "is no time" in project.here("history", "--since", "then").stderr
    both = project.here("history", "--since", "1d", "--until", "2d")
    assert (both.returncode, "No run can be between" in both.stderr) == (2, True)
    assert project.here("history", "--json", "--csv").returncode == 2
    summary = asked(project, "summary", "--environment", "staging")
    assert (summary["runs"], summary["rolled_back"], summary["rows_lost"]) == (1, 1, 0)
    assert asked(project, "summary", "--failed")["runs"] == 0
    assert max(map(len, told(project, "summary").splitlines())) <= WIDE


def _are_decisions(project: Project, run: str) -> None:
    log = log_of(project)
    assert [one["what"] for one in log] == ["baseline recorded", "run refused", "run asked for"]
    assert "--confirm says other" in log[1]["detail"]
    assert log[2]["facts"]["overrides"] == [f"no_such_check: {WHY}"]
    assert (log[2]["run"], log[2]["facts"]["reason"]) == (run, REASON)
    entries = asked(project, "audit")
    assert [one["what"] for one in entries] == [
        "baseline recorded",
        "run refused",
        "run asked for",
        "plan confirmed",
        "loss acknowledged",
        "data to be kept",
        "check set aside",
    ]
    assert {f"uid {os.getuid()}" in one["where"] for one in entries} == {True}
    assert len(asked(project, "audit", run[:8])) == 5
    assert asked(project, "audit", "--until", "1d") == []
    (first, *_) = csv.DictReader(io.StringIO(told(project, "audit", "--csv")))
    assert list(first) == ["when", "who", "from", "what", "detail", "run"]
    text = told(project, "audit")
    assert max(map(len, text.splitlines())) <= WIDE
    assert f"{run[:8]}  plan confirmed" in text


def _is_whole(project: Project, run: dict[str, Any]) -> None:
    assert asked(project, "verify") == asked(project, "verify", "--all")
    found = asked(project, "verify", run["run"][:8])
    assert [one["verdict"] for one in found["runs"]] == ["intact"]
    # The journal's first line vouches for the log's line about the run.
    assert (found["audit_log"]["verdict"], found["audit_log"]["anchored"]) == ("intact", 3)

    path = project.directory / "rollback_runs" / "decisions.jsonl"
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))
    cut = told(project, "verify", code=1)
    assert "decisions.jsonl: altered" in cut and "is not there" in cut
    path.write_bytes(whole.replace(b"says other", b"says  ther"))
    assert "decisions.jsonl: altered" in told(project, "verify", "--all", code=1)
    audit = project.here("history", "audit")
    assert (audit.returncode, "plan confirmed" in audit.stdout) == (1, True)
    assert "line 3 does not follow" in audit.stderr
    path.write_bytes(whole)

    journal = Path(run["folder"]) / "journal.jsonl"
    written = journal.read_bytes()
    journal.write_bytes(written.replace(b"signups fail", b"signups  ail"))
    assert asked(project, "verify", code=1)["runs"][0]["verdict"] == "altered"
    assert asked(project, "--outcome", "journal damaged")[0]["rows_lost"] is None
    journal.write_bytes(written)
    told(project, "verify")


def _changes_nothing(project: Project) -> None:
    """With the view there the next run proves the same, and its row is there too."""
    script = told(project, "view")
    assert script.startswith("BEGIN;\n") and script.endswith("COMMIT;\n")
    assert asked(project, "view", "--create")["new"] is True
    assert "replaced" in told(project, "view", "--create")
    assert log_of(project)[-1]["what"] == "view replaced"
    project.migration("20240202000000", "verification", UP_2, DOWN_2)
    assert a_run(project) == 0
    newest, before = asked(project)
    assert newest["verifications_passed"] == before["verifications_passed"]
    assert "schema" in newest["verifications_passed"]
    assert newest["verifications_failed"] == []
    # Nobody configured what would tell; and what nobody knows is not proven.
    assert newest["verifications_unknown"] == ["health", "query_errors"]
    assert newest["proven"] is False
    ids = project.query("SELECT run::text FROM rollback_tui.history ORDER BY inserted_at DESC")
    assert [row[0] for row in ids] == [newest["run"], before["run"]]
    told(project, "verify", "--all")
    with psycopg.connect(project.database.dsn) as connection:
        connection.execute("DROP SCHEMA rollback_tui CASCADE")
    assert "2 not anchored" in told(project, "verify", "--all", code=1)
    told(project, "verify", "--all", "--unanchored-ok")
    # Where nobody could be asked, nobody knows whether there is a row that speaks against it.
    nobody = {"DATABASE_URL": "host=127.0.0.1 port=1 dbname=shop connect_timeout=2"}
    configuration = project.directory / "rollback.toml"
    whole = configuration.read_text()
    configuration.write_text("")
    unasked = project.command("history", "verify", "--all", "--unanchored-ok", "--json", env=nobody)
    configuration.write_text(whole)
    assert unasked.returncode == 1
    runs = json.loads(unasked.stdout)["runs"]
    assert {(run["verdict"], run["asked"]) for run in runs} == {("not anchored", False)}


def test_what_the_screens_do_to_sessions_is_kept_with_what_the_server_said(
    project: Project,
) -> None:
    sleeper = project.database.connect(application_name="shop \x1b[2J")
    pid = sleeper.info.backend_pid
    begun = sleeper.execute(
        "SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    ).fetchone()
    assert begun is not None
    common = Common(
        dsn=project.database.dsn, settings=load(None), project=project.directory, as_json=False
    )
    session = Session(common)
    try:
        assert session.terminate(pid, begun[0]).outcome == "signalled"  # type: ignore[arg-type]
        assert session.cancel(pid, begun[0]).outcome == "gone"  # type: ignore[arg-type]
    finally:
        session.close()
    ended, gone = log_of(project)
    assert (ended["what"], gone["what"]) == ("session terminated", "session not cancelled")
    assert ended["facts"]["pid"] == pid
    assert ended["facts"]["application"].startswith("shop")
    assert ended["facts"]["user"] == project.database.owner
    assert (ended["facts"]["outcome"], gone["facts"]["outcome"]) == ("signalled", "gone")
    assert "it was gone" in gone["detail"]
