"""A terminal window: a real pseudo-terminal with somebody's shell in it, which can be closed."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import threading
from pathlib import Path

from tests.aftercare.sinks import soon
from tests.demo.processes import alive
from tests.faults.test_matrix import take_terminal
from tests.started import remembered


class Window:
    """A shell that executes ``line``, in a session of its own whose terminal this is."""

    def __init__(self, directory: Path, line: str) -> None:
        self._master, slave = pty.openpty()
        try:
            self.process = remembered(
                subprocess.Popen(
                    ["sh", "-c", line],
                    cwd=directory,
                    stdin=slave,
                    stdout=slave,
                    stderr=slave,
                    preexec_fn=take_terminal,
                )
            )
        finally:
            os.close(slave)
        self.said = b""
        """All that was written on it."""
        self._closing = threading.Event()
        # Where nobody reads, whoever writes waits.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while not self._closing.is_set():
            if select.select([self._master], [], [], 0.05)[0]:
                try:
                    self.said += os.read(self._master, 65536)
                except OSError:
                    # Nobody is there any more.
                    return

    def press(self, keys: str) -> None:
        """Send keys; ``\\x03`` is ctrl+c."""
        os.write(self._master, keys.encode())

    def close(self) -> None:
        """Close it: whoever works in it hears that from the kernel."""
        self._closing.set()
        self._reader.join()
        os.close(self._master)
        soon(lambda: not alive(self.process.pid))
