from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from rollback_tui.checkpoint.properties import differences, read_properties, split_names
from rollback_tui.checkpoint.restore import compare, restore_beside
from rollback_tui.checkpoint.swap import SECONDS, swap
from rollback_tui.core.errors import CheckpointError
from rollback_tui.postgres.connect import connect
from tests.checkpoint.conftest import make_checkpoint
from tests.conftest import Database


@pytest.fixture
def restored(database: Database, project: Path) -> Path:
    """A database with a checkpoint, restored beside as ``…_new``, and then damaged itself."""
    with psycopg.connect(database.dsn, autocommit=True) as there:
        there.execute("CREATE TABLE t AS SELECT generate_series(1, 9) n")
    checkpoint = Path(make_checkpoint(database.dsn, project).path)
    restore_beside(checkpoint, database.dsn, own(database), database.name + "_new")
    with psycopg.connect(database.dsn, autocommit=True) as there:
        there.execute("DELETE FROM t WHERE n > 4")
    return checkpoint


def own(database: Database) -> str:
    """The other database, as the owner."""
    return database.server.dsn("postgres", database.owner)


def names(database: Database) -> set[str]:
    with psycopg.connect(database.server.dsn()) as admin:
        rows = admin.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [database.name]
        ).fetchall()
    return {name.removeprefix(database.name) for (name,) in rows}


def do_swap(database: Database, dsn: str | None = None, seconds: float = SECONDS) -> None:
    name = database.name
    swap(dsn or own(database), name, name + "_new", name + "_kept", seconds=seconds)


def test_swapped_and_the_failed_one_kept(database: Database, restored: Path) -> None:
    do_swap(database)
    assert names(database) == {"", "_kept"}
    assert compare(restored, database.dsn) == ()
    kept = database.server.dsn(database.name + "_kept", database.owner)
    assert [one.found for one in compare(restored, kept)] == [4]


def test_what_belongs_to_the_database_is_carried_over(database: Database, restored: Path) -> None:
    admin = database.connect(superuser=True)
    name = sql.Identifier(database.name)
    for statement in (
        "COMMENT ON DATABASE {} IS 'it''s the shop'",
        "ALTER DATABASE {} CONNECTION LIMIT 23",
        'ALTER DATABASE {} SET search_path = "$user", public, "we,ird""one"',
        "ALTER DATABASE {} SET work_mem = '7MB'",
        "ALTER DATABASE {} SET temp_tablespaces = ''",
        "ALTER DATABASE {} SET my.own = 'a, b'",
        "ALTER ROLE postgres IN DATABASE {} SET statement_timeout = '5s'",
        "REVOKE CONNECT ON DATABASE {} FROM PUBLIC",
        "GRANT CREATE ON DATABASE {} TO pg_monitor WITH GRANT OPTION",
    ):
        admin.execute(sql.SQL(statement).format(name))
    with connect(database.server.dsn()) as look:
        old = read_properties(look, database.name)
    assert len(old.settings) == 5 and old.grants

    do_swap(database, database.server.dsn())

    with connect(database.server.dsn()) as look:
        new = read_properties(look, database.name)
        assert differences(old, new) == ()
        row = look.execute(
            "SELECT o.datacl::text = n.datacl::text FROM pg_database o, pg_database n"
            " WHERE o.datname = %s AND n.datname = %s",
            [database.name + "_kept", database.name],
        ).fetchone()
    assert new.owner == database.owner
    assert row == (True,)
    with psycopg.connect(database.superuser_dsn) as there:
        shown = there.execute("SHOW search_path").fetchone()
    assert shown == ('"$user", public, "we,ird""one"',)


def test_sessions_are_ended_and_those_that_come_back_too(
    database: Database, restored: Path
) -> None:
    """An application that reconnects at once does not keep the swap from happening."""
    stop = threading.Event()

    def application() -> None:
        while not stop.is_set():
            try:
                with psycopg.connect(database.dsn, autocommit=True) as session:
                    while not stop.is_set():
                        session.execute("SELECT 1")
            except psycopg.Error:
                pass

    threads = [threading.Thread(target=application) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(0.2)
        do_swap(database)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert names(database) == {"", "_kept"}
    assert compare(restored, database.dsn) == ()


def test_a_session_we_may_not_end_is_named(database: Database, restored: Path) -> None:
    database.connect(superuser=True, application_name="the boss")
    with pytest.raises(CheckpointError, match=r"stays in use: .*the boss") as caught:
        do_swap(database, seconds=0)
    assert "Nothing was renamed" in caught.value.remedy
    assert names(database) == {"", "_new"}
    assert [one.found for one in compare(restored, database.dsn)] == [4]


def test_not_the_owner(database: Database, restored: Path) -> None:
    role = f"{database.owner}_other"
    admin = database.connect(superuser=True)
    admin.execute(f"CREATE ROLE {role} LOGIN CREATEDB")
    try:
        with pytest.raises(CheckpointError, match="is not its owner"):
            do_swap(database, database.server.dsn("postgres", role))
    finally:
        admin.execute(f"DROP ROLE {role}")
    assert names(database) == {"", "_new"}


def test_no_createdb(database: Database, restored: Path) -> None:
    database.connect(superuser=True).execute(f"ALTER ROLE {database.owner} NOCREATEDB")
    with pytest.raises(CheckpointError, match="has no CREATEDB"):
        do_swap(database)
    assert names(database) == {"", "_new"}


def test_a_name_that_is_taken(database: Database, restored: Path) -> None:
    with pytest.raises(CheckpointError, match="already exists"):
        swap(own(database), database.name, database.name + "_new", "postgres")
    assert names(database) == {"", "_new"}


def test_a_database_that_is_not_there(database: Database) -> None:
    with pytest.raises(CheckpointError, match="There is no database"):
        do_swap(database)


def test_not_from_inside(database: Database, restored: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be made from"):
        do_swap(database, database.dsn)


def test_a_name_too_long(database: Database, restored: Path) -> None:
    with pytest.raises(CheckpointError, match="longer than 63 bytes"):
        swap(own(database), database.name, database.name + "_new", "é" * 32)
    assert names(database) == {"", "_new"}


@pytest.fixture(params=["database", "database16"])
def cloned(request: pytest.FixtureRequest) -> Database:
    """A database behind the rename door, as ``…_now``, with a clone of it as ``…_new``."""
    found: Database = request.getfixturevalue(request.param)
    with psycopg.connect(found.dsn, autocommit=True) as there:
        there.execute("CREATE TABLE t AS SELECT generate_series(1, 9) n")
    with connect(own(found)) as maintenance:
        for statement in (
            "ALTER DATABASE {0} RENAME TO {1}",
            "CREATE DATABASE {0} ALLOW_CONNECTIONS false",
            "CREATE DATABASE {2} TEMPLATE {1} ALLOW_CONNECTIONS false",
            "COMMENT ON DATABASE {2} IS 'a clone'",
        ):
            maintenance.execute(
                sql.SQL(statement).format(
                    *(sql.Identifier(found.name + end) for end in ("", "_now", "_new"))
                )
            )
    with psycopg.connect(found.server.dsn(found.name + "_now", found.owner)) as there:
        there.execute("DELETE FROM t WHERE n > 4")
    return found


def swap_clone(database: Database) -> None:
    """Swap the clone in behind the door."""
    name = database.name
    swap(own(database), name + "_now", name + "_new", name + "_kept", kept_comment="it failed")


def identities(database: Database) -> dict[str, int]:
    """The oids of the databases, by what their names end with."""
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        rows = admin.execute(
            "SELECT datname, oid FROM pg_database WHERE starts_with(datname, %s)", [database.name]
        ).fetchall()
    return {name.removeprefix(database.name): oid for name, oid in rows}


def test_a_clone_takes_the_place_behind_the_door(cloned: Database) -> None:
    with psycopg.connect(cloned.server.dsn(), autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{cloned.name}_now" IS_TEMPLATE true')
        admin.execute(f"COMMENT ON DATABASE \"{cloned.name}_now\" IS 'the shop'")
        admin.execute(f'ALTER DATABASE "{cloned.name}_now" CONNECTION LIMIT 7')
    before = identities(cloned)
    swap_clone(cloned)
    # Renamed, which takes no longer for a large one, and not copied.
    assert identities(cloned) == {
        "": before[""],
        "_now": before["_new"],
        "_kept": before["_now"],
    }
    with psycopg.connect(cloned.server.dsn(cloned.name + "_now", cloned.owner)) as there:
        assert there.execute("SELECT count(*) FROM t").fetchone() == (9,)
    with psycopg.connect(cloned.server.dsn(cloned.name + "_kept", cloned.owner)) as kept:
        assert kept.execute("SELECT count(*) FROM t").fetchone() == (4,)
        rows = kept.execute(
            "SELECT datallowconn, datistemplate, datconnlimit,"
            " shobj_description(oid, 'pg_database')"
            " FROM pg_database WHERE datname = ANY(%s) ORDER BY datname",
            [[cloned.name + "_kept", cloned.name + "_now"]],
        ).fetchall()
    assert rows == [(True, True, 7, "it failed"), (True, True, 7, "the shop")]


def test_whoever_is_inside_is_ended(cloned: Database) -> None:
    inside = psycopg.connect(cloned.server.dsn(cloned.name + "_now", cloned.owner))
    swap_clone(cloned)
    with pytest.raises(psycopg.OperationalError, match="terminat"):
        inside.execute("SELECT 1")


@pytest.fixture
def standby_away(database: Database) -> Iterator[None]:
    """Every COMMIT of the server waits for a standby that is not there."""
    admin = psycopg.connect(database.server.dsn(), autocommit=True)
    admin.execute("SET synchronous_commit = local")

    def ask_for(names: str) -> None:
        admin.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
        admin.execute("SELECT pg_reload_conf()")

    def asked() -> object:
        with psycopg.connect(database.server.dsn(), autocommit=True) as fresh:
            row = fresh.execute("SHOW synchronous_standby_names").fetchone()
        return row[0] if row else None

    ask_for("nobody")
    while asked() != "nobody":
        time.sleep(0.05)
    yield
    ask_for("")
    while asked() != "":
        time.sleep(0.05)
    admin.close()


def test_a_standby_that_is_away_holds_nothing_up(
    database: Database, restored: Path, standby_away: None
) -> None:
    """Nobody has been promised anything of what is restored and not in place yet."""
    restore_beside(restored, database.dsn, own(database), database.name + "_again", seconds=30)
    swap(own(database), database.name, database.name + "_again", database.name + "_kept")
    assert compare(restored, database.dsn) == ()


def test_a_mark_that_cannot_be_written_renames_nothing(cloned: Database) -> None:
    with pytest.raises(CheckpointError, match="swap was refused"):
        swap(
            own(cloned),
            cloned.name + "_now",
            cloned.name + "_new",
            cloned.name + "_kept",
            kept_comment="a NUL \0 is no text",
        )
    assert names(cloned) == {"", "_now", "_new"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"$user", public', ("$user", "public")),
        ('"a""b","c,d", e', ('a"b', "c,d", "e")),
        ("", ()),
        ('""', ("",)),
        ("one", ("one",)),
    ],
)
def test_lists_of_names(text: str, expected: tuple[str, ...]) -> None:
    assert split_names(text) == expected
