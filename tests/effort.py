"""How much work something is, counted and not timed: the same on a machine that has nothing else to
do and on one that has."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import rollback_tui

PRODUCT = str(Path(rollback_tui.__file__).parent)
EVERYTHING = ""


class Effort:
    """What was called while it was counted, in the thread that counted."""

    def __init__(self, where: str) -> None:
        self._where = where
        self.of: Counter[str] = Counter()
        """How often each function written in Python was called, or a generator went on, by its
        qualified name."""
        self.primitives = 0
        """How often one of them called a function written in C."""

    @property
    def calls(self) -> int:
        """All calls of functions written in Python."""
        return self.of.total()

    @property
    def total(self) -> int:
        """All calls."""
        return self.calls + self.primitives

    def note(self, frame: FrameType, event: str, _: object) -> None:
        """What ``sys.setprofile`` calls."""
        if not frame.f_code.co_filename.startswith(self._where):
            return
        if event == "call":
            self.of[frame.f_code.co_qualname] += 1
        elif event == "c_call":
            self.primitives += 1


@contextmanager
def counted(where: str = PRODUCT) -> Iterator[Effort]:
    """Count what is called in files below ``where``, in this thread, until the block ends."""
    found = Effort(where)
    before = sys.getprofile()
    sys.setprofile(found.note)
    try:
        yield found
    finally:
        sys.setprofile(before)
