"""While a tool runs: the target's version table, held so that a tool which goes to the wrong place
cannot take a version out of it, and watched for whether one tried."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import sql

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.text import printable
from rollback_tui.postgres.connect import Connection

_LOCK_SECONDS = 5

_WAITING = """
SELECT a.pid, coalesce(nullif(a.application_name, ''), '-'), coalesce(a.usename, '-')
  FROM pg_catalog.pg_locks l
  JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
 WHERE NOT l.granted AND l.locktype = 'relation' AND l.relation = pg_catalog.to_regclass(%s)
   AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d
                      WHERE d.datname = pg_catalog.current_database())
   AND pg_catalog.pg_backend_pid() = ANY (pg_catalog.pg_blocking_pids(a.pid))
"""


class Held:
    """The version table of the target in SHARE mode: everybody may read it, nobody write it."""

    def __init__(self, connection: Connection, table: str) -> None:
        """``table`` is quoted. ``connection`` is in autocommit and nobody else uses it; it stays in
        one transaction until it is closed. Raises FrameworkError when somebody writes the table
        right now, psycopg.Error for the rest."""
        self._connection = connection
        self._table = table
        self.note = ""
        """Why it is not held; empty: it is."""
        connection.execute("BEGIN")
        connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")
        connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        connection.execute("SAVEPOINT held")
        try:
            # On a standby, where nobody writes, this mode is refused.
            connection.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(sql.SQL(table)))
        except psycopg.errors.LockNotAvailable:
            raise FrameworkError(
                f"somebody changes {printable(table)} right now",
                "Probably a deploy is migrating: wait until it has ended.",
            ) from None
        except psycopg.Error as error:
            if connection.broken:
                raise
            connection.execute("ROLLBACK TO SAVEPOINT held")
            self.note = printable(error.diag.message_primary or str(error))

    def tried(self) -> str:
        """Return who waits to write the table, for people; empty: nobody."""
        rows: Sequence[tuple[object, ...]] = self._connection.execute(
            _WAITING, [self._table]
        ).fetchall()
        return "; ".join(printable(f"pid {pid} ({name}, role {role})") for pid, name, role in rows)

    def changes(self, name: str, statement: str) -> bool:
        """Whether ``statement``, which sets ``name``, would change anything for a session of ours
        here; what cannot be told would."""
        connection = self._connection
        connection.execute("SAVEPOINT setting")
        try:
            before = self._setting(name)
            connection.execute(statement.encode())
            return before is None or self._setting(name) != before
        except psycopg.Error:
            if connection.broken:
                raise
            return True
        finally:
            if not connection.broken:
                connection.execute("ROLLBACK TO SAVEPOINT setting")

    def _setting(self, name: str) -> str | None:
        row = self._connection.execute(
            "SELECT pg_catalog.current_setting(%s, true)", [name]
        ).fetchone()
        return None if row is None or row[0] is None else str(row[0])
