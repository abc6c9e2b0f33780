"""The vital signs of a database, against what the tests themselves did to it."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from rollback_tui.core.monitoring.values import Metric, Reading
from rollback_tui.core.monitoring.vitals import Vitals, Yardstick, readings
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.postgres.connect import Connection, connect
from rollback_tui.postgres.vitals import LogWatch, look, statements
from tests.conftest import Database, create_database, drop_database
from tests.debian import debian as debian
from tests.demo.processes import soon


def of(metric: Metric, found: tuple[Reading, ...]) -> Reading:
    (reading,) = (one for one in found if one.metric == metric)
    return reading


@pytest.fixture(params=["server", "server16"])
def shop(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database on PostgreSQL 18, then on 16."""
    made = create_database(request.getfixturevalue(request.param))
    yield made
    drop_database(made)


@pytest.fixture
def counted_shop(debian: EmbeddedServer) -> Iterator[Database]:
    """A database on a server of Debian's that keeps statistics of its queries."""
    made = create_database(debian)
    with made.connect(superuser=True) as admin:
        admin.execute("CREATE EXTENSION pg_stat_statements")
    yield made
    drop_database(made)


@contextlib.contextmanager
def beside(ask: Callable[[], object]) -> Iterator[None]:
    """Ask in a thread; what it raises when it is ended is nobody's concern."""

    def asking() -> None:
        with contextlib.suppress(psycopg.Error):
            ask()

    thread = threading.Thread(target=asking)
    thread.start()
    try:
        yield
    finally:
        thread.join(30)


def deadlock(database: Database) -> None:
    """Two sessions that wait for each other; one of them is ended by the server."""
    one, other = (database.connect(superuser=True, autocommit=False) for _ in range(2))
    for session in (one, other):
        session.execute("SET deadlock_timeout = '20ms'")
        session.commit()
    one.execute("UPDATE accounts SET balance = 1 WHERE id = 1")
    other.execute("UPDATE accounts SET balance = 2 WHERE id = 2")
    with beside(lambda: one.execute("UPDATE accounts SET balance = 1 WHERE id = 2")):
        with contextlib.suppress(psycopg.errors.DeadlockDetected):
            other.execute("UPDATE accounts SET balance = 2 WHERE id = 1")
            other.commit()
        other.close()
    one.commit()
    one.close()


def read_much(database: Database) -> tuple[int, int]:
    """Read a table that is not all in the cache; return the blocks that were and were not."""
    with psycopg.connect(database.dsn, autocommit=True) as session:
        # What is loaded in bulk keeps to 16 MB of the cache; this is more.
        session.execute(
            "CREATE TABLE big AS SELECT repeat('x', 1900) FROM generate_series(1, 9999)"
        )
        row = session.execute(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT count(*) FROM big"
        ).fetchone()
    assert row is not None
    (explained,) = row[0] if isinstance(row[0], list) else json.loads(str(row[0]))
    plan = explained["Plan"]
    return plan["Shared Hit Blocks"], plan["Shared Read Blocks"]


def test_what_is_counted_is_what_was_done(shop: Database) -> None:
    with psycopg.connect(shop.dsn, autocommit=True) as setup:
        setup.execute("CREATE TABLE accounts (id int PRIMARY KEY, balance int)")
        setup.execute("INSERT INTO accounts VALUES (1, 0), (2, 0)")
    with connect(shop.server.dsn("postgres", shop.owner)) as aside:
        before = look(aside, shop.oid)
        with psycopg.connect(shop.dsn, autocommit=True) as session:
            for number in range(40):
                session.execute("BEGIN")
                session.execute("UPDATE accounts SET balance = balance + 1 WHERE id = 1")
                session.execute("ROLLBACK" if number < 10 else "COMMIT")
        deadlock(shop)
        hit, read = read_much(shop)
        assert read > 100
        time.sleep(max(0.0, 1.1 - (look(aside, shop.oid).taken_at - before.taken_at).seconds))
        now = look(aside, shop.oid)
    found = readings(before, now)
    seconds = (now.taken_at - before.taken_at).total_seconds()
    rolled = of("rollbacks", found)
    # Ten of ours, and the victim of the deadlock. Committed: thirty, and some of the sessions.
    assert rolled.evidence[0].startswith("11 of ")
    assert rolled.counted is not None and 41 <= rolled.counted < 70
    deadlocks = of("deadlocks", found)
    assert deadlocks.counted == 1
    assert deadlocks.value == pytest.approx(60 / seconds)
    cache = of("cache_hit", found)
    assert cache.counted is not None and cache.value is not None
    missed = round(cache.counted * (1 - cache.value))
    # Beside the query there is the making of its table, and the catalog.
    assert read <= missed < read + 3000
    assert cache.counted >= hit + read
    # Where the server writes no log: only sessions that it ended, and it ended none.
    failed = of("query_errors", found)
    assert (failed.value, failed.source) == (0, "pg_stat_database (sessions that ended badly)")
    assert of("query_performance", found).why == "it was not asked"


def test_sessions_queries_and_lock_queues_of_applications(shop: Database) -> None:
    """What is ours, and what is no application, does not count; who waits, waits for somebody."""
    holder = shop.connect(autocommit=False, application_name="migrate")
    holder.execute("CREATE TABLE t (a int)")
    holder.commit()
    holder.execute("LOCK TABLE t")
    pid = holder.info.backend_pid
    ours = connect(shop.dsn, application="rollback_tui screen")
    settles = connect(shop.dsn, application="rollback_tui run")
    dump, waiting, queued, slow = (
        shop.connect(application_name=name) for name in ("pg_dump", "shop", "shop", "report")
    )
    first_pid, second_pid = waiting.info.backend_pid, queued.info.backend_pid
    asked = "SELECT pg_sleep(60), 'of ada'"
    with (
        ours,
        settles,
        beside(lambda: settles.execute("TABLE t")),
        beside(lambda: waiting.execute("SELECT * FROM t")),
        beside(lambda: dump.execute("SELECT pg_sleep(61)")),
        beside(lambda: ours.execute("SELECT pg_sleep(62)")),
    ):
        try:
            assert soon(lambda: _waiting(shop) == 2, 20)
            with beside(lambda: slow.execute(asked)), beside(lambda: queued.execute("TABLE t")):
                with connect(shop.dsn) as connection:
                    assert soon(lambda: look(connection, shop.name).waiting == 2, 20)
                    now = look(connection, shop.name)
                    everywhere = connection.execute(
                        "SELECT count(*) FROM pg_stat_activity"
                        " WHERE backend_type = 'client backend'"
                    ).fetchone()
                holder.rollback()
                _end(shop, slow, dump, ours)
        finally:
            holder.close()
    assert everywhere is not None
    found = readings(None, now)
    connections = now.connections
    assert (connections.total, connections.maximum) == (everywhere[0], 100)
    assert (connections.inside, connections.ours, connections.idle_in_transaction) == (5, 2, 1)
    assert dict(connections.applications) == {"shop": 2, "migrate": 1, "pg_dump": 1, "report": 1}
    longest = of("longest_query", found)
    assert now.oldest[0].pid == first_pid
    assert sorted(one.application for one in now.oldest) == ["report", "shop", "shop"]
    assert longest.value == now.oldest[0].seconds > 1
    assert any(line.endswith("SELECT pg_sleep(?), ?") for line in longest.evidence)
    waits = of("lock_waits", found)
    assert waits.value == 2
    first, second = waits.evidence
    holds = f"pid {pid} (migrate, idle in transaction for "
    assert first.startswith(f"pid {first_pid} (shop) has waited ")
    assert f"for AccessShareLock on public.t, behind {holds}" in first
    assert f"pid {second_pid} (shop)" in second and holds in second


def _waiting(database: Database) -> int:
    with database.connect() as admin:
        row = admin.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
    assert row is not None and isinstance(row[0], int)
    return row[0]


def _end(database: Database, *sessions: psycopg.Connection[Any]) -> None:
    with database.connect(superuser=True) as admin:
        for session in sessions:
            admin.execute("SELECT pg_cancel_backend(%s)", [session.info.backend_pid])


def test_a_look_leaves_nothing_in_the_session(shop: Database) -> None:
    with connect(shop.dsn) as connection:
        connection.execute("SET statement_timeout = 12345; SET search_path = pg_temp, public")
        for _ in range(7):  # psycopg would prepare what it is asked for the sixth time
            vitals = look(connection, shop.oid, with_statements=True)
        assert vitals.statements is None and "pg_stat_statements" in vitals.statements_why
        row = connection.execute(
            "SELECT current_setting('statement_timeout'), current_setting('search_path'),"
            " current_setting('lock_timeout'), current_setting('jit')"
        ).fetchone()
        assert row is not None and row[:3] == ("12345ms", "pg_temp, public", "0")
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        with pytest.raises(psycopg.errors.QueryCanceled):
            look_at_a_sleeper(connection)
        assert look(connection, shop.oid).database == shop.name


def look_at_a_sleeper(connection: Connection) -> None:
    """What a look does, with a server that does not come to an end."""
    from psycopg import sql

    from rollback_tui.postgres.statement_stats import briefly

    briefly(connection, sql.SQL("SELECT pg_catalog.pg_sleep(60)"), 0.01)


def test_a_role_that_may_see_little_says_so(shop: Database) -> None:
    name = f"{shop.owner}_plain"
    with psycopg.connect(shop.superuser_dsn, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN".encode())
        holder = shop.connect(autocommit=False)
        holder.execute("CREATE TABLE t (a int)")
        holder.commit()
        holder.execute("LOCK TABLE t")
        waiting = shop.connect()
        with beside(lambda: waiting.execute("TABLE t")):
            with connect(shop.server.dsn(shop.name, name)) as plain:
                assert soon(lambda: look(plain, shop.name).waiting == 1, 20)
                now = look(plain, shop.name)
            holder.close()
        admin.execute(f"DROP ROLE {name}".encode())
    found = readings(None, now)
    # The admin, who holds and who waits.
    assert now.hidden == now.connections.inside == 3
    assert of("longest_query", found).why == (
        "our role may not see what 3 sessions execute (GRANT pg_read_all_stats)"
    )
    (waits,) = of("lock_waits", found).evidence
    assert "our role may not see what it does" in waits


def test_a_database_that_is_not_there(shop: Database) -> None:
    with connect(shop.dsn) as connection:
        for database in ("no such 'database'", 4_000_000_000):
            gone = look(connection, database)
            assert (gone.database_oid, gone.counted) == (None, None)
            assert of("rollbacks", readings(gone, gone)).why.startswith("there is no database")


# --- pg_stat_statements, and the server's log -----------------------------------------------------


def called(database: Database, *queries: str, times: int = 1) -> None:
    with psycopg.connect(database.dsn, autocommit=True, application_name="shop") as session:
        for query in queries * times:
            with contextlib.suppress(psycopg.Error):
                session.execute(query.encode())


def own_means(database: Database) -> dict[str, tuple[int, float]]:
    """Calls and total seconds by text, as the test reads the extension's view."""
    with database.connect(superuser=True) as admin:
        rows = admin.execute(
            "SELECT query, sum(calls)::int, sum(total_exec_time) / 1000 FROM pg_stat_statements"
            " WHERE dbid = %s GROUP BY 1",
            [database.oid],
        ).fetchall()
    return {str(text): (int(str(calls)), float(str(seconds))) for text, calls, seconds in rows}


def later(before: Vitals, connection: Connection, database: Database) -> Vitals:
    """Another look, far enough from the first one."""
    while True:
        now = look(connection, database.oid, with_statements=True)
        if (now.taken_at - before.taken_at).total_seconds() > 1:
            return now
        time.sleep(0.2)


SLOW = (
    "CREATE OR REPLACE FUNCTION priced() RETURNS int LANGUAGE sql AS 'SELECT 1 FROM pg_sleep({})'"
)


def test_a_query_that_became_slower_is_found_and_a_new_one_is_told(
    counted_shop: Database,
) -> None:
    shop = counted_shop
    called(shop, SLOW.format(0.002), "CREATE TABLE t (a int, b int)", "INSERT INTO t VALUES (1, 2)")
    usual_calls = ("SELECT priced() AS price", "SELECT b FROM t WHERE a = 1")
    called(shop, *usual_calls, times=20)
    with connect(shop.dsn) as connection:
        before = look(connection, shop.oid, with_statements=True)
        assert before.statements is not None, before.statements_why
        earlier = own_means(shop)
        # The same text with another number: what the query names is another column.
        called(shop, SLOW.format(0.1), "ALTER TABLE t DROP b; ALTER TABLE t ADD b int")
        called(shop, *usual_calls, times=10)
        called(shop, "SELECT count(*) AS fresh FROM t, t AS u", times=3)
        now = later(before, connection, shop)
        means = own_means(shop)
    assert now.statements is not None
    numbers = {one.text: set[int]() for one in now.statements.queries}
    for one in now.statements.queries:
        numbers[one.text].add(one.id)
    assert len(numbers["SELECT b FROM t WHERE a = $1"]) == 2
    # Our own looks are not among them; comments are shown of none.
    assert not any("pg_catalog" in text or text.startswith("WITH") for text in numbers)
    measured = readings(before, now, Yardstick(statements=before.statements, load=0.001))
    performance = of("query_performance", measured)
    assert performance.counted is not None and performance.counted >= 20
    expected = took = 0.0
    for text, (calls, seconds) in means.items():
        had, spent = earlier.get(text, (0, 0.0))
        if had and calls > had and "rollback_tui" not in text:
            took += seconds - spent
            expected += (calls - had) * spent / had
    assert performance.value == pytest.approx(took / expected, rel=0.2)
    assert performance.value > 2
    assert performance.evidence[0].endswith("10 calls: SELECT priced() AS price")
    new = [line for line in performance.evidence if "not there before" in line]
    assert any("3 × " in line and "AS fresh FROM t, t AS u" in line for line in new)
    assert not any("SELECT b FROM t" in line for line in new)
    load = of("query_load", measured)
    assert load.value is not None and load.value > 100


def test_statistics_set_to_zero_hidden_or_not_there(counted_shop: Database) -> None:
    shop = counted_shop
    called(shop, "SELECT 1 AS one", "ALTER ROLE CURRENT_USER PASSWORD 'geheim'", times=5)
    with connect(shop.dsn) as connection, connect(shop.superuser_dsn) as admin:
        before = look(connection, shop.oid, with_statements=True)
        assert before.statements is not None
        texts = {one.text for one in before.statements.queries}
        assert "SELECT $1 AS one" in texts and "ALTER ROLE …" in texts
        admin.execute("SELECT pg_stat_statements_reset()")
        now = later(before, connection, shop)
        found = of("query_performance", readings(before, now, Yardstick(statements=None)))
        assert found.why == "pg_stat_statements was set to zero since the last look"
        called(shop, "SELECT 2 AS two", times=5)
        admin.execute(f"REVOKE pg_monitor FROM {shop.owner}".encode())
        admin.execute("SELECT 3 AS of_somebody_else")
        mine, why = statements(connection, shop.oid)
        assert mine is not None and why == ""
        assert mine.hidden >= 1 and mine.calls > sum(one.calls for one in mine.queries)
        assert not any("of_somebody_else" in one.text for one in mine.queries)
        admin.execute("REVOKE SELECT ON pg_stat_statements FROM PUBLIC")
        assert statements(connection, shop.oid) == (
            None,
            "our role may not read pg_stat_statements (GRANT pg_read_all_stats)",
        )
        admin.execute("DROP EXTENSION pg_stat_statements")
        none, why = statements(connection, shop.oid)
        assert none is None and why.startswith("the extension pg_stat_statements is not in this")


def test_new_errors_of_the_log_are_told_once(counted_shop: Database) -> None:
    shop = counted_shop
    with connect(shop.superuser_dsn) as connection:
        log = LogWatch(shop.name)
        assert log.look(connection).why == "this is the first look at it"
        before = look(connection, shop.oid)
        called(shop, "SELECT nothing", "SELECT 1 / 0", "SELECT nothing")
        deadline = time.monotonic() + 20
        read = log.look(connection)
        errors = list(read.errors)
        while len(errors) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)  # the collector writes a little later
            errors += log.look(connection).errors
        now = later(before, connection, shop)
    assert read.why == ""
    assert [one.sqlstate for one in errors] == ["42703", "22012", "42703"]
    found = of("query_errors", readings(before, now, logged=type(read)(errors=tuple(errors))))
    assert found.counted == 3
    assert found.evidence[0] == '2 × (shop): 42703 column "nothing" does not exist'
    with connect(shop.dsn) as connection:
        closed = LogWatch(shop.name)
        assert closed.look(connection).why.startswith("our role may not")
        assert closed.look(connection).why.startswith("our role may not")
