"""The template copy: estimated before, made behind the door, and never left half made."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from rollback_tui.checkpoint import clone
from rollback_tui.config import CheckpointSettings
from rollback_tui.core.errors import CheckpointError
from rollback_tui.core.facts import CloneFacts
from rollback_tui.postgres.connect import Connection, connect
from rollback_tui.postgres.naming import marked
from tests.conftest import Database

WANTED = CheckpointSettings(clone="wanted")
COMMENT = marked("clone", "shop", "1a2b3c4d")


@pytest.fixture(params=["database", "database16"])
def shop(request: pytest.FixtureRequest) -> Database:
    """A database with a few kinds of rows, on PostgreSQL 18 and on 16."""
    found: Database = request.getfixturevalue(request.param)
    with psycopg.connect(found.dsn, autocommit=True) as there:
        there.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) n")
        there.execute("CREATE UNLOGGED TABLE fleeting AS SELECT generate_series(1, 77) n")
        there.execute("CREATE SEQUENCE s START 42")
        there.execute("SELECT nextval('s')")
    return found


@pytest.fixture
def maintenance(shop: Database) -> Iterator[Connection]:
    """The other database, as the owner."""
    with connect(shop.server.dsn("postgres", shop.owner)) as connection:
        yield connection


def copy_name(shop: Database) -> str:
    return shop.name + "__clone_1a2b3c4d"


def make(connection: Connection, shop: Database, **changes: object) -> clone.Clone:
    sent: list[str] = []

    def send(where: Connection, text: str) -> None:
        sent.append(text)
        where.execute(text.encode())

    options: dict[str, object] = {
        "strategy": "file_copy",
        "comment": COMMENT,
        "seconds": 60,
        "send": send,
    }
    made = clone.make(connection, shop.name, copy_name(shop), **(options | changes))  # type: ignore[arg-type]
    assert sent[0].startswith(f'CREATE DATABASE "{copy_name(shop)}" TEMPLATE "{shop.name}" ')
    return made


def there(shop: Database, name: str) -> bool:
    with psycopg.connect(shop.server.dsn()) as admin:
        row = admin.execute("SELECT count(*) FROM pg_database WHERE datname = %s", [name])
        return row.fetchone() == (1,)


def estimated(shop: Database, connection: Connection, **changes: object) -> CloneFacts:
    options: dict[str, object] = {"settings": WANTED, "door": "rename"}
    return clone.estimate(connection, shop.oid, **(options | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("strategy", ["wal_log", "file_copy"])
def test_a_copy_has_everything_and_lets_nobody_in(
    shop: Database, maintenance: Connection, strategy: clone.Strategy
) -> None:
    made = make(maintenance, shop, strategy=strategy)
    assert made.database == copy_name(shop)
    assert made.bytes > 1_000_000
    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        psycopg.connect(shop.server.dsn(made.database))
    row = maintenance.execute(
        "SELECT oid::bigint, shobj_description(oid, 'pg_database') FROM pg_database"
        " WHERE datname = %s",
        [made.database],
    ).fetchone()
    assert row == (made.oid, COMMENT)
    maintenance.execute(
        sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(sql.Identifier(made.database))
    )
    with psycopg.connect(shop.server.dsn(made.database)) as copy:
        assert copy.execute("SELECT count(*) FROM t").fetchone() == (1000,)
        assert copy.execute("SELECT count(*) FROM fleeting").fetchone() == (77,)
        assert copy.execute("SELECT last_value FROM s").fetchone() == (42,)


def test_the_connection_keeps_its_own_limits(shop: Database, maintenance: Connection) -> None:
    maintenance.execute("SET statement_timeout = '9s'")
    before = maintenance.execute("SHOW ALL").fetchall()
    make(maintenance, shop)
    assert maintenance.execute("SHOW ALL").fetchall() == before


def test_who_is_inside_keeps_it_from_being_made(shop: Database, maintenance: Connection) -> None:
    shop.connect()
    with pytest.raises(CheckpointError, match="being accessed by other users"):
        make(maintenance, shop)
    assert not there(shop, copy_name(shop))


def test_what_takes_too_long_leaves_nothing(shop: Database, maintenance: Connection) -> None:
    shop.connect()  # The server waits five seconds for this session to leave.
    with pytest.raises(CheckpointError, match="not ready in 0 s"):
        make(maintenance, shop, seconds=0.2)
    assert not there(shop, copy_name(shop))
    assert maintenance.execute("SHOW statement_timeout").fetchone() == ("0",)


def test_an_abort_ends_it_and_leaves_nothing(shop: Database, maintenance: Connection) -> None:
    shop.connect()
    asked = threading.Event()
    threading.Timer(0.3, asked.set).start()
    # The server would wait five seconds for that session, and then say another thing.
    with pytest.raises(CheckpointError, match="aborted"):
        make(maintenance, shop, aborted=asked.is_set)
    assert not there(shop, copy_name(shop))


def test_what_fails_after_it_was_made_drops_it(shop: Database, maintenance: Connection) -> None:
    def send(where: Connection, text: str) -> None:
        if text.startswith("COMMENT"):
            raise OSError(28, "No space left on device")
        where.execute(text.encode())

    with pytest.raises(OSError, match="No space"):
        make(maintenance, shop, send=send)
    assert not there(shop, copy_name(shop))


def test_a_name_that_is_taken_is_not_dropped(shop: Database, maintenance: Connection) -> None:
    make(maintenance, shop)
    with pytest.raises(CheckpointError, match="already exists"):
        make(maintenance, shop)
    assert there(shop, copy_name(shop))


def test_a_name_that_the_server_would_cut(shop: Database, maintenance: Connection) -> None:
    with pytest.raises(CheckpointError, match="longer than 63 bytes"):
        clone.make(
            maintenance,
            shop.name,
            "x" * 64,
            strategy="file_copy",
            comment="",
            seconds=9,
            send=lambda *_: None,
        )


def test_what_it_would_cost(shop: Database, maintenance: Connection) -> None:
    facts = estimated(shop, maintenance)
    assert facts.obstacle == ""
    assert facts.strategy == "wal_log"
    assert facts.wanted == "wanted"
    assert facts.database_bytes > 1_000_000
    assert facts.estimated_seconds is not None
    assert 2 <= facts.estimated_seconds < 4
    # The owner may see where the server keeps its data (pg_monitor), and it is this machine.
    assert facts.free_bytes is not None
    assert facts.free_bytes > 0


def test_one_that_nobody_wants_is_not_estimated() -> None:
    facts = clone.not_wanted(CheckpointSettings())
    assert (facts.wanted, facts.estimated_seconds, facts.obstacle) == ("off", None, "")


def test_before_15_there_is_only_the_copy_and_a_large_one_is_copied_as_files() -> None:
    assert clone.strategy(14, 1) == "file_copy"
    assert clone.strategy(15, 1) == "wal_log"
    assert clone.strategy(18, clone.SMALL) == "file_copy"


def test_free_space_behind_an_address_is_not_known(shop: Database) -> None:
    """It may be a tunnel, and the same path another disk."""
    with connect(shop.server.tcp_dsn("postgres", shop.owner)) as connection:
        facts = estimated(shop, connection)
    assert facts.free_bytes is None
    assert facts.obstacle == ""


def test_free_space_that_the_role_may_not_see_is_not_known(
    shop: Database, maintenance: Connection
) -> None:
    with psycopg.connect(shop.server.dsn(), autocommit=True) as admin:
        admin.execute(sql.SQL("REVOKE pg_monitor FROM {}").format(sql.Identifier(shop.owner)))
    assert estimated(shop, maintenance).free_bytes is None


@pytest.mark.parametrize(
    ("change", "obstacle"),
    [
        ({"door": "none"}, "the door stays open"),
        ({"door": "limit"}, "could not come in again"),
        ({"door": "terminate"}, "sessions come back"),
        ({"settings": CheckpointSettings(clone="wanted", clone_seconds=1)}, "allowed are 1 s"),
    ],
)
def test_what_speaks_against_it(
    shop: Database, maintenance: Connection, change: dict[str, object], obstacle: str
) -> None:
    facts = estimated(shop, maintenance, **change)
    assert obstacle in facts.obstacle
    assert facts.remedy


def test_a_superuser_comes_in_behind_a_limit(shop: Database) -> None:
    with connect(shop.server.dsn()) as connection:
        assert estimated(shop, connection, door="limit").obstacle == ""


def test_not_enough_room(
    shop: Database, maintenance: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is outside of the machine that tests run on: a disk that is nearly full."""
    free = estimated(shop, maintenance).database_bytes
    monkeypatch.setattr(clone, "free_bytes", lambda _connection, _oid: free)
    assert "the copy needs" in estimated(shop, maintenance).obstacle


def test_not_the_owner_and_no_createdb(shop: Database) -> None:
    role = shop.owner + "_x"
    with psycopg.connect(shop.server.dsn(), autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN")
        try:
            with connect(shop.server.dsn("postgres", role)) as connection:
                assert "does not own" in estimated(shop, connection).obstacle
                admin.execute(f"GRANT {shop.owner} TO {role}")
                assert "no CREATEDB" in estimated(shop, connection).obstacle
        finally:
            admin.execute(f"DROP ROLE {role}")


def test_a_size_that_may_not_be_read_is_not_guessed(shop: Database) -> None:
    role = shop.owner + "_x"
    with psycopg.connect(shop.server.dsn(), autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN CREATEDB NOINHERIT")
        admin.execute(f'REVOKE CONNECT ON DATABASE "{shop.name}" FROM PUBLIC')
        try:
            with connect(shop.server.dsn("postgres", role)) as connection:
                facts = estimated(shop, connection)
        finally:
            admin.execute(f"DROP ROLE {role}")
    assert facts.estimated_seconds is None
    assert facts.database_bytes == 0
    assert facts.obstacle


def test_a_tablespace_of_its_own_is_copied_and_counted(database: Database) -> None:
    """Everything in other tablespaces is copied as well, each into its own."""
    space = "space_" + database.name
    database.server.directory.joinpath(space).mkdir(mode=0o777)
    database.server.directory.joinpath(space).chmod(0o777)
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        place = str(database.server.directory / space)
        # A directory that the server's own user owns: it makes one inside of the given one.
        admin.execute(f"COPY (SELECT 1) TO PROGRAM 'mkdir -m 700 {place}/own'")
        admin.execute(f"CREATE TABLESPACE {space} LOCATION '{place}/own'")
        admin.execute(f"GRANT CREATE ON TABLESPACE {space} TO {database.owner}")
    try:
        with psycopg.connect(database.dsn, autocommit=True) as inside:
            inside.execute(f"CREATE TABLE far TABLESPACE {space} AS SELECT 1 AS n")
        with connect(database.server.dsn("postgres", database.owner)) as connection:
            assert estimated(database, connection).free_bytes is not None
            make(connection, database)
            connection.execute(f'ALTER DATABASE "{copy_name(database)}" ALLOW_CONNECTIONS true')
            with psycopg.connect(database.server.dsn(copy_name(database))) as copy:
                assert copy.execute("SELECT n FROM far").fetchone() == (1,)
    finally:
        with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
            admin.execute(f'DROP DATABASE IF EXISTS "{copy_name(database)}" WITH (FORCE)')
            admin.execute(f'DROP DATABASE "{database.name}" WITH (FORCE)')
            admin.execute(f"DROP TABLESPACE {space}")
