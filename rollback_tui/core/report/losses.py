"""What data went, statement by statement, from what was counted in the run."""

from __future__ import annotations

from typing import Literal

import msgspec

from rollback_tui.core.events import RowsKept
from rollback_tui.core.model import Loss, Statement, Value
from rollback_tui.core.run_view import RunView

_CHANGING = ("DELETE", "UPDATE", "MERGE", "WITH")
_NOUNS = {
    "rows": ("row", "rows"),
    "values": ("value", "values"),
    "changed": ("changed row", "changed rows"),
}


class Lost(Value, frozen=True, kw_only=True):
    """Data that one statement removed or overwrote."""

    statement: int
    line: int
    kind: Literal["rows", "values", "changed", "unknown"]
    """``changed``: rows that an UPDATE wrote anew; their former values are gone."""
    relation: str
    column: str | None
    count: int | None
    """None: nobody knows. Never to be shown as zero."""
    basis: Literal[
        "counted in the run", "counted before the run", "reported by the server", "not counted"
    ]
    kept: bool = False
    """It was copied into the run's archive first: removed, and not lost."""

    def describe(self) -> str:
        """Return it as words: ``1,204 values of public.users.verified_at``."""
        where = self.relation + (f".{self.column}" if self.column else "")
        if self.kind == "unknown":
            return f"an unknown amount, by {where}"
        one, many = _NOUNS[self.kind]
        number = "an unknown number of" if self.count is None else f"{self.count:,}"
        return f"{number} {one if self.count == 1 else many} of {where}"


def lost(view: RunView) -> tuple[Lost, ...]:
    """Return what went for good: nothing unless it was committed, and was not recovered.

    Of a plan that goes statement by statement, each statement that is done was committed.
    """
    if view.started is None or view.outcome == "recovered":
        return ()
    if not view.committed and view.steps is None:
        return ()
    rows = {s.index: s.rows for s in view.statements if s.status == "done"}
    counted = {event.statement: event.losses for event in view.counted}
    return tuple(
        _marked(item, view.kept)
        for statement in view.started.plan.statements
        if statement.index in rows
        for item in _by(statement, rows[statement.index], counted.get(statement.index))
    )


def _marked(item: Lost, kept: tuple[RowsKept, ...]) -> Lost:
    """Rows that a statement chose are named as it names them, all others by the catalog."""
    named = item.kind in ("rows", "values") and item.basis != "reported by the server"
    found = any(
        event.statement == item.statement
        and (not named or (event.relation, event.column) == (item.relation, item.column))
        for event in kept
    )
    return msgspec.structs.replace(item, kept=found)


def certain(view: RunView) -> bool:
    """Return whether the outcome leaves no doubt about what was committed."""
    if view.outcome == "unchanged":
        return view.unchanged is not None and view.unchanged.proven
    return view.outcome in ("rolled_back", "refused")


def _by(statement: Statement, rows: int | None, counted: tuple[Loss, ...] | None) -> list[Lost]:
    losses = counted if counted is not None else statement.loss
    verb = statement.effect.kind.split(" ", 1)[0].upper()
    changing = verb in _CHANGING
    if losses:
        return [_one(statement, loss, verb, rows if changing else None) for loss in losses]
    if statement.effect.loses_data is False or rows == 0:
        return []
    if counted is not None and not changing and statement.effect.loses_data:
        # It was counted, and what it names is not there: DROP … IF EXISTS of nothing.
        return []
    return [
        Lost(
            statement=statement.index,
            line=statement.line,
            kind=("changed" if verb == "UPDATE" else "rows") if changing else "unknown",
            relation=", ".join(statement.effect.objects) or statement.effect.kind,
            column=None,
            count=rows if changing else None,
            basis="reported by the server" if changing and rows is not None else "not counted",
        )
    ]


def _one(statement: Statement, loss: Loss, verb: str, rows: int | None) -> Lost:
    # What the server said it did is better than a count of before; but of a MERGE it counts the
    # rows that were inserted too.
    better = loss.count is None or (verb in ("DELETE", "UPDATE") and loss.basis == "counted before")
    reported = loss.kind == "rows" and rows is not None and better
    count = rows if reported else loss.count
    basis: Literal[
        "counted in the run", "counted before the run", "reported by the server", "not counted"
    ]
    if reported:
        basis = "reported by the server"
    elif count is None:
        basis = "not counted"
    elif loss.basis == "counted in the run":
        basis = "counted in the run"
    else:
        basis = "counted before the run"
    return Lost(
        statement=statement.index,
        line=statement.line,
        kind="changed" if verb == "UPDATE" else loss.kind,
        relation=loss.relation,
        column=loss.column,
        count=count,
        basis=basis,
    )
