"""A synchronous standby that is away: COMMIT gets no answer although it has happened, and no limit
of the server's own ends that wait."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from rollback_tui.embedded.server import EmbeddedServer
from tests.cli.conftest import Project, events, only
from tests.conftest import SETTINGS, create_database
from tests.demo.processes import end_all_in

COMMIT_SECONDS = 2


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Project]:
    """A project on a server whose COMMITs wait for a standby that does not exist."""
    server = EmbeddedServer(major=18, tcp=True, settings=SETTINGS)
    made = Project(tmp_path, create_database(server))
    made.two_migrations()
    made.configure(f"[run]\ncommit_seconds = {COMMIT_SECONDS}\n")
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'away'")
        admin.execute("SELECT pg_reload_conf()")
    yield made
    end_all_in(tmp_path)
    server.stop()


def test_committed_on_this_server_only_is_said_and_the_door_opens(waiting: Project) -> None:
    began = time.monotonic()
    done = waiting.here(*waiting.run_arguments)
    taken = time.monotonic() - began
    assert "Traceback" not in done.stderr
    found = events(done.stdout)
    assert len(only(found, "committed")) == 1
    waiting_for = [event["summary"] for event in only(found, "waiting")]
    assert any("waiting for the synchronous standby to confirm" in s for s in waiting_for)
    # It was known before, and was no reason to refuse.
    (known,) = (
        event["check"]
        for event in only(found, "check_judged")
        if event["check"]["name"] == "synchronous_standby"
    )
    assert known["status"] == "warn"
    assert "this server only" in known["summary"]
    # It is rolled back, and the operator has something to do.
    assert (done.returncode, found[-1]["outcome"]) == (5, "needs_operator"), found[-1]
    alarms = [event["summary"] for event in only(found, "alarm")]
    assert len(alarms) == 1
    assert "durable on this server only" in alarms[0]
    assert "'away', and none of the 1 it waits for is streaming" in alarms[0]
    assert waiting.versions() == ["20240101000000"]
    assert waiting.connection_limit() == -1
    print(f"the run took {taken:.1f} s")
