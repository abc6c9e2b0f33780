"""A project whose down migrations cannot be one transaction, and somebody who holds them up."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from rollback_tui.core import events as ev
from rollback_tui.run import folder, journal
from tests.cli.conftest import DOWN_1, UP_1, Project

UP = """
ALTER TABLE users ADD COLUMN note text DEFAULT 'x';
CREATE INDEX users_email ON users (email);
CREATE INDEX users_note ON users (note);
"""
TWO_DROPS = "DROP INDEX CONCURRENTLY users_email;\nDROP INDEX CONCURRENTLY users_note;\n"

OPEN = '[door]\nmode = "open"\n'
PATIENT = OPEN + "[run]\nlock_timeout_seconds = 60\n"
"""Nobody is ended, and a statement that is held up waits."""
HASTY = OPEN + "[run]\nlock_timeout_seconds = 0.3\nlock_attempts = 2\n"

YES = "--statement-by-statement"


def stepwise(project: Project, down: str = TWO_DROPS, settings: str = "", up: str = UP) -> Path:
    """Two migrations, of which the newest goes back by ``down``; returns its file."""
    project.migration("20240101000000", "users", UP_1, DOWN_1)
    path = project.migration("20240202000000", "indexes", up, down)
    project.configure(settings)
    return path


def indexes(project: Project) -> dict[object, object]:
    """The indexes on users, but for its key: name → valid."""
    rows = project.query(
        "SELECT c.relname, x.indisvalid FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid"
        " WHERE x.indrelid = 'users'::regclass AND NOT x.indisprimary ORDER BY 1"
    )
    return {row[0]: row[1] for row in rows}


def held_up(project: Project) -> psycopg.Connection[tuple[object, ...]]:
    """A transaction that has read the table, and goes on: CONCURRENTLY waits for it."""
    reader = project.database.connect(autocommit=False, application_name="long report")
    reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    reader.execute("SELECT count(*) FROM users").fetchall()
    return reader


def soon(question: Callable[[], bool], seconds: float = 60) -> bool:
    """Return whether it becomes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if question():
            return True
        time.sleep(0.05)
    return False


def records(project: Project) -> tuple[ev.Record, ...]:
    """What the newest run has journaled; nothing before there is one."""
    found = folder.folders(project.directory / "rollback_runs")
    return journal.read(found[0] / journal.FILE_NAME) if found else ()


def sent(project: Project, index: int) -> bool:
    """Whether the newest run has sent statement ``index``."""
    return any(
        isinstance(r.event, ev.StatementStarted) and r.event.index == index
        for r in records(project)
    )


def kill(project: Project, *, guardian: bool) -> None:
    """End the worker (and its guardian, before it) as the kernel does when memory is short."""
    worker = next(
        r.event.worker_pid for r in records(project) if isinstance(r.event, ev.RunStarted)
    )
    parent = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])
    if guardian:
        os.kill(parent, signal.SIGKILL)
    os.kill(worker, signal.SIGKILL)


def interrupted(project: Project, index: int, until: Callable[[], bool]) -> str:
    """Start a run, kill worker and guardian in the middle of statement ``index`` as soon as
    ``until`` says so, and settle it; returns what settle says."""
    reader = held_up(project)
    run = project.start(*project.run_arguments, YES)
    assert soon(lambda: sent(project, index)), output_of(run)
    assert soon(until)
    kill(project, guardian=True)
    run.communicate(timeout=60)
    reader.rollback()
    settled = project.here("settle")
    assert settled.returncode == 5, told(settled)
    return settled.stdout


def output_of(run: subprocess.Popen[str]) -> str:
    """End it and return what it said."""
    run.kill()
    return "".join(run.communicate(timeout=30))


def told(done: subprocess.CompletedProcess[str]) -> str:
    """The end of what a command said: its outcome and its error."""
    return done.stdout[-600:] + done.stderr
