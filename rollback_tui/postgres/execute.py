"""Statements of the script: the original bytes, one at a time, through the extended protocol."""

from __future__ import annotations

import time

import psycopg
from psycopg import pq

from rollback_tui.core.model import Value
from rollback_tui.core.text import printable
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.statement import send_statement

_NOTICE_LENGTH = 500


class Answer(Value, frozen=True, kw_only=True):
    """What the server said to one statement."""

    command_tag: str
    rows: int | None
    """None where the command has no row count."""
    seconds: float
    notices: tuple[str, ...]


def execute(connection: Connection, text: str, *, notices_kept: int = 20) -> Answer:
    """Execute one statement exactly as it is. Raises psycopg.Error as the server gave it.

    The extended protocol takes one command only, so the server itself refuses a second one
    that a wrong boundary might have let through ("cannot insert multiple commands"). Rows that
    it returns are counted and thrown away as they come.
    """
    kept: list[str] = []
    flood = 0

    def notice(diagnostic: psycopg.errors.Diagnostic) -> None:
        nonlocal flood
        if len(kept) < notices_kept:
            line = f"{diagnostic.severity}: {diagnostic.message_primary}"
            kept.append(printable(line[:_NOTICE_LENGTH]))
        else:
            flood += 1

    connection.add_notice_handler(notice)
    began = time.monotonic()
    try:
        done = send_statement(connection, text)
    finally:
        connection.remove_notice_handler(notice)
    if flood:
        kept.append(f"… and {flood:,} more notices")
    return Answer(
        command_tag=done.command_tag,
        rows=done.rows,
        seconds=time.monotonic() - began,
        notices=tuple(kept),
    )


def in_transaction(connection: Connection) -> bool:
    """Return whether the session is inside a transaction that has not failed."""
    return connection.info.transaction_status == pq.TransactionStatus.INTRANS


def transaction_id(connection: Connection) -> str:
    """Return the transaction's own id, assigning one if it has none (PostgreSQL 13+)."""
    row = connection.execute("SELECT pg_catalog.pg_current_xact_id()::text").fetchone()
    return str(row[0]) if row else ""


def timeouts(lock: float, statement: float) -> bytes:
    """Return the SQL that asserts both timeouts for the transaction; seconds.

    At least a millisecond: 0 would be no limit at all.
    """
    return (
        f"SET LOCAL lock_timeout = {max(1, round(lock * 1000))};"
        f" SET LOCAL statement_timeout = {max(1, round(statement * 1000))};"
        " SET LOCAL idle_in_transaction_session_timeout = 0"
    ).encode()


def session_timeouts(connection: Connection, lock: float, statement: float) -> None:
    """Set both timeouts for the session; seconds, at least a millisecond.

    Raises psycopg.Error.
    """
    connection.execute(
        "SELECT pg_catalog.set_config('lock_timeout', %s, false),"
        " pg_catalog.set_config('statement_timeout', %s, false)",
        [str(max(1, round(seconds * 1000))) for seconds in (lock, statement)],
    )
