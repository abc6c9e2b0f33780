"""How to bring the database back without the tool: this run's own paths, names and commands."""

from __future__ import annotations

from rollback_tui.config import Settings
from rollback_tui.core.run_view import RunView

GUIDE = "RECOVERY.md"
"""The file in a run's folder."""


def guide(view: RunView, settings: Settings) -> str:
    """Return the manual guide as Markdown, from what the journal knows."""
    raise NotImplementedError((view, settings))
