"""An sshd on loopback, and a project to roll back through it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Project
from tests.conftest import Database
from tests.demo.processes import end_all_in
from tests.ssh.daemon import Daemon, in_project, missing
from tests.ssh.terminal import Connection

Open = Callable[..., Connection]


@pytest.fixture(scope="session")
def daemon() -> Iterator[Daemon]:
    """A real sshd of this test process."""
    if why := missing():
        pytest.skip(why)
    with tempfile.TemporaryDirectory(prefix="sshd") as directory:
        running = Daemon(Path(directory))
        try:
            if why := running.refusal():
                pytest.skip(f"sshd lets this user not in: {why}")
            yield running
        finally:
            running.stop()


@pytest.fixture
def project(tmp_path: Path, database: Database) -> Iterator[Project]:
    """A project on a fresh database."""
    made = Project(tmp_path, database)
    made.configure()
    yield made
    end_all_in(tmp_path)


@pytest.fixture
def over_ssh(daemon: Daemon, project: Project) -> Iterator[Open]:
    """Start the program in the project over a new connection, with a terminal."""
    opened: list[Connection] = []

    def start(*arguments: str) -> Connection:
        command = in_project(project.directory, *arguments)
        opened.append(Connection(daemon.client(command, terminal=True)))
        return opened[-1]

    yield start
    for connection in opened:
        connection.close()
