"""What the name of an object in a snapshot says: its kind, and what it belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from rollback_tui.core.schema import SchemaSnapshot

_KINDS = (
    "default grants",
    "event trigger",
    "materialised view",
    "internal triggers of",
    "grants on",
    "owner of",
    "comment on",
    "text search configuration",
    "text search dictionary",
    "text search parser",
    "text search template",
    "foreign-data wrapper",
    "operator class",
    "operator family",
    "access method",
    "user mapping",
)
"""Kinds of more than one word; all others are the first word."""

_PART = re.compile(r'"(?:[^"]|"")*"|[^."]+')


class Named(NamedTuple):
    """An object's name, taken apart."""

    kind: str
    """``index``, ``grants on`` …"""
    name: str
    """What follows the kind: ``public.users.email``."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of a qualified name, each quoted as it is."""
        return split(self.name)

    @property
    def table(self) -> str:
        """``public.users`` of ``public.users.email``."""
        return ".".join(self.parts[:2])

    @property
    def last(self) -> str:
        """``email`` of ``public.users.email``."""
        return self.parts[-1]


def named(text: str) -> Named:
    """Take the name of a :class:`rollback_tui.core.schema.Difference` apart."""
    for kind in _KINDS:
        if text.startswith(f"{kind} "):
            return Named(kind, text[len(kind) + 1 :])
    kind, _, name = text.partition(" ")
    return Named(kind, name)


def split(name: str) -> tuple[str, ...]:
    """Return the parts of a qualified name; dots inside double quotes do not part it."""
    return tuple(_PART.findall(name))


def mentions(text: str, name: str) -> bool:
    """Return whether ``text`` names ``name`` as a whole: not as the beginning of another."""
    start = text.find(name)
    while start >= 0:
        before = text[start - 1 : start]
        after = text[start + len(name) : start + len(name) + 1]
        if not (before.isalnum() or before in ("_", '"')) and not (
            after.isalnum() or after in ("_", "$", '"')
        ):
            return True
        start = text.find(name, start + 1)
    return False


Families = Mapping[str, Sequence[str]]
"""``public.users`` → the objects that are there only with it."""


def families(snapshot: SchemaSnapshot) -> Families:
    """Return what hangs on what: columns, constraints, indexes, triggers, grants, comments, owned
    sequences, by the name of their table (or whatever it is) without its kind."""
    found: dict[str, list[str]] = {}
    for name, definition in snapshot.objects.items():
        for whole in _wholes(named(name), definition):
            found.setdefault(whole, []).append(name)
    return found


def belonging(name: str, snapshot: SchemaSnapshot) -> tuple[str, ...]:
    """Return ``name``, when it is there, and all that is there only with it."""
    there = (name,) if name in snapshot.objects else ()
    return (*there, *families(snapshot).get(named(name).name, ()))


def _wholes(other: Named, definition: str) -> Iterator[str]:
    """Yield the names of what an object hangs on."""
    if other.kind in ("grants on", "owner of", "comment on"):
        yield from _spoken_of(other.name)
    elif other.kind == "index":
        yield definition.partition(" ON ")[2].removeprefix("ONLY ").partition(" USING ")[0]
    elif other.kind == "internal triggers of":
        yield other.name
    elif other.kind == "sequence":
        owner = re.search(r"^owned by (.+)$", definition, re.MULTILINE)
        if owner:
            yield ".".join(split(owner.group(1))[:2])
    elif other.kind in ("column", "constraint", "trigger", "rule", "policy"):
        yield other.table


def _spoken_of(target: str) -> Iterator[str]:
    """Yield the names of what a grant or a comment is about, and of that one's table."""
    about = named(target)
    place = about.name.removeprefix("column ")  # table column public.t.c
    yield place
    _, _, table = place.partition(" on ")  # constraint c on public.t
    if table:
        yield table
    elif len(split(place)) > 2 and "(" not in place:
        yield ".".join(split(place)[:2])
