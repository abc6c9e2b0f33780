"""The door by rename, measured with applications that write and come back all the time."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psycopg
import pytest
from psycopg import sql

from rollback_tui.config import Caches, Door, Hook, Settings
from rollback_tui.core import events as ev
from rollback_tui.core.errors import RunRefused
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.postgres import rename
from rollback_tui.postgres.connect import Connection, connect, with_database
from rollback_tui.run import journal
from rollback_tui.run.context import Run
from rollback_tui.run.doorway import _renaming as renaming
from rollback_tui.run.doorway import close_door, prepare_door, reopen
from rollback_tui.run.opening import open_door
from tests.conftest import Database, create_database, drop_database
from tests.demo.processes import soon
from tests.run.doors import again, applications, opened_run


@pytest.fixture(params=[18, 16])
def either(request: pytest.FixtureRequest) -> Database:
    """A fresh database, on each of the embedded servers."""
    found = request.getfixturevalue("database" if request.param == 18 else "database16")
    assert isinstance(found, Database)
    return found


@pytest.fixture
def run(database: Database, tmp_path: Path) -> Iterator[Run]:
    """A run as after preflight."""
    with opened_run(database.dsn, tmp_path) as made:
        yield made


def names(database: Database) -> dict[str, tuple[int, bool]]:
    """Number and ``datallowconn`` of the database and of all that is called after it."""
    with psycopg.connect(database.server.dsn()) as admin:
        rows = admin.execute(
            "SELECT datname, oid::bigint, datallowconn FROM pg_database"
            " WHERE starts_with(datname, %s)",
            [database.name],
        ).fetchall()
    return {name: (oid, accepts) for name, oid, accepts in rows}


def is_open(database: Database) -> bool:
    """The database is as it was, and nothing is left beside it."""
    return names(database) == {database.name: (database.oid, True)}


def catalog(database: Database) -> list[tuple[object, ...]]:
    """The rows of pg_database and pg_db_role_setting, as they are, without what changes by
    itself."""
    with psycopg.connect(database.server.dsn()) as admin:
        return admin.execute(
            "SELECT (to_jsonb(d) - 'datfrozenxid' - 'datminmxid')::text,"
            " shobj_description(oid, 'pg_database')"
            " FROM pg_database d WHERE oid = %(oid)s UNION ALL"
            " SELECT to_jsonb(s)::text, NULL FROM pg_db_role_setting s"
            " WHERE setdatabase = %(oid)s ORDER BY 1",
            {"oid": database.oid},
        ).fetchall()


def kinds(run: Run) -> list[str]:
    return [str(r.event.__struct_config__.tag) for r in journal.read(run.journal.path)]


def sent(run: Run) -> list[str]:
    records = journal.read(run.journal.path)
    return [r.event.sql for r in records if isinstance(r.event, ev.SqlSent)]


def test_six_applications_of_our_own_role_stay_out_and_come_back(
    either: Database, tmp_path: Path
) -> None:
    with opened_run(either.dsn, tmp_path) as run, applications(either.dsn) as apps:
        keeper = close_door(run)
        closed = time.monotonic()
        assert run.view.door == "rename"
        target = run.live_target()
        first = target.execute("SELECT count(*) FROM written").fetchone()
        apps.heard.clear()
        with pytest.raises(psycopg.errors.DuplicateDatabase):
            run.live_maintenance().execute(
                sql.SQL("CREATE DATABASE {}").format(sql.Identifier(either.name))
            )
        assert soon(lambda: len(apps.heard) > 60, 20)
        assert all("not currently accepting connections" in text for text in apps.heard)
        assert target.execute("SELECT count(*) FROM written").fetchone() == first
        before = time.monotonic()
        reopen(run, keeper)
        assert apps.working()
        assert apps.between(closed, before) == 0
        assert not run.view.alarms
        assert is_open(either)
    with psycopg.connect(either.dsn) as connection:
        there = set(connection.execute("SELECT application, number FROM written"))
    assert {(n, count) for _, n, count in apps.acknowledged} <= there


def test_all_that_belongs_to_the_database_itself_stays(either: Database, tmp_path: Path) -> None:
    name, owner = sql.Identifier(either.name), sql.Identifier(either.owner)
    with psycopg.connect(either.server.dsn(), autocommit=True) as admin:
        for text in (
            "ALTER DATABASE {name} CONNECTION LIMIT 17",
            "ALTER DATABASE {name} SET work_mem = '5MB'",
            'ALTER ROLE {owner} IN DATABASE {name} SET search_path = a, "b c"',
            "COMMENT ON DATABASE {name} IS 'the shop''s'",
            "REVOKE CONNECT ON DATABASE {name} FROM PUBLIC",
            "GRANT CONNECT ON DATABASE {name} TO {owner} WITH GRANT OPTION",
        ):
            admin.execute(sql.SQL(text).format(name=name, owner=owner))
    before = catalog(either)
    with opened_run(either.dsn, tmp_path) as run:
        keeper = close_door(run)
        assert run.view.door == "rename"
        assert catalog(either) != before
        reopen(run, keeper)
        assert not run.view.alarms
        assert catalog(either) == before


def test_what_somebody_changed_meanwhile_is_told(run: Run, database: Database) -> None:
    keeper = close_door(run)
    closed = run.view.door_closed
    assert closed is not None
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {closed.renamed_to} SET work_mem = '7MB'")
        admin.execute(f"COMMENT ON DATABASE {closed.renamed_to} IS 'new'")
    reopen(run, keeper)
    (alarm,) = run.view.alarms
    assert alarm.summary.endswith("comment, setting work_mem")
    assert is_open(database)


@pytest.mark.parametrize("name", ["a \"b\" 'c' d", "[/red]", "ü" * 31 + "x", "x" * 63, " {0} %s "])
def test_any_name_can_be_renamed_and_gets_back(
    database: Database, tmp_path: Path, name: str
) -> None:
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        admin.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                sql.Identifier(database.name), sql.Identifier(name)
            )
        )
    with opened_run(with_database(database.dsn, name), tmp_path) as run:
        keeper = close_door(run)
        assert run.view.door == "rename"
        assert run.live_target().info.dbname == run.view.door_closed.renamed_to  # type: ignore[union-attr]
        with pytest.raises(psycopg.OperationalError, match="not currently accepting"):
            psycopg.connect(with_database(database.dsn, name))
        reopen(run, keeper)
        assert not run.view.alarms
        psycopg.connect(with_database(database.dsn, name)).close()
    with psycopg.connect(database.server.dsn()) as admin:
        row = admin.execute("SELECT datname FROM pg_database WHERE oid = %s", [database.oid])
        assert row.fetchone() == (name,)
        left = admin.execute("SELECT datname FROM pg_database WHERE NOT datallowconn").fetchall()
    assert left == [("template0",)]


def test_a_superuser_hears_it_too_and_a_monitor_that_follows_is_ended(
    database: Database, tmp_path: Path
) -> None:
    """A superuser's run can end everybody, also who connects to each database there is."""
    with opened_run(database.superuser_dsn, tmp_path) as run:
        application = database.connect(superuser=True)
        keeper = close_door(run)
        with pytest.raises(psycopg.OperationalError):
            application.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError, match="not currently accepting"):
            database.connect(superuser=True)
        mine = run.live_target()
        behind = with_database(database.superuser_dsn, mine.info.dbname)
        with psycopg.connect(behind) as monitor:
            assert soon(lambda: _ended(monitor), 5)
        assert mine.execute("SELECT 1").fetchone() == (1,)
        assert keeper is not None
        keeper.stop()
        with psycopg.connect(behind) as monitor:
            reopen(run, None)
            assert _ended(monitor)
        assert not run.view.alarms
        assert is_open(database)


def _ended(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except psycopg.OperationalError:
        return True
    return False


def test_our_own_new_connection_is_never_ended_by_the_keeper(run: Run) -> None:
    keeper = close_door(run)
    for _ in range(60):
        assert run.live_target().execute("SELECT 1").fetchone() == (1,)
        run.close_target()
    reopen(run, keeper)


def test_a_session_that_nobody_may_end_stops_it_and_the_door_opens(
    run: Run, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rollback_tui.run.doorway._EMPTY_SECONDS", 0.5)
    boss = database.connect(superuser=True)
    with pytest.raises(RunRefused, match="could not be ended"):
        close_door(run)
    run.begin_cleaning_up()
    reopen(run, None)
    assert is_open(database)
    assert boss.execute("SELECT 1").fetchone() == (1,)


def test_a_prepared_transaction_is_named_before_anything_is_shut(
    run: Run, database: Database
) -> None:
    with psycopg.connect(database.dsn) as other:
        other.execute("CREATE TABLE t ()")
        other.execute("PREPARE TRANSACTION 'left by somebody'")
    with pytest.raises(RunRefused, match="left by somebody"):
        close_door(run)
    assert "door_closed" not in kinds(run)
    reopen(run, None)
    assert is_open(database)


def test_one_that_comes_at_the_last_moment_is_named_and_the_door_opens(
    run: Run, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = rename.prepared_transactions
    asked: list[int] = []

    def too_early(connection: Connection, oid: int) -> tuple[str, ...]:
        asked.append(oid)
        return seen(connection, oid) if len(asked) > 1 else ()

    monkeypatch.setattr(rename, "prepared_transactions", too_early)
    with psycopg.connect(database.dsn) as other:
        other.execute("CREATE TABLE t ()")
        other.execute("PREPARE TRANSACTION 'just now'")
    with pytest.raises(RunRefused, match="just now"):
        close_door(run)
    reopen(run, None)
    assert is_open(database)


# --- what an interrupted run leaves ---------------------------------------------------------------


def test_prepared_but_never_closed(run: Run, database: Database) -> None:
    prepare_door(run)
    assert len(names(database)) == 2
    with again(run) as settler:
        reopen(settler, None)
        assert is_open(database)
        assert settler.view.door is None


@pytest.mark.parametrize("mark", [True, False])
def test_only_our_own_placeholder_is_dropped(run: Run, database: Database, mark: bool) -> None:
    """One that was made by somebody else under the journaled name stays."""
    run.write(ev.DoorPrepared(placeholder=f"{database.name}_theirs"))
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {database.name}_theirs")
        if mark:
            admin.execute(f"ALTER DATABASE {database.name}_theirs ALLOW_CONNECTIONS false")
            admin.execute(f"COMMENT ON DATABASE {database.name}_theirs IS 'dear to me'")
    reopen(run, None)
    assert f"{database.name}_theirs" in names(database)


def closed_by_a_run_that_died(run: Run) -> ev.DoorClosed:
    keeper = close_door(run)
    assert keeper is not None
    keeper.stop()
    assert run.view.door_closed is not None
    return run.view.door_closed


def test_renamed_and_the_placeholder_has_the_name(run: Run, database: Database) -> None:
    closed_by_a_run_that_died(run)
    with again(run) as settler:
        reopen(settler, None)
        assert is_open(database)
        assert settler.view.door_closed is None
        assert not settler.view.alarms
        count = kinds(settler).count("sql_sent")
        assert open_door(settler) == "door open"
        assert kinds(settler).count("sql_sent") == count


def test_shut_but_not_renamed(run: Run, database: Database) -> None:
    prepare_door(run)
    closed = _would_close(run)
    run.write(closed)
    run.sql(run.live_maintenance(), rename.accept(run.live_maintenance(), database.name, yes=False))
    with again(run) as settler:
        reopen(settler, None)
        assert is_open(database)
        assert not settler.view.alarms


def test_journaled_but_not_shut(run: Run, database: Database) -> None:
    prepare_door(run)
    run.write(_would_close(run))
    application = database.connect()
    with again(run) as settler:
        reopen(settler, None)
        assert is_open(database)
        assert not settler.view.alarms
    assert application.execute("SELECT 1").fetchone() == (1,)


def _would_close(run: Run) -> ev.DoorClosed:
    here = rename.place(run.live_maintenance(), run.target_oid)
    assert here is not None
    return renaming(run, run.live_maintenance(), here)


def test_renamed_and_nobody_has_the_name(run: Run, database: Database) -> None:
    closed_by_a_run_that_died(run)
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {database.name}")
    with again(run) as settler:
        reopen(settler, None)
        assert is_open(database)
        assert not settler.view.alarms


def test_renamed_and_shut_once_more(run: Run, database: Database) -> None:
    """Somebody died between the two steps of opening."""
    closed = closed_by_a_run_that_died(run)
    maintenance = run.live_maintenance()
    run.sql(maintenance, rename.accept(maintenance, closed.renamed_to, yes=False))
    with again(run) as settler:
        reopen(settler, None)
        assert is_open(database)


def test_somebody_elses_database_has_the_name(run: Run, database: Database) -> None:
    """Nobody but the operator can say whose it is: the commands are told, and they work."""
    closed = closed_by_a_run_that_died(run)
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {database.name}")
        admin.execute(f"CREATE DATABASE {database.name} OWNER {database.owner}")
    with again(run) as settler:
        reopen(settler, None)
        (alarm,) = settler.view.alarms
        assert closed.renamed_to in alarm.summary
        assert settler.view.door_closed is not None
        assert names(database)[closed.renamed_to] == (database.oid, True)
        transaction = alarm.remedy[alarm.remedy.index("BEGIN;") :].replace("and always: ", "")
        settler.live_maintenance().execute(transaction.encode())
        with psycopg.connect(database.dsn) as connection:
            here = connection.execute(
                "SELECT oid FROM pg_database WHERE datname = current_database()"
            ).fetchone()
        assert here == (database.oid,)


def test_the_database_is_gone(run: Run, database: Database) -> None:
    closed = closed_by_a_run_that_died(run)
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {closed.renamed_to} WITH (FORCE)")
    with again(run) as settler:
        reopen(settler, None)
        (alarm,) = settler.view.alarms
        assert "is gone" in alarm.summary


def test_what_was_changed_is_also_told_by_whoever_settles(run: Run, database: Database) -> None:
    closed = closed_by_a_run_that_died(run)
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {closed.renamed_to} CONNECTION LIMIT 5")
    with again(run) as settler:
        reopen(settler, None)
        assert "connection limit" in settler.view.alarms[0].summary


def test_the_new_database_of_a_swap_is_the_one_that_opens(run: Run, database: Database) -> None:
    """The run died before it could journal that the swap had happened."""
    closed = closed_by_a_run_that_died(run)
    kept = f"{database.name}__failed_{run.request.run[:8]}"
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {database.name}_copy OWNER {database.owner}")
        (new_oid,) = admin.execute(
            "SELECT oid::bigint FROM pg_database WHERE datname = %s", [f"{database.name}_copy"]
        ).fetchone() or (0,)
        run.write(ev.SwapStarted(new=f"{database.name}_copy", new_oid=new_oid, kept=kept))
        admin.execute(f"ALTER DATABASE {closed.renamed_to} RENAME TO {kept}")
        admin.execute(f"ALTER DATABASE {database.name}_copy RENAME TO {closed.renamed_to}")
        admin.execute(f"ALTER DATABASE {closed.renamed_to} ALLOW_CONNECTIONS false")
    with again(run) as settler:
        reopen(settler, None)
        assert names(database) == {database.name: (new_oid, True), kept: (database.oid, True)}


def test_one_inside_whom_we_may_not_end_is_waited_for(run: Run, database: Database) -> None:
    """A superuser that looked up the new name, and no superuser at work."""
    keeper = close_door(run)
    behind = with_database(database.superuser_dsn, run.live_target().info.dbname)
    with psycopg.connect(behind) as monitor:
        leaving = threading.Timer(3, monitor.close)
        leaving.start()
        reopen(run, keeper)
        leaving.join()
    assert not run.view.alarms
    assert is_open(database)


def test_one_who_stays_for_ever_is_an_alarm_with_what_to_do(
    run: Run, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rollback_tui.run.opening._IN_USE_SECONDS", 1.0)
    keeper = close_door(run)
    behind = with_database(database.superuser_dsn, run.live_target().info.dbname)
    with psycopg.connect(behind):
        reopen(run, keeper)
    (alarm,) = run.view.alarms
    assert "being accessed by other users" in alarm.summary
    assert "end who is inside" in alarm.remedy
    assert run.view.door_closed is not None


def test_a_cache_is_cleared_by_sql_behind_the_door_of_a_run_that_died(
    database: Database, tmp_path: Path
) -> None:
    """Under the target's own name nobody comes in yet."""
    with psycopg.connect(database.dsn) as connection:
        connection.execute("CREATE TABLE cache AS SELECT 1 AS kept")
    settings = msgspec.structs.replace(
        Settings(), caches=Caches(clear=(Hook(sql="DELETE FROM cache"),))
    )
    with opened_run(database.dsn, tmp_path, settings) as run:
        closed_by_a_run_that_died(run)
        run.write(ev.Committed(xid="1"))
        with again(run) as settler:
            reopen(settler, None)
            assert not settler.view.alarms
    with psycopg.connect(database.dsn) as connection:
        assert connection.execute("SELECT * FROM cache").fetchall() == []


# --- the lower rungs ------------------------------------------------------------------------------


def with_door(**changes: object) -> Settings:
    return msgspec.structs.replace(Settings(), door=msgspec.structs.replace(Door(), **changes))


@pytest.mark.parametrize("rung", ["limit", "terminate"])
def test_a_lower_rung_by_choice_opens_again(database: Database, tmp_path: Path, rung: str) -> None:
    with opened_run(database.dsn, tmp_path, with_door(rung=rung)) as run:
        keeper = close_door(run)
        assert run.view.door == rung
        close = next(p for p in run.view.phases if p.phase == "close_door")
        assert f'[door] rung = "{rung}"' in close.summary
        assert keeper is not None
        keeper.stop()
        with again(run) as settler:
            reopen(settler, None)
            assert is_open(database)
    database.connect()


def test_a_limit_that_somebody_set_to_nothing_is_not_taken_for_the_one_to_put_back(
    database: Database, tmp_path: Path
) -> None:
    limit = sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}")
    with (
        opened_run(database.dsn, tmp_path, with_door(rung="limit")) as run,
        psycopg.connect(database.server.dsn(), autocommit=True) as admin,
    ):
        admin.execute(limit.format(sql.Identifier(database.name), sql.Literal(0)))
        with pytest.raises(RunRefused, match="is 0 already"):
            close_door(run)
        assert run.view.door is None
        admin.execute(limit.format(sql.Identifier(database.name), sql.Literal(-1)))
    database.connect()


def test_allow_listed_sessions_stay_inside_on_the_rung_below(
    database: Database, tmp_path: Path
) -> None:
    monitor = database.connect(application_name="monitor")
    shop = database.connect(application_name="shop")
    settings = with_door(allow_applications=("monitor",))
    with opened_run(database.dsn, tmp_path, settings) as run:
        keeper = close_door(run)
        assert run.view.door == "limit"
        assert monitor.execute("SELECT 1").fetchone() == (1,)
        assert _ended(shop)
        reopen(run, keeper)
    assert is_open(database)


def test_a_placeholder_that_cannot_be_made_means_the_next_rung_and_is_said(
    run: Run, database: Database
) -> None:
    taken = f"{database.name}__closed_{run.request.run[:8]}"
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {taken}")
    keeper = close_door(run)
    assert run.view.door == "limit"
    close = next(p for p in run.view.phases if p.phase == "close_door")
    assert "no placeholder can be made" in close.summary
    reopen(run, keeper)
    assert set(names(database)) == {database.name, taken}


def test_a_template_that_is_locked_means_the_next_rung(database: Database, tmp_path: Path) -> None:
    settings = msgspec.structs.replace(
        Settings(), run=msgspec.structs.replace(Settings().run, lock_timeout_seconds=0.3)
    )
    with (
        opened_run(database.dsn, tmp_path, settings) as run,
        psycopg.connect(database.server.dsn()) as other,
    ):
        other.execute("ALTER DATABASE template0 RENAME TO template0_busy")
        keeper = close_door(run)
        assert run.view.door == "limit"
        other.rollback()
        reopen(run, keeper)
    assert is_open(database)


def test_no_vestige_of_a_lower_rung_when_the_run_ends_with_the_server_away(
    database: Database, tmp_path: Path
) -> None:
    """Both connections are dead when the door is to be opened: they are made again."""
    with opened_run(database.dsn, tmp_path) as run:
        keeper = close_door(run)
        run.live_target()
        with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s",
                [database.owner],
            )
        reopen(run, keeper)
        assert not run.view.alarms
        assert is_open(database)


def test_what_is_sent_is_in_the_journal_before_it_is_sent(run: Run, database: Database) -> None:
    keeper = close_door(run)
    reopen(run, keeper)
    texts = sent(run)
    assert [t.split()[0] for t in texts] == [
        *("CREATE", "COMMENT", "ALTER", "BEGIN;", "COMMIT"),
        *("ALTER", "BEGIN;", "COMMIT", "DROP"),
    ]
    order = kinds(run)
    assert order.index("door_prepared") < order.index("sql_sent") < order.index("door_closed")


def test_a_server_that_crashed_is_waited_for(tmp_path: Path) -> None:
    """On a server of its own: the crash of the others' would hurt them."""
    server = EmbeddedServer(major=18)
    try:
        database = create_database(server)
        with opened_run(database.dsn, tmp_path) as run:
            keeper = close_door(run)
            assert keeper is not None
            run.live_target()
            _kill_a_backend(database)
            reopen(run, keeper)
            assert not run.view.alarms
            assert is_open(database)
        drop_database(database)
    finally:
        server.stop()


def _kill_a_backend(database: Database) -> None:
    """The postmaster then ends all the others, and recovers."""
    with psycopg.connect(database.server.dsn()) as victim:
        os.kill(victim.info.backend_pid, signal.SIGKILL)


def test_the_order_of_privileges_is_no_difference(database: Database) -> None:
    """A recovery grants them anew, on another database."""
    name, owner = sql.Identifier(database.name), sql.Identifier(database.owner)
    granted = (
        "GRANT CONNECT ON DATABASE {0} TO pg_monitor",
        "GRANT ALL ON DATABASE {0} TO {1}",
        "GRANT TEMP ON DATABASE {0} TO pg_monitor",
    )
    found = []
    with connect(database.superuser_dsn) as admin:
        for statements in (granted, granted[::-1], granted[:2]):
            admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC, pg_monitor").format(name))
            admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM {}").format(name, owner))
            for text in statements:
                admin.execute(sql.SQL(text).format(name, owner))
            found.append(rename.properties(admin, database.oid))
    first, second, fewer = found
    assert rename.changed(first, second) == ()
    assert rename.changed(first, fewer) == ("privileges",)
