"""A server that may crash, and a database on it that is ready to be rolled back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import SETTINGS
from tests.faults.scenario import Case, Template, fresh_case, make_template
from tests.faults.server import FragileServer

STEPS = {"test_worker_is_killed": 12, "test_worker_is_killed_while_it_recovers": 12}
"""Each so-many-th point is tried in every run of the tests."""
_OTHERS = 32


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Thin the matrix, unless ``--every-fault`` asks for all of it: it takes a quarter of an hour
    on two cores. What happens at COMMIT and inside an act is always kept."""
    if config.getoption("--every-fault"):
        return
    place: dict[str, int] = {}
    left_out = []
    for item in items:
        if not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
            continue
        point = item.callspec.params.get("point")
        if not item.nodeid.startswith("tests/faults/") or point is None:
            continue
        name = item.originalname
        place[name] = place.get(name, -1) + 1
        kept = "COMMIT" in point or point.startswith("during")
        if not kept and place[name] % STEPS.get(name, _OTHERS):
            left_out.append(item)
    config.hook.pytest_deselected(items=left_out)
    gone = set(left_out)
    items[:] = [item for item in items if item not in gone]


@pytest.fixture(scope="session")
def fragile_server() -> Iterator[FragileServer]:
    """A PostgreSQL 18 of this test process, that nobody else uses."""
    running = FragileServer(major=18, settings=SETTINGS)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def template(fragile_server: FragileServer, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """What each case is a copy of."""
    return make_template(fragile_server, tmp_path_factory.mktemp("template"))


@pytest.fixture
def fresh(template: Template, tmp_path: Path) -> Iterator[Callable[[str], Case]]:
    """Make a case of a scenario; it is cleaned up when the test ends."""
    with ExitStack() as stack:
        yield lambda scenario: stack.enter_context(fresh_case(template, tmp_path, scenario))
