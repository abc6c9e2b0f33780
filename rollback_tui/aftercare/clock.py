"""The time that the monitoring goes by: what a wall shows, what really passed, and waiting."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on while the machine sleeps and is never set: on Linux that is CLOCK_BOOTTIME, on macOS and
the BSDs CLOCK_MONOTONIC. (``time.monotonic`` stands still in a sleep on both Linux and macOS.)"""


class Clock(Protocol):
    """Where the monitoring has its time from."""

    def now(self) -> datetime:
        """Return the time of day, UTC. It may be set, forwards and backwards."""

    def steady(self) -> float:
        """Return seconds that only ever grow, by as much as really passed."""

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        """Wait so long; return True, at once, when ``stop`` is set."""


class SystemClock:
    """The machine's own."""

    def now(self) -> datetime:
        """Return the time of day, UTC."""
        return datetime.now(UTC)

    def steady(self) -> float:
        """Return seconds that the machine has been up, asleep or not."""
        return time.clock_gettime(_STEADY)

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        """Wait so long, unless ``stop`` is set."""
        return stop.wait(max(0.0, seconds))
