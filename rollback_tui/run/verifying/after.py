"""What is there after the last statement: asked once, for all questions that need it."""

from __future__ import annotations

import time

from rollback_tui.core import events as ev
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.schema import SchemaSnapshot
from rollback_tui.core.writes import Writes
from rollback_tui.postgres import catalog, contents
from rollback_tui.postgres import writes as counters
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.contents import Column, Read, Reading
from rollback_tui.postgres.writes import Sight
from rollback_tui.run.context import Run
from rollback_tui.run.state import Evidence, State
from rollback_tui.run.verifying.asking import before
from rollback_tui.run.verifying.capture import contents_of

RETYPED = "a column of it is not as it was"
ADDED = "rows were only added; those that were there stay"


def evidence(run: Run) -> Evidence:
    """Return what was kept of the first look. Raises RollbackTuiError when there was none."""
    found = before(run).evidence
    if found is None:
        raise RollbackTuiError("the state before was not captured", "")
    return found


def sight(run: Run, connection: Connection) -> Sight:
    """Return all tables as they are now."""
    state = before(run)
    if state.sight_after is None:
        seen = counters.sight(connection, cumulative=evidence(run).cumulative)
        state.sight_after = seen
        state.writes = counters.written(evidence(run).sight, seen)
    return state.sight_after


def writes(run: Run, connection: Connection) -> Writes:
    """Return what was written since the first statement, as the server counted it."""
    state = before(run)
    sight(run, connection)
    assert state.writes is not None  # noqa: S101 - set together with the sight
    return state.writes


def schema(run: Run, connection: Connection) -> SchemaSnapshot:
    """Return what the schema is now."""
    state = before(run)
    if state.schema_after is None:
        state.schema_after = catalog.snapshot(connection)
    return state.schema_after


def reads(run: Run, connection: Connection) -> dict[int, Read]:
    """Return rows and fingerprints of what was read before, as they are now.

    What is proven to be untouched is not read again: it is what it was. Journaled, the first time.
    """
    state = before(run)
    if state.reads_after is None:
        began = time.monotonic()
        state.reads_after = _read(run, connection, state)
        seconds = round(time.monotonic() - began, 4)
        found = contents_of(evidence(run).proof, state.reads_after)
        if found:
            run.write(ev.ContentsTaken(when="after", contents=found, seconds=seconds))
    return state.reads_after


def _read(run: Run, connection: Connection, state: State) -> dict[int, Read]:
    kept = evidence(run)
    disturbed = {write.oid: write for write in writes(run, connection).tables}
    now = sight(run, connection)
    found = {oid: read for oid, read in kept.reads.items() if oid not in disturbed}
    again = [oid for oid in kept.reads if oid in disturbed and oid in now.tables]
    columns = contents.columns(connection, again)
    parts = {part.reading.oid: part.reading for part in kept.proof.parts}
    readings: list[Reading] = []
    for oid in again:
        known = parts.get(oid) or Reading(oid, "", None, small=True)
        name = now.tables[oid].name
        added = disturbed[oid].only_added
        wanted = known.columns if kept.reads[oid].fingerprint and not added else None
        same = None if wanted is None else _followed(wanted, columns.get(oid, ()))
        if wanted is not None and same is None:
            found[oid] = Read(None, why=RETYPED)
        else:
            readings.append(known._replace(table=name, columns=same))
    again_read = contents.read(connection, readings, state.budget.left)
    return found | {
        oid: one._replace(why=one.why or ADDED) if disturbed[oid].only_added else one
        for oid, one in again_read.items()
    }


def _followed(wanted: tuple[Column, ...], now: tuple[Column, ...]) -> tuple[Column, ...] | None:
    """Return the columns that were read, by their names now; None: one is gone or of another
    type."""
    known = {column.number: column for column in now}
    found = [known.get(column.number) for column in wanted]
    same = [
        new
        for old, new in zip(wanted, found, strict=True)
        if new is not None and (new.type, new.modifier) == (old.type, old.modifier)
    ]
    return tuple(same) if len(same) == len(wanted) else None
