"""What was found out around a plan, looked up by statement: who is in the way, what hangs on it,
who still names it, what keeping would cost, what a rehearsal measured."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple, TypeVar

from rollback_tui.core.facts import Dependent
from rollback_tui.core.lock_modes import strength
from rollback_tui.core.model import Lock
from rollback_tui.core.outlook import InTheWay, Keepable, Mention, Outlook
from rollback_tui.core.rehearsal import Measured, Rehearsal
from rollback_tui.ui.once import once

_Item = TypeVar("_Item")
_DIFFERENCE = re.compile(r"statement (\d+): ")


class Around(NamedTuple):
    """An outlook, by index of the statement."""

    dependents: dict[int, list[Dependent]]
    mentions: dict[int, list[Mention]]
    keepable: dict[int, Keepable]


@once
def around(outlook: Outlook) -> Around:
    """Return ``outlook`` by statement. What is unknown in it is empty here: ask the outlook."""
    return Around(
        dependents=_by((d.statement, d) for d in outlook.dependents or ()),
        mentions=_by((m.statement, m) for m in outlook.mentions or ()),
        keepable={k.statement: k for k in outlook.keepable or ()},
    )


class Way(NamedTuple):
    """Who is in the way, by index of the statement; the worst first."""

    by_statement: dict[int, list[InTheWay]]
    sessions: tuple[InTheWay, ...]
    """One for each session, or prepared transaction."""
    first: frozenset[int]
    """The first statement that each of them blocks: there the run would begin to wait."""


@once
def way(found: tuple[InTheWay, ...]) -> Way:
    """Return who is in the way by statement: those with the most waiting behind them first."""
    worst = sorted(found, key=lambda one: (-one.behind, -(one.age or 0.0), one.pid))
    sessions: dict[tuple[int, str], InTheWay] = {}
    first: dict[tuple[int, str], int] = {}
    for one in worst:
        who = (one.pid, "" if one.pid else one.application)
        sessions.setdefault(who, one)
        first[who] = min((first.get(who, one.statements[0]), *one.statements))
    return Way(
        by_statement=_by((index, one) for one in worst for index in one.statements),
        sessions=tuple(sessions.values()),
        first=frozenset(first.values()),
    )


class Rehearsed(NamedTuple):
    """A rehearsal, by index of the statement."""

    measured: dict[int, Measured]
    differences: dict[int, list[str]]
    """Where the measurement is not the forecast, without ``statement 3:``."""
    first: dict[str, list[tuple[int, str]]]
    """Relation → (statement, mode) of what was locked in the one transaction, in its order."""

    def held(self, lock: Lock, index: int) -> int | None:
        """Return the statement before ``index`` that had taken ``lock``, or a stronger one, and
        held it: then it cannot be seen again. None when there is none."""
        return next(
            (
                earlier
                for earlier, mode in self.first.get(lock.relation, ())
                if earlier < index and strength(mode) >= strength(lock.mode)
            ),
            None,
        )


@once
def rehearsed(rehearsal: Rehearsal) -> Rehearsed:
    """Return ``rehearsal`` by statement."""
    differences = [
        (int(match[1]), text[match.end() :])
        for text in rehearsal.differences
        if (match := _DIFFERENCE.match(text))
    ]
    return Rehearsed(
        measured={m.index: m for m in rehearsal.statements},
        differences=_by(differences),
        first=_taken(rehearsal.statements),
    )


def _taken(measured: tuple[Measured, ...]) -> dict[str, list[tuple[int, str]]]:
    found: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for one in measured:
        for lock in one.locks or ():
            found[lock.relation].append((one.index, lock.mode))
    return dict(found)


def _by(pairs: Iterable[tuple[int, _Item]]) -> dict[int, list[_Item]]:
    found: defaultdict[int, list[_Item]] = defaultdict(list)
    for index, item in pairs:
        found[index].append(item)
    return dict(found)
