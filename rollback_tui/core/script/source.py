"""The bytes of a down migration, as a framework found them."""

from __future__ import annotations

from rollback_tui.core.model import Value


class Source(Value, frozen=True, kw_only=True):
    """A whole file, and the part of it that is the down migration."""

    path: str
    data: bytes
    """The whole file, exactly as read."""
    start: int
    end: int
    """The down section is ``data[start:end]``."""
    transactional: bool = True
    """False when the framework's marker says that it must not run in a transaction."""
