"""``server`` is a PostgreSQL 13, 14, 15 and 17 here, and all that is made of it with it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rollback_tui.embedded import server as embedded
from rollback_tui.embedded.server import EmbeddedServer
from tests.conftest import SETTINGS
from tests.versions.servers import VERSIONS, programs


@pytest.fixture(scope="session", params=sorted(VERSIONS))
def server(request: pytest.FixtureRequest) -> Iterator[EmbeddedServer]:
    """A server of that version, which keeps the statistics of its queries."""
    where = programs(request.param)
    settings = SETTINGS | {"shared_preload_libraries": "pg_stat_statements"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded, "programs", lambda _: where)
        running = EmbeddedServer(major=request.param, tcp=True, settings=settings)
    yield running
    running.stop()
