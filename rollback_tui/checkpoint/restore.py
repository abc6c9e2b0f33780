"""Restore a checkpoint into a new database beside, and prove that it is the one that was kept.

Never in place: while the restore goes on, and if it fails half-way, the damaged database is as
it was, and only the new one is lost. :mod:`rollback_tui.checkpoint.swap` puts it in place.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from rollback_tui.checkpoint import manifest as mf
from rollback_tui.checkpoint.compare import Difference as Difference
from rollback_tui.checkpoint.compare import compare as compare
from rollback_tui.checkpoint.compare import compared as compared
from rollback_tui.checkpoint.compare import words
from rollback_tui.checkpoint.properties import create_statement
from rollback_tui.checkpoint.verify import READ_SECONDS, restore_tool, verify
from rollback_tui.core.errors import CheckpointError, ToolFailed
from rollback_tui.core.text import printable
from rollback_tui.postgres.connect import Connection, connect, with_database
from rollback_tui.postgres.naming import NAME_BYTES as NAME_BYTES
from rollback_tui.postgres.naming import beside_name as beside_name
from rollback_tui.postgres.server_tools import (
    Tool,
    child_environment,
    database_argument,
    parameters,
    run_tool,
)

Progress = Callable[[str, int, int], None]
"""(what is going on, done, total)."""

_LOCAL = "SET synchronous_commit = local; SET default_transaction_read_only = off"
"""A synchronous standby that is away must not keep the database from coming back: until the swap
nobody has been promised anything of it. Nor must a role that is read-only by default."""

_OPTIONS = "-c synchronous_commit=local -c default_transaction_read_only=off"
"""Likewise, for pg_restore."""

_ON_TOP = 60.0
"""Seconds beyond a deadline after which a connection itself is given up: what comes first ends
the work in good order, and what is half made is dropped over this very connection."""

_TABLE = re.compile(r'processing data for table "(.*)$')

_REMEDIES = (
    ("must be superuser", "Restore as a superuser: the checkpoint holds what needs one."),
    ("must be owner", "Restore as a superuser, or as a member of every role that owns something."),
    ("must be member of role", "Restore as a superuser, or become a member of that role."),
    ("must be able to SET ROLE", "Restore as a superuser, or become a member of that role."),
    ("permission denied", "Restore as a superuser, or as the owner of everything in it."),
    ("No space left", "Free space on the server."),
    ("role ", "Create the roles that are missing on this server, then try again."),
)


def restore_beside(
    checkpoint: Path,
    dsn: str,
    maintenance_dsn: str,
    new_database: str,
    *,
    progress: Progress = lambda _summary, _done, _total: None,
    aborted: Callable[[], bool] = lambda: False,
    fingerprint: str | None = None,
    comment: str = "",
    jobs: int = 2,
    seconds: float = READ_SECONDS,
    like: mf.DatabaseProperties | None = None,
    subscriptions: bool = True,
) -> None:
    """Verify ``checkpoint``, create ``new_database`` like its original, and load it.

    ``comment`` is put on it, until a swap replaces it by the original's. ``like`` describes the
    new database where it cannot be as the original: on another machine. Without
    ``subscriptions`` those are left out: dropping one reaches the server it is subscribed to.

    ``dsn`` names server and role (its database does not matter); ``maintenance_dsn`` leads to
    another database of the same server. Raises CheckpointError or ConnectionFailed; then the new
    database is gone, and nothing else was touched.
    """
    progress("verifying the checkpoint", 0, 1)
    verified = verify(checkpoint, fingerprint=fingerprint, aborted=aborted, seconds=seconds)
    manifest = verified.manifest
    _checked_name(new_database)
    with contextlib.closing(connect(maintenance_dsn, patience=seconds + _ON_TOP)) as maintenance:
        maintenance.execute(_LOCAL)
        restore_tool(manifest, maintenance.info.server_version // 10000)
        create(maintenance, like or manifest.database, new_database)
        try:
            if comment:
                mark = sql.SQL("COMMENT ON DATABASE {} IS {}")
                named = sql.Identifier(new_database)
                maintenance.execute(mark.format(named, sql.Literal(comment)))
            target = with_database(dsn, new_database)
            _load(
                checkpoint,
                manifest,
                target,
                progress,
                aborted,
                options=(f"--jobs={jobs}", *(() if subscriptions else ("--no-subscriptions",))),
                seconds=seconds,
            )
            progress("collecting statistics", 0, 1)
            _analyze(target, seconds)
        except BaseException:
            drop_database(maintenance, new_database)
            raise


def _checked_name(name: str) -> None:
    if not name or len(name.encode()) > NAME_BYTES:
        raise CheckpointError(
            f"{printable(name) or 'an empty name'} cannot be the name of a database",
            f"Use 1 to {NAME_BYTES} bytes.",
        )


def create(maintenance: Connection, properties: mf.DatabaseProperties, name: str) -> None:
    """Create the empty database ``name`` with owner, encoding and locale of ``properties``.

    Raises CheckpointError.
    """
    major = maintenance.info.server_version // 10000
    statement = create_statement(properties, sql.Identifier(name), major)
    try:
        maintenance.execute(statement)
    except psycopg.Error as error:
        remedies: dict[type[psycopg.Error], str] = {
            psycopg.errors.DuplicateDatabase: "Choose another name; nothing was changed.",
            psycopg.errors.InsufficientPrivilege: "The role needs CREATEDB and must be the owner, "
            "a member of it, or a superuser.",
            psycopg.errors.UndefinedObject: "Create the owner, or the tablespace, on this server.",
        }
        raise CheckpointError(
            f"{printable(name)} cannot be created: {printable(words(error))}",
            remedies.get(type(error), "Its own words say what is wrong."),
        ) from None


def _load(
    checkpoint: Path,
    manifest: mf.Manifest,
    dsn: str,
    progress: Progress,
    aborted: Callable[[], bool],
    *,
    options: Sequence[str],
    seconds: float,
) -> None:
    """Load the dump of a checkpoint; its tables are the progress."""
    with contextlib.closing(connect(dsn, patience=seconds + _ON_TOP)) as connection:
        tool = restore_tool(manifest, connection.info.server_version // 10000)
    total = len(manifest.tables)
    shown = {table.name.partition("\n")[0]: table.name for table in manifest.tables}
    done = 0

    def line_came(line: str) -> None:
        nonlocal done
        match = _TABLE.search(line)
        if match:
            done += 1
            name = match.group(1).removesuffix('"')
            progress(f"loading {printable(shown.get(name, name))}", min(done, total), total)

    archive = checkpoint.resolve() / mf.DUMP
    load(archive, dsn, tool, options=options, seconds=seconds, on_line=line_came, aborted=aborted)


def load(
    archive: Path,
    dsn: str,
    tool: Tool,
    *,
    options: Sequence[str],
    seconds: float,
    on_line: Callable[[str], None] = lambda _line: None,
    aborted: Callable[[], bool] = lambda: False,
) -> None:
    """Run pg_restore with owners and privileges, stopping at the first error.

    ``options`` go to it beside the usual ones. Raises CheckpointError or ConnectionFailed.
    """
    used = parameters(dsn)
    used["options"] = f"{used.get('options', '')} {_OPTIONS}".strip()
    arguments = [
        *(tool.path, "--exit-on-error", "--verbose", "--no-password", *options),
        f"--dbname={database_argument(used['dbname'])}",
        *("--", str(archive)),
    ]
    try:
        with child_environment(used, application="rollback_tui pg_restore") as environment:
            run_tool(
                arguments,
                environment=environment,
                seconds=seconds,
                on_line=on_line,
                aborted=aborted,
                remedies=_REMEDIES,
                secret=used.get("password", ""),
            )
    except ToolFailed as error:
        raise CheckpointError(error.summary, error.remedy) from None


def _analyze(dsn: str, seconds: float) -> None:
    """Collect statistics, without which the planner guesses; what we may not, stays without."""
    with contextlib.closing(connect(dsn, patience=seconds + _ON_TOP)) as connection:
        try:
            connection.execute("SET statement_timeout = 0")
            connection.execute(_LOCAL)
            connection.execute("ANALYZE")
        except psycopg.Error as error:
            raise CheckpointError(
                f"The restored database could not be analysed: {printable(words(error))}",
                "Its own words say what is wrong.",
            ) from None


def drop_database(maintenance: Connection, name: str) -> None:
    """Drop a database that we created; an error here never hides the one before it.

    FORCE (from 13) ends the sessions that a killed pg_restore may have left behind.
    """
    with contextlib.suppress(psycopg.Error):
        maintenance.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )
