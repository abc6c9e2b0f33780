"""Start a run: its folder, its guardian in a session of its own, and the moment it stands."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path

import msgspec

from rollback_tui.core.errors import RunRefused
from rollback_tui.core.text import printable
from rollback_tui.embedded.children import command, importable
from rollback_tui.run import folder, journal
from rollback_tui.run.request import RunRequest

_START_SECONDS = 20.0
_SECRETS = frozenset({"DATABASE_URL", "PGPASSWORD", "PGSSLPASSWORD"})
"""Not inherited by the run's processes: they get the connection string through a pipe."""


def start(request: RunRequest) -> None:
    """Start the run that ``request`` describes; its folder must exist.

    Returns when the first event is on disk. From then on the run needs neither this process
    nor its terminal. Raises RunRefused when it could not begin.
    """
    path = Path(request.folder)
    guardian = _process(request)
    # It outlives us or not; while we live, its end is collected.
    threading.Thread(target=guardian.wait, name="guardian's end", daemon=True).start()
    _wait_until_begun(guardian, path)


def settle(request: RunRequest) -> None:
    """Settle the interrupted run that ``request`` describes, in a process of its own: it ends
    what it began also when this terminal is lost. Returns when that process has ended with the
    outcome in the journal; raises RunRefused with its own words when it could not."""
    log = Path(request.folder) / folder.WORKER_LOG
    before = log.stat().st_size if log.exists() else 0
    if _process(request, "--settle").wait() != 0:
        with log.open("rb") as file:
            file.seek(before)
            said = file.read().decode("utf-8", errors="replace").splitlines()
        found = (line.removeprefix("error: ") for line in said if line.startswith("error: "))
        tips = (line.strip().removeprefix("→ ") for line in said if line.strip().startswith("→ "))
        raise RunRefused(
            "the run could not be settled: " + printable(next(found, "see its worker.log")),
            printable(next(tips, f"See {log}.")),
        )


def inherited() -> dict[str, str]:
    """Return the environment of the processes that stay behind: ours, without secrets."""
    return importable({n: value for n, value in os.environ.items() if n not in _SECRETS})


def _process(request: RunRequest, *options: str) -> subprocess.Popen[bytes]:
    """Start ourselves in a session of its own, and hand the request over."""
    path = Path(request.folder) / folder.WORKER_LOG
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(
            # Begun in the project, whose own modules may have any name: none must become ours.
            command("rollback_tui", "worker", *options),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=request.project,
            env=inherited(),
            start_new_session=True,
        )
    finally:
        os.close(log)
    if process.stdin is not None:
        process.stdin.write(msgspec.json.encode(request))
        process.stdin.close()
    return process


def _wait_until_begun(guardian: subprocess.Popen[bytes], path: Path) -> None:
    """Return when the first event is on disk. Ctrl+C is an abort already now, and what is given
    up here is told to end: it must not go on unseen. Raises RunRefused."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            if journal.Follower(path / journal.FILE_NAME).poll():
                return
            if guardian.poll() is not None or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        except KeyboardInterrupt:
            guardian.terminate()
    guardian.terminate()
    said = (path / folder.WORKER_LOG).read_text("utf-8", errors="replace").strip()
    last = printable(said.splitlines()[-1]) if said else "it said nothing"
    raise RunRefused(f"the worker could not begin: {last}", f"See {path}.")
