"""Names of relations as a statement writes them, looked up: many in one round trip."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import psycopg

from rollback_tui.postgres.aside import aside, query

_TABLES = frozenset("rp")
_UNREADABLE = (psycopg.errors.InvalidName, psycopg.errors.SyntaxError, psycopg.DataError)


class Relation(NamedTuple):
    """A relation that exists now."""

    oid: int
    name: str
    """Qualified and quoted where needed."""
    bare: str
    """Its name without the schema, quoted where needed."""
    kind: str
    """``pg_class.relkind``."""
    family: frozenset[int]
    """Itself and all it inherits from: relations that share one share rows."""
    pages: int
    """Of it and its partitions, as of the last ANALYZE: only to sort by."""
    spreads: bool
    """A change of its rows may change other tables: triggers, rules, foreign keys."""

    @property
    def is_table(self) -> bool:
        """Whether rows are stored in it, or in its partitions."""
        return self.kind in _TABLES


def relations(conn: psycopg.Connection[Any], names: Iterable[str]) -> dict[str, Relation]:
    """Return the relations called ``names``, by the session's search path; unknown ones are left
    out. Raises psycopg.Error."""
    wanted = list(dict.fromkeys(names))
    if not wanted:
        return {}
    try:
        return _asked(conn, wanted)
    except _UNREADABLE:
        # One of them is a name that PostgreSQL cannot read, and names nothing.
        if len(wanted) == 1:
            return {}
        half = len(wanted) // 2
        return relations(conn, wanted[:half]) | relations(conn, wanted[half:])


def _asked(conn: psycopg.Connection[Any], names: list[str]) -> dict[str, Relation]:
    with aside(conn) as cursor:
        rows = cursor.execute(query("known_relations").encode(), {"names": names}).fetchall()
    return {
        name: Relation(oid, full, bare, kind, frozenset(family), pages, spreads)
        for name, oid, full, bare, kind, family, pages, spreads in rows
    }
