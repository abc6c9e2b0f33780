"""What the target's own parser says of the statements. Nothing is executed.

Each statement is sent as libpq's ``PQprepare`` (the unnamed prepared statement: parsed, analysed,
forgotten), many in one go: pipeline mode needs one round trip for some hundred of them, where one
at a time a slow link would take minutes for a long script.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import psycopg
from psycopg import generators, pq

from rollback_tui.core.facts import ParserAnswer
from rollback_tui.core.model import Statement
from rollback_tui.core.text import printable
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.watchdog import answer_within

if TYPE_CHECKING:
    from psycopg.abc import PQGen
    from psycopg.pq.abc import PGconn, PGresult

_BATCH_STATEMENTS = 500
_BATCH_BYTES = 1024 * 1024
_BATCH_SECONDS = 20.0
"""For one batch; half a second is usual for 500 statements, and mostly the link's."""
_LOCK_MILLISECONDS = 20
"""Analysing a SELECT or UPDATE waits for its relations. The grammar has been passed by then, so
nothing is lost by not waiting; 500 statements on a locked table take ten seconds at most."""

_SYNTAX = ("42601", "22025", "42622", "22021")
"""syntax_error (also for two commands in one), invalid_escape_sequence, name_too_long,
character_not_in_repertoire."""
_FAILED_TRANSACTION = "25P02"


def syntax_errors(
    connection: Connection, statements: Sequence[Statement]
) -> tuple[ParserAnswer, ...]:
    """Return what the target's parser does not take as exactly one command, in order.

    ``connection`` is in autocommit mode, outside of a transaction. That a table is missing now is
    normal, because the statements before have not run: only bad syntax counts, two commands in
    one statement (which the server itself refuses), and none at all. Raises psycopg.Error when
    the connection is lost or the server does not answer: no answer is not a clean bill.
    """
    row = connection.execute("SHOW lock_timeout").fetchone()
    connection.execute(f"SET lock_timeout = {_LOCK_MILLISECONDS}")
    try:
        found = dict(_grammar(connection, statements))
        accepted = [s for s in statements if s.index not in found]
        found |= _without_command(connection, accepted)
    finally:
        if not connection.broken:
            # Not RESET: the run's own limit is the session's, not the server's.
            connection.execute(
                "SELECT pg_catalog.set_config('lock_timeout', %s, false)", [row[0] if row else "0"]
            )
    return tuple(found[index] for index in sorted(found))


def _grammar(
    connection: Connection, statements: Sequence[Statement]
) -> Iterator[tuple[int, ParserAnswer]]:
    for statement, result in _prepared(connection, statements):
        state = _field(result, pq.DiagnosticField.SQLSTATE)
        if state in _SYNTAX:
            place = _field(result, pq.DiagnosticField.STATEMENT_POSITION)
            yield (
                statement.index,
                ParserAnswer(
                    index=statement.index,
                    sqlstate=state,
                    message=printable(_field(result, pq.DiagnosticField.MESSAGE_PRIMARY)),
                    position=int(place) if place else None,
                ),
            )


def _without_command(
    connection: Connection, statements: Sequence[Statement]
) -> dict[int, ParserAnswer]:
    """Return those of ``statements`` that the server takes for empty.

    An empty text is prepared without complaint. In a failed transaction, though, the server
    refuses to prepare every command (``exec_parse_message``), and so only what is none passes.
    Asked only of statements that our own copy of the grammar could not read (those have a tree,
    so they are one command): each refusal is a line in the server's log.
    """
    unread = [s for s in statements if s.effect.kind == "unknown"]
    if not unread:
        return {}
    pgconn = connection.pgconn
    with answer_within(connection, _BATCH_SECONDS):
        pgconn.exec_(b"BEGIN READ ONLY")
        pgconn.exec_(b"ROLLBACK TO SAVEPOINT rollback_tui_makes_this_transaction_fail")
    try:
        if pgconn.transaction_status != pq.TransactionStatus.INERROR:
            raise psycopg.OperationalError(
                "the server's parser could not be asked for empty pieces"
            )
        return {
            statement.index: ParserAnswer(
                index=statement.index,
                sqlstate="",
                message="the server finds no command in it",
                position=None,
            )
            for statement, result in _prepared(connection, unread)
            if _field(result, pq.DiagnosticField.SQLSTATE) != _FAILED_TRANSACTION
        }
    finally:
        if not connection.broken:
            connection.execute("ROLLBACK")


def _prepared(
    connection: Connection, statements: Sequence[Statement]
) -> Iterator[tuple[Statement, PGresult]]:
    """Yield each statement with the server's answer to preparing it.

    Raises psycopg.OperationalError when the connection is lost.
    """
    pgconn = connection.pgconn
    for batch in _batches(statements):
        with answer_within(connection, _BATCH_SECONDS), connection.lock:
            pgconn.enter_pipeline_mode()
            answers = connection.wait(_exchange(pgconn, [text for _, text in batch]))
            pgconn.exit_pipeline_mode()
        yield from zip((statement for statement, _ in batch), answers, strict=True)


def _exchange(pgconn: PGconn, texts: Sequence[bytes]) -> PQGen[list[PGresult]]:
    """Send everything, then take one answer for each; waiting is psycopg's, and lets others run."""
    for text in texts:
        pgconn.send_prepare(b"", text)
        # An error skips what follows up to here, so each statement has its own.
        pgconn.pipeline_sync()
    yield from generators.send(pgconn)
    answers: list[PGresult] = []
    synced = 0
    while synced < len(texts):
        results = yield from generators.fetch_many(pgconn)
        if not results or len(answers) > len(texts):
            raise psycopg.OperationalError("the server does not answer what it was asked")
        for result in results:
            if result.status == pq.ExecStatus.PIPELINE_SYNC:
                synced += 1
            else:
                answers.append(result)
    return answers


def _batches(statements: Sequence[Statement]) -> Iterator[list[tuple[Statement, bytes]]]:
    batch: list[tuple[Statement, bytes]] = []
    size = 0
    for statement in statements:
        text = statement.sql.encode()
        if batch and (len(batch) == _BATCH_STATEMENTS or size + len(text) > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((statement, text))
        size += len(text)
    if batch:
        yield batch


def _field(result: PGresult, field: pq.DiagnosticField) -> str:
    return (result.error_field(field) or b"").decode(errors="replace")
