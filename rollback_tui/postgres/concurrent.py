"""What commands leave half done that commit several times on their way.

``CREATE INDEX``, ``DROP INDEX``, ``REINDEX`` and ``DETACH PARTITION`` with CONCURRENTLY are
several transactions each. One that fails or is interrupted leaves an index that is there but not
valid (PostgreSQL, *Building Indexes Concurrently* and *Rebuilding Indexes Concurrently*), or a
partition whose detaching is pending (14 and newer).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Literal

from psycopg import sql

from rollback_tui.core.model import Value
from rollback_tui.postgres.aside import aside
from rollback_tui.postgres.connect import Connection

IndexState = Literal["gone", "invalid", "valid", "not an index"]
PartState = Literal["attached", "pending", "detached"]

_INVALID = """
SELECT pg_catalog.format('%I.%I', n.nspname, i.relname),
       pg_catalog.format('%I.%I', tn.nspname, t.relname)
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = i.relnamespace
JOIN pg_catalog.pg_class t ON t.oid = x.indrelid
JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
WHERE NOT (x.indisvalid AND x.indisready AND x.indislive)
  AND i.relkind = 'i' AND n.nspname !~ '^pg_temp'
ORDER BY 1
"""

_INDEX = """
SELECT c.relkind, x.indisvalid AND x.indisready AND x.indislive
FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_index x ON x.indexrelid = c.oid
WHERE c.oid = pg_catalog.to_regclass(%s)
"""

# Before 14 nothing can be pending, and the column does not exist.
_PART = """
SELECT (pg_catalog.to_jsonb(i) ->> 'inhdetachpending')::bool
FROM pg_catalog.pg_inherits i
WHERE i.inhparent = pg_catalog.to_regclass(%s) AND i.inhrelid = pg_catalog.to_regclass(%s)
"""

_QUALIFIED = """
SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = pg_catalog.to_regclass(%s)
"""

_TRANSIENT = re.compile(r'_cc(new|old)\d*"?$')
"""How REINDEX CONCURRENTLY names what it builds and what it replaces."""


class InvalidIndex(Value, frozen=True, kw_only=True):
    """An index that the planner does not use, and that writers may still have to keep up."""

    name: str
    """Qualified and quoted where needed, as ``table``."""
    table: str

    @property
    def transient(self) -> bool:
        """Whether it has a name that REINDEX CONCURRENTLY gives to what it throws away."""
        return _TRANSIENT.search(self.name) is not None


def invalid_indexes(connection: Connection) -> tuple[InvalidIndex, ...]:
    """Return the invalid indexes, those of partitioned tables apart: such a one becomes valid
    when its parts are attached. Raises psycopg.Error."""
    with aside(connection) as cursor:
        rows = cursor.execute(_INVALID.encode()).fetchall()
    return tuple(InvalidIndex(name=name, table=table) for name, table in rows)


def made_invalid(
    connection: Connection, before: Collection[str], table: str | None
) -> tuple[InvalidIndex, ...]:
    """Return the invalid indexes of ``table`` (None: of all) that are not in ``before``.

    ``table`` is looked up as a statement of this session would. Raises psycopg.Error.
    """
    qualified = _qualified(connection, table) if table is not None else None
    return tuple(
        index
        for index in invalid_indexes(connection)
        if index.name not in before and (table is None or index.table == qualified)
    )


def _qualified(connection: Connection, relation: str) -> str | None:
    row = connection.execute(_QUALIFIED.encode(), [relation]).fetchone()
    return str(row[0]) if row else None


def index_state(connection: Connection, name: str) -> IndexState:
    """Return what has become of the index ``name`` (quoted where needed). Raises psycopg.Error."""
    row = connection.execute(_INDEX.encode(), [name]).fetchone()
    if row is None:
        return "gone"
    kind, sound = row
    if kind not in ("i", "I"):
        return "not an index"
    return "valid" if sound else "invalid"


def part_state(connection: Connection, parent: str, part: str) -> PartState:
    """Return what has become of a partition that was to be detached. Raises psycopg.Error."""
    row = connection.execute(_PART.encode(), [parent, part]).fetchone()
    if row is None:
        return "detached"
    return "pending" if row[0] else "attached"


def drop_statement(index: InvalidIndex) -> str:
    """Return the statement that drops an invalid index and keeps nobody from writing."""
    return f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}"


def finalize_statement(connection: Connection, parent: str, part: str) -> str:
    """Return the statement that ends a pending DETACH PARTITION (PostgreSQL 14 and newer)."""
    return (
        sql.SQL("ALTER TABLE {} DETACH PARTITION {} FINALIZE")
        .format(sql.SQL(parent), sql.SQL(part))
        .as_string(connection)
    )
