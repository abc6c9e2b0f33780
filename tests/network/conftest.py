"""A project that reaches its database through a network that can be made to fail."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cli.conftest import Project
from tests.cli.conftest import project as project
from tests.network.proxy import Proxy


@pytest.fixture
def proxy(project: Project) -> Iterator[Proxy]:
    """What stands between the project and its server."""
    made = Proxy(project.database.server.tcp_port)
    yield made
    made.close()


def through(project: Project, port: int, settings: str = "") -> None:
    """Let the project reach its database at this port of 127.0.0.1; nothing is encrypted, so that
    the proxy can read it."""
    database = project.database
    dsn = (
        f"host=127.0.0.1 port={port} dbname={database.name} user={database.owner}"
        " sslmode=disable gssencmode=disable"
    )
    (project.directory / "rollback.toml").write_text(
        f"{settings}\n[connection]\ndsn = {json.dumps(dsn)}\n"
    )
