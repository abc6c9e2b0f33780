"""Put another database in the target's place; and find out whether that has happened.

The swap itself is one transaction (:mod:`rollback_tui.checkpoint.swap`). Before it the target is
the one that the run began on, after it the other, and the catalog says which, whoever died.
"""

from __future__ import annotations

import contextlib
import time

import psycopg

from rollback_tui.checkpoint import swap
from rollback_tui.core import events as ev
from rollback_tui.core.errors import CheckpointError, ConnectionFailed
from rollback_tui.core.text import printable
from rollback_tui.postgres import rename
from rollback_tui.postgres.connect import APPLICATION
from rollback_tui.postgres.naming import beside_name, marked
from rollback_tui.postgres.since import next_xid
from rollback_tui.run.context import Run

_OVER_SECONDS = 15.0
_END_SECONDS = 5.0
"""A swap that goes on is given so long before its backend is ended."""


def settle_swap(run: Run) -> bool:
    """Return whether a swap of this run has happened, as the catalog says; journaled when that
    was not known yet. To be asked before the door is opened: the target may be another database.

    Raises psycopg.Error, ConnectionFailed, or CheckpointError when it is not decided in time.
    """
    if run.view.swapped is not None:
        return True
    started = run.view.swap_started
    if started is None:
        return False
    _wait_until_over(run, started.new_oid)
    there = rename.place(run.live_maintenance(), started.new_oid)
    if there is None or there.name == started.new:
        return False
    run.write(ev.Swapped(new_oid=started.new_oid, kept=started.kept))
    return True


# A backend that renames (or commits it) holds this lock until it is over; it may outlive the
# worker that was killed for a moment. Before it has the lock, nobody will send it the COMMIT.
_RENAMING = """
SELECT pid FROM pg_locks
WHERE locktype = 'object' AND classid = 'pg_database'::regclass AND objid = %s
  AND mode = 'AccessExclusiveLock' AND pid <> pg_backend_pid()
"""

# Ours only: somebody at work on that database by hand is not ended.
_END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = ANY(%s::int[]) AND usename = current_user AND application_name = %s
"""


def _wait_until_over(run: Run, oid: int) -> None:
    """Wait for it, and end it where it does not end by itself: its client may be gone unnoticed.
    One that is at its COMMIT is not cut short by that. Raises CheckpointError or psycopg.Error."""
    began = time.monotonic()
    while pids := [row[0] for row in run.live_maintenance().execute(_RENAMING, [oid])]:
        waited = time.monotonic() - began
        if waited > _OVER_SECONDS:
            raise CheckpointError(
                f"a swap is not over yet: the backend {pids[0]} holds its lock",
                f"As a superuser: SELECT pg_terminate_backend({pids[0]});",
            )
        if waited > _END_SECONDS:
            run.live_maintenance().execute(_END, [pids, APPLICATION])
        time.sleep(0.02)


def kept_name(run: Run) -> str:
    """Return the name under which the database is kept that is replaced."""
    return beside_name(run.database, f"__failed_{run.request.run[:8]}")


def swap_in(run: Run, new: str, new_oid: int) -> str:
    """Put a database in the target's place and return what was done, in words. Behind the door the
    target has another name. Raises CheckpointError, ConnectionFailed or psycopg.Error."""
    here = rename.place(run.live_maintenance(), run.target_oid)
    if here is None:
        raise CheckpointError("the target is not there", "Look with: psql -l")
    kept = kept_name(run)
    # Journaled first: if we die in between, the catalog says whether it happened.
    run.write(ev.SwapStarted(new=new, new_oid=new_oid, kept=kept))
    run.close_target()
    try:
        swap.swap(
            run.maintenance_dsn,
            here.name,
            new,
            kept,
            kept_comment=marked("failed", run.database, run.request.run),
        )
    except (CheckpointError, ConnectionFailed):
        # The server may have gone away with the answer to COMMIT only.
        if not settle_swap(run):
            raise
    else:
        run.write(ev.Swapped(new_oid=new_oid, kept=kept, xid=_boundary(run)))
    return f"{printable(new)} has taken its place; the failed one is kept as {printable(kept)}"


def _boundary(run: Run) -> str:
    """Behind the closed door nobody has written to the new one yet."""
    with contextlib.suppress(psycopg.Error, ConnectionFailed):
        return next_xid(run.live_maintenance())
    return ""


def number(run: Run, name: str) -> int:
    """Return the number of the database ``name``. Raises CheckpointError when it is not there."""
    there = rename.named(run.live_maintenance(), name)
    if there is None:
        raise CheckpointError(f"{printable(name)} is not there", "Look with: psql -l")
    return there.oid
