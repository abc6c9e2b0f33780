"""Which kept runs have no outcome and belong to a target; and whether anything works on them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from psycopg import sql

from rollback_tui.core import events as ev
from rollback_tui.core.model import Operator, Target
from rollback_tui.postgres.connect import connect, target, with_database
from rollback_tui.run import claims, journal
from rollback_tui.run.journal import Journal
from tests.conftest import Database
from tests.core import example
from tests.started import end, remembered

RUN = "1a2b3c4d-0000-4000-8000-00000000000"
HELD = """
import sys
from pathlib import Path
from rollback_tui.run.control import Control
from rollback_tui.run.journal import Journal
folder = Path(sys.argv[1])
journal, control = Journal(folder / "journal.jsonl"), Control(sys.argv[2], folder)
print("up", flush=True)
sys.stdin.read()
"""
THE_TARGET = example.TARGET


def kept(
    directory: Path,
    *events: ev.AnyEvent,
    number: int = 1,
    of: Target = THE_TARGET,
    began: bool = True,
) -> Path:
    """Keep a run below ``directory`` with these events."""
    folder = directory / f"20260314_03120{number}_{RUN[:7]}{number}"
    folder.mkdir(parents=True)
    written = Journal(folder / journal.FILE_NAME)
    if began:
        written.write(
            ev.RunStarted(
                run=f"{RUN[:7]}{number}{RUN[8:]}{number}",
                tool_version="0",
                target=of,
                plan=example.plan(),
                plan_sha256=example.plan().sha256,
                operator=Operator(user="kim", uid=1000),
                reason="a reason",
                environment="",
                folder=str(folder),
                worker_pid=4711,
            )
        )
    for event in events:
        written.write(event)
    written.close()
    return folder


FINISHED = ev.RunFinished(outcome="refused", summary="no", report="")


class Worker:
    """A process that has the journal and answers on the socket, as a worker does."""

    def __init__(self, folder: Path) -> None:
        self.process = remembered(
            subprocess.Popen(
                [sys.executable, "-c", HELD, str(folder), f"{RUN}{os.getpid()}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == "up"

    def end(self) -> None:
        end(self.process)


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No event is so young that it is a sign of life."""
    monkeypatch.setattr(claims, "_FRESH_SECONDS", -1.0)
    monkeypatch.setattr(claims, "_ANSWER_SECONDS", 0.5)


def test_only_runs_that_began_and_have_no_outcome(tmp_path: Path) -> None:
    kept(tmp_path, FINISHED, number=1)
    kept(tmp_path, number=2, began=False)
    open_run = kept(
        tmp_path,
        ev.PhaseStarted(phase="execute"),
        ev.DoorClosed(rung="limit", connection_limit=-1),
        number=3,
    )
    [claim] = claims.without_outcome(tmp_path)
    assert claim.folder == str(open_run)
    assert (claim.state, claim.phase, claim.door_closed) == ("dead", "execute", True)
    assert claim.operator.user == "kim" and claim.may_settle
    assert claims.without_outcome(tmp_path, besides=open_run) == ()
    assert claims.without_outcome(tmp_path / "not there") == ()


def test_running_then_stopped_then_dead(tmp_path: Path, quiet: None) -> None:
    folder = kept(tmp_path)
    worker = Worker(folder)
    try:
        assert claims.state_of(folder, 0.0) == "running"
        worker.process.send_signal(signal.SIGSTOP)
        [claim] = claims.without_outcome(tmp_path)
        assert claim.state == "stopped" and not claim.may_settle
        worker.process.send_signal(signal.SIGCONT)
        assert claims.state_of(folder, 9.0) == "running"
    finally:
        worker.end()
    assert claims.state_of(folder, 9.0) == "dead"


def test_a_worker_that_is_looked_at_while_it_begins_gets_its_journal(tmp_path: Path) -> None:
    folder = kept(tmp_path)
    deadline = time.monotonic() + 2
    looker = remembered(
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import sys; from pathlib import Path\n"
                "from rollback_tui.run.claims import state_of\n"
                "print('up', flush=True)\nwhile True: state_of(Path(sys.argv[1]), 0.0)",
                str(folder),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
    )
    try:
        assert looker.stdout is not None and looker.stdout.readline()
        while time.monotonic() < deadline:
            Journal(folder / journal.FILE_NAME).close()
    finally:
        end(looker)


def test_a_damaged_journal_still_claims_and_is_never_settled(tmp_path: Path) -> None:
    folder = kept(tmp_path, ev.PhaseStarted(phase="execute"), ev.PhaseStarted(phase="verify"))
    path = folder / journal.FILE_NAME
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1].replace(b"execute", b"recover") + lines[2])
    [claim] = claims.without_outcome(tmp_path)
    assert "line 3" in claim.damaged
    assert claim.state == "dead" and not claim.may_settle


def test_the_run_that_has_the_lock_is_not_stopped_by_one_that_only_began(tmp_path: Path) -> None:
    own = kept(tmp_path, number=1)
    other = kept(tmp_path, ev.PhaseStarted(phase="preflight"), number=2)
    assert [c.folder for c in claims.rivals(own, THE_TARGET)] == [str(other)]
    worker = Worker(other)
    try:
        # Alive and in preflight: it meets the lock of the target.
        assert claims.rivals(own, THE_TARGET) == ()
    finally:
        worker.end()


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"database_oid": 999_999}, True),  # recovered: another database has the name
        ({"database": "shop__rollback_1a2b3c4d"}, True),  # reached under its name behind the door
        ({"host": "another-name-of-it", "port": 6432}, True),
        ({"database": "other", "database_oid": 999_999}, False),
        ({"system_identifier": "1"}, False),
        ({"system_identifier": "not visible"}, True),
        ({"system_identifier": "not visible", "port": 6432}, False),
        ({"system_identifier": "not visible", "host": "db2"}, False),
    ],
)
def test_a_target_is_known_by_its_cluster_and_its_name_or_number(
    tmp_path: Path, changes: dict[str, Any], same: bool
) -> None:
    kept(tmp_path)
    here = msgspec.structs.replace(THE_TARGET, **changes)
    assert bool(claims.of_target(tmp_path, here)) is same


@pytest.mark.parametrize(
    ("dsn", "same"),
    [
        ("host=db1 dbname=shop", True),
        ("postgresql://deploy@db1:5432/shop", True),
        ("host=db0,db1 port=5433,5432 dbname=shop", True),
        ("host=db1 dbname=other", False),
        ("host=db1 port=5433 dbname=shop", False),
        ("host=db2 dbname=shop", False),
        ("service=shop", True),  # whatever the service file says
        ("host=db1 dbname=shop options='broken", True),
    ],
)
def test_without_a_server_the_connection_string_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dsn: str, same: bool
) -> None:
    for name in ("PGHOST", "PGPORT", "PGDATABASE", "PGSERVICE", "PGHOSTADDR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(claims, "_asked", lambda *_: None)
    assert (THE_TARGET.host, THE_TARGET.port) == ("db1", 5432)
    kept(tmp_path)
    assert bool(claims.unfinished(tmp_path, dsn, "postgres", 2)) is same


@pytest.fixture
def behind_the_door(database: Database) -> Iterator[tuple[Database, Target]]:
    """A database that was renamed, with a placeholder under its name that lets nobody in."""
    with connect(database.dsn) as connection:
        here = target(connection)
    name = sql.Identifier(database.name)
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        aside = sql.Identifier(f"{database.name}__rollback_1a2b3c4d")
        admin.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(name, aside))
        admin.execute(sql.SQL("CREATE DATABASE {} ALLOW_CONNECTIONS false").format(name))
        yield database, here
        admin.execute(sql.SQL("DROP DATABASE {}").format(name))
        admin.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(aside, name))


def test_a_renamed_target_is_found_through_the_maintenance_database(
    tmp_path: Path, behind_the_door: tuple[Database, Target]
) -> None:
    database, here = behind_the_door
    kept(tmp_path, of=here)
    kept(tmp_path, number=2, of=msgspec.structs.replace(here, database="x", database_oid=1))
    [claim] = claims.unfinished(tmp_path, database.dsn, "postgres", 5)
    assert claim.target == here
    aside = with_database(database.dsn, f"{database.name}__rollback_1a2b3c4d")
    [same] = claims.unfinished(tmp_path, aside, "postgres", 5)
    assert same.run == claim.run
    assert claims.unfinished(tmp_path, database.server.dsn("postgres"), "postgres", 5) == ()
