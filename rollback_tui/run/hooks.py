"""Hooks: a command, URL, statement or flag file of the configuration, with a deadline each."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg

from rollback_tui.config import Hook
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.events import HookRan
from rollback_tui.core.text import printable, shorten
from rollback_tui.postgres.connect import connect
from rollback_tui.run import web

_OUTPUT = 2000


def call(
    hook: Hook, name: str, *, on: bool, facts: Mapping[str, str], dsn: str, project: Path
) -> HookRan:
    """Call the hook and return how it went. Never raises.

    ``facts`` go to a command as environment variables (``ROLLBACK_…``) and to a URL as JSON.
    ``on`` decides whether a flag file is created or removed.
    """
    began = time.monotonic()
    try:
        if hook.command:
            ok, summary = _command(hook, facts, project)
        elif hook.url:
            ok, summary = _url(hook, name, facts)
        elif hook.sql:
            ok, summary = _sql(hook, dsn)
        else:
            ok, summary = _flag_file(hook, project, on=on)
    except OSError as error:
        ok, summary = False, str(error.strerror or error)
    return HookRan(
        name=name, ok=ok, seconds=round(time.monotonic() - began, 3), summary=printable(summary)
    )


def environment(facts: Mapping[str, str]) -> dict[str, str]:
    """Return the allow-listed environment of a command: no PG*, no secrets of ours."""
    passed = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER", "TMPDIR")
    kept = {key: os.environ[key] for key in passed if key in os.environ}
    return kept | {f"ROLLBACK_{key.upper()}": value for key, value in facts.items()}


def output(
    command: tuple[str, ...], env: Mapping[str, str], project: Path, seconds: float
) -> tuple[int | None, str]:
    """Run a command; return its exit code (None: out of time) and what it printed.

    Raises OSError when it cannot be started. It has a process group of its own, and all of
    the group is ended at the deadline.
    """
    process = subprocess.Popen(
        command,
        cwd=project,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        text, _ = process.communicate(timeout=seconds)
        code: int | None = process.returncode
    except subprocess.TimeoutExpired:
        code, text = None, b""
    finally:
        # Also after a normal end: what the command left in its group would outlive the run.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        if process.poll() is None:
            process.communicate()
    return code, text.decode(errors="replace")[-_OUTPUT:]


def _command(hook: Hook, facts: Mapping[str, str], project: Path) -> tuple[bool, str]:
    code, text = output(hook.command, environment(facts), project, hook.timeout_seconds)
    if code is None:
        return False, f"{hook.command[0]}: ended after {hook.timeout_seconds:g} s"
    said = f": {shorten(text, 200)}" if text.strip() else ""
    return code == 0, f"{hook.command[0]}: exit {code}{said}"


def _url(hook: Hook, name: str, facts: Mapping[str, str]) -> tuple[bool, str]:
    answer = web.request(
        "POST", hook.url, seconds=hook.timeout_seconds, json={"event": name, **facts}
    )
    if answer.status is None:
        return False, answer.text
    return 200 <= answer.status < 300, f"HTTP {answer.status}"


def _sql(hook: Hook, dsn: str) -> tuple[bool, str]:
    try:
        with connect(dsn, timeout=hook.timeout_seconds) as connection:
            connection.execute(
                "SELECT set_config('statement_timeout', %s, false)",
                [str(round(hook.timeout_seconds * 1000))],
            )
            return True, connection.execute(hook.sql.encode()).statusmessage or "done"
    except (psycopg.Error, RollbackTuiError) as error:
        return False, str(error)


def _flag_file(hook: Hook, project: Path, *, on: bool) -> tuple[bool, str]:
    path = project / hook.flag_file
    if on:
        path.touch(mode=0o644)
        return True, f"{path} created"
    path.unlink(missing_ok=True)
    return True, f"{path} removed"
