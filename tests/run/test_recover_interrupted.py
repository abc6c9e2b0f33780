"""Something goes wrong while an ended run is undone: the database is as it was, or as it should be,
and never anything between; the catalog says which, and whoever settles finds it there."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from rollback_tui.run import folder as run_folder
from rollback_tui.run.recovery.repair import STEPS
from tests.cli.conftest import Project, events, only
from tests.cli.conftest import project as project
from tests.conftest import Database, create_database, drop_database
from tests.run.undoing import shop, steps

ALL_WELL = dict.fromkeys(STEPS, "pass")


def killed_at(project: Project, run: str, kind: str, rung: str = "dump") -> str:
    """Take a rung for ``run`` on the command line, kill the worker at the first event of this
    kind; return the outcome that its guardian settles for."""
    running = project.start(
        "recover", run, "--rung", rung, "--confirm", project.database.name, "--json"
    )
    worker = 0
    try:
        for line in running.stdout or ():
            event = json.loads(line)
            worker = worker or event.get("worker_pid", 0)
            found = event["kind"] + (f" {event['phase']}" if "phase" in event else "")
            if found == kind:
                os.kill(worker, signal.SIGKILL)
                break
        rest, said = running.communicate(timeout=60)
    finally:
        running.kill()
    (finished,) = only(events(rest), "run_finished")
    assert said == "" and finished["outcome"], said
    return str(finished["outcome"])


def test_the_worker_is_killed(project: Project) -> None:
    made = shop(project)
    before = made.dumped()
    folder, _ = made.roll_back()
    after = made.dumped()
    run = folder.name[-8:]

    assert killed_at(project, run, "progress checkpoint") == "refused"
    assert made.databases() == set(), "nothing is left of what was restored beside"
    # An event is on disk before the next act is begun, and a quick machine is past that when the
    # worker dies: before the renames, or behind them, and never anything else.
    for kind in ("door_closed", "lost_counted", "swap_started", "swapped"):
        outcome = killed_at(project, run, kind)
        assert outcome in ("unchanged", "recovered")
        assert made.dumped() == (before if outcome == "recovered" else after), kind
        if outcome == "recovered":
            break
    assert outcome == "recovered"
    newest = run_folder.folders(project.directory / "rollback_runs")[0]
    assert steps(made.view(newest)) == ALL_WELL, "the missing steps were done by who settled"
    assert made.databases() == {"__failed_"}
    assert project.connection_limit() == -1


def test_the_worker_is_killed_when_the_migrations_are_back(project: Project) -> None:
    made = shop(project, "[checkpoint]\nenabled = false\n")
    project.configure("[checkpoint]\nenabled = false\n")
    folder, _ = made.roll_back(keep=(1, 2, 3, 4))
    assert killed_at(project, folder.name[-8:], "committed", "reapply") == "recovered"
    newest = run_folder.folders(project.directory / "rollback_runs")[0]
    assert steps(made.view(newest)) == {"put back what was kept": "pass"}
    assert project.query("SELECT count(*), count(verified_at) FROM users") == [(200, 42)]
    assert project.query("SELECT count(*) FROM events") == [(30,)]
    assert project.connection_limit() == -1


@dataclass
class SmallDisk:
    """A project whose database is on a file system of its own."""

    project: Project
    place: Path
    full: threading.Event = field(default_factory=threading.Event)

    def fill(self) -> None:
        """Let somebody else take all of it."""
        with contextlib.suppress(OSError), (self.place / "filler").open("wb", buffering=0) as file:
            while file.write(b"\0" * (1 << 20)):
                pass
        self.full.set()

    def fill_while_it_is_restored(self) -> None:
        """The same, as soon as the database beside has been made."""
        name = f"{self.project.database.name}__restored_%"
        with psycopg.connect(self.project.database.server.dsn(), autocommit=True) as admin:
            while not admin.execute(
                "SELECT FROM pg_database WHERE datname LIKE %s", [name]
            ).fetchall():
                time.sleep(0.01)
        self.fill()


@pytest.fixture
def small_disk(database: Database, tmp_path: Path) -> Iterator[SmallDisk]:
    """A file system of 60 MB; mounting it is for root alone."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small file system")
    owner = database.server.data.stat()
    # Where the server's own user comes to.
    place = database.server.data.parent / f"small_{database.name}"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size=60m,uid={owner.st_uid},mode=700", "tmpfs"]
    if subprocess.run([*mounting, str(place)], check=False, capture_output=True).returncode:
        place.rmdir()
        pytest.skip("no file system may be mounted here")
    space = sql.Identifier(f"space_{database.name}")
    here = create_database(database.server)
    try:
        with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
            admin.execute(
                sql.SQL("CREATE TABLESPACE {} LOCATION {}").format(space, sql.Literal(str(place)))
            )
            name, role = sql.Identifier(here.name), sql.Identifier(here.owner)
            admin.execute(sql.SQL("GRANT CREATE ON TABLESPACE {} TO {}").format(space, role))
            admin.execute(sql.SQL("ALTER DATABASE {} SET TABLESPACE {}").format(name, space))
        made = Project(tmp_path, here)
        made.configure()
        yield SmallDisk(made, place)
    finally:
        drop_database(here)
        with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
            admin.execute(sql.SQL("DROP TABLESPACE {}").format(space))
        subprocess.run(["umount", str(place)], check=True)
        place.rmdir()


def test_the_disk_is_full_half_way(small_disk: SmallDisk) -> None:
    made = shop(small_disk.project)
    with psycopg.connect(small_disk.project.database.dsn) as connection:
        connection.execute("INSERT INTO tokens SELECT i, NULL FROM generate_series(100, 200000) i")
    folder, rolled_back = made.roll_back()
    assert rolled_back.outcome == "rolled_back", rolled_back.finished
    after = made.dumped()
    request = made.request(folder, "dump")

    thread = threading.Thread(target=small_disk.fill_while_it_is_restored, daemon=True)
    thread.start()
    _, view = made.work(request)
    thread.join(10)
    assert small_disk.full.is_set()
    assert view.outcome == "refused", view.finished
    assert view.finished is not None and "No space left" in view.finished.summary
    assert view.door is None, "nobody was kept out for it"
    assert made.dumped() == after
    assert made.databases() == set()

    # It is full now: that is said before anything is tried.
    assert "a database beside needs" in made.options(folder)["dump"].obstacle
