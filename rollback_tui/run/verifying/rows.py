"""Did every table keep its rows, and do the rows that stay hold what they held?"""

from __future__ import annotations

from rollback_tui.core import events as ev
from rollback_tui.core import proving
from rollback_tui.core import verify as judge
from rollback_tui.core.model import Verification
from rollback_tui.postgres.connect import Connection
from rollback_tui.run.context import Run
from rollback_tui.run.verifying import after
from rollback_tui.run.verifying.asking import before
from rollback_tui.run.verifying.expectation import expected_deletes


def rows_kept(run: Run, connection: Connection) -> Verification:
    """Judge the counts before and after, and journal them."""
    was = _rows_before(run)
    written = after.writes(run, connection)
    now = _rows_after(run, connection)
    touched = written.of()
    proven = not written.unknown
    verification, rows = judge.rows_verification(
        was,
        now,
        run.dropping,
        run.settings.verify.row_count_tolerance,
        expected_deletes(connection, run.plan, run.view, was) | _books(run, was),
        untouched=now.keys() - touched.keys() if proven else frozenset(),
        none_gone=frozenset(
            name for name, w in touched.items() if w.state == "written" and not w.deleted
        ),
    )
    run.write(ev.RowsCompared(rows=rows))
    return verification


def contents_kept(run: Run, connection: Connection) -> Verification:
    """Compare the fingerprints of what stays; what nobody wrote to needs none."""
    kept = after.evidence(run)
    written = after.writes(run, connection)
    now = after.reads(run, connection)
    compared = [
        proving.Compared(
            table=part.reading.table,
            before=kept.reads[part.reading.oid].fingerprint,
            after=now[part.reading.oid].fingerprint if part.reading.oid in now else "",
            rows_before=kept.reads[part.reading.oid].rows,
            rows_after=now[part.reading.oid].rows if part.reading.oid in now else None,
            left_out=part.left_out,
            why=(
                kept.reads[part.reading.oid].why
                or (now[part.reading.oid].why if part.reading.oid in now else "it is gone")
            ),
        )
        for part in kept.proof.parts
        if part.reading.columns and part.reading.oid in kept.reads
    ]
    scope = kept.proof.scope
    return proving.contents_verification(
        written,
        compared,
        foreseen=frozenset(
            kept.sight.tables[oid].name
            for oid in scope.rows | scope.files
            if oid in kept.sight.tables
        ),
        uncompared={part.reading.table for part in kept.proof.beyond if part.reading.columns},
    )


def _books(run: Run, was: dict[str, int | None]) -> dict[str, int]:
    """The framework's own tables beside its version table: any of their rows may go."""
    kept = after.evidence(run)
    books = kept.proof.scope.bookkeeping & kept.sight.tables.keys()
    names = [kept.sight.tables[oid].name for oid in books]
    return {name: was.get(name) or 0 for name in names}


def _rows_before(run: Run) -> dict[str, int | None]:
    """What was counted; of a table that was dropped, what was counted when it went."""
    found = dict(before(run).rows)
    for loss in run.view.losses:
        if loss.kind == "rows" and loss.relation in found and found[loss.relation] is None:
            found[loss.relation] = loss.count
    return found


def _rows_after(run: Run, connection: Connection) -> dict[str, int | None]:
    """Rows by the name that each table had before; those that came by their name now."""
    kept = after.evidence(run)
    now, reads = after.sight(run, connection), after.reads(run, connection)
    listed = before(run).rows
    found: dict[str, int | None] = {}
    for oid, table in now.tables.items():
        was = kept.sight.tables.get(oid)
        name = was.name if was is not None else table.name
        if was is None and (table.kind not in "rp" or table.above is not None):
            continue
        if was is not None and name not in listed:
            continue
        read = reads.get(oid)
        found[name] = read.rows if read is not None else None
    return found
