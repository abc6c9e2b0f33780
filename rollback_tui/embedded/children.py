"""Processes of our own, each tied to us by a pipe.

A child waits on its standard input and ends when that closes: when we say so, and just as well
when we are killed. Each has a session of its own, so that Ctrl-C in the operator's terminal
does not stop them before the tool has ended its work.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, cast

import rollback_tui

_PASSED_ON = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV")
_END_SECONDS = 3.0


class Child:
    """A Python module of ours that runs as a process of its own."""

    def __init__(self, module: str, *arguments: str, log: Path | None = None) -> None:
        """Start ``module`` with ``arguments``; what it says on standard error goes to ``log``."""
        with (log or Path(os.devnull)).open("ab") as errors:
            self._process = subprocess.Popen(
                command(module, *arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment(),
                start_new_session=True,
                umask=0o077,
            )
        self._input = cast(IO[bytes], self._process.stdin)
        self._output = cast(IO[bytes], self._process.stdout)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def ended_well(self) -> bool:
        """Whether it ended by itself, with exit code 0."""
        return self._process.poll() == 0

    def tell(self, line: str) -> None:
        """Send it a line. Raises OSError when it is gone."""
        self._input.write(line.encode() + b"\n")
        self._input.flush()

    def hear(self) -> str:
        """Wait for a line of it; empty when it is gone."""
        return self._output.readline().decode().strip()

    def end(self, seconds: float = _END_SECONDS) -> None:
        """Let it end, and kill it when it takes longer than ``seconds``; may be repeated."""
        with contextlib.suppress(OSError):
            self._input.close()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()


def command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs ``module``.

    With ``-P``: a ``json.py`` in the operator's working directory must not become ours.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """Return the children's environment: no PG* settings, no secrets of the operator."""
    return importable({name: os.environ[name] for name in _PASSED_ON if name in os.environ})


def importable(environment: dict[str, str]) -> dict[str, str]:
    """Return ``environment`` as :func:`command` needs it to find this package."""
    root = Path(rollback_tui.__file__).parent.parent
    if root.name in ("site-packages", "dist-packages"):
        return environment
    # Run from a checkout: -P took the working directory away, so name it.
    paths = [environment["PYTHONPATH"]] if environment.get("PYTHONPATH") else []
    return environment | {"PYTHONPATH": os.pathsep.join([*paths, str(root)])}
