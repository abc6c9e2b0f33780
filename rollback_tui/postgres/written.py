"""Rows that were written after a migration had been applied: what the rollback meets that the
migration's author never saw.

PostgreSQL keeps with every row the id of the transaction that wrote this version of it (``xmin``),
and so does the row of the framework's version table. Where ``track_commit_timestamp`` is on, the
two transactions' commit times are compared (``pg_xact_commit_timestamp``). Otherwise their ids
are: an id is given out at a transaction's first write, and ``age()`` tells which of two is the
later one. What that means:

- A transaction that had begun to write before the migration's did and was committed after it is
  not counted. What the migration itself wrote in a subtransaction (a savepoint, an exception block
  of PL/pgSQL) has a later id and is counted. Commit times are exact in both.
- Only what is still there is counted: an updated row once, a deleted one not at all. A command
  that wrote the whole table anew (VACUUM FULL keeps ``xmin``, ALTER TABLE does not) makes all of
  its rows new ones.
- Ids are 32 bits wide and go round. A frozen row keeps its ``xmin``, which then says nothing: once
  a server has given out more than 2^32 of them, old rows can look new, and nothing is said at all.
- Versions that were written by one and the same transaction were loaded or restored with their
  table, not applied; and a framework that keeps one row (golang-migrate) tells only when its
  newest migration was applied. Then, too, nothing is said.
"""

from __future__ import annotations

import time
from typing import Literal, NamedTuple

import psycopg
from psycopg import sql

from rollback_tui.core.model import Migration, Plan
from rollback_tui.core.outlook import Written
from rollback_tui.postgres.aside import aside
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.relations import Relation, relations

_NO_AGE = 2**31 - 1
"""``age()`` of the ids that stand for "always": bootstrap and frozen rows of before 9.4."""

_FAILED = (
    psycopg.errors.QueryCanceled,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.ObjectNotInPrerequisiteState,
)


_ENTERED = """
SELECT v.xmin::text, pg_catalog.age(v.xmin),
       CASE WHEN pg_catalog.current_setting('track_commit_timestamp')::bool
            THEN pg_catalog.pg_xact_commit_timestamp(v.xmin) IS NOT NULL ELSE false END,
       EXISTS (SELECT FROM pg_catalog.jsonb_each_text(pg_catalog.to_jsonb(v)) AS c
                WHERE c.value = {})
  FROM {} AS v
"""
_NEXT = (
    "SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::numeric::bigint"
)


_AWAY = """
WITH RECURSIVE below (oid) AS (
  SELECT %s::oid
  UNION
  SELECT i.inhrelid FROM below b JOIN pg_catalog.pg_inherits i ON i.inhparent = b.oid
)
SELECT EXISTS (SELECT FROM below b JOIN pg_catalog.pg_class c ON c.oid = b.oid
                WHERE c.relkind = 'f')
"""


class _Row(NamedTuple):
    """A row of the version table."""

    xid: str
    age: int
    timed: bool
    """The commit time of its transaction is known."""
    mine: bool


class _Applied(NamedTuple):
    """When a migration was applied, as the server knows it."""

    xid: str
    basis: Literal["transaction ids", "commit timestamps"]


def written_since(connection: Connection, plan: Plan, seconds: float) -> tuple[Written, ...]:
    """Return, for each migration of ``plan`` and each table its script names, how many rows were
    written since it was applied.

    Within ``seconds`` altogether, the smallest tables first; a locked table is waited for one
    second. ``rows`` is None where it cannot be known, with the reason. Changes nothing. Raises
    psycopg.Error only when the connection is of no use.
    """
    deadline = time.monotonic() + seconds
    named = {m.version: _names(m) for m in plan.migrations}
    known = relations(connection, (name for names in named.values() for name in names))
    found: list[Written] = []
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL transaction_read_only = on")
        connection.execute("SET LOCAL lock_timeout = '1s'")
        for migration in plan.migrations:
            tables = {known[n] for n in named[migration.version] if n in known}
            wanted = sorted((t for t in tables if t.is_table), key=lambda t: (t.pages, t.name))
            if wanted:
                applied = _applied(connection, plan, migration, deadline - time.monotonic())
                found += [_written(connection, migration, t, applied, deadline) for t in wanted]
    return tuple(found)


def _names(migration: Migration) -> set[str]:
    statements = migration.script.statements if migration.script else ()
    return {
        name
        for statement in statements
        for name in (*statement.effect.objects, *(d.relation for d in statement.effect.doomed))
    }


def _written(
    connection: Connection,
    migration: Migration,
    table: Relation,
    applied: _Applied | str,
    deadline: float,
) -> Written:
    def answer(rows: int | None, why: str = "") -> Written:
        basis = applied.basis if isinstance(applied, _Applied) and rows is not None else ""
        return Written(
            version=migration.version, relation=table.name, rows=rows, basis=basis, why=why
        )

    if isinstance(applied, str):
        return answer(None, applied)
    left = deadline - time.monotonic()
    if left <= 0:
        return answer(None, "not reached in the time allowed for counting")
    with aside(connection) as cursor:
        row = cursor.execute(_AWAY, [table.oid]).fetchone()
    if row is None or row[0]:
        return answer(None, "some of its rows are on another server")
    newer = (
        "pg_catalog.pg_xact_commit_timestamp(xmin)"
        " > pg_catalog.pg_xact_commit_timestamp({xid}::pg_catalog.xid)"
        if applied.basis == "commit timestamps"
        # A negative age is that of an id more than 2^31 before the next one.
        else "pg_catalog.age(xmin) >= 0"
        " AND pg_catalog.age(xmin) < pg_catalog.age({xid}::pg_catalog.xid)"
    )
    text = sql.SQL("SELECT pg_catalog.count(*) FROM {} WHERE {}").format(
        sql.SQL(table.name), sql.SQL(newer).format(xid=sql.Literal(applied.xid))
    )
    try:
        with aside(connection, seconds=left) as cursor:
            row = cursor.execute(text).fetchone()
    except _FAILED as error:
        return answer(None, _why(error))
    return answer(int(row[0]) if row else None)


def _applied(
    connection: Connection, plan: Plan, migration: Migration, seconds: float
) -> _Applied | str:
    """Return the transaction that entered the version, or why there is none to compare with."""
    if not plan.version_table:
        return "no version table says when it was applied"
    if seconds <= 0:
        return "not reached in the time allowed for counting"
    # How the version is called in the table differs by framework: any column will do.
    text = sql.SQL(_ENTERED).format(sql.Literal(migration.version), sql.SQL(plan.version_table))
    try:
        with aside(connection, seconds=seconds) as cursor:
            rows = [_Row(*row) for row in cursor.execute(text).fetchall()]
            (next_xid,) = cursor.execute(_NEXT).fetchone() or (2**32,)
    except _FAILED as error:
        return _why(error)
    own = [row for row in rows if row.mine]
    if not own:
        return (
            "the version table does not say when it was applied: no column of it holds just this"
            " version"
        )
    if len(own) > 1:
        return "the version table has several rows of this version"
    if sum(row.xid == own[0].xid for row in rows) > 1:
        return (
            "several versions were entered by one transaction: loaded or restored, or applied"
            " together"
        )
    if next_xid >= 2**32:
        return "the server's transaction ids have gone round once: old rows may look new"
    if not 0 <= own[0].age < _NO_AGE:
        return "the version's own row is too old to tell"
    return _Applied(own[0].xid, "commit timestamps" if own[0].timed else "transaction ids")


def _why(error: psycopg.Error) -> str:
    if isinstance(error, psycopg.errors.LockNotAvailable):
        return "another session has the table locked"
    if isinstance(error, psycopg.errors.QueryCanceled):
        return "it took longer than the time allowed for counting"
    return error.diag.message_primary or type(error).__name__
