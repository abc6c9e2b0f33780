"""The statements of the door by rename, sent to a real server, and what they leave as it was."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from rollback_tui.postgres import rename
from rollback_tui.postgres.connect import Connection, connect
from tests.conftest import Database

RUN = "0a1b2c3d-1111-2222-3333-444455556666"


@pytest.fixture
def maintenance(database: Database) -> Iterator[Connection]:
    with connect(database.server.dsn("postgres", database.owner)) as connection:
        yield connection


def send(connection: Connection, text: str) -> None:
    connection.execute(text.encode())


def spare(database: Database) -> str:
    return f"{database.name}__closed_0a1b2c3d"


def behind(database: Database) -> str:
    return f"{database.name}__rollback_0a1b2c3d"


@pytest.fixture
def placeholder(database: Database, maintenance: Connection) -> str:
    send(maintenance, rename.create_placeholder(maintenance, spare(database)))
    send(maintenance, rename.mark_placeholder(maintenance, spare(database), RUN))
    return spare(database)


def where(maintenance: Connection, name: str) -> tuple[int, bool] | None:
    found = rename.named(maintenance, name)
    return (found.oid, found.accepts) if found else None


def test_there_and_back(database: Database, maintenance: Connection, placeholder: str) -> None:
    name, renamed = database.name, behind(database)
    empty = where(maintenance, placeholder)
    assert empty is not None and not empty[1]
    send(maintenance, rename.accept(maintenance, name, yes=False))
    assert where(maintenance, name) == (database.oid, False)
    send(maintenance, rename.away(maintenance, name, renamed, placeholder) + ";COMMIT")
    assert where(maintenance, renamed) == (database.oid, True)
    assert where(maintenance, name) == empty
    assert where(maintenance, placeholder) is None
    send(maintenance, rename.back(maintenance, name, renamed, placeholder) + ";COMMIT")
    assert where(maintenance, name) == (database.oid, True)
    assert where(maintenance, placeholder) == empty
    send(maintenance, rename.drop_placeholder(maintenance, placeholder))
    assert where(maintenance, placeholder) is None


def test_nothing_of_it_happens_without_the_commit(
    database: Database, maintenance: Connection, placeholder: str
) -> None:
    send(maintenance, rename.away(maintenance, database.name, behind(database), placeholder))
    maintenance.execute("ROLLBACK")
    assert where(maintenance, database.name) == (database.oid, True)
    assert where(maintenance, behind(database)) is None


def test_a_session_inside_makes_the_whole_of_it_fail(
    database: Database, maintenance: Connection, placeholder: str
) -> None:
    database.connect()
    with pytest.raises(psycopg.errors.ObjectInUse):
        send(maintenance, rename.away(maintenance, database.name, behind(database), placeholder))
    maintenance.execute("ROLLBACK")
    assert where(maintenance, database.name) == (database.oid, True)


def test_nobody_can_enter_the_placeholder_and_it_says_what_it_is(
    database: Database, maintenance: Connection, placeholder: str
) -> None:
    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        psycopg.connect(database.server.dsn(placeholder))
    row = maintenance.execute(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s",
        [placeholder],
    ).fetchone()
    assert row is not None
    assert RUN in row[0] and "may be dropped" in row[0]


def test_a_placeholder_is_known_by_its_mark(
    database: Database, maintenance: Connection, placeholder: str
) -> None:
    found = rename.named(maintenance, placeholder)
    assert found is not None
    assert rename.is_placeholder(maintenance, found.oid, RUN)
    assert not rename.is_placeholder(maintenance, found.oid, "f" + RUN[1:])
    assert not rename.is_placeholder(maintenance, database.oid, RUN)
    assert not rename.is_placeholder(maintenance, 999_999_999, RUN)
    maintenance.execute(f"COMMENT ON DATABASE {placeholder} IS NULL".encode())
    assert rename.is_placeholder(maintenance, found.oid, RUN)
    maintenance.execute(f"COMMENT ON DATABASE {placeholder} IS 'mine'".encode())
    assert not rename.is_placeholder(maintenance, found.oid, RUN)


def test_prepared_transactions_are_named(database: Database, maintenance: Connection) -> None:
    assert rename.prepared_transactions(maintenance, database.oid) == ()
    with psycopg.connect(database.dsn) as other:
        other.execute("CREATE TABLE t ()")
        other.execute("PREPARE TRANSACTION 'b'")
    with psycopg.connect(database.server.dsn()) as neighbour:
        neighbour.execute("CREATE TABLE elsewhere ()")
        neighbour.execute("PREPARE TRANSACTION 'elsewhere'")
    try:
        assert rename.prepared_transactions(maintenance, database.oid) == ("b",)
    finally:
        with psycopg.connect(database.server.dsn(), autocommit=True) as neighbour:
            neighbour.execute("ROLLBACK PREPARED 'elsewhere'")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("ALTER DATABASE {db} CONNECTION LIMIT 3", "connection limit"),
        ("ALTER DATABASE {db} OWNER TO postgres", "owner"),
        ("ALTER DATABASE {db} IS_TEMPLATE true", "template flag"),
        ("ALTER DATABASE {db} ALLOW_CONNECTIONS false", "accepting connections"),
        ("COMMENT ON DATABASE {db} IS 'x'", "comment"),
        ("COMMENT ON DATABASE {db} IS ''", ""),
        ("REVOKE TEMPORARY ON DATABASE {db} FROM PUBLIC", "privileges"),
        ("ALTER DATABASE {db} SET a.secret = 'hunter2'", "setting a.secret"),
        ("ALTER DATABASE {db} SET work_mem = '1MB'", "setting work_mem"),
        (
            "ALTER ROLE {role} IN DATABASE {db} SET work_mem = '1MB'",
            "setting work_mem of role {role}",
        ),
        ("ALTER ROLE {role} SET work_mem = '1MB'", ""),
    ],
)
def test_every_property_is_compared(
    database: Database, maintenance: Connection, change: str, told: str
) -> None:
    before = rename.properties(maintenance, database.oid)
    names = {"db": sql.Identifier(database.name), "role": sql.Identifier(database.owner)}
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        admin.execute(sql.SQL(change).format(**names))
    after = rename.properties(maintenance, database.oid)
    expected = told.format(role=database.owner)
    assert rename.changed(before, after) == ((expected,) if expected else ())
    assert "hunter2" not in str(after)


def test_of_a_database_that_is_gone_nothing_is_known(maintenance: Connection) -> None:
    assert rename.properties(maintenance, 999_999_999) == {}
    assert rename.place(maintenance, 999_999_999) is None
    assert rename.named(maintenance, "no such database") is None
