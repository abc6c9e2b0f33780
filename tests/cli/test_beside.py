"""Starting beside an unfinished run, and the second console, with real processes throughout."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import struct
import sys
import termios
import time
from pathlib import Path
from typing import Any

import psycopg

from rollback_tui.cli.options import Common
from rollback_tui.cli.settling import _to_settle
from rollback_tui.config import Settings
from tests.cli.conftest import Project, events, only
from tests.run.test_claims import FINISHED, kept
from tests.ssh.terminal import HEIGHT, WIDTH, Connection

SLOW = "DROP TABLE tokens;\nSELECT pg_sleep(120);"


def started(project: Project, statement: int = 2) -> list[dict[str, Any]]:
    """Wait until the newest run is in this statement; return its events so far."""
    deadline = time.monotonic() + 60
    found: list[dict[str, Any]] = []
    while time.monotonic() < deadline:
        runs = sorted(project.directory.glob("rollback_runs/*/journal.jsonl"))
        lines = runs[-1].read_text().splitlines(keepends=True) if runs else []
        found = [json.loads(line)["event"] for line in lines if line.endswith("\n")]
        if any(e["kind"] == "statement_started" and e["index"] == statement for e in found):
            return found
        time.sleep(0.05)
    raise AssertionError(f"statement {statement} never began: {found[-3:]}")


def worker_of(found: list[dict[str, Any]]) -> int:
    return int(only(found, "run_started")[0]["worker_pid"])


def guardian_of(worker: int) -> int:
    return int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])


def console(project: Project, *arguments: str) -> Connection:
    """Start ``rollback-tui ARGUMENTS`` in a terminal."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    environment |= {"TERM": "xterm-256color", "COLUMNS": str(WIDTH), "LINES": str(HEIGHT)}
    return Connection(
        [sys.executable, "-m", "rollback_tui", *arguments], project.directory, environment
    )


def resize(terminal: Connection, columns: int, rows: int) -> None:
    """What a terminal does when its window changes."""
    size = struct.pack("HHHH", rows, columns, 0, 0)
    fcntl.ioctl(terminal._master, termios.TIOCSWINSZ, size)
    terminal.process.send_signal(signal.SIGWINCH)
    time.sleep(1)
    terminal.read()


def test_after_guardian_and_worker_were_killed_nothing_begins_before_the_run_is_settled(
    project: Project,
) -> None:
    project.two_migrations(SLOW)
    run = project.start(*project.run_arguments)
    worker = worker_of(started(project))
    os.kill(guardian_of(worker), signal.SIGKILL)
    os.kill(worker, signal.SIGKILL)
    run.kill()
    run.communicate()
    short = project.run_folder().name[16:]

    looked = project.command("state")
    assert looked.returncode == 2
    assert f"error: run {short} of {project.database.name} has no outcome" in looked.stderr
    assert looked.stderr.count("has no outcome") == 1
    assert f"  → rollback-tui settle {short}" in looked.stderr
    assert "its door is CLOSED" in looked.stderr

    again = project.command(*project.run_arguments)
    assert again.returncode == 1, again.stdout + again.stderr
    assert f"rollback-tui settle {short}" in again.stderr
    assert len(list((project.directory / "rollback_runs").glob("*/"))) == 1

    no_terminal = project.command()
    assert no_terminal.returncode == 5
    assert f"rollback-tui settle {short}" in no_terminal.stderr

    screen = console(project)
    try:
        screen.until("has no outcome yet", short, "nothing works on it any more", "CLOSED")
        screen.press("S")
        screen.until(f"Settle run {short}")
        screen.press("\t\r")
        screen.until("run: unchanged", "the database is as before", seconds=60)
        screen.press("1")
        screen.until("3/3 counted", "20240202000000", seconds=60)
        screen.press("q")
        assert screen.end() == 3
    finally:
        screen.close()
    assert project.query("SELECT count(*) FROM tokens") == [(17,)]
    judged = json.loads(project.command("check", "--json").stdout)["checks"]
    assert next(c for c in judged if c["name"] == "unfinished_run")["status"] == "pass"


def test_one_console_has_the_controls_and_a_killed_one_takes_nothing_with_it(
    project: Project,
) -> None:
    project.two_migrations(SLOW)
    run = project.start(*project.run_arguments)
    started(project)
    first, second = console(project), None
    try:
        first.until("has no outcome yet", "is at work and answers")
        first.press("A")
        first.until("(a run without a screen) is at the controls since", "1 of 2 done")
        first.press("x")
        first.until("Not now: read-only")
        run.kill()
        run.communicate()
        first.until("Nobody is at the controls: t takes them.")
        first.press("t")
        first.until("x aborts it until COMMIT")

        second = console(project, "attach")
        second.until("1 of 2 done", "is at the controls since", "DROP TABLE tokens")
        first.process.kill()
        second.until("Nobody is at the controls: t takes them.")
        assert project.run_folder().joinpath("report.md").exists() is False
        resize(second, 20, 5)
        resize(second, WIDTH, HEIGHT)
        assert second.process.poll() is None
        second.press("t")
        second.until("x aborts it until COMMIT")
        second.press("x")
        second.until("Abort this run?")
        second.press("x")
        second.until("run: unchanged", seconds=60)
        second.press("q")
        assert second.end() == 3
    finally:
        first.close()
        if second is not None:
            second.close()
    with psycopg.connect(project.database.dsn) as connection:
        assert connection.execute("SELECT count(*) FROM tokens").fetchone() == (17,)


def test_a_stopped_worker_is_neither_settled_nor_joined_by_a_second(project: Project) -> None:
    project.two_migrations("DROP TABLE tokens;\nSELECT pg_sleep(6);")
    run = project.start(*project.run_arguments)
    worker = worker_of(started(project))
    os.kill(worker, signal.SIGSTOP)
    try:
        time.sleep(2.5)
        [listed] = json.loads(project.command("history", "--json").stdout)
        assert listed["outcome"] == "stopped"
        settled = project.command("settle")
        assert settled.returncode != 0 and "being written by another process" in settled.stderr
        second = project.command(*project.run_arguments)
        assert second.returncode == 1
        assert f"it is not settled while its process exists (pid {worker})" in second.stderr
        assert project.command().returncode == 5
        screen = console(project, "attach")
        try:
            screen.until("STALE: no sign of life since", f"kill -CONT {worker}", "run: STALE")
            assert "WORKER IS GONE" not in screen.screen.text
        finally:
            screen.close()
    finally:
        os.kill(worker, signal.SIGCONT)
    output, errors = run.communicate(timeout=90)
    assert run.returncode == 0, output + errors
    assert "no sign of life" in errors
    assert events(output)[-1]["outcome"] == "rolled_back"
    assert len(list((project.directory / "rollback_runs").glob("*/"))) == 1


def test_settle_without_an_id_takes_the_run_that_needs_it(tmp_path: Path) -> None:
    runs = tmp_path / "rollback_runs"
    needs_it = kept(runs, number=1)
    kept(runs, FINISHED, number=2)
    given = Common(dsn="", settings=Settings(), project=tmp_path, as_json=False)
    assert _to_settle(given, None) == needs_it
    assert _to_settle(given, "1a2b3c42").name.endswith("_1a2b3c42")
