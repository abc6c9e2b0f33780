"""After our rollback the framework's own command line must agree."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg

from tests.cli.conftest import DOWN_1, DOWN_2, UP_1, UP_2, Project, events
from tests.frameworks.conftest import Dbmate, dbmate_url


def test_the_real_dbmate_reports_it_pending_and_applies_it_again(
    project: Project, dbmate_program: Path
) -> None:
    directory = project.directory / "db" / "migrations"
    directory.mkdir(parents=True)
    for version, name, up, down in (
        ("20240101000000", "users", UP_1, DOWN_1),
        ("20240202000000", "verification", UP_2, DOWN_2),
    ):
        text = f"-- migrate:up\n{up}\n-- migrate:down\n{down}\n"
        (directory / f"{version}_{name}.sql").write_text(text)
    dbmate = Dbmate(dbmate_url(project.database), directory, dbmate_program)
    dbmate.run("up")

    done = project.here(*project.run_arguments)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "[X] 20240101000000_users.sql" in dbmate.run("status", check=False)
    assert "[ ] 20240202000000_verification.sql" in dbmate.run("status", check=False)
    dbmate.run("up")
    assert project.versions() == ["20240101000000", "20240202000000"]
    assert project.query("SELECT count(*) FROM tokens") == [(17,)]


def _golang_migrate(project: Project) -> None:
    directory = project.directory / "migrations"
    directory.mkdir()
    with psycopg.connect(project.database.dsn) as connection:
        for number, name, up, down in (
            (1, "users", UP_1, DOWN_1),
            (2, "verification", UP_2, DOWN_2),
        ):
            (directory / f"{number:06}_{name}.up.sql").write_text(up)
            (directory / f"{number:06}_{name}.down.sql").write_text(down)
            connection.execute(up.encode())
        connection.execute(
            "CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY,"
            " dirty boolean NOT NULL)"
        )
        connection.execute("INSERT INTO schema_migrations VALUES (2, false)")


def test_golang_migrate_has_one_row_with_the_version_before(project: Project) -> None:
    _golang_migrate(project)
    done = project.here(*project.run_arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.query("SELECT version, dirty FROM schema_migrations") == [(1, False)]


def test_golang_migrate_below_the_first_migration_the_table_is_empty(project: Project) -> None:
    _golang_migrate(project)
    done = project.here(*project.run_arguments, "--steps", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.query("SELECT version, dirty FROM schema_migrations") == []


def test_golang_migrate_dirty_is_explained(project: Project) -> None:
    _golang_migrate(project)
    with psycopg.connect(project.database.dsn) as connection:
        connection.execute("UPDATE schema_migrations SET dirty = true")
    done = project.here("plan", "--json")
    assert done.returncode == 2
    assert "dirty" in done.stderr


def test_golang_migrate_that_is_migrating_now_stops_us(project: Project) -> None:
    _golang_migrate(project)
    from rollback_tui.frameworks.golang_migrate import lock_key
    from rollback_tui.frameworks.protocol import VersionTable

    table = VersionTable(schema="public", name="schema_migrations")
    deploy = project.database.connect()
    deploy.execute("SELECT pg_advisory_lock(%s)", [lock_key(f"/{project.database.name}", table)])
    done = project.here(*project.run_arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "migrating" in events(done.stdout)[-1]["summary"]
    assert json.loads(project.here("history", "--json").stdout)[0]["outcome"] == "refused"
