"""``run --resume``: what an interrupted run has done is not done again, and the rest is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Project, events, only
from tests.conftest import create_database, drop_database
from tests.demo.processes import end_all_in
from tests.run.stepwise import (
    OPEN,
    PATIENT,
    UP,
    YES,
    indexes,
    interrupted,
    kill,
    records,
    sent,
    soon,
    stepwise,
)

SECOND_IS_HELD_UP = "ALTER TABLE users DROP COLUMN extra;\nDROP INDEX CONCURRENTLY users_note;\n"
EXTRA = UP + "ALTER TABLE users ADD COLUMN extra int;"


@pytest.fixture(params=["server", "server16"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    """An empty project on PostgreSQL 18, and on 16."""
    database = create_database(request.getfixturevalue(request.param))
    made = Project(tmp_path, database)
    made.configure()
    yield made
    end_all_in(tmp_path)
    drop_database(database)


def run_id(project: Project) -> str:
    begun = records(project)[0].event
    return str(begun.run)  # type: ignore[union-attr]


def resumed(project: Project, run: str, *more: str) -> tuple[int, list[dict[str, Any]], str]:
    """Go on with ``run``: the exit code, the events, and what was said of an error."""
    done = project.here(*project.run_arguments, "--resume", run, *more)
    return done.returncode, events(done.stdout) if done.stdout else [], done.stderr


def skipped(found: list[dict[str, Any]]) -> list[int]:
    return [e["index"] for e in only(found, "statement_skipped")]


def started(found: list[dict[str, Any]]) -> list[int]:
    return [e["index"] for e in only(found, "statement_started")]


@pytest.mark.versions_differ
def test_a_drop_that_a_kill_left_invalid_is_finished(project: Project) -> None:
    down = "DROP INDEX CONCURRENTLY users_email;\n" + SECOND_IS_HELD_UP
    stepwise(
        project, down.replace("DROP INDEX CONCURRENTLY users_email", "SELECT 1"), PATIENT, EXTRA
    )
    # Statement 2 needs a stronger lock than the reader leaves: so it goes without it.
    path = next((project.directory / "db" / "migrations").glob("20240202*"))
    path.write_text(path.read_text().replace("DROP COLUMN extra", "ALTER extra SET STATISTICS 9"))
    said = interrupted(project, 3, lambda: indexes(project)["users_note"] is False)
    assert "statements done: 1, 2; not done: 3" in said

    code, found, _ = resumed(project, run_id(project))

    assert code == 0
    assert skipped(found) == [1, 2]
    assert started(found) == [3]
    assert indexes(project) == {"users_email": True}
    assert project.versions() == ["20240101000000"]
    again = project.here(*project.run_arguments, "--resume", only(found, "run_started")[0]["run"])
    assert again.returncode == 1
    assert "came to its end" in again.stderr


@pytest.mark.versions_differ
def test_an_index_that_a_kill_left_half_built_is_built_anew(project: Project) -> None:
    stepwise(project, "CREATE INDEX CONCURRENTLY users_both ON users (email, note);", PATIENT)
    said = interrupted(project, 1, lambda: indexes(project).get("users_both") is False)
    assert "users_both" in said
    assert indexes(project)["users_both"] is False

    code, found, said = resumed(project, run_id(project))

    assert code == 0, said
    assert [e["sql"] for e in only(found, "sql_sent") if "DROP INDEX" in e["sql"]] == [
        "DROP INDEX CONCURRENTLY IF EXISTS public.users_both"
    ]
    assert indexes(project)["users_both"] is True


def test_a_script_that_was_changed_in_between_is_refused(project: Project) -> None:
    path = stepwise(project, "DROP INDEX CONCURRENTLY users_email;\nSELECT 1/0;", OPEN)
    assert project.here(*project.run_arguments, YES).returncode == 5
    path.write_text(path.read_text().replace("1/0", "1/1"))
    code, _, said = resumed(project, run_id(project))
    assert code == 1
    assert "has changed since that run" in said
    assert indexes(project) == {"users_note": True}


def test_a_transaction_that_was_killed_is_judged_by_the_row(project: Project) -> None:
    down = "DROP INDEX CONCURRENTLY users_email;\nSELECT pg_sleep(3);\n"
    stepwise(project, down, OPEN)
    run = project.start(*project.run_arguments, YES)
    assert soon(lambda: sent(project, 2))
    kill(project, guardian=False)
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 5, output[-600:]
    code, found, said = resumed(project, run_id(project))
    assert code == 0, said
    assert skipped(found) == [1]
    assert started(found) == [2]


def test_a_kill_in_the_last_commit_leaves_only_the_version(project: Project) -> None:
    stepwise(project, settings=OPEN)
    admin = project.database.connect()
    admin.execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN PERFORM pg_sleep(5); RETURN NULL; END'"
    )
    admin.execute(
        "CREATE CONSTRAINT TRIGGER slow AFTER DELETE ON schema_migrations"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()"
    )
    run = project.start(*project.run_arguments, YES)
    assert soon(lambda: any("DELETE FROM" in getattr(r.event, "sql", "") for r in records(project)))
    kill(project, guardian=False)
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 5, output[-600:]
    assert "statements done: 1, 2; not done: none" in events(output)[-1]["summary"]
    assert len(project.versions()) == 2

    code, found, said = resumed(project, run_id(project))

    assert code == 0, said
    assert (skipped(found), started(found)) == ([1, 2], [])
    assert len(project.versions()) == 1


def test_what_nobody_can_know_is_asked(project: Project) -> None:
    settings = OPEN + "[run]\nrun_row = false\n"
    stepwise(project, "DROP INDEX CONCURRENTLY users_email;\nSELECT pg_sleep(3);\n", settings)
    run = project.start(*project.run_arguments, YES)
    assert soon(lambda: sent(project, 2))
    kill(project, guardian=False)
    output, _ = run.communicate(timeout=60)
    assert "no answer was heard" in events(output)[-1]["summary"]
    stopped = run_id(project)

    code, _, said = resumed(project, stopped)
    assert code == 1
    assert "--skip 2" in said
    assert "--redo 2" in said
    code, _, said = resumed(project, stopped, "--skip", "1")
    assert code == 1
    assert "not one that has to be decided" in said

    code, found, said = resumed(project, stopped, "--skip", "2")
    assert code == 0, said
    assert skipped(found) == [1, 2]
    assert project.versions() == ["20240101000000"]


@pytest.mark.parametrize("left_out", [False, True])
def test_what_the_server_refuses_again_is_left_out_only_by_the_operator(
    project: Project, left_out: bool
) -> None:
    fails = "DROP INDEX CONCURRENTLY users_email;\nDROP INDEX CONCURRENTLY there_is_none;\n"
    stepwise(project, fails, OPEN)
    done = project.here(*project.run_arguments, YES)
    assert done.returncode == 5
    last = events(done.stdout)[-1]
    stopped = run_id(project)
    assert any(f"--resume {stopped} --skip 2" in text for text in last["next_commands"])
    (project.directory / "rollback.toml").write_text(
        (project.directory / "rollback.toml").read_text().replace(OPEN, "")
    )
    if left_out:
        code, found, said = resumed(project, stopped, "--skip", "2")
        assert code == 0, said
        assert skipped(found) == [1, 2]
        assert project.versions() == ["20240101000000"]
        return
    code, found, said = resumed(project, stopped)
    assert code == 4, said
    assert "half way, as run" in found[-1]["summary"]
    assert skipped(found) == [1]


def test_settings_of_the_session_are_set_again(project: Project) -> None:
    down = (
        "SET rollback.word = 'hello';\nDROP INDEX CONCURRENTLY users_email;\n"
        "UPDATE users SET note = current_setting('rollback.word') WHERE id = 1 / (1 - {});"
    )
    stepwise(project, down.format("(SELECT count(*) FROM stop)"), OPEN)
    project.database.connect().execute("CREATE TABLE stop AS SELECT 1")
    assert project.here(*project.run_arguments, YES).returncode == 5
    project.database.connect().execute("TRUNCATE stop")
    code, found, said = resumed(project, run_id(project))
    assert code == 0, said
    assert skipped(found) == [2]
    assert started(found) == [1, 3]
    assert project.query("SELECT note FROM users WHERE id = 1") == [("hello",)]


def test_only_what_is_left_of_several_migrations(project: Project) -> None:
    stepwise(
        project, "DROP INDEX CONCURRENTLY users_email;\nSELECT 1/(SELECT count(*) FROM go);", OPEN
    )
    project.migration(
        "20240303000000",
        "more",
        "CREATE TABLE go (id int); CREATE INDEX users_id ON users (id);",
        "DROP INDEX CONCURRENTLY users_id;\nSELECT 3;",
    )
    first = project.here(*project.run_arguments, YES, "--steps", "2")
    assert first.returncode == 5, first.stdout[-600:]
    assert project.versions() == ["20240101000000", "20240202000000"]
    stopped = run_id(project)
    refused = project.here(*project.run_arguments, "--resume", stopped, "--steps", "1")
    assert refused.returncode == 2
    project.database.connect().execute("INSERT INTO go VALUES (1)")

    code, found, said = resumed(project, stopped)

    assert code == 0, said
    assert skipped(found) == [1]
    assert started(found) == [2]
    assert project.versions() == ["20240101000000"]


@pytest.mark.parametrize("row", ["true", "false"])
def test_only_the_last_of_several_runs_is_gone_on_with(project: Project, row: str) -> None:
    down = (
        "DROP INDEX CONCURRENTLY users_email;\n"
        "UPDATE users SET note = note || '!' WHERE id = 1 / (SELECT count(*) FROM go);\n"
        "SELECT 1 / (SELECT count(*) - 1 FROM go);"
    )
    stepwise(project, down, f"{OPEN}[run]\nrun_row = {row}\n")
    project.database.connect().execute("CREATE TABLE go (id int)")
    assert project.here(*project.run_arguments, YES).returncode == 5
    first = run_id(project)
    project.database.connect().execute("INSERT INTO go VALUES (1)")
    code, _, said = resumed(project, first)
    assert code == 5, said
    second = run_id(project)
    project.database.connect().execute("INSERT INTO go VALUES (1), (1)")

    code, _, said = resumed(project, first)
    assert code == 1
    assert f"--resume {second}" in said
    # Refused before anything was touched: it took nothing over.
    code, found, said = resumed(project, second)
    assert code == 0, said
    assert skipped(found) == [1, 2]
    assert project.query("SELECT note FROM users WHERE id = 1") == [("x!",)]


def test_a_run_that_left_nothing_half_done_is_not_gone_on_with(project: Project) -> None:
    stepwise(project, "DROP INDEX CONCURRENTLY users_email;\nSELECT 1/0;")
    assert project.here(*project.run_arguments, YES).returncode == 4
    code, _, said = resumed(project, run_id(project))
    assert code == 1
    assert "ended recovered" in said
    assert project.here(*project.run_arguments, "--skip", "1").returncode == 2


def test_a_database_that_was_brought_back_by_hand_is_noticed(project: Project) -> None:
    stepwise(project, "DROP INDEX CONCURRENTLY users_email;\nSELECT 1/0;", OPEN)
    assert project.here(*project.run_arguments, YES).returncode == 5
    project.database.connect().execute("DROP SCHEMA rollback_tui CASCADE")
    code, _, said = resumed(project, run_id(project))
    assert code == 1, said
    assert "not in the database" in said
