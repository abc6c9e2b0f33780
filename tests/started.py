"""The processes that a test starts: however it ends, none of them and none of their pipes is left,
so that one failure stays one failure."""

from __future__ import annotations

import contextlib
import subprocess
from typing import Any, TypeVar

Started = TypeVar("Started", bound="subprocess.Popen[Any]")

_started: list[subprocess.Popen[Any]] = []


def remembered(process: Started) -> Started:
    """Have this process ended when the test ends, if it has not ended by then."""
    _started.append(process)
    return process


def end(process: subprocess.Popen[Any]) -> None:
    """Kill a process, unless it has ended, wait for it, and close its pipes."""
    if process.poll() is None:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            # What was written to it may still wait for a reader that is gone.
            with contextlib.suppress(OSError):
                pipe.close()


def end_all() -> None:
    """Do so to all that the test has started."""
    while _started:
        end(_started.pop())
