"""A server that may be stopped at once, as in a crash, and started again where it was."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import time
from dataclasses import asdict
from typing import IO, cast

from rollback_tui.embedded import children, watcher
from rollback_tui.embedded.server import EmbeddedServer

_SECONDS = 20.0


class FragileServer(EmbeddedServer):
    """An embedded server with ``crash`` and ``start_again``.

    fsync is off, as in all tests: a stop in the mode ``immediate`` loses the server's memory, but
    not what it handed to the operating system, and of that an acknowledged write is a part.
    """

    _again: subprocess.Popen[bytes] | None = None

    def crash(self) -> None:
        """Do what ``pg_ctl stop -m immediate`` does; return when the server is gone."""
        command = shlex.split((self.data / "postmaster.opts").read_text())
        self._order_again = watcher.Order(
            initdb=[],
            postgres=command,
            data=str(self.data),
            log=str(self.log),
            owner=self.data.owner() if os.geteuid() == 0 else None,
            stop_signal=signal.SIGQUIT,
            remove=[],
        )
        pid = self.pid
        os.kill(pid, signal.SIGQUIT)
        deadline = time.monotonic() + _SECONDS
        while (self.data / "postmaster.pid").exists():
            assert time.monotonic() < deadline, "the server did not stop"
            time.sleep(0.005)
        self._end_again()

    def start_again(self) -> float:
        """Start it again; return the moment at which it accepted connections."""
        self._again = subprocess.Popen(
            children.command("rollback_tui.embedded.watcher"),
            env=children.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        orders, answers = cast(IO[bytes], self._again.stdin), cast(IO[bytes], self._again.stdout)
        orders.write(json.dumps(asdict(self._order_again)).encode() + b"\n")
        orders.flush()
        answer = json.loads(answers.readline())
        assert "ready" in answer, answer
        self.pid = answer["ready"]
        return time.monotonic()

    def _end_again(self) -> None:
        if self._again is not None:
            cast(IO[bytes], self._again.stdin).close()
            self._again.wait(_SECONDS)
            cast(IO[bytes], self._again.stdout).close()
            self._again = None

    def stop(self) -> None:
        """Stop the server, whichever of the two it is by now, and remove it."""
        self._end_again()
        super().stop()
