"""What a run changed beside what its plan announces."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from rollback_tui.core.elsewhere import elsewhere
from rollback_tui.core.model import Plan
from rollback_tui.core.names import parts
from rollback_tui.core.schema import Difference
from rollback_tui.core.writes import TableWrite, Writes
from rollback_tui.postgres.writes import Sight, exchanged
from rollback_tui.survey.scope import Scope

_LARGE_OBJECTS = re.compile(r"\blo_\w+|\blowrite\b|\blarge\s+object", re.IGNORECASE)
"""How SQL names them: their functions, and ALTER, COMMENT ON … LARGE OBJECT."""


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


def beside_rows(
    scope: Scope, plan: Plan, writes: Writes, was: Sight, now: Sight
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what happened that neither a row of a table nor a definition shows: names that mean
    another table or column now, and large objects. First what nobody announced, then what the plan
    itself says."""
    new = {word for _, word in scope.announced.renamed}
    beside: list[str] = []
    announced: list[str] = []
    for oid, column, line in exchanged(was, now):
        name = parts(column or now.tables[oid].name)[-1:]
        lost = scope.lost_columns.get(oid, frozenset())
        named = oid in scope.touched and not new.union(lost).isdisjoint(name)
        (announced if named else beside).append(line)
    if writes.large_objects:
        named = any(_LARGE_OBJECTS.search(statement.sql) for statement in plan.statements)
        (announced if named else beside).append("large objects were written or removed")
    return tuple(beside), tuple(announced)
