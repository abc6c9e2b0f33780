"""The vital signs of a database in one question: what was counted, who waits, how far standbys are.

Asked by the worker before the door closes and by the monitoring for hours after the run, so each
look is one round trip, in a transaction of its own with limits of its own, and leaves nothing in
the session. It may be asked from another database of the server: then it adds nothing to what is
counted in the target, but tables are told by their number, and ``pg_stat_statements`` is read only
where the extension is in that other database.

PostgreSQL 13 to 18. ``sessions_fatal`` and ``sessions_abandoned`` of ``pg_stat_database`` and
``pg_locks.waitstart`` came with 14; before it a session is taken to have waited since its query
began. What our role may not see (``pg_read_all_stats``, which ``pg_monitor`` includes) is counted
as hidden, never left out.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
import psycopg
from psycopg import sql

from rollback_tui.core.monitoring.vitals import (
    Busy,
    Connections,
    Counted,
    LockWait,
    Logged,
    Standby,
    Statements,
    Vitals,
)
from rollback_tui.core.text import shorten
from rollback_tui.postgres import statement_stats
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.server_log import ServerLog
from rollback_tui.postgres.statement_stats import SECONDS, briefly


class _Wait(msgspec.Struct):
    pid: int
    application: str
    seconds: float
    lock: str
    behind: tuple[int, ...]


class _Blocker(msgspec.Struct):
    pid: int
    application: str
    state: str
    seconds: float | None


class _Lag(msgspec.Struct):
    application: str
    state: str
    seconds: float | None
    bytes: int | None


class _Answer(msgspec.Struct):
    """What the server says, before it is put in order."""

    taken_at: datetime
    started_at: datetime
    in_recovery: bool
    database: str | None
    database_oid: int | None
    counted: Counted | None
    connections: Connections
    hidden: int
    oldest: tuple[Busy, ...]
    idle: tuple[Busy, ...]
    waiting: int
    waiting_unknown: int
    waits: tuple[_Wait, ...]
    blockers: tuple[_Blocker, ...]
    standbys: tuple[_Lag, ...]
    standbys_hidden: int
    behind: float | None
    here: bool | None


_decoder = msgspec.json.Decoder(_Answer)


def look(
    connection: Connection,
    database: int | str,
    *,
    with_statements: bool = False,
    seconds: float = SECONDS,
) -> Vitals:
    """Look once at the database with this number or name.

    One round trip, two ``with_statements`` (three the first time on a connection). The connection
    is in autocommit. ``seconds``: statement timeout of each. Raises psycopg.Error; a problem with
    the statements only is said in ``statements_why``.
    """
    which = sql.SQL("datname = {}" if isinstance(database, str) else "oid = {}")
    text = sql.SQL(statement_stats.marked("vitals")).format(
        which=which.format(sql.Literal(database))
    )
    row = briefly(connection, text, seconds).fetchone()
    if row is None:  # pragma: no cover - a SELECT without FROM has always one row
        raise psycopg.OperationalError("the server gave no answer")
    answer = _decoder.decode(row[0])
    found: Statements | None = None
    why = ""
    if with_statements and answer.database_oid is not None:
        found, why = statement_stats.read(connection, answer.database_oid, seconds=seconds)
    return Vitals(
        taken_at=answer.taken_at,
        started_at=answer.started_at,
        server_version=connection.info.server_version,
        in_recovery=answer.in_recovery,
        database=answer.database or str(database),
        database_oid=answer.database_oid,
        counted=answer.counted,
        connections=answer.connections,
        hidden=answer.hidden,
        oldest=answer.oldest,
        idle=answer.idle,
        waiting=answer.waiting,
        waiting_unknown=answer.waiting_unknown,
        waits=_waits(answer),
        standbys=tuple(_standby(one) for one in answer.standbys),
        standbys_hidden=answer.standbys_hidden,
        behind=answer.behind,
        asked=(4 if with_statements else 2) if answer.here else 0,
        statements=found,
        statements_why=why,
    )


def statements(
    connection: Connection, database: int, *, seconds: float = SECONDS
) -> tuple[Statements | None, str]:
    """Return how long the queries of the database with this number took so far, or None and why.

    See :func:`rollback_tui.postgres.statement_stats.read`."""
    return statement_stats.read(connection, database, seconds=seconds)


class LogWatch:
    """New errors in the server's log, look by look. Never raises."""

    def __init__(self, database: str) -> None:
        """``database``: the name that applications know."""
        self._database = database
        self._log: ServerLog | None = None
        self._skip = 0

    def look(self, connection: Connection, *, every: int = 20) -> Logged:
        """Return the errors since the last look; of the first one none, and the reason is said.

        A log that cannot be read is asked for again at each ``every``-th look only.
        """
        if self._skip:
            self._skip -= 1
            return Logged(why=self._log.why if self._log is not None else _FIRST)
        if self._log is None or self._log.why:
            self._log = ServerLog(connection, self._database)
            self._skip = every - 1 if self._log.why else 0
            return Logged(why=self._log.why or _FIRST)
        try:
            errors = self._log.new_errors(connection)
        except psycopg.Error as error:
            return Logged(why=shorten(str(error), 120))
        return Logged(errors=errors, why=self._log.why)


_FIRST = "this is the first look at it"


def _waits(answer: _Answer) -> tuple[LockWait, ...]:
    known = {one.pid: one for one in answer.blockers}
    return tuple(
        LockWait(
            pid=one.pid,
            application=one.application,
            seconds=one.seconds,
            lock=one.lock,
            # Parallel workers of one query are named each by itself; a prepared one has no pid.
            behind=tuple(_blocker(pid, known.get(pid)) for pid in dict.fromkeys(one.behind)),
        )
        for one in answer.waits
    )


def _blocker(pid: int, known: _Blocker | None) -> str:
    if pid == 0:
        return "a prepared transaction"
    if known is None:
        return f"pid {pid}"
    state = known.state or "our role may not see what it does"
    since = f" for {known.seconds:.0f} s" if known.seconds is not None and known.state else ""
    return f"pid {pid} ({known.application or 'without a name'}, {state}{since})"


def _standby(one: _Lag) -> Standby:
    # An idle one has no lag; one of which nothing is known, and that is behind, may have any.
    seconds = (
        0.0 if one.seconds is None and one.bytes is not None and one.bytes <= 0 else one.seconds
    )
    return Standby(application=one.application, state=one.state, seconds=seconds, bytes=one.bytes)
