"""A backup that somebody else makes of the whole server, as a net below our own.

Before a run the provider (pgBackRest) is asked how fresh its backup is, and the server gets a named
restore point whose WAL is seen to arrive in the repository. What a restore would take is written
down beforehand, as commands. We never run them: they bring the *whole server* back, with every
database of it.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import time
from collections.abc import Callable

import msgspec
import psycopg

from rollback_tui.checkpoint import pgbackrest
from rollback_tui.checkpoint.storage import now
from rollback_tui.config import PgBackRest
from rollback_tui.core.errors import CheckpointError
from rollback_tui.core.events import RestorePointMade
from rollback_tui.core.facts import ExternalFacts
from rollback_tui.core.model import Target
from rollback_tui.core.text import printable
from rollback_tui.postgres.connect import Connection

_LOOK_SECONDS = 0.25
_SEGMENT = re.compile(r"[0-9A-F]{24}")

# Both functions are for superusers, and for who was granted EXECUTE. wal_level minimal has no
# restore points (PostgreSQL: xlogfuncs.c), and without archiving nobody would ever read one.
_MAY = """
SELECT pg_catalog.pg_is_in_recovery(),
       pg_catalog.current_setting('wal_level'),
       pg_catalog.current_setting('archive_mode'),
       pg_catalog.has_function_privilege('pg_catalog.pg_create_restore_point(text)', 'EXECUTE')
       AND pg_catalog.has_function_privilege('pg_catalog.pg_switch_wal()', 'EXECUTE'),
       a.last_archived_wal,
       a.last_failed_wal,
       coalesce(a.last_failed_time > a.last_archived_time, a.last_failed_time IS NOT NULL)
FROM pg_catalog.pg_stat_archiver a
"""

# Where it is, as far as the role may see: both are for superusers and pg_read_all_settings.
_PLACES = """
SELECT (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'data_directory'),
       (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'config_file')
"""


# For superusers only, unless it was granted.
_PROGRAMS = """
SELECT setting FROM pg_catalog.pg_config() WHERE name = 'BINDIR'
"""


class Places(msgspec.Struct, frozen=True):
    """Where the server has its files; empty: not visible for this role."""

    data_directory: str = ""
    config_file: str = ""
    programs: str = ""
    """Of its own version: Debian has them on nobody's PATH."""


def facts(connection: Connection, settings: PgBackRest, target: Target) -> ExternalFacts:
    """Return what the configured provider has of ``target``, and whether a restore point can be
    made. Nothing is asked when none is configured. Raises psycopg.Error."""
    if not settings.configured:
        return ExternalFacts()
    try:
        stanza = pgbackrest.info(settings)
    except CheckpointError as error:
        return ExternalFacts(
            wanted=True,
            required=settings.required,
            stanza=settings.stanza,
            max_age_hours=settings.max_age_hours,
            unreadable=error.summary,
        )
    found = pgbackrest.judged(stanza, settings, target, now())
    return msgspec.structs.replace(found, point_problem=point_problem(connection))


def point_problem(connection: Connection) -> str:
    """Return why no restore point could be made and archived; empty: it could.
    Raises psycopg.Error."""
    row = connection.execute(_MAY).fetchone()
    if row is None:  # pragma: no cover - the view has always one row
        return "the server does not say whether it archives"
    standby, wal_level, archive_mode, granted, _, failed, failing = row
    if standby:
        return "this server is a standby"
    if wal_level == "minimal":
        return "wal_level is minimal"
    if archive_mode == "off":
        return "archive_mode is off"
    if not granted:
        return (
            "the role may not make one; as a superuser, in this database: GRANT EXECUTE ON FUNCTION"
            " pg_create_restore_point(text), pg_switch_wal() TO …"
        )
    return f"archiving fails: the server cannot archive {failed}" if failing else ""


def make_restore_point(
    connection: Connection,
    settings: PgBackRest,
    run8: str,
    *,
    sent: Callable[[str], None] = lambda _sql: None,
    waiting: Callable[[str], None] = lambda _what: None,
    aborted: Callable[[], bool] = lambda: False,
) -> RestorePointMade:
    """Make the point ``rollback_tui_<run8>`` and wait until the repository has its WAL.

    ``sent`` hears each SQL before it goes out, ``waiting`` what is waited for. A point whose WAL
    has not arrived in ``archive_seconds`` is returned as it is, with ``archived`` False. Raises
    CheckpointError when there is no backup to start from or the server makes none.
    """
    began = time.monotonic()
    stanza = pgbackrest.info(settings)
    backup = pgbackrest.newest(stanza, settings)
    name = f"rollback_tui_{run8}"
    try:
        lsn, wal = _made(connection, name, sent)
        places = _places(connection)
        problem = _archived(connection, settings, wal, waiting, aborted)
    except psycopg.Error as error:
        raise CheckpointError(
            f"No restore point was made: {printable(' '.join(str(error).split()))}",
            "As a superuser: GRANT EXECUTE ON FUNCTION pg_create_restore_point(text),"
            ' pg_switch_wal() TO the role; or set [pgbackrest] stanza = "".',
        ) from None
    label = backup.label if backup else ""
    return RestorePointMade(
        provider="pgBackRest",
        stanza=settings.stanza,
        name=name,
        lsn=lsn,
        wal=wal,
        archived=not problem,
        backup=label,
        seconds=round(time.monotonic() - began, 3),
        commands=external_commands(
            settings, name, label, repository=pgbackrest.repository(stanza, settings), places=places
        )
        if label
        else (),
        problem=problem or ("" if label else "there is no backup to start a restore from"),
    )


def _made(connection: Connection, name: str, sent: Callable[[str], None]) -> tuple[str, str]:
    """Make the point and end its WAL segment; return where it is. Raises psycopg.Error."""
    make = f"SELECT pg_catalog.pg_create_restore_point('{name}')"
    sent(make)
    # The segment is named by the server, for its size is the cluster's own.
    row = connection.execute(
        "SELECT p.lsn::text, pg_catalog.pg_walfile_name(p.lsn)"
        " FROM pg_catalog.pg_create_restore_point(%s) AS p (lsn)",
        [name],
    ).fetchone()
    switch = "SELECT pg_catalog.pg_switch_wal()"
    sent(switch)
    connection.execute(switch)
    lsn, wal = row or ("", "")
    return str(lsn), str(wal)


def _places(connection: Connection) -> Places:
    row = connection.execute(_PLACES).fetchone() or (None, None)
    programs = None
    with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
        programs = connection.execute(_PROGRAMS).fetchone()
    return Places(
        data_directory=row[0] or "",
        config_file=row[1] or "",
        programs=programs[0] if programs else "",
    )


def _archived(
    connection: Connection,
    settings: PgBackRest,
    wal: str,
    waiting: Callable[[str], None],
    aborted: Callable[[], bool],
) -> str:
    """Wait until the server has archived ``wal`` and the repository has it; return why not.

    The server's word alone is not enough: its archive_command may go somewhere else.
    """
    deadline = time.monotonic() + settings.archive_seconds
    waiting(f"waiting until {wal} is in the archive")
    while True:
        row = connection.execute(_MAY).fetchone()
        last, failed, failing = row[4:7] if row else (None, None, False)
        late = time.monotonic() > deadline
        if last and _SEGMENT.match(last) and last[:24] >= wal:
            try:
                found = pgbackrest.archived_to(pgbackrest.info(settings), settings)
            except CheckpointError as error:
                return (
                    f"the server archived {wal}, but the repository was not seen: {error.summary}"
                )
            if found >= wal:
                return ""
            if late:
                return f"the server archived {wal}, but the repository ends at {found or 'nothing'}"
        elif late:
            why = f"; it cannot archive {failed}" if failing else ""
            return f"{wal} was not archived in {settings.archive_seconds:g} s{why}"
        if aborted():
            return "nobody waited for its WAL to be archived: the run was aborted"
        time.sleep(_LOOK_SECONDS)


def external_commands(
    settings: PgBackRest,
    name: str,
    backup: str,
    *,
    repository: int = 0,
    places: Places | None = None,
) -> tuple[str, ...]:
    """Return what to type on the database's machine, as the server's user, to bring the whole
    server back to the restore point ``name``, beginning with the backup labelled ``backup``.

    The backup is named because pgBackRest would take the newest: one that was made after the
    point can never reach it. ``--delta`` takes over the data directory as it is. The default
    target action would leave the server paused, and read-only.
    """
    where = places or Places()
    restore = [
        *(settings.restore_command or settings.command),
        f"--stanza={settings.stanza}",
        *(
            [f"--config={settings.config}"]
            if settings.config and not settings.restore_command
            else []
        ),
        *([f"--repo={repository}"] if repository else []),
        "--delta",
        f"--set={backup}",
        *("--type=name", f"--target={name}", "--target-action=promote"),
        "restore",
    ]
    stop, start = settings.stop_command, settings.start_command
    wait: tuple[str, ...] = ()
    if where.data_directory:
        data, pg_ctl = f"--pgdata={where.data_directory}", _program(where, "pg_ctl")
        stop = stop or (pg_ctl, data, "--mode=fast", "--wait", "stop")
        start = start or (pg_ctl, data, *_options(where), "--wait", "--timeout=86400", "start")
        wait = (_program(where, "pg_controldata"), data)
    commands = [shlex.join(command) for command in (stop, restore, start) if command]
    if wait:
        # Started is not there yet: it takes connections as soon as it is consistent, long before
        # it has come to the point.
        look = f"LC_ALL=C {shlex.join(wait)} | grep --quiet 'in production'"
        commands.append(f"until {look}; do sleep 1; done")
    return tuple(commands)


def _program(where: Places, name: str) -> str:
    return f"{where.programs}/{name}" if where.programs else name


def _options(where: Places) -> tuple[str, ...]:
    """Debian keeps the configuration outside of the data directory: the server must be told."""
    if not where.config_file or where.config_file.startswith(where.data_directory + "/"):
        return ()
    return (f"--options=-c config_file={shlex.quote(where.config_file)}",)
