"""The up scripts on an empty database: a baseline where nothing was recorded."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from rollback_tui.core.schema import diff
from rollback_tui.postgres import catalog
from rollback_tui.survey.baseline import Baseline, load
from tests.cli.conftest import DOWN_1, UP_1, Project, here
from tests.cli.conftest import project as project
from tests.rehearsal.test_rehearse import scratch_databases


def kept(project: Project, version: str) -> Baseline:
    found = load(project.directory / "rollback_baselines", version, "replayed")
    assert found is not None
    return found


def test_both_versions_of_a_dbmate_project(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.two_migrations()
    done = here(project, monkeypatch, "baseline", "replay", "--json")
    assert done.exit_code == 0, done.stderr
    assert [one["version"] for one in json.loads(done.stdout)] == [
        "20240101000000",
        "20240202000000",
    ]
    with psycopg.connect(project.database.dsn) as connection:
        now = catalog.snapshot(connection)
    current, goal = kept(project, "20240202000000"), kept(project, "20240101000000")
    assert diff(current.snapshot, now) == ()
    assert len(current.made_from) == 64
    assert current.made_from != goal.made_from
    changed = {d.object for d in diff(goal.snapshot, current.snapshot)}
    assert "column public.users.verified_at" in changed
    assert "table public.tokens" in changed
    assert not [name for name in changed if "schema_migrations" in name]
    assert scratch_databases(project) == []
    listed = here(project, monkeypatch, "baseline", "list").stdout
    assert listed.count("replayed") == 2
    assert "public.tokens" in here(project, monkeypatch, "baseline", "show").stdout


def golang(project: Project, *pairs: tuple[str, str]) -> None:
    """Write golang-migrate files and apply them as it would."""
    directory = project.directory / "migrations"
    directory.mkdir()
    with psycopg.connect(project.database.dsn, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL)"
        )
        for number, (up, down) in enumerate(pairs, 1):
            (directory / f"{number}_step.up.sql").write_text(up)
            (directory / f"{number}_step.down.sql").write_text(down)
            for statement in up.split(";\n"):
                connection.execute(statement.encode())
        connection.execute("INSERT INTO schema_migrations VALUES (%s, false)", [len(pairs)])


def test_a_golang_migrate_project_with_a_label_and_an_index_made_outside_a_transaction(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    golang(
        project,
        ("CREATE TYPE mood AS ENUM ('a');\nCREATE TABLE t (m mood)", "DROP TABLE t"),
        ("ALTER TYPE mood ADD VALUE 'b'", "SELECT 1"),
        ("CREATE INDEX CONCURRENTLY t_m ON t (m)", "DROP INDEX t_m"),
        ("ALTER TABLE t ALTER m SET DEFAULT 'b'", "ALTER TABLE t ALTER m DROP DEFAULT"),
    )
    done = here(project, monkeypatch, "baseline", "replay", "--to", "1", "--json")
    assert done.exit_code == 0, done.stderr
    with psycopg.connect(project.database.dsn) as connection:
        now = catalog.snapshot(connection)
    assert diff(kept(project, "4").snapshot, now) == ()
    assert kept(project, "1").snapshot.objects["type public.mood"] == "enum 'a'"
    # Before the first migration there is nothing but the version table.
    (project.directory / "migrations" / "1_step.up.sql").write_text("CREATE TABLE t (m int)")
    here(project, monkeypatch, "baseline", "replay", "--steps", "4")
    assert not (project.directory / "rollback_baselines" / "replayed" / "empty.json").exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("INSERT INTO users SELECT 1/0 FROM (VALUES (1)) x", "division by zero"),
        ("CREATE TABLE other AS SELECT * FROM nowhere", "nowhere"),
        ("\\copy users FROM 'x'", "psql"),
        ("COPY users TO PROGRAM 'touch /tmp/never'", "not executed (line 6)"),
    ],
)
def test_what_cannot_be_replayed_says_why(
    project: Project, monkeypatch: pytest.MonkeyPatch, text: str, why: str
) -> None:
    project.two_migrations()
    path = project.directory / "db" / "migrations" / "20240101000000_users.sql"
    path.write_text(f"-- migrate:up\n{UP_1}\n{text};\n-- migrate:down\n{DOWN_1}\n")
    done = here(project, monkeypatch, "baseline", "replay")
    assert done.exit_code == 1
    assert why in str(done.exception)
    assert scratch_databases(project) == []
    assert not Path("/tmp/never").exists()


def test_a_rehearsal_goes_on_where_nothing_can_be_replayed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.two_migrations()
    path = project.directory / "db" / "migrations" / "20240101000000_users.sql"
    path.write_text(path.read_text().replace("CREATE TABLE users", "CREATE TABLE nowhere.users"))
    found = json.loads(here(project, monkeypatch, "rehearse", "--json").stdout)
    assert found["failure"] == ""
    assert (found["foreseen"]["kind"], found["foreseen"]["origin"]) == ("unknown", "none")
    assert '"nowhere" does not exist' in found["foreseen"]["why"]
    assert [d["object"] for d in found["changes"] if d["object"].startswith("table ")] == [
        "table public.tokens"
    ]


def test_a_replay_is_valid_as_long_as_its_scripts_are_the_same(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.two_migrations()
    first = json.loads(here(project, monkeypatch, "rehearse", "--json").stdout)
    assert (first["foreseen"]["kind"], first["foreseen"]["origin"]) == ("identical", "replayed")
    goal = kept(project, "20240101000000")
    here(project, monkeypatch, "rehearse", "--json")
    assert kept(project, "20240101000000").recorded_at == goal.recorded_at
    path = project.directory / "db" / "migrations" / "20240101000000_users.sql"
    path.write_text(path.read_text().replace("email text NOT NULL", "email text"))
    again = json.loads(here(project, monkeypatch, "rehearse", "--json").stdout)
    assert kept(project, "20240101000000").made_from != goal.made_from
    # The file says now that it may be null; the database was never so: that is drift.
    assert again["foreseen"]["kind"] == "drift"
    assert [d["object"] for d in again["foreseen"]["drift"]] == ["column public.users.email"]


def test_what_no_script_makes_is_there_before_the_first(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An extension that a superuser made, a schema made by hand, whose grants are not the usual."""
    owner = project.database.owner
    with project.database.connect(superuser=True) as admin:
        admin.execute("CREATE EXTENSION vector")
        admin.execute(f"CREATE SCHEMA side AUTHORIZATION {owner}".encode())
        admin.execute("GRANT USAGE ON SCHEMA side TO public")
        admin.execute("REVOKE ALL ON SCHEMA public FROM public")
        admin.execute(f"GRANT CREATE, USAGE ON SCHEMA public TO {owner}".encode())
    project.migration("1", "a", "CREATE TABLE side.t (v vector(3));", "DROP TABLE side.t;")
    project.migration("2", "b", "ALTER TABLE side.t ADD n int;", "ALTER TABLE side.t DROP n;")
    found = json.loads(here(project, monkeypatch, "rehearse", "--json").stdout)
    # Who may not create that extension again cannot replay what needs it, and is told so.
    assert found["foreseen"]["kind"] == "unknown"
    assert "vector" in found["foreseen"]["why"]
    dsn = project.database.superuser_dsn
    found = json.loads(here(project, monkeypatch, "rehearse", "--json", "--dsn", dsn).stdout)
    assert found["foreseen"]["kind"] == "identical", found["foreseen"]
    done = here(project, monkeypatch, "baseline", "compare", "--dsn", dsn)
    assert done.exit_code == 0, done.stdout


def test_without_createdb_on_a_server_of_our_own(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a role that a script makes for the whole server, and which is there already."""
    reader = f"reader_{project.database.name}"
    up = f"CREATE ROLE {reader};"
    with project.database.connect(superuser=True) as admin:
        admin.execute(f"CREATE ROLE {reader}".encode())
        project.migration("1", "a", "CREATE TABLE t (a int);", "DROP TABLE t;")
        project.migration("2", "b", "ALTER TABLE t ADD b int;", "ALTER TABLE t DROP b;")
        path = project.directory / "db" / "migrations" / "1_a.sql"
        path.write_text(path.read_text().replace("CREATE TABLE", f"{up} CREATE TABLE"))
        admin.execute(f"ALTER ROLE {project.database.owner} NOCREATEDB CREATEROLE".encode())
        try:
            done = here(project, monkeypatch, "baseline", "replay", "--json")
        finally:
            admin.execute(f"ALTER ROLE {project.database.owner} CREATEDB".encode())
            admin.execute(f"DROP ROLE {reader}".encode())
    assert done.exit_code == 0, done.output
    assert "not on the target's server" in str(json.loads(done.stdout)[0]["notes"])
    with psycopg.connect(project.database.dsn) as connection:
        assert diff(kept(project, "2").snapshot, catalog.snapshot(connection)) == ()


def test_to_before_the_first_migration(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.migration("1", "a", "CREATE TABLE t (a int);", "DROP TABLE t;")
    found = json.loads(here(project, monkeypatch, "rehearse", "--json").stdout)
    assert (found["foreseen"]["kind"], found["foreseen"]["version"]) == ("identical", "")


def test_more_migrations_than_a_driver_repeats_before_it_prepares(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """psycopg prepares what comes a fifth time; each migration's session forgets it all."""
    project.migration("1", "a", "CREATE TABLE t (a int);", "DROP TABLE t;")
    for number in range(2, 9):
        project.migration(
            str(number),
            "more",
            f"ALTER TABLE t ADD c{number} int;",
            f"ALTER TABLE t DROP c{number};",
        )
    done = here(project, monkeypatch, "baseline", "replay", "--json")
    assert done.exit_code == 0, done.output
    assert [one["version"] for one in json.loads(done.stdout)] == ["7", "8"]
