"""What a scratch database is filled with: the schema, a checkpoint, or all of the target."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence, Set
from pathlib import Path

import humanize
import psycopg
from psycopg import sql

from rollback_tui.checkpoint import clone as copying
from rollback_tui.checkpoint import make as checkpoints
from rollback_tui.checkpoint import proof, restore
from rollback_tui.checkpoint.facts import checkpoint_directory, missing
from rollback_tui.checkpoint.listing import ListedCheckpoint, list_checkpoints
from rollback_tui.checkpoint.snapshot import Snapshot, held
from rollback_tui.checkpoint.storage import now
from rollback_tui.checkpoint.verify import verify
from rollback_tui.core.errors import CheckpointError, RollbackTuiError, ToolFailed
from rollback_tui.core.text import data_size, printable
from rollback_tui.postgres import counts
from rollback_tui.postgres.connect import Connection, connect
from rollback_tui.postgres.leftovers import size
from rollback_tui.postgres.server_tools import (
    Tool,
    child_environment,
    find_tool,
    parameters_of,
    run_tool,
    tools,
)
from rollback_tui.rehearsal import books
from rollback_tui.rehearsal.order import APPLICATION, Order, Stopped, words_of
from rollback_tui.rehearsal.own_server import OwnServer
from rollback_tui.rehearsal.scratch import Beside

_DUMPER = "rollback_tui pg_dump"
_ARCHIVE = "schema.dump"


# --- the schema alone -----------------------------------------------------------------------------


def with_schema(order: Order, scratch: Beside | OwnServer) -> None:
    """Dump the schema of the target into the scratch database; of the rows only those of the
    framework's own tables, which the plan changes. Raises RollbackTuiError or psycopg.Error."""
    major = scratch.original.target.major
    dumper = _tool("pg_dump", major)
    loader = _tool("pg_restore", max(dumper.major, scratch.server_version // 10000))
    settings = order.settings.checkpoint
    with (
        tempfile.TemporaryDirectory(prefix="rollback_tui-") as folder,
        held(order.dsn, settings.lock_wait_seconds, order.seconds) as snapshot,
    ):
        archive = Path(folder) / _ARCHIVE
        order.say("dumping the schema")
        _dump_schema(order, dumper, archive, snapshot)
        kept = books.read(snapshot.connection, order.plan)
        empty = {name.replace('"', "") for name in snapshot.unpopulated_views}
        # Nothing is held on the target any longer than it takes to read it.
        snapshot.connection.close()
        order.say("restoring")
        restore.load(
            archive,
            scratch.admin_dsn,
            loader,
            options=("--no-subscriptions",),
            seconds=order.seconds,
            aborted=order.stop.is_set,
        )
        _fill(order, scratch, kept, empty)


def _tool(name: str, major: int) -> Tool:
    found = find_tool(name, major)
    if found is None:
        raise RollbackTuiError(
            f"No scratch database can be made: {missing(name, major, tools(name))}",
            f"Install the client programs of PostgreSQL {major} (postgresql-client-{major}).",
        )
    return found


def _dump_schema(order: Order, tool: Tool, archive: Path, snapshot: Snapshot) -> None:
    used = parameters_of(snapshot.connection)
    arguments = [
        *(tool.path, "--schema-only", "--format=custom", f"--file={archive}"),
        *("--no-password", "--no-subscriptions", "--verbose"),
        f"--lock-wait-timeout={round(order.settings.checkpoint.lock_wait_seconds * 1000)}",
        f"--snapshot={snapshot.identifier}",
        *snapshot.left_out,
    ]
    try:
        with child_environment(used, application=_DUMPER) as environment:
            run_tool(
                arguments,
                environment=environment,
                seconds=order.seconds,
                aborted=order.stop.is_set,
                secret=used.get("password", ""),
            )
    except ToolFailed as error:
        if order.stop.is_set():
            raise Stopped from None
        raise RollbackTuiError(
            f"The schema could not be dumped: {error.summary}", error.remedy
        ) from None


# With whether filling it stays here: it reads no table of another server, not even through views
# and partitions, and calls no function of a user that may do something or answer anything.
_VIEWS = """
WITH RECURSIVE reads (view, oid) AS (
  SELECT c.oid, c.oid FROM pg_catalog.pg_class c WHERE c.relkind = 'm' AND NOT c.relispopulated
  UNION
  SELECT r.view, below.oid FROM reads r, LATERAL (
    SELECT d.refobjid
      FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_depend d ON d.objid = w.oid
     WHERE w.ev_class = r.oid AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
       AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    UNION ALL
    SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = r.oid
  ) below (oid)
)
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname),
       NOT EXISTS (
         SELECT FROM reads r JOIN pg_catalog.pg_class f ON f.oid = r.oid AND f.relkind = 'f'
          WHERE r.view = c.oid)
       AND NOT EXISTS (
         SELECT FROM reads r
           JOIN pg_catalog.pg_rewrite w ON w.ev_class = r.oid
           JOIN pg_catalog.pg_depend d ON d.objid = w.oid
            AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
            AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
           JOIN pg_catalog.pg_proc p ON p.oid = d.refobjid AND p.provolatile <> 'i'
           JOIN pg_catalog.pg_namespace s ON s.oid = p.pronamespace
          WHERE r.view = c.oid AND s.nspname <> 'pg_catalog')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'm' AND NOT c.relispopulated ORDER BY c.oid
"""


def _fill(
    order: Order,
    scratch: Beside | OwnServer,
    kept: Mapping[str, Sequence[bytes]],
    empty: Set[str],
) -> None:
    """Give the framework's tables their rows, and fill materialised views (from empty tables): one
    that was never filled refuses what the target's does not. ``empty``: those that are to stay."""
    opened = connect(scratch.admin_dsn, application=APPLICATION, patience=order.patience)
    with contextlib.closing(opened) as connection:
        books.write(connection, kept)
        for name, stays in connection.execute(_VIEWS).fetchall():
            if not stays:
                order.note(f"{name} is not filled: that would ask another server, or a function")
            elif name.replace('"', "") not in empty:
                with contextlib.suppress(psycopg.Error):
                    connection.execute(
                        sql.SQL("REFRESH MATERIALIZED VIEW {}").format(sql.SQL(name))
                    )


# --- room -----------------------------------------------------------------------------------------


def room(order: Order, scratch: Beside | OwnServer) -> None:
    """Raise RollbackTuiError where the target's data would fill a disk, as far as that is seen, or
    keep connections waiting for longer than a clone may."""
    known = scratch.original.bytes
    if isinstance(scratch, OwnServer):
        free: int | None = shutil.disk_usage(tempfile.gettempdir()).free
        whose = "this machine's"
    else:
        oid = scratch.original.target.database_oid
        facts = copying.estimate(scratch.maintenance, oid, order.settings.checkpoint, door="rename")
        free, whose = facts.free_bytes, "the server's"
        takes, limit = facts.estimated_seconds, facts.limit_seconds
        if order.source == "clone" and takes is not None and takes > limit:
            raise RollbackTuiError(
                f"A copy would take about {takes:,.0f} s (estimate), allowed are {limit:,.0f} s:"
                " whoever connects meanwhile waits",
                "Rehearse from a checkpoint: --from dump. Or raise [checkpoint] clone_seconds.",
            )
    if known is not None and free is not None and free < known * copying.HEADROOM:
        raise RollbackTuiError(
            f"{whose} disk has {data_size(free)} free, a scratch database"
            f" with the data needs {data_size(known)} and a tenth",
            "Make room, or rehearse on the schema alone: --from schema.",
        )


# --- a checkpoint --------------------------------------------------------------------------------


def with_checkpoint(order: Order, scratch: Beside | OwnServer) -> None:
    """Restore the newest checkpoint of this target and version, or a new one, and compare it with
    its manifest: then it is proven. The database must not be there yet.

    Raises RollbackTuiError.
    """
    found = _newest(order, scratch)
    if found is not None:
        try:
            _restore(order, scratch, Path(found.path))
            age = humanize.naturaldelta(found.age)
            order.note(f"checkpoint {found.name} is {age} old: what was written since is not in it")
            return
        except CheckpointError as error:
            if order.stop.is_set():
                raise Stopped from None
            _must_be_bad(Path(found.path), error)
            order.note(f"checkpoint {found.name} was not used: {error.summary}")
    _restore(order, scratch, _made(order, scratch))


def _must_be_bad(checkpoint: Path, error: CheckpointError) -> None:
    """Raise ``error`` again unless it is the checkpoint that is damaged: then another helps."""
    try:
        verify(checkpoint)
    except CheckpointError:
        return
    raise error


def _newest(order: Order, scratch: Beside | OwnServer) -> ListedCheckpoint | None:
    """Return the newest complete checkpoint of this very target at its present version."""
    directory = checkpoint_directory(order.settings.checkpoint, order.project)
    for one in list_checkpoints(directory):
        if (one.state, one.fingerprint, one.migration_version) == (
            "complete",
            scratch.original.target.fingerprint,
            order.plan.current,
        ):
            return one
    return None


def _made(order: Order, scratch: Beside | OwnServer) -> Path:
    """Make a checkpoint now."""
    order.say("making a checkpoint: there is none of this version")
    with contextlib.closing(connect(order.dsn, application=APPLICATION)) as connection:
        tables = counts.tables(connection)
    try:
        made = checkpoints.make(
            order.dsn,
            order.settings.checkpoint,
            target=scratch.original.target,
            plan=order.plan,
            tables=tables,
            project=order.project,
            progress=order.progress,
            aborted=order.stop.is_set,
        )
    except CheckpointError:
        if order.stop.is_set():
            raise Stopped from None
        raise
    return Path(made.path)


def _restore(order: Order, scratch: Beside | OwnServer, checkpoint: Path) -> None:
    order.say(f"restoring checkpoint {checkpoint.name}")
    mark = ""
    like = None
    if isinstance(scratch, Beside):
        mark = scratch.mark
        scratch.removed = False
    else:
        like = scratch.like
        with contextlib.closing(connect(scratch.maintenance_dsn)) as maintenance:
            scratch.clear(maintenance)
    restore.restore_beside(
        checkpoint,
        scratch.admin_dsn,
        scratch.maintenance_dsn,
        scratch.database,
        progress=order.progress,
        aborted=order.stop.is_set,
        fingerprint=scratch.original.target.fingerprint,
        comment=mark,
        jobs=order.settings.checkpoint.jobs,
        seconds=order.seconds,
        like=like,
        subscriptions=False,
    )
    order.say("comparing with its manifest")
    comparison = restore.compared(
        checkpoint,
        scratch.admin_dsn,
        subscriptions=False,
        same_server=isinstance(scratch, Beside),
    )
    found = comparison.differences
    wrong = [difference for difference in found if difference.kind != "not counted"]
    if wrong:
        raise RollbackTuiError(
            f"The checkpoint {printable(str(checkpoint))} came back, but not as it was kept:"
            f" {wrong[0].summary}" + (f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""),
            "Do not rely on it. Make another: `rollback-tui checkpoint create`.",
        )
    if found:
        order.note(f"checkpoint {checkpoint.name} is not proven: {found[0].summary}")
        return
    proof.record(checkpoint, comparison, server_version=scratch.server_version, at=now())
    scratch.proven = str(checkpoint)


# --- a copy of the target -------------------------------------------------------------------------

_INSIDE = """
SELECT a.pid, coalesce(nullif(a.application_name, ''), '-'), coalesce(a.usename, '-'),
       coalesce(a.state, '?')
  FROM pg_catalog.pg_stat_activity a
 WHERE a.datname = %s AND a.usesysid IS NOT NULL ORDER BY a.backend_start
"""
_SHOWN = 5
_LEAVE_SECONDS = 1.0
"""A session that was closed just now, ours perhaps, is still seen for a moment."""


def with_copy(order: Order, scratch: Beside) -> None:
    """Copy the target, which nobody may be connected to meanwhile. Raises RollbackTuiError."""
    name = scratch.original.target.database
    connection = scratch.maintenance
    order.say("copying the target")
    _nobody_inside(scratch)
    scratch.removed = False
    try:
        known = size(connection, scratch.original.target.database_oid)
        copying.make(
            connection,
            name,
            scratch.database,
            strategy=copying.strategy(scratch.original.target.major, known or 0),
            comment=scratch.mark,
            seconds=order.settings.checkpoint.clone_seconds,
            send=_send,
            aborted=order.stop.is_set,
        )
        connection.execute(
            sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(
                sql.Identifier(scratch.database)
            )
        )
    except CheckpointError as error:
        if order.stop.is_set():
            raise Stopped from None
        _nobody_inside(scratch)
        raise RollbackTuiError(
            f"No copy of the target can be made: {error.summary}",
            "Rehearse from a checkpoint: --from dump.",
        ) from None
    except psycopg.Error as error:
        raise RollbackTuiError(
            f"No copy of the target can be made: {words_of(error)}",
            "Rehearse from a checkpoint: --from dump.",
        ) from None


def _send(connection: Connection, text: str) -> None:
    connection.execute(text.encode())


def _nobody_inside(scratch: Beside) -> None:
    """Raise RollbackTuiError, naming them, when somebody is connected to the target and stays."""
    name = scratch.original.target.database
    deadline = time.monotonic() + _LEAVE_SECONDS
    while inside := scratch.maintenance.execute(_INSIDE, [name]).fetchall():
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    if not inside:
        return
    named = "; ".join(
        printable(f"pid {pid} {application} {user} {state}")
        for pid, application, user, state in inside[:_SHOWN]
    )
    more = f", and {len(inside) - _SHOWN} more" if len(inside) > _SHOWN else ""
    count = f"{len(inside)} session{'s are' if len(inside) > 1 else ' is'}"
    raise RollbackTuiError(
        f"A copy can be made only while nobody is connected; {count}: {named}{more}",
        "Rehearse from a checkpoint: --from dump. It takes no connection away.",
    )
