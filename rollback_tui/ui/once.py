"""What is made of a large value, made once.

A plan of ten thousand statements is looked at many times a second: by the step bar, the summary,
the list. Comparing or hashing it would cost as much as the answer, so it is known by identity.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

Source = TypeVar("Source")
Made = TypeVar("Made")

KEPT = 2
"""So many results are remembered a function: the plan before us, and that of the run followed."""


def once(make: Callable[[Source], Made]) -> Callable[[Source], Made]:
    """Remember what ``make`` returned for the last few values, each known by identity.

    The values must be immutable. They are held, so an identity is never another value's.
    """
    remembered: list[tuple[Source, Made]] = []

    @wraps(make)
    def remembering(source: Source) -> Made:
        for known, made in remembered:
            if known is source:
                return made
        made = make(source)
        remembered.insert(0, (source, made))
        del remembered[KEPT:]
        return made

    return remembering
