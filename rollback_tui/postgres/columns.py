"""The columns of a relation as far as counting needs them."""

from __future__ import annotations

from typing import Any, NamedTuple

import psycopg

from rollback_tui.postgres.aside import aside, query


class Type(NamedTuple):
    """A type with its modifier; of a domain, what it is made of."""

    oid: int
    typmod: int
    name: str
    """``pg_type.typname``: ``int4``."""
    kind: str
    """``pg_type.typtype``: ``b``, ``e`` for an enumeration, ``d`` for a domain …"""
    category: str
    """``pg_type.typcategory``."""
    spelled: str
    """``numeric(5,2)``."""


class Column(NamedTuple):
    """One column."""

    name: str
    quoted: str
    """Quoted where needed."""
    not_null: bool
    type: Type
    declared: str
    """Its type as declared: the domain, where it has one."""


def columns(conn: psycopg.Connection[Any], relation: int) -> dict[str, Column]:
    """Return the columns of the relation with this OID, by name. Raises psycopg.Error."""
    with aside(conn) as cursor:
        rows = cursor.execute(query("columns_of").encode(), {"relation": relation}).fetchall()
    return {row[0]: Column(row[0], row[1], row[2], Type(*row[3:9]), row[9]) for row in rows}


def default_of(conn: psycopg.Connection[Any], relation: int, column: str) -> str | None:
    """Return the SQL of a column's default; None when it has none, or is generated.

    Raises psycopg.Error, also when somebody has the table locked.
    """
    with aside(conn) as cursor:
        row = cursor.execute(
            query("column_default").encode(), {"relation": relation, "column": column}
        ).fetchone()
    return row[0] if row else None


def type_of(conn: psycopg.Connection[Any], spelled: str) -> Type:
    """Return the type that this SQL names now. Raises psycopg.Error when there is none."""
    with aside(conn) as cursor:
        cursor.execute(f"SELECT NULL::{spelled} LIMIT 0".encode(), binary=True)
        result = cursor.pgresult
        if result is None:
            raise psycopg.errors.UndefinedObject(f"there is no type {spelled}")
        typmod = result.fmod(0)
        # The description of a result names what a domain is made of, and not the domain.
        # And a NULL that is computed would be checked against the domain's rules.
        cursor.execute("SELECT %s::pg_catalog.regtype::pg_catalog.oid", [spelled], binary=True)
        (oid,) = cursor.fetchone() or (0,)
        row = cursor.execute(
            "SELECT typname, typtype::text, typcategory::text, pg_catalog.format_type(oid, %s)"
            " FROM pg_catalog.pg_type WHERE oid = %s",
            [typmod, oid],
        ).fetchone()
    if row is None:
        raise psycopg.errors.UndefinedObject(f"there is no type {spelled}")
    return Type(oid, typmod, *row)


def assignable(conn: psycopg.Connection[Any], old: int, new: int) -> bool:
    """Return whether there is an assignment cast between the types with these OIDs. Raises
    psycopg.Error."""
    with aside(conn) as cursor:
        row = cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_cast WHERE castsource = %s"
            " AND casttarget = %s AND castcontext IN ('a', 'i'))",
            [old, new],
        ).fetchone()
    return bool(row and row[0])
