"""What the operator hears when something is wrong: one line, a remedy, exit 2."""

from __future__ import annotations

import pytest
from psycopg import conninfo

from tests.cli.conftest import Project


def _heard(project: Project, *arguments: str, env: dict[str, str] | None = None) -> str:
    done = project.command(*arguments, env=env)
    assert done.returncode == 2, done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 2, done.stderr
    assert lines[0].startswith("error: ")
    assert lines[1].startswith("  → ")
    assert "Traceback" not in done.stderr
    return done.stderr


def test_an_unreachable_server(project: Project) -> None:
    dsn = "host=127.0.0.1 port=1 dbname=x user=y password=very-secret"
    said = _heard(project, "check", "--dsn", dsn)
    assert "refused" in said.lower()
    assert "very-secret" not in said


def test_a_database_that_does_not_exist(project: Project) -> None:
    dsn = conninfo.make_conninfo(project.database.dsn, dbname="no_such_database")
    assert "no_such_database" in _heard(project, "state", "--dsn", dsn)


def test_a_missing_migrations_directory(project: Project) -> None:
    project.two_migrations()
    said = _heard(project, "plan", "--migrations", "no/such/directory")
    assert "no/such/directory" in said


def test_an_unknown_framework(project: Project) -> None:
    project.two_migrations()
    said = _heard(project, "plan", "--framework", "flurble")
    assert "flurble" in said
    assert "dbmate" in said


def test_a_database_without_any_version_table(project: Project) -> None:
    _heard(project, "plan")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[run]\nlock_timeot_seconds = 3\n", "line 2: unknown key 'lock_timeot_seconds'"),
        ("[run\n", "line 1"),
        ("[health]\n\nattempts = 0\n", "line 3"),
        ("nonsense = 1\n", "line 1: unknown key 'nonsense'"),
    ],
)
def test_a_broken_configuration(project: Project, text: str, expected: str) -> None:
    (project.directory / "rollback.toml").write_text(text)
    assert expected in _heard(project, "check")


def test_a_configuration_that_is_not_there(project: Project) -> None:
    assert "nowhere.toml" in _heard(project, "check", "--config", "nowhere.toml")


def test_more_steps_than_migrations(project: Project) -> None:
    project.two_migrations()
    assert "2 migrations are applied" in _heard(project, "plan", "--steps", "3")


def test_a_version_that_is_not_applied(project: Project) -> None:
    project.two_migrations()
    assert "20990101" in _heard(project, "plan", "--to", "20990101")


def test_the_screens_without_a_terminal(project: Project) -> None:
    project.two_migrations()
    assert "terminal" in _heard(project)


def test_no_run_to_report(project: Project) -> None:
    assert "no run" in _heard(project, "report")


def test_an_explicit_target_wins_over_the_environment(project: Project) -> None:
    project.two_migrations()
    elsewhere = {"PGHOST": "127.0.0.1", "PGPORT": "1", "PGDATABASE": "elsewhere"}
    done = project.command("plan", "--dsn", project.database.dsn, env=elsewhere)
    assert done.returncode == 0, done.stderr


def test_an_address_of_the_environment_does_not_redirect_the_host_that_was_named(
    project: Project,
) -> None:
    """libpq takes PGHOSTADDR also when the connection string names a host."""
    project.two_migrations()
    database = project.database
    named = database.server.tcp_dsn(database.name, database.owner)
    done = project.command("plan", "--dsn", named, env={"PGHOSTADDR": "127.0.0.250"})
    assert done.returncode == 0, done.stderr
