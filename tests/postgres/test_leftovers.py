"""What earlier runs left on the server, by mark and by name; nothing else is ever taken for it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from rollback_tui.core.facts import Leftover
from rollback_tui.postgres import naming, rename
from rollback_tui.postgres.connect import Connection, connect
from rollback_tui.postgres.leftovers import leftovers, size
from tests.conftest import Database


@pytest.fixture(params=["database", "database16"])
def shop(request: pytest.FixtureRequest) -> Database:
    """An empty database, on PostgreSQL 18 and on 16."""
    found: Database = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def owner(shop: Database) -> Iterator[Connection]:
    """The maintenance database, as the owner."""
    with connect(shop.server.dsn("postgres", shop.owner)) as connection:
        yield connection


def create(connection: Connection, name: str, comment: str = "") -> None:
    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    if comment:
        mark = sql.SQL("COMMENT ON DATABASE {} IS {}")
        connection.execute(mark.format(sql.Identifier(name), sql.Literal(comment)))


def found(connection: Connection, shop: Database, **options: str) -> dict[str, Leftover]:
    return {
        one.database.removeprefix(shop.name): one
        for one in leftovers(connection, shop.name, **options)
    }


def test_a_server_without_runs_has_none(shop: Database, owner: Connection) -> None:
    assert leftovers(owner, shop.name) == ()


def test_each_kind_is_known_by_its_name(shop: Database, owner: Connection) -> None:
    for kind in ("__rollback_", "__closed_", "__clone_", "__restored_", "__failed_"):
        create(owner, f"{shop.name}{kind}1a2b3c4d")
    kinds = {end: (one.kind, one.run, one.marked) for end, one in found(owner, shop).items()}
    assert kinds == {
        "__rollback_1a2b3c4d": ("closed", "1a2b3c4d", False),
        "__closed_1a2b3c4d": ("placeholder", "1a2b3c4d", False),
        "__clone_1a2b3c4d": ("clone", "1a2b3c4d", False),
        "__restored_1a2b3c4d": ("restored", "1a2b3c4d", False),
        "__failed_1a2b3c4d": ("failed", "1a2b3c4d", False),
    }
    assert all((one.bytes or 0) > 1_000_000 for one in leftovers(owner, shop.name))


def test_a_mark_is_enough_whatever_the_name(shop: Database, owner: Connection) -> None:
    create(owner, f"{shop.name}_other", naming.marked("failed", shop.name, "1a2b3c4d-0000"))
    (one,) = leftovers(owner, shop.name)
    assert (one.kind, one.run, one.marked) == ("failed", "1a2b3c4d", True)


def test_the_run_that_asks_has_left_nothing(shop: Database, owner: Connection) -> None:
    create(owner, f"{shop.name}__clone_1a2b3c4d")
    assert set(found(owner, shop, run8="1a2b3c4d")) == set()
    assert set(found(owner, shop, run8="00000000")) == {"__clone_1a2b3c4d"}


@pytest.mark.parametrize(
    ("end", "comment"),
    [
        ("__clone_1a2b3c4", ""),
        ("__clone_1a2b3c4dx", ""),
        ("__clone_1A2B3C4D", ""),
        ("_x__clone_1a2b3c4d", ""),
        ("__clones_1a2b3c4d", ""),
        ("_1", "rollback_tui clone of somebody else, run 1a2b3c4d: a copy"),
        ("_2", "the clone of run 1a2b3c4d"),
        ("_3", "rollback-tui placeholder of run 1a2b3c4d: empty"),
    ],
)
def test_what_is_not_ours(shop: Database, owner: Connection, end: str, comment: str) -> None:
    create(owner, shop.name + end, comment)
    assert leftovers(owner, shop.name) == ()


def test_the_placeholder_in_the_stead_of_the_target(shop: Database, owner: Connection) -> None:
    """As a crash leaves it behind the door: the target renamed, the placeholder under its name."""
    run = "1a2b3c4d-0000-4000-8000-000000000000"
    spare, renamed = f"{shop.name}__closed_1a2b3c4d", f"{shop.name}__rollback_1a2b3c4d"
    owner.execute(rename.create_placeholder(owner, spare).encode())
    owner.execute(rename.mark_placeholder(owner, spare, run).encode())
    owner.execute(rename.away(owner, shop.name, renamed, spare).encode())
    owner.execute("COMMIT")
    kinds = {end: (one.kind, one.run, one.marked) for end, one in found(owner, shop).items()}
    assert kinds == {
        "": ("placeholder", "1a2b3c4d", True),
        "__rollback_1a2b3c4d": ("closed", "1a2b3c4d", False),
    }


def test_a_name_that_had_to_be_cut_is_known_too(shop: Database, owner: Connection) -> None:
    long = (shop.name + "_größe" * 20).encode()[:63].decode(errors="ignore")
    name = naming.beside_name(long, "__failed_1a2b3c4d")
    assert len(name.encode()) <= 63
    create(owner, name)
    (one,) = leftovers(owner, long)
    assert (one.kind, one.run) == ("failed", "1a2b3c4d")
    assert leftovers(owner, shop.name) == ()


def test_a_half_dropped_one(shop: Database, owner: Connection) -> None:
    """A DROP DATABASE that dies after its point of no return leaves datconnlimit = -2: here by
    the one way that an interrupted one is the same every time, the superuser's pen."""
    name = f"{shop.name}__clone_1a2b3c4d"
    create(owner, name, naming.marked("clone", shop.name, "1a2b3c4d"))
    with psycopg.connect(shop.server.dsn(), autocommit=True) as admin:
        admin.execute("UPDATE pg_database SET datconnlimit = -2 WHERE datname = %s", [name])
    (one,) = leftovers(owner, shop.name)
    assert (one.kind, one.run, one.marked) == ("half made", "1a2b3c4d", True)
    owner.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


def test_a_copy_that_the_server_crashed_in_leaves_no_database(
    shop: Database, owner: Connection
) -> None:
    """Its row was never committed: there is nothing to list and nothing to drop."""
    name = f"{shop.name}__clone_1a2b3c4d"
    inside = psycopg.connect(shop.dsn)  # the server waits for it, five seconds
    making = psycopg.connect(
        shop.server.dsn("postgres", shop.owner), autocommit=True, application_name="making"
    )
    making.pgconn.send_query(f'CREATE DATABASE "{name}" TEMPLATE "{shop.name}"'.encode())
    time.sleep(0.3)
    os.kill(making.info.backend_pid, signal.SIGKILL)
    for connection in (making, inside):
        connection.close()
    assert _when_back(shop) == ()


def _when_back(shop: Database) -> tuple[Leftover, ...]:
    """Ask until the server has recovered; it may answer once more before it notices the crash."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with psycopg.connect(shop.server.dsn("postgres", shop.owner), autocommit=True) as there:
                time.sleep(0.2)
                return leftovers(there, shop.name)
        except psycopg.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_a_size_that_we_may_not_know_is_none(shop: Database) -> None:
    role = shop.owner + "_x"
    with psycopg.connect(shop.server.dsn(), autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN")
        admin.execute(f'REVOKE CONNECT ON DATABASE "{shop.name}" FROM PUBLIC')
        try:
            with connect(shop.server.dsn("postgres", role)) as connection:
                assert size(connection, shop.oid) is None
                assert connection.execute("SELECT 1").fetchone() == (1,)
        finally:
            admin.execute(f"DROP ROLE {role}")


def test_marks_and_names_are_read_back() -> None:
    for kind in ("clone", "restored", "failed"):
        mark = naming.read_mark(
            naming.marked(kind, "a, run b: c\n", "1a2b3c4d"), "x", "a, run b: c\n"
        )
        assert mark is not None
        assert (mark.kind, mark.run) == (kind, "1a2b3c4d")
    assert naming.read_mark(None, "x", "x") is None
