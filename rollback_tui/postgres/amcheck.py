"""Looking into B-tree indexes with PostgreSQL's own ``amcheck``, where the target has it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import sql

from rollback_tui.core.model import Value
from rollback_tui.postgres.aside import aside

# The extension may be in any schema; EXECUTE is for superusers unless it was granted.
_WHERE = """
SELECT quote_ident(n.nspname) || '.bt_index_check'
  FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
  JOIN pg_proc p ON p.pronamespace = n.oid AND p.proname = 'bt_index_check'
   AND p.proargtypes[0] = 'regclass'::regtype
 WHERE e.extname = 'amcheck' AND has_function_privilege(p.oid, 'EXECUTE')
 LIMIT 1
"""
_TREES = """
SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_am a ON a.oid = c.relam JOIN pg_index x ON x.indexrelid = c.oid
 WHERE c.oid = ANY (%s::oid[]) AND a.amname = 'btree' AND c.relkind = 'i'
   AND x.indisvalid AND x.indisready
 ORDER BY c.relpages, c.oid
"""


class Looked(Value, frozen=True, kw_only=True):
    """What ``bt_index_check`` said."""

    sound: tuple[str, ...] = ()
    broken: tuple[tuple[str, str], ...] = ()
    """(index, the server's words)."""
    unreached: tuple[str, ...] = ()
    """There was no time for them."""


def look_into(
    connection: psycopg.Connection[Any], indexes: Mapping[int, str], seconds: float
) -> Looked | None:
    """Check the B-trees among ``indexes`` (oid → name), the smallest first, within ``seconds``.

    None: the extension is not installed in this database, or our role may not use it. It reads
    the indexes and locks them as reading does. Raises psycopg.Error when the look-up fails.
    """
    deadline = time.monotonic() + seconds
    with aside(connection, canonical=True) as cursor:
        row = cursor.execute(_WHERE.encode()).fetchone()
        trees = cursor.execute(_TREES.encode(), [list(indexes)]).fetchall() if row else []
    if row is None:
        return None
    sound: list[str] = []
    broken: list[tuple[str, str]] = []
    unreached: list[str] = []
    check = sql.SQL("SELECT {}({}::pg_catalog.regclass)")
    for oid, name in trees:
        left = deadline - time.monotonic()
        if left <= 0:
            unreached.append(name)
            continue
        try:
            with aside(connection, seconds=left, canonical=True) as cursor:
                cursor.execute(check.format(sql.SQL(row[0]), sql.Literal(oid)))
            sound.append(name)
        except (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable):
            unreached.append(name)
        except (psycopg.errors.IndexCorrupted, psycopg.errors.DataCorrupted) as error:
            broken.append((name, error.diag.message_primary or str(error)))
    return Looked(sound=tuple(sound), broken=tuple(broken), unreached=tuple(unreached))
