"""One statement over libpq's extended protocol; the rows it returns are thrown away as they come.

A ``SELECT`` in a down script may return millions of rows, and nobody looks at one of them: only
the command tag and the count are wanted. Fetched whole they would fill the worker's memory in
the middle of a transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from psycopg import generators, pq
from psycopg.errors import error_from_result

from rollback_tui.core.model import Value
from rollback_tui.postgres.connect import Connection

if TYPE_CHECKING:
    from psycopg.abc import PQGen
    from psycopg.pq.abc import PGconn

_CHUNK = 1000
"""Rows held at once, where libpq can hold back (17+); elsewhere it is one."""

_ROWS = (pq.ExecStatus.SINGLE_TUPLE, pq.ExecStatus.TUPLES_CHUNK)
_DONE = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK, pq.ExecStatus.EMPTY_QUERY)


class Done(Value, frozen=True, kw_only=True):
    """How the server says that a statement went."""

    command_tag: str
    rows: int | None
    """None where the command has no row count."""


def send_statement(connection: Connection, text: str) -> Done:
    """Send one statement exactly as it is, and wait for its end.

    PQsendQueryParams is the extended protocol, in which the server refuses a second command in
    the same text; results are asked for as text, because not every type has a binary form.
    Raises psycopg.Error as the server gave it.
    """
    with connection.lock:
        return connection.wait(_exchange(connection.pgconn, text.encode()))


def _exchange(pgconn: PGconn, text: bytes) -> PQGen[Done]:
    pgconn.send_query_params(text, None)
    if pq.version() >= 170000:
        pgconn.set_chunked_rows_mode(_CHUNK)
    else:
        pgconn.set_single_row_mode()
    yield from generators.send(pgconn)
    failure: psycopg.Error | None = None
    done = Done(command_tag="", rows=None)
    while True:
        try:
            result = yield from generators.fetch(pgconn)
        except psycopg.DatabaseError:
            if failure is None:
                raise
            break  # the server said why, and then ended the session
        if result is None:
            break
        if result.status in _ROWS or result.status in _DONE:
            # libpq writes the tag on what it is collecting: a last, not full, chunk of rows too.
            if result.command_status:
                tag = result.command_status.decode()
                counted = result.command_tuples if tag.split(" ")[-1].isdigit() else None
                done = Done(command_tag=tag, rows=counted)
        elif result.status in (pq.ExecStatus.COPY_IN, pq.ExecStatus.COPY_BOTH):
            pgconn.put_copy_end(b"this program has no data to give")
        elif result.status == pq.ExecStatus.COPY_OUT:
            failure = psycopg.NotSupportedError("COPY to the client: nobody here reads its rows")
            # Not read on: there may be no end of it, and the transaction is lost in any case.
            pgconn.finish()
            break
        else:
            failure = error_from_result(result, encoding="utf-8")
    if failure is not None:
        raise failure
    return done
