"""Times without a zone, which are the session's: ours must then be the one that the tool's has.

That is the server's, the database's or the role's, which every session gets. What only our own
client asks for (``PGTZ``, ``options=-ctimezone=…``) the tool never had: the time is then unknown.
"""

from __future__ import annotations

_TOLD = "(SELECT source FROM pg_catalog.pg_settings WHERE name = 'TimeZone') = 'client'"


def as_everybody(expression: str) -> str:
    """Return the SQL expression, whose value depends on the session's time zone, so that it is NULL
    where only this client has it."""
    return f"CASE WHEN {_TOLD} THEN NULL ELSE {expression} END"
