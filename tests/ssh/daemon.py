"""An sshd of the test's own on loopback, and how the real client reaches it."""

from __future__ import annotations

import contextlib
import os
import pwd
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]

PROGRAM = Path("/usr/sbin/sshd")


def missing() -> str:
    """Return why no sshd can be started here; empty when one can."""
    for name in ("ssh", "ssh-keygen"):
        if shutil.which(name) is None:
            return f"no {name}"
    if not PROGRAM.exists():
        return f"no {PROGRAM}"
    return ""


class Daemon:
    """One sshd with its own configuration, host key and client key, for the user that we are."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        for name in ("host", "client"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)],
                check=True,
            )
        (directory / "authorized").write_bytes((directory / "client.pub").read_bytes())
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        (directory / "config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {directory}/host\n"
            f"AuthorizedKeysFile {directory}/authorized\nPidFile none\nStrictModes no\n"
            "UsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
            "PrintMotd no\nPrintLastLog no\nUseDNS no\nX11Forwarding no\n"
        )
        self._log = (directory / "sshd.log").open("wb")
        self._process = subprocess.Popen(
            [str(PROGRAM), "-D", "-e", "-f", str(directory / "config")],
            stdin=subprocess.DEVNULL,
            stderr=self._log,
        )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"sshd does not listen: {self.log}")

    @property
    def log(self) -> str:
        """What it said."""
        return (self._directory / "sshd.log").read_text(errors="replace")

    def client(self, command: str, *, terminal: bool) -> list[str]:
        """Return the argument list of the real client."""
        return [
            *("ssh", "-F", "none", "-p", str(self.port), "-i", str(self._directory / "client")),
            *("-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"),
            *("-o", "StrictHostKeyChecking=no"),
            *("-o", f"UserKnownHostsFile={self._directory}/known"),
            *(("-tt",) if terminal else ("-T",)),
            f"{pwd.getpwuid(os.geteuid()).pw_name}@127.0.0.1",
            command,
        ]

    def refusal(self) -> str:
        """Return why this machine lets nobody in; empty when it does."""
        done = subprocess.run(
            self.client("true", terminal=False),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        return "" if done.returncode == 0 else f"{done.stderr.strip()} {self.log[-300:]}"

    def serving(self) -> list[int]:
        """Return the processes that serve the connections there are now, not the one that listens
        and nothing of the user's."""
        return [
            child.pid
            for child in psutil.Process(self._process.pid).children(recursive=True)
            if child.name().startswith("sshd")
        ]

    def stop(self) -> None:
        """End it, and what serves a connection still."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for pid in self.serving():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._process.terminate()
        self._process.wait(10)
        self._log.close()


def in_project(directory: Path, *arguments: str) -> str:
    """Return the shell command that is the program in the project's directory."""
    # The same code as this process, wherever it was told to find it; and nothing that stays behind
    # for two hours, unless the test asks for it.
    same = {k: v for k, v in os.environ.items() if k in ("PYTHONPATH", "ROLLBACK_TUI_AFTERCARE")}
    given = [f"{k}={v}" for k, v in ({"TERM": "xterm-256color"} | same).items()]
    command = ["env", *given, sys.executable, "-m", "rollback_tui", *arguments]
    return f"cd {shlex.quote(str(directory))} && exec {shlex.join(command)}"
