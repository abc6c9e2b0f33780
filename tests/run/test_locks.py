"""Real contention: a run waits for locks a bounded time, makes others wait no longer than that,
and tries the whole transaction again a bounded number of times."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

import psycopg
import pytest

from tests.cli.conftest import Project, events, only
from tests.cli.conftest import project as project
from tests.conftest import Database

LOCK_SECONDS = 1.0
ATTEMPTS = 3

UP = """
CREATE TABLE tokens (id int PRIMARY KEY);
INSERT INTO tokens SELECT generate_series(1, 17);
"""
OPEN = f"""
[door]
mode = "open"
[run]
lock_timeout_seconds = {LOCK_SECONDS}
lock_attempts = {ATTEMPTS}
"""


def prepared(project: Project, down: str, settings: str = OPEN) -> None:
    """Two migrations, of which the newest has this down script; the door stays open, for behind
    a closed one nobody holds locks."""
    project.migration(
        "20240101000000",
        "users",
        "CREATE TABLE users (id int PRIMARY KEY, email text);"
        "INSERT INTO users SELECT i, 'u' || i FROM generate_series(1, 200) i;",
        "DROP TABLE users;",
    )
    project.migration("20240202000000", "tokens", UP, down)
    project.configure(settings)


def ended(running: subprocess.Popen[str]) -> tuple[int, list[dict[str, Any]]]:
    output, errors = running.communicate(timeout=150)
    assert "Traceback" not in errors, errors
    return running.returncode, events(output)


def waits(
    database: Database, condition: str, application: str = "rollback_tui run", seconds: float = 40
) -> None:
    """Return when a session of this application of ours is as ``condition`` says."""
    question = (
        "SELECT 1 FROM pg_stat_activity WHERE datid = %s AND application_name = %s AND " + condition
    )
    deadline = time.monotonic() + seconds
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        while not admin.execute(question.encode(), [database.oid, application]).fetchone():
            assert time.monotonic() < deadline, f"no session of {application} is: {condition}"
            time.sleep(0.01)


SLEEPING = "wait_event = 'PgSleep'"
WAITING = "wait_event_type = 'Lock'"


class Read(NamedTuple):
    """One reading of the table, in seconds of this machine's clock, which is the server's."""

    began: float
    ended: float


@contextmanager
def readers(project: Project) -> Iterator[list[Read]]:
    """An application that reads the table all the time; gives what it has read."""
    stop = threading.Event()
    reads: list[Read] = []

    def read() -> None:
        with psycopg.connect(project.database.dsn, autocommit=True) as connection:
            while not stop.wait(0.02):
                began = time.time()
                connection.execute("SELECT count(*) FROM tokens")
                reads.append(Read(began, time.time()))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield reads
    finally:
        stop.set()
        thread.join(30)


def attempts(found: list[dict[str, Any]]) -> list[float]:
    """When each attempt began, in seconds of the server's clock."""
    began = [datetime.fromisoformat(e["at"]) for e in only(found, "transaction_started")]
    return [moment.timestamp() for moment in began]


def untouched(project: Project) -> None:
    assert project.versions() == ["20240101000000", "20240202000000"]
    assert project.query("SELECT count(*) FROM tokens") == [(17,)]


def test_a_long_reader_in_front_holds_up_nobody_for_long(project: Project) -> None:
    prepared(project, "DROP TABLE tokens;")
    long_reader = project.database.connect(autocommit=False)
    long_reader.execute("SELECT count(*) FROM tokens")
    with readers(project) as reads:
        status, found = ended(project.start(*project.run_arguments))
    assert (status, found[-1]["outcome"]) == (3, "unchanged"), found[-1]
    began = attempts(found)
    assert len(began) == ATTEMPTS
    gaps = [after - before for before, after in pairwise(began)]
    # The wait for the lock, and then 0.5 and 1 second.
    assert gaps[0] >= LOCK_SECONDS + 0.5
    assert gaps[1] >= LOCK_SECONDS + 1.0
    # Who comes behind us in the queue waits until we give up, and not until the next attempt,
    # although the long reader in front is still there.
    waited = max(reads, key=lambda one: one.ended - one.began)
    assert waited.ended - waited.began > LOCK_SECONDS / 10
    for before, after in pairwise(began):
        assert any(before < one.ended < after for one in reads)
    reasons = [e["reason"] for e in only(found, "transaction_rolled_back")]
    assert all("lock timeout" in reason for reason in reasons[:ATTEMPTS]), reasons
    assert f"({ATTEMPTS} attempts)" in found[-1]["summary"]
    untouched(project)


def test_when_the_reader_has_gone_the_next_attempt_succeeds(project: Project) -> None:
    prepared(project, "DROP TABLE tokens;")
    long_reader = project.database.connect(autocommit=False)
    long_reader.execute("SELECT count(*) FROM tokens")
    running = project.start(*project.run_arguments)
    waits(project.database, WAITING)
    time.sleep(LOCK_SECONDS + 0.1)
    long_reader.rollback()
    status, found = ended(running)
    assert (status, found[-1]["outcome"]) == (0, "rolled_back"), found[-1]
    assert [e["attempt"] for e in only(found, "transaction_started")] == [1, 2]
    assert len(only(found, "transaction_rolled_back")) == 1
    assert len(only(found, "committed")) == 1
    assert project.versions() == ["20240101000000"]


CROSSING = """
SELECT pg_sleep(1.5);
UPDATE users SET email = email WHERE id = 1;
UPDATE users SET email = email WHERE id = 2;
DROP TABLE tokens;
"""


def test_a_deadlock_is_tried_again(project: Project) -> None:
    """We hold row 1 and want 2, another session holds 2 and wants 1. The other one's patience is
    longer, so that the server chooses us."""
    prepared(project, CROSSING, OPEN.replace(f"= {LOCK_SECONDS}", "= 20"))
    database = project.database
    with psycopg.connect(database.superuser_dsn, autocommit=True) as admin:
        admin.execute(f"ALTER ROLE {database.owner} SET deadlock_timeout = '2s'")
    other = database.connect(autocommit=False, superuser=True, application_name="other")
    running = project.start(*project.run_arguments)
    waits(database, SLEEPING)
    other.execute("SET deadlock_timeout = '60s'")
    other.execute("UPDATE users SET email = 'other' WHERE id = 2")
    waits(database, WAITING)
    other.execute("UPDATE users SET email = 'other' WHERE id = 1")
    other.commit()
    status, found = ended(running)
    assert (status, found[-1]["outcome"]) == (0, "rolled_back"), found[-1]
    assert [e["reason"] for e in only(found, "transaction_rolled_back")] == ["deadlock detected"]
    assert [e["attempt"] for e in only(found, "transaction_started")] == [1, 2]
    assert project.query("SELECT email FROM users WHERE id < 3") == [("other",), ("other",)]
    assert project.versions() == ["20240101000000"]


@pytest.mark.parametrize(
    "forever",
    [
        "SET lock_timeout = 0;",
        "SET SESSION lock_timeout = 0; SET SESSION statement_timeout = 0;",
        "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0;",
        "SELECT set_config('lock_timeout', '0', false), set_config('lock_timeout', '0', true);",
        "RESET lock_timeout;",
        "RESET ALL;",
    ],
)
def test_a_script_cannot_make_us_wait_for_ever(project: Project, forever: str) -> None:
    prepared(
        project,
        f"{forever}\nSELECT pg_sleep(0.5);\nUPDATE users SET email = email WHERE id = 2;\n"
        "DROP TABLE tokens;",
    )
    other = project.database.connect(autocommit=False)
    running = project.start(*project.run_arguments)
    waits(project.database, SLEEPING)
    other.execute("UPDATE users SET email = 'other' WHERE id = 2")
    waits(project.database, WAITING)
    # The row is locked until it has ended.
    status, found = ended(running)
    assert (status, found[-1]["outcome"]) == (3, "unchanged"), found[-1]
    assert len(attempts(found)) == ATTEMPTS
    reasons = [e["reason"] for e in only(found, "transaction_rolled_back")]
    assert all("lock timeout" in reason for reason in reasons[:ATTEMPTS]), reasons
    other.rollback()
    untouched(project)


def test_waiting_inside_one_statement_ends_with_the_statement_timeout(project: Project) -> None:
    """What a single statement does to its own lock_timeout cannot be taken back from outside; its
    statement_timeout is set already and ends it."""
    prepared(
        project,
        "SELECT pg_sleep(0.5);\n"
        "DO $$ BEGIN PERFORM set_config('lock_timeout', '0', true),"
        " set_config('statement_timeout', '0', true); LOCK TABLE users; END $$;\n"
        "DROP TABLE tokens;",
        f"{OPEN}\nstatement_timeout_seconds = 3\n",
    )
    other = project.database.connect(autocommit=False)
    running = project.start(*project.run_arguments)
    waits(project.database, SLEEPING)
    other.execute("UPDATE users SET email = 'other' WHERE id = 2")
    waits(project.database, WAITING)
    status, found = ended(running)
    assert (status, found[-1]["outcome"]) == (3, "unchanged"), found[-1]
    assert "cancelled after 3" in found[-1]["summary"]
    assert len(attempts(found)) == 1
    other.rollback()
    untouched(project)
