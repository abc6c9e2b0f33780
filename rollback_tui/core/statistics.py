"""Which tables the planner should look at again after a run: those that were written, and those of
whose columns or indexes it knows nothing any more."""

from __future__ import annotations

from rollback_tui.core.model import Plan, Statement
from rollback_tui.core.writes import Writes

_WRITING = ("RowExclusive", "AccessExclusive")
_FRESH = ("CREATE INDEX", "CREATE UNIQUE INDEX", "CREATE STATISTICS")
"""What begins without statistics of its own: an index over an expression, extended statistics."""


def stale(plan: Plan, writes: Writes | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the tables whose statistics are stale, and what cannot be said, in words.

    ``writes`` is what the server counted in the transaction; None, or counters that prove nothing:
    then the forecast of each statement decides, and a statement of unknown effect is named instead
    of taking every table along.
    """
    proven = writes is not None and not writes.unknown
    names: dict[str, None] = {}
    unsure = []
    if writes is not None and proven:
        names |= {w.table: None for w in writes.tables if w.state != "went" and not w.away}
    for statement in plan.statements:
        if statement.effect.no_op:
            continue
        names |= dict.fromkeys(relation for relation, _ in statement.effect.retyped)
        if statement.effect.kind.upper().startswith(_FRESH):
            names |= dict.fromkeys(lock.relation for lock in statement.effect.locks)
        if not proven:
            if statement.effect.basis == "unknown" or statement.effect.kind == "unknown":
                unsure.append(f"statement {statement.index}: nobody knows what it wrote")
            names |= dict.fromkeys(_written(statement))
    names.pop(plan.version_table, None)
    return tuple(sorted(names)), tuple(unsure)


def _written(statement: Statement) -> list[str]:
    """By the forecast: rows are changed under RowExclusive, and written anew under
    AccessExclusive."""
    return [lock.relation for lock in statement.effect.locks if lock.mode in _WRITING]
