"""A tmux server of the test's own, steered and read as an operator does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

PROGRAM = shutil.which("tmux")
WIDTH, HEIGHT = 80, 24


class Tmux:
    """One server on a socket of its own, without anybody's configuration."""

    def __init__(self, directory: Path, project: Path) -> None:
        self._socket = directory / "socket"
        self._project = project

    def command(self, *arguments: str) -> list[str]:
        """Return how tmux is called here."""
        return [str(PROGRAM), "-S", str(self._socket), "-f", "/dev/null", *arguments]

    def tell(self, *arguments: str) -> str:
        """Have tmux do something; return what it says."""
        done = subprocess.run(
            self.command(*arguments), env=_environment(), capture_output=True, text=True, check=True
        )
        return done.stdout

    def session(self, name: str) -> Pane:
        """Open a session with a shell in the project."""
        size = ("-x", str(WIDTH), "-y", str(HEIGHT))
        shell = ("bash", "--noprofile", "--norc", "-i")
        self.tell("new-session", "-d", *size, "-s", name, "-c", str(self._project), *shell)
        self.tell("set-option", "-g", "status", "off")
        return Pane(self, name)

    def stop(self) -> None:
        """End the server with all its sessions."""
        subprocess.run(self.command("kill-server"), capture_output=True, check=False)


class Pane:
    """The one pane of a session: keys in, the screen out."""

    def __init__(self, tmux: Tmux, name: str) -> None:
        self._tmux = tmux
        self.name = name

    def read(self) -> str:
        """Return what is on the screen."""
        return self._tmux.tell("capture-pane", "-p", "-t", self.name)

    def press(self, keys: str) -> None:
        """Send keys, one by one as a terminal sends them."""
        codes = [f"{byte:02x}" for byte in keys.encode()]
        self._tmux.tell("send-keys", "-t", self.name, "-H", *codes)

    def until(self, *texts: str, seconds: float = 40) -> str:
        """Wait until every text is on the screen, and return the screen."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            shown = self.read()
            if all(text in shown for text in texts):
                return shown
            time.sleep(0.1)
        missing = [text for text in texts if text not in self.read()]
        raise AssertionError(f"never on the screen: {missing}\n{self.read()}")


def program(arguments: Sequence[str] = ()) -> str:
    """Return what is typed into the shell: the program, and then its exit code."""
    return f"{sys.executable} -m rollback_tui {' '.join(arguments)}; echo EXIT=$?\r"


def _environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "TMUX"))}
    kept.pop("DATABASE_URL", None)
    root = str(Path(__file__).parents[2])
    return kept | {"PYTHONPATH": root, "PS1": "$ ", "TERM": "xterm-256color", "LANG": "C.UTF-8"}
