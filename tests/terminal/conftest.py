"""What the tests of lists under load start from."""

from __future__ import annotations

import pytest

from tests.ui.fake import World


@pytest.fixture
def world() -> World:
    """A production database under load, with one migration to take back."""
    return World()
