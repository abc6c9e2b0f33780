"""Constraints that hold less than they say, and which foreign keys there are."""

from __future__ import annotations

from typing import Any, NamedTuple

import psycopg

from rollback_tui.postgres.aside import aside

_STANDING = """
SELECT k.oid, k.contype = 'f' AND k.conparentid = 0,
       CASE WHEN {unenforced} THEN 'NOT ENFORCED' WHEN NOT k.convalidated THEN 'NOT VALID' END,
       coalesce(quote_ident(cn.nspname) || '.' || quote_ident(c.relname),
                quote_ident(tn.nspname) || '.' || quote_ident(t.typname), '')
         || '.' || quote_ident(k.conname)
  FROM pg_constraint k
  JOIN pg_namespace n ON n.oid = k.connamespace
  LEFT JOIN pg_class c ON c.oid = k.conrelid
  LEFT JOIN pg_namespace cn ON cn.oid = c.relnamespace
  LEFT JOIN pg_type t ON t.oid = k.contypid
  LEFT JOIN pg_namespace tn ON tn.oid = t.typnamespace
 WHERE (k.contype = 'f' AND k.conparentid = 0 OR NOT k.convalidated OR {unenforced})
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND n.nspname <> 'rollback_tui'
"""

_KNOWN = "SELECT array_agg(k.oid) FROM pg_constraint k"


class Standing(NamedTuple):
    """The constraints at one look."""

    foreign_keys: dict[int, str]
    """Those of partitions are their parent's; name by oid."""
    loose: dict[int, tuple[str, str]]
    """Those that promise nothing of the rows that are there: name and why, by oid."""
    known: frozenset[int]
    """All constraints that there are."""


def standing(connection: psycopg.Connection[Any]) -> Standing:
    """Look at the constraints of users. Two queries. Raises psycopg.Error.

    NOT ENFORCED exists from PostgreSQL 18 on.
    """
    enforced = connection.info.server_version >= 180000
    text = _STANDING.replace("{unenforced}", "NOT k.conenforced" if enforced else "false")
    keys: dict[int, str] = {}
    loose: dict[int, tuple[str, str]] = {}
    with aside(connection, canonical=True) as cursor:
        for oid, foreign, why, name in cursor.execute(text.encode()).fetchall():
            if foreign:
                keys[oid] = name
            if why:
                loose[oid] = (name, why)
        row = cursor.execute(_KNOWN).fetchone()
    return Standing(keys, loose, frozenset(row[0] or ()) if row else frozenset())
