"""What is there before the first statement: kept, to prove by it what the run changed."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping

import psycopg

from rollback_tui.core import events as ev
from rollback_tui.core.model import RowChange
from rollback_tui.core.proof import Contents
from rollback_tui.postgres import catalog, constraints, contents, sequences, writes
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.contents import Read, Reading
from rollback_tui.postgres.watchdog import answer_within
from rollback_tui.postgres.writes import Sight
from rollback_tui.run.context import Run
from rollback_tui.run.state import Evidence, State
from rollback_tui.run.verifying.budget import Budget
from rollback_tui.survey.proof import BEFORE, Proof, proof


def capture(run: Run, connection: Connection, *, cumulative: bool = False) -> None:
    """Look at what is there before the first statement; the journal keeps it for whoever has to
    settle this run.

    ``cumulative``: the plan goes statement by statement, so the counters of one transaction would
    say nothing. Raises psycopg.Error.
    """
    settings = run.settings.verify
    # A transaction that is tried again has not more time for its proof than the first.
    budget = run.before.budget if run.before is not None else Budget(settings.budget_seconds)
    with budget.spending(), answer_within(connection, run.patience(settings.budget_seconds)):
        schema = catalog.snapshot(connection)
        seen = _sight(run, connection, cumulative=cumulative)
        planned = proof(connection, run.settings, run.plan, seen, run.request.rehearsal)
        run.write(ev.ProofPlanned(cost=planned.cost))
        began = time.monotonic()
        reads = contents.read(
            connection,
            [part.reading for part in planned.parts],
            min(budget.left, BEFORE * budget.seconds),
        )
        taken = time.monotonic() - began
        evidence = _evidence(connection, planned, seen, reads, budget, cumulative=cumulative)
        touched = _names(seen, planned.scope.touched | reads.keys())
        run.before = State(
            schema=schema,
            rows=_rows(seen, reads),
            invalid_indexes=catalog.invalid_indexes(connection),
            sequences_behind=sequences_behind(connection, touched, budget.left),
            evidence=evidence,
            budget=budget,
        )
    _journal(run, run.before, evidence, taken)


def _journal(run: Run, state: State, evidence: Evidence, seconds: float) -> None:
    run.write(
        ev.StateCaptured(
            schema_sha256=state.schema.fingerprint,
            rows=tuple(
                RowChange(table=table, before=rows, after=None)
                for table, rows in state.rows.items()
            ),
        )
    )
    found = contents_of(evidence.proof, evidence.reads)
    if found:
        run.write(ev.ContentsTaken(when="before", contents=found, seconds=round(seconds, 4)))


def contents_of(planned: Proof, reads: Mapping[int, Read]) -> tuple[Contents, ...]:
    """Return the fingerprints among what was read, and what was to have one and has none."""
    found = [
        _contents(part.reading, reads[part.reading.oid])
        for part in planned.parts
        if part.reading.columns and part.reading.oid in reads
    ]
    found += [
        _contents(part.reading, Read(None, why=contents.OUT_OF_TIME))
        for part in planned.beyond
        if part.reading.columns
    ]
    return tuple(found)


def _contents(reading: Reading, read: Read) -> Contents:
    return Contents(
        table=reading.table,
        columns=tuple(column.name for column in reading.columns or ()),
        rows=read.rows if read.fingerprint else None,
        fingerprint=read.fingerprint,
        why=read.why,
    )


def look(run: Run, connection: Connection) -> State:
    """Return what is there now, as far as it is compared with what was there before: the same
    tables are read again. Without a first look: every table that may be counted in time.

    Raises psycopg.Error.
    """
    settings = run.settings.verify
    budget = Budget(settings.budget_seconds)
    with budget.spending(), answer_within(connection, run.patience(settings.budget_seconds)):
        schema = catalog.snapshot(connection)
        seen = writes.sight(connection)
        before = run.before.evidence if run.before is not None else None
        if before is None:
            readings = [Reading(oid, name, None, small=True) for oid, name in _tops(seen)]
        else:
            known = {part.reading.oid: part.reading for part in before.proof.parts}
            readings = [
                known.get(oid) or Reading(oid, seen.tables[oid].name, None, small=True)
                for oid in before.reads
                if oid in seen.tables
            ]
        reads = contents.read(connection, readings, budget.left)
        touched = _names(seen, reads.keys())
        return State(
            schema=schema,
            rows=_rows(seen, reads),
            invalid_indexes=catalog.invalid_indexes(connection),
            sequences_behind=sequences_behind(connection, touched, budget.left),
            evidence=_looked(connection, before, seen, reads, budget),
            budget=budget,
        )


def _looked(
    connection: Connection,
    before: Evidence | None,
    seen: Sight,
    reads: dict[int, Read],
    budget: Budget,
) -> Evidence | None:
    if before is None:
        return None
    return _evidence(connection, before.proof, seen, reads, budget, cumulative=before.cumulative)


def _evidence(
    connection: Connection,
    planned: Proof,
    seen: Sight,
    reads: dict[int, Read],
    budget: Budget,
    *,
    cumulative: bool,
) -> Evidence:
    positions, unread = sequences.positions(connection, budget.left)
    return Evidence(
        proof=planned,
        sight=seen,
        cumulative=cumulative,
        reads=reads,
        positions=positions,
        sequences_unread=unread,
        constraints=constraints.standing(connection),
    )


def _sight(run: Run, connection: Connection, *, cumulative: bool) -> Sight:
    """Look at the counters; say so where they cannot prove anything."""
    seen = writes.sight(connection, cumulative=cumulative)
    if cumulative and connection.info.server_version < 150000:
        # Before 15 what a backend counted travels to the others by a datagram that may be lost.
        return seen._replace(unknown="statement by statement, and the server is older than 15")
    if cumulative and not run.shut:
        return seen._replace(unknown="statement by statement, and others may be writing")
    named = [s.index for s in run.plan.statements if "track_counts" in s.sql.lower()]
    if named:
        return seen._replace(unknown=f"statement {named[0]} names track_counts")
    return seen


def _tops(seen: Sight) -> list[tuple[int, str]]:
    """Tables as they are listed everywhere: partitions count for the table above them."""
    return [(t.oid, t.name) for t in seen.tables.values() if t.kind in "rp" and t.above is None]


def _rows(seen: Sight, reads: Mapping[int, Read]) -> dict[str, int | None]:
    """Rows by name; None for every table that was not counted."""
    found: dict[str, int | None] = {name: None for _, name in _tops(seen)}
    for oid, read in reads.items():
        if oid in seen.tables:
            found[seen.tables[oid].name] = read.rows
    return dict(sorted(found.items()))


def _names(seen: Sight, oids: Iterable[int]) -> frozenset[str]:
    return frozenset(seen.tables[oid].name for oid in oids if oid in seen.tables)


def sequences_behind(
    connection: Connection, tables: Collection[str], seconds: float
) -> dict[str, str] | None:
    """Return a line for each sequence of ``tables`` that would next give a number its column
    already holds; None when that could not be read."""
    try:
        found = catalog.sequences_behind(connection, seconds, only=tables)
    except psycopg.Error:
        if connection.broken:
            raise
        # The look-up undoes its own trace; a sequence we may not read is not known.
        return None
    return {s.sequence: s.describe() for s in found}
