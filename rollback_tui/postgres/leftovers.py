"""What earlier runs left on the server: databases beside the target, whole or half made."""

from __future__ import annotations

import psycopg

from rollback_tui.core.facts import Leftover
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.naming import read_mark, read_name

HALF_MADE = -2
"""``datconnlimit`` of a database whose DROP was interrupted (DATCONNLIMIT_INVALID_DB): nobody can
connect, and all that can be done is to drop it. From 16, and the minor releases of August 2023."""

_DATABASES = """
SELECT oid::bigint, datname, datconnlimit, shobj_description(oid, 'pg_database')
FROM pg_database ORDER BY datname
"""


def leftovers(connection: Connection, database: str, *, run8: str = "") -> tuple[Leftover, ...]:
    """Return the databases that runs of ``database`` left on this server, by their mark or name.

    Any database of the server will do to ask from. ``run8``: first eight characters of a run
    whose databases are no leftovers, because it is the one that asks. Raises psycopg.Error.
    """
    found: list[Leftover] = []
    for oid, name, limit, comment in connection.execute(_DATABASES).fetchall():
        by_comment, by_name = read_mark(comment, name, database), read_name(name, database)
        mark = by_comment or by_name
        if mark is None or (run8 and mark.run == run8[:8]):
            continue
        found.append(
            Leftover(
                database=name,
                kind="half made" if limit == HALF_MADE else mark.kind,
                run=mark.run,
                bytes=size(connection, oid),
                marked=by_comment is not None,
            )
        )
    return tuple(found)


def size(connection: Connection, oid: int) -> int | None:
    """Return the bytes of a database; None when we may not know, or it has no files (any more).

    Asks for CONNECT on it, or pg_read_all_stats.
    """
    try:
        row = connection.execute("SELECT pg_database_size(%s::oid)", [oid]).fetchone()
    except psycopg.Error:
        if connection.broken:
            raise
        return None
    return int(row[0]) if row and row[0] is not None else None
