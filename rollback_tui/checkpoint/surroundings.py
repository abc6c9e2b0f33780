"""What stands beside the database and belongs to the same moment: ``.env`` files, the commit."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from rollback_tui.checkpoint.manifest import read_regular
from rollback_tui.checkpoint.storage import write_private
from rollback_tui.core.errors import CheckpointError
from rollback_tui.core.text import printable
from rollback_tui.postgres.server_tools import plain_environment

_LARGEST = 4 << 20
"""Bytes; an env file is small, and what is larger was named by mistake."""


def copy_env_files(project: Path, names: Sequence[str], directory: Path) -> tuple[str, ...]:
    """Copy those of ``names`` that exist, as ``<name>.backup``; return the names of the copies.

    A file that is there but cannot be read is an error: an operator who configured it counts on
    it. Raises CheckpointError, and OSError when the copy cannot be written.
    """
    copies: list[str] = []
    for name in names:
        source = (project / Path(name).expanduser()).resolve()
        if not source.exists():
            continue
        try:
            content = read_regular(source, _LARGEST)
        except OSError as error:
            raise CheckpointError(
                f"{printable(str(source))} cannot be copied: {error.strerror}",
                "Make it readable, or take it out of checkpoint.env_files.",
            ) from None
        # Two files of one base name differ by their directory.
        copy = f"{Path(name).name}.backup"
        if copy in copies:
            copy = (
                "_".join(part for part in Path(name).parts if part not in ("/", "..")) + ".backup"
            )
        write_private(directory / copy, content)
        copies.append(copy)
    return tuple(copies)


def commit_of(project: Path) -> str:
    """Return what ``git_commit.txt`` holds: commit, branch, and whether anything is changed."""
    commit, problem = _git(project, "rev-parse", "--verify", "HEAD")
    if not commit:
        if "not a git repository" in problem:
            return "not a git repository\n"
        return f"unknown: {problem or 'git is not installed'}\n"
    branch, _ = _git(project, "rev-parse", "--abbrev-ref", "HEAD")
    changed, problem = _git(project, "status", "--porcelain")
    state = f"unknown: {problem}" if problem else "yes" if changed else "no"
    lines = [f"commit: {commit}", f"branch: {branch}", f"uncommitted changes: {state}"]
    return "\n".join(printable(line) for line in lines) + "\n"


def _git(project: Path, *arguments: str) -> tuple[str, str]:
    """Return (answer, first line of what git complained about)."""
    # A file system monitor is a program named in the repository's own configuration.
    command = ["git", "-C", str(project), "-c", "core.fsmonitor=false", *arguments]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=10,
            check=False,
            stdin=subprocess.DEVNULL,
            env=plain_environment() | {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", printable(str(error)) if isinstance(error, subprocess.TimeoutExpired) else ""
    answer = done.stdout.decode(errors="replace").strip()
    problem = done.stderr.decode(errors="replace").strip().partition("\n")[0]
    if done.returncode != 0:
        return "", printable(problem) or f"git ended with {done.returncode}"
    return answer, ""
