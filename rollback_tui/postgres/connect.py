"""Connections: made with a deadline, recognisable on the server, and clear when they fail."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import psycopg
from psycopg import conninfo
from psycopg.abc import PQGen
from psycopg.rows import TupleRow

from rollback_tui.core.errors import ConnectionFailed
from rollback_tui.core.model import Target
from rollback_tui.core.text import printable
from rollback_tui.postgres.watchdog import answer_within

APPLICATION = "rollback_tui"

Connection: TypeAlias = psycopg.Connection[TupleRow]

_Answer = TypeVar("_Answer")


class _Watched(psycopg.Connection[TupleRow]):
    """A connection on which no answer is waited for longer than its patience.

    Everything psycopg asks of the server goes through ``wait``: statements, fetches, and the
    BEGIN, SAVEPOINT and ROLLBACK of its transaction blocks.
    """

    patience: float = math.inf

    def wait(self, gen: PQGen[_Answer], *given: Any, **named: Any) -> _Answer:
        """Cut the connection when the answer does not come."""
        with answer_within(self, self.patience):
            return super().wait(gen, *given, **named)


# A peer that is gone is noticed in under five seconds: after four while we wait for an answer
# (keepalives), after three and a half when what we sent is not acknowledged (tcp_user_timeout,
# milliseconds; Linux only, ignored elsewhere). Linux lets the latter decide both, so that it must
# be less than idle + interval × count. The system's own default is two hours.
_KEEPALIVES = {
    "keepalives": 1,
    "keepalives_idle": 1,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 3500,
}

# The same from the server's side, for a session that holds locks: its client may be gone. An
# ordinary user may set all of it. Since 13: tcp_user_timeout; 14: client_connection_check_interval
# (Linux, macOS, illumos and the BSDs: elsewhere only 0 is taken) and idle_session_timeout; 17:
# transaction_timeout. Over a Unix socket the first four are ignored. The last three would end a
# run that does nothing wrong: one that waits for its operator's answer.
_WATCHFUL = {
    "tcp_keepalives_idle": "1",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "3500",
    "client_connection_check_interval": "500",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "transaction_timeout": "0",
}

CATALOG_ONLY = "SET search_path = pg_catalog"
"""For sessions that only ask the catalog and end others: the role's own path may lead to functions
that are called like the server's."""

_LEAST_SECRET = 6
"""Characters; to blot out a shorter one would only make words unreadable and show what it is."""

_REMEDIES = (
    ("password authentication failed", "Check user and password, or use a pgpass file."),
    ("no password supplied", "Give the password in ~/.pgpass, PGPASSFILE or a service file."),
    ("no pg_hba.conf entry", "The server's pg_hba.conf does not let this user in from here."),
    ("could not translate host name", "Check the host name in the DSN."),
    ("failed to resolve host", "Check the host name in the DSN."),
    ("connection refused", "Is the server running there? Check host and port."),
    ("no such file or directory", "Is the server running? Check the socket directory and port."),
    ("timeout expired", "The server does not answer: check host, port and firewall."),
    ("timed out", "The server does not answer: check host, port and firewall."),
    ("too many connections", "A connection limit is reached; is the door still closed?"),
    ("not currently accepting connections", "The database is closed; see `rollback-tui history`."),
    ("does not exist", "Check the name of the database and of the role in the DSN."),
    ("ssl", "Check sslmode and the certificates in the DSN."),
)


def connect(
    dsn: str,
    *,
    timeout: float = 10,
    application: str = APPLICATION,
    sent: Callable[[str], None] | None = None,
    patience: float | None = None,
) -> Connection:
    """Return a connection in autocommit that speaks UTF-8, whatever the database's encoding.

    Raises ConnectionFailed, at the latest after ``timeout`` seconds for each host of the DSN
    (libpq's own least is 2). ``sent`` is called with every SQL text before it goes out.
    Keepalives make a lost server known in under five seconds; what the DSN itself says of them
    is kept (of a service file, which libpq reads last, it is not). ``patience``: seconds after
    which an answer counts as lost, see :func:`~rollback_tui.postgres.watchdog.answer_within`;
    more than the server's own limits for a statement allow. None: it is waited for for ever.
    """
    try:
        given = conninfo.conninfo_to_dict(dsn)
    except psycopg.Error:
        raise ConnectionFailed(
            "the connection string cannot be read",
            'It is "key=value key=value", values with spaces in single quotes, or a URL in which'
            " special characters of the password are percent-encoded (@ is %40).",
        ) from None
    try:
        settings: dict[str, Any] = {
            **_KEEPALIVES,
            # PGHOSTADDR of the environment would lead elsewhere than the host that was named.
            **({"hostaddr": ""} if given.get("host") else {}),
            **given,
            "application_name": application,
            # Scripts go out as the bytes they are, and those are UTF-8; without this a LATIN1
            # database would take each byte for a character.
            "client_encoding": "UTF8",
            "connect_timeout": max(2, math.ceil(timeout)),
        }
        connection = _made(settings, patience)
    except psycopg.Error as error:
        raise _failure(dsn, error) from None
    if sent is not None:
        connection.cursor_factory = _recording(sent)
    return connection


def no_room(error: ConnectionFailed) -> bool:
    """Whether only too many others are connected, or try to: to the server, or as our role. The
    limit of one database is something else; that may be our own door."""
    words = ("too many connections for role", "too many clients", "connection slots are reserved")
    return any(text in error.summary for text in words)


def _made(settings: dict[str, Any], patience: float | None) -> Connection:
    if patience is None:
        return psycopg.connect(**settings, autocommit=True)
    watched = _Watched.connect(**settings, autocommit=True)
    watched.patience = patience
    return watched


def watchful(connection: Connection) -> None:
    """Let the server's side of this session notice a lost client in under five seconds, even
    while a statement runs or waits for a lock, and never be ended for being idle.

    One round trip; settings that this server does not have are left out, and one that it refuses
    (another platform, a managed service) is left as it is. To be called outside a transaction.
    Raises psycopg.OperationalError only when the connection is lost.
    """
    try:
        _set_known(connection, list(_WATCHFUL))
    except psycopg.Error:
        if connection.broken:
            raise
        for name in _WATCHFUL:
            try:
                _set_known(connection, [name])
            except psycopg.Error:
                if connection.broken:
                    raise


def _set_known(connection: Connection, names: list[str]) -> None:
    connection.execute(
        "SELECT pg_catalog.set_config(wanted.name, wanted.value, false)"
        " FROM unnest(%s::text[], %s::text[]) AS wanted (name, value)"
        " JOIN pg_catalog.pg_settings AS known ON known.name = wanted.name",
        [names, [_WATCHFUL[name] for name in names]],
    )


def _recording(sent: Callable[[str], None]) -> type[psycopg.Cursor[TupleRow]]:
    class RecordingCursor(psycopg.Cursor[TupleRow]):
        def execute(self, query: Any, params: Any = None, **options: Any) -> RecordingCursor:
            if isinstance(query, psycopg.sql.Composable):
                text = query.as_string(self.connection)
            else:
                text = query.decode() if isinstance(query, bytes) else str(query)
            sent(text)
            return super().execute(query, params, **options)

    return RecordingCursor


def _failure(dsn: str, error: psycopg.Error) -> ConnectionFailed:
    if _ambiguous(dsn):
        return ConnectionFailed(
            "the connection failed; its URL has more than one @",
            "Write an @ in the password as %40.",
        )
    message = " ".join(str(error).split()) or "the connection failed"
    lowered = message.lower()
    remedy = next(
        (text for sign, text in _REMEDIES if sign in lowered),
        "Check --dsn, DATABASE_URL or the PG* environment.",
    )
    # libpq does not repeat a password; this is for the day it does.
    secret = password_of(dsn)
    if len(secret) >= _LEAST_SECRET:
        message = message.replace(secret, "***")
    return ConnectionFailed(printable(message), remedy)


def password_of(dsn: str) -> str:
    """Return the password inside a DSN; empty when there is none (or it cannot be parsed)."""
    try:
        return str(conninfo.conninfo_to_dict(dsn).get("password") or "")
    except psycopg.Error:
        return ""


def with_database(dsn: str, database: str) -> str:
    """Return the same connection string for another database of the server."""
    return conninfo.make_conninfo(dsn, dbname=database)


_NOT_PASSED_ON = {"application_name", "fallback_application_name", "service", "replication"}


def resolved(connection: Connection) -> str:
    """Return the connection string that was really used, password included: for pipes only.

    What came from the environment, a service file or a passfile is written down, so that a
    child process with another environment reaches the same database (``PQconninfo``).
    """
    used = {
        option.keyword.decode(): option.val.decode()
        for option in connection.pgconn.info
        if option.val and option.keyword.decode() not in _NOT_PASSED_ON
    }
    # Of several hosts, the one that answered.
    used |= {"host": connection.info.host, "port": str(connection.info.port)}
    return conninfo.make_conninfo("", **used)


def without_password(dsn: str) -> str:
    """Return the connection string as it may be shown."""
    try:
        given = conninfo.conninfo_to_dict(dsn)
    except psycopg.Error:
        given = None
    if given is None or _ambiguous(dsn):
        return "(a connection string that cannot be read)"
    secrets = ("password", "sslpassword")
    if not any(given.get(name) for name in secrets):
        return dsn
    return conninfo.make_conninfo("", **{k: v for k, v in given.items() if k not in secrets})


def _ambiguous(dsn: str) -> bool:
    """Whether it is a URL with more than one ``@``: libpq takes what follows the first for the
    host, and so the rest of the password as well."""
    return "://" in dsn and dsn.count("@") > 1


_TARGET = """
SELECT d.oid::bigint, d.datname, pg_is_in_recovery(), current_setting('server_version_num')::int,
       current_user
FROM pg_database d WHERE d.datname = current_database()
"""


def target(connection: Connection) -> Target:
    """Ask the server which database this is."""
    row = connection.execute(_TARGET).fetchone()
    if row is None:  # pragma: no cover - the current database is always in pg_database
        raise ConnectionFailed("the server does not know its own database", "Connect again.")
    oid, database, standby, version, user = row
    return Target(
        system_identifier=_system_identifier(connection),
        database_oid=oid,
        database=database,
        role="standby" if standby else "primary",
        server_version=version,
        host=connection.info.host or "local",
        port=connection.info.port,
        user=user,
        timeline=timeline(connection),
    )


def _system_identifier(connection: Connection) -> str:
    """``pg_control_system()`` may be revoked on managed services: then it is left out."""
    try:
        row = connection.execute("SELECT system_identifier FROM pg_control_system()").fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return "not visible"
    return str(row[0]) if row else "not visible"


def timeline(connection: Connection) -> int | None:
    """Return the timeline that this server writes or, as a standby, replays; None when it may
    not be seen. Outside a transaction, or in one that may fail.

    A standby that is promoted begins a new one (PostgreSQL: xlog.c), so that a server with the
    same system identifier and another timeline is not the one that had our session.
    """
    try:
        # The name of a WAL file begins with the timeline. On a standby both functions raise.
        row = connection.execute(
            "SELECT CASE WHEN pg_catalog.pg_is_in_recovery()"
            " THEN (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint())"
            " ELSE ('x' || substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()),"
            " 1, 8))::bit(32)::int END"
        ).fetchone()
    except psycopg.Error:
        if connection.broken:
            raise
        return None
    return int(row[0]) if row else None


def through_pooler(connection: Connection) -> bool:
    """Return whether something stands between: the backend is not the one whose key we got."""
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return row is None or row[0] != connection.info.backend_pid
