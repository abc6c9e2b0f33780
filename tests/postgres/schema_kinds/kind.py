"""What a case of the table is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Sees = Literal["both", "neither", "dump", "snapshot"]


@dataclass(frozen=True)
class Kind:
    """One change, and what must show it."""

    name: str
    change: str
    """SQL; several statements are executed one by one when one of them cannot be in a transaction
    block (they are then separated by ``;;``)."""
    objects: tuple[str, ...] = ()
    """What the difference must name; others may differ along with it."""
    sees: Sees = "both"
    """``dump``: information only for us, the order of columns or of equal things.
      ``snapshot``: more
    than pg_dump prints."""
    since: int = 13
    """First server version that has the syntax."""


@dataclass(frozen=True)
class Family:
    """Changes that are made one after the other in one database."""

    name: str
    setup: str
    kinds: tuple[Kind, ...]


def change(name: str, sql: str, *objects: str, since: int = 13) -> Kind:
    """Return a change that both must see."""
    return Kind(name, sql, objects, since=since)


def same(name: str, sql: str, since: int = 13) -> Kind:
    """Return what changes nothing that pg_dump prints."""
    return Kind(name, sql, sees="neither", since=since)
