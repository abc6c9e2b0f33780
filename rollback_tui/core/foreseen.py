"""What is known of a statement before it runs, in the words of `plan` and the report."""

from __future__ import annotations

from collections.abc import Iterable

from rollback_tui.core.lock_modes import strongest
from rollback_tui.core.model import Effect, Loss, Violation
from rollback_tui.core.outlook import AUTOVACUUM, InTheWay
from rollback_tui.core.text import data_size

_NAMED = 3


def locks(effect: Effect) -> str:
    """Return the strongest lock and what it is on, what the statement names first:
    ``AccessExclusive on public.users and 2 more``. Empty when it locks nothing that is there."""
    unknown = effect.basis == "unknown"
    if not effect.locks:
        return "unknown" if unknown else ""
    mode = strongest(lock.mode for lock in effect.locks)
    names = [lock.relation for lock in effect.locks if lock.mode == mode]
    names.sort(key=lambda name: name not in effect.objects)
    text = f"{mode} on {several(names)}"
    weaker = len(effect.locks) - len(names)
    if weaker:
        text += f", weaker ones on {weaker:,} more"
    return text + (", and what nobody knows" if unknown else "")


def loss(one: Loss) -> str:
    """Return what goes, with all that is known of it: ``12 rows of public.t, 1.5 MiB``."""
    text = one.describe()
    if one.not_default is not None and one.count is not None:
        text += f", {one.not_default:,} of them not the default"
    if one.bytes is not None:
        text += f", {data_size(one.bytes)}"
    return text + _reserve(one.after, one.why)


def violation(one: Violation) -> str:
    """Return what breaks a rule that is restored: ``2 rows of public.t break not null: email``."""
    if one.count is None:
        text = f"nobody knows how many rows of {one.relation} break"
    else:
        rows = "row" if one.count == 1 else "rows"
        verb = "breaks" if one.count == 1 else "break"
        text = f"{one.count:,} {rows} of {one.relation} {verb}"
    return f"{text} {one.rule}: {one.name}" + _reserve(one.after, one.why)


def waits(one: InTheWay) -> str:
    """Return who is in the way: ``pid 77 (shop) holds RowExclusive on public.users for 12 s``."""
    if one.pid == 0:
        who = f"prepared transaction {one.application}"
    else:
        who = f"pid {one.pid} ({one.application or one.user or 'nobody knows who'})"
    text = f"{who} {'holds' if one.granted else 'waits for'} {one.held} on {one.relation}"
    if one.age is not None:
        text += f", in a transaction for {one.age:.0f} s"
    if one.behind:
        text += f", {one.behind:,} session{'' if one.behind == 1 else 's'} behind"
    if one.application == AUTOVACUUM:
        text += ", it yields" if one.yields else ", it does not yield: it prevents a wraparound"
    return text


def several(names: Iterable[str], most: int = _NAMED) -> str:
    """Return the first names, and how many more there are."""
    every = list(names)
    more = len(every) - most
    return ", ".join(every[:most]) + (f" and {more:,} more" if more > 0 else "")


def _reserve(after: int | None, why: str) -> str:
    if why:
        return f" ({why})"
    return "" if after is None else f" (now; statement {after} changes it first)"
