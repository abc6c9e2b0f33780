"""The other side: who else has what we want."""

from __future__ import annotations

from rollback_tui.core.text import printable
from rollback_tui.postgres.connect import Connection

# Both keys are signed 32 bits for pg_advisory_lock and oids in pg_locks; objsubid 2 is the form
# with two keys (PostgreSQL: lockfuncs.c). Address and start are NULL for a role that may not see
# them; the rest is there for everybody.
_HOLDER = """
SELECT l.pid, coalesce(a.usename::text, ''), coalesce(a.application_name, ''),
       pg_catalog.host(a.client_addr), a.client_hostname, a.backend_start,
       extract(epoch FROM pg_catalog.clock_timestamp() - a.backend_start)::float8
FROM pg_catalog.pg_locks l
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND l.classid::bigint = %(key1)s AND l.objid::bigint = %(key2)s
  AND l.pid <> pg_catalog.pg_backend_pid()
ORDER BY l.mode = 'ExclusiveLock' DESC, l.pid
LIMIT 1
"""

_MINUTE = 60


def who_holds(maintenance: Connection, key1: int, key2: int) -> str:
    """Describe the session that holds this advisory lock of the maintenance database, in one
    printable line: user, application, pid, address, since when it is connected. Empty when nobody
    (else) holds it. Raises psycopg.Error."""
    keys = {"key1": key1 % 2**32, "key2": key2 % 2**32}
    row = maintenance.execute(_HOLDER, keys).fetchone()
    if row is None:
        return ""
    pid, user, application, address, name, start, seconds = row
    where = ""
    if start is not None:
        where = f" from {name or address}" if address else " on the server's own machine"
        since = f"{start:%Y-%m-%d %H:%M:%S %Z}".strip()
        where += f", connected since {since} ({_ago(seconds)})"
    return printable(f"{user or 'unknown'} ({application or '-'}, pid {pid}){where}")


def _ago(seconds: float) -> str:
    whole = max(0, int(seconds))
    if whole < _MINUTE:
        return f"{whole} s ago"
    hours, minutes = divmod(whole // _MINUTE, _MINUTE)
    return f"{hours} h {minutes} min ago" if hours else f"{minutes} min ago"
