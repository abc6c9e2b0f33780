"""What it would cost to keep what the destructive statements of a plan remove, and what is in the
way. Nothing is changed.

All numbers are estimates. The bytes are those of the table's heap and TOAST, or follow from the
widths that ANALYZE found; the time is those bytes at :data:`BYTES_A_SECOND`. Whether the server's
disk has that room cannot be known from here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection
from typing import Any

import psycopg

from rollback_tui.core.model import Plan, Statement
from rollback_tui.core.outlook import Keepable
from rollback_tui.core.text import printable
from rollback_tui.postgres.archive.source import sources
from rollback_tui.postgres.archive.values import CannotKeep, Source
from rollback_tui.postgres.aside import aside, query

BYTES_A_SECOND = 20 * 1024 * 1024
"""A low rate for ``CREATE TABLE … AS``; a quiet server with a local disk does several times as
much."""

_ROW_BYTES = 28
"""A row's header and its line pointer (PostgreSQL, *Database Page Layout*)."""
_VALUE_BYTES = 32
"""What a value takes for all we know, when ANALYZE never looked at its column."""
_EACH_SECONDS = 0.02
"""For making a table, however small."""


def keepable(
    connection: psycopg.Connection[Any],
    plan: Plan,
    seconds: float = math.inf,
    *,
    only: Collection[int] | None = None,
) -> tuple[Keepable, ...]:
    """Return, for every statement that may lose data (of ``only``, if given), what keeping it
    would cost.

    What is not looked at within ``seconds``, or is locked by somebody (how long that is waited
    for, the session's ``lock_timeout`` says), has no numbers and no obstacle: nobody knows.
    Raises psycopg.Error only when the server cannot be asked at all.
    """
    deadline = time.monotonic() + seconds
    dangerous = [s for s in plan.statements if s.dangerous and (only is None or s.index in only)]
    if not dangerous:
        return ()
    everywhere = obstacle(connection)
    return tuple(
        _keepable(connection, s, everywhere)
        if time.monotonic() < deadline
        else _unknown(s, everywhere, "no time was left to look")
        for s in dangerous
    )


def obstacle(connection: psycopg.Connection[Any]) -> str:
    """Return why no archive can be made in this database; empty when one can."""
    with aside(connection, canonical=True) as cursor:
        row = cursor.execute(query("archive_obstacle").encode()).fetchone()
    standby, may_create, publication = row or (False, False, None)
    if standby:
        return "the server is a standby: it is read-only"
    if publication is not None:
        return (
            f"publication {printable(publication)} publishes all tables: its subscribers would"
            " stop at those of the archive, which they do not have"
        )
    return "" if may_create else "this role has no CREATE on the database"


def _keepable(
    connection: psycopg.Connection[Any], statement: Statement, everywhere: str
) -> Keepable:
    try:
        found = sources(connection, statement)
    except CannotKeep as error:
        return _impossible(statement, error.summary)
    except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled):
        return _unknown(statement, everywhere, "it is locked by another session, or took too long")
    except psycopg.Error as error:
        if connection.broken:
            raise
        why = printable(error.diag.message_primary or " ".join(str(error).split()))
        return _impossible(statement, f"it could not be looked up: {why}")
    if not found and statement.effect.resolved:
        return Keepable(statement=statement.index, what="nothing", rows=0, bytes=0, seconds=0.0)
    if not found:
        # What it names may be there only when its turn comes.
        what = "nothing that is there now"
        return Keepable(statement=statement.index, what=what, rows=None, bytes=None, seconds=None)
    counted = [_rows(statement, source) for source in found]
    sizes = [_bytes(source, rows) for source, rows in zip(found, counted, strict=True)]
    size = _sum(sizes)
    return Keepable(
        statement=statement.index,
        what=", ".join(source.describe(rows) for source, rows in zip(found, counted, strict=True)),
        rows=_sum(counted),
        bytes=size,
        seconds=None if size is None else size / BYTES_A_SECOND + _EACH_SECONDS * len(found),
        obstacle=everywhere,
    )


def _impossible(statement: Statement, why: str) -> Keepable:
    what = ", ".join(statement.effect.objects) or statement.effect.kind
    return Keepable(
        statement=statement.index, what=what, rows=None, bytes=None, seconds=None, obstacle=why
    )


def _unknown(statement: Statement, everywhere: str, why: str) -> Keepable:
    what = ", ".join(statement.effect.objects) or statement.effect.kind
    return Keepable(
        statement=statement.index,
        what=f"{what} ({why})",
        rows=None,
        bytes=None,
        seconds=None,
        obstacle=everywhere,
    )


def _rows(statement: Statement, source: Source) -> int | None:
    """What was counted for the plan, or what the last ANALYZE found."""
    column = None if source.kind in ("rows", "changed rows", "merged rows") else source.column
    for loss in statement.loss:
        if (loss.relation, loss.column) == (source.relation, column) and loss.count is not None:
            return loss.count
    if source.query and len(statement.loss) == 1 and source.relation != statement.loss[0].relation:
        # Rows that a foreign key reaches from the ones that were counted: nobody knows how many.
        return None
    return None if source.query else source.rows


def _bytes(source: Source, rows: int | None) -> int | None:
    if source.kind == "sequence":
        return 0
    if not source.column and not source.query:
        return source.bytes
    if rows is None:
        # Never more than all of it.
        return source.bytes
    widths = [c.width if c.width is not None else _VALUE_BYTES for c in source.columns]
    return rows * (_ROW_BYTES + sum(widths))


def _sum(numbers: list[int | None]) -> int | None:
    known = [n for n in numbers if n is not None]
    return sum(known) if len(known) == len(numbers) else None
