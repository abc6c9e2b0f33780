"""Types named in a statement, looked up; and whether a column must be rewritten to have another.

The rule is PostgreSQL's own (``ATColumnChangeRequiresRewrite`` in ``tablecmds.c``): the table is
left alone when the new value is the old one's bytes under another name. A length coercion is left
out where the type's support function says that it cannot change a value (``varchar_support``,
``numeric_support``, ``varbit_support``, ``interval_support`` and those of time and timestamp).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple
from weakref import WeakKeyDictionary

import psycopg

from rollback_tui.core.script.tree import Node, child, children, opened, strings, text
from rollback_tui.postgres.aside import query
from rollback_tui.postgres.foresight.catalog import Catalog, Unsure


class Type(NamedTuple):
    """One row of ``pg_type``."""

    oid: int
    schema: str
    name: str
    kind: str
    """``typtype``: b base, c composite, d domain, e enum, p pseudo, r range, m multirange."""
    base: int
    """What a domain is built on; 0: it is none."""
    base_modifier: int
    array: int
    element: int
    """0: it is no array."""
    collation: int
    modifier_function: str
    """Reads the modifier; empty: it takes none."""
    constrained: bool
    """A domain with rules of its own; of those below it :meth:`Types.constrained` knows."""


User = tuple[str, int]


class Typed(NamedTuple):
    """A type with its modifier, as a column has it; -1: none."""

    oid: int
    modifier: int


# pg_type's and pg_proc's own numbers; they are part of the server's interface.
_VARCHAR, _BPCHAR, _TEXT, _NUMERIC, _VARBIT, _INTERVAL = 1043, 1042, 25, 1700, 1562, 1186
_TIMES = frozenset({1083, 1266, 1114, 1184})
"""time, timetz, timestamp, timestamptz."""
_SHIFTS = frozenset({2027, 2028})
"""timestamp(timestamptz) and timestamptz(timestamp): nothing to do where TimeZone is UTC."""
_UTC = frozenset({"utc", "uct", "gmt", "zulu", "universal", "greenwich", "gmt0", "gmt+0", "gmt-0"})
"""Zones without any offset; all of them exist below ``Etc/`` too."""
_WIDER: frozenset[tuple[int, int]] = frozenset(
    {(21, 23), (21, 20), (23, 20), (21, 1700), (23, 1700), (20, 1700), (21, 701), (23, 701)}
    | {(21, 700), (700, 701), (1082, 1114)}
)
"""Conversions that keep every value though they store it anew: integers to wider numbers, real to
double precision, date to timestamp."""


def places(catalog: Catalog, words: Sequence[str]) -> tuple[str, ...]:
    """Return the schemas in which a name is looked for, in order. Raises Unsure."""
    if len(words) > 1:
        return (words[-2],)
    if catalog.path is None:
        raise Unsure("search_path")
    return ("pg_catalog", *catalog.path)


class Types:
    """Types, casts and functions of the target, each read once."""

    def __init__(self, catalog: Catalog) -> None:
        """``catalog`` has the cursor, and knows where names are looked for."""
        self._catalog = catalog
        self._by_name: dict[str, list[Type]] = {}
        self._by_oid: dict[int, Type | None] = {}
        self._modifiers: dict[tuple[int, tuple[str, ...]], int] = {}
        self._collations: dict[tuple[str, ...], int] = {}
        self._users: dict[int, dict[int, list[User]]] = {}

    # --- looking up -----------------------------------------------------------------------------

    def of(self, node: Node) -> Typed:
        """Return the type that a TypeName node names. Raises Unsure when there is none (yet)."""
        words = strings(children(node, "names"))
        found = self._visible(self._named(words[-1]) if words else (), words)
        arguments = tuple(_argument(item) for item in children(node, "typmods"))
        modifier = self._modifier(found, arguments) if arguments else -1
        if children(node, "array_bounds"):
            return Typed(found.array, modifier)
        return Typed(found.oid, modifier)

    def get(self, oid: int) -> Type:
        """Return a type by its oid. Raises Unsure when there is none."""
        if oid not in self._by_oid:
            self._read([], [oid])
        found = self._by_oid.setdefault(oid, None)
        if found is None:
            raise Unsure(f"type {oid}")
        return found

    def constrained(self, oid: int) -> bool:
        """Whether values of a type must pass a domain's CHECK or NOT NULL."""
        at = self.get(oid)
        while at.base:
            if at.constrained:
                return True
            at = self.get(at.base)
        return False

    def collation(self, words: Sequence[str]) -> int:
        """Return the oid of a collation that a statement names; 0 when it is not found."""
        if tuple(words) not in self._collations:
            rows = self._catalog.cursor.execute(
                "SELECT c.oid FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace"
                " WHERE c.collname = %s AND n.nspname = ANY (%s) AND c.collencoding IN (-1,"
                " (SELECT encoding FROM pg_database WHERE datname = current_database()))"
                " ORDER BY array_position(%s, n.nspname::text) LIMIT 1",
                [words[-1], list(places(self._catalog, words)), list(places(self._catalog, words))],
            ).fetchall()
            self._collations[tuple(words)] = rows[0][0] if rows else 0
        return self._collations[tuple(words)]

    def base(self, oid: int) -> int:
        """Return what a domain is built on in the end; the type itself when it is no domain."""
        at = self.get(oid)
        while at.base:
            at = self.get(at.base)
        return at.oid

    def _named(self, name: str) -> Sequence[Type]:
        if name not in self._by_name:
            self._read([name], [])
            self._by_name.setdefault(name, [])
        return self._by_name[name]

    def _visible(self, candidates: Sequence[Type], words: Sequence[str]) -> Type:
        for schema in places(self._catalog, words):
            for candidate in candidates:
                if candidate.schema == schema:
                    return candidate
        raise Unsure(".".join(words))

    def _read(self, names: Sequence[str], oids: Sequence[int]) -> None:
        rows = self._catalog.cursor.execute(
            query("foresight_types").encode(), {"names": list(names), "oids": list(oids)}
        ).fetchall()
        found = [Type(*row) for row in rows]
        self._by_oid |= {t.oid: t for t in found}
        for name in names:
            self._by_name[name] = [t for t in found if t.name == name]

    def _modifier(self, found: Type, arguments: tuple[str, ...]) -> int:
        """Have the type's own function read ``(10, 2)``; it reads and answers, nothing more."""
        if not found.modifier_function:
            raise Unsure(f"type {found.name} takes no modifier")
        key = (found.oid, arguments)
        if key not in self._modifiers:
            cursor = self._catalog.cursor
            try:
                with cursor.connection.transaction():
                    row = cursor.execute(
                        f"SELECT {found.modifier_function}(%s::cstring[])".encode(),
                        [list(arguments)],
                    ).fetchone()
            except psycopg.Error as error:
                raise Unsure(str(error)) from error
            assert row is not None  # noqa: S101 - a SELECT without FROM has always one row
            self._modifiers[key] = row[0]
        return self._modifiers[key]

    @cached_property
    def _casts(self) -> Mapping[tuple[int, int], tuple[int, str]]:
        rows = self._catalog.cursor.execute(query("foresight_casts").encode()).fetchall()
        return {(row[0], row[1]): (row[2], row[3]) for row in rows}

    def users(self, table: int, column: int) -> Sequence[User]:
        """Return the indexes and constraints that use a column: (``index`` or ``constraint``,
        oid). An index that keeps a constraint comes through it."""
        if table not in self._users:
            self.read_users([table])
        return self._users[table].get(column, ())

    def read_users(self, tables: Sequence[int]) -> None:
        """Read what uses the columns of many tables at once. Raises psycopg.Error."""
        wanted = [oid for oid in tables if oid not in self._users]
        if not wanted:
            return
        self._users |= {oid: {} for oid in wanted}
        rows = self._catalog.cursor.execute(
            query("foresight_column_users").encode(), {"oids": wanted}
        ).fetchall()
        for table, column, what, oid in rows:
            self._users[table].setdefault(column, []).append((what, oid))

    # --- converting -----------------------------------------------------------------------------

    def rewritten(self, old: Typed, steps: Iterable[Typed]) -> bool:
        """Whether a column's values change when they are cast through ``steps``, one by one."""
        at = old
        for step in steps:
            reached = self._cast(at, step)
            if reached is None:
                return True
            at = reached
        return False

    def _cast(self, old: Typed, new: Typed) -> Typed | None:
        """Return what a cast gives without touching the bytes; None when it must touch them."""
        if self.constrained(new.oid) and new.oid != old.oid:
            return None
        if new.oid == old.oid:
            return self._fitted(old, new)
        goal = new
        while (domain := self.get(goal.oid)).base:
            goal = Typed(domain.base, domain.base_modifier)
        base = self.base(old.oid)
        at = Typed(base, old.modifier if base == old.oid else -1)
        if base != goal.oid:
            function, method = self._casts.get((base, goal.oid), (0, "i"))
            if method != "b" and not (function in _SHIFTS and self._in_utc()):
                return None
            at = Typed(goal.oid, -1)
        fitted = self._fitted(at, goal)
        return None if fitted is None else Typed(new.oid, fitted.modifier)

    def _in_utc(self) -> bool:
        if self._catalog.timezone is None:
            raise Unsure("TimeZone")
        return self._catalog.timezone.lower().removeprefix("etc/") in _UTC

    def _fitted(self, old: Typed, new: Typed) -> Typed | None:
        """Return a type with its modifier changed; None when values must be looked at for it."""
        if new.modifier < 0 or new.modifier == old.modifier:
            return new
        element = self.get(new.oid).element
        if (element or new.oid, element or new.oid) not in self._casts:
            return new
        fits = not element and _keeps(new.oid, old.modifier, new.modifier)
        return new if fits else None

    def widens(self, old: Typed, new: Typed) -> bool:
        """Whether every value of ``old`` is still itself in ``new`` though it is stored anew."""
        if new.modifier >= 0:
            return old.oid == new.oid and _holds(new.oid, old.modifier, new.modifier)
        target = self.get(new.oid)
        if target.base:
            return False
        if new.oid in (_TEXT, _VARCHAR):
            # What a type writes, it reads back; char(n) alone loses its padding.
            return self.get(self.base(old.oid)).name != "bpchar"
        return (self.base(old.oid), new.oid) in _WIDER


_KNOWN: WeakKeyDictionary[Catalog, Types] = WeakKeyDictionary()


def types_of(catalog: Catalog) -> Types:
    """Return the types of the target that ``catalog`` is of; always the same object."""
    if catalog not in _KNOWN:
        _KNOWN[catalog] = Types(catalog)
    return _KNOWN[catalog]


def casts(expression: Node, column: str) -> list[Node] | None:
    """Return the types that a USING expression casts ``column`` to, the innermost first.

    None when it does anything else with it.
    """
    kind, fields = opened(expression)
    if kind == "column_ref":
        names = strings(children(fields, "fields"))
        return [] if names[-1:] == [column] else None
    if kind == "collate_clause":
        return casts(child(fields, "arg"), column)
    if kind == "type_cast":
        inner = casts(child(fields, "arg"), column)
        return None if inner is None else [*inner, child(fields, "type_name")]
    return None


def _argument(node: Node) -> str:
    """Return a modifier as text: a number, a string or a word."""
    kind, fields = opened(node)
    if kind == "a_const":
        if "ival" in fields:
            return str(child(fields, "ival").get("ival", 0))
        for key, value in (("fval", "fval"), ("sval", "sval")):
            if key in fields:
                return text(child(fields, key), value)
    words = strings(children(fields, "fields")) if kind == "column_ref" else []
    if len(words) != 1:
        raise Unsure("type modifier")
    return words[0]


def _keeps(oid: int, old: int, new: int) -> bool:
    """Whether a length coercion from one modifier to another can change no value.

    ``new`` is one; ``old`` may be -1, none.
    """
    if oid == _VARCHAR:
        return 0 <= old <= new
    if oid == _VARBIT:
        return 0 < old <= new
    if oid == _NUMERIC:
        # make_numeric_typmod(): 4 bytes of header, then precision and scale.
        before, after = old - 4, new - 4
        return old >= 4 and before & 0xFFFF == after & 0xFFFF and after >> 16 >= before >> 16
    if oid in _TIMES:
        return new == 6 or 0 <= old <= new
    if oid == _INTERVAL:
        smallest = _least_field(old)
        precision, former = new & 0xFFFF, 0xFFFF if old < 0 else old & 0xFFFF
        return _least_field(new) <= smallest and (
            smallest > 0 or precision >= 6 or precision >= former
        )
    return False


def _holds(oid: int, old: int, new: int) -> bool:
    """Whether a length coercion may store a value anew, and yet as the same value."""
    if oid == _BPCHAR:
        return 0 <= old <= new
    if oid != _NUMERIC or old < 4:
        return False
    before, after = old - 4, new - 4
    scales = (before & 0x7FF, after & 0x7FF)
    # A scale above 1,023 is a negative one, in 11 bits (PostgreSQL 15).
    digits = (before >> 16) - scales[0], (after >> 16) - scales[1]
    return max(scales) < 1024 and scales[0] <= scales[1] and digits[0] <= digits[1]


def _least_field(modifier: int) -> int:
    """Return the smallest field that an interval keeps: 0 seconds … 5 years (``timestamp.c``)."""
    fields = 0x7FFF if modifier < 0 else modifier >> 16 & 0x7FFF
    for place, bit in enumerate((12, 11, 10, 3, 1, 2)):
        if fields & 1 << bit:
            return place
    return 0
