"""What time it is for the screens: the one place that asks, so that a picture can stand still."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def steady() -> float:
    """Return monotonic seconds: what every duration and deadline on a screen is counted with."""
    return time.monotonic()


def local_time() -> datetime:
    """Return this machine's clock in its own time zone, without naming the zone."""
    return datetime.now()


def utc_time() -> datetime:
    """Return this machine's clock in UTC: what the times of a journal are compared with."""
    return datetime.now(UTC)
