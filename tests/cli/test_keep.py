"""``run --keep`` and ``archive``: a rollback that loses nothing, through the command line."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import psycopg

from tests.cli.conftest import UP_2, Project, events, only
from tests.run.stepwise import OPEN, YES, stepwise

KEEP = ("--keep", "all")
ARCHIVES = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'rollback_archive_%'"
CONTENT = """
SELECT 'users', t::text FROM users t UNION ALL SELECT 'tokens', t::text FROM tokens t ORDER BY 1, 2
"""


def apply_again(project: Project, up: str = UP_2, version: str = "20240202000000") -> None:
    """What the framework would do when the mended migration is deployed."""
    with psycopg.connect(project.database.dsn) as connection:
        connection.execute(up.encode())
        connection.execute("INSERT INTO schema_migrations VALUES (%s)", [version])


def test_what_is_lost_is_kept_and_given_back_to_the_letter(project: Project) -> None:
    project.two_migrations()
    before = project.query(CONTENT)

    done = project.here(*project.run_arguments, *KEEP)

    assert done.returncode == 0, done.stdout + done.stderr
    found = events(done.stdout)
    assert found[-1]["outcome"] == "rolled_back"
    kept = only(found, "rows_kept")
    ((schema,),) = project.query(ARCHIVES)
    assert [(k["statement"], k["relation"], k["column"], k["rows"]) for k in kept] == [
        (1, "public.tokens", None, 17),
        (2, "public.users", "verified_at", 42),
    ]
    assert all(k["table"].startswith(f"{schema}.") for k in kept)
    rows = only(found, "rows_compared")[0]["rows"]
    assert [row["table"] for row in rows] == [
        "public.schema_migrations",
        "public.tokens",
        "public.users",
    ]
    assert "rollback_archive" not in project.here("state", "--json").stdout
    report = Path(found[-1]["report"])
    run = found[0]["run"][:8]
    assert f"rollback-tui archive restore {run} --confirm {project.database.name}" in (
        report.read_text()
    )
    lost = json.loads(report.with_suffix(".json").read_text())["impact"]["data_lost"]
    assert [one["kept"] for one in lost] == [True, True]
    assert "Data lost: none" in report.read_text()

    apply_again(project, "SET search_path = public;" + UP_2.split("UPDATE")[0] + _TOKENS)
    listed = json.loads(project.command("archive", "list", "--json").stdout)
    assert [(i["relation"], i["rows"]) for i in listed[0]["items"]] == [
        ("public.tokens", 17),
        ("public.users", 42),
    ]
    wrong = project.here("archive", "restore", run, "--confirm", "somewhere_else")
    assert wrong.returncode == 1 and "--confirm" in wrong.stderr
    restored = project.here("archive", "restore", run, "--confirm", project.database.name)
    assert restored.returncode == 0, restored.stderr
    assert project.query(CONTENT) == before
    dropped = project.here("archive", "drop", run, "--confirm", project.database.name)
    assert dropped.returncode == 0, dropped.stderr
    assert project.query(ARCHIVES) == []


_TOKENS = "CREATE TABLE tokens (id int PRIMARY KEY, user_id int REFERENCES users);"


def test_what_cannot_be_kept_is_refused_before_anything_is_done(project: Project) -> None:
    project.two_migrations("DO $$ BEGIN END $$;\nDROP TABLE tokens;")

    refused = project.here(*project.run_arguments, *KEEP)
    assert refused.returncode == 1
    assert "statement 1 cannot be kept" in refused.stderr and "--keep 2" in refused.stderr
    usage = project.here(*project.run_arguments, "--keep", "3")
    assert usage.returncode == 2 and "no destructive statement" in usage.stderr
    assert not list((project.directory / "rollback_runs").glob("*/"))

    done = project.here(*project.run_arguments, "--keep", "2")
    assert done.returncode == 0, done.stderr
    assert [k["statement"] for k in only(events(done.stdout), "rows_kept")] == [2]


SLOW = """
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE FUNCTION in_words(mood) RETURNS text LANGUAGE sql AS
  $$ SELECT 'glad' FROM pg_sleep(20) $$;
CREATE CAST (mood AS text) WITH FUNCTION in_words(mood);
ALTER TABLE tokens ADD COLUMN mood mood DEFAULT 'sad';
"""
"""What is of a type of the application's own is kept as text; here that takes its time."""


def test_killed_in_the_middle_of_a_copy_nothing_is_left_and_nothing_is_lost(
    project: Project,
) -> None:
    project.two_migrations("ALTER TABLE users DROP COLUMN verified_at;\nDROP TABLE tokens;")
    with psycopg.connect(project.database.dsn) as connection:
        connection.execute(SLOW)
    before = project.query(CONTENT)
    run = project.start(*project.run_arguments, *KEEP)
    deadline = time.monotonic() + 30
    worker = 0
    while not worker and time.monotonic() < deadline:
        time.sleep(0.05)
        journals = list(project.directory.glob("rollback_runs/*/journal.jsonl"))
        text = journals[0].read_text() if journals else ""
        if "statement_2_item_2 AS SELECT" in text:
            worker = json.loads(text.splitlines()[0])["event"]["worker_pid"]
    assert worker, "the copy never began"
    os.kill(worker, signal.SIGKILL)
    output, _ = run.communicate(timeout=60)

    found = events(output)
    assert found[-1]["outcome"] == "unchanged", output[-500:]
    assert [kept["statement"] for kept in only(found, "rows_kept")] == [1]
    assert project.query(ARCHIVES) == []
    assert project.query(CONTENT) == before
    assert project.connection_limit() == -1


STEPS = """
DROP INDEX CONCURRENTLY users_email;
UPDATE users SET note = upper(note) || id WHERE id <= 10;
DELETE FROM users USING gone WHERE users.id = gone.id;
SELECT 1 / (SELECT count(*)::int FROM gate);
ALTER TABLE users DROP COLUMN note;
"""


def test_statement_by_statement_each_copy_is_committed_with_its_statement(
    project: Project,
) -> None:
    stepwise(project, STEPS, OPEN)
    with psycopg.connect(project.database.dsn) as connection:
        connection.execute(
            "CREATE TABLE gate (); CREATE TABLE gone (id int);"
            "INSERT INTO gone VALUES (150), (150), (151), (999)"
        )
    users = "SELECT t::text FROM users t ORDER BY id"
    before = project.query(users)

    stopped = project.here(*project.run_arguments, YES, *KEEP)
    assert stopped.returncode == 5, stopped.stderr
    first = events(stopped.stdout)
    assert [(k["statement"], k["rows"]) for k in only(first, "rows_kept")] == [(2, 10), (3, 2)]
    assert "## Kept" in Path(first[-1]["report"]).read_text()
    assert len(project.query(users)) == 198

    with psycopg.connect(project.database.dsn) as connection:
        connection.execute("ALTER TABLE gate ADD one int; INSERT INTO gate VALUES (1)")
    run = first[0]["run"]
    done = project.here(*project.run_arguments, YES, *KEEP, "--resume", run)
    assert done.returncode == 0, done.stderr
    second = events(done.stdout)
    assert [(k["statement"], k["rows"]) for k in only(second, "rows_kept")] == [(5, 198)]

    apply_again(project, "ALTER TABLE users ADD COLUMN note text DEFAULT 'x'")
    for archive in (second[0]["run"], run):
        restored = project.here(
            "archive", "restore", archive, "--confirm", project.database.name,
            "--overwrite", "--write-back",
        )  # fmt: skip
        assert restored.returncode == 0, restored.stderr
    assert project.query(users) == before


def test_a_script_that_drops_what_was_kept_is_rolled_back(project: Project) -> None:
    """As DROP OWNED does: our copies are among all that its role owns."""
    project.two_migrations("TRUNCATE tokens;\nDO $$ BEGIN EXECUTE drop_ours(); END $$;")
    with psycopg.connect(project.database.dsn) as connection:
        connection.execute(
            "CREATE FUNCTION drop_ours() RETURNS text LANGUAGE sql AS $$ SELECT"
            " 'DROP SCHEMA ' || nspname || ' CASCADE' FROM pg_namespace"
            " WHERE nspname LIKE 'rollback_archive_%' $$"
        )
    done = project.here(*project.run_arguments, "--keep", "1")
    found = events(done.stdout)
    assert found[-1]["outcome"] == "unchanged", done.stderr
    assert "dropped what was kept" in found[-1]["summary"]
    assert project.query("SELECT count(*) FROM tokens") == [(17,)]
