"""What the tests of the demo ask the operating system."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path


def alive(pid: int) -> bool:
    """Whether ``pid`` runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
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
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if text in (entry / "cmdline").read_bytes().decode(errors="replace"):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def processor_seconds(pids: list[int]) -> dict[int, float]:
    """Processor time of each process and of all its living children, in seconds."""
    tick = os.sysconf("SC_CLK_TCK")
    spent = {}
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if entry.name.isdigit() and (int(entry.name) in pids or int(fields[1]) in pids):
            spent[int(entry.name)] = (int(fields[11]) + int(fields[12])) / tick
    return spent


def reachable(directory: Path) -> None:
    """Let the server's user, who is not root, walk through pytest's private directories."""
    for path in (directory, *list(directory.parents)[:2]):
        path.chmod(0o711)
