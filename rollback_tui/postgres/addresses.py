"""Objects as statements name them, looked up: their addresses, as ``pg_depend`` has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import psycopg
from psycopg.rows import TupleRow

from rollback_tui.postgres.aside import query
from rollback_tui.postgres.deletion import Address

Cursor = psycopg.Cursor[TupleRow]

Named = tuple[str, str]
"""(object class, name as written)."""


def addresses(cursor: Cursor, named: Iterable[Named]) -> dict[Named, tuple[Address, ...]]:
    """Look all of them up with the session's search_path, in a few questions however many there
    are. What does not exist has no address. Raises psycopg.Error."""
    every = dict.fromkeys(named)
    common = [one for one in every if _class(one) in _LOOKED_UP]
    others = [one for one in every if _class(one) not in _LOOKED_UP]
    found: dict[Named, list[Address]] = {one: [] for one in every}
    for name, wanted in (("resolve_objects", common), ("resolve_others", others)):
        for one, address in _asked(cursor, name, wanted):
            found[one].append(address)
    return {one: tuple(known) for one, known in found.items()}


def _asked(cursor: Cursor, name: str, wanted: Sequence[Named]) -> list[tuple[Named, Address]]:
    """One that the server cannot read, or that must exist and does not, fails for all asked with
    it: then each half is asked for itself."""
    if not wanted:
        return []
    parameters = {"kinds": [_class(one) for one in wanted], "names": [n for _, n in wanted]}
    try:
        with cursor.connection.transaction():
            rows = cursor.execute(query(name).encode(), parameters).fetchall()
    except _NO_SUCH:
        if len(wanted) == 1:
            return []
        half = len(wanted) // 2
        return _asked(cursor, name, wanted[:half]) + _asked(cursor, name, wanted[half:])
    return [(wanted[place - 1], Address(*address)) for place, *address in rows]


def _class(named: Named) -> str:
    written = named[0].lower()
    return _KINDS.get(written, written)


_NO_SUCH = (
    psycopg.DataError,
    psycopg.errors.UndefinedObject,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.InvalidName,
    psycopg.errors.SyntaxError,
    psycopg.errors.WrongObjectType,
    psycopg.errors.AmbiguousFunction,
    psycopg.NotSupportedError,
)
"""It does not exist, or is a name or class that PostgreSQL cannot read: it names nothing."""

_RELATION = "relation"
_LOOKED_UP = frozenset(
    {_RELATION, "column", "default", "constraint", "trigger", "policy", "rule"}
    | {"function", "type", "schema", "extension"}
)
_KINDS = {
    "materialized view": _RELATION,
    "materialised view": _RELATION,
    "matview": _RELATION,
    "table": _RELATION,
    "foreign table": _RELATION,
    "view": _RELATION,
    "index": _RELATION,
    "sequence": _RELATION,
    "domain": "type",
    "procedure": "function",
    "routine": "function",
    "aggregate": "function",
    "statistics": "statistics object",
}
