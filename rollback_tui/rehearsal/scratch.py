"""The scratch database: where it stands, and how it goes away again in any case."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from typing import Protocol

import msgspec
import psycopg
from psycopg import sql

from rollback_tui.checkpoint.manifest import DatabaseProperties, DatabaseSetting
from rollback_tui.checkpoint.properties import carry_statements, set_statement
from rollback_tui.checkpoint.restore import create
from rollback_tui.core.errors import ConnectionFailed, RollbackTuiError
from rollback_tui.core.text import printable
from rollback_tui.postgres import target_lock
from rollback_tui.postgres.connect import (
    CATALOG_ONLY,
    Connection,
    connect,
    watchful,
    with_database,
)
from rollback_tui.postgres.leftovers import leftovers
from rollback_tui.postgres.naming import beside_name, marked, read_name
from rollback_tui.rehearsal.order import APPLICATION, Order, Original, words_of

_DROP_ATTEMPTS = 6
"""Six seconds in all: a server that was stopped is usually back by then."""

_LEAVE_SECONDS = 3.0


class Scratch(Protocol):
    """A database that nobody needs, on the target's server or on one of our own."""

    database: str
    embedded: bool
    server_version: int
    superuser: bool
    """Whether the script is executed as a superuser, as it would be on the target."""
    removed: bool
    proven: str
    """Path of the checkpoint that was restored into it and compared; empty: none was."""

    @property
    def admin_dsn(self) -> str:
        """The scratch database, as whoever fills it."""

    @property
    def maintenance_dsn(self) -> str:
        """Another database of its server, as whoever fills it."""

    @property
    def dsn(self) -> str:
        """The scratch database, as the role that the run would have."""

    def remove(self) -> None:
        """Remove it, as often as it takes; ``removed`` says whether it is gone."""


class Beside:
    """A scratch database on the target's own server.

    A session of ours in the maintenance database holds the lock of its name as long as it is
    needed: whoever finds the database and gets that lock knows that nobody needs it any more.
    """

    embedded = False

    def __init__(self, order: Order, original: Original) -> None:
        """Take the name and its lock; nothing is made yet. Raises RollbackTuiError."""
        self.original = original
        self.server_version = original.target.server_version
        self.superuser = original.superuser
        self.run8 = secrets.token_hex(4)
        self.database = beside_name(original.target.database, f"__rehearsal_{self.run8}")
        self.removed = True
        self.proven = ""
        self._order = order
        self._lock = maintenance(order)
        if not target_lock.take(self._lock, self.database):
            self._lock.close()
            raise RollbackTuiError("somebody has taken the scratch database's name", "Try again.")

    @property
    def mark(self) -> str:
        """The COMMENT that says whose it is."""
        return marked("rehearsal", self.original.target.database, self.run8)

    @property
    def admin_dsn(self) -> str:
        """The scratch database, as our own role."""
        return with_database(self._order.dsn, self.database)

    @property
    def maintenance_dsn(self) -> str:
        """The configured maintenance database."""
        return maintenance_dsn(self._order)

    @property
    def dsn(self) -> str:
        """The same: our role fills it and our role executes the script."""
        return self.admin_dsn

    @property
    def maintenance(self) -> Connection:
        """Our session in the maintenance database."""
        return self._lock

    def create(self) -> None:
        """Make the empty database and mark it. Raises CheckpointError or psycopg.Error."""
        self.removed = False
        create(self._lock, self.original.properties, self.database)
        mark = sql.SQL("COMMENT ON DATABASE {} IS {}")
        named = sql.Identifier(self.database)
        self._lock.execute(mark.format(named, sql.Literal(self.mark)))

    def settle_in(self) -> None:
        """Make it like the target: owner, privileges and settings, as far as we may."""
        settings = [s for s in self.original.settings if s.role is None]  # those of roles come too
        like = msgspec.structs.replace(self.original.properties, comment=self.mark)
        furnish(self._order, self._lock, self.database, like, settings)

    def remove(self) -> None:
        """Drop it, whoever is inside; again over a new connection where one was lost."""
        if self.removed:
            self._lock.close()
            return
        self._order.farewell("removing the scratch database")
        why = ""
        for attempt in range(_DROP_ATTEMPTS):
            try:
                if self._lock.closed or self._lock.broken:
                    self._lock = maintenance(self._order)
                self._lock.execute("SET statement_timeout = 0")
                self._lock.execute(
                    sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(
                        sql.Identifier(self.database)
                    )
                )
                self.removed = True
                break
            except (psycopg.Error, ConnectionFailed) as error:
                why = words_of(error) if isinstance(error, psycopg.Error) else error.summary
            time.sleep(0.2 * 2**attempt)
        else:
            self._order.note(
                f"{self.database} is still there ({why}); the next rehearsal removes it, or"
                " `rollback-tui checkpoint prune --yes`"
            )
        self._lock.close()


def maintenance(order: Order) -> Connection:
    """Connect to the maintenance database of the target's server. Raises ConnectionFailed."""
    made = connect(
        maintenance_dsn(order),
        timeout=order.settings.connection.connect_timeout,
        application=APPLICATION,
        patience=order.seconds + 60,
    )
    try:
        watchful(made)
        made.execute(CATALOG_ONLY)
        made.execute("SET default_transaction_read_only = off")
    except psycopg.Error as error:
        made.close()
        raise ConnectionFailed(
            f"the maintenance database does not answer: {words_of(error)}", "Try again."
        ) from None
    return made


def maintenance_dsn(order: Order) -> str:
    """Return the connection string of the configured maintenance database."""
    return with_database(order.dsn, order.settings.connection.maintenance_database)


def furnish(
    order: Order,
    connection: Connection,
    database: str,
    like: DatabaseProperties,
    settings: Iterable[DatabaseSetting],
) -> None:
    """Give ``database`` the owner, privileges and comment of ``like``, and ``settings`` to all its
    sessions; what we may not give is noted. Raises psycopg.Error when the connection is lost."""
    named = sql.Identifier(database)
    plain = msgspec.structs.replace(like, connection_limit=-1, settings=())
    statements = [("owner and privileges", s) for s in carry_statements(plain, named)]
    for setting in settings:
        everybody = DatabaseSetting(role=None, name=setting.name, value=setting.value)
        statements.append((setting.name, set_statement(everybody, named)))
    for what, statement in statements:
        try:
            connection.execute(statement)
        except psycopg.Error as error:
            if connection.broken:
                raise
            order.note(f"not as on the target: {what} of the database: {words_of(error)}")


def clear_leftovers(order: Order, maintenance: Connection, database: str) -> None:
    """Remove scratch databases of rehearsals that were killed.

    Only what bears our mark and our name, whose lock nobody holds, and in which nobody is but
    sessions of such a rehearsal. What cannot be removed is noted. Raises psycopg.Error only when
    the connection is lost.
    """
    for one in leftovers(maintenance, database):
        named = read_name(one.database, database)
        if not one.marked or named is None or named.kind != "rehearsal":
            continue
        if not target_lock.take(maintenance, one.database):
            continue  # a rehearsal that is going on
        try:
            order.farewell(f"removing {one.database}, left by a rehearsal that was killed")
            _drop_left(maintenance, one.database)
        except psycopg.Error as error:
            if maintenance.broken:
                raise
            order.note(f"{printable(one.database)} is still there: {words_of(error)}")
        finally:
            if not maintenance.broken:
                target_lock.release(maintenance, one.database)


# What a killed rehearsal was doing may go on in its backends until they notice.
_END_OURS = """
SELECT count(*), count(pg_catalog.pg_terminate_backend(a.pid)) FILTER (
           WHERE a.usename = current_user AND starts_with(a.application_name, 'rollback_tui'))
  FROM pg_catalog.pg_stat_activity a WHERE a.datname = %s AND a.usesysid IS NOT NULL
"""


def _drop_left(maintenance: Connection, database: str) -> None:
    """End our own sessions in it and drop it; without FORCE: anybody else keeps it there."""
    deadline = time.monotonic() + _LEAVE_SECONDS
    while time.monotonic() < deadline:
        row = maintenance.execute(_END_OURS, [database]).fetchone()
        if row is None or not row[0]:
            break
        time.sleep(0.1)
    maintenance.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(database)))
