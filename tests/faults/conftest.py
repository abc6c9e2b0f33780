"""A server that may crash, and a database on it that is ready to be rolled back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import SETTINGS
from tests.faults.scenario import Case, Template, fresh_case, make_template
from tests.faults.server import FragileServer


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
