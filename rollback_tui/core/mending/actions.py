"""One step of a mending, and the order in which steps can be executed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

from rollback_tui.core.mending.names import mentions


class Stage(IntEnum):
    """When a step comes: what hangs on others goes first and comes back last."""

    DROP_HANGING = 0
    """Policies, rules, triggers, event triggers, publications."""
    DROP_VIEW = 1
    DROP_FOREIGN_KEY = 2
    DROP_CONSTRAINT = 3
    DROP_INDEX = 4
    CREATE_SCHEMA = 10
    CREATE_EXTENSION = 11
    CREATE_TYPE = 12
    CREATE_SEQUENCE = 13
    EARLY_FUNCTION = 14
    """Functions that a table needs."""
    CREATE_TABLE = 15
    ALTER_COLUMN = 16
    ALTER_TABLE = 17
    DROP_COLUMN = 20
    DROP_TABLE = 21
    SWAP_TYPE = 22
    """An enum that lost a label: its columns are changed."""
    DROP_FUNCTION = 23
    DROP_SEQUENCE = 24
    DROP_TYPE = 25
    DROP_EXTENSION = 26
    DROP_SCHEMA = 27
    CREATE_FUNCTION = 30
    CREATE_CONSTRAINT = 31
    CREATE_INDEX = 32
    CREATE_FOREIGN_KEY = 33
    CREATE_VIEW = 34
    CREATE_ON_VIEW = 35
    """Indexes of materialised views."""
    CREATE_HANGING = 36
    SETTINGS = 37
    """Which index is clustered, whether a trigger fires, replica identity."""
    GRANTS = 40
    COMMENTS = 41
    UNKNOWN = 50
    """What could not be derived."""


class Action(NamedTuple):
    """One step."""

    object: str
    stage: Stage
    sql: tuple[str, ...] = ()
    why: str = ""
    name: str = ""
    """The qualified name that others mention; empty: nobody does."""
    text: str = ""
    """In which other names are looked for: those come first when both are made, and last when both
    go."""


_DROPS = frozenset(
    {Stage.DROP_VIEW, Stage.DROP_TABLE, Stage.DROP_FUNCTION, Stage.DROP_TYPE, Stage.DROP_SEQUENCE}
)


def ordered(actions: Iterable[Action]) -> tuple[Action, ...]:
    """Return ``actions`` in an order in which they can be executed, as far as names tell."""
    found: list[Action] = []
    by_stage: dict[Stage, list[Action]] = {}
    for action in actions:
        by_stage.setdefault(action.stage, []).append(action)
    for stage in sorted(by_stage):
        sorted_ = _by_need(by_stage[stage])
        found += reversed(sorted_) if stage in _DROPS else sorted_
    return tuple(found)


def _by_need(actions: Sequence[Action]) -> list[Action]:
    """What is mentioned comes before what mentions it; a circle stays as it is."""
    placed: list[Action] = []
    waiting = list(actions)
    while waiting:
        ready = [
            action
            for action in waiting
            if not any(
                other is not action and other.name and mentions(action.text, other.name)
                for other in waiting
            )
        ]
        if not ready:
            return placed + waiting
        placed += ready
        gone = {id(action) for action in ready}
        waiting = [action for action in waiting if id(action) not in gone]
    return placed
