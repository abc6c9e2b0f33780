"""What depends on the things a plan drops, and whether our role may drop them at all.

The walk follows PostgreSQL's own (``findDependentObjects`` in ``dependency.c``): automatic and
internal dependents go silently, normal ones stop a statement or go with CASCADE, and what is
internal to another object (the rule of a view, the index of a constraint) stands for its owner.
Bodies of functions written as strings are not in ``pg_depend``; nobody can see into them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import TupleRow

from rollback_tui.core.facts import Dependent
from rollback_tui.core.model import Doomed, Statement
from rollback_tui.postgres.aside import aside, canonical_from_here, query

Cursor = psycopg.Cursor[TupleRow]


class _Address(NamedTuple):
    """An object as pg_depend names it: (catalog, object, column or 0)."""

    catalog: int
    object: int
    column: int


class _Edge(NamedTuple):
    """``dependent`` depends on ``on``; ``owner`` is what it is internal to, if anything."""

    on: _Address
    dependent: _Address
    automatic: bool
    owner: _Address | None


def dependents(
    conn: psycopg.Connection[Any], statements: Sequence[Statement], seconds: float = 30
) -> tuple[Dependent, ...]:
    """Return what depends on the things ``statements`` drop and is not itself dropped in time.

    A view that statement 1 drops does not stand in the way of statement 3. With CASCADE all that
    goes with it is named too. An object that the catalog does not know (yet, or any more) has no
    dependents. Raises psycopg.Error.
    """
    with aside(conn, seconds=seconds) as cursor:
        dropped = [(s, _resolve(cursor, s.effect.drops)) for s in statements]
        canonical_from_here(cursor)
        gone: set[_Address] = set()
        found: list[tuple[Statement, str, _Address]] = []
        for statement, roots in dropped:
            for name, stopped_by in _drop(cursor, roots, gone, statement.effect.cascade):
                found.append((statement, name, stopped_by))
        names = _describe(cursor, {address for _, _, address in found})
    return tuple(
        Dependent(
            statement=statement.index,
            dropped=name,
            dependent=names[address],
            cascades=statement.effect.cascade,
        )
        for statement, name, address in found
        if address in names
    )


def collateral(
    conn: psycopg.Connection[Any], statement: Statement, seconds: float = 30
) -> tuple[Doomed, ...]:
    """Return the tables and columns whose data goes with ``statement`` because of CASCADE.

    ``DROP SCHEMA … CASCADE`` takes tables, ``DROP TYPE … CASCADE`` columns, and ``TRUNCATE …
    CASCADE`` empties all that references the table. What the statement names itself is among
    them. Nothing without CASCADE. Raises psycopg.Error.
    """
    if not statement.effect.cascade:
        return ()
    with aside(conn, seconds=seconds) as cursor:
        if statement.effect.kind.upper().startswith("TRUNCATE"):
            named = [("table", d.relation) for d in statement.effect.doomed]
            roots = [address for _, address in _resolve(cursor, named)]
            name = "truncated_too"
        else:
            gone: set[_Address] = set()
            _drop(cursor, _resolve(cursor, statement.effect.drops), gone, cascade=True)
            catalog = cursor.execute("SELECT 'pg_catalog.pg_class'::regclass::oid").fetchone()
            roots = [a for a in gone if catalog is not None and a.catalog == catalog[0]]
            name = "tables_and_columns"
        canonical_from_here(cursor)
        rows = cursor.execute(
            query(name).encode(),
            {"objects": [a.object for a in roots], "columns": [a.column for a in roots]},
        ).fetchall()
    return tuple(
        Doomed(kind="table" if column is None else "column", relation=table, column=column)
        for table, column in rows
    )


def not_owned(conn: psycopg.Connection[Any], statements: Sequence[Statement]) -> tuple[str, ...]:
    """Return the objects that ``statements`` change and that our role may not change.

    Changing a table needs its owner's role (or a superuser); to drop it, the owner of its schema
    will do. DELETE, UPDATE, INSERT and TRUNCATE need only the privilege. Raises psycopg.Error.
    """
    names, privileges, classes = [], [], []
    for statement in statements:
        first = statement.effect.kind.split(" ", 1)[0].upper()
        privilege = first if first in ("DELETE", "UPDATE", "INSERT", "TRUNCATE") else ""
        if first in ("SELECT", "GRANT", "REVOKE", "CREATE", "DO", "CALL", "COMMENT", "SET"):
            continue
        mentioned = dict.fromkeys(statement.effect.objects, "")
        mentioned |= {name: kind for kind, name in statement.effect.drops}
        for name, kind in mentioned.items():
            names.append(name)
            privileges.append(privilege)
            classes.append(kind)
    if not names:
        return ()
    with aside(conn) as cursor:
        known = [
            (name, privilege, address)
            for name, privilege, kind in zip(names, privileges, classes, strict=True)
            for _, address in _resolve(cursor, ((kind or "table", name),))
        ]
        rows = cursor.execute(
            query("not_owned").encode(),
            {
                "names": [name for name, _, _ in known],
                "privileges": [privilege for _, privilege, _ in known],
                "catalogs": [address.catalog for _, _, address in known],
                "objects": [address.object for _, _, address in known],
            },
        ).fetchall()
    return tuple(dict.fromkeys(row[0] for row in rows))


def row_security_tables(conn: psycopg.Connection[Any]) -> tuple[str, ...]:
    """Return the tables whose row-level security applies to our role: a dump would miss rows."""
    with aside(conn, canonical=True) as cursor:
        return tuple(row[0] for row in cursor.execute(query("row_security").encode()))


# --- names to objects ---------------------------------------------------------------------------


def _resolve(cursor: Cursor, drops: Iterable[tuple[str, str]]) -> tuple[tuple[str, _Address], ...]:
    """Look (object class, name as written) up; what does not exist is left out."""
    found = []
    for written, name in drops:
        kind = _KINDS.get(written.lower(), written.lower())
        text = query("resolve_object" if kind in _LOOKED_UP else "resolve_other").encode()
        try:
            with cursor.connection.transaction():
                rows = cursor.execute(text, {"kind": kind, "name": name}).fetchall()
        except _NO_SUCH:
            continue
        found += [(f"{written} {name}", _Address(*row)) for row in rows]
    return tuple(found)


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


# --- the walk -------------------------------------------------------------------------------------


def _drop(
    cursor: Cursor,
    roots: Sequence[tuple[str, _Address]],
    gone: set[_Address],
    cascade: bool,
) -> list[tuple[str, _Address]]:
    """Drop ``roots`` in thought: add to ``gone``, and return what stops it or goes with it."""
    source = {address: name for name, address in roots}
    frontier = list(source)
    noted: dict[_Address, str] = {}
    silent: set[_Address] = set()
    while frontier:
        gone.update(frontier)
        following: dict[_Address, str] = {}
        edges = [e for e in _edges(cursor, frontier) if not _is_gone(e.dependent, gone)]
        for edge in edges:
            if edge.automatic and (edge.owner is None or _is_gone(edge.owner, gone)):
                following[edge.dependent] = _source_of(source, edge.on)
        silent.update(following)
        for edge in edges:
            target = edge.owner or edge.dependent
            if edge.dependent in silent or _is_gone(target, gone | silent):
                continue
            name = _source_of(source, edge.on)
            noted.setdefault(target, name)
            if cascade:
                following[target] = name
        source |= following
        frontier = list(following)
    # What looked like an obstacle at first may have gone silently by another way.
    return [(name, a) for a, name in noted.items() if a not in silent]


def _is_gone(address: _Address, gone: set[_Address]) -> bool:
    return address in gone or address._replace(column=0) in gone


def _source_of(source: dict[_Address, str], on: _Address) -> str:
    return source.get(on) or source.get(on._replace(column=0)) or ""


def _edges(cursor: Cursor, addresses: Sequence[_Address]) -> list[_Edge]:
    rows = cursor.execute(
        query("dependents").encode(),
        {
            "catalogs": [a.catalog for a in addresses],
            "objects": [a.object for a in addresses],
            "columns": [a.column for a in addresses],
        },
    ).fetchall()
    return [
        _Edge(
            _Address(*row[0:3]),
            _Address(*row[3:6]),
            row[6],
            None if row[7] is None else _Address(*row[7:10]),
        )
        for row in rows
    ]


def _describe(cursor: Cursor, addresses: set[_Address]) -> dict[_Address, str]:
    ordered = sorted(addresses)
    rows = cursor.execute(
        "SELECT c, o, s, pg_catalog.pg_describe_object(c, o, s)"
        " FROM unnest(%s::oid[], %s::oid[], %s::int[]) AS a(c, o, s)",
        [[a.catalog for a in ordered], [a.object for a in ordered], [a.column for a in ordered]],
    ).fetchall()
    return {_Address(*row[0:3]): row[3] for row in rows if row[3] is not None}
