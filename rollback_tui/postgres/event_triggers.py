"""Event triggers: code of somebody else that runs inside every DDL command, ours included."""

from __future__ import annotations

from rollback_tui.core.facts import EventTrigger
from rollback_tui.postgres.connect import Connection

# R fires only under session_replication_role = replica, D never. ``login`` (PostgreSQL 17) is of
# sessions, not of commands.
_FIRING = """
SELECT e.evtname, e.evtevent, e.evtfoid::pg_catalog.regproc::text, coalesce(e.evttags, '{}')
FROM pg_catalog.pg_event_trigger e
WHERE e.evtenabled IN ('O', 'A') AND e.evtevent <> 'login'
ORDER BY e.evtname
"""


def event_triggers(connection: Connection) -> tuple[EventTrigger, ...]:
    """Return those that fire in an ordinary session, in the order in which they do.

    Raises psycopg.Error.
    """
    return tuple(
        EventTrigger(name=name, event=event, function=function, tags=tuple(tags))
        for name, event, function, tags in connection.execute(_FIRING).fetchall()
    )
