"""A tmux of the test's own, and a project to roll back in it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Project
from tests.cli.conftest import project as project
from tests.tmux.pane import PROGRAM, Tmux


@pytest.fixture
def tmux(project: Project) -> Iterator[Tmux]:
    """A tmux whose shells begin in the project."""
    if PROGRAM is None:
        pytest.skip("no tmux (Debian package tmux)")
    with tempfile.TemporaryDirectory(prefix="tmux") as directory:
        server = Tmux(Path(directory), project.directory)
        try:
            yield server
        finally:
            server.stop()
