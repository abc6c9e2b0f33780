"""What a plan names, looked up in a few queries before its statements are taken one by one."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from rollback_tui.core.model import Effect, Statement
from rollback_tui.postgres.aside import query
from rollback_tui.postgres.deletion import Address
from rollback_tui.postgres.foresight import alter_ahead
from rollback_tui.postgres.foresight.catalog import Catalog, Cursor, Unsure
from rollback_tui.postgres.foresight.deletion import PG_CLASS
from rollback_tui.postgres.foresight.drops import RELATIONS

_FUNCTIONS = frozenset({"function", "procedure", "routine", "aggregate"})
_CLASSES = {
    "domain": "type",
    "statistics": "statistics object",
    "foreign data wrapper": "foreign-data wrapper",
} | dict.fromkeys(_FUNCTIONS, "function")
_TOGETHER = frozenset({"function", "type", "schema", "extension"})
_ON_TABLES = frozenset({"trigger", "policy", "rule", "column", "constraint"})

Named = tuple[str, str]


def objects(cursor: Cursor, statements: Sequence[Statement]) -> dict[Named, Address | None]:
    """Look up what is dropped and is no relation, nor a part of one, by the session's own
    search_path: (class, name as written) → its address. Raises psycopg.Error.

    A class that PostgreSQL has no look-up for (casts, operators) is left out: nobody knows.
    """
    wanted = {
        item: None
        for s in statements
        for item in s.effect.drops
        if item[0] not in RELATIONS and item[0] not in _ON_TABLES
    }
    wanted |= {
        ("type", name): None
        for s in statements
        if s.effect.kind.startswith("ALTER DOMAIN")
        for name in s.effect.objects
    }
    together = [item for item in wanted if _class(item) in _TOGETHER]
    found: dict[Named, Address | None] = {}
    try:
        found |= _together(cursor, together)
    except _UNREADABLE:
        # One name that cannot be read spoils the query; then each is asked for by itself.
        for item in together:
            try:
                found |= _together(cursor, [item])
            except _UNREADABLE:
                continue
    for item in wanted:
        if item not in together:
            found |= _other(cursor, item)
    return found


_UNREADABLE = (psycopg.DataError, psycopg.ProgrammingError, psycopg.NotSupportedError)


def _class(item: Named) -> str:
    return _CLASSES.get(item[0], item[0])


def _together(cursor: Cursor, items: Sequence[Named]) -> dict[Named, Address | None]:
    if not items:
        return {}
    with cursor.connection.transaction():
        rows = cursor.execute(
            query("foresight_objects").encode(),
            {"kinds": [_class(item) for item in items], "names": [name for _, name in items]},
        ).fetchall()
    known = {
        (row[0], row[1]): None if row[3] is None else Address(row[2], row[3], 0) for row in rows
    }
    return {item: known[_class(item), item[1]] for item in items}


def _other(cursor: Cursor, item: Named) -> dict[Named, Address | None]:
    """A rarer class: collation, statistics object, publication, server …"""
    try:
        with cursor.connection.transaction():
            row = cursor.execute(
                query("resolve_other").encode(), {"kind": _class(item), "name": item[1]}
            ).fetchone()
    except (psycopg.errors.UndefinedObject, psycopg.errors.InvalidSchemaName):
        return {item: None}
    except _UNREADABLE:
        return {}
    return {item: Address(*row) if row else None}


def prefetch(catalog: Catalog, effects: Sequence[Effect]) -> None:
    """Read what goes along with everything that is dropped, and the columns of what is altered."""
    roots = [a for a in catalog.objects.values() if a is not None]
    for effect in effects:
        for kind, name in effect.drops:
            oid = _oid(catalog, name) if kind in RELATIONS else None
            if oid is not None:
                roots.append(Address(PG_CLASS, oid, 0))
    if roots:
        catalog.dependencies.prefetch(roots)
    alter_ahead.prefetch(catalog, effects)


def _oid(catalog: Catalog, name: str) -> int | None:
    try:
        found = catalog.relation(name)
    except Unsure:
        return None
    return None if found is None else found.oid
