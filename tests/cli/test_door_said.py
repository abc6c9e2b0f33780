"""Which door it will be is said before the run: by ``check`` and by ``doctor``."""

from __future__ import annotations

import json

import psycopg
import pytest

from tests.cli.conftest import Project, project  # noqa: F401 - the fixture


def _check(project: Project) -> dict[str, object]:  # noqa: F811
    answered = json.loads(project.here("check", "--json").stdout)
    found = next(c for c in answered["checks"] if c["name"] == "door")
    assert isinstance(found, dict)
    return found


def _doctor(project: Project) -> str:  # noqa: F811
    return project.here("doctor").stdout


def _admin(project: Project, text: str) -> None:  # noqa: F811
    with psycopg.connect(project.database.server.dsn(), autocommit=True) as admin:
        admin.execute(text.encode())


def test_an_owner_with_createdb(project: Project) -> None:  # noqa: F811
    project.two_migrations()
    found = _check(project)
    assert found["status"] == "pass"
    assert found["summary"] == "applications cannot enter, nor superusers"
    assert "by renaming the database (nobody can enter)" in _doctor(project)


def test_without_createdb(project: Project) -> None:  # noqa: F811
    project.two_migrations()
    _admin(project, f"ALTER ROLE {project.database.owner} NOCREATEDB")
    found = _check(project)
    assert "superusers can" in str(found["summary"])
    assert "the role has no CREATEDB" in str(found["evidence"])
    told = _doctor(project)
    assert "superusers can still enter" in told
    assert "the role has no CREATEDB" in told


def test_a_script_that_names_its_database(project: Project) -> None:  # noqa: F811
    name = project.database.name
    project.two_migrations(f"ALTER DATABASE {name} RESET work_mem;\nDROP TABLE tokens;")
    assert "1 of the plan's statements may name the database" in str(_check(project)["evidence"])
    # No plan is looked at here.
    assert "by renaming the database" in _doctor(project)


def test_a_maintenance_database_that_is_not_there(project: Project) -> None:  # noqa: F811
    project.two_migrations()
    config = project.directory / "rollback.toml"
    config.write_text(config.read_text() + 'maintenance_database = "nowhere"\n')
    found = _check(project)
    assert found["status"] == "unknown"
    assert "nowhere" in str(found["evidence"])
    told = _doctor(project)
    assert "cannot be worked from the database nowhere" in told
    assert "migrations applied" in told


@pytest.mark.parametrize("rung", ["limit", "terminate"])
def test_by_choice(project: Project, rung: str) -> None:  # noqa: F811
    project.two_migrations()
    project.configure(f'[door]\nrung = "{rung}"')
    assert f'rung = "{rung}"' in str(_check(project)["evidence"])


def test_a_script_that_names_its_database_changes_that_one(
    project: Project,  # noqa: F811
) -> None:
    """Behind a renamed door it would have changed the placeholder."""
    name = project.database.name
    project.two_migrations(
        f"ALTER DATABASE {name} SET work_mem = '7MB';\nDROP TABLE tokens;\n"
        "ALTER TABLE users DROP COLUMN verified_at;"
    )
    done = project.here(*project.run_arguments)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert '"rung":"limit"' in done.stdout
    with psycopg.connect(project.database.dsn) as connection:
        assert connection.execute("SELECT current_setting('work_mem')").fetchone() == ("7MB",)
