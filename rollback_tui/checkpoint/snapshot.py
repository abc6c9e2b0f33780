"""The one moment that a checkpoint shows: dumped by pg_dump and counted by us, no row between.

A transaction exports its snapshot; pg_dump takes it with ``--snapshot``, and the schema and the
tables are read in the very same one. So the counts and fingerprints of the manifest are those of
the dump, though the application goes on writing.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import NamedTuple

import psycopg

from rollback_tui.checkpoint.manifest import TableRows
from rollback_tui.checkpoint.tables import Reader
from rollback_tui.core.errors import CheckpointError, ConnectionFailed
from rollback_tui.core.schema import SchemaSnapshot
from rollback_tui.core.text import printable
from rollback_tui.postgres import catalog, history_view, run_row
from rollback_tui.postgres.connect import Connection, connect, watchful

# The transaction waits while pg_dump works: none of these may end it meanwhile. Those that this
# version lacks are left out (transaction_timeout is of 17). With row_security off, a policy that
# would hide rows is an error instead of a smaller number.
_CALM = """
SELECT set_config(s.name, w.value, true)
FROM (VALUES ('idle_in_transaction_session_timeout', '0'), ('statement_timeout', '0'),
             ('transaction_timeout', '0'), ('lock_timeout', %s), ('row_security', 'off'),
             ('search_path', 'pg_catalog')) w(name, value)
JOIN pg_settings s ON s.name = w.name
"""

# What has rows of its own in a dump: plain tables, partitions included, without those that an
# extension makes again by itself (their configuration rows are not counted), and without our own
# schema: the database that is compared with this may have it or not.
_TABLES = """
SELECT n.nspname, c.relname, c.relpersistence = 'u'
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence IN ('p', 'u')
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND n.nspname <> 'rollback_tui'
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1, 2
"""

_UNPOPULATED = """
SELECT n.nspname || '.' || c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'm' AND NOT c.relispopulated AND n.nspname <> 'rollback_tui' ORDER BY 1
"""

# Our own schema is not dumped. Its rows are older than the run that the dump is made for, so they
# could not claim that this run was committed; but reading or restoring it may not be allowed to
# this role when another one made it, and a restored database is the same with and without it.
# Had somebody put objects of their own into it, losing those would be worse: then only our table
# and the view over it stay out.
_SHARED = """
SELECT EXISTS (
    SELECT FROM pg_namespace n
    JOIN pg_depend d ON d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid
    WHERE n.nspname = 'rollback_tui' AND NOT (
        d.classid = 'pg_class'::regclass AND EXISTS (
            SELECT FROM pg_class c
            WHERE c.oid = d.objid
              AND (c.relname, c.relkind) IN (('runs', 'r'), ('history', 'v')))))
"""

_BYTES = "SELECT pg_catalog.pg_database_size(pg_catalog.current_database())"

_HOLDERS = """
SELECT a.pid, coalesce(a.application_name, ''), coalesce(a.usename, ''), l.relation::regclass::text
FROM pg_locks l
JOIN pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p', 'm', 'v', 'S', 'f')
JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'relation' AND l.granted AND l.mode = 'AccessExclusiveLock'
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY 1 LIMIT 5
"""


class Seen(NamedTuple):
    """What was read in the snapshot while it was dumped."""

    schema: SchemaSnapshot | None
    """None: it could not be read."""
    tables: tuple[TableRows, ...]


class Snapshot:
    """An exported snapshot, held open by its connection."""

    def __init__(self, connection: Connection, identifier: str) -> None:
        self.connection = connection
        self.identifier = identifier
        """For ``pg_dump --snapshot``."""
        self.tables: tuple[TableRows, ...] = tuple(
            TableRows(schema=schema, table=table, rows=None, unlogged=unlogged)
            for schema, table, unlogged in connection.execute(_TABLES)
        )
        self.unpopulated_views: tuple[str, ...] = tuple(
            name for (name,) in connection.execute(_UNPOPULATED)
        )
        row = connection.execute(_SHARED).fetchone()
        shared = bool(row and row[0])
        self.left_out: tuple[str, ...] = (
            (f"--exclude-table={run_row.TABLE}", f"--exclude-table={history_view.VIEW}")
            if shared
            else (f"--exclude-schema={run_row.SCHEMA}",)
        )
        """What keeps pg_dump from dumping what is ours: all of our schema, unless somebody else has
        objects in it."""
        self.database_bytes: int | None = None
        """Of the database; None: not known."""
        # A savepoint: what may not be known must not end the transaction, and so the snapshot.
        with contextlib.suppress(psycopg.Error), connection.transaction():
            known = connection.execute(_BYTES).fetchone()
            self.database_bytes = known[0] if known else None
        self.reader = Reader(connection)
        """What reads the tables; knows how far it is."""

    @property
    def counted(self) -> int:
        """How many tables :meth:`look` has read."""
        return self.reader.read

    def look(self, stop: threading.Event, fingerprint_seconds: float) -> Seen:
        """Return the schema and the tables, with exact rows and, within ``fingerprint_seconds``,
        with fingerprints of their contents; what could not be read stays unknown.

        Runs in a thread of its own beside pg_dump; ``stop`` and a cancel end it early.
        """
        self.reader.stop = stop
        schema, tables = None, self.tables
        # A lost connection: the dump may be whole all the same.
        with contextlib.suppress(psycopg.Error):
            schema = None if stop.is_set() else catalog.snapshot(self.connection)
        with contextlib.suppress(psycopg.Error):
            tables = self.reader.rows(self.tables, seconds=fingerprint_seconds)
        return Seen(schema, tables)

    def cancel(self) -> None:
        """End the count that is going on."""
        with contextlib.suppress(psycopg.Error):
            self.connection.cancel_safe(timeout=5)


def list_tables(connection: Connection) -> tuple[tuple[str, str], ...]:
    """Return (schema, table) of all that has rows of its own in a dump, schema rollback_tui left
    out: a restored database lacks the table of runs, or gets it anew from its next run."""
    return tuple((schema, table) for schema, table, _ in connection.execute(_TABLES))


@contextlib.contextmanager
def held(dsn: str, lock_wait_seconds: float, deadline_seconds: float) -> Iterator[Snapshot]:
    """Yield a snapshot that stays until the end of the block; no question asked in it may take
    longer than ``deadline_seconds``. Raises ConnectionFailed."""
    opened = connect(dsn, application="rollback_tui checkpoint", patience=deadline_seconds)
    with contextlib.closing(opened) as connection:
        try:
            watchful(connection)
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection.execute(_CALM, [f"{round(lock_wait_seconds * 1000)}ms"])
            row = connection.execute("SELECT pg_export_snapshot()").fetchone()
            snapshot = Snapshot(connection, str(row[0]) if row else "")
        except psycopg.Error as error:
            raise CheckpointError(
                f"No snapshot could be taken: {printable(str(error).strip())}",
                "Connect to the primary, and not through a pooler.",
            ) from None
        yield snapshot


def lock_holders(dsn: str) -> tuple[str, ...]:
    """Name the sessions that hold a lock which a dump cannot share; nothing when unknown."""
    with (
        contextlib.suppress(psycopg.Error, ConnectionFailed),
        contextlib.closing(connect(dsn)) as connection,
    ):
        return tuple(
            printable(f"pid {pid} {application or '-'} {user} on {relation}")
            for pid, application, user, relation in connection.execute(_HOLDERS)
        )
    return ()
