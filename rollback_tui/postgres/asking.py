"""Sending a counting query, and what it means when no number comes back."""

from __future__ import annotations

from typing import Any, NamedTuple

import psycopg

from rollback_tui.core.text import shorten
from rollback_tui.postgres.aside import aside

NO_TIME = "not reached in the time allowed for counting"
LOCKED = "another session has it locked"
TOO_LONG = "it took longer than the time allowed for counting"

_WIDTH = 200


class Answer(NamedTuple):
    """The numbers of one row; or None, and why there are none."""

    numbers: tuple[int, ...] | None
    why: str = ""
    refused_values: bool = False
    """The server met a stored value that it could not convert or compute with."""


def ask(conn: psycopg.Connection[Any], text: str, seconds: float) -> Answer:
    """Return the numbers that a SELECT of one row gives, in at most ``seconds``.

    The caller has made the transaction READ ONLY and has set a lock timeout. Whatever the server
    refuses becomes a reason. Raises psycopg.Error only when the connection is of no use.
    """
    if seconds <= 0:
        return Answer(None, NO_TIME)
    try:
        with aside(conn, seconds=seconds) as cursor:
            # Through the extended protocol, which takes one command only.
            row = cursor.execute(text.encode(), binary=True).fetchone()
    except psycopg.Error as error:
        # Class 22 is "data exception", 23 an integrity one (the rule of a domain).
        return Answer(None, refusal(conn, error), (error.sqlstate or "")[:2] in ("22", "23"))
    return Answer(tuple(int(number or 0) for number in row)) if row else Answer(None, "no answer")


def refusal(conn: psycopg.Connection[Any], error: psycopg.Error) -> str:
    """Return why the server gave no answer, in words. Raises ``error`` again when the connection is
    of no use any more."""
    if conn.closed or conn.broken or error.sqlstate is None:
        raise error
    if isinstance(error, psycopg.errors.LockNotAvailable):
        return LOCKED
    if isinstance(error, psycopg.errors.QueryCanceled):
        return TOO_LONG
    return shorten(error.diag.message_primary or type(error).__name__, _WIDTH)
