"""What people are told of a run, and the lines of ``notifications.jsonl``: what is to be sent, and
what came of it. What is still to be sent is a fold over them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec

from rollback_tui.core.value import Value

FILE_NAME = "notifications.jsonl"

Occasion = Literal["started", "gate", "finished", "alert", "settled"]
"""``finished``: the run has an outcome. ``settled``: likewise, but of a run that was interrupted,
and brought to its outcome by others. ``gate``: it waits for an answer."""

Level = Literal["info", "warning", "critical"]


class Notice(Value, frozen=True, kw_only=True, tag_field="kind", tag="notice"):
    """Something that is to be told, to each of ``places``."""

    id: str
    """The same for the same fact of the same run, however often it is derived: nothing is told
    twice because a process was killed."""
    occasion: Occasion
    level: Level
    at: datetime
    """When it happened."""
    title: str
    body: str
    """Plain text, printable."""
    places: tuple[str, ...]
    """Names of ``[[notify.to]]`` that want it."""


class Sent(Value, frozen=True, kw_only=True, tag_field="kind", tag="sent"):
    """One attempt to tell it to one place."""

    id: str
    place: str
    at: datetime
    ok: bool
    attempt: int
    """From 1."""
    seconds: float
    why: str = ""
    """What went wrong; without secrets, printable. Empty when it was delivered."""
    refused: bool = False
    """The place is there, and does not take this very notice: it holds up no later one."""


class Dropped(Value, frozen=True, kw_only=True, tag_field="kind", tag="dropped"):
    """It is not tried again: a person said so, or the place is no longer configured."""

    id: str
    place: str
    at: datetime
    why: str


Line = Notice | Sent | Dropped


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """All notices of a run, and how far each has come."""

    notices: tuple[Notice, ...] = ()
    attempts: tuple[Sent, ...] = ()
    dropped: tuple[Dropped, ...] = ()

    def delivered(self, notice: str, place: str) -> bool:
        """Whether it arrived there."""
        return any(a.ok and a.id == notice and a.place == place for a in self.attempts)

    @property
    def pending(self) -> tuple[tuple[Notice, str], ...]:
        """What has not arrived and was not given up: (notice, place), oldest first."""
        over = {(a.id, a.place) for a in self.attempts if a.ok}
        over |= {(d.id, d.place) for d in self.dropped}
        return tuple((n, p) for n in self.notices for p in n.places if (n.id, p) not in over)


def fold(lines: Iterable[Line]) -> Post:
    """Return what the lines come to."""
    notices: dict[str, Notice] = {}
    attempts: list[Sent] = []
    dropped: list[Dropped] = []
    for line in lines:
        match line:
            case Notice():
                notices.setdefault(line.id, line)
            case Sent():
                attempts.append(line)
            case Dropped():
                dropped.append(line)
    return Post(notices=tuple(notices.values()), attempts=tuple(attempts), dropped=tuple(dropped))
