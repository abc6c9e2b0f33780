"""Is the database as the run found it? What was compared is said, and nothing else is claimed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from rollback_tui.core import events as ev
from rollback_tui.core import schema
from rollback_tui.postgres import catalog, contents, writes
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.contents import Reading
from rollback_tui.run.context import Run
from rollback_tui.run.state import Evidence, State
from rollback_tui.run.verifying.capture import look


class Comparison(NamedTuple):
    """What was compared, and what differs."""

    compared: tuple[str, ...]
    """``schema``, ``rows of 3 tables`` …"""
    differences: tuple[str, ...]


def with_before(run: Run, before: State, connection: Connection, *, shut: bool) -> Comparison:
    """Compare with what this process saw: the schema; and behind a shut door the rows and contents
    of the tables that the plan touches, the files of all tables, and the sequences.

    Raises psycopg.Error.
    """
    if not shut:
        now_schema = catalog.snapshot(connection)
        found = tuple(d.describe() for d in schema.diff(before.schema, now_schema))
        return Comparison(("schema",), found)
    now = look(run, connection)
    differences = [d.describe() for d in schema.diff(before.schema, now.schema)]
    compared = ["schema"]
    if before.evidence is not None and now.evidence is not None:
        compared += _compared(before.evidence)
        differences += _evidence(before.evidence, now.evidence)
    else:
        compared.append("rows")
        differences += _rows(before.rows, now.rows)
    compared.append("sequences")
    differences += _sequences(before, now)
    return Comparison(tuple(compared), tuple(differences))


def _compared(kept: Evidence) -> list[str]:
    """Say what there is to compare."""
    counted = sum(read.rows is not None for read in kept.reads.values())
    read = sum(bool(read.fingerprint) for read in kept.reads.values())
    found = [f"rows of {_tables(counted)}"] if counted else []
    if read:
        found.append(f"contents of {_tables(read)}")
    if not kept.cumulative:
        found.append("files of all tables")
    return found


def _evidence(was: Evidence, now: Evidence) -> Iterator[str]:
    """Tables that went, have another file, other rows or other contents."""
    for oid, table in was.sight.tables.items():
        later = now.sight.tables.get(oid)
        if later is not None and later.file != table.file and not was.cumulative:
            # After a ROLLBACK the old file is the table's again.
            yield f"{table.name}: it has another file than before"
    for oid, read in was.reads.items():
        if read.rows is None or oid not in was.sight.tables:
            continue
        name, again = was.sight.tables[oid].name, now.reads.get(oid)
        if again is None or again.rows is None:
            why = again.why if again is not None else "it is gone"
            yield f"{name}: {read.rows} rows before, now not counted: {why}"
        elif again.rows != read.rows:
            yield f"{name}: {read.rows} rows before, {again.rows} now"
        elif again.fingerprint != read.fingerprint:
            yield f"{name}: {read.rows} rows as before, but other contents"


def _rows(was: Mapping[str, int | None], now: Mapping[str, int | None]) -> Iterator[str]:
    for table, rows in was.items():
        if rows is not None and now.get(table) != rows:
            yield f"{table}: {rows} rows before, {now.get(table)} now"


def _sequences(before: State, now: State) -> Iterator[str]:
    """ROLLBACK undoes no ``setval()``: a sequence that the script moved back stays there, and the
    application's next insert would fail."""
    said: set[str] = set()
    if before.sequences_behind is not None and now.sequences_behind is not None:
        for name, line in now.sequences_behind.items():
            if name not in before.sequences_behind:
                said.add(name)
                yield f"{line}; ROLLBACK does not undo setval()"
    if before.evidence is None or now.evidence is None:
        return
    for oid, position in before.evidence.positions.items():
        later = now.evidence.positions.get(oid)
        if later is not None and later.behind(position) and position.name not in said:
            yield (
                f"{position.name}: would have given {position.next:,} next, now gives"
                f" {later.next:,}; ROLLBACK does not undo setval()"
            )


def with_captured(
    run: Run, captured: ev.StateCaptured, connection: Connection, *, shut: bool
) -> Comparison:
    """Compare with what the journal knows, after the process that had looked is gone: the schema,
    the rows that were counted, and the contents that were read. Raises psycopg.Error."""
    compared = ["schema"]
    differences: list[str] = []
    if catalog.snapshot(connection).fingerprint != captured.schema_sha256:
        differences.append("the schema is not the one that the run found")
    if not shut:
        return Comparison(tuple(compared), tuple(differences))
    counted = {row.table: row.before for row in captured.rows if row.before is not None}
    seen = writes.sight(connection)
    by_name = {table.name: table.oid for table in seen.tables.values()}
    kept = {
        one.table: one
        for taken in run.view.contents
        if taken.when == "before"
        for one in taken.contents
        if one.fingerprint
    }
    known = contents.columns(connection, [by_name[name] for name in kept if name in by_name])
    readings = []
    for name in counted:
        if name in by_name:
            columns = known.get(by_name[name], ()) if name in kept else ()
            wanted = set(kept[name].columns) if name in kept else set()
            same = tuple(column for column in columns if column.name in wanted)
            readings.append(Reading(by_name[name], name, same or None, small=True))
    found = contents.read(connection, readings, run.settings.verify.budget_seconds)
    now = {reading.table: found[reading.oid] for reading in readings}
    compared.append(f"rows of {_tables(len(counted))}")
    differences += _rows(counted, {name: read.rows for name, read in now.items()})
    if kept:
        compared.append(f"contents of {_tables(len(kept))}")
    differences += [
        f"{name}: other contents than before"
        for name, one in kept.items()
        if name in now and now[name].fingerprint != one.fingerprint
    ]
    return Comparison(tuple(compared), tuple(differences))


def _tables(number: int) -> str:
    return "1 table" if number == 1 else f"{number:,} tables"
