"""Foreign keys, constraints, indexes and sequences: what the server itself would not notice."""

from __future__ import annotations

import psycopg

from rollback_tui.core import proving
from rollback_tui.core import verify as judge
from rollback_tui.core.model import Verification
from rollback_tui.core.names import chains, parts
from rollback_tui.postgres import amcheck, catalog, constraints, sequences, writes
from rollback_tui.postgres.catalog import ForeignKey
from rollback_tui.postgres.connect import Connection
from rollback_tui.run.context import Run, summary_of
from rollback_tui.run.verifying import after
from rollback_tui.run.verifying.asking import before
from rollback_tui.run.verifying.capture import sequences_behind


def foreign_keys_intact(run: Run, connection: Connection) -> Verification:
    """An anti-join for each key that this run could have broken: ``convalidated`` stays true when
    a hole is made behind its back. Where neither side was written there is nothing to look for."""
    state = before(run)
    keys = catalog.foreign_keys(connection)
    suspect = _suspects(run, connection, keys)
    results: list[tuple[str, int | str | None]] = []
    unwritten = 0
    for key in keys:
        if key.name not in suspect:
            unwritten += 1
            continue
        results.append((key.name, _holes(connection, key, state.budget.left)))
    return judge.foreign_keys_verification(results, unwritten=unwritten)


def _holes(connection: Connection, key: ForeignKey, seconds: float) -> int | str | None:
    """Count rows without a counterpart; words: why that was not done."""
    if seconds <= 0:
        return "not reached within the budget"
    try:
        connection.execute("SAVEPOINT rollback_tui_key")
        return catalog.foreign_key_violations(connection, key, seconds=seconds)
    except psycopg.errors.QueryCanceled:
        connection.execute("ROLLBACK TO SAVEPOINT rollback_tui_key")
        return "not reached within the budget"
    except psycopg.Error as error:
        if connection.broken:
            raise
        connection.execute("ROLLBACK TO SAVEPOINT rollback_tui_key")
        return summary_of(error)


def _suspects(run: Run, connection: Connection, keys: tuple[ForeignKey, ...]) -> set[str]:
    """Return the keys that are new, and those with a side that was written, or that the plan
    alters."""
    kept = after.evidence(run)
    written = after.writes(run, connection)
    now = after.sight(run, connection)
    if written.unknown:
        return {key.name for key in keys}
    disturbed = set(written.disturbed())
    for oid in kept.proof.scope.changed & now.tables.keys():
        table = now.tables[oid]
        disturbed.add(table.name)
        while table.above is not None and table.above in now.tables:
            table = now.tables[table.above]
            disturbed.add(table.name)
    standing = constraints.standing(connection).foreign_keys
    new = {name for oid, name in standing.items() if oid not in kept.constraints.foreign_keys}
    return new | {key.name for key in keys if {key.table, key.referenced} & disturbed}


def constraints_validated(run: Run, connection: Connection) -> Verification:
    """Judge whether a constraint that held for every row no longer says so."""
    was, now = after.evidence(run).constraints, constraints.standing(connection)
    return proving.constraints_verification(was.loose, now.loose, new=now.loose.keys() - was.known)


def indexes_valid(run: Run, connection: Connection) -> Verification:
    """Judge whether an index became invalid; those with a new file are looked into by ``amcheck``
    where the target has it."""
    judged = judge.indexes_verification(
        before(run).invalid_indexes, catalog.invalid_indexes(connection)
    )
    new = writes.new_files(after.evidence(run).sight.indexes, after.sight(run, connection))
    looked = amcheck.look_into(connection, new, before(run).budget.left) if new else None
    if looked is None:
        return judged
    return proving.index_lines(judged, looked.sound, dict(looked.broken), looked.unreached)


def sequences_ahead(run: Run, connection: Connection) -> Verification:
    """``setval`` is not undone by anything, and a column that comes back has a fresh sequence."""
    kept, state = after.evidence(run), before(run)
    now = after.sight(run, connection)
    disturbed = after.writes(run, connection).disturbed()
    scope = kept.proof.scope
    moved = None if kept.cumulative else sequences.moved(connection)
    found, _ = sequences.positions(connection, state.budget.left, only=moved)
    back = [
        (was, position)
        for oid, position in found.items()
        if (was := kept.positions.get(oid)) is not None and position.behind(was)
    ]
    suspect = disturbed | {now.tables[oid].name for oid in scope.touched & now.tables.keys()}
    suspect |= {position.name for _, position in back}
    behind = sequences_behind(connection, suspect, state.budget.left)
    judged = judge.sequences_verification(state.sequences_behind, behind)
    announced = _set_by(run)
    lines = [
        f"{position.name}: would have given {was.next:,} next, now gives {position.next:,}"
        for was, position in back
        if parts(position.name)[-1] not in announced
    ]
    return proving.moved_back(lines, judged, unread=kept.sequences_unread)


def _set_by(run: Run) -> set[str]:
    """Bare names in the statements of the plan that set sequences: they say so themselves."""
    found: set[str] = set()
    for statement in run.plan.statements:
        effect, said = statement.effect, list(chains(statement.sql))
        sets = "not_rolled_back" in effect.hazards or effect.kind.startswith("ALTER SEQUENCE")
        if sets or ("restart",) in said:
            named = (*effect.objects, *(lock.relation for lock in effect.locks))
            found |= {chain[-1] for chain in (*said, *map(parts, named)) if chain}
    return found
