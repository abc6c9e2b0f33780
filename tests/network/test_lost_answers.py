"""The answer to a COMMIT that is lost somewhere: each run ends in the one outcome that is true,
nothing runs twice, and the door is open."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import psycopg
import pytest

from tests.cli.conftest import Project, events, only
from tests.network.conftest import through
from tests.network.proxy import Fault, Proxy

COMMIT_SECONDS = 2

COMMIT = b"COMMIT\0"
BEGIN = b"BEGIN ISOLATION LEVEL"


def start(project: Project, proxy: Proxy, settings: str = "") -> subprocess.Popen[str]:
    through(project, proxy.port, f"[run]\ncommit_seconds = {COMMIT_SECONDS}\n{settings}")
    return project.start(*project.run_arguments)


def ended(running: subprocess.Popen[str]) -> tuple[int, list[dict[str, Any]]]:
    """The exit code and the events. Where the answer never comes there is no other end than by a
    limit of our own."""
    output, errors = running.communicate(timeout=120)
    assert "Traceback" not in errors, errors
    return running.returncode, events(output)


def door_is_open(project: Project) -> None:
    """Applications connect under the old name, to the old database, and nothing is left over."""
    assert project.connection_limit() == -1
    with psycopg.connect(project.database.dsn) as application:
        row = application.execute(
            "SELECT oid FROM pg_database WHERE datname = current_database()"
        ).fetchone()
    assert row == (project.database.oid,)
    with psycopg.connect(project.database.server.dsn()) as admin:
        names = admin.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)",
            [project.database.name],
        ).fetchall()
    assert names == [(project.database.name,)]


def untouched(project: Project) -> None:
    assert project.versions() == ["20240101000000", "20240202000000"]
    assert project.query("SELECT count(*) FROM tokens") == [(17,)]


def rolled_back(project: Project) -> None:
    assert project.versions() == ["20240101000000"]
    assert project.query("SELECT to_regclass('tokens')") == [(None,)]
    # Only the migration before it may have touched the rows, and it did once.
    assert project.query("SELECT count(*) FROM users") == [(200,)]


def once(found: list[dict[str, Any]]) -> None:
    """No statement was sent a second time."""
    sent = [event["index"] for event in only(found, "statement_started")]
    assert sent == sorted(set(sent))
    assert len(only(found, "transaction_started")) == 1


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("reset", "unchanged"),
        ("lose", "unchanged"),
        ("withhold", "rolled_back"),
        ("reset after the answer", "rolled_back"),
    ],
)
def test_a_commit_without_an_answer_is_decided_by_the_database(
    project: Project, proxy: Proxy, fault: Fault, outcome: str
) -> None:
    project.two_migrations()
    proxy.arm(fault, COMMIT)
    status, found = ended(start(project, proxy))
    assert proxy.sprung_at, "COMMIT was never sent"

    end = found[-1]
    assert (end["kind"], end["outcome"]) == ("run_finished", outcome), json.dumps(end)
    assert status == {"rolled_back": 0, "unchanged": 3}[outcome]
    {"rolled_back": rolled_back, "unchanged": untouched}[outcome](project)
    once(found)
    door_is_open(project)
    assert only(found, "alarm") == []


def test_a_reset_in_mid_statement_is_undone(project: Project, proxy: Proxy) -> None:
    project.two_migrations()
    proxy.arm("reset", b"DROP TABLE tokens", after=BEGIN)
    status, found = ended(start(project, proxy))
    assert (status, found[-1]["outcome"]) == (3, "unchanged"), json.dumps(found[-1])
    untouched(project)
    once(found)
    door_is_open(project)


def test_a_statement_whose_answer_is_withheld_has_a_deadline(
    project: Project, proxy: Proxy
) -> None:
    """The server has long ended it, so its own timeout says nothing; the other end of the TCP
    connection is alive, so keepalives do not either."""
    project.two_migrations()
    proxy.arm("withhold", b"DROP TABLE tokens", after=BEGIN)
    running = start(project, proxy, "statement_timeout_seconds = 2\n")
    status, found = ended(running)
    assert (status, found[-1]["outcome"]) == (3, "unchanged"), json.dumps(found[-1])
    untouched(project)
    door_is_open(project)
