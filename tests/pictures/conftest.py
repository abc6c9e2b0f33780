"""The applications that draw stay open from one test to the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.pictures.gallery import Gallery


@pytest.fixture(scope="session")
def gallery() -> Iterator[Gallery]:
    """Draws pictures."""
    open_for_all = Gallery()
    yield open_for_all
    open_for_all.close()
