"""The SQL that was sent, by this terminal and by the run's worker, in one order of time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from rollback_tui.core.events import Record
from rollback_tui.core.model import Plan
from rollback_tui.core.text import printable, shorten
from rollback_tui.ui.glyphs import plain
from rollback_tui.ui.widgets.run_lines import said

_STAMPED = re.compile(r"([0-2][0-9]):([0-5][0-9]):([0-6][0-9]) (.*)", re.DOTALL)
WIDTH = 4000
"""Characters of one text that are shown."""


class Sent(NamedTuple):
    """One text."""

    at: datetime | None
    """This machine's clock, without a zone; None: not known."""
    who: str
    """``terminal`` or ``worker``."""
    text: str

    def row(self, now: datetime) -> str:
        """Return it as one printable line."""
        when = "not known"
        if self.at is not None:
            form = "%H:%M:%S" if self.at.date() == now.date() else "%m-%d %H:%M:%S"
            when = f"{self.at:{form}}"
        return plain(printable(f"{when:<8} {self.who:<8} {shorten(self.text, WIDTH)}"))


def by_terminal(texts: Iterable[str], now: datetime) -> list[Sent]:
    """Return what this terminal sent; each text begins with the time of day, as
    :meth:`rollback_tui.ui.operations.Operations.sql_log` gives it."""
    found = []
    for text in texts:
        stamped = _STAMPED.fullmatch(text)
        if stamped is None:
            found.append(Sent(None, "terminal", text))
            continue
        hour, minute, second, rest = stamped.groups()
        at = now.replace(hour=int(hour), minute=int(minute), second=int(second), microsecond=0)
        # A time that is still to come was that of yesterday.
        found.append(Sent(at - timedelta(days=at > now), "terminal", rest))
    return found


def by_worker(records: Sequence[Record], plan: Plan | None) -> list[Sent]:
    """Return what the worker sent and did, as the console of the run says it."""
    told = ((record, said(record.event, plan)) for record in records)
    return [
        Sent(record.at.astimezone().replace(tzinfo=None), "worker", text)
        for record, text in told
        if text is not None
    ]


def in_order(sent: Iterable[Sent]) -> list[Sent]:
    """Return all of it, newest last; what has no time comes first."""
    return sorted(sent, key=lambda one: one.at or datetime.min)
