"""The lines of ``attendant.jsonl``: who looked after a run, and whether that is over."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from rollback_tui.core.value import Value

FILE_NAME = "attendant.jsonl"


class Took(Value, frozen=True, kw_only=True, tag_field="kind", tag="took"):
    """A process began to look after the run, or went on where another one was killed."""

    at: datetime
    pid: int
    until: datetime
    """So long it tries to deliver what does not arrive. Later, each start of rollback-tui does,
    once."""


class Over(Value, frozen=True, kw_only=True, tag_field="kind", tag="over"):
    """Nothing is left to be done, or nobody will try it again by itself."""

    at: datetime
    why: str
    """Printable."""
    report_left: bool = False
    """The incident report was to be delivered, and was not."""


Line = Took | Over


class Attendance(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of who looked after a run."""

    took: Took | None = None
    """The newest; None: nobody ever did."""
    over: Over | None = None
    """None while somebody looks after it, or should."""


def fold(lines: Iterable[Line]) -> Attendance:
    """Return what the lines come to."""
    found = Attendance()
    replace = msgspec.structs.replace
    for line in lines:
        match line:
            case Took():
                found = replace(found, took=line, over=None)
            case Over():
                found = replace(found, over=line)
    return found
