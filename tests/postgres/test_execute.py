"""Statements go out as they are, one at a time, and what came back is told exactly."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors

from rollback_tui.core.model import Effect, Statement
from rollback_tui.postgres.connect import Connection, connect
from rollback_tui.postgres.execute import (
    execute,
    in_transaction,
    timeouts,
    transaction_id,
)
from tests.conftest import Database


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with connect(database.dsn) as made:
        made.execute("CREATE TABLE t (i int)")
        yield made


def statement(index: int, sql: str) -> Statement:
    return Statement(
        index=index, start=0, end=len(sql), line=1, sql=sql, effect=Effect(kind="unknown")
    )


def value(connection: Connection, query: str) -> object:
    row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)",
        "SELECT 1; COMMIT",
        "COMMIT; DROP TABLE t",
        ";INSERT INTO t VALUES (1); DELETE FROM t;",
    ],
)
def test_the_server_refuses_two_statements_in_one(connection: Connection, text: str) -> None:
    connection.execute("BEGIN")
    with pytest.raises(errors.SyntaxError) as caught:
        execute(connection, text)
    assert caught.value.diag.sqlstate == "42601"
    assert "multiple commands" in str(caught.value)
    connection.execute("ROLLBACK")
    assert value(connection, "SELECT count(*) FROM t") == 0


@pytest.mark.parametrize(
    ("text", "tag", "rows"),
    [
        ("INSERT INTO t SELECT generate_series(1, 5)", "INSERT 0 5", 5),
        ("UPDATE t SET i = 1 WHERE false", "UPDATE 0", 0),
        ("DELETE FROM t;", "DELETE 0", 0),
        ("SELECT generate_series(1, 3)", "SELECT 3", 3),
        ("SELECT generate_series(1, 2000)", "SELECT 2000", 2000),
        ("SELECT 1 WHERE false", "SELECT 0", 0),
        ("CREATE TABLE u AS SELECT generate_series(1, 4) AS i", "SELECT 4", 4),
        ("DROP TABLE t", "DROP TABLE", None),
        ("DO $$ BEGIN PERFORM 1; END $$", "DO", None),
        ("-- only a comment\nSET LOCAL work_mem = '5MB' -- end", "SET", None),
        ("", "", None),
    ],
)
def test_tag_and_rows_are_those_of_the_server(
    connection: Connection, text: str, tag: str, rows: int | None
) -> None:
    answer = execute(connection, text)
    assert (answer.command_tag, answer.rows) == (tag, rows)
    assert answer.seconds >= 0


def test_the_text_is_not_touched(connection: Connection) -> None:
    execute(connection, "CREATE TABLE s (x text)")
    execute(connection, "INSERT INTO s VALUES ('100%'), ('%s'), ('%(a)s'), ('{} $1 :x'), ('äЖ日')")
    found = {row[0] for row in connection.execute("SELECT x FROM s").fetchall()}
    assert found == {"100%", "%s", "%(a)s", "{} $1 :x", "äЖ日"}


def test_umlauts_reach_a_database_of_another_encoding(database: Database) -> None:
    name = f"{database.name}_latin"
    admin = database.connect(superuser=True)
    admin.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    with connect(database.server.dsn(name)) as connection:
        execute(connection, "CREATE TABLE s AS SELECT 'Größe'::text AS x")
        assert value(connection, "SELECT length(x) FROM s") == 5
        with pytest.raises(errors.UntranslatableCharacter):
            execute(connection, "INSERT INTO s VALUES ('日')")


def test_notices_are_kept_in_order_and_counted_beyond_the_cap(connection: Connection) -> None:
    flood = (
        "DO $$ BEGIN FOR n IN 1..5000 LOOP RAISE NOTICE 'number % \x1b[31m', n; END LOOP;"
        " RAISE WARNING 'last'; END $$"
    )
    answer = execute(connection, flood, notices_kept=3)
    assert [n[:15] for n in answer.notices[:3]] == [f"NOTICE: number {n}"[:15] for n in (1, 2, 3)]
    assert answer.notices[0] == "NOTICE: number 1 ␛[31m"
    assert answer.notices[3:] == ("… and 4,998 more notices",)
    assert execute(connection, "SELECT 1").notices == ()


def test_a_long_notice_is_cut(connection: Connection) -> None:
    answer = execute(connection, "DO $$ BEGIN RAISE NOTICE '%', repeat('x', 100000); END $$")
    assert len(answer.notices[0]) == 500


def test_an_error_comes_as_the_server_gave_it_and_handlers_go(connection: Connection) -> None:
    with pytest.raises(errors.UndefinedTable) as caught:
        execute(connection, "SELECT *\nFROM nowhere")
    assert caught.value.diag.statement_position == "15"
    assert connection._notice_handlers == []


def test_a_block_cannot_commit_inside_our_transaction(connection: Connection) -> None:
    connection.execute("BEGIN")
    with pytest.raises(errors.InvalidTransactionTermination):
        execute(connection, "DO $$ BEGIN COMMIT; END $$")
    assert not in_transaction(connection)
    connection.execute("ROLLBACK")


def test_a_transaction_is_recognised_by_its_id(connection: Connection) -> None:
    assert not in_transaction(connection)
    connection.execute("BEGIN")
    first = transaction_id(connection)
    assert in_transaction(connection)
    execute(connection, "INSERT INTO t VALUES (1)")
    assert transaction_id(connection) == first
    execute(connection, "COMMIT")
    connection.execute("BEGIN")
    assert transaction_id(connection) != first
    connection.execute("ROLLBACK")


def test_timeouts_are_asserted_for_the_transaction_only(connection: Connection) -> None:
    before = [value(connection, f"SHOW {n}") for n in ("lock_timeout", "statement_timeout")]
    connection.execute("BEGIN")
    connection.execute("SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 5000")
    connection.execute(timeouts(3, 900))
    assert value(connection, "SHOW lock_timeout") == "3s"
    assert value(connection, "SHOW statement_timeout") == "15min"
    assert value(connection, "SHOW idle_in_transaction_session_timeout") == "0"
    connection.execute("ROLLBACK")
    after = [value(connection, f"SHOW {n}") for n in ("lock_timeout", "statement_timeout")]
    assert after == before


def test_the_lock_timeout_really_ends_a_wait(database: Database, connection: Connection) -> None:
    holder = database.connect(autocommit=False)
    holder.execute("LOCK TABLE t")
    connection.execute("BEGIN")
    connection.execute(timeouts(0.2, 900))
    with pytest.raises(errors.LockNotAvailable):
        execute(connection, "DROP TABLE t")
    connection.execute("ROLLBACK")


@pytest.mark.parametrize("seconds", [0.0001, 0.0004])
def test_a_short_timeout_never_becomes_none(connection: Connection, seconds: float) -> None:
    """0 means no limit at all to PostgreSQL."""
    connection.execute("BEGIN")
    connection.execute(timeouts(seconds, seconds + 60))
    assert value(connection, "SHOW lock_timeout") == "1ms"
    connection.execute("ROLLBACK")


def test_a_million_rows_do_not_fill_the_memory(connection: Connection) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = execute(connection, "SELECT repeat('x', 500) FROM generate_series(1, 1000000)")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert (answer.command_tag, answer.rows) == ("SELECT 1000000", 1_000_000)
    assert grown < 100_000, f"{grown} kB more than before, for 500 MB of rows"


def test_an_error_behind_many_rows_is_still_an_error(connection: Connection) -> None:
    connection.execute("BEGIN")
    with pytest.raises(errors.DivisionByZero):
        execute(connection, "SELECT 1 / (99999 - i) FROM generate_series(1, 200000) AS i")
    assert not in_transaction(connection)
    connection.execute("ROLLBACK")
    assert execute(connection, "SELECT 1").rows == 1


def test_a_type_without_a_binary_form_may_be_selected(connection: Connection) -> None:
    text = "SELECT '=r/postgres'::aclitem"
    assert execute(connection, text).rows == 1


def test_rows_for_the_client_end_the_session_and_no_half_of_it_stays(
    connection: Connection,
) -> None:
    """Refused when the script is read; here it comes all the same."""
    connection.execute("BEGIN")
    connection.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(psycopg.NotSupportedError):
        execute(connection, "COPY (SELECT generate_series(1, 100000)) TO STDOUT")
    assert connection.closed


def test_data_that_nobody_gives_is_an_error_of_the_server(connection: Connection) -> None:
    connection.execute("BEGIN")
    with pytest.raises(errors.QueryCanceled, match="no data to give"):
        execute(connection, "COPY t FROM STDIN")
    connection.execute("ROLLBACK")
    assert value(connection, "SELECT count(*) FROM t") == 0
