"""Hooks: a command, URL, statement or flag file of the configuration, with a deadline each."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, cast

import psycopg

from rollback_tui.config import Hook
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.events import HookRan
from rollback_tui.core.text import printable, shorten
from rollback_tui.postgres.connect import Connection, connect
from rollback_tui.run import web

_OUTPUT = 2000


def call(
    hook: Hook,
    name: str,
    *,
    on: bool,
    facts: Mapping[str, str],
    dsn: str,
    project: Path,
    connection: Connection | None = None,
    aborted: Callable[[], bool] = lambda: False,
) -> HookRan:
    """Call the hook and return how it went. Never raises.

    ``facts`` go to a command as environment variables (``ROLLBACK_…``) and to a URL as JSON.
    ``on`` decides whether a flag file is created or removed. SQL goes over ``connection``, or
    over a new one to ``dsn``. A command is ended as soon as ``aborted`` says so.
    """
    began = time.monotonic()
    try:
        if hook.command:
            ok, summary = _command(hook, facts, project, aborted)
        elif hook.url:
            ok, summary = _url(hook, name, facts)
        elif hook.sql:
            ok, summary = _sql(hook, dsn, connection)
        else:
            ok, summary = _flag_file(hook, project, on=on)
    except OSError as error:
        ok, summary = False, f"{error.filename or name}: {error.strerror or error}"
    except ValueError as error:  # a NUL in an argument, a fact that no environment can hold
        ok, summary = False, str(error)
    return HookRan(
        name=name, ok=ok, seconds=round(time.monotonic() - began, 3), summary=printable(summary)
    )


def environment(facts: Mapping[str, str]) -> dict[str, str]:
    """Return the allow-listed environment of a command: no PG*, no secrets of ours."""
    passed = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER", "TMPDIR")
    kept = {key: os.environ[key] for key in passed if key in os.environ}
    return kept | {f"ROLLBACK_{key.upper()}": value for key, value in facts.items()}


def output(
    command: tuple[str, ...],
    env: Mapping[str, str],
    project: Path,
    seconds: float,
    aborted: Callable[[], bool] = lambda: False,
) -> tuple[int | None, str]:
    """Run a command; return its exit code (None: out of time, or ``aborted``) and the end of what
    it printed.

    Raises OSError or ValueError when it cannot be started. It has a process group of its own,
    and all of the group is ended with it. What it prints is not kept but for the last bytes.
    """
    deadline = time.monotonic() + seconds
    process = subprocess.Popen(
        command,
        cwd=project,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    stream = cast(IO[bytes], process.stdout)
    try:
        text = _last_words(process, stream.fileno(), deadline, aborted)
        if aborted():
            deadline = time.monotonic()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        code = process.returncode
    finally:
        # Also after a normal end: what the command left in its group would outlive the run.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        stream.close()
    return code, text.decode(errors="replace")[-_OUTPUT:]


def _last_words(
    process: subprocess.Popen[bytes], stream: int, deadline: float, aborted: Callable[[], bool]
) -> bytes:
    """Read until the end of the output, the deadline, or the end of the command itself: a
    process that it left in the background may hold the pipe open for ever."""
    kept = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0 and not aborted():
            ended = process.poll() is not None
            if selector.select(0 if ended else min(left, 0.05)):
                part = os.read(stream, 65536)
                if not part:
                    break
                kept = (kept + part)[-4 * _OUTPUT :]
            elif ended:
                break
    return kept


def _command(
    hook: Hook, facts: Mapping[str, str], project: Path, aborted: Callable[[], bool]
) -> tuple[bool, str]:
    env, seconds = environment(facts), hook.timeout_seconds
    code, text = output(hook.command, env, project, seconds, aborted)
    if code is None:
        why = "the run was aborted" if aborted() else f"ended after {seconds:g} s"
        return False, f"{hook.command[0]}: {why}"
    said = f": {shorten(text, 200)}" if text.strip() else ""
    return code == 0, f"{hook.command[0]}: exit {code}{said}"


def _url(hook: Hook, name: str, facts: Mapping[str, str]) -> tuple[bool, str]:
    answer = web.request(
        "POST", hook.url, seconds=hook.timeout_seconds, json={"event": name, **facts}
    )
    if answer.status is None:
        return False, answer.text
    return 200 <= answer.status < 300, f"HTTP {answer.status}"


def _sql(hook: Hook, dsn: str, connection: Connection | None) -> tuple[bool, str]:
    limit = str(max(1, round(hook.timeout_seconds * 1000)))
    try:
        with contextlib.ExitStack() as stack:
            if connection is None:
                connection = stack.enter_context(connect(dsn, timeout=hook.timeout_seconds))
            else:
                # A script's SET ROLE outlives its COMMIT, and RESET ALL does not undo it.
                connection.execute("RESET ALL")
                connection.execute("RESET ROLE")
            connection.execute("SELECT set_config('statement_timeout', %s, false)", [limit])
            said = connection.execute(hook.sql.encode()).statusmessage or "done"
            connection.execute("RESET statement_timeout")
            return True, said
    except (psycopg.Error, RollbackTuiError) as error:
        return False, str(error)


def _flag_file(hook: Hook, project: Path, *, on: bool) -> tuple[bool, str]:
    path = project / hook.flag_file
    if on:
        path.touch(mode=0o644)
        return True, f"{path} created"
    path.unlink(missing_ok=True)
    return True, f"{path} removed"
