"""Start a run: its folder, its guardian in a session of its own, and the moment it stands."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec

from rollback_tui.core.errors import RunRefused
from rollback_tui.core.text import printable
from rollback_tui.run import folder, journal
from rollback_tui.run.request import RunRequest

_START_SECONDS = 20.0


def start(request: RunRequest) -> None:
    """Start the run that ``request`` describes; its folder must exist.

    Returns when the first event is on disk. From then on the run needs neither this process
    nor its terminal. Raises RunRefused when it could not begin.
    """
    path = Path(request.folder)
    log = os.open(path / folder.WORKER_LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        guardian = subprocess.Popen(
            [sys.executable, "-m", "rollback_tui", "worker"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=request.project,
            start_new_session=True,
        )
    finally:
        os.close(log)
    if guardian.stdin is not None:
        guardian.stdin.write(msgspec.json.encode(request))
        guardian.stdin.close()
    # It outlives us or not; while we live, its end is collected.
    threading.Thread(target=guardian.wait, name="guardian's end", daemon=True).start()
    _wait_until_begun(guardian, path)


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
