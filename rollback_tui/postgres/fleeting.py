"""Tables whose rows a crash of the server takes, and views that hold none until refreshed."""

from __future__ import annotations

from rollback_tui.core.facts import Fleeting
from rollback_tui.postgres.connect import Connection

_NAMES = """
SELECT c.relkind = 'm', pg_catalog.format('%I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE (c.relkind = 'r' AND c.relpersistence = 'u' OR c.relkind = 'm' AND NOT c.relispopulated)
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY 2
"""


def fleeting(connection: Connection) -> Fleeting:
    """Return them, qualified and quoted where needed. Raises psycopg.Error."""
    found = connection.execute(_NAMES).fetchall()
    return Fleeting(
        unlogged=tuple(name for view, name in found if not view),
        unpopulated=tuple(name for view, name in found if view),
    )
