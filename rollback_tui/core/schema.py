"""The schema of a database as a value: what is in it, its fingerprint, and differences."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Iterable
from collections.abc import Set as AbstractSet

import msgspec

from rollback_tui.core.model import Value
from rollback_tui.core.text import cells, printable, shorten

_DESCRIPTION_WIDTH = 160
_WINDOW = 80
"""Terminal cells for each side of a changed definition."""

FORMAT = 2
"""What snapshots are written in now: 1 had other kinds and definitions, and a comparison of one
with the other would find hundreds of differences that are none."""


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
    unread: tuple[str, ...] = ()
    """Objects whose definition the role that looked may not read (user mappings of others)."""
    format: int = 1
    """How kinds and definitions are written, see :data:`FORMAT`; 1 where a file does not say."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the objects as canonical JSON."""
        return hashlib.sha256(msgspec.json.encode(self.objects, order="sorted")).hexdigest()

    def encode(self) -> bytes:
        """Return it as JSON, for a file."""
        return msgspec.json.encode(self, order="deterministic")

    @staticmethod
    def decode(data: bytes) -> SchemaSnapshot:
        """Return the snapshot that ``encode`` wrote. Raises msgspec.DecodeError."""
        return msgspec.json.decode(data, type=SchemaSnapshot)


def diff(before: SchemaSnapshot, after: SchemaSnapshot) -> tuple[Difference, ...]:
    """Return every object that differs, in the order of their names.

    What one of the two could not read (``unread``) is not compared.
    """
    changed = before.objects.items() ^ after.objects.items()
    names = {name for name, _ in changed}.difference(before.unread, after.unread)
    return tuple(
        Difference(object=name, before=before.objects.get(name), after=after.objects.get(name))
        for name in sorted(names)
    )


def carried_over(
    here: SchemaSnapshot, before: SchemaSnapshot, after: SchemaSnapshot
) -> SchemaSnapshot:
    """Return ``here`` with all that changed from ``before`` to ``after``."""
    objects = dict(here.objects)
    for name in before.objects.keys() | after.objects.keys():
        was, now = before.objects.get(name), after.objects.get(name)
        if was == now:
            continue
        if now is None:
            objects.pop(name, None)
        else:
            objects[name] = now
    order = {
        table: columns
        for table, columns in here.column_order.items()
        if table in after.column_order or table not in before.column_order
    }
    order |= {
        table: columns
        for table, columns in after.column_order.items()
        if before.column_order.get(table) != columns
    }
    return msgspec.structs.replace(
        here, objects=dict(sorted(objects.items())), column_order=dict(sorted(order.items()))
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
        (kind_and_name(d.object)[1], d.before is None)
        for d in found
        if d.object.startswith(_WHOLE) and None in (d.before, d.after)
    }
    return tuple(d for d in found if not _follows(d, whole))


def _follows(difference: Difference, whole: AbstractSet[tuple[str, bool]]) -> bool:
    if difference.object.startswith(_WHOLE) or None not in (difference.before, difference.after):
        return False
    appeared = difference.before is None
    return any((name, appeared) in whole for name in _above(difference))


# --- what belongs to what -------------------------------------------------------------------------

_WHOLE = (
    "table ",
    "view ",
    "materialised view ",
    "sequence ",
    "function ",
    "procedure ",
    "aggregate ",
    "type ",
    "schema ",
)
_ABOUT = re.compile(r"(?:grants on|owner of|comment on|security label \S+ on) (?=.)")
# Kinds of more than one word, ours and those of pg_identify_object in comments; the longer first.
_KINDS = (
    *("materialised view", "materialized view column", "materialized view", "table constraint"),
    *("domain constraint", "table column", "view column", "foreign table column", "foreign table"),
    *("composite type column", "composite type", "event trigger", "user mapping", "operator class"),
    *("operator family", "operator of access method", "function of access method"),
    *("text search configuration", "text search dictionary", "text search parser"),
    *("text search template", "foreign-data wrapper", "access method", "statistics object"),
    *("publication relation", "publication namespace", "default value", "default grants"),
    "internal triggers",
)
_PARTS = re.compile(r'"(?:[^"]|"")*"|[^".(]+')
_ON_TABLE = re.compile(
    r"^CREATE (?:UNIQUE )?(?:INDEX|STATISTICS) .*? (?:ON(?: ONLY)?|FROM) "
    r'((?:"(?:[^"]|"")*"|[^" .(]+)(?:\.(?:"(?:[^"]|"")*"|[^" .(]+))+)',
    re.DOTALL,
)
_OWNED_BY = re.compile(r"^(?:owned by|identity of) (.+)$", re.MULTILINE)


def kind_and_name(text: str) -> tuple[str, str]:
    """Return ``("column", "public.users.email")`` of ``grants on column public.users.email``."""
    text = _ABOUT.sub("", text, count=1).replace("internal triggers of ", "internal triggers ", 1)
    for kind in _KINDS:
        if text.startswith(f"{kind} "):
            return kind, text[len(kind) + 1 :]
    kind, _, name = text.partition(" ")
    return kind, name


def parts(name: str) -> tuple[str, ...]:
    """Return ``("public", '"Ord.er"', "id")`` of ``public."Ord.er".id``; the quotes stay."""
    return tuple(_PARTS.findall(name))


def _above(difference: Difference) -> tuple[str, ...]:
    """Return the names of what it belongs to, itself included, where others hang on it."""
    kind, name = kind_and_name(difference.object)
    found = [name]
    if kind == "index" or kind == "statistics":
        match = _ON_TABLE.search(difference.after or difference.before or "")
        found += [match.group(1)] if match else []
    elif kind == "sequence":
        match = _OWNED_BY.search(difference.after or difference.before or "")
        found += [".".join(parts(match.group(1))[:2])] if match else []
    elif " on " in name and difference.object.startswith("comment on "):
        found.append(name.rpartition(" on ")[2])  # trigger stamp on public.users
    elif kind in _OF_TABLE or kind.endswith(" column"):
        found.append(".".join(parts(name)[:2]))
    return tuple(found)


_OF_TABLE = ("column", "constraint", "trigger", "rule", "policy", "internal triggers")


class Group(Value, frozen=True, kw_only=True):
    """What differs about one object: a table with its columns, indexes, grants …"""

    object: str
    """``table public.users``, or an object that belongs to no other: ``type public.mood``."""
    differences: tuple[Difference, ...] = ()
    """The object itself first, when it differs."""
    moved: bool = False
    """Its columns are the same in another order: information only."""

    def lines(self) -> tuple[str, ...]:
        """Return it as printable lines, what is beneath the object indented by two spaces."""
        head = [d.describe() for d in self.differences if d.object == self.object]
        below = [f"  {d.describe()}" for d in self.differences if d.object != self.object]
        if self.moved:
            below.append("  the same columns in another order")
        return (*(head or [f"in {printable(self.object)}:"]), *below)


def grouped(
    differences: Iterable[Difference],
    moved: Iterable[str] = (),
    known: Container[str] = frozenset(),
) -> tuple[Group, ...]:
    """Return the differences by the object that they belong to.

    ``moved`` are tables as :func:`moved_columns` returns them. ``known`` are objects of either
    snapshot: they tell whether a column is one of a view, a constraint one of a domain.
    """
    found = tuple(differences)
    names = {d.object for d in found}
    groups: dict[str, list[Difference]] = {}
    for difference in found:
        groups.setdefault(_head(difference, names, known), []).append(difference)
    turned = {_relation(name, names, known) for name in moved}
    return tuple(
        Group(
            object=head,
            differences=tuple(sorted(groups.get(head, ()), key=lambda d: d.object != head)),
            moved=head in turned,
        )
        for head in sorted(groups.keys() | turned)
    )


def _head(difference: Difference, names: AbstractSet[str], known: Container[str]) -> str:
    kind, name = kind_and_name(difference.object)
    above = _above(difference)[-1]
    if above != name or kind == "internal triggers":
        return _relation(above, names, known)
    if _ABOUT.match(difference.object):
        kind = {"materialized view": "materialised view", "foreign table": "table"}.get(kind, kind)
    return f"{kind} {name}"


def _relation(name: str, names: AbstractSet[str], known: Container[str]) -> str:
    for kind in ("table", "view", "materialised view", "type"):
        if f"{kind} {name}" in names or f"{kind} {name}" in known:
            return f"{kind} {name}"
    return f"table {name}"


# --- words ----------------------------------------------------------------------------------------


def _short(definition: str) -> str:
    text = shorten(definition, _DESCRIPTION_WIDTH)
    return f" ({text})" if text else ""


def _where_they_part(before: str, after: str) -> tuple[str, str]:
    """Return both definitions, short: whole, or the lines in which they differ, or a window that
    shows where they part."""
    first, second = _flat(before), _flat(after)
    if cells(first) <= _WINDOW and cells(second) <= _WINDOW:
        return printable(first) or "nothing", printable(second) or "nothing"
    place, old, new = _lines_that_differ(before.splitlines(), after.splitlines())
    lead = f"line {place}: " if place > 1 else ""
    first, second = _flat("\n".join(old)), _flat("\n".join(new))
    if cells(first) > _WINDOW or cells(second) > _WINDOW:
        part = next(
            (i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b),
            min(len(first), len(second)),
        )
        start = max(0, part - 20)
        lead += "…" if start else ""
        first, second = shorten(first[start:], _WINDOW), shorten(second[start:], _WINDOW)
    return lead + (printable(first) or "nothing"), printable(second) or "nothing"


def _lines_that_differ(before: list[str], after: list[str]) -> tuple[int, list[str], list[str]]:
    """Return the number of the first line that differs, and both texts between the lines that are
    the same at the beginning and at the end."""
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    return start + 1, before[start : len(before) - end], after[start : len(after) - end]


def _flat(text: str) -> str:
    return " ".join(text.split())
