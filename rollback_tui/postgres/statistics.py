"""ANALYZE of some tables, without getting in anybody's way.

A lock is waited for less than ``deadlock_timeout`` (1 s by default): after that time the server
would cancel an autovacuum worker that has it, which may just be doing the same. Reading is
throttled as autovacuum's is.

A partitioned table has statistics of its own, over all partitions together, and autovacuum never
makes them (PostgreSQL's documentation, ANALYZE). Since PostgreSQL 18 ``ANALYZE ONLY`` makes them
alone; before, ANALYZE of the parent reads every partition as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import psycopg
from psycopg import sql

from rollback_tui.core.text import printable, shorten
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.execute import session_timeouts

_LOCK_SECONDS = 0.5
_ONLY = 18
_FEW_PARTITIONS = 50
"""Before PostgreSQL 18, a parent with more is left out when not all of them were touched."""

_TABLES = """
WITH RECURSIVE wanted (oid) AS (
    SELECT DISTINCT c.oid
    FROM unnest(%s::text[]) AS name
    JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(name)
    WHERE c.relkind IN ('r', 'p', 'm')
), up (oid, above) AS (
    SELECT oid, oid FROM wanted
    UNION
    SELECT up.oid, i.inhparent
    FROM up
    JOIN pg_catalog.pg_class part ON part.oid = up.above AND part.relispartition
    JOIN pg_catalog.pg_inherits i ON i.inhrelid = up.above
), every (oid) AS (
    SELECT above FROM up
)
SELECT DISTINCT c.oid, n.nspname, c.relname, c.relkind = 'p',
       coalesce((SELECT i.inhparent FROM pg_catalog.pg_inherits i
                 WHERE i.inhrelid = c.oid AND c.relispartition), 0),
       CASE WHEN c.relkind = 'p' AND NOT c.relispartition THEN
           (SELECT count(*) FROM pg_catalog.pg_partition_tree(c.oid) t WHERE t.isleaf) ELSE 0 END,
       c.relispartition
FROM every
JOIN pg_catalog.pg_class c USING (oid)
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
ORDER BY n.nspname, c.relname
"""


class _Table(NamedTuple):
    oid: int
    schema: str
    name: str
    partitioned: bool
    above: int
    leaves: int
    """Of the topmost parent."""
    partition: bool

    @property
    def shown(self) -> str:
        return f"{self.schema}.{self.name}"


class Step(NamedTuple):
    """One ANALYZE."""

    table: str
    """For people."""
    sql: str
    why_not: str = ""
    """Why it is not sent."""


class Done(NamedTuple):
    """What came of all of them."""

    analysed: tuple[str, ...]
    left: tuple[str, ...]
    """``public.big: another session has it locked``."""


def steps(connection: Connection, tables: Sequence[str]) -> tuple[Step, ...]:
    """Return what is to be sent for these tables, partitions and their parents considered. What is
    not there (any more) is left out. Raises psycopg.Error."""
    found = [_Table(*row) for row in connection.execute(_TABLES.encode(), [list(tables)])]
    if connection.info.server_version // 10000 >= _ONLY:
        return tuple(_step(connection, table, only=table.partitioned) for table in found)
    return tuple(_before_18(connection, found))


def _before_18(connection: Connection, found: Sequence[_Table]) -> Iterator[Step]:
    """ANALYZE of the topmost parent does all of its partitions, which is good as long as they are
    few, or nearly all were touched."""
    by_oid = {table.oid: table for table in found}

    def top(table: _Table) -> _Table:
        while table.partition and table.above in by_oid:
            table = by_oid[table.above]
        return table

    def touched(parent: _Table) -> int:
        return sum(not t.partitioned and top(t).oid == parent.oid for t in found)

    whole = {
        t.oid
        for t in found
        if t.partitioned
        and not t.partition
        and (t.leaves <= _FEW_PARTITIONS or touched(t) * 2 >= t.leaves)
    }
    for table in found:
        parent = top(table)
        if parent.oid in whole:
            if table.oid == parent.oid:
                yield _step(connection, table)
        elif not table.partitioned:
            yield _step(connection, table)
        elif table.oid == parent.oid:
            why = f"would read all of its {table.leaves:,} partitions"
            yield _step(connection, table)._replace(why_not=why)


def _step(connection: Connection, table: _Table, *, only: bool = False) -> Step:
    text = sql.SQL("ANALYZE {}{}").format(
        sql.SQL("ONLY " if only else ""), sql.Identifier(table.schema, table.name)
    )
    return Step(table.shown, text.as_string(connection))


def analyze(
    connection: Connection,
    todo: Sequence[Step],
    seconds: float,
    send: Callable[[str, float], None],
    told: Callable[[str, float, int], None],
) -> Done:
    """Send them one after the other, within ``seconds`` together.

    ``send`` sends one, with the seconds it may take; ``told`` hears of each that is done. Raises
    psycopg.Error only when the connection is of no use any more.
    """
    analysed: list[str] = []
    left: list[str] = []
    deadline = time.monotonic() + seconds
    connection.execute("SELECT pg_catalog.set_config('vacuum_cost_delay', '2ms', false)")
    for step in todo:
        rest = deadline - time.monotonic()
        why = step.why_not or ("" if rest > 0 else "not reached in the time allowed")
        began = time.monotonic()
        if not why:
            why = _one(connection, step, rest, send)
        if why:
            left.append(f"{step.table}: {why}")
        else:
            analysed.append(step.table)
            told(step.table, time.monotonic() - began, len(analysed))
    return Done(tuple(analysed), tuple(left))


def _one(
    connection: Connection, step: Step, rest: float, send: Callable[[str, float], None]
) -> str:
    """Send one; return why it was not done."""
    with _warnings(connection) as said:
        try:
            session_timeouts(connection, _LOCK_SECONDS, rest)
            send(step.sql, rest)
        except psycopg.Error as error:
            if connection.broken or connection.closed:
                raise
            if isinstance(error, psycopg.errors.LockNotAvailable):
                return "another session has it locked, autovacuum perhaps"
            if isinstance(error, psycopg.errors.QueryCanceled):
                return "not done in the time allowed"
            return shorten(error.diag.message_primary or type(error).__name__, 120)
    # A role that may not gets a warning and the command tag ANALYZE all the same.
    return printable(said[0]) if said else ""


@contextmanager
def _warnings(connection: Connection) -> Iterator[list[str]]:
    """Collect what the server warns of."""
    said: list[str] = []

    def hear(diagnostic: psycopg.errors.Diagnostic) -> None:
        if diagnostic.severity_nonlocalized == "WARNING":
            said.append(shorten(diagnostic.message_primary or "", 120))

    connection.add_notice_handler(hear)
    try:
        yield said
    finally:
        connection.remove_notice_handler(hear)
