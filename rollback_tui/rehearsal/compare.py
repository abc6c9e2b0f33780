"""Where a statement did something else than had been forecast, in an operator's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rollback_tui.core.lock_modes import strength, stronger
from rollback_tui.core.model import Effect, Statement
from rollback_tui.core.rehearsal import Dropped, Measured
from rollback_tui.core.script.identity import Object, as_named

_UNTOLD = frozenset({"event trigger", "role", "database", "tablespace", "user mapping"})
"""Objects whose dropping the server reports to no event trigger."""


def as_forecast(dropped: Dropped) -> Object:
    """Return (object class, name) as an Effect has them, of what the server says it dropped."""
    return as_named(dropped.kind, dropped.name)


_LISTED = frozenset(
    {"table", "view", "materialized view", "foreign table", "column", "function", "procedure"}
    | {"aggregate", "type", "schema", "extension"}
)
"""What two listings of the catalog tell (:class:`rollback_tui.rehearsal.drops.Listing`)."""


def told(effect: Effect, *, listed: bool = False) -> set[Object]:
    """Return what ``effect`` says is dropped, as far as a measurement can tell."""
    every = {item for item in (*effect.drops, *effect.collateral) if item[0] not in _UNTOLD}
    return {item for item in every if item[0] in _LISTED} if listed else every


def differences(effect: Effect, measured: Measured, held: Mapping[str, str]) -> tuple[str, ...]:
    """Return what ``measured`` did otherwise than ``effect`` forecast; empty when they agree.

    ``held`` are the strongest modes on each relation before the statement
    (:attr:`rollback_tui.rehearsal.measure.Gauge.held`): a lock that an earlier statement holds at
    least as strongly cannot be seen again, and agrees. What the forecast did not know is no
    difference, and a statement that failed has none: its failure says it.
    """
    if measured.failed:
        return ()
    return (
        *_locks(effect, measured, held),
        *_tables(effect, measured),
        *_drops(effect, measured),
    )


def rows_differ(statement: Statement, measured: Measured) -> tuple[str, ...]:
    """Return where the rows removed are not as many as had been counted.

    Only for a rehearsal with the target's data: on the schema alone there are no rows.
    """
    if measured.failed or measured.changed is None:
        return ()
    removed = {rows.relation: rows.deleted + rows.updated for rows in measured.changed}
    return tuple(
        f"{removed.get(loss.relation, 0):,} rows of {loss.relation} went, {loss.count:,} had been"
        " counted"
        for loss in statement.loss
        if loss.kind == "rows"
        and loss.count is not None
        and removed.get(loss.relation, 0) != loss.count
    )


def _locks(effect: Effect, measured: Measured, held: Mapping[str, str]) -> Iterator[str]:
    if measured.locks is None or not effect.resolved or effect.basis == "unknown":
        return
    forecast: dict[str, str] = {}
    for lock in effect.locks:
        forecast[lock.relation] = stronger(forecast.get(lock.relation), lock.mode)
    taken = {lock.relation: lock.mode for lock in measured.locks}
    for name in sorted({*forecast, *taken}):
        expected, found = forecast.get(name), taken.get(name)
        if found is None:
            if strength(held.get(name)) < strength(expected):
                yield f"did not lock {name}: {expected} had been forecast"
        elif expected is None:
            yield f"locked {name} ({found}): that was not forecast"
        elif strength(found) > strength(expected):
            yield f"locked {name} more strongly than forecast: {found}, not {expected}"
        elif strength(found) < strength(expected):
            yield f"locked {name} less strongly than forecast: {found}, not {expected}"


def _tables(effect: Effect, measured: Measured) -> Iterator[str]:
    """Tables written anew and tables read."""
    if measured.rewritten is not None:
        if measured.rewritten and effect.rewrites is False:
            yield f"wrote {', '.join(measured.rewritten)} anew: no rewrite had been forecast"
        if not measured.rewritten and effect.rewrites:
            yield "wrote no table anew: a rewrite had been forecast"
    if measured.scanned is not None and measured.scanned and effect.scans is False:
        yield f"read all of {', '.join(measured.scanned)}: no scan had been forecast"


def _drops(effect: Effect, measured: Measured) -> Iterator[str]:
    if measured.dropped is None or not effect.resolved or effect.basis == "unknown":
        return
    forecast, sure = told(effect), told(effect, listed=measured.listed)
    dropped = {as_forecast(item) for item in measured.dropped}
    for kind, name in sorted(dropped - forecast):
        yield f"dropped {kind} {name}: that was not forecast"
    for kind, name in sorted(sure - dropped):
        yield f"did not drop {kind} {name}: that had been forecast"
