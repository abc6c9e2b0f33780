"""A plan laid out for the screens, once: what is asked of it many times a second is looked up."""

from __future__ import annotations

from typing import NamedTuple

from rollback_tui.core.model import Loss, Plan, Statement
from rollback_tui.ui.entries import Entry, entries, losses_of
from rollback_tui.ui.once import once


class Listing(NamedTuple):
    """Everything the preview counts or looks up, in the order of execution."""

    entries: tuple[Entry, ...]
    keys: tuple[str, ...]
    """The entries' keys."""
    places: dict[str, int]
    """Key → place in ``entries``, from 0."""
    statements: tuple[Statement, ...]
    by_index: dict[int, Statement]
    dangerous: tuple[int, ...]
    """Indexes of the statements that must be reviewed."""
    harmless: frozenset[int]
    """Indexes of all the others."""
    stops: tuple[int, ...]
    """Places of what stops the plan: problems, and migrations without a script."""
    failing: tuple[int, ...]
    """Indexes of statements that stored rows may make fail."""
    losses: tuple[Loss, ...]
    """The largest first, and those not counted before them."""
    uncounted: tuple[int, ...]
    """Indexes of dangerous statements of which not even the table that loses is known."""
    transactional: bool


@once
def listing(plan: Plan) -> Listing:
    """Return ``plan`` laid out. Costs once what a plan of that length costs."""
    listed = entries(plan)
    statements = plan.statements
    dangerous = tuple(s.index for s in statements if s.dangerous)
    return Listing(
        entries=listed,
        keys=tuple(entry.key for entry in listed),
        places={entry.key: place for place, entry in enumerate(listed)},
        statements=statements,
        by_index={s.index: s for s in statements},
        dangerous=dangerous,
        harmless=frozenset(s.index for s in statements).difference(dangerous),
        stops=tuple(n for n, e in enumerate(listed) if e.kind in ("problem", "missing")),
        failing=tuple(s.index for s in statements if any(v.count != 0 for v in s.violations)),
        losses=losses_of(plan),
        uncounted=tuple(s.index for s in statements if s.dangerous and not s.loss),
        transactional=plan.transactional,
    )


@once
def keys_of(plan: Plan) -> tuple[str, ...]:
    """Return the key of each statement alone, as the console of the run lists them."""
    return tuple(str(statement.index) for statement in listing(plan).statements)


def place_of(plan: Plan, index: int) -> int:
    """Return the place of statement ``index`` in the list, from 0."""
    return listing(plan).places[f"s{index}"]
