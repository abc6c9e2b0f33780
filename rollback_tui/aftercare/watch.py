"""The monitoring of a run as somebody else sees it: the lines of its file, as they come."""

from __future__ import annotations

from pathlib import Path

from rollback_tui.aftercare.ledger import Ledger
from rollback_tui.core.monitoring.fold import fold
from rollback_tui.core.monitoring.values import FILE_NAME, Line, MonitorView


def ledger(folder: Path) -> Ledger[Line]:
    """Return ``monitoring.jsonl`` of the run in ``folder``, whether it is there yet or not."""
    # mypy takes a union for no type of its own.
    return Ledger(folder / FILE_NAME, Line)  # type: ignore[arg-type]


class Watching:
    """Follows the file. For one thread at a time."""

    def __init__(self, folder: Path) -> None:
        """``folder``: the run's."""
        self._ledger = ledger(folder)
        self._offset = 0
        self._view = MonitorView()

    def poll(self) -> MonitorView:
        """Return what is known by now. Only what was added since the last call is read. Raises
        LedgerDamaged."""
        lines, self._offset = self._ledger.follow(self._offset)
        if lines:
            self._view = fold(lines, self._view)
        return self._view
