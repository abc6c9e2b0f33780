"""The door, measured: which rung it will be and why, whom a limit keeps out, who is inside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from rollback_tui.config import Door
from rollback_tui.core.errors import ConnectionFailed
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.postgres import door
from rollback_tui.postgres.connect import Connection, connect
from rollback_tui.postgres.privileges import privileges
from rollback_tui.postgres.watchdog import backend_state
from tests.conftest import Database, create_database
from tests.demo.processes import soon


@pytest.fixture
def maintenance(database: Database) -> Iterator[Connection]:
    with connect(database.server.dsn("postgres", database.owner)) as connection:
        yield connection


@pytest.fixture
def guest(database: Database) -> Iterator[str]:
    """Another role that may connect, and is no superuser."""
    name = f"{database.owner}_guest"
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN")
        yield name
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s",
            [name],
        )
        admin.execute(f"DROP ROLE {name}")


def shut(maintenance: Connection, database: Database, limit: int = 0) -> None:
    maintenance.execute(door.limit_statement(maintenance, database.name, limit).encode())


def inside(
    maintenance: Connection, database: Database, **lists: tuple[str, ...]
) -> dict[int, bool]:
    found = door.strangers(maintenance, database.name, keep=(), **lists)
    return {pid: may for pid, _, may in found}


def test_a_limit_of_0_keeps_the_owner_and_others_out_but_no_superuser(
    database: Database, maintenance: Connection, guest: str
) -> None:
    shut(maintenance, database)
    for dsn in (database.dsn, database.server.dsn(database.name, guest)):
        with pytest.raises(ConnectionFailed, match="too many connections") as caught:
            connect(dsn)
        assert "door" in caught.value.remedy
    with connect(database.superuser_dsn) as mighty:
        assert mighty.execute("SELECT 1").fetchone() == (1,)
    with connect(database.server.dsn("postgres", database.owner)):
        pass


def test_who_is_inside_stays_until_ended(database: Database, maintenance: Connection) -> None:
    application = database.connect()
    shut(maintenance, database)
    assert application.execute("SELECT 1").fetchone() == (1,)
    door.end_sessions(maintenance, [application.info.backend_pid])
    with pytest.raises(psycopg.OperationalError):
        application.execute("SELECT 1")
    assert soon(lambda: not inside(maintenance, database), 5)
    with pytest.raises(psycopg.OperationalError, match="too many connections"):
        database.connect()


@pytest.mark.parametrize("limit", [-1, 7])
def test_the_limit_that_was_there_is_put_back(
    database: Database, maintenance: Connection, limit: int
) -> None:
    shut(maintenance, database, limit)
    before = door.connection_limit(maintenance, database.name)
    assert before == limit
    shut(maintenance, database)
    assert door.connection_limit(maintenance, database.name) == 0
    shut(maintenance, database, before)
    assert door.connection_limit(maintenance, database.name) == limit
    database.connect()


def test_a_name_that_needs_quotes_is_quoted(maintenance: Connection) -> None:
    statement = door.limit_statement(maintenance, 'a"b; DROP', 0)
    assert statement == 'ALTER DATABASE "a""b; DROP" CONNECTION LIMIT 0'


def test_strangers_are_all_but_the_kept_and_the_allowed(
    database: Database, maintenance: Connection, guest: str
) -> None:
    kept = database.connect()
    shop = database.connect(application_name="shop")
    monitor = database.connect(application_name="monitor")
    nameless = database.connect(application_name="")
    with psycopg.connect(database.server.dsn(database.name, guest)) as other:
        pids = {
            name: c.info.backend_pid
            for name, c in (
                ("kept", kept),
                ("shop", shop),
                ("monitor", monitor),
                ("nameless", nameless),
                ("other", other),
            )
        }
        found = door.strangers(
            maintenance,
            database.name,
            keep={pids["kept"]},
            applications=("monitor",),
            users=(guest,),
        )
        assert {pid for pid, _, _ in found} == {pids["shop"], pids["nameless"]}
        assert set(inside(maintenance, database)) == set(pids.values())
        names = {pid: name for pid, name, _ in found}
        assert names[pids["shop"]] == f"{pids['shop']} shop {database.owner}"
        assert names[pids["nameless"]] == f"{pids['nameless']} - {database.owner}"


def test_neighbours_and_server_processes_are_no_strangers(
    database: Database, maintenance: Connection
) -> None:
    with psycopg.connect(database.server.dsn()):
        assert inside(maintenance, database) == {}
    assert door.strangers(maintenance, "no such database", keep=()) == ()


def test_a_superusers_session_can_only_be_ended_by_a_superuser(
    database: Database, maintenance: Connection, guest: str
) -> None:
    """The flag is compared with what the server then really allows."""
    admin = database.connect(superuser=True)
    other = psycopg.connect(database.server.dsn(database.name, guest))
    own = database.connect()
    with other, connect(database.server.dsn()) as mighty:
        found = inside(maintenance, database)
        assert found == {
            admin.info.backend_pid: False,
            other.info.backend_pid: True,
            own.info.backend_pid: True,
        }
        assert all(inside(mighty, database).values())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            door.end_sessions(maintenance, [admin.info.backend_pid])
        door.end_sessions(maintenance, [pid for pid, may in found.items() if may])
        assert soon(lambda: set(inside(maintenance, database)) == {admin.info.backend_pid}, 5)
        door.end_sessions(mighty, [admin.info.backend_pid])
        assert soon(lambda: not inside(maintenance, database), 5)


def test_a_role_that_may_not_look_still_finds_who_is_inside(
    database: Database, maintenance: Connection, guest: str
) -> None:
    """The server hides the backend_type of other roles' sessions from it."""
    application = database.connect(application_name="shop")
    with connect(database.server.dsn("postgres", guest)) as plain:
        assert not privileges(plain).read_all_stats
        assert inside(plain, database) == {application.info.backend_pid: False}
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            door.end_sessions(plain, [application.info.backend_pid])
        assert backend_state(plain, application.info.backend_pid).doing is None


def test_a_session_that_is_gone_already_is_no_error(
    database: Database, maintenance: Connection
) -> None:
    gone = database.connect()
    pid = gone.info.backend_pid
    assert backend_state(maintenance, pid).doing == "idle"
    gone.close()
    assert soon(lambda: backend_state(maintenance, pid).doing == "gone", 5)
    door.end_sessions(maintenance, [pid])
    door.end_sessions(maintenance, [])


def test_an_application_name_is_inert(database: Database, maintenance: Connection) -> None:
    database.connect(application_name="a[31m b")
    with psycopg.connect(database.dsn) as other:
        other.execute("SET application_name = E'x\\u202e[/b]'")
        names = [name for _, name, _ in door.strangers(maintenance, database.name, keep=())]
    assert not [n for n in names if "\u202e" in n or "\x1b" in n]


def test_who_is_inside_is_found_by_number_whatever_it_is_called(
    database: Database, maintenance: Connection
) -> None:
    application = database.connect()
    ((pid, _, may),) = door.strangers(maintenance, database.oid, keep=())
    assert (pid, may) == (application.info.backend_pid, True)
    application.close()
    assert soon(lambda: not inside(maintenance, database), 5)
    renamed = f"{database.name}_moved"
    maintenance.execute(f"ALTER DATABASE {database.name} RENAME TO {renamed}".encode())
    with psycopg.connect(database.server.dsn(renamed, database.owner)):
        assert len(door.strangers(maintenance, database.oid, keep=())) == 1
        assert door.strangers(maintenance, database.name, keep=()) == ()


def test_who_asks_is_no_stranger(database: Database) -> None:
    with connect(database.dsn) as connection:
        assert door.strangers(connection, database.oid, keep=()) == ()


# --- which rung -----------------------------------------------------------------------------------


def asked(database: Database, dsn: str = "", **changes: Any) -> door.Asked:
    """As a run of an empty plan asks, connected through ``dsn`` (the owner's)."""
    used = dsn or database.dsn
    with connect(used) as connection:
        rights = privileges(connection)
    whole: dict[str, Any] = {
        "rights": rights,
        "settings": Door(),
        "dsn": used,
        "beside": f"{database.name}__rollback_01234567",
    }
    return door.Asked(**whole | changes)


def test_an_owner_that_may_create_databases_can_rename(
    database: Database, maintenance: Connection
) -> None:
    chosen = door.choose(maintenance, database.oid, asked(database))
    assert chosen == door.Choice(rung="rename")


def test_on_an_older_server_too(database16: Database) -> None:
    with connect(database16.server.dsn("postgres", database16.owner)) as maintenance:
        assert door.choose(maintenance, database16.oid, asked(database16)).rung == "rename"


def test_a_superuser_needs_neither(database: Database, maintenance: Connection) -> None:
    chosen = door.choose(maintenance, database.oid, asked(database, database.superuser_dsn))
    assert chosen.rung == "rename"


@pytest.mark.parametrize(
    ("changes", "rung", "why"),
    [
        ({"settings": Door(rung="limit")}, "limit", '[door] rung = "limit"'),
        ({"settings": Door(rung="terminate")}, "terminate", '[door] rung = "terminate"'),
        ({"settings": Door(allow_applications=("x",))}, "limit", "allow-listed"),
        ({"settings": Door(allow_users=("x",))}, "limit", "allow-listed"),
        ({"statements": ("ALTER DATABASE shop SET work_mem = '1MB'",)}, "limit", "own name"),
        ({"beside": "postgres"}, "limit", "there is a database postgres already"),
    ],
)
def test_what_speaks_against_it_is_said(
    database: Database, maintenance: Connection, changes: dict[str, Any], rung: str, why: str
) -> None:
    chosen = door.choose(maintenance, database.oid, asked(database, **changes))
    assert chosen.rung == rung
    assert any(why in text for text in chosen.why), chosen


def test_without_createdb_it_is_the_limit(database: Database, maintenance: Connection) -> None:
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        admin.execute(f"ALTER ROLE {database.owner} NOCREATEDB")
    chosen = door.choose(maintenance, database.oid, asked(database))
    assert chosen == door.Choice(rung="limit", why=("the role has no CREATEDB",))
    shut(maintenance, database, 5)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        maintenance.execute(f"ALTER DATABASE {database.name} RENAME TO other".encode())


def test_who_does_not_own_it_can_only_end_sessions(
    database: Database, maintenance: Connection, guest: str
) -> None:
    dsn = database.server.dsn(database.name, guest)
    with connect(database.server.dsn("postgres", guest)) as plain:
        chosen = door.choose(plain, database.oid, asked(database, dsn))
        assert chosen.rung == "terminate"
        assert "does not own the database" in chosen.why[-1]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            shut(plain, database, 5)


def test_the_maintenance_database_must_be_another_one(database: Database) -> None:
    with connect(database.dsn) as connection:
        chosen = door.choose(connection, database.oid, asked(database))
    assert chosen.why == ("the maintenance database is the target itself",)


def test_a_subscription_ties_it(database: Database, maintenance: Connection) -> None:
    mighty = database.connect(superuser=True)
    mighty.execute(
        "CREATE SUBSCRIPTION copies CONNECTION 'host=nowhere' PUBLICATION p"
        " WITH (connect = false, enabled = false, slot_name = NONE)"
    )
    try:
        chosen = door.choose(maintenance, database.oid, asked(database))
        assert chosen.why == ("the subscription copies writes to this database",)
    finally:
        mighty.execute("DROP SUBSCRIPTION copies")


def test_a_logical_slot_ties_it() -> None:
    server = EmbeddedServer(major=18, settings={"wal_level": "logical"})
    try:
        database = create_database(server)
        with connect(server.dsn(database.name)) as mighty:
            mighty.execute("SELECT pg_create_logical_replication_slot('changes', 'pgoutput')")
            with connect(server.dsn("postgres", database.owner)) as maintenance:
                chosen = door.choose(maintenance, database.oid, asked(database))
            mighty.execute("SELECT pg_drop_replication_slot('changes')")
        assert chosen.rung == "limit"
        assert "replication slot changes reads from" in chosen.why[0]
    finally:
        server.stop()


def test_a_server_that_knows_us_only_under_its_own_name() -> None:
    """pg_hba.conf may name databases: behind the door we would not come in."""
    server = EmbeddedServer(major=18)
    try:
        database = create_database(server)
        rules = f"local {database.name},postgres all trust\n"
        (server.data / "pg_hba.conf").write_text(rules)
        with connect(server.dsn("postgres", database.owner)) as maintenance:
            assert door.choose(maintenance, database.oid, asked(database)).rung == "rename"
            with connect(server.dsn()) as mighty:
                mighty.execute("SELECT pg_reload_conf()")
            assert soon(
                lambda: door.choose(maintenance, database.oid, asked(database)).rung == "limit", 10
            )
            (why,) = door.choose(maintenance, database.oid, asked(database)).why
        assert "pg_hba.conf" in why
    finally:
        server.stop()
