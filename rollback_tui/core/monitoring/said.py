"""Evidence in words: who waits for whom, what became slower. Printable, and without the values of
queries: it goes into alerts that leave the house."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rollback_tui.core.monitoring.looks import Busy, LockWait, Standby
from rollback_tui.core.monitoring.query_text import shown
from rollback_tui.core.monitoring.statement_times import Slower
from rollback_tui.core.query_errors import LoggedError
from rollback_tui.core.text import printable, shorten

_LISTED = 5
_VALUE = re.compile(r': "[^\n]*"')
"""``invalid input syntax for type integer: "…"``: what somebody typed. Names are quoted too, and
stand elsewhere."""
_HIDDEN = ': "?"'
_CHANGING = re.compile(r'"[^"]*"|\d+')


def name(application: str) -> str:
    """Return what a session or standby calls itself."""
    return shorten(application, 40) or "(without a name)"


def sessions(number: int) -> str:
    """Return ``1 session``, ``3 sessions``."""
    return f"{number:,} session{'' if number == 1 else 's'}"


def time_taken(seconds: float) -> str:
    """Return a duration of a query: ``1.2 s``, ``0.4 ms``."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def busy(one: Busy) -> str:
    """Return who executes what since when."""
    who = f"{name(one.application)} as {printable(one.user)}"
    return f"pid {one.pid} ({who}) for {one.seconds:.0f} s: {shown(one.query)}"


def idle(one: Busy) -> str:
    """Return whose transaction is open, and nobody works on it."""
    return (
        f"pid {one.pid} ({name(one.application)}) idle in transaction for {one.seconds:.0f} s,"
        f" after: {shown(one.query)}"
    )


def wait(one: LockWait) -> str:
    """Return who waits for what, and behind whom."""
    behind = printable(", ".join(one.behind)) or "nobody who can be named"
    return (
        f"pid {one.pid} ({name(one.application)}) has waited {one.seconds:.0f} s for"
        f" {printable(one.lock)}, behind {behind}"
    )


def standby(one: Standby) -> str:
    """Return how far behind it is."""
    lag = "unknown" if one.seconds is None else f"{one.seconds:.1f} s"
    size = "" if one.bytes is None else f", {one.bytes:,} bytes"
    return f"{name(one.application)} ({printable(one.state)}): {lag}{size} behind"


def slower(one: Slower) -> str:
    """Return a query's mean time before and now."""
    return f"{time_taken(one.before)} → {time_taken(one.now)}, {one.calls:,} calls: {one.text}"


def errors(errors: Sequence[LoggedError]) -> Iterator[str]:
    """Yield the kinds of errors, the most frequent first, each with the text of its first."""
    kinds: dict[tuple[str, str], list[LoggedError]] = {}
    for one in errors:
        kinds.setdefault((one.sqlstate, _CHANGING.sub("?", one.text)), []).append(one)
    ordered = sorted(kinds.values(), key=len, reverse=True)
    for alike in ordered[:_LISTED]:
        first = alike[0]
        who = f" ({name(first.application)})" if first.application else ""
        state = f"{first.sqlstate} " if first.sqlstate else ""
        text = shorten(_VALUE.sub(_HIDDEN, first.text), 160)
        yield f"{len(alike):,} ×{who}: {state}{text}"
    if len(ordered) > _LISTED:
        yield f"… and {len(ordered) - _LISTED:,} other kinds of errors"
