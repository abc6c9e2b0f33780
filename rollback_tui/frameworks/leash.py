"""A program that ends when we do, in whatever way we end.

What ties it to us is a pipe of which only we have the writing end: :mod:`.leashed` says how.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, cast

from rollback_tui.frameworks.leashed import LENGTH_BYTES

_LEASHED = Path(__file__).with_name("leashed.py")
_OVER = b"."


class Leashed:
    """A running program, the leader of a process group of its own; that group is killed by
    :meth:`end`, and just as well when this process dies, be it by ``kill -9``."""

    def __init__(
        self, command: Sequence[str], directory: Path, environment: Mapping[str, str]
    ) -> None:
        """Start ``command`` in ``directory`` with this environment and no other, with an empty
        standard input.

        Raises OSError when it cannot be started, ValueError when a word or variable cannot be
        given to any program.
        """
        order = _order(command, environment)
        failed, failures = os.pipe()
        with os.fdopen(failed, "rb") as answer:
            try:
                self.process = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(_LEASHED), str(failures)],
                    cwd=directory,
                    env={n: os.environ[n] for n in ("PATH", "LD_LIBRARY_PATH") if n in os.environ},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    bufsize=0,
                    pass_fds=(failures,),
                    start_new_session=True,
                )
                """Its process id and exit code are the program's."""
            finally:
                os.close(failures)
            self.leash = cast("IO[bytes]", self.process.stdin)
            """To us alone it is open for writing; the watcher reads it."""
            self.pipes = (
                cast("IO[bytes]", self.process.stdout),
                cast("IO[bytes]", self.process.stderr),
            )
            """What it prints: standard output and standard error."""
            try:
                _write(self.leash, order)
                reason = answer.read()
            except BaseException:
                self.end()
                raise
        if reason:
            self.end()
            raise OSError(int(reason), os.strerror(int(reason)))

    def end(self) -> None:
        """Kill what is left of the program and of its group, and wait for it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        # Before the group's number is free for others: the watcher must not kill those.
        with contextlib.suppress(OSError):
            self.leash.write(_OVER)
        self.leash.close()
        self.process.wait()
        for pipe in self.pipes:
            pipe.close()


def _write(pipe: IO[bytes], data: bytes) -> None:
    """Write all of it: a pipe may take less at a time."""
    rest = memoryview(data)
    while rest:
        rest = rest[pipe.write(rest) :]


def _order(command: Sequence[str], environment: Mapping[str, str]) -> bytes:
    """Return the order as :func:`.leashed.read_order` reads it. Raises ValueError."""
    fields = [str(len(command)), *command]
    for name, value in environment.items():
        if not name or "=" in name:
            raise ValueError("illegal environment variable name")
        fields += (name, value)
    if any("\0" in field for field in fields):
        raise ValueError("embedded null byte")
    body = b"".join(os.fsencode(field) + b"\0" for field in fields)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body
