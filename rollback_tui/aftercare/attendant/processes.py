"""The attendant as a process: started in a session of its own, told what it is for, ended. What it
does is in :mod:`rollback_tui.aftercare.attendant.course`."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from rollback_tui.aftercare.attendant.presence import holder
from rollback_tui.aftercare.charge import Charge
from rollback_tui.core.text import printable
from rollback_tui.embedded.children import command
from rollback_tui.run.launch import inherited

LOG = "attendant.log"

_END_SECONDS = 5.0


def start(charge: Charge) -> None:
    """Start what looks after the run, in a session of its own; where somebody does already, it
    ends at once. It needs neither us nor our terminal. Raises OSError."""
    process = process_of(charge, "--guarded")
    process_given(process, charge)
    # Its end is collected while we live, and by nobody's fault a zombie is left when we do not.
    from threading import Thread

    Thread(target=process.wait, name="attendant's guardian", daemon=True).start()


def process_of(charge: Charge, *options: str) -> subprocess.Popen[bytes]:
    """Start ``rollback-tui attendant`` and return it, before it is told what for. What it says
    goes to ``attendant.log``. Raises OSError."""
    log = os.open(charge.path / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(
            command("rollback_tui", "attendant", *options),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=charge.project,
            env=inherited(),
            start_new_session=True,
        )
    finally:
        os.close(log)


def process_given(process: subprocess.Popen[bytes], charge: Charge) -> None:
    """Tell a process of :func:`process_of` what it is for: by a pipe, for it holds secrets."""
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(msgspec.json.encode(charge))
            process.stdin.close()


def say(who: str, text: str) -> None:
    """Write a line of ``attendant.log``, which is the standard error of those who look after a
    run; nobody reads it but to find out why something did not happen."""
    # A full disk is no reason to end.
    with contextlib.suppress(OSError):
        sys.stderr.write(log_line(who, text))
        sys.stderr.flush()


def log_line(who: str, text: str) -> str:
    """Return a line of that file."""
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC  {who}: {printable(text)}\n"


def end(folder: Path) -> None:
    """End the process that looks after the run, if there is one, and wait until it is gone; what
    is left to be done can be gone on with."""
    deadline = time.monotonic() + _END_SECONDS
    # Who has just taken the lock writes into it who it is a moment later.
    while (pid := holder(folder)) == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    if not pid:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGTERM)
    while holder(folder) == pid and time.monotonic() < deadline:
        time.sleep(0.02)
