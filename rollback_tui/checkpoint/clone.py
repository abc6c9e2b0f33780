"""A clone: a template copy of the target on its own server, made behind the closed door.

Where a dump has to be loaded again, a clone is put in place by two renames, whatever its size.
It needs as much room on the server's disk as the database, and applications are out while it is
made; so both are said beforehand.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import psycopg
from psycopg import sql

from rollback_tui.checkpoint.restore import drop_database
from rollback_tui.config import CheckpointSettings
from rollback_tui.core.errors import CheckpointError
from rollback_tui.core.facts import CloneFacts
from rollback_tui.core.model import Rung, Value
from rollback_tui.core.text import data_size, printable
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.leftovers import size
from rollback_tui.postgres.naming import NAME_BYTES
from rollback_tui.postgres.watchdog import answer_within, cancelled_when

Strategy = Literal["wal_log", "file_copy"]

BYTES_A_SECOND = 50_000_000
"""The rate that the estimate counts with. Deliberately low: 140 to 600 MB/s were measured (local
disk, PostgreSQL 16 and 18, both strategies), but reading and writing share what a small cloud
volume gives (125 MB/s), and the cache may be cold."""

BASE_SECONDS = 2.0
"""Added to every estimate: ``file_copy`` makes two checkpoints, which write what is dirty."""

SMALL = 256 << 20
"""Bytes below which ``wal_log`` is taken (15+): it needs no checkpoint, but the copy goes through
the WAL; above, ``file_copy`` was two to four times as fast."""

HEADROOM = 1.1
"""A copy is not made where it would take the last tenth of the disk: when the WAL's disk is full
the whole server stops."""

_ANSWER_SECONDS = 15.0
"""Added to the deadline, which the server itself keeps: longer, and its answer was lost."""

# What CREATE DATABASE … TEMPLATE asks for: a superuser; or CREATEDB, and the owner of the
# original (or a role with its privileges). A logical slot belongs to the database by its number
# and would stay with the failed one (see checkpoint/swap.py).
_MAY_COPY = """
SELECT d.datname,
       me.rolsuper,
       me.rolsuper OR pg_has_role(current_user, d.datdba, 'USAGE'),
       me.rolsuper OR me.rolcreatedb,
       current_setting('server_version_num')::int / 10000,
       ARRAY(SELECT slot_name::text FROM pg_replication_slots s WHERE s.database = d.datname)
FROM pg_database d, pg_roles me
WHERE d.oid = %s AND me.rolname = current_user
"""

# Where the database has files, its default tablespace included; '' is the data directory, whose
# path only pg_read_all_settings may see (then no row of pg_settings).
_PLACES = """
SELECT DISTINCT coalesce(nullif(pg_tablespace_location(t.oid), ''),
                (SELECT setting FROM pg_settings WHERE name = 'data_directory'))
FROM pg_tablespace t
WHERE t.spcname <> 'pg_global' AND %s IN (SELECT pg_tablespace_databases(t.oid))
"""


class Clone(Value, frozen=True, kw_only=True):
    """A template copy that stands."""

    database: str
    oid: int
    seconds: float
    bytes: int


def strategy(major: int, database_bytes: int) -> Strategy:
    """Return how a server of this version copies best; before 15 there is no choice."""
    return "wal_log" if major >= 15 and database_bytes < SMALL else "file_copy"


def not_wanted(settings: CheckpointSettings) -> CloneFacts:
    """Return the facts of a clone that nobody will make: the server is not asked for anything."""
    return CloneFacts(
        wanted="off",
        database_bytes=0,
        estimated_seconds=None,
        limit_seconds=settings.clone_seconds,
        free_bytes=None,
    )


def estimate(
    connection: Connection,
    oid: int,
    settings: CheckpointSettings,
    *,
    door: Rung | Literal["none"],
) -> CloneFacts:
    """Return whether the database with this number could be cloned, and what that would cost.

    Any database of the server will do to ask from. ``door``: the rung that is or will be used.
    Raises psycopg.Error, or CheckpointError when the database does not exist.
    """
    row = connection.execute(_MAY_COPY, [oid]).fetchone()
    if row is None:
        raise CheckpointError(f"There is no database with the number {oid}", "It may be dropped.")
    name, superuser, owner, createdb, major, slots = row
    known = size(connection, oid)
    free = free_bytes(connection, oid)
    seconds = None if known is None else round(BASE_SECONDS + known / BYTES_A_SECOND, 1)
    obstacle, remedy = (
        _door_obstacle(door, superuser=superuser)
        or _privilege_obstacle(name, slots, owner=owner, createdb=createdb)
        or _cost_obstacle(known, free, seconds, settings.clone_seconds)
        or ("", "")
    )
    return CloneFacts(
        wanted=settings.clone,
        database_bytes=known or 0,
        estimated_seconds=seconds,
        limit_seconds=settings.clone_seconds,
        free_bytes=free,
        strategy=strategy(major, known or 0),
        obstacle=obstacle,
        remedy=remedy,
    )


def _door_obstacle(door: Rung | Literal["none"], *, superuser: bool) -> tuple[str, str] | None:
    """Nobody may be inside the original while it is copied, and we must come in afterwards."""
    if door == "rename" or (door == "limit" and superuser):
        return None
    if door == "none":
        return "the door stays open, and nobody may be inside a copied database", (
            'Set [door] mode = "closed".'
        )
    why = (
        "behind a connection limit this role could not come in again"
        if door == "limit"
        else "sessions come back while they are only terminated"
    )
    return why, "Give the role ownership of the database and CREATEDB: the door is then a rename."


def _privilege_obstacle(
    name: str, slots: list[str], *, owner: bool, createdb: bool
) -> tuple[str, str] | None:
    shown = printable(name)
    if not owner:
        return f"the role does not own {shown}", f"Connect as the owner of {shown}."
    if not createdb:
        return "the role has no CREATEDB", "As a superuser: ALTER ROLE … CREATEDB."
    if slots:
        named = ", ".join(printable(slot) for slot in slots)
        return (
            f"the logical slot {named} would stay with the failed database",
            "Drop the slot before, or go without a clone.",
        )
    return None


def _cost_obstacle(
    known: int | None, free: int | None, seconds: float | None, limit: float
) -> tuple[str, str] | None:
    if known is None or seconds is None:
        return "the size of the database may not be read", (
            "Grant the role CONNECT on it, or pg_read_all_stats."
        )
    if seconds > limit:
        return (
            f"it would take about {seconds:,.0f} s (estimate), allowed are {limit:,.0f} s",
            "Raise [checkpoint] clone_seconds, or go without a clone.",
        )
    if free is not None and free < known * HEADROOM:
        return (
            f"the server's disk has {data_size(free)} free, the copy needs"
            f" {data_size(known)} and a tenth",
            "Make room on the server, or go without a clone.",
        )
    return None


def free_bytes(connection: Connection, oid: int) -> int | None:
    """Return the least room on the disks that hold the database; None when it cannot be seen.

    Only over a Unix socket, and where the server's process is seen from here: behind a TCP
    address of this machine may be a tunnel, and behind a socket a container, and the same path
    would then be another disk.
    """
    if not connection.info.host.startswith("/") or not _is_here(connection.info.backend_pid):
        return None
    free: list[int] = []
    for (place,) in connection.execute(_PLACES, [oid]).fetchall():
        if place is None:
            return None
        try:
            free.append(shutil.disk_usage(place).free)
        except OSError:
            return None
    return min(free, default=None)


def _is_here(pid: int) -> bool:
    """Whether the backend is a process of this machine. Without /proc (macOS): assumed."""
    if not Path("/proc/self").exists():
        return True
    try:
        return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def make(
    connection: Connection,
    source: str,
    name: str,
    *,
    strategy: Strategy,
    comment: str,
    seconds: float,
    send: Callable[[Connection, str], None],
    aborted: Callable[[], bool] = lambda: False,
) -> Clone:
    """Copy the database ``source`` (its current name) to ``name``; nobody may be inside it.

    Nobody can connect to the copy. ``send`` executes (and journals) what changes something;
    ``seconds`` is the deadline. Unlogged tables are copied with their rows. Raises
    CheckpointError; then there is no database ``name`` that was not there before.
    """
    if len(name.encode()) > NAME_BYTES:
        raise CheckpointError(
            f"The name {printable(name)} is longer than {NAME_BYTES} bytes",
            "Use beside_name() to shorten it.",
        )
    began = time.monotonic()
    identifier = sql.Identifier(name)
    made = False
    try:
        with (
            answer_within(connection, seconds + _ANSWER_SECONDS),
            _limits(connection, seconds, strategy),
            cancelled_when(connection, aborted),
        ):
            _create(connection, source, name, strategy, send)
            made = True
        mark = sql.SQL("COMMENT ON DATABASE {} IS {}").format(identifier, sql.Literal(comment))
        send(connection, mark.as_string(connection))
        oid, copied = _look_up(connection, name)
    except psycopg.Error as error:
        if made:
            drop_database(connection, name)
        raise _refusal(error, name, seconds, aborted=aborted()) from None
    except BaseException:
        if made:
            drop_database(connection, name)
        raise
    return Clone(
        database=name, oid=oid, seconds=round(time.monotonic() - began, 3), bytes=copied or 0
    )


def _create(
    connection: Connection,
    source: str,
    name: str,
    strategy: Strategy,
    send: Callable[[Connection, str], None],
) -> None:
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} ALLOW_CONNECTIONS false").format(
        sql.Identifier(name), sql.Identifier(source)
    )
    if connection.info.server_version >= 150000:
        statement += sql.SQL(f" STRATEGY {strategy}")
    text = statement.as_string(connection)
    try:
        send(connection, text)
    except psycopg.errors.InternalError_:
        # What the server says when its file system cannot copy on write (EOPNOTSUPP, EXDEV).
        if not _copies_on_write(connection):
            raise
        connection.execute("SET file_copy_method = 'copy'")
        send(connection, text)


def _copies_on_write(connection: Connection) -> bool:
    row = connection.execute("SELECT current_setting('file_copy_method', true)").fetchone()
    return row is not None and row[0] == "clone"


@contextlib.contextmanager
def _limits(connection: Connection, seconds: float, strategy: Strategy) -> Iterator[None]:
    """The deadline while the block lasts, and from 18 on copying on write where the server can:
    a file system that shares blocks (XFS, Btrfs, APFS) then copies next to nothing."""
    kept = connection.execute(
        "SELECT name, current_setting(name) FROM pg_settings"
        " WHERE name IN ('statement_timeout', 'transaction_timeout', 'file_copy_method')"
    ).fetchall()
    connection.execute(
        "SELECT set_config('statement_timeout', %s, false)", [str(max(1, round(seconds * 1000)))]
    )
    names = [name for name, _ in kept]
    if "transaction_timeout" in names:  # from 17; it ends the session, not only the statement
        connection.execute("SET transaction_timeout = 0")
    if "file_copy_method" in names and strategy == "file_copy":
        # A server built without it does not know the value.
        with contextlib.suppress(psycopg.errors.InvalidParameterValue):
            connection.execute("SET file_copy_method = 'clone'")
    try:
        yield
    finally:
        # On a lost connection there is nothing to put back; the error that lost it is told.
        with contextlib.suppress(psycopg.Error):
            for name, value in kept:
                connection.execute("SELECT set_config(%s, %s, false)", [name, value])


def _look_up(connection: Connection, name: str) -> tuple[int, int | None]:
    row = connection.execute(
        "SELECT oid::bigint FROM pg_database WHERE datname = %s", [name]
    ).fetchone()
    if row is None:
        raise CheckpointError(f"{printable(name)} is gone again", "Somebody else dropped it.")
    return int(row[0]), size(connection, int(row[0]))


def _refusal(error: psycopg.Error, name: str, seconds: float, *, aborted: bool) -> CheckpointError:
    if aborted:
        return CheckpointError("The clone was aborted", "No copy is left.")
    if isinstance(error, psycopg.errors.QueryCanceled):
        return CheckpointError(
            f"The clone was not ready in {seconds:,.0f} s",
            "Raise [checkpoint] clone_seconds, or go without a clone.",
        )
    detail = error.diag.message_detail
    words = (error.diag.message_primary or str(error)) + (f" ({detail})" if detail else "")
    return CheckpointError(
        f"{printable(name)} cannot be made: {printable(' '.join(words.split()))}",
        "Its own words say what is wrong; or go without a clone.",
    )
