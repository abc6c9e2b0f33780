"""What the tests of the demo ask the operating system."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil  # type: ignore[import-untyped]


def alive(pid: int) -> bool:
    """Whether ``pid`` runs (a zombie does not)."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def soon(true: Callable[[], bool], seconds: float) -> bool:
    """Whether ``true`` becomes so within ``seconds``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.05)
    return true()


def gone(pids: list[int], directory: Path, seconds: float = 10) -> bool:
    """Whether processes and directory are gone within ``seconds``."""
    return soon(lambda: not directory.exists() and not any(map(alive, pids)), seconds)


def mentioning(text: str) -> list[int]:
    """Processes whose command line holds ``text``, other than this one."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if process.pid != os.getpid() and text in " ".join(process.info["cmdline"] or ())
    ]


def working_in(directory: Path) -> list[int]:
    """Processes whose working directory is ``directory`` or below it, other than this one."""
    found, here = [], str(directory.resolve())
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            there = process.cwd()
            inside = there == here or there.startswith(here + os.sep)
            if inside and process.pid != os.getpid():
                found.append(process.pid)
    return found


def end_all_in(directory: Path) -> None:
    """End what a test left running in its own directory, each by its id."""
    for _ in range(3):  # a guardian may have started what was not there at the first look
        found = working_in(directory)
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not found:
            return
