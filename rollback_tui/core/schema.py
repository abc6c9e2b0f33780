"""The schema of a database as a value: what is in it, its fingerprint, and differences."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

import msgspec

from rollback_tui.core.model import Value
from rollback_tui.core.text import cells, printable, shorten

_DESCRIPTION_WIDTH = 160


class Difference(Value, frozen=True, kw_only=True):
    """One object that is not the same in two schemas."""

    object: str
    """``column public.users.email``; the kind is the first word or words."""
    before: str | None
    """Its definition before; None: it was not there."""
    after: str | None
    """Its definition after; None: it is not there."""

    @property
    def cosmetic(self) -> bool:
        """Whether no statement and no data can notice it: a comment."""
        return self.object.startswith("comment on ")

    def describe(self) -> str:
        """Return it as one printable line: ``gone: index public.users_email_idx``."""
        name = printable(self.object)
        if self.before is None:
            return f"appeared: {name}{_short(self.after or '')}"
        if self.after is None:
            return f"gone: {name}{_short(self.before)}"
        was, now = _where_they_part(self.before, self.after)
        return f"changed: {name}: was {was}, is {now}"


class SchemaSnapshot(Value, frozen=True, kw_only=True):
    """Every object of a database with its canonical definition.

    Made by :func:`rollback_tui.postgres.catalog.snapshot`. Names are qualified and quoted where
    needed, so that no ``search_path`` has a say. The order of columns is kept apart: a column
    that is dropped and added again comes back in another place, and that is equivalent.
    """

    objects: dict[str, str]
    """``table public.users`` → definition."""
    column_order: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    """``public.users`` → its columns in order. Information only: not in the fingerprint."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the objects as canonical JSON."""
        text = json.dumps(self.objects, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    def encode(self) -> bytes:
        """Return it as JSON, for a file."""
        return msgspec.json.encode(self, order="deterministic")

    @staticmethod
    def decode(data: bytes) -> SchemaSnapshot:
        """Return the snapshot that ``encode`` wrote. Raises msgspec.DecodeError."""
        return msgspec.json.decode(data, type=SchemaSnapshot)


def diff(before: SchemaSnapshot, after: SchemaSnapshot) -> tuple[Difference, ...]:
    """Return every object that differs, in the order of their names."""
    names = sorted(before.objects.keys() | after.objects.keys())
    return tuple(
        Difference(object=name, before=before.objects.get(name), after=after.objects.get(name))
        for name in names
        if before.objects.get(name) != after.objects.get(name)
    )


def moved_columns(before: SchemaSnapshot, after: SchemaSnapshot) -> tuple[str, ...]:
    """Return the tables whose columns are the same, but in another order."""
    return tuple(
        table
        for table, columns in sorted(after.column_order.items())
        if (was := before.column_order.get(table)) is not None
        and was != columns
        and sorted(was) == sorted(columns)
    )


def condensed(differences: Iterable[Difference]) -> tuple[Difference, ...]:
    """Leave out what only follows: the columns, grants … of a table that itself came or went."""
    found = tuple(differences)
    whole = {
        (_name(d.object), d.before is None)
        for d in found
        if d.object.startswith(_WHOLE) and None in (d.before, d.after)
    }
    return tuple(d for d in found if not _follows(d, whole))


_WHOLE = ("table ", "view ", "materialised view ", "sequence ", "function ", "type ", "schema ")


def _name(text: str) -> str:
    """``public.users.email`` of ``grants on column public.users.email``."""
    for prefix in ("grants on ", "comment on ", "compression of ", "internal triggers of "):
        text = text.removeprefix(prefix)
    for kind in ("materialised view ", "materialized view ", "table column "):
        if text.startswith(kind):
            return text.removeprefix(kind)
    return text.partition(" ")[2]


def _follows(difference: Difference, whole: AbstractSet[tuple[str, bool]]) -> bool:
    if difference.object.startswith(_WHOLE) or None not in (difference.before, difference.after):
        return False
    name, appeared = _name(difference.object), difference.before is None
    if difference.object.startswith("index "):
        definition = difference.after or difference.before or ""
        return any(
            a == appeared and (f" ON {n} " in definition or f" ON ONLY {n} " in definition)
            for n, a in whole
        )
    return any(a == appeared and (name == n or name.startswith(f"{n}.")) for n, a in whole)


def _short(definition: str) -> str:
    text = shorten(definition, _DESCRIPTION_WIDTH)
    return f" ({text})" if text else ""


def _where_they_part(before: str, after: str) -> tuple[str, str]:
    """Return both definitions, short, in a window that shows where they part."""
    first, second = (" ".join(text.split()) for text in (before, after))
    if cells(first) <= 80 and cells(second) <= 80:
        return printable(first) or "nothing", printable(second) or "nothing"
    part = next(
        (i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b),
        min(len(first), len(second)),
    )
    start = max(0, part - 20)
    lead = "…" if start else ""
    return lead + shorten(first[start:], 80), lead + shorten(second[start:], 80)
