"""The door: what was done to keep applications out, and to let them in again."""

from __future__ import annotations

import msgspec

from rollback_tui.core.events.base import Event
from rollback_tui.core.model import Rung


class SessionsEnded(Event, frozen=True, kw_only=True, tag="sessions_ended"):
    """Sessions of the target were terminated."""

    sessions: tuple[str, ...]
    """``pid application user`` of each."""


class DoorPrepared(Event, frozen=True, kw_only=True, tag="door_prepared"):
    """A placeholder database is about to be created: whoever settles this run drops it."""

    placeholder: str


class DoorClosed(Event, frozen=True, kw_only=True, tag="door_closed"):
    """Applications are about to be shut out. Carries what opening needs, and is therefore
    written first."""

    rung: Rung
    connection_limit: int
    """``datconnlimit`` before it was closed."""
    renamed_to: str = ""
    """The target's name while the door is closed; only on the rung ``rename``."""
    placeholder: str = ""
    """The placeholder's name while the door is open; only on the rung ``rename``."""
    placeholder_oid: int = 0
    """The placeholder's number: how it is told from any other database that has the name."""
    properties: dict[str, str] = msgspec.field(default_factory=dict)
    """A hash of all that belongs to the database itself (owner, privileges, limit, settings …),
    by what it is; compared after opening. Only on the rung ``rename``."""


class DoorOpened(Event, frozen=True, kw_only=True, tag="door_opened"):
    """Applications may come in again."""

    seconds_closed: float
