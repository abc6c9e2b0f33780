"""What the terminal hands to the worker: everything that was confirmed."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
from pathlib import Path
from typing import Literal

from rollback_tui.config import Settings
from rollback_tui.core.model import Operator, Plan, Value
from rollback_tui.core.recovery import Rung
from rollback_tui.core.rehearsal import Rehearsal
from rollback_tui.core.text import shorten

Kind = Literal["rollback", "recover", "reapply"]
"""``recover``: an earlier run is undone from its checkpoint. ``reapply``: its migrations are
applied again, and what was kept is put back."""


_GIT_SECONDS = 1.0
"""A start waits no longer for git, whatever file system it is on."""


class Resumption(Value, frozen=True, kw_only=True):
    """Where an interrupted run of the same scripts, which went statement by statement, came to."""

    run: str
    """UUID of that run."""
    skip: dict[int, str]
    """Statements of this plan that are done, each with how that is known."""
    invalid_indexes: tuple[str, ...] = ()
    """What it left half built: dropped before the first statement."""


class RunRequest(Value, frozen=True, kw_only=True):
    """Goes through a pipe, never through a file or an argument: it holds the DSN."""

    run: str
    """UUID."""
    folder: str
    project: str
    """Directory that relative paths of the settings and hooks start from."""
    dsn: str
    settings: Settings
    plan: Plan
    fingerprint: str
    """Of the target that the operator looked at."""
    overrides: dict[str, str]
    reason: str
    operator: Operator
    attended: bool
    """Somebody can answer a question. Otherwise every question takes its safe default."""
    stepwise_confirmed: bool = False
    """The operator said yes to a plan that goes statement by statement and cannot be undone."""
    resume: Resumption | None = None
    keep: tuple[int, ...] = ()
    """Statements whose removed rows or values are copied into an archive first."""
    rehearsal: Rehearsal | None = None
    """The rehearsal of this plan that the operator saw."""
    kind: Kind = "rollback"
    recovers: str = ""
    """Folder of the run that is brought back; only for ``recover`` and ``reapply``."""
    rung: Rung | None = None
    """Which rung of the ladder was chosen; only for ``recover``."""
    lost_rows: int | None = None
    """How many rows written since the operator agreed to lose, by typing so. More than these are
    never lost without asking again."""
    trigger: str = ""
    """What made somebody roll back, in their own words; empty: not said."""
    audit_head: str = ""
    """``<seq>:<sha256>`` of the audit log's line that says who asked for this run; empty: it could
    not be written."""


def operator(project: Path | None = None) -> Operator:
    """Return who is at the terminal, as this machine knows it. Never raises.

    With ``project``, also as whom git is configured there, which takes a moment: only for what is
    kept of a run. Nobody checks that name; it is shown as claimed.
    """
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return Operator(
        user=user,
        uid=os.getuid(),
        sudo_user=os.environ.get("SUDO_USER", ""),
        ssh_connection=os.environ.get("SSH_CONNECTION", ""),
        host=socket.gethostname(),
        git_identity=git_identity(project) if project is not None else "",
    )


def git_identity(project: Path) -> str:
    """Return ``Name <address>`` as git is configured in ``project``: one call, within a second.

    Empty where there is no git, no such configuration, or no answer in time. Never raises.
    """
    try:
        said = subprocess.run(
            ("git", "config", "--null", "--get-regexp", r"^user\.(name|email)$"),
            cwd=project,
            # Its own questions and a pager would wait for somebody.
            env=os.environ | {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_GIT_SECONDS,
            check=False,
        ).stdout
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""
    # Several files may say it; git lists the one that counts last.
    found = dict(
        part.split("\n", 1)
        for part in said.decode("utf-8", errors="replace").split("\0")
        if "\n" in part
    )
    name, address = (shorten(found.get(f"user.{key}", ""), 100) for key in ("name", "email"))
    return f"{name} <{address}>" if name and address else name or address
