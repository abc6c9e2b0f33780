"""A framework's own program, called with the explicit target and never the environment's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rollback_tui.core.address import Address
from rollback_tui.core.model import Value


class Program(Value, frozen=True, kw_only=True):
    """How a framework's program is called."""

    command: tuple[str, ...]
    """What is called, before the arguments: ``("poetry", "run", "alembic")``."""
    project: Path
    """Where it is called."""
    environment: Mapping[str, str]
    """``[migrations] environment``: variables besides the few that pass, in which ``{url}``,
    ``{host}``, ``{port}``, ``{user}``, ``{password}`` and ``{database}`` stand for the address."""
    seconds: float
    """Its deadline."""
    address: Address | None = None
    """Where it may connect; None: nowhere (what it is told then leads nowhere)."""
