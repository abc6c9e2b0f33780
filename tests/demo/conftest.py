"""What only the tests of the demo need."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that the server's user can walk through; pytest's own are private to root."""
    directory = Path(tempfile.mkdtemp(prefix="place"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory)
