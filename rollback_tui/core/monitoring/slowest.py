"""Which of several answers stands for all of them."""

from __future__ import annotations

import math

_MANY = 20
"""From so many answers on, a 95th percentile leaves out one of them."""


def worst(number: int) -> tuple[int, str]:
    """Return which of so many answers stands for all, counted from 0, the slowest, and what it is
    called. One lost packet is not the application: one answer may be slow, where there are more
    than two."""
    if number <= 2:
        return 0, f"the slowest of {number}"
    if number < _MANY:
        return 1, f"the slowest but one of {number}"
    return number - math.ceil(0.95 * number), f"95th percentile of {number}"
