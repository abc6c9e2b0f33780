"""Settings that the server's administrator gave to every session of a role: timeouts do not end a
run that does nothing wrong, and the door opens whatever they are."""

from __future__ import annotations

import os
import signal
import time

import psycopg

from rollback_tui.core.run_view import fold
from rollback_tui.run.journal import read
from tests.cli.conftest import Project, events, only
from tests.cli.conftest import project as project
from tests.run.test_locks import SLEEPING, waits

DOWN = """
SELECT pg_sleep(1);
SELECT pg_sleep(4);
DROP TABLE tokens;
ALTER TABLE users DROP COLUMN verified_at;
"""


def test_a_run_outlives_the_timeouts_of_its_role(project: Project) -> None:
    """All of them for idle sessions and long transactions, and a worker that is stopped for a
    while between two statements, so that its session is idle in its transaction."""
    project.two_migrations(DOWN)
    database = project.database
    with psycopg.connect(database.superuser_dsn, autocommit=True) as admin:
        for name, value in (
            ("idle_in_transaction_session_timeout", "1s"),
            ("idle_session_timeout", "2s"),
            ("transaction_timeout", "3s"),
        ):
            admin.execute(f"ALTER ROLE {database.owner} SET {name} = '{value}'")
    running = project.start(*project.run_arguments)
    waits(database, SLEEPING)
    started = fold(read(project.run_folder() / "journal.jsonl")).started
    assert started is not None
    worker = started.worker_pid
    os.kill(worker, signal.SIGSTOP)
    try:
        waits(database, "state = 'idle in transaction'")
        time.sleep(2)
    finally:
        os.kill(worker, signal.SIGCONT)
    output, errors = running.communicate(timeout=60)
    assert "Traceback" not in errors, errors
    found = events(output)
    assert (running.returncode, found[-1]["outcome"]) == (0, "rolled_back"), found[-1]
    assert len(only(found, "transaction_started")) == 1
    assert only(found, "alarm") == []


def test_a_role_that_is_read_only_by_default_leaves_no_door_closed(project: Project) -> None:
    """Managed services set it for all when a disk is filling. The run's transaction says READ
    WRITE itself; the door must be able to as well."""
    project.two_migrations()
    database = project.database
    with psycopg.connect(database.superuser_dsn, autocommit=True) as admin:
        admin.execute(
            f"ALTER ROLE {database.owner} SET default_transaction_read_only = on".encode()
        )
    done = project.here(*project.run_arguments)
    found = events(done.stdout)
    assert (done.returncode, found[-1]["outcome"]) == (0, "rolled_back"), found[-1]
    assert only(found, "door_closed")[0]["rung"] == "rename"
    assert only(found, "alarm") == []
