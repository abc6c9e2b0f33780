"""The lock that only one run of a target can have.

An advisory lock in the maintenance database: advisory locks are per database, and the target may
be renamed or copied while a run has it. It lasts as long as the session that took it.

A rehearsal takes the lock of its scratch database's name: while it is held, somebody needs that
database, whether anybody is connected to it or not.
"""

from __future__ import annotations

import time
import zlib

from rollback_tui.postgres.connect import Connection

_SPACE = 0x726F6C6C
"""The first key of our advisory locks; the second stands for the target's name."""


def keys(database: str) -> tuple[int, int]:
    """Return both keys of the target called ``database`` (while its door is open)."""
    return _SPACE, zlib.crc32(database.encode()) - 2**31


def take(maintenance: Connection, database: str, seconds: float = 0.0) -> bool:
    """Take the lock, trying for ``seconds``; False when somebody else keeps it."""
    deadline = time.monotonic() + seconds
    while True:
        row = maintenance.execute(
            "SELECT pg_try_advisory_lock(%s, %s)", list(keys(database))
        ).fetchone()
        if (row and row[0]) or time.monotonic() > deadline:
            return bool(row and row[0])
        time.sleep(0.05)


def release(maintenance: Connection, database: str) -> None:
    """Give the lock back that this session took."""
    maintenance.execute("SELECT pg_advisory_unlock(%s, %s)", list(keys(database)))


# pg_locks shows the two keys of an advisory lock as oid columns: unsigned.
_END = """
SELECT pg_catalog.pg_terminate_backend(a.pid)
FROM pg_catalog.pg_locks l
JOIN pg_catalog.pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND l.classid::bigint = %s AND l.objid::bigint = %s AND a.application_name = %s
"""


def end_holder(maintenance: Connection, database: str, application: str) -> None:
    """End the session that has the lock, if it calls itself ``application``: a dead worker's
    backend may go on with a long statement until the server notices that nobody listens."""
    unsigned = [key % 2**32 for key in keys(database)]
    maintenance.execute(_END, [*unsigned, application])


def take_back(maintenance: Connection, database: str, application: str, seconds: float) -> bool:
    """Take the lock again on a connection that was made anew; False when somebody else has it.

    Where only the way to the server was cut, the session that was lost has it yet, and what it
    was sent last (renames that nobody committed, a COMMIT that is late) still holds its locks or
    may still happen. It is ended: once its lock is ours, all of that is over.
    """
    end_holder(maintenance, database, application)
    return take(maintenance, database, seconds)
