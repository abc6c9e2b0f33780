"""The other side: is it the server itself, is it still the same, and who has what we want."""

from __future__ import annotations

from rollback_tui.core.errors import ConnectionFailed, RollbackTuiError, RunRefused
from rollback_tui.core.model import Target
from rollback_tui.core.text import printable
from rollback_tui.postgres.connect import Connection, target, through_pooler


class FailedOver(RollbackTuiError):
    """Another server has taken the place of the one that the run began on."""


def no_pooler_between(connection: Connection) -> None:
    """Raise RunRefused when a pooler is in between. To be asked before the session is told or
    given anything: in transaction mode a setting or an advisory lock would stay in a connection
    that the pooler hands to its other clients. Raises psycopg.Error."""
    if through_pooler(connection):
        raise RunRefused(
            "a pooler is in between: locks and settings would leak to its other clients",
            "Connect straight to PostgreSQL's own port (often 5432).",
        )


def same_server(connection: Connection, known: Target, *, promoted: bool = False) -> None:
    """Raise unless the server that answers a new connection is the one that ``known`` describes.

    A standby that is not promoted yet is a server that is not back yet: ConnectionFailed. One
    that was promoted has the same system identifier and another timeline: FailedOver, because
    what the old one acknowledged last may be missing there; ``promoted`` takes that one too (its
    door must be opened as well). What may not be seen, on either of the two occasions, is not held
    against it. Raises psycopg.Error.
    """
    now = target(connection)
    if now.role == "standby" and known.role == "primary":
        raise ConnectionFailed(
            "the server that answers now is a standby", "Wait until it is promoted."
        )
    if now.system_identifier != known.system_identifier:
        if "not visible" not in (now.system_identifier, known.system_identifier):
            raise FailedOver(
                "another cluster answers now: its system identifier is another one",
                "Find out where the old server went before anything else is done.",
            )
    elif (
        not promoted
        and None not in (now.timeline, known.timeline)
        and now.timeline != known.timeline
    ):
        raise FailedOver(
            f"the server failed over in mid-run: timeline {now.timeline}, was {known.timeline}",
            "What the old server acknowledged last may be missing on the new one: compare the"
            " applied versions and the schema before anything else is done.",
        )


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
