"""Waiting until nobody writes, for a minute at most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollback_tui.ui.moment import steady

if TYPE_CHECKING:
    from rollback_tui.ui.guide import Guide

WRITERS_WAIT = 60.0
"""Seconds that ``w`` waits for writers."""


class Waiting:
    """Keeps ``walk.waiting_until`` true. All methods are called on the event loop."""

    def __init__(self, guide: Guide) -> None:
        self._guide = guide

    def begin(self) -> None:
        """Wait until nobody writes, for a minute at most; then judge again."""
        now = steady()
        self._guide.replace(waiting_since=now, waiting_until=now + WRITERS_WAIT, paused=False)
        self._guide.refresh()

    def stop(self) -> None:
        """Wait no longer."""
        self._guide.replace(waiting_since=None, waiting_until=None)

    def tick(self, now: float) -> None:
        """Judge when the time is over."""
        until = self._guide.walk.waiting_until
        if until is not None and now >= until:
            self.stop()
            self._guide.planning.judge()
