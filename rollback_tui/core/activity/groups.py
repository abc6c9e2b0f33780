"""Connections counted by application, user or address."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

from rollback_tui.core.model import Session
from rollback_tui.core.value import Value

Dimension = Literal["application", "user", "address"]

DIMENSIONS: tuple[Dimension, ...] = ("application", "user", "address")
"""In the order of the key that goes through them."""


class Group(Value, frozen=True, kw_only=True):
    """The connections that have one thing in common."""

    name: str
    """Empty: they have no name, or our role may not see it."""
    count: int
    active: int
    idle_in_transaction: int
    waiting: int
    """For a lock."""
    writing: int
    hidden: int
    """Our role may not see what they do: nobody knows whether they belong to the others."""
    longest_transaction: float | None
    """Seconds; None: none of them has one open, as far as we may see."""


def groups(sessions: Iterable[Session], dimension: Dimension) -> tuple[Group, ...]:
    """Return the groups, the largest first. Our own connections count, parallel workers do not:
    they are no connections."""
    found: defaultdict[str, list[Session]] = defaultdict(list)
    for session in sessions:
        if session.leader_pid is None:
            found[getattr(session, dimension)].append(session)
    made = (_group(name, members) for name, members in found.items())
    return tuple(sorted(made, key=lambda group: (-group.count, group.name)))


def _group(name: str, members: list[Session]) -> Group:
    ages = [s.transaction_age for s in members if s.transaction_age is not None]
    return Group(
        name=name,
        count=len(members),
        active=sum(s.state == "active" for s in members),
        idle_in_transaction=sum(s.state.startswith("idle in transaction") for s in members),
        waiting=sum(s.waits for s in members),
        writing=sum(s.writing for s in members),
        hidden=sum(not s.state and s.backend_type == "client backend" for s in members),
        longest_transaction=max(ages, default=None),
    )
