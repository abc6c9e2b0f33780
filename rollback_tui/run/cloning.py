"""The phase ``clone``: a copy of the target behind the closed door, and what becomes of it."""

from __future__ import annotations

import contextlib
import shlex
import time

import psycopg
from psycopg import sql

from rollback_tui.checkpoint import clone as copying
from rollback_tui.core import events as ev
from rollback_tui.core.errors import CheckpointError, ConnectionFailed, RunRefused
from rollback_tui.core.facts import CloneFacts
from rollback_tui.core.text import printable
from rollback_tui.postgres import rename
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.naming import beside_name, marked
from rollback_tui.run.context import Run, summary_of

_GONE_SECONDS = 10.0
_DROP_ATTEMPTS = 5
"""Three seconds in all: a server that was stopped is usually back by then."""

# A worker that was killed leaves its backend copying: the copy becomes visible when it is done,
# and until then the original can be neither renamed nor entered.
_COPYING = """
SELECT pid FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND state = 'active'
  AND starts_with(query, %(beginning)s)
"""


def clone(run: Run, *, needed: bool = False) -> None:
    """Copy the target, where that is configured or ``needed``, between close_door and execute.

    Nobody may be inside meanwhile, so our own connection to the target is closed; the next use
    of it makes a new one. A copy that stands already (of an interrupted run that goes on) is
    kept: it holds what was there before. Without a copy the run goes on, unless the configuration
    says ``required``. Raises RunRefused then, Aborted, or OSError of the journal; nothing has
    been changed.
    """
    wanted = run.settings.checkpoint.clone
    if wanted == "off" and not needed:
        return
    with run.phase("clone") as outcome:
        if run.view.clone is not None:
            outcome.status, outcome.summary = "skipped", f"{run.view.clone.database} stands already"
            return
        try:
            made = _make(run)
            outcome.summary = f"{made.database}, in {made.seconds:.1f} s"
        except (CheckpointError, ConnectionFailed, psycopg.Error) as error:
            _forget(run)
            run.check_abort()
            if wanted == "required":
                raise RunRefused(
                    f"no clone could be made: {summary_of(error)}",
                    'Remove what is in its way, or set [checkpoint] clone = "wanted".',
                ) from None
            outcome.status = "skipped"
            outcome.summary = f"no clone, a recovery would take a pg_restore: {summary_of(error)}"


def _make(run: Run) -> copying.Clone:
    facts = clone_facts(run)
    if facts.obstacle:
        raise CheckpointError(facts.obstacle, facts.remedy)
    maintenance = run.live_maintenance()
    here = rename.place(maintenance, run.target_oid)
    if here is None:
        raise CheckpointError("the target is not there", "Look with: psql -l")
    name = beside_name(run.database, f"__clone_{run.request.run[:8]}")
    if rename.named(maintenance, name) is not None:
        # Once it is journaled as ours it would be dropped.
        raise CheckpointError(f"there is a database {printable(name)} already", "Drop it.")
    # Journaled first: whoever settles this run must know what may be there.
    run.write(
        ev.CloneStarted(
            database=name, estimated_seconds=facts.estimated_seconds, strategy=facts.strategy
        )
    )
    run.close_target()
    limit = run.settings.checkpoint.clone_seconds
    made = copying.make(
        maintenance,
        here.name,
        name,
        strategy=facts.strategy,
        comment=marked("clone", run.database, run.request.run),
        seconds=limit,
        send=lambda connection, text: run.sql(connection, text, limit),
        aborted=run.control.aborted.is_set,
    )
    run.write(
        ev.CloneMade(database=made.database, oid=made.oid, seconds=made.seconds, bytes=made.bytes)
    )
    return made


def clone_facts(run: Run) -> CloneFacts:
    """Ask again, behind the door that was closed. Raises psycopg.Error, CheckpointError."""
    return copying.estimate(
        run.live_maintenance(),
        run.target_oid,
        run.settings.checkpoint,
        door=run.view.door if run.view.door_closed is not None and run.view.door else "none",
    )


def _forget(run: Run) -> None:
    """After a failure: half of a copy is dropped, and the journal says so. What cannot be done
    now (the server is away) is done when the run is settled."""
    if run.view.clone_started is not None:
        with contextlib.suppress(psycopg.Error, ConnectionFailed, CheckpointError):
            stop_cloning(run)
            _drop(run, run.view.clone_started.database)


def stop_cloning(run: Run) -> None:
    """End a copy that is still being made for this run, by whoever was killed meanwhile; before
    the door is opened, for until then the target can be neither renamed nor entered.

    Does nothing when none was begun or it stands. Raises psycopg.Error, ConnectionFailed, or
    CheckpointError when it cannot be ended.
    """
    started = run.view.clone_started
    if started is not None and run.view.clone is None:
        _stop_making(run, started.database)


def _stop_making(run: Run, database: str) -> None:
    """End the backend of whoever was killed while it makes ``database``, and wait for its end:
    before that the catalog does not show what it will leave."""
    deadline = time.monotonic() + _GONE_SECONDS
    while True:
        maintenance = run.live_maintenance()
        beginning = sql.SQL("CREATE DATABASE {} ").format(sql.Identifier(database))
        values = {"beginning": beginning.as_string(maintenance)}
        pids = [pid for (pid,) in maintenance.execute(_COPYING, values).fetchall()]
        if not pids:
            return
        if time.monotonic() > deadline:
            raise CheckpointError(
                f"{database} is still being made by the backend {pids[0]}",
                f"As a superuser: SELECT pg_terminate_backend({pids[0]});",
            )
        maintenance.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) pid", [pids])
        time.sleep(0.02)


def drop_clone(run: Run) -> None:
    """Drop the copy, or the half of one, that this run does not need any more. Idempotent.

    After a good end; when the operator is needed it is kept. Best effort, and after the door is
    open: it changes no outcome, and what stays is shown by the check ``leftovers`` and removed by
    ``rollback-tui checkpoint prune``.
    """
    started = run.view.clone_started
    if started is None:
        return
    if drop_beside(run, started.database, making=run.view.clone is None):
        run.write(ev.CloneDropped(database=started.database))


def drop_beside(run: Run, database: str, *, making: bool) -> bool:
    """Drop ``database``, which stands beside the target, or half of it: ``making``, somebody who
    was killed may be at it still. Best effort; tried again when the server was away. Returns
    whether it is gone."""
    error: Exception | None = None
    for attempt in range(_DROP_ATTEMPTS):
        try:
            if making:
                _stop_making(run, database)
            _drop(run, database)
            return True
        except (psycopg.Error, ConnectionFailed, CheckpointError) as failure:
            error = failure
        # A server that stopped just now is back in a moment.
        time.sleep(0.2 * 2**attempt)
    run.write(
        ev.Progress(
            phase="aftercare",
            summary=f"{database} is still there: {summary_of(error) if error else ''};"
            " see `rollback-tui checkpoint prune`",
        )
    )
    return False


def _drop(run: Run, name: str) -> None:
    """Drop by name, unless it is by now the target itself."""
    maintenance = run.live_maintenance()
    there = rename.named(maintenance, name)
    if there is not None:
        if there.oid == run.target_oid:
            raise CheckpointError(f"{name} is the target now", "It is not dropped.")
        run.sql(maintenance, drop_statement(maintenance, name))


def drop_statement(connection: Connection, name: str) -> str:
    """Return what drops a database, whoever is inside (FORCE is of 13)."""
    text = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    return text.as_string(connection)


def clone_commands(run: Run) -> tuple[str, ...]:
    """Return what the operator may type about the copy that was kept; nothing without one."""
    standing, started = run.view.clone, run.view.started
    if standing is None or started is None:
        return ()
    # Spelt out: where it is pasted, the environment may lead to another server.
    where = {
        "-h": started.target.host,
        "-p": str(started.target.port),
        "-U": started.target.user,
        "-d": run.settings.connection.maintenance_database,
    }
    psql = " ".join(f"{option} {shlex.quote(printable(value))}" for option, value in where.items())
    allow = f"ALTER DATABASE {_quoted(standing.database)} ALLOW_CONNECTIONS true"
    return (
        f"psql {psql} -c {shlex.quote(printable(allow))}   # the database as it was before the run",
        "rollback-tui checkpoint prune   # lists it; with --yes drops it",
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
