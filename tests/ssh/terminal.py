"""Programs in a pseudo-terminal, steered and read as a person does."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.ssh.screen import Screen

WIDTH, HEIGHT = 100, 34


class Connection:
    """A program in a pseudo-terminal: keys in, the screen out."""

    def __init__(
        self,
        command: Sequence[str],
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
        *,
        size: tuple[int, int] = (WIDTH, HEIGHT),
    ) -> None:
        self.screen = Screen(*size)
        self.drawn = b""
        """Every byte that has reached the terminal."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._master, slave = pty.openpty()
        self._set_size(*size)
        self.process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        os.set_blocking(self._master, False)

    def resize(self, width: int, height: int) -> None:
        """Make the window larger or smaller, and tell the program."""
        self._set_size(width, height)
        # The kernel would, if this were the program's controlling terminal.
        self.process.send_signal(signal.SIGWINCH)

    def _set_size(self, width: int, height: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def read(self) -> str:
        """Take in what has been drawn until now, and return the screen."""
        with contextlib.suppress(BlockingIOError, OSError):
            while part := os.read(self._master, 65536):
                self.drawn += part
                self.screen.feed(self._decoder.decode(part))
        return self.screen.text

    def until(self, *texts: str, seconds: float = 40) -> str:
        """Wait until every text is on the screen, and return the screen."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            ended = self.process.poll() is not None
            shown = self.read()
            if all(text in shown for text in texts):
                return shown
            if ended:
                break
            time.sleep(0.05)
        missing = [text for text in texts if text not in self.screen.text]
        raise AssertionError(f"never on the screen: {missing}\n{self.screen.text}")

    def press(self, keys: str) -> None:
        """Send keys as a terminal sends them."""
        os.write(self._master, keys.encode())

    def end(self) -> int:
        """Wait until the connection has ended by itself, and return the exit code."""
        deadline = time.monotonic() + 30
        while self.process.poll() is None and time.monotonic() < deadline:
            self.read()
            time.sleep(0.05)
        self.read()
        return self.process.wait(1)

    def close(self) -> None:
        """Leave nothing running."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        os.close(self._master)
