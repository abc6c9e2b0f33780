"""Objects as PostgreSQL identifies them (``pg_identify_object``), in an Effect's words."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NAME = r'(?:"(?:[^"]|"")*"|[^".\s]+)'
_ON = re.compile(rf"({_NAME}) on ({_NAME}(?:\.{_NAME})?)\Z")
_WITHIN = re.compile(rf"(?:for )?({_NAME}\.{_NAME})\.{_NAME}\Z")
_ON_TABLES = frozenset({"trigger", "policy", "rule"})
_WITH_PARTS = frozenset({"table", "foreign table", "view", "materialized view", "type"})
_CLASSES = {
    "composite type": "type",
    "domain": "type",
    "statistics object": "statistics",
    "foreign-data wrapper": "foreign data wrapper",
    "event_trigger": "event trigger",
}
_INSIDE = frozenset(
    {
        "operator of access method",
        "function of access method",
        "publication relation",
        "publication namespace",
        "default acl",
        "toast table",
        "toast table column",
    }
)
"""Classes of objects that are nothing but parts of others, whatever their names say."""

Object = tuple[str, str]
"""(object class, name), as ``Effect.drops`` has them."""


def as_named(kind: str, identity: str) -> Object:
    """Return an object in an Effect's words.

    ``table column public.t.a`` → ``column public.t.a``; ``trigger g on public.t`` →
    ``trigger public.t.g``; ``default value for public.t.a`` → ``default public.t.a``.
    """
    if kind == "default value":
        return "default", identity.removeprefix("for ")
    if kind.endswith(" column"):
        return "column", identity
    if kind.endswith(" constraint") or kind in _ON_TABLES:
        on = _ON.match(identity)
        name = f"{on.group(2)}.{on.group(1)}" if on else identity
        return kind.split(" ")[-1], name
    return _CLASSES.get(kind, kind), identity


def is_part(kind: str, identity: str, gone: Iterable[Object]) -> bool:
    """Return whether an object that went is only a part of another one that went too.

    A CHECK of a dropped table, the rule of a dropped view, the default of a dropped column; and
    what has no life of its own. ``gone`` are all that went, as PostgreSQL identifies them.
    """
    if kind in _INSIDE or (kind == "type" and identity.endswith("[]")):
        return True
    if kind in _WITH_PARTS:
        return False
    found = _ON.match(identity)
    owner = found.group(2) if found else ""
    within = _WITHIN.match(identity)
    if within and (kind.endswith(" column") or kind == "default value"):
        owner = within.group(1)
        if kind == "default value" and any(
            k.endswith(" column") and n == identity.removeprefix("for ") for k, n in gone
        ):
            return True
    return any(k in _WITH_PARTS and n == owner for k, n in gone)
