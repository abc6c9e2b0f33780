"""What a run changed beside what its plan announces."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from rollback_tui.core.elsewhere import elsewhere
from rollback_tui.core.schema import Difference
from rollback_tui.core.writes import TableWrite, Writes
from rollback_tui.postgres.writes import Sight
from rollback_tui.survey.scope import Scope


def written_elsewhere(scope: Scope, writes: Writes) -> tuple[TableWrite, ...]:
    """Return the tables that were written though the plan writes no rows of them, or given a new
    file though it writes none of them anew.

    Tables that came or went are a matter of the schema; of those that nobody counts nothing is
    known.
    """
    return tuple(
        write
        for write in writes.tables
        if not write.partitioned
        and (
            (write.state == "written" and write.oid not in scope.rows)
            or (
                write.state == "new file"
                and (write.oid not in scope.files or (_rows(write) and write.oid not in scope.rows))
            )
        )
    )


def _rows(write: TableWrite) -> int:
    return write.inserted + write.updated + write.deleted


def changed_elsewhere(
    scope: Scope, differences: Iterable[Difference], now: Sight
) -> tuple[Difference, ...]:
    """Return the differences of the schema that belong to nothing the plan names.

    ``now``: what tables are called after it; one that was renamed is still the plan's.
    """
    names = {now.tables[oid].name for oid in scope.touched & now.tables.keys()}
    plan = scope.announced
    return elsewhere(differences, msgspec.structs.replace(plan, named=plan.named | names))
