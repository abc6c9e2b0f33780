"""What stands around a plan, asked once it is made."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import psycopg

from rollback_tui.core.errors import ConnectionFailed, RollbackTuiError
from rollback_tui.core.model import Plan
from rollback_tui.core.outlook import Outlook
from rollback_tui.core.text import printable
from rollback_tui.postgres import dependents, mentions
from rollback_tui.postgres.archive.cost import keepable
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.written import written_since

T = TypeVar("T")

SECONDS = 10.0
"""All of it together; what is not known by then stays unknown."""
_MENTIONS_SECONDS = 3.0
_LEAST_SECONDS = 0.1
_KEEPING_SECONDS = 4.0
"""Each statement takes a few questions of its own, and there may be thousands."""


def outlook(connection: Connection, plan: Plan) -> Outlook:
    """Return what stands around ``plan``. What cannot be found out is None, with the reason.

    Reads only, and takes ten seconds at most. Raises ConnectionFailed when the connection is lost
    meanwhile: then nothing more is found out.
    """
    deadline = time.monotonic() + SECONDS
    unreadable: list[str] = []

    def asked(name: str, question: Callable[[float], T]) -> T | None:
        left = deadline - time.monotonic()
        if left <= 0:
            unreadable.append(f"{name}: no time was left")
            return None
        try:
            # A table that somebody has locked is not waited for: who that is, is asked elsewhere.
            with connection.transaction(force_rollback=True):
                connection.execute("SET LOCAL transaction_read_only = on")
                connection.execute("SET LOCAL lock_timeout = '1s'")
                return question(max(_LEAST_SECONDS, left))
        except (psycopg.Error, RollbackTuiError) as error:
            message = printable(" ".join(str(error).split()))
            if connection.broken:
                raise ConnectionFailed(message, "Connect again.") from None
            unreadable.append(f"{name}: {message}")
            return None

    found = asked(
        "dependents", lambda left: dependents.dependents(connection, plan.statements, left)
    )
    named = asked(
        "mentions",
        lambda left: mentions.mentions(connection, plan, min(left, _MENTIONS_SECONDS)),
    )
    kept = asked("keeping", lambda left: keepable(connection, plan, min(left, _KEEPING_SECONDS)))
    # Last: it reads tables from end to end, for as long as there is time.
    written = asked("rows written since", lambda left: written_since(connection, plan, left))
    return Outlook(
        dependents=found,
        mentions=named[0] if named else None,
        statistics=named[1] if named else None,
        written=written,
        keepable=kept,
        unreadable=tuple(unreadable),
    )
