"""What a rehearsal was asked for, and what it must know of the target before it begins."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg

from rollback_tui.checkpoint.manifest import DatabaseProperties, DatabaseSetting
from rollback_tui.checkpoint.properties import read_properties
from rollback_tui.config import Settings
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.model import Plan, Statement, Target, Value
from rollback_tui.core.rehearsal import Source
from rollback_tui.core.schema import SchemaSnapshot
from rollback_tui.core.text import printable
from rollback_tui.postgres import catalog
from rollback_tui.postgres.connect import Connection, connect, target, through_pooler
from rollback_tui.postgres.leftovers import size
from rollback_tui.postgres.privileges import privileges
from rollback_tui.rehearsal.reach import reaching, refuse_beyond

APPLICATION = "rollback_tui rehearsal"
"""What our sessions call themselves, here and on the target."""

_SAY_EVERY = 0.5


class Stopped(RollbackTuiError):
    """The operator ended the rehearsal."""

    def __init__(self) -> None:
        super().__init__("the rehearsal was stopped", "Nothing of it is left.")


class Order:
    """One rehearsal: what is asked, whom to tell, and when to stop."""

    def __init__(
        self,
        dsn: str,
        settings: Settings,
        project: Path,
        plan: Plan,
        source: Source,
        *,
        said: Callable[[str], None],
        stop: threading.Event,
    ) -> None:
        self.dsn = dsn
        self.settings = settings
        self.project = project
        self.plan = plan
        self.source = source
        self.stop = stop
        self.notes: list[str] = []
        """What whoever reads the result must know of how it came about."""
        self._said = said
        self._last = 0.0

    @property
    def seconds(self) -> float:
        """Deadline for making the scratch database."""
        return self.settings.checkpoint.timeout_seconds

    @property
    def patience(self) -> float:
        """Seconds after which an answer of the scratch database counts as lost."""
        return self.settings.run.statement_timeout_seconds + 60

    def say(self, line: str) -> None:
        """Tell what is being done now. Raises Stopped when it should not be done any more."""
        if self.stop.is_set():
            raise Stopped
        self._said(printable(line))

    def note(self, line: str) -> None:
        """Tell it, and keep it for the result, once."""
        if printable(line) not in self.notes:
            self.notes.append(printable(line))
        self._said(printable(line))

    def farewell(self, line: str) -> None:
        """Tell what is done also when all was stopped."""
        self._said(printable(line))

    def progress(self, summary: str, done: int, total: int) -> None:
        """Tell how far something came, but not more often than somebody could read it."""
        now = time.monotonic()
        if now - self._last < _SAY_EVERY and done < total:
            return
        self._last = now
        if not self.stop.is_set():
            self._said(printable(f"{summary} ({done:,} of {total:,})" if total > 1 else summary))


class Original(Value, frozen=True, kw_only=True):
    """The target, as far as a scratch database has to be like it."""

    target: Target
    properties: DatabaseProperties
    superuser: bool
    createdb: bool
    bytes: int | None
    """Its size; None when we may not know."""
    own_server: str
    """Why it must be rehearsed on a server of our own; empty: it need not."""
    schema: SchemaSnapshot
    """What is there now."""
    migrator: str
    """Who owns the version table: whoever applies the migrations, and owns what they make."""
    settings: tuple[DatabaseSetting, ...]
    """What ALTER DATABASE and ALTER ROLE set for our sessions there; ``role`` is None for what
    came with the database."""


# Of our own session there: what came with the database, with the role, or with both.
_SETTINGS = """
SELECT s.name, s.setting, s.source = 'user'
  FROM pg_catalog.pg_settings s WHERE s.source IN ('database', 'user', 'database user')
 ORDER BY s.name
"""

_MIGRATOR = """
SELECT pg_catalog.pg_get_userbyid(c.relowner) FROM pg_catalog.pg_class c
 WHERE c.oid = pg_catalog.to_regclass(%s)
"""


def look(order: Order) -> Original:
    """Read what has to be known of the target, and refuse what can be rehearsed nowhere.

    The connection is closed again: a clone needs the target empty. Raises RollbackTuiError.
    """
    _can_be_rehearsed(order.plan)
    return look_for(order, order.plan.statements)


def look_for(order: Order, statements: Sequence[Statement]) -> Original:
    """Read what has to be known of the target to execute ``statements`` in a scratch database.

    Raises RollbackTuiError, also for what may be executed in none.
    """
    order.say("looking at the target")
    opened = connect(
        order.dsn,
        timeout=order.settings.connection.connect_timeout,
        application=APPLICATION,
        patience=order.patience,
    )
    with contextlib.closing(opened) as connection:
        try:
            return _looked(connection, statements, order.plan.version_table)
        except psycopg.Error as error:
            raise RollbackTuiError(
                f"The target could not be looked at: {words_of(error)}", "Try again."
            ) from None


def _looked(
    connection: Connection, statements: Sequence[Statement], version_table: str
) -> Original:
    if through_pooler(connection):
        raise RollbackTuiError(
            "A rehearsal does not go through a connection pooler",
            "Connect to the server itself: another port, or another host.",
        )
    here = target(connection)
    rights = privileges(connection)
    far = reaching(connection, statements)
    if far is not None and far[1] == "beyond":
        raise refuse_beyond(far[0])
    return Original(
        target=here,
        properties=read_properties(connection, here.database),
        superuser=rights.superuser,
        createdb=rights.createdb,
        bytes=size(connection, here.database_oid),
        own_server=_own_server(here, createdb=rights.createdb, far=far[0] if far else ""),
        schema=catalog.snapshot(connection),
        migrator=_migrator(connection, version_table),
        settings=tuple(
            DatabaseSetting(role=here.user if of_role else None, name=name, value=value)
            for name, value, of_role in connection.execute(_SETTINGS).fetchall()
        ),
    )


def _migrator(connection: Connection, version_table: str) -> str:
    if not version_table:
        return ""
    row = connection.execute(_MIGRATOR, [version_table]).fetchone()
    return str(row[0]) if row else ""


def _own_server(here: Target, *, createdb: bool, far: str) -> str:
    if far:
        return far
    if here.role == "standby":
        return "the target is a standby, where no database can be made"
    return "" if createdb else "this role has no CREATEDB there"


def _can_be_rehearsed(plan: Plan) -> None:
    """Raise RollbackTuiError unless every migration has a script that may be executed."""
    for migration in plan.migrations:
        name = printable(f"{migration.version} {migration.name}".strip())
        if migration.script is None:
            raise RollbackTuiError(
                f"{name} has no down migration: {_first_line(migration.why_no_script)}",
                "There is nothing to rehearse. Write one, or give a script by hand: --script FILE.",
            )
        if migration.script.problems:
            first = migration.script.problems[0]
            raise RollbackTuiError(
                f"the script of {name} is not executed, line {first.line}:"
                f" {printable(first.summary)}",
                printable(first.remedy) or "Correct the script.",
            )


def _first_line(why: str) -> str:
    return printable(why.splitlines()[0] if why else "")


def words_of(error: psycopg.Error) -> str:
    """Return the server's own words for an error, or the client's, on one line."""
    detail = error.diag.message_detail
    text = error.diag.message_primary or " ".join(str(error).split())
    return printable(text + (f" ({' '.join(detail.split())})" if detail else ""))
