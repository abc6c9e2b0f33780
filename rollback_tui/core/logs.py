"""A line of one of the application's log files."""

from __future__ import annotations

from rollback_tui.core.model import Value


class LogLine(Value, frozen=True, kw_only=True):
    """One line; not yet printable."""

    file: str
    text: str
