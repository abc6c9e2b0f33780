"""Put a restored or cloned database in the place of the failed one, which is kept under another
name."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import psycopg
from psycopg import sql

from rollback_tui.checkpoint.properties import (
    carry_statements,
    differences,
    read_properties,
)
from rollback_tui.core.errors import CheckpointError, ConnectionFailed
from rollback_tui.core.text import printable
from rollback_tui.postgres.connect import Connection, connect, watchful
from rollback_tui.postgres.door import end_sessions, strangers
from rollback_tui.postgres.naming import NAME_BYTES
from rollback_tui.postgres.watchdog import answer_within

SECONDS = 20.0
"""How long sessions that come back are ended again before the swap is given up."""

_EMPTY_SECONDS = 1.0
"""How long those that were inside may take to leave before the renames are tried. The server
itself looks only every tenth of a second (CountOtherDBBackends)."""

_ANSWER_SECONDS = 45.0
"""More than the last attempt may take by the server's own limits: longer, and the answer was lost
on its way. The catalog then knows what became of the swap."""

_STATEMENT_SECONDS = 20
"""More than a rename waits by itself: a shorter limit of the role's must not end it."""

_LOOK_SECONDS = 0.002

_PATIENCE_SECONDS = 0.05
"""A rename that takes longer has somebody in its way: they are ended from another connection."""

_LOOKING_SECONDS = 5.0
"""Looking who is inside takes milliseconds: longer, and the answer was lost on its way."""

# RENAME asks for the owner (or a role with its privileges) and for CREATEDB.
_MAY_RENAME = """
SELECT d.datname, me.rolsuper OR pg_has_role(current_user, d.datdba, 'USAGE'),
       me.rolsuper OR me.rolcreatedb
FROM pg_database d, pg_roles me
WHERE me.rolname = current_user AND d.datname = ANY(%s)
"""

_IS_TEMPLATE = "SELECT datistemplate FROM pg_database WHERE datname = %s"

# All of these belong to the database by its number, and would stay with the failed one.
_TIED = """
SELECT 'logical slot ' || slot_name FROM pg_replication_slots WHERE database = %(name)s
UNION ALL
SELECT 'prepared transaction ' || gid FROM pg_prepared_xacts WHERE database = %(name)s
"""


def swap(
    maintenance_dsn: str,
    database: str,
    new_database: str,
    kept_name: str,
    *,
    kept_comment: str | None = None,
    seconds: float = SECONDS,
) -> None:
    """Rename ``database`` to ``kept_name`` and ``new_database`` to ``database``, at once.

    ``database`` is what the target is called now: behind a door closed by renaming, that is not
    its own name. Everything that belongs to the old database itself is carried over as it is now
    (with a closed door, the closed door too: it is opened afterwards), and the new one accepts
    connections, as a clone does not. ``kept_comment`` says on the old one what it is. One
    transaction; while a rename holds the database's lock, nobody new comes in, so nothing is left
    closed if we die. The caller has closed its own sessions in both databases.

    Raises CheckpointError or ConnectionFailed; then nothing has been renamed, except where the
    answer to COMMIT was lost: the catalog knows.
    """
    if len(kept_name.encode()) > NAME_BYTES:
        raise CheckpointError(
            f"The name {printable(kept_name)} is longer than {NAME_BYTES} bytes",
            "Use beside_name() to shorten it.",
        )
    with (
        contextlib.closing(connect(maintenance_dsn)) as connection,
        answer_within(connection, seconds + _ANSWER_SECONDS),
    ):
        # The server must notice when we are gone: this session locks both databases.
        watchful(connection)
        if connection.info.dbname in (database, new_database):
            raise CheckpointError(
                f"The swap cannot be made from {printable(connection.info.dbname)} itself",
                "Set connection.maintenance_database to another database of the server.",
            )
        try:
            refuse_what_cannot_be(connection, database, new_database)
            deadline = time.monotonic() + seconds
            _until(
                deadline,
                connection,
                maintenance_dsn,
                _Swap(database, new_database, kept_name, kept_comment),
            )
        except psycopg.Error as error:
            raise CheckpointError(
                f"The swap was refused: {printable(' '.join(str(error).split()))}",
                "Nothing was renamed. Use the owner with CREATEDB, or a superuser.",
            ) from None


class _Swap(NamedTuple):
    """What is swapped, by names as they are before."""

    database: str
    new_database: str
    kept_name: str
    kept_comment: str | None


def _until(deadline: float, connection: Connection, dsn: str, names: _Swap) -> None:
    """Try until nobody is in the way any more. Raises CheckpointError or psycopg.Error."""
    while True:
        try:
            _emptied(connection, (names.database, names.new_database))
            _attempt(connection, dsn, names)
            return
        except psycopg.errors.ObjectInUse as error:
            if time.monotonic() > deadline:
                raise _in_use(connection, names.database, names.new_database, error) from None


def _emptied(connection: Connection, names: Sequence[str]) -> None:
    """End who is inside and wait a moment until they are out; who stays is the rename's matter."""
    deadline = time.monotonic() + _EMPTY_SECONDS
    while time.monotonic() < deadline:
        inside = [one for name in names for one in strangers(connection, name, keep=())]
        if not inside:
            return
        end_sessions(connection, [pid for pid, _, may in inside if may])
        time.sleep(_LOOK_SECONDS)


def refuse_what_cannot_be(connection: Connection, database: str, *others: str) -> None:
    """Raise CheckpointError when ``database`` (with ``others`` to be renamed as well) cannot be
    replaced: no right to rename one of them, or something that would stay with it."""
    names = [database, *others]
    rows = {name: may for name, *may in connection.execute(_MAY_RENAME, [names])}
    for name in names:
        if name not in rows:
            raise CheckpointError(
                f"There is no database {printable(name)}", "Check its name: it may be renamed."
            )
        owner, createdb = rows[name]
        if not owner or not createdb:
            lacking = "is not its owner" if not owner else "has no CREATEDB"
            raise CheckpointError(
                f"{printable(name)} cannot be renamed: the role "
                f"{printable(connection.info.user)} {lacking}",
                "Connect as the owner with CREATEDB, or as a superuser.",
            )
    tied = [text for (text,) in connection.execute(_TIED, {"name": database})]
    if tied:
        raise CheckpointError(
            f"{printable(database)} cannot be swapped: {printable(', '.join(tied))} stays with it",
            "Drop the slot, or finish the prepared transaction, then try again.",
        )


def _attempt(connection: Connection, dsn: str, names: _Swap) -> None:
    """One transaction: carry the properties, end the sessions, rename twice. Raises psycopg.Error.

    A rename holds the database's lock and waits up to five seconds for those that are inside
    (CountOtherDBBackends), while nobody new gets in; then it fails (ObjectInUse), and all of it
    is tried again.
    """
    database = names.database
    old, new = sql.Identifier(database), sql.Identifier(names.new_database)
    rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    # A role may be read-only by default.
    connection.execute("BEGIN READ WRITE")
    try:
        connection.execute("SET LOCAL lock_timeout = '15s'")
        connection.execute(f"SET LOCAL statement_timeout = '{_STATEMENT_SECONDS}s'")
        # A synchronous standby that is away must not keep the database from coming back.
        connection.execute("SET LOCAL synchronous_commit = local")
        properties = read_properties(connection, database)
        for statement in carry_statements(properties, new):
            connection.execute(statement)
        template = connection.execute(_IS_TEMPLATE, [database]).fetchone() == (True,)
        connection.execute(
            sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true IS_TEMPLATE {}").format(
                new, sql.Literal(template)
            )
        )
        if names.kept_comment is not None:
            mark = sql.SQL("COMMENT ON DATABASE {} IS {}")
            connection.execute(mark.format(old, sql.Literal(names.kept_comment)))
        with _ending(dsn, (database, names.new_database)):
            connection.execute(rename.format(old, sql.Identifier(names.kept_name)))
            connection.execute(rename.format(new, old))
        wrong = differences(properties, read_properties(connection, database))
        if wrong:
            raise CheckpointError(
                f"Not everything could be carried over: {'; '.join(wrong)}",
                "Nothing was renamed. Use a superuser, or swap by hand.",
            )
        tag = connection.execute("COMMIT").statusmessage
    except BaseException:
        with contextlib.suppress(psycopg.Error):
            connection.execute("ROLLBACK")
        raise
    if tag != "COMMIT":
        raise CheckpointError(f"The server answered {tag} to COMMIT", "Nothing was renamed.")


@contextlib.contextmanager
def _ending(dsn: str, names: Sequence[str]) -> Iterator[None]:
    """End the sessions of these databases, again and again, until the block ends.

    From another connection: the one that renames is busy waiting for just these sessions. It
    has stopped before the caller commits, so nobody is ended in the database put in place.
    """
    stop = threading.Event()

    def work() -> None:
        if stop.wait(_PATIENCE_SECONDS):
            return  # nobody was in the way: no connection is needed for nobody
        # When this fails the rename says who is still inside; there is nothing to add.
        with (
            contextlib.suppress(psycopg.Error, ConnectionFailed),
            contextlib.closing(
                connect(dsn, timeout=_LOOKING_SECONDS, patience=_LOOKING_SECONDS)
            ) as connection,
        ):
            while not stop.is_set():
                for name in names:
                    people = strangers(connection, name, keep=())
                    end_sessions(connection, [pid for pid, _, may in people if may])
                stop.wait(0.02)

    thread = threading.Thread(target=work, name="end sessions", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _in_use(
    connection: Connection, database: str, new_database: str, error: psycopg.Error
) -> CheckpointError:
    people = [
        who
        for name in (database, new_database)
        for _, who, _ in strangers(connection, name, keep=())
    ]
    named = "; ".join(people[:5]) or printable(error.diag.message_detail or "no session is visible")
    return CheckpointError(
        f"{printable(database)} stays in use: {named}",
        "Nothing was renamed. Stop those applications, or end their sessions as a superuser.",
    )
