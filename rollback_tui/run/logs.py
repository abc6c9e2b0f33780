"""The application's log files, followed."""

from __future__ import annotations

from collections.abc import Sequence

from rollback_tui.core.logs import LogLine


class LogFiles:
    """Follows ``files``; see ``rollback_tui.ui.operations.LogFeed``."""

    def __init__(self, files: Sequence[str]) -> None:
        self.files = tuple(files)

    def poll(self) -> tuple[LogLine, ...]:
        """Return what came since the last call."""
        return ()

    def close(self) -> None:
        """Close the files."""
