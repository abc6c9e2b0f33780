"""``--script FILE``: a down script given by hand takes the whole path, with the framework's version
change, or where no framework is known."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from tests.cli.conftest import Project, events, here, only

INJECT = Path(__file__).parents[1] / "faults" / "inject"

UP = """
CREATE TABLE users (id int PRIMARY KEY, email text);
INSERT INTO users SELECT i, 'u' || i FROM generate_series(1, 50) i;
ALTER TABLE users ADD COLUMN note text DEFAULT 'x';
"""
BACK = "ALTER TABLE users DROP COLUMN note;\n"


def by_hand(project: Project, text: str = BACK) -> Path:
    """Write the script beside the project's directory."""
    path = project.directory.parent / f"{project.directory.name}-back.sql"
    path.write_text(text)
    return path


def no_framework(project: Project, settings: str = "") -> Path:
    """A database that no migration tool knows, and a script for it."""
    with psycopg.connect(project.database.dsn) as connection:
        connection.execute(UP)
    project.configure(settings)
    return by_hand(project)


def columns(project: Project) -> list[object]:
    """The columns of ``users``."""
    rows = project.query(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'users'::regclass AND attnum > 0"
        " AND NOT attisdropped ORDER BY attnum"
    )
    return [row[0] for row in rows]


def test_it_takes_the_place_of_the_frameworks_own(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.two_migrations(down="DROP TABLE the_wrong_one;\n")
    script = by_hand(project, "DROP TABLE tokens;\nALTER TABLE users DROP COLUMN verified_at;\n")
    given = ("--script", f"../{script.name}")

    shown = here(project, monkeypatch, "plan", *given).output
    assert f"SCRIPT GIVEN BY HAND: {script}" in shown
    assert "the_wrong_one" not in shown and "20240202000000 → 20240101000000" in shown
    asked = here(project, monkeypatch, "plan", *given, "--json").output
    plan = json.loads(asked)
    assert plan["by_hand"] == plan["migrations"][0]["path"] == str(script)
    assert plan["version_stays"] is None and len(plan["version_change"]) == 1
    for more in (("--steps", "2"), ("--to", "20230101000000")):
        refused = here(project, monkeypatch, "plan", *given, *more)
        assert refused.exit_code != 0
    assert "one migration back, and 2 are chosen" in str(
        here(project, monkeypatch, "plan", *given, "--steps", "2").exception
    )

    done = project.here(*project.run_arguments, *given)

    assert done.returncode == 0, done.stdout[-800:] + done.stderr
    found = events(done.stdout)
    (version,) = [
        e["verification"] for e in only(found, "verification_judged") if _named(e, "version")
    ]
    assert version["verdict"] == "pass"
    assert project.versions() == ["20240101000000"]
    assert columns(project) == ["id", "email"]
    report = Path(found[-1]["report"]).read_text()
    assert "The script was given by hand" in report


def _named(event: dict[str, dict[str, str]], name: str) -> bool:
    return event["verification"]["name"] == name


def test_without_any_framework_nothing_is_said_of_versions(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = no_framework(project, f'[migrations]\nscript = "{_script_name(project)}"')

    shown = here(project, monkeypatch, "plan").output
    assert "no framework is known" in shown and "NO VERSION IS CHANGED" in shown
    assert "no migration at all" not in shown
    refused = here(project, monkeypatch, "plan", "--steps", "2")
    assert "nobody" in str(refused.exception) or "one step" in str(refused.exception)
    safe = here(project, monkeypatch, "check", "--rehearse", "--json").output
    checks = {check["name"]: check for check in json.loads(safe[safe.index("{") :])["checks"]}
    assert checks["version_table"]["status"] == checks["later_migrations"]["status"] == "warn"
    assert checks["schema_restored"]["status"] == "warn"

    done = project.here(*project.run_arguments)

    assert done.returncode == 0, done.stdout[-800:] + done.stderr
    found = events(done.stdout)
    assert columns(project) == ["id", "email"]
    assert only(found, "version_changed") == []
    assert not [e for e in only(found, "verification_judged") if _named(e, "version")], (
        "it is not asked"
    )
    assert only(found, "run_row_inserted")[0]["judge"] == "run row"
    assert "No version is changed" in found[-1]["summary"]
    report = Path(found[-1]["report"]).read_text()
    assert "No framework is known" in report and str(script.name) in report.replace("\\", "")
    guide = (project.run_folder() / "RECOVERY.md").read_text()
    assert "SELECT * FROM  " not in guide and "no version is changed" in guide
    back = project.here("recover", project.run_folder().name[-8:], "--json")
    reapply = {rung["rung"]: rung for rung in json.loads(back.stdout)["options"]}["reapply"]
    assert "given by hand" in reapply["obstacle"]


def _script_name(project: Project) -> str:
    return f"../{project.directory.name}-back.sql"


def test_without_the_runs_own_row_nothing_would_decide(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = no_framework(project, "[run]\nrun_row = false")
    asked = here(project, monkeypatch, "check", "--script", str(script), "--json").output
    row = next(c for c in json.loads(asked)["checks"] if c["name"] == "run_row")
    assert (row["status"], row["overridable"]) == ("fail", False)
    done = project.here(*project.run_arguments, "--script", str(script))
    assert done.returncode == 1
    assert columns(project) == ["id", "email", "note"]


@pytest.mark.parametrize(
    ("point", "outcome"),
    [("before committed", "rolled_back"), ("before statement_finished: 1", "unchanged")],
)
def test_a_killed_worker_is_settled_by_the_runs_row_alone(
    project: Project, tmp_path: Path, point: str, outcome: str
) -> None:
    script = no_framework(project, "[checkpoint]\nenabled = false")
    fault = {
        "process": "worker",
        "database": project.database.name,
        "directory": str(tmp_path),
        "point": point,
        "what": "kill",
    }
    done = project.command(
        *project.run_arguments,
        *("--script", str(script)),
        env={"PYTHONPATH": str(INJECT), "RBT_FAULT": json.dumps(fault)},
    )
    assert (tmp_path / "reached").exists(), done.stderr
    finished = events(done.stdout)[-1]
    assert finished["outcome"] == outcome, finished
    there = ["id", "email"] if outcome == "rolled_back" else ["id", "email", "note"]
    assert columns(project) == there
    if outcome == "unchanged":
        (proof,) = only(events(done.stdout), "unchanged_proven")
        assert proof["proven"] and "the run's own row" in proof["basis"]


def test_statement_by_statement_the_runs_row_counts_and_a_resumed_run_goes_on(
    project: Project, tmp_path: Path
) -> None:
    script = no_framework(project)
    project.database.connect().execute("CREATE INDEX one ON users (email)").connection.close()
    script.write_text("ALTER TABLE users DROP COLUMN note;\nDROP INDEX CONCURRENTLY one;\n")
    given = ("--script", str(script), "--statement-by-statement")
    fault = {
        "process": "worker",
        "database": project.database.name,
        "directory": str(tmp_path),
        "point": "before statement_started: 2",
        "what": "kill",
    }
    broken = project.command(
        *project.run_arguments,
        *given,
        env={"PYTHONPATH": str(INJECT), "RBT_FAULT": json.dumps(fault)},
    )
    assert events(broken.stdout)[-1]["outcome"] == "needs_operator", broken.stdout[-500:]
    assert "statements done: 1;" in events(broken.stdout)[-1]["summary"]
    assert columns(project) == ["id", "email"]

    run = events(broken.stdout)[0]["run"]
    done = project.here(*project.run_arguments, *given, "--resume", run)

    assert done.returncode == 0, done.stdout[-800:] + done.stderr
    assert project.query("SELECT to_regclass('one')") == [(None,)]
    assert [e["index"] for e in only(events(done.stdout), "statement_skipped")] == [1]


def test_a_script_that_is_not_there(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.two_migrations()
    refused = here(project, monkeypatch, "plan", "--script", "none.sql")
    assert "there is no script" in str(refused.exception)
