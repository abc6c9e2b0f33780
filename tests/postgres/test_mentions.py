"""Queries that still name what goes: from the sessions always, from the statistics where they are.

The embedded server has no ``pg_stat_statements``; a PostgreSQL of the system's has.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from rollback_tui.core.model import Doomed, Effect, Statement
from rollback_tui.core.outlook import Mention
from rollback_tui.embedded import server as embedded
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.postgres import counts
from rollback_tui.postgres.connect import connect
from rollback_tui.postgres.mentions import mentions
from tests.conftest import Database, create_database, drop_database
from tests.core.example import migration, plan, script

SYSTEM = Path("/usr/lib/postgresql/15/bin")


def dropping(*drops: tuple[str, str], index: int = 1, kind: str = "DROP", **effect: Any) -> Any:
    return Statement(
        index=index,
        start=0,
        end=1,
        line=1,
        sql="…",
        effect=Effect(kind=kind, drops=drops, resolved=True, **effect),
    )


def asked(database: Database, *statements: Statement) -> tuple[tuple[Mention, ...], bool]:
    with connect(database.dsn) as connection:
        return mentions(connection, plan(migration(script=script(statements=statements))), 5)


COLUMN = dropping(("column", "public.users.verified_at"))
TABLE = dropping(("table", "public.users"))


@pytest.fixture
def shop(database: Database) -> psycopg.Connection[tuple[object, ...]]:
    """A session of an application."""
    other = database.connect(application_name="shop")
    other.execute("CREATE TABLE users (id int, verified_at text, users int)")
    other.execute('CREATE TABLE "Users" (id int, "Verified At" int)')
    other.execute("CREATE SCHEMA audit CREATE TABLE users (id int, verified_at text)")
    return other


@pytest.mark.parametrize(
    ("statement", "text", "names"),
    [
        (TABLE, "SELECT id FROM users", True),
        (TABLE, "SELECT id FROM USERS u", True),
        (TABLE, 'select id from public."users"', True),
        (TABLE, "/* web */ -- x\n SELECT id FROM users", True),
        (TABLE, "SELECT users.id FROM public.users", True),
        (TABLE, "(SELECT 1 FROM users) UNION SELECT 2", True),
        (TABLE, "WITH x AS (DELETE FROM users RETURNING 1) SELECT FROM x", True),
        (TABLE, "SELECT id FROM audit.users", False),
        (TABLE, 'SELECT id FROM "Users"', False),
        (TABLE, "SELECT 1 AS users_1, 'the users'", False),
        (TABLE, "SELECT 1 /* users */", False),
        (TABLE, "ALTER TABLE users ADD x int", False),
        (TABLE, "BEGIN", False),
        (TABLE, "SELECT count(*) FROM pg_catalog.pg_class WHERE relname = 'users'", False),
        (TABLE, "SELECT pg_catalog.count(*) FROM users", False),
        (TABLE, "COPY public.users (id) TO stdout;", False),
        (TABLE, "EXPLAIN SELECT id FROM users", False),
        (COLUMN, "SELECT verified_at FROM users", True),
        (COLUMN, "SELECT u.verified_at FROM users u", True),
        (COLUMN, "SELECT to_jsonb(users) ->> 'verified_at' FROM users", True),
        (COLUMN, "UPDATE users SET verified_at = '' WHERE false", True),
        (COLUMN, "SELECT * FROM users", False),
        (COLUMN, "SELECT verified_at FROM audit.users", False),
        (COLUMN, "SELECT 1 AS verified_at", False),
        (dropping(("column", '"Users"."Verified At"')), 'SELECT "Verified At" FROM "Users"', True),
        (dropping(("table", "users")), "SELECT id FROM audit.users", True),
        (dropping(("schema", "audit")), "SELECT id FROM audit.users", True),
        (dropping(("function", "public.lower(text)")), "SELECT lower('X')", True),
        (dropping(("index", "public.users")), "SELECT id FROM users", False),
        (dropping(("table", "public.users"), no_op=True), "SELECT id FROM users", False),
        (dropping(collateral=(("view", "public.users"),)), "SELECT id FROM users", True),
    ],
)
def test_a_query_that_names_what_goes_is_found(
    database: Database,
    shop: psycopg.Connection[tuple[object, ...]],
    statement: Statement,
    text: str,
    names: bool,
) -> None:
    if text.startswith("COPY"):
        with shop.cursor().copy(text.encode()) as copy:
            assert copy.read() == b""
    else:
        shop.execute(text.encode())
    found, statistics = asked(database, statement)
    assert not statistics
    assert [(m.statement, m.source, m.application, m.user, m.calls) for m in found] == [
        (1, "pg_stat_activity", "shop", database.owner, None)
    ] * names
    if names:
        (kind_and_name,) = (*statement.effect.drops, *statement.effect.collateral)
        assert found[0].object == kind_and_name[1]
        assert found[0].query == " ".join(text.split())


def test_what_is_made_again_does_not_go(
    database: Database, shop: psycopg.Connection[tuple[object, ...]]
) -> None:
    """A view is dropped and created to take a column away from it."""
    shop.execute("SELECT id FROM users")
    gone = dropping(("view", "public.users"))
    again = dropping(index=2, kind="CREATE VIEW", objects=("users",))
    assert asked(database, gone)[0]
    assert not asked(database, gone, again)[0]
    assert asked(database, again, gone)[0]


@pytest.mark.parametrize(
    ("kind", "sql", "text", "named"),
    [
        (
            "ALTER TABLE … RENAME COLUMN",
            "ALTER TABLE users RENAME COLUMN verified_at TO seen -- x",
            "SELECT verified_at FROM users",
            ["public.users.verified_at"],
        ),
        (
            "ALTER TABLE … RENAME COLUMN",
            'ALTER TABLE public.users RENAME "id" TO "No"',
            "SELECT verified_at FROM users",
            [],
        ),
        ("ALTER TABLE … RENAME", "…", "SELECT id FROM users", ["public.users"]),
        ("ALTER TABLE … RENAME CONSTRAINT", "…", "SELECT id FROM users", []),
        ("ALTER INDEX … RENAME", "…", "SELECT id FROM users", []),
    ],
)
def test_a_name_that_is_changed_goes_too(
    database: Database,
    shop: psycopg.Connection[tuple[object, ...]],
    kind: str,
    sql: str,
    text: str,
    named: list[str],
) -> None:
    shop.execute(text.encode())
    renaming = replace(dropping(kind=kind, objects=("public.users",)), sql=sql)
    assert [m.object for m in asked(database, renaming)[0]] == named


def test_ours_dumps_and_other_databases_do_not_count(
    database: Database, shop: psycopg.Connection[tuple[object, ...]]
) -> None:
    shop.execute("SELECT 1")
    text = "SELECT id FROM users"
    beside = create_database(database.server)
    try:
        with connect(database.dsn, application="rollback_tui worker") as ours:
            ours.execute(text)
            database.connect(application_name="pg_dump").execute(text)
            elsewhere = beside.connect()
            elsewhere.execute("CREATE TABLE users (id int)")
            elsewhere.execute(text)
            assert asked(database, TABLE) == ((), False)
            impostor = database.connect(superuser=True, application_name="rollback_tui")
            impostor.execute(text)
            assert [m.user for m in asked(database, TABLE)[0]] == ["postgres"]
    finally:
        drop_database(beside)


def test_more_names_than_the_server_is_asked_for_are_found_all_the_same(
    database: Database, shop: psycopg.Connection[tuple[object, ...]]
) -> None:
    shop.execute("SELECT id FROM users -- \x1b[2J")
    every = dropping(*(("table", f'public."no.{i}"') for i in range(1000)), ("table", "users"))
    ((one,), _) = asked(database, every)
    assert (one.object, one.query) == ("users", "SELECT id FROM users -- ␛[2J")


# --- pg_stat_statements ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def system_server() -> Iterator[EmbeddedServer]:
    """A PostgreSQL 15 of the system's, with the extension loaded."""
    if not (SYSTEM / "postgres").exists():
        pytest.skip(f"no PostgreSQL in {SYSTEM}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded, "programs", lambda _: SYSTEM)
        running = EmbeddedServer(
            major=15, settings={"shared_preload_libraries": "pg_stat_statements"}
        )
    yield running
    running.stop()


@pytest.fixture
def database15(system_server: EmbeddedServer) -> Iterator[Database]:
    """A fresh database in which the statistics are, in a schema of their own."""
    created = create_database(system_server)
    with psycopg.connect(created.superuser_dsn, autocommit=True) as admin:
        admin.execute('CREATE SCHEMA "The Statistics"')
        admin.execute('GRANT USAGE ON SCHEMA "The Statistics" TO public')
        admin.execute('CREATE EXTENSION pg_stat_statements SCHEMA "The Statistics"')
        admin.execute('SELECT "The Statistics".pg_stat_statements_reset()')
    yield created
    drop_database(created)


def call(database: Database, times: int = 3, *, superuser: bool = False) -> None:
    """Be an application that has left: only the statistics remember."""
    with database.connect(superuser=superuser) as other:
        other.execute("CREATE TABLE IF NOT EXISTS users (id int, verified_at text)")
        for number in range(times):
            other.execute(f"SELECT verified_at FROM users WHERE id = {number}")
    gone(database)


def gone(database: Database) -> None:
    """Wait until the server, too, has noticed who left."""
    with psycopg.connect(database.superuser_dsn, autocommit=True) as admin:
        while admin.execute(
            "SELECT FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'test'"
        ).rowcount:
            time.sleep(0.02)


def test_what_was_called_is_found_with_its_calls(database15: Database) -> None:
    call(database15)
    ((one,), statistics) = asked(database15, COLUMN)
    assert statistics
    assert (one.source, one.application, one.user, one.calls) == (
        "pg_stat_statements",
        "",
        database15.owner,
        3,
    )
    assert one.query == "SELECT verified_at FROM users WHERE id = $1"


def test_what_runs_now_comes_before_what_was_called_often(database15: Database) -> None:
    call(database15, 9)
    database15.connect().execute("SELECT verified_at, 1 FROM users")
    found, _ = asked(database15, COLUMN)
    assert [m.calls for m in found] == [None, 9, 1]


def test_our_own_counting_is_no_use_of_it(database15: Database) -> None:
    with connect(database15.dsn) as connection:
        connection.execute("CREATE TABLE users (id int, verified_at text)")
        assert counts.count(connection, "public.users", 5) == 0
        table = Doomed(kind="table", relation="users")
        column = Doomed(kind="column", relation="users", column="verified_at")
        assert counts.losses(connection, dropping(doomed=(table, column)), 5)
    assert asked(database15, TABLE, COLUMN) == ((), True)


def test_statistics_whose_texts_are_hidden_are_not_read_whole(database15: Database) -> None:
    call(database15, superuser=True)
    with psycopg.connect(database15.superuser_dsn, autocommit=True) as admin:
        admin.execute(f"REVOKE pg_monitor FROM {database15.owner}")
        admin.execute(f"GRANT SELECT ON users TO {database15.owner}")
    with database15.connect() as own:
        own.execute("SELECT verified_at FROM users WHERE id = 7")
    gone(database15)
    ((one,), statistics) = asked(database15, COLUMN)
    assert (one.user, one.calls, statistics) == (database15.owner, 1, False)


def test_statistics_that_may_not_be_read_are_said_to_be_unread(database15: Database) -> None:
    call(database15)
    with psycopg.connect(database15.superuser_dsn, autocommit=True) as admin:
        admin.execute('REVOKE USAGE ON SCHEMA "The Statistics" FROM public')
    assert asked(database15, COLUMN) == ((), False)
    assert asked(database15) == ((), False)


def test_a_look_alike_is_not_asked(database15: Database) -> None:
    with psycopg.connect(database15.superuser_dsn, autocommit=True) as admin:
        admin.execute("DROP EXTENSION pg_stat_statements")
        admin.execute("CREATE VIEW public.pg_stat_statements AS SELECT 1 AS calls")
    assert asked(database15, COLUMN) == ((), False)


def test_with_nothing_that_goes_it_still_says_whether_it_could_be_known(
    database15: Database,
) -> None:
    assert asked(database15) == ((), True)
