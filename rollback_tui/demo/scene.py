"""The whole demo: server, shop, load, website and project, opened and closed as one."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from rollback_tui.core.errors import ConfigurationError
from rollback_tui.demo import project, shop
from rollback_tui.embedded.children import Child
from rollback_tui.embedded.server import EmbeddedServer

_MARK = "demo.json"
"""File of a kept directory that says: the data are complete."""


def _quiet(_: str) -> None:
    """Progress that nobody watches."""


class Demo:
    """A shop in full swing, ready to be rolled back; a context manager."""

    def __init__(
        self,
        server: EmbeddedServer,
        processes: list[Child],
        *,
        directory: Path,
        config: Path,
        url: str,
        expected_losses: dict[str, int],
    ) -> None:
        self._server = server
        self._processes = processes
        self.project = directory
        """The shop's project directory."""
        self.config = config
        """Its ``rollback.toml``."""
        self.url = url
        """The shop's website."""
        self.health_url = f"{url}/health"
        self.expected_losses = expected_losses
        """Rows of tables and values of columns that a rollback of the newest migration loses;
        empty when it was rolled back already, in a directory that was kept."""

    @property
    def dsn(self) -> str:
        """Connection string of the operator: owner of the database, not superuser."""
        return self._server.dsn(shop.DATABASE, shop.OWNER)

    @property
    def superuser_dsn(self) -> str:
        """Connection string of the superuser, in the shop's database."""
        return self._server.dsn(shop.DATABASE)

    @property
    def app_dsn(self) -> str:
        """Connection string of the applications."""
        return self._server.dsn(shop.DATABASE, shop.APPLICATION)

    @property
    def bin(self) -> Path:
        """Directory of pg_dump, pg_restore and psql of the server's version."""
        return self._server.bin

    @property
    def server(self) -> EmbeddedServer:
        """The server."""
        return self._server

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the server, the website and the load."""
        return (self._server.pid, *(process.pid for process in self._processes))

    def stop(self) -> None:
        """End everything that was started, and remove what is temporary; may be repeated."""
        _end(self._server, self._processes)

    def __enter__(self) -> Demo:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def open_demo(
    keep: Path | None = None,
    *,
    load: bool = True,
    deployed: Callable[[str], None] | None = None,
    progress: Callable[[str], None] = _quiet,
) -> Demo:
    """Start the demo and return it when it is ready, in about three seconds.

    ``keep`` is a directory whose database and project outlive the demo; a second start finds
    them as they were left. ``deployed`` is called with the owner's connection string
    after each migration, as a deploy would: the moment to record the schema that a rollback is to
    restore. It is not called for a directory that was filled before. Raises ConfigurationError when
    the demo cannot be started.
    """
    keep = keep.absolute() if keep is not None else None
    filled = _claim(keep) if keep is not None else False
    progress("Starting PostgreSQL 18")
    server = EmbeddedServer(data=keep / "data" if keep else None)
    processes: list[Child] = []
    try:
        directory = (keep or server.directory) / "project"
        directory.mkdir(mode=0o700, exist_ok=True)
        website, clients = _start_processes(server, directory, processes, load=load)
        progress("Preparing the project")
        project.prepare(directory)
        if not filled:
            _build(server, deployed, progress)
        progress("Opening the shop")
        url = f"http://127.0.0.1:{_port(website)}"
        if clients is not None:
            clients.tell(url)
        owner = server.dsn(shop.DATABASE, shop.OWNER)
        config = project.configure(
            directory, dsn=owner, host=server.host, port=server.port, url=url
        )
        newest_is_applied = not filled or shop.NEWEST in shop.applied(server.dsn(shop.DATABASE))
        if keep is not None:
            (keep / _MARK).write_text(json.dumps({"database": shop.DATABASE}), encoding="utf-8")
    except BaseException:
        _end(server, processes)
        raise
    return Demo(
        server,
        processes,
        directory=directory,
        config=config,
        url=url,
        expected_losses=dict(shop.EXPECTED_LOSSES) if newest_is_applied else {},
    )


def _claim(keep: Path) -> bool:
    """Make ``keep`` ours; return whether an earlier demo has filled it.

    Raises ConfigurationError for a directory that holds anything else.
    """
    try:
        _make(keep)
        if (keep / _MARK).exists():
            return True
        occupied = next(keep.iterdir(), None) is not None
    except OSError as error:
        raise ConfigurationError(
            f"{keep} cannot be used: {error.strerror}", "Name a directory of your own with --keep."
        ) from None
    if occupied:
        raise ConfigurationError(
            f"{keep} holds something that is not a finished demo.",
            "Name a new or empty directory with --keep.",
        )
    return False


def _make(keep: Path) -> None:
    """Make ``keep``, so that the server's user can walk through even when we are root.

    It can be entered but not listed by others; what is in it is private.
    """
    missing = [path for path in (keep, *keep.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700)
        if os.geteuid() == 0:
            path.chmod(0o711)


def _start_processes(
    server: EmbeddedServer, directory: Path, processes: list[Child], *, load: bool
) -> tuple[Child, Child | None]:
    """Start website and load now: their interpreters wake up while the data are filled in."""
    dsn = server.dsn(shop.DATABASE, shop.APPLICATION)
    flag = str(directory / project.FLAG)
    log = server.directory / "shop.log"
    said = str(directory / project.LOG)
    website = Child("rollback_tui.demo.application", dsn, flag, said, log=log)
    processes.append(website)
    if not load:
        return website, None
    clients = Child("rollback_tui.demo.load", dsn, log=log)
    processes.append(clients)
    return website, clients


def _build(
    server: EmbeddedServer,
    deployed: Callable[[str], None] | None,
    progress: Callable[[str], None],
) -> None:
    """Create the shop: six migrations, its data, the seventh, and what happened since."""
    progress("Applying six migrations")
    shop.create(server)
    owner = server.dsn(shop.DATABASE, shop.OWNER)
    *earlier, newest = shop.files()

    def migrate(path: Path) -> None:
        shop.migrate_up(owner, path)
        if deployed is not None:
            deployed(owner)

    for path in earlier:
        migrate(path)
    progress("Filling in 200,000 rows")
    shop.fill(server)
    progress(f"Applying {newest.stem}")
    migrate(newest)
    shop.verify_users(owner)
    shop.analyze(server)


def _port(website: Child) -> int:
    line = website.hear()
    if not line:
        raise ConfigurationError(
            "The demo's website did not start.", "Check that 127.0.0.1 can be listened on."
        )
    return int(line)


def _end(server: EmbeddedServer, processes: list[Child]) -> None:
    for process in processes:
        with contextlib.suppress(OSError):
            process.end()
    server.stop()
