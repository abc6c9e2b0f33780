"""What the name of an object in a snapshot says: its kind, and what it belongs to."""

from __future__ import annotations

import re
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


def belonging(name: str, snapshot: SchemaSnapshot) -> tuple[str, ...]:
    """Return ``name`` and what there is only with it: its columns, constraints, indexes, triggers,
    grants, comments, owned sequences. ``name`` need not be there."""
    whole = named(name)
    found = [name] if name in snapshot.objects else []
    for other, definition in snapshot.objects.items():
        if other != name and _belongs(named(other), definition, whole):
            found.append(other)
    return tuple(found)


def _belongs(other: Named, definition: str, whole: Named) -> bool:
    if other.kind in ("grants on", "owner of", "comment on"):
        inner = named(other.name)
        rest = other.name.removeprefix("table ").removeprefix("column ").removeprefix("table ")
        return whole.name in (other.name, inner.name) or rest.startswith(f"{whole.name}.")
    if other.kind == "index":
        return f" ON {whole.name} " in definition or f" ON ONLY {whole.name} " in definition
    if other.kind == "internal triggers of":
        return other.name == whole.name
    if other.kind == "sequence":
        return f"owned by {whole.name}." in definition
    return other.kind in (
        "column",
        "constraint",
        "trigger",
        "rule",
        "policy",
    ) and other.name.startswith(f"{whole.name}.")
