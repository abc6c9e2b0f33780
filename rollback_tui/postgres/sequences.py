"""Where sequences stand, and which of them this transaction has moved.

``nextval`` and ``setval`` are undone by no ROLLBACK. Both lock the sequence for the rest of the
transaction, also where a savepoint is undone (``lock_and_open_sequence`` in ``sequence.c``), and
so does ALTER SEQUENCE: a sequence that the transaction holds no such lock on has not been moved.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from rollback_tui.postgres.aside import aside

_TOGETHER = 500
"""Sequences read by one statement; each needs a lock of its own while it lasts."""

# The privilege is asked of pg_sequence's own column: the planner may filter pg_class first,
# and has_sequence_privilege() fails at whatever is no sequence.
_SEQUENCES = """
SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname), q.seqincrement
  FROM pg_sequence q JOIN pg_class c ON c.oid = q.seqrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'rollback_tui'
   AND CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, 'SELECT') ELSE false END
   AND (%(only)s::oid[] IS NULL OR c.oid = ANY (%(only)s::oid[]))
 ORDER BY c.oid
"""
_MOVED = """
SELECT DISTINCT l.relation FROM pg_locks l JOIN pg_sequence q ON q.seqrelid = l.relation
 WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.granted
   AND l.mode <> 'AccessShareLock'
   AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
"""


class Position(NamedTuple):
    """Where one sequence stands."""

    name: str
    """Qualified and quoted where needed."""
    last: int
    called: bool
    """``last`` was given out already."""
    step: int

    @property
    def next(self) -> int:
        """What it gives next, were there no end of it."""
        return self.last + self.step if self.called else self.last

    def behind(self, other: Position) -> bool:
        """Whether it would give again what it had given when it stood at ``other``."""
        return self.next < other.next if other.step > 0 else self.next > other.next


def positions(
    connection: psycopg.Connection[Any], seconds: float, *, only: Collection[int] | None = None
) -> tuple[dict[int, Position], int]:
    """Return where the sequences of users stand (those that we may read), by oid; and how many
    were not reached within ``seconds``. Raises psycopg.Error."""
    deadline = time.monotonic() + seconds
    with aside(connection, canonical=True) as cursor:
        given = {"only": None if only is None else list(only)}
        known = cursor.execute(_SEQUENCES.encode(), given).fetchall()
    found: dict[int, Position] = {}
    for place in range(0, len(known), _TOGETHER):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        batch = known[place : place + _TOGETHER]
        text = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {}, last_value, is_called FROM {}").format(number, sql.SQL(name))
            for number, (_, name, _) in enumerate(batch)
        )
        try:
            with aside(connection, seconds=left, canonical=True) as cursor:
                for number, last, called in cursor.execute(text).fetchall():
                    oid, name, step = batch[number]
                    found[oid] = Position(name, last, called, step)
        except psycopg.errors.QueryCanceled:
            break
    return found, len(known) - len(found)


def moved(connection: psycopg.Connection[Any]) -> frozenset[int]:
    """Return the sequences that this transaction has, or may have, moved. Raises psycopg.Error."""
    with aside(connection, canonical=True) as cursor:
        return frozenset(row[0] for row in cursor.execute(_MOVED.encode()).fetchall())
