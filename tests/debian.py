"""A PostgreSQL of Debian's packages: with the extensions that the embedded one does not bring."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rollback_tui.embedded import server as embedded
from rollback_tui.embedded.server import EmbeddedServer

NEEDED = "lib/pg_stat_statements.so"


def installed() -> Path | None:
    """The newest server here (13 to 18) that has ``pg_stat_statements``; None: there is none."""
    found = [
        path
        for path in Path("/usr/lib/postgresql").glob("[0-9]*")
        if 13 <= int(path.name) <= 18
        and (path / NEEDED).exists()
        and (path / "bin/initdb").exists()
    ]
    return max(found, key=lambda path: int(path.name), default=None)


@pytest.fixture(scope="session")
def debian() -> Iterator[EmbeddedServer]:
    """Such a server, which keeps the statistics of its queries and writes its log as JSON or CSV;
    for each test process one."""
    where = installed()
    if where is None:
        pytest.skip("no PostgreSQL server with pg_stat_statements is installed (postgresql-15)")
    major = int(where.name)
    settings = {
        "shared_preload_libraries": "pg_stat_statements",
        "pg_stat_statements.max": "5000",
        # A table need not be large to be too large for it.
        "shared_buffers": "16MB",
        "logging_collector": "on",
        "log_destination": "jsonlog" if major >= 15 else "csvlog",
        "deadlock_timeout": "50ms",
        "jit": "off",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded, "programs", lambda _: where / "bin")
        running = EmbeddedServer(major=major, settings=settings)
    yield running
    running.stop()
