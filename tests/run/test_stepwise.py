"""Scripts that cannot run in a transaction: each statement for itself, and every end of that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollback_tui.core import events as ev
from rollback_tui.run import folder
from tests.cli.conftest import Project, events, only
from tests.conftest import create_database, drop_database
from tests.demo.processes import end_all_in
from tests.run.stepwise import (
    HASTY,
    OPEN,
    PATIENT,
    TWO_DROPS,
    UP,
    YES,
    held_up,
    indexes,
    interrupted,
    kill,
    records,
    sent,
    soon,
    stepwise,
    told,
)

VERSIONS = ["20240101000000", "20240202000000"]
FAILS = "DROP INDEX CONCURRENTLY users_email;\nDROP INDEX CONCURRENTLY there_is_none;\n"


@pytest.fixture(params=["server", "server16"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    """An empty project on PostgreSQL 18, and on 16."""
    database = create_database(request.getfixturevalue(request.param))
    made = Project(tmp_path, database)
    made.configure()
    yield made
    end_all_in(tmp_path)
    drop_database(database)


@pytest.mark.versions_differ
def test_two_drops_each_for_itself(project: Project) -> None:
    stepwise(project)

    done = project.here(*project.run_arguments, YES)

    assert done.returncode == 0, told(done)
    found = events(done.stdout)
    assert found[-1]["outcome"] == "rolled_back"
    assert indexes(project) == {}
    assert project.versions() == VERSIONS[:1]
    assert [e["alone"] for e in only(found, "statement_started")] == [True, True]
    assert only(found, "transaction_started") == []
    assert len(only(found, "committed")) == 1
    ended = {e["phase"]: e["status"] for e in only(found, "phase_finished")}
    assert (ended["verify"], ended["gate"], ended["commit"]) == ("done", "skipped", "skipped")
    judged = [e["verification"]["name"] for e in only(found, "verification_judged")]
    assert "transaction" not in judged
    assert {"schema", "rows", "version", "indexes"} <= set(judged)
    assert project.query("SELECT statements_done FROM rollback_tui.runs") == [(2,)]


def test_nobody_said_yes(project: Project) -> None:
    stepwise(project)
    refused = project.here(*project.run_arguments)
    assert refused.returncode == 1
    assert "--statement-by-statement" in refused.stderr
    assert folder.folders(project.directory / "rollback_runs") == ()
    assert list(indexes(project)) == ["users_email", "users_note"]


def test_without_a_checkpoint_it_is_refused(project: Project) -> None:
    stepwise(project, settings="[checkpoint]\nenabled = false")
    checked = json.loads(project.here("check", "--json").stdout)
    answer = next(c for c in checked["checks"] if c["name"] == "transactional")
    assert (answer["status"], answer["overridable"]) == ("fail", False)
    done = project.here(
        *project.run_arguments, YES, "--override", "transactional=we know what we do"
    )
    assert done.returncode == 1
    assert list(indexes(project)) == ["users_email", "users_note"]


def test_check_and_plan_say_it_beforehand(project: Project) -> None:
    stepwise(project)
    checked = json.loads(project.here("check", "--json").stdout)
    answer = next(c for c in checked["checks"] if c["name"] == "transactional")
    assert answer["status"] == "warn"
    assert "what is done stays done" in answer["summary"]
    assert "DROP INDEX CONCURRENTLY" in "\n".join(answer["evidence"])
    assert "NOT ONE TRANSACTION" in project.here("plan").stdout.splitlines()[1]


def test_what_reaches_beyond_the_database_is_refused(project: Project) -> None:
    stepwise(project, "DROP INDEX CONCURRENTLY users_email;\nCREATE ROLE r_of_the_script;")
    done = project.here(*project.run_arguments, YES)
    assert done.returncode == 1
    assert "statement 2" in "".join(
        line for e in only(events(done.stdout), "check_judged") for line in e["check"]["evidence"]
    )
    assert list(indexes(project)) == ["users_email", "users_note"]


@pytest.mark.versions_differ
def test_a_mixed_script(project: Project) -> None:
    stepwise(
        project,
        "SET statement_timeout = 0;\nDROP INDEX CONCURRENTLY users_email;\n"
        "ALTER TABLE users DROP COLUMN note;\nVACUUM users;\nDELETE FROM users WHERE id > 190;",
    )
    done = project.here(*project.run_arguments, YES)
    assert done.returncode == 0, told(done)
    found = events(done.stdout)
    assert [e["alone"] for e in only(found, "statement_started")] == [
        False,
        True,
        False,
        True,
        False,
    ]
    losses = [loss for e in only(found, "loss_counted") for loss in e["losses"]]
    assert [(loss["column"], loss["count"]) for loss in losses] == [("note", 200)]
    assert indexes(project) == {}
    assert project.query("SELECT count(*) FROM users") == [(190,)]


def test_what_the_framework_marks_runs_without_a_transaction(project: Project) -> None:
    # A new enum label cannot be used in the transaction that adds it.
    up = "CREATE TYPE state AS ENUM ('old');\nALTER TABLE users ADD COLUMN state state;"
    down = "ALTER TYPE state ADD VALUE 'late';\nUPDATE users SET state = 'late';"
    path = stepwise(project, down, up=up)
    assert project.here(*project.run_arguments).returncode == 3
    path.write_text(
        path.read_text().replace("-- migrate:down", "-- migrate:down transaction:false")
    )

    done = project.here(*project.run_arguments, YES)

    assert done.returncode == 0, told(done)
    assert project.query("SELECT DISTINCT state::text FROM users") == [("late",)]
    assert project.versions() == VERSIONS[:1]


def test_a_role_and_a_path_of_the_script_are_not_ours(project: Project) -> None:
    down = TWO_DROPS + "SET search_path = pg_catalog;\nSET ROLE pg_monitor;\nSELECT 1;"
    stepwise(project, down)
    done = project.here(*project.run_arguments, YES)
    assert done.returncode == 0, told(done)
    assert project.query("SELECT statements_done FROM rollback_tui.runs") == [(5,)]


@pytest.mark.versions_differ
def test_the_server_knows_better_what_may_be_in_a_transaction(project: Project) -> None:
    # Of a partitioned table REINDEX cannot be in one; its text does not tell, and after DO nobody
    # looks into the catalog for it.
    up = UP + (
        "CREATE TABLE parts (id int) PARTITION BY LIST (id);\n"
        "CREATE TABLE part_1 PARTITION OF parts FOR VALUES IN (1);\n"
        "CREATE INDEX parts_id ON parts (id);"
    )
    stepwise(project, "DO $$BEGIN END$$;\nREINDEX TABLE parts;\n" + TWO_DROPS, up=up)
    done = project.here(*project.run_arguments, YES)
    assert done.returncode == 0, told(done)
    started = only(events(done.stdout), "statement_started")
    assert [(e["index"], e["alone"]) for e in started[1:3]] == [(2, False), (2, True)]


@pytest.mark.parametrize("clone", ['clone = "required"', "clone_seconds = 0.001"])
def test_a_second_statement_that_fails_is_brought_back(project: Project, clone: str) -> None:
    # A copy that may take no time is not made: then there is only the dump.
    stepwise(project, FAILS, f"[checkpoint]\n{clone}\n")
    done = project.here(*project.run_arguments, YES)
    assert done.returncode == 4, told(done)
    found = events(done.stdout)
    assert only(found, "question")[0]["default"] == "bring it back"
    (planned,) = only(found, "recovery_planned")
    assert (planned["rung"] == "clone") == ("required" in clone), planned
    assert [e["name"] for e in only(found, "recovery_step")] == planned["steps"]
    assert indexes(project) == {"users_email": True, "users_note": True}
    assert project.versions() == VERSIONS
    assert project.connection_limit() == -1


def test_with_the_door_open_nothing_is_brought_back(project: Project) -> None:
    stepwise(project, FAILS, OPEN)
    done = project.here(*project.run_arguments, YES)
    assert done.returncode == 5, told(done)
    found = events(done.stdout)
    assert only(found, "question") == []
    last = found[-1]
    assert "statements done: 1" in last["summary"]
    assert "not done: 2" in last["summary"]
    run = only(found, "run_started")[0]["run"]
    name = project.database.name
    assert f"rollback-tui run --confirm {name} --resume {run}" in last["next_commands"]
    assert indexes(project) == {"users_note": True}
    assert project.versions() == VERSIONS


def test_a_first_statement_that_fails_changes_nothing(project: Project) -> None:
    stepwise(project, "SET work_mem = '8MB';\nDROP INDEX CONCURRENTLY there_is_none;\n" + TWO_DROPS)
    done = project.here(*project.run_arguments, YES)
    assert done.returncode == 3, told(done)
    assert events(done.stdout)[-1]["outcome"] == "unchanged"
    assert only(events(done.stdout), "recovery_step") == []
    assert list(indexes(project)) == ["users_email", "users_note"]


def test_a_statement_that_fails_in_its_transaction_is_not_half_done(project: Project) -> None:
    down = (
        "DROP INDEX CONCURRENTLY users_email;\n"
        "UPDATE users SET id = CASE id WHEN 2 THEN 1 ELSE id END;"
    )
    stepwise(project, down, OPEN)
    done = project.here(*project.run_arguments, YES)
    assert done.returncode == 5, told(done)
    assert "statements done: 1; not done: 2" in events(done.stdout)[-1]["summary"]
    assert project.query("SELECT count(DISTINCT id) FROM users") == [(200,)]


def test_a_result_that_is_not_as_expected_is_brought_back(project: Project) -> None:
    # The script drops a table that it does not name.
    up = UP + "CREATE TABLE more (id int);"
    stepwise(project, TWO_DROPS + "DO 'BEGIN DROP TABLE more; END';", up=up)
    done = project.here(*project.run_arguments, YES)
    assert done.returncode == 4, told(done)
    assert project.query("SELECT count(*) FROM more") == [(0,)]
    assert indexes(project) == {"users_email": True, "users_note": True}
    assert project.versions() == VERSIONS


def test_a_lock_that_is_not_given_is_tried_again_and_what_it_left_is_named(
    project: Project,
) -> None:
    stepwise(project, settings=HASTY)
    reader = held_up(project)
    done = project.here(*project.run_arguments, YES)
    reader.rollback()
    assert done.returncode == 5, told(done)
    found = events(done.stdout)
    assert [e["index"] for e in only(found, "statement_started")] == [1, 1]
    assert any("attempt 2 of 2" in e["summary"] for e in only(found, "waiting"))
    assert "users_email is there, but INVALID" in found[-1]["summary"]
    assert indexes(project) == {"users_email": False, "users_note": True}


@pytest.mark.versions_differ
def test_a_half_built_index_is_dropped_before_it_is_built_again(project: Project) -> None:
    down = "CREATE INDEX CONCURRENTLY users_both ON users (email, note);"
    settings = OPEN + "[run]\nlock_timeout_seconds = 0.5\nlock_attempts = 20\n"
    stepwise(project, down, settings)
    reader = held_up(project)
    run = project.start(*project.run_arguments, YES)
    assert soon(lambda: sum(r.event.__class__.__name__ == "Waiting" for r in records(project)) >= 2)
    reader.rollback()
    output, _ = run.communicate(timeout=90)
    assert run.returncode == 0, output[-600:]
    found = events(output)
    assert any("users_both was left half built" in e["summary"] for e in only(found, "progress"))
    assert indexes(project)["users_both"] is True
    assert all(indexes(project).values())


@pytest.mark.versions_differ
def test_a_unique_index_that_cannot_be_built_is_not_left_behind(project: Project) -> None:
    down = "DROP INDEX CONCURRENTLY users_email;\nCREATE UNIQUE INDEX CONCURRENTLY ON users (note);"
    stepwise(project, down, OPEN)
    # It is known beforehand that it will fail.
    done = project.here(
        *project.run_arguments, YES, "--override", "stored_rows=the index is built anyway"
    )
    assert done.returncode == 5, told(done)
    assert indexes(project) == {"users_note": True}
    assert "statements done: 1; not done: 2" in events(done.stdout)[-1]["summary"]


@pytest.mark.versions_differ
def test_a_partition_that_is_half_detached_is_detached(project: Project) -> None:
    up = (
        "CREATE TABLE parts (id int) PARTITION BY LIST (id);\n"
        "CREATE TABLE part_1 PARTITION OF parts FOR VALUES IN (1);\n"
        "CREATE TABLE part_2 PARTITION OF parts FOR VALUES IN (2);"
    )
    settings = OPEN + "[run]\nlock_timeout_seconds = 0.5\nlock_attempts = 20\n"
    stepwise(project, "ALTER TABLE parts DETACH PARTITION part_2 CONCURRENTLY;", settings, up)
    reader = project.database.connect(autocommit=False)
    reader.execute("SELECT count(*) FROM parts").fetchall()
    run = project.start(*project.run_arguments, YES)
    assert soon(lambda: sent(project, 1))
    assert soon(lambda: any(r.event.__class__.__name__ == "Waiting" for r in records(project)), 30)
    reader.rollback()
    output, _ = run.communicate(timeout=90)
    assert run.returncode == 0, output[-600:]
    assert any("FINALIZE" in e["sql"] for e in only(events(output), "sql_sent"))
    assert project.query(
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'parts'::regclass"
    ) == [(1,)]


def test_ctrl_c_between_statements_brings_it_back(project: Project) -> None:
    down = "DROP INDEX CONCURRENTLY users_email;\nSELECT pg_sleep(60);"
    stepwise(project, down)
    run = project.start(*project.run_arguments, YES)
    assert soon(lambda: sent(project, 2))
    run.send_signal(2)
    output, _ = run.communicate(timeout=90)
    assert run.returncode == 4, output[-600:]
    assert only(events(output), "question") == []
    assert list(indexes(project)) == ["users_email", "users_note"]


def test_a_killed_worker_is_settled_by_its_guardian(project: Project) -> None:
    down = "DROP INDEX CONCURRENTLY users_email;\nSELECT pg_sleep(60);"
    stepwise(project, down)
    run = project.start(*project.run_arguments, YES)
    assert soon(lambda: sent(project, 2))
    kill(project, guardian=False)
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 5, output[-600:]
    assert "statements done: 1; not done: 2" in events(output)[-1]["summary"]
    assert project.connection_limit() == -1


def test_a_worker_killed_when_all_was_done_and_verified_rolled_back(project: Project) -> None:
    stepwise(project, settings='[[caches.clear]]\ncommand = ["sleep", "5"]\n')
    run = project.start(*project.run_arguments, YES)
    assert soon(
        lambda: any(
            isinstance(r.event, ev.PhaseStarted) and r.event.phase == "open_door"
            for r in records(project)
        )
    )
    kill(project, guardian=False)
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 0, output[-600:]
    assert "all was done and verified by then" in events(output)[-1]["summary"]
    assert project.versions() == VERSIONS[:1]
    assert project.connection_limit() == -1


@pytest.mark.versions_differ
def test_settle_says_that_a_drop_left_an_invalid_index(project: Project) -> None:
    stepwise(project, settings=PATIENT)
    # The first one is let through; the reader would hold up both.
    down = "SELECT 1;\nDROP INDEX CONCURRENTLY users_note;\n"
    path = next((project.directory / "db" / "migrations").glob("20240202*"))
    path.write_text(path.read_text().replace(TWO_DROPS, down))
    said = interrupted(project, 2, lambda: indexes(project)["users_note"] is False)
    assert "statement 2: index public.users_note is there, but INVALID" in said
    assert "--resume" in said
    assert indexes(project) == {"users_email": True, "users_note": False}
    assert project.versions() == VERSIONS
