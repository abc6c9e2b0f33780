"""``server`` is a PostgreSQL 13, 14, 15 and 17 here, and all that is made of it with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rollback_tui.embedded import server as embedded
from rollback_tui.embedded.server import EmbeddedServer
from tests.conftest import SETTINGS
from tests.versions.servers import VERSIONS, programs

EVERYWHERE = {
    "test_every_verification_says_yes",
    "test_from_the_dump",
    "test_what_is_measured_afterwards",
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """All is tested on the oldest version; of the others, what depends most on them, unless
    ``--every-version`` asks for all."""
    if config.getoption("--every-version"):
        return
    left_out = {
        item
        for item in items
        if isinstance(item, pytest.Function)
        and item.path.parent == Path(__file__).parent
        and item.callspec.params["server"] != min(VERSIONS)
        and item.originalname not in EVERYWHERE
    }
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


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
