"""How a forecast is put together, and how several become one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from rollback_tui.core.model import Doomed, Effect, Lock

_Item = TypeVar("_Item")

_BLOCKS_WRITES = frozenset({"Share", "ShareRowExclusive", "Exclusive"})
"""Lock modes that conflict with RowExclusive but let readers go on."""
_LIGHT = frozenset({"AccessShare", "RowShare", "RowExclusive"})
"""What SELECT, INSERT, UPDATE and DELETE take: they stand in the way of no other."""


def unknown_effect() -> Effect:
    """Return the effect of a statement that no parser could read: everything unknown."""
    return Effect(kind="unknown", basis="unknown", hazards=("cannot_forecast",))


def opaque(kind: str, objects: Iterable[str] = ()) -> Effect:
    """Return the effect of a statement whose work its text does not show."""
    return Effect(kind=kind, objects=unique(objects), basis="unknown", hazards=("cannot_forecast",))


def forecast(
    kind: str,
    objects: Iterable[str] = (),
    *,
    locks: Iterable[tuple[str, str]] = (),
    rewrites: bool | None = False,
    scans: bool | None = False,
    loses_data: bool | None = False,
    transactional: bool | None = True,
    doomed: Iterable[Doomed] = (),
    drops: Iterable[tuple[str, str]] = (),
    cascade: bool = False,
    if_exists: bool = False,
    retyped: Iterable[tuple[str, str]] = (),
    session: Iterable[str] = (),
    hazards: Iterable[str] = (),
    locks_known: bool = True,
) -> Effect:
    """Return an Effect whose hazards follow from the rest, beside those given.

    ``locks`` are (relation, mode). They name the relations that the statement names; indexes,
    foreign-key parents and partitions come from the catalog. Without ``locks_known`` the
    statement locks tables that it does not name at all, and the effect counts as unknown.
    """
    taken = unique((name, mode) for name, mode in locks if name)
    modes = {mode for _, mode in taken}
    found = list(hazards)
    if loses_data:
        found.append("deletes_data")
    if "AccessExclusive" in modes:
        found.append("access_exclusive_lock")
    elif modes & _BLOCKS_WRITES:
        found.append("blocks_writes")
    if rewrites is not False:
        found.append("rewrites_table")
    if transactional is False:
        found.append("not_transactional")
    if cascade:
        found.append("collateral_drop")
    return Effect(
        kind=kind,
        objects=unique(name for name in objects if name),
        locks=tuple(Lock(relation=name, mode=mode) for name, mode in taken),
        rewrites=rewrites,
        scans=True if scans is False and "full_scan_under_lock" in found else scans,
        loses_data=loses_data,
        transactional=transactional,
        doomed=tuple(doomed),
        cascade=cascade,
        if_exists=if_exists,
        drops=unique(drops),
        retyped=unique(retyped),
        session=unique(session),
        hazards=unique(found),
        basis="forecast" if locks_known else "unknown",
    )


def merged(kind: str, parts: Iterable[Effect]) -> Effect:
    """Return one effect for a statement that does all of ``parts``.

    The worse answer wins: True for loss and rewrite over None over False, and for the
    transaction False over None over True.
    """
    effects = list(parts)
    return Effect(
        kind=kind,
        objects=unique(name for e in effects for name in e.objects),
        locks=unique(lock for e in effects for lock in e.locks),
        rewrites=_worst([e.rewrites for e in effects], True),
        scans=_worst([e.scans for e in effects], True),
        loses_data=_worst([e.loses_data for e in effects], True),
        transactional=_worst([e.transactional for e in effects], False),
        doomed=unique(doomed for e in effects for doomed in e.doomed),
        cascade=any(e.cascade for e in effects),
        if_exists=any(e.if_exists for e in effects),
        drops=unique(drop for e in effects for drop in e.drops),
        retyped=unique(column for e in effects for column in e.retyped),
        session=unique(name for e in effects for name in e.session),
        basis="unknown" if any(e.basis == "unknown" for e in effects) else "forecast",
        hazards=unique(hazard for e in effects for hazard in e.hazards),
    )


_DERIVED = frozenset(
    {
        "deletes_data",
        "access_exclusive_lock",
        "blocks_writes",
        "rewrites_table",
        "full_scan_under_lock",
        "not_transactional",
        "collateral_drop",
    }
)
"""Hazards that follow from the other fields of an Effect."""


def derived(effect: Effect, without: Iterable[str] = ()) -> Effect:
    """Return ``effect`` with the hazards that follow from its other fields derived anew.

    For an effect that is resolved or measured: what CASCADE takes along is known then. A table
    that is rewritten is read for it. ``without`` names hazards that turned out to be none.
    """
    found = msgspec.structs.replace(effect, scans=True) if effect.rewrites else effect
    modes = {lock.mode for lock in found.locks}
    kept = [h for h in found.hazards if h not in _DERIVED and h not in set(without)]
    if found.loses_data:
        kept.append("deletes_data")
    if "AccessExclusive" in modes:
        kept.append("access_exclusive_lock")
    elif modes & _BLOCKS_WRITES:
        kept.append("blocks_writes")
    if found.rewrites is not False:
        kept.append("rewrites_table")
    if found.scans and modes - _LIGHT:
        kept.append("full_scan_under_lock")
    if found.transactional is False:
        kept.append("not_transactional")
    if found.collateral:
        kept.append("collateral_drop")
    basis = "unknown" if "cannot_forecast" in kept else "forecast"
    return msgspec.structs.replace(found, hazards=unique(kept), basis=basis)


def _worst(answers: list[bool | None], worst: bool) -> bool | None:
    if worst in answers:
        return worst
    return None if None in answers else not worst


def unique(items: Iterable[_Item]) -> tuple[_Item, ...]:
    """Return the items without repetitions, in their order."""
    return tuple(dict.fromkeys(items))
