"""The keeper of an embedded server: a small process that outlives nothing it started.

``python -m rollback_tui.embedded.watcher`` reads one JSON line (a :class:`Order` as an object) from
its standard input, creates the data directory when it is new, starts ``postgres`` as its own
child, answers one JSON line, and then waits for its standard input to close. That happens when
the starting process says so, and just as well when it is killed with ``kill -9``: the kernel
closes the pipe. Then the server is stopped and the temporary directories are removed.

It lives in a session of its own, so that neither Ctrl-C nor a hang-up of the operator's terminal
reaches it before the starting process has ended. Standard library only: it must start fast.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

START_SECONDS = 30.0
"""A new server must be ready within this many seconds."""

STOP_SECONDS = 10.0
"""A server that was asked to stop gets this many seconds before it is killed."""

_READY_LINE = 7
"""``postmaster.pid`` holds the server's status in its eighth line (PostgreSQL: pidfile.h): ready,
or standby when its data directory says that it follows another server."""


@dataclass(frozen=True)
class Order:
    """What is to be started, and what is to be removed in the end."""

    initdb: list[str]
    """Command that creates the data directory; empty when it exists."""
    postgres: list[str]
    """Command that is the server."""
    data: str
    """The data directory."""
    log: str
    """File for the server's log."""
    owner: str | None
    """System user that the server runs as; None: the caller's own. postgres refuses root."""
    stop_signal: int
    """SIGINT (fast: the data are kept) or SIGQUIT (immediate: they are thrown away)."""
    remove: list[str]
    """Directories that are removed at the end."""


class StartFailed(Exception):
    """The server could not be started; the message is what it said."""


def environment() -> dict[str, str]:
    """Return the environment of the server's programs: nothing of the caller's PG* settings."""
    kept = {
        name: os.environ[name]
        for name in ("PATH", "TMPDIR", "LD_LIBRARY_PATH")
        if name in os.environ
    }
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def identity(owner: str | None) -> Mapping[str, Any]:
    """Return the arguments that make :mod:`subprocess` run a program as ``owner``."""
    if owner is None:
        return {}
    import pwd

    entry = pwd.getpwnam(owner)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def start(order: Order) -> subprocess.Popen[bytes]:
    """Start the server of ``order`` and return it when it accepts connections.

    Raises StartFailed with the last lines that the failing program said.
    """
    common: dict[str, Any] = {
        "env": environment(),
        "cwd": "/",
        "stdin": subprocess.DEVNULL,
        **identity(order.owner),
    }
    if order.initdb:
        made = subprocess.run(order.initdb, capture_output=True, text=True, check=False, **common)
        if made.returncode:
            raise StartFailed(_tail(made.stderr or made.stdout))
    with Path(order.log).open("ab") as log:
        server = subprocess.Popen(order.postgres, stdout=log, stderr=log, **common)
    deadline = time.monotonic() + START_SECONDS
    while not _is_ready(Path(order.data), server.pid):
        if server.poll() is not None or time.monotonic() > deadline:
            stop(server, signal.SIGQUIT)
            raise StartFailed(_tail(Path(order.log).read_text(errors="replace")))
        time.sleep(0.01)
    return server


def _is_ready(data: Path, pid: int) -> bool:
    try:
        lines = (data / "postmaster.pid").read_text(errors="replace").splitlines()
    except OSError:
        return False
    return (
        len(lines) > _READY_LINE
        and lines[0].strip() == str(pid)
        and lines[_READY_LINE].strip() in ("ready", "standby")
    )


def _tail(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(lines[-3:]) or "it said nothing"


def stop(server: subprocess.Popen[bytes], how: int) -> None:
    """Stop ``server`` with the signal ``how``, harder when it does not end in time."""
    for number in (how, signal.SIGQUIT, signal.SIGKILL):
        if server.poll() is not None:
            return
        server.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(STOP_SECONDS)


def remove(directories: list[str]) -> None:
    """Remove ``directories``, again when a dying process still wrote into one."""
    for directory in directories:
        for _ in range(20):
            shutil.rmtree(directory, ignore_errors=True)
            if not Path(directory).exists():
                break
            time.sleep(0.05)


def watch(commands: IO[str], answers: IO[str]) -> int:
    """Carry out the order on ``commands``, answer on ``answers``, end when ``commands`` ends."""
    line = commands.readline()
    if not line:
        return 0
    order = Order(**json.loads(line))
    server: subprocess.Popen[bytes] | None = None
    try:
        try:
            server = start(order)
        except (StartFailed, OSError) as error:
            _answer(answers, {"failed": str(error)})
            return 1
        _answer(answers, {"ready": server.pid})
        while commands.readline():
            pass
    finally:
        if server is not None:
            stop(server, order.stop_signal)
        remove(order.remove)
    return 0


def _answer(answers: IO[str], message: dict[str, object]) -> None:
    # The one who asked may be dead already; then there is nobody left to tell.
    with contextlib.suppress(OSError):
        answers.write(json.dumps(message) + "\n")
        answers.flush()


def main() -> int:
    """Watch over the server that standard input orders. Returns the exit code."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    return watch(sys.stdin, sys.stdout)


if __name__ == "__main__":
    sys.exit(main())
