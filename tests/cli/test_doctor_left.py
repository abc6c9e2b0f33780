"""What a killed rehearsal, capture or run left on the server is said by ``doctor``."""

from __future__ import annotations

import psycopg
import pytest

from tests.cli.conftest import Project, project  # noqa: F401 - the fixture


@pytest.mark.parametrize(
    ("suffix", "status", "said"),
    [
        ("__rehearsal_1a2b3c4d", "note", "left on the server, or in use by somebody now: "),
        ("__closed_1a2b3c4d", "bad", "a run never opened its door: "),
    ],
)
def test_doctor_names_what_was_left(
    project: Project,  # noqa: F811
    suffix: str,
    status: str,
    said: str,
) -> None:
    project.two_migrations()
    assert "left on the server" not in project.here("doctor").stdout
    left = project.database.name + suffix
    with psycopg.connect(project.database.server.dsn(), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{left}" OWNER {project.database.owner}'.encode())
    told = project.here("doctor").stdout
    assert f"{status:<4} {said}{left}" in told
