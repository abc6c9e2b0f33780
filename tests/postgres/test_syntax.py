"""The target's own parser is asked, and only asked."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import generators

from rollback_tui.core.model import Effect, Statement
from rollback_tui.postgres import syntax
from rollback_tui.postgres.connect import Connection, connect
from rollback_tui.postgres.syntax import syntax_errors
from tests.conftest import Database

if TYPE_CHECKING:
    from psycopg.abc import PQGen
    from psycopg.pq.abc import PGconn, PGresult


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with connect(database.dsn) as made:
        made.execute("CREATE TABLE t (i int)")
        yield made


def statement(index: int, sql: str, kind: str = "unknown") -> Statement:
    return Statement(index=index, start=0, end=len(sql), line=1, sql=sql, effect=Effect(kind=kind))


def value(connection: Connection, query: str) -> object:
    row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def test_only_bad_syntax_is_a_syntax_error(connection: Connection) -> None:
    answers = syntax_errors(
        connection,
        [
            statement(1, "DROP TABLE t"),
            statement(2, "ALTER TABLE nowhere DROP COLUMN x"),
            statement(3, "SELECT missing FROM t"),
            statement(4, "DROP TABL t"),
            statement(5, "DELETE FROM nowhere WHERE i = 1"),
            statement(6, "SELECT 'ä' FRM t"),
            statement(7, "SELECT 1; SELECT 2"),
            statement(8, "INSERT INTO t VALUES ($1)"),
            statement(9, "SELECT 'open"),
            statement(10, "CREATE INDEX CONCURRENTLY x ON t (i)"),
        ],
    )
    assert [a.index for a in answers] == [4, 6, 7, 9]
    assert answers[0].sqlstate == "42601"
    assert answers[0].position == 6
    assert answers[1].position == 16
    assert 'syntax error at or near "TABL"' in answers[0].message


def test_nothing_is_executed_and_nothing_stays_open(
    database: Database, connection: Connection
) -> None:
    before = value(connection, "SHOW lock_timeout")
    connection.execute("INSERT INTO t VALUES (1)")
    assert syntax_errors(connection, [statement(1, "DELETE FROM t"), statement(2, "SELEC")])
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert value(connection, "SHOW lock_timeout") == before
    assert value(connection, "SELECT count(*) FROM t") == 1
    other = database.connect()
    other.execute("SET lock_timeout = 500")
    other.execute("DROP TABLE t")


def test_a_locked_table_does_not_hold_the_parser_up(
    database: Database, connection: Connection
) -> None:
    holder = database.connect(autocommit=False)
    holder.execute("LOCK TABLE t")
    wanted = [statement(at, "DELETE FROM t") for at in range(1, 21)]
    # The lock is held until the test ends.
    answers = syntax_errors(connection, [*wanted, statement(21, "DELET t")])
    assert [a.index for a in answers] == [21]


def test_a_lost_connection_is_not_a_clean_bill(database: Database, connection: Connection) -> None:
    admin = database.connect(superuser=True)
    admin.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])
    with pytest.raises(psycopg.Error):
        syntax_errors(connection, [statement(1, "SELECT 1")])


@pytest.mark.parametrize(
    ("piece", "message"),
    [
        ("", "no command"),
        (" -- only a comment", "no command"),
        ("/* DROP TABLE t */", "no command"),
        ("SELECT 1; SELECT 2", "multiple commands"),
        ("DELETE FROM t; COMMIT", "multiple commands"),
    ],
)
def test_a_piece_must_be_one_command(connection: Connection, piece: str, message: str) -> None:
    (answer,) = syntax_errors(
        connection, [statement(1, "DELETE FROM t"), statement(2, piece), statement(3, "LOCK t")]
    )
    assert answer.index == 2 and message in answer.message
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_many_batches_answer_for_each_statement(connection: Connection) -> None:
    many = [
        statement(at, "DROP TABL t" if at % 700 == 0 else f"DELETE FROM t WHERE i = {at}", "x")
        for at in range(1, 2501)
    ]
    assert [a.index for a in syntax_errors(connection, many)] == [700, 1400, 2100]
    assert value(connection, "SELECT 1") == 1
    large = [statement(at, f"SELECT '{'x' * 600_000}'", "SELECT") for at in range(5)]
    assert syntax_errors(connection, large) == ()


def test_a_slow_link_is_crossed_a_few_times_only(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One at a time these would be 601 round trips: all of a batch is sent before its first
    answer is waited for."""
    sent: list[int] = []
    waited: list[int] = []

    def exchange(pgconn: PGconn, texts: Sequence[bytes]) -> PQGen[list[PGresult]]:
        sent.append(len(texts))
        return real(pgconn, texts)

    def send(pgconn: PGconn) -> PQGen[None]:
        waited.append(sum(sent))
        return handed_over(pgconn)

    real = syntax._exchange
    handed_over: Callable[[PGconn], PQGen[None]] = generators.send
    monkeypatch.setattr(syntax, "_exchange", exchange)
    monkeypatch.setattr(generators, "send", send)
    many = [statement(at, "UPDATE t SET i = 1", "UPDATE") for at in range(600)]
    assert [a.index for a in syntax_errors(connection, [*many, statement(600, "UPDAT t")])] == [600]
    assert sent == [500, 101]
    assert waited == [500, 601]


def test_the_parser_has_a_deadline(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """libpq waits without psycopg; here for a backend that is stopped."""
    monkeypatch.setattr("rollback_tui.postgres.syntax._BATCH_SECONDS", 0.4)
    with connect(database.dsn) as connection:
        backend = connection.info.backend_pid
        connection.add_notice_handler(lambda _: None)
        stopped: list[int] = []
        real = connection.execute

        def then_stop(*arguments: object) -> object:
            done = real(*arguments)  # type: ignore[arg-type]
            if not stopped and b"SET lock_timeout" in str(arguments[0]).encode():
                os.kill(backend, signal.SIGSTOP)
                stopped.append(backend)
            return done

        monkeypatch.setattr(connection, "execute", then_stop)
        try:
            with pytest.raises(psycopg.OperationalError):
                syntax_errors(connection, [statement(1, "SELECT 1")])
            assert stopped and connection.broken
        finally:
            os.kill(backend, signal.SIGCONT)
