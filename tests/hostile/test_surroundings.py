"""Disks that are full, directories that are not there, hooks that fail, clocks that jump."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from rollback_tui.core import events as ev
from rollback_tui.core.run_view import fold
from rollback_tui.run import journal, launch, web
from tests.cli.conftest import Project, events, only
from tests.demo.processes import alive, soon
from tests.hostile.test_scripts import tail, untouched
from tests.run.test_review import _request as request
from tests.run.web_server import says, serving

SLOW_DOWN = """
DROP TABLE tokens;
SELECT pg_sleep(4);
ALTER TABLE users DROP COLUMN verified_at;
"""


@contextlib.contextmanager
def small_disk(place: Path, size: str) -> Iterator[None]:
    """A file system of this size at ``place``, where one may be mounted."""
    place.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "none", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root, and a kernel that lets it")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False)


def in_mid_script(project: Project) -> bool:
    """Whether the statement that sleeps is being executed."""
    try:
        view = fold(journal.read(project.run_folder() / journal.FILE_NAME))
    except ValueError:
        return False
    return [s.status for s in view.statements] == ["done", "running", "waiting"]


def started_and_sleeping(project: Project) -> tuple[subprocess.Popen[str], int]:
    """Start a run; return it and its worker when the script is in its middle."""
    project.two_migrations(SLOW_DOWN)
    run = project.start(*project.run_arguments)
    runs = project.directory / "rollback_runs"
    assert soon(lambda: bool(list(runs.glob("*/journal.jsonl"))) and in_mid_script(project), 60)
    begun = fold(journal.read(project.run_folder() / journal.FILE_NAME)).started
    assert begun is not None
    return run, begun.worker_pid


def test_a_journal_that_takes_no_more_stops_the_run_before_commit(project: Project) -> None:
    run, worker = started_and_sleeping(project)
    size = (project.run_folder() / "journal.jsonl").stat().st_size
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (size, size))
    output, _ = run.communicate(timeout=90)
    assert run.returncode == 3, output
    untouched(project)
    assert events(output)[-1]["outcome"] == "unchanged", "its guardian has a file of its own"


def test_a_full_disk_stops_the_run_before_commit_and_opens_the_door(project: Project) -> None:
    runs = project.directory / "rollback_runs"
    with small_disk(runs, "4m"):
        run, worker = started_and_sleeping(project)
        with contextlib.suppress(OSError), (runs / "ballast").open("wb") as ballast:
            while True:
                ballast.write(b"\0" * 65536)
                ballast.flush()
        with contextlib.suppress(OSError), (runs / "crumbs").open("wb", buffering=0) as crumbs:
            while True:
                crumbs.write(b"\0")
        output, said = run.communicate(timeout=120)
        assert run.returncode == 5, output + said
        assert "rollback-tui settle" in said
        assert soon(lambda: not alive(worker), 20)
        untouched(project)
        (runs / "ballast").unlink()
        settled = project.command("settle")
        assert settled.returncode == 3, settled.stdout + settled.stderr
        assert settled.stdout.startswith("unchanged: ")
        untouched(project)


@pytest.mark.parametrize("what", ["run", "checkpoint"])
def test_a_directory_that_cannot_be_made_is_refused_before_the_door(
    project: Project, what: str
) -> None:
    """A file in the way, because root may write where permissions forbid it."""
    project.two_migrations()
    (project.directory / "file").write_text("")
    project.configure(f'[{what}]\ndirectory = "file/below"')
    checked = json.loads(project.command("check", "--json").stdout)["checks"]
    name = {"run": "run_directory", "checkpoint": "checkpoint"}[what]
    assert {c["name"]: c["status"] for c in checked}[name] == "fail"
    done = project.command(*project.run_arguments)
    assert done.returncode in (1, 2), tail(done)
    assert "file" in done.stdout + done.stderr
    if what == "checkpoint":
        assert not only(events(done.stdout), "door_prepared")
        assert not only(events(done.stdout), "door_closed")
    untouched(project)


def test_a_read_only_directory_is_refused_before_the_door(project: Project) -> None:
    project.two_migrations()
    runs = project.directory / "rollback_runs"
    with small_disk(runs, "1m"):
        remounted = subprocess.run(
            ["mount", "-o", "remount,ro", str(runs)], capture_output=True, check=False
        )
        if remounted.returncode:
            pytest.skip("a file system cannot be made read-only here")
        done = project.command(*project.run_arguments)
        assert done.returncode == 2, tail(done)
        assert "Read-only file system" in done.stderr
    untouched(project)


def test_a_disk_that_fills_while_dumping_leaves_no_checkpoint_and_no_closed_door(
    project: Project,
) -> None:
    project.two_migrations()
    project.query("SELECT 1")
    with project.database.connect() as owner:
        owner.execute(
            "CREATE TABLE filler AS SELECT i, md5(i::text) || md5((-i)::text) AS x"
            " FROM generate_series(1, 60000) i"
        )
    place = project.directory / "rollback_checkpoints"
    with small_disk(place, "1m"):
        done = project.command(
            *project.run_arguments, "--override", "checkpoint=to see the disk fill up in the dump"
        )
        assert done.returncode == 1, tail(done)
        found = events(done.stdout)
        assert "No space left" in found[-1]["summary"]
        assert not only(found, "door_closed")
        assert list(place.iterdir()) == []
    untouched(project)


# --- hooks ----------------------------------------------------------------------------------------


def test_a_team_that_cannot_be_told_does_not_stop_the_run(project: Project) -> None:
    project.two_migrations()
    project.configure('[notify]\nstarted = { url = "http://127.0.0.1:9/", timeout_seconds = 2 }')
    done = project.command(*project.run_arguments)
    assert done.returncode == 0, tail(done)
    assert [e["ok"] for e in only(events(done.stdout), "hook_ran")] == [False]


def test_maintenance_that_stays_on_is_tried_again_and_needs_the_operator(project: Project) -> None:
    project.two_migrations()
    project.configure('[maintenance]\non = { command = ["true"] }\noff = { command = ["false"] }')
    done = project.command(*project.run_arguments)
    assert done.returncode == 5, tail(done)
    found = events(done.stdout)
    assert len([e for e in only(found, "hook_ran") if e["name"] == "maintenance off"]) > 1
    assert any("maintenance" in e["summary"] for e in only(found, "alarm"))
    assert project.versions() == ["20240101000000"], "what was committed stays"
    assert project.connection_limit() == -1


def test_a_hook_that_hangs_is_ended_with_all_it_started(project: Project) -> None:
    project.two_migrations()
    code = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "os.fork(), os.fork()\n"
        "open('pids', 'a').write(f'{os.getpid()}\\n')\n"
        "time.sleep(60)\n"
    )
    command = json.dumps([sys.executable, "-c", code])
    project.configure(
        f"[maintenance]\non = {{ command = {command}, timeout_seconds = 2 }}\n"
        'off = { command = ["true"] }'
    )
    done = project.command(*project.run_arguments)
    assert done.returncode == 1, tail(done)
    assert "ended after 2 s" in events(done.stdout)[-1]["summary"]
    pids = [int(line) for line in (project.directory / "pids").read_text().split()]
    assert len(pids) == 4
    assert soon(lambda: not any(alive(pid) for pid in pids), 5)
    untouched(project)


# --- the network and the clock --------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate")
def test_a_certificate_that_nobody_signed_is_refused(tmp_path: Path) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert")),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    healthy = says("200 OK", b"fine")

    def over_tls(connection: object) -> None:
        with contextlib.suppress(OSError):
            healthy(context.wrap_socket(connection, server_side=True))  # type: ignore[arg-type]

    with serving(over_tls, tls=True) as server:
        answer = web.request("GET", server.url.replace("http", "https"), seconds=5)
    assert answer.status is None
    assert "certificate" in answer.text.lower()


class _JumpingClock(datetime):
    """Each look at the wall clock is an hour before the one before."""

    looks = 0

    @classmethod
    def now(cls, _: object = None) -> datetime:  # type: ignore[override]
        cls.looks += 1
        return datetime(2026, 3, 14, 3, 0, tzinfo=UTC) - timedelta(hours=cls.looks)


def test_a_wall_clock_that_jumps_changes_no_duration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "datetime", _JumpingClock)
    with contextlib.closing(journal.Journal(tmp_path / "journal.jsonl")) as kept:
        began = time.monotonic()
        kept.write(ev.PhaseStarted(phase="execute"))
        time.sleep(0.2)
        kept.write(ev.AbortAsked())
        passed = time.monotonic() - began
    first, second = journal.read(tmp_path / "journal.jsonl")
    assert (first.at - second.at).total_seconds() > 3000, "the clock did jump"
    assert 0.19 < second.elapsed - first.elapsed < passed + 0.01
    with contextlib.closing(journal.Journal(tmp_path / "journal.jsonl")) as again:
        assert again.elapsed >= second.elapsed, "whoever goes on with it never goes back"


def test_a_server_that_ends_idle_sessions_does_not_end_the_run_that_waits_for_an_answer(
    project: Project,
) -> None:
    """The question stands ten times longer than the server lets a session be idle."""
    project.two_migrations()
    asked = request(project)
    with project.database.connect(superuser=True) as admin:
        for name in ("idle_in_transaction_session_timeout", "idle_session_timeout"):
            admin.execute(f"ALTER ROLE {project.database.owner} SET {name} = 300")
    limits = msgspec.structs.replace(asked.settings.run, gate="ask", answer_seconds=3)
    settings = msgspec.structs.replace(asked.settings, run=limits)
    launch.start(msgspec.structs.replace(asked, attended=True, settings=settings))
    kept = Path(asked.folder) / journal.FILE_NAME
    assert soon(lambda: fold(journal.read(kept)).finished is not None, 60)
    finished = fold(journal.read(kept)).finished
    assert finished is not None
    assert (finished.outcome, "not approved" in finished.summary) == ("unchanged", True), finished
    untouched(project)
