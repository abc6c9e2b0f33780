"""Bring the database back inside a run that failed half-way: a clone swapped in, or the dump
restored beside, compared, swapped in; then repaired and verified.

Nothing is ever restored in place, and the failed database is kept under another name.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path

from rollback_tui.checkpoint import restore
from rollback_tui.core import events as ev
from rollback_tui.core import schema
from rollback_tui.core.errors import CheckpointError
from rollback_tui.core.model import Checkpoint
from rollback_tui.core.text import printable
from rollback_tui.postgres import catalog, contents, counts, rename
from rollback_tui.postgres.connect import Connection, connect, with_database
from rollback_tui.postgres.contents import Reading
from rollback_tui.postgres.differing import Differing, differing
from rollback_tui.postgres.naming import beside_name, marked
from rollback_tui.postgres.since import LARGE_OBJECTS, has_large_objects
from rollback_tui.postgres.watchdog import answer_within
from rollback_tui.postgres.writes import sight
from rollback_tui.run.cloning import drop_statement
from rollback_tui.run.context import Run, summary_of
from rollback_tui.run.recovery.repair import RESTORE, STEPS, Found, repair, step, wanted_of
from rollback_tui.run.recovery.swap import number, settle_swap, swap_in

_SHOWN = 3


def recover(run: Run) -> bool:
    """Bring back what was there before the first statement; the door must be shut.

    With a clone that stands: swap it in, then prove by looking that it is what the run found.
    Without one, or where it is missing: the dump. Then the other steps, which find out what is
    wrong with what came back. Returns False when it is not proven to be what was there; every step
    is in the journal, with what went wrong. May be called again after an interruption: a swap
    that happened is not made twice.
    """
    with run.phase("recover") as outcome:
        cloned = run.view.clone is not None
        run.write(
            ev.RecoveryPlanned(
                rung="clone" if cloned else "dump",
                restores="the database as it was before the first statement",
                estimated_seconds=None,
                steps=STEPS,
            )
        )
        proven = step(run, RESTORE, lambda: _bring_back(run)) == "pass"
        if run.view.swapped is not None:
            found = repair(run, wanted_of(run.view, cloned=run.view.from_clone))
            outcome.summary = ", ".join(name for name, v in found.items() if v == "fail")
        if not proven:
            outcome.status = "failed"
        return proven


def _bring_back(run: Run) -> Found:
    """Swap, from whatever there is, and prove. Raises CheckpointError, ConnectionFailed or
    psycopg.Error; the catalog then says whether the swap has happened."""
    said: list[str] = []
    if not settle_swap(run):
        try:
            said.append(_from_clone(run))
        except CheckpointError as error:
            if run.view.checkpoint is None or settle_swap(run):
                raise
            run.write(ev.Progress(phase="recover", summary=summary_of(error)))
            said += [summary_of(error), *_from_dump(run, run.view.checkpoint)]
            return Found(said[-1], evidence=tuple(said))
    said.append(_prove(run))
    return Found("; ".join(said), evidence=tuple(said))


def _from_clone(run: Run) -> str:
    """Swap the clone in. Raises CheckpointError when it is missing or cannot be, and then nothing
    was renamed."""
    clone = run.view.clone
    if clone is None:
        raise CheckpointError("there is no clone", "")
    there = rename.place(run.live_maintenance(), clone.oid)
    if there is None:
        raise CheckpointError(f"the clone {printable(clone.database)} is not there", "")
    return swap_in(run, there.name, clone.oid)


def _from_dump(run: Run, made: Checkpoint) -> list[str]:
    """Restore the checkpoint into a new database beside, compare it, and swap it in.

    The application served until the door closed, after the dump: rows that came or went in
    between are in what the run found, and are never restored away without being asked.
    """
    beside = beside_name(run.database, f"__restored_{run.request.run[:8]}")
    restored = _restore(run, made, beside)
    compared = _compare(run, made, beside)
    run.write(ev.Progress(phase="recover", summary=compared))
    return [restored, compared, swap_in(run, beside, number(run, beside))]


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
    """Compare what was restored with the manifest, and with what is there: rows that the plan did
    not touch must be the same, of the others there must be as many as the run found, with the same
    contents where it read them.

    Raises CheckpointError: what was written between the dump and the door is never restored away
    without being asked.
    """
    dsn, limit = with_database(run.request.dsn, beside), run.settings.verify.count_seconds
    found = restore.compare(Path(made.path), dsn)
    if found:
        raise CheckpointError(f"not as the manifest says: {_some([d.summary for d in found])}", "")
    touched = {lock.relation for s in run.plan.statements for lock in s.effect.locks}
    if run.plan.version_table:
        touched.add(run.plan.version_table)
    live = run.live_target()
    others = [
        t.name for t in reversed(counts.tables(live)) if not {t.name, _bare(t.name)} & touched
    ]
    known = {t: n for t, n in _rows_before(run).items() if t not in others}
    if has_large_objects(live):
        others.append(LARGE_OBJECTS)
    with contextlib.closing(connect(dsn, patience=run.patience(limit))) as connection:
        restored = counts.count_all(connection, limit, only=known)
        compared = differing(live, connection, others, seconds=limit)
        read, changed = _contents(run, connection, known, limit)
    lost = [
        f"{printable(table)}: {restored.get(table)} rows restored, {rows} before the run"
        for table, rows in known.items()
        if rows is None or restored.get(table) != rows
    ]
    lost += [f"{printable(table)}: other contents than the run found" for table in changed]
    lost += [_told(one) for one in compared if one.new != 0 or one.changed or one.deleted]
    if lost:
        raise CheckpointError(f"written since the checkpoint was made: {_some(lost)}", "")
    counted = [printable(table) for table, rows in known.items() if rows and table not in read]
    only = f"; of these only the number of rows was compared: {_some(counted)}" if counted else ""
    return f"as the manifest says, and as it was when the run began{only}"


def _contents(
    run: Run, connection: Connection, tables: Collection[str], seconds: float
) -> tuple[set[str], list[str]]:
    """Read those of ``tables`` again that the run had read before its first statement; return all
    that were read, and those with other contents: a changed row changes no count."""
    kept = {
        one.table: one
        for taken in run.view.contents
        if taken.when == "before"
        for one in taken.contents
        if one.fingerprint and one.table in tables
    }
    oids = {table.name: table.oid for table in sight(connection).tables.values()}
    columns = contents.columns(connection, [oids[name] for name in kept if name in oids])
    readings = []
    for name, one in kept.items():
        same = tuple(c for c in columns.get(oids.get(name, 0), ()) if c.name in one.columns)
        # Objects have other numbers in another database, and some columns are read as numbers.
        if len(same) == len(one.columns) and not any(column.by_oid for column in same):
            readings.append(Reading(oids[name], name, same, small=True))
    found = contents.read(connection, readings, seconds)
    return {reading.table for reading in readings}, [
        reading.table
        for reading in readings
        if found[reading.oid].fingerprint != kept[reading.table].fingerprint
    ]


def _bare(name: str) -> str:
    """The name without its schema, as an unresolved statement may have it."""
    return name.rpartition(".")[2]


def _told(one: Differing) -> str:
    if one.new is None:
        return f"{printable(one.table)}: not compared, {one.why}"
    number = one.new + one.changed + one.deleted
    return f"{printable(one.table)}: {number:,} rows are not the same"


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
    limit = run.settings.verify.count_seconds
    rows_before = _rows_before(run)
    known = {table: rows for table, rows in rows_before.items() if rows is not None}
    with answer_within(connection, run.patience(limit)):
        now = catalog.snapshot(connection)
        rows_now = counts.count_all(connection, limit, only=known)
    if run.before is not None:
        found = [d.describe() for d in schema.diff(run.before.schema, now)]
    else:
        captured = run.view.captured
        same = captured is not None and captured.schema_sha256 == now.fingerprint
        found = [] if same else ["the schema is not the one that the run found"]
    uncounted = [printable(table) for table in rows_before if table not in known]
    for table, rows in known.items():
        counted = rows_now.get(table)
        if counted is None and table in rows_now:
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
