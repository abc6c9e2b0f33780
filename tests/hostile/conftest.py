"""The project of the command line's tests, for all of this directory."""

from __future__ import annotations

from tests.cli.conftest import project as project
