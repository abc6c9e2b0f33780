"""Bring the database back: a clone swapped in, or the dump restored beside, compared, swapped in.

Nothing is ever restored in place, and the failed database is kept under another name.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from rollback_tui.checkpoint import restore, swap
from rollback_tui.core import events as ev
from rollback_tui.core import schema
from rollback_tui.core.errors import CheckpointError, ConnectionFailed, RollbackTuiError
from rollback_tui.core.model import Checkpoint
from rollback_tui.core.text import printable
from rollback_tui.postgres import counts, rename
from rollback_tui.postgres.connect import APPLICATION, Connection, connect, with_database
from rollback_tui.postgres.naming import beside_name, marked
from rollback_tui.postgres.watchdog import answer_within
from rollback_tui.run.cloning import drop_statement
from rollback_tui.run.context import Run, summary_of
from rollback_tui.run.execution import look

_OVER_SECONDS = 15.0
_END_SECONDS = 5.0
"""A swap that goes on is given so long before its backend is ended."""

_SHOWN = 3


def recover(run: Run) -> bool:
    """Bring back what was there before the first statement; the door must be shut.

    With a clone that stands: swap it in, then prove by looking that it is what the run found.
    Without one, or where it is missing: the dump. Returns False when a step failed; every step
    is in the journal, with what went wrong. May be called again after an interruption: a swap
    that happened is not made twice.
    """
    with run.phase("recover") as outcome:
        if settle_swap(run) or (run.view.clone is not None and _from_clone(run)):
            proven = _step(run, "compare with before", lambda: _prove(run))
        else:
            proven = _from_dump(run)
        if not proven:
            outcome.status = "failed"
        return proven


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


def _from_clone(run: Run) -> bool:
    """Swap the clone in; False when it is missing or cannot be, and then nothing was renamed."""
    clone = run.view.clone
    if clone is None:
        return False

    def swap_in() -> str:
        there = rename.place(run.live_maintenance(), clone.oid)
        if there is None:
            raise CheckpointError(f"the clone {printable(clone.database)} is not there", "")
        return _swap_in(run, there.name, clone.oid)

    return _step(run, "swap in the clone", swap_in)


def _from_dump(run: Run) -> bool:
    """Restore the checkpoint into a new database beside, compare it, and swap it in.

    The application served until the door closed, after the dump: rows that came or went in
    between are in what the run found, and are never restored away without being asked.
    """
    made = run.view.checkpoint
    if made is None:
        text = "there is no checkpoint"
        run.write(ev.RecoveryStep(name="restore checkpoint", ok=False, seconds=0.0, summary=text))
        return False
    beside = beside_name(run.database, f"__restored_{run.request.run[:8]}")
    return (
        _step(run, "restore checkpoint", lambda: _restore(run, made, beside))
        and _step(run, "compare with the manifest", lambda: _compare(run, made, beside))
        and _step(run, "swap in", lambda: _swap_in(run, beside, _number(run, beside)))
    )


def _restore(run: Run, made: Checkpoint, beside: str) -> str:
    maintenance = run.live_maintenance()
    if rename.named(maintenance, beside) is not None:
        # Of this run, interrupted while it restored: nobody knows how far that had come.
        run.sql(maintenance, drop_statement(maintenance, beside))

    def progress(summary: str, done: int, total: int) -> None:
        run.write(ev.Progress(phase="recover", summary=summary, done=done, total=total))

    restore.restore_beside(
        Path(made.path),
        run.request.dsn,
        run.maintenance_dsn,
        beside,
        progress=progress,
        fingerprint=made.fingerprint,
        comment=marked("restored", run.database, run.request.run),
        jobs=run.settings.checkpoint.jobs,
    )
    return f"restored into {printable(beside)}"


def _compare(run: Run, made: Checkpoint, beside: str) -> str:
    dsn, limit = with_database(run.request.dsn, beside), run.settings.verify.count_seconds
    found = restore.compare(Path(made.path), dsn)
    if found:
        raise CheckpointError(f"not as the manifest says: {_some([d.summary for d in found])}", "")
    with contextlib.closing(connect(dsn, patience=run.patience(limit))) as connection:
        restored = counts.count_all(connection, limit)
    lost = [
        f"{printable(table)}: {restored.get(table)} rows restored, {rows} before the run"
        for table, rows in _rows_before(run).items()
        if rows is None or restored.get(table) != rows
    ]
    if lost:
        raise CheckpointError(f"written since the checkpoint was made: {_some(lost)}", "")
    return "as the manifest says, and as it was when the run began"


def _number(run: Run, name: str) -> int:
    there = rename.named(run.live_maintenance(), name)
    if there is None:
        raise CheckpointError(f"{printable(name)} is not there", "")
    return there.oid


def _swap_in(run: Run, new: str, new_oid: int) -> str:
    """Put a database in the target's place. Behind the door the target has another name."""
    here = rename.place(run.live_maintenance(), run.target_oid)
    if here is None:
        raise CheckpointError("the target is not there", "Look with: psql -l")
    kept = beside_name(run.database, f"__failed_{run.request.run[:8]}")
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
        run.write(ev.Swapped(new_oid=new_oid, kept=kept))
    return f"{printable(new)} has taken its place; the failed one is kept as {printable(kept)}"


def _prove(run: Run) -> str:
    """Compare schema and rows of the database that is in place now with what the run found.

    Raises CheckpointError with the differences, or when nobody knows what was there.
    """
    connection = run.live_target()
    uncounted, found = _differences(run, connection)
    if found:
        raise CheckpointError(f"not as before: {_some(found)}", "")
    text = "schema and rows as when the run began"
    if uncounted:
        text += f"; not counted in time, but copied with the rest: {_some(uncounted)}"
    return text


def _differences(run: Run, connection: Connection) -> tuple[list[str], list[str]]:
    """Return the tables that were not counted, and what is different."""
    with answer_within(connection, run.patience(run.settings.verify.count_seconds)):
        now = look(run, connection)
    before, captured = run.before, run.view.captured
    if before is not None:
        found = [d.describe() for d in schema.diff(before.schema, now.schema)]
    elif captured is not None:
        same = captured.schema_sha256 == now.schema.fingerprint
        found = [] if same else ["the schema is not the one that the run found"]
    else:
        return [], ["nobody knows what was there before the run"]
    uncounted = []
    for table, rows in _rows_before(run).items():
        counted = now.rows.get(table)
        if rows is None or (counted is None and table in now.rows):
            uncounted.append(printable(table))
        elif counted != rows:
            found.append(f"{printable(table)}: {rows} rows before, {counted} now")
    return uncounted, found


def _rows_before(run: Run) -> dict[str, int | None]:
    """Rows by table as the run found them: in memory, or (another process) in the journal.

    Raises CheckpointError when nobody knows.
    """
    if run.before is not None:
        return run.before.rows
    if run.view.captured is not None:
        return {row.table: row.before for row in run.view.captured.rows}
    raise CheckpointError("nobody knows what was there before the run", "Compare by hand.")


def _some(lines: list[str]) -> str:
    more = len(lines) - _SHOWN
    return "; ".join(lines[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _step(run: Run, name: str, step: Callable[[], str]) -> bool:
    began = time.monotonic()
    try:
        summary, ok = step(), True
    except (RollbackTuiError, psycopg.Error) as error:
        summary, ok = summary_of(error), False
    seconds = round(time.monotonic() - began, 3)
    run.write(ev.RecoveryStep(name=name, ok=ok, seconds=seconds, summary=summary))
    return ok
