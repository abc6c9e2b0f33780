"""Foreign keys, indexes and sequences: what the server itself would not notice."""

from __future__ import annotations

import psycopg

from rollback_tui.core import verify as judge
from rollback_tui.core.model import Verification
from rollback_tui.postgres import catalog
from rollback_tui.postgres.connect import Connection
from rollback_tui.run.context import Run, summary_of
from rollback_tui.run.verifying.asking import before


def foreign_keys_intact(_: Run, connection: Connection) -> Verification:
    """An anti-join each: ``convalidated`` stays true when a hole is made behind its back."""
    results: list[tuple[str, int | str | None]] = []
    for key in catalog.foreign_keys(connection):
        try:
            connection.execute("SAVEPOINT rollback_tui_key")
            results.append((key.name, catalog.foreign_key_violations(connection, key)))
        except psycopg.Error as error:
            connection.execute("ROLLBACK TO SAVEPOINT rollback_tui_key")
            results.append((key.name, summary_of(error)))
    return judge.foreign_keys_verification(results)


def indexes_valid(run: Run, connection: Connection) -> Verification:
    """Judge whether an index became invalid."""
    return judge.indexes_verification(
        before(run).invalid_indexes, catalog.invalid_indexes(connection)
    )


def sequences_ahead(run: Run, connection: Connection) -> Verification:
    """``setval`` is not undone by anything, and a column that comes back has a fresh sequence."""
    behind = {s.sequence: s.describe() for s in catalog.sequences_behind(connection)}
    return judge.sequences_verification(before(run).sequences_behind, behind)
