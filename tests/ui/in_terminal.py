"""The screens on a world of their own, in a pseudo-terminal: every byte out, every mode looked
at."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import textwrap
import time
from pathlib import Path
from typing import Any

from tests.ssh.raw import Wire, judged
from tests.ssh.screen import Screen
from tests.started import remembered

WIDTH, HEIGHT = 100, 30
SECRET = "hunter2-of-the-deploy-user"
"""Planted wherever a password may stand."""
DSN = f"postgresql://deploy:{SECRET}@db-1/shop?password={SECRET}"

PROGRAM = """
    import os, signal, sys, threading, time
    from pathlib import Path
    from rollback_tui import cli
    from rollback_tui.cli.secrets import hide_passwords
    from rollback_tui.cli.terminal import shown
    from rollback_tui.ui.app import RollbackApp
    from rollback_tui.ui.screens.state import StateScreen
    from tests.ui.fake import World, plan

    world = World()
    folder = None
    {extra}
    hide_passwords(os.environ["PLANTED_DSN"])
    def opened(prog_name):
        code = shown(RollbackApp(world, folder=folder))
        print("LEFT", code, world.closed)
        sys.exit(code)
    cli.commands = opened
    cli.main()
"""
RUNNING = """
    world.begin(plan(), "a reason")
    folder = Path("/srv/rollback_runs/20260314-031209-6f1c0000")
"""
"""Attached to a run that goes on."""


class Program:
    """The application in a pseudo-terminal of its own. ``job``: as a job of a shell, which may be
    stopped; otherwise the leader of a session, as behind ``ssh -t``."""

    def __init__(
        self, tmp_path: Path, extra: str = "", *, job: bool = False, **environment: str
    ) -> None:
        code = textwrap.dedent(PROGRAM).replace("{extra}", textwrap.dedent(extra))
        self.master, self._slave = pty.openpty()
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
        self.before = self.modes()
        self.process = remembered(
            subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=self._slave,
                stdout=self._slave,
                stderr=self._slave,
                cwd=Path(__file__).parents[2],
                env={
                    **{
                        k: v
                        for k, v in os.environ.items()
                        if k not in ("NO_COLOR", "COLORTERM", "COLUMNS", "LINES")
                    },
                    "TERM": "xterm-256color",
                    "TMPDIR": str(tmp_path),
                    "XDG_STATE_HOME": str(tmp_path),
                    "PGPASSWORD": f"env-{SECRET}",
                    "PLANTED_DSN": DSN,
                    **environment,
                },
                start_new_session=not job,
                process_group=0 if job else None,
            )
        )
        os.set_blocking(self.master, False)
        self.output = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.forget()

    def forget(self) -> None:
        """Look at an empty screen from now on: what is to be seen must be drawn anew."""
        self.screen = Screen(WIDTH, HEIGHT)

    def modes(self) -> list[Any]:
        """The modes of the terminal, as a shell would find them."""
        return termios.tcgetattr(self._slave)

    def read(self, *until: str, seconds: float = 60) -> str:
        """Read until all of ``until`` is on the screen, or until the program has ended; without
        any, as long as ``seconds``. Return the screen."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ended = self.process.poll() is not None
            try:
                part = os.read(self.master, 65536)
                self.output += part
                self.screen.feed(self._decoder.decode(part))
            except (BlockingIOError, OSError):
                if ended:
                    break
                time.sleep(0.02)
            if until and all(text in self.screen.text for text in until):
                break
        assert all(text in self.screen.text for text in until), (until, self.screen.text)
        return self.screen.text

    def press(self, keys: str) -> None:
        """Send keys, as a terminal does."""
        os.write(self.master, keys.encode())

    @property
    def said(self) -> str:
        """What stands on the shell's own screen when it has ended."""
        said = self.output.rpartition(b"\x1b[?1049l")[2].decode(errors="replace")
        return re.sub(r"\x1b\[[0-9;<>?$]*[A-Za-z]", "", said)

    @property
    def wire(self) -> Wire:
        """Every byte until now, judged."""
        return judged(self.output, whole=self.process.poll() is not None)

    def hang_up(self) -> None:
        """Close the far end, as a lost connection does."""
        os.close(self.master)
        os.close(self._slave)
        self.master = self._slave = -1

    def end(self) -> int:
        """Wait for the end; see that the terminal is as it was, and that no key is left for the
        shell. Return the exit code."""
        self.read()
        code = self.process.wait(60)
        self.read(seconds=0)
        assert self.wire.restored, self.wire
        assert self.modes() == self.before
        os.set_blocking(self._slave, False)
        with contextlib.suppress(BlockingIOError):
            assert os.read(self._slave, 1000) == b"", "typed for the screens, read by the shell"
        assert SECRET not in self.output.decode()
        os.close(self.master)
        os.close(self._slave)
        return code
