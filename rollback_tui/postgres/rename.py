"""The door by rename: where a database is, found by its number whatever it is called."""

from __future__ import annotations

from rollback_tui.core.model import Value
from rollback_tui.postgres.connect import Connection


class Place(Value, frozen=True, kw_only=True):
    """One row of ``pg_database``."""

    oid: int
    name: str
    accepts: bool
    """``datallowconn``."""
    connection_limit: int
    """``datconnlimit``: -1 is no limit, -2 a half-dropped database (PostgreSQL 16+, and the
    minor releases of older ones since August 2023)."""


_PLACE = "SELECT oid::bigint, datname, datallowconn, datconnlimit FROM pg_database WHERE "


def place(maintenance: Connection, oid: int) -> Place | None:
    """Return where the database with this number is; None when it does not exist."""
    return _place(maintenance, _PLACE + "oid = %s", oid)


def named(maintenance: Connection, name: str) -> Place | None:
    """Return the database of this name; None when there is none."""
    return _place(maintenance, _PLACE + "datname = %s", name)


def _place(maintenance: Connection, query: str, value: object) -> Place | None:
    row = maintenance.execute(query.encode(), [value]).fetchone()
    if row is None:
        return None
    oid, name, accepts, limit = row
    return Place(oid=oid, name=name, accepts=accepts, connection_limit=limit)
