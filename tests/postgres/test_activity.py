"""What goes on in the target: who writes, who waits for whom, and whom we may touch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest

from rollback_tui.core.activity.signals import Signal
from rollback_tui.core.model import Activity, Session
from rollback_tui.postgres.activity import activity, cancel, terminate
from rollback_tui.postgres.connect import Connection, connect
from rollback_tui.postgres.privileges import privileges
from tests.conftest import Database, create_database, drop_database
from tests.demo.processes import soon

GONE, SIGNALLED = Signal(outcome="gone"), Signal(outcome="signalled")


@pytest.fixture
def ours(database: Database) -> Iterator[Connection]:
    with connect(database.dsn) as connection:
        connection.execute("CREATE TABLE t (i int PRIMARY KEY)")
        connection.execute("INSERT INTO t VALUES (1), (2)")
        yield connection


@pytest.fixture
def stranger(database: Database) -> Iterator[str]:
    """The name of a role that may log in and read, and nothing else."""
    name = f"{database.owner}_plain"
    with psycopg.connect(database.server.dsn(database.name), autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN")
        yield name
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s",
            [name],
        )
        admin.execute(f"DROP OWNED BY {name}")
        admin.execute(f"DROP ROLE {name}")


def of(found: Activity, pid: int) -> Session:
    return next(session for session in found.sessions if session.pid == pid)


@pytest.mark.parametrize(
    ("statement", "writing"),
    [
        ("SELECT * FROM t", False),
        ("SELECT pg_sleep(0)", False),
        ("INSERT INTO t VALUES (3)", True),
        ("UPDATE t SET i = 5 WHERE i = 2", True),
        ("UPDATE t SET i = 5 WHERE false", True),
        ("SELECT * FROM t FOR UPDATE", True),
        ("CREATE TABLE u (i int)", True),
        ("LOCK TABLE t IN ACCESS SHARE MODE", False),
        ("LOCK TABLE t IN ROW EXCLUSIVE MODE", True),
    ],
)
def test_a_session_writes_when_it_has_a_transaction_id_or_a_write_lock(
    database: Database, ours: Connection, statement: str, writing: bool
) -> None:
    other = database.connect(autocommit=False, application_name="shop")
    other.execute(statement)
    session = of(activity(ours), other.info.backend_pid)
    assert (session.state, session.writing) == ("idle in transaction", writing)
    assert (session.application, session.user) == ("shop", database.owner)
    assert session.query == statement
    assert session.transaction_age is not None
    assert not session.ours
    other.rollback()
    session = of(activity(ours), other.info.backend_pid)
    assert (session.state, session.writing, session.transaction_age) == ("idle", False, None)


def test_who_waits_names_who_is_in_the_way(database: Database, ours: Connection) -> None:
    holder = database.connect(autocommit=False)
    holder.execute("LOCK TABLE t")
    waiting = database.connect()
    thread = threading.Thread(target=lambda: waiting.execute("SELECT * FROM t"))
    thread.start()
    pid, by = waiting.info.backend_pid, holder.info.backend_pid
    try:
        assert soon(lambda: of(activity(ours), pid).blocked_by == (by,), 5)
        session = of(activity(ours), pid)
        assert session.wait == "Lock:relation"
        assert session.state == "active"
        assert of(activity(ours), by).blocked_by == ()
    finally:
        holder.rollback()
        thread.join(10)


def test_our_own_sessions_are_ours_and_an_impostor_is_not(
    database: Database, ours: Connection, stranger: str
) -> None:
    """Somebody else with our application_name must not become invisible to the checks."""
    keeper = connect(database.dsn, application="rollback_tui keeper")
    impostor = psycopg.connect(
        database.server.dsn(database.name, stranger), application_name="rollback_tui"
    )
    look_alike = database.connect(application_name="rollbackXtui")
    with keeper, impostor:
        found = activity(ours)
        assert of(found, ours.info.backend_pid).ours
        assert of(found, keeper.info.backend_pid).ours
        assert not of(found, impostor.info.backend_pid).ours
        assert not of(found, look_alike.info.backend_pid).ours


def test_superusers_are_told_from_others(database: Database, ours: Connection) -> None:
    admin = database.connect(superuser=True)
    found = activity(ours)
    assert of(found, admin.info.backend_pid).superuser
    assert not of(found, ours.info.backend_pid).superuser


def test_a_role_that_sees_nothing_still_sees_that_somebody_is_there(
    database: Database, ours: Connection, stranger: str
) -> None:
    """Without pg_read_all_stats the server hides even the backend_type of others."""
    ours.execute("BEGIN")
    ours.execute("INSERT INTO t VALUES (7)")
    admin = database.connect(superuser=True)
    with connect(database.server.dsn(database.name, stranger)) as plain:
        assert not privileges(plain).read_all_stats
        found = activity(plain)
    session = of(found, ours.info.backend_pid)
    assert (session.state, session.backend_type) == ("", "client backend")
    assert session.writing
    assert session.query_age is None
    assert "INSERT" not in session.query
    assert of(found, admin.info.backend_pid).superuser
    ours.execute("ROLLBACK")


def test_prepared_transactions_of_this_database_are_seen(
    database: Database, ours: Connection
) -> None:
    gid = f"{database.name}-1"
    other = database.connect()
    other.execute("BEGIN")
    other.execute("INSERT INTO t VALUES (9)")
    other.execute(f"PREPARE TRANSACTION '{gid}'")
    beside = create_database(database.server)
    try:
        prepared = activity(ours).prepared
        with connect(beside.dsn) as elsewhere:
            assert activity(elsewhere).prepared == ()
    finally:
        drop_database(beside)
        other.execute(f"ROLLBACK PREPARED '{gid}'")
    assert [(p.gid, p.owner) for p in prepared] == [(gid, database.owner)]
    assert 0 <= prepared[0].age < 60


def test_sessions_of_another_database_are_not_shown(database: Database, ours: Connection) -> None:
    with psycopg.connect(database.server.dsn(), application_name="elsewhere"):
        found = activity(ours)
    assert "elsewhere" not in [s.application for s in found.sessions]
    assert found.connections > len([s for s in found.sessions if s.user])
    assert found.max_connections == 100
    assert found.replication.standbys == 0


def test_it_costs_one_round_trip(database: Database) -> None:
    sent: list[str] = []
    with connect(database.dsn, sent=sent.append) as connection:
        first = activity(connection)
        assert len(sent) == 2
        sent.clear()
        again = activity(connection, database_bytes=first.database_bytes)
        assert len(sent) == 1
    assert again.database_bytes == first.database_bytes > 1_000_000


def test_it_works_on_an_older_server_too(database16: Database) -> None:
    with connect(database16.dsn) as connection:
        found = activity(connection)
        assert of(found, connection.info.backend_pid).ours


def test_a_query_is_cancelled_and_a_session_ended(database: Database, ours: Connection) -> None:
    victim = database.connect()
    said: list[str] = []

    def sleep() -> None:
        try:
            victim.execute("SELECT pg_sleep(30)")
        except psycopg.Error as error:
            said.append(type(error).__name__)

    pid = victim.info.backend_pid
    thread = threading.Thread(target=sleep)
    thread.start()
    assert soon(lambda: of(activity(ours), pid).state == "active", 5)
    start = of(activity(ours), pid).backend_start
    assert start is not None
    # The pid may be somebody else's by now: then its session began later.
    for another in (start + timedelta(microseconds=1), start - timedelta(hours=1), None):
        assert cancel(ours, pid, another) == GONE
        assert terminate(ours, pid, another) == GONE
    assert said == [] and thread.is_alive()
    assert cancel(ours, pid, start) == SIGNALLED
    thread.join(10)
    assert said == ["QueryCanceled"]
    assert terminate(ours, pid, start) == SIGNALLED
    assert soon(lambda: pid not in [s.pid for s in activity(ours).sessions], 5)
    assert terminate(ours, pid, start) == GONE
    assert cancel(ours, pid, start) == GONE


@pytest.mark.parametrize("act", [cancel, terminate])
def test_we_never_hit_ourselves_a_server_process_or_another_database(
    database: Database, ours: Connection, act: object
) -> None:
    assert callable(act)
    beside = create_database(database.server)
    try:
        other = beside.connect()
        admin = database.connect(superuser=True)
        processes = admin.execute(
            "SELECT pid, backend_start FROM pg_stat_activity"
            " WHERE backend_type NOT IN ('client backend', 'autovacuum worker')"
        ).fetchall()
        assert processes
        with connect(database.superuser_dsn) as mighty:
            pids = [mighty.info.backend_pid, other.info.backend_pid]
            processes += admin.execute(
                "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = ANY (%s)", [pids]
            ).fetchall()
            assert {pid for pid, _ in processes} > set(pids)
            for pid, start in [*processes, (1, None), (999_999_999, None)]:
                assert act(mighty, pid, start) == GONE
            assert mighty.execute("SELECT 1").fetchone() == (1,)
        assert other.execute("SELECT 1").fetchone() == (1,)
    finally:
        drop_database(beside)


def test_a_session_we_may_not_end_is_refused_by_the_server(
    database: Database, ours: Connection, stranger: str
) -> None:
    admin = database.connect(superuser=True)
    pid = admin.info.backend_pid
    refused = terminate(ours, pid, of(activity(ours), pid).backend_start)
    assert refused.outcome == "not allowed"
    assert "superuser" in refused.why.lower()
    with connect(database.server.dsn(database.name, stranger)) as plain:
        # It may not even see when the session began.
        seen = of(activity(plain), ours.info.backend_pid)
        assert seen.backend_start is None
        assert terminate(plain, seen.pid, None).outcome == "not allowed"
    assert ours.execute("SELECT 1").fetchone() == (1,)
    assert admin.execute("SELECT 1").fetchone() == (1,)


def test_privileges_are_those_of_the_role(
    database: Database, ours: Connection, stranger: str
) -> None:
    owner = privileges(ours)
    assert (owner.superuser, owner.database_owner, owner.createdb) == (False, True, True)
    assert (owner.signal_backend, owner.read_all_stats) == (True, True)
    with connect(database.superuser_dsn) as connection:
        mighty = privileges(connection)
    assert all((mighty.superuser, mighty.database_owner, mighty.createdb, mighty.signal_backend))
    with connect(database.server.dsn(database.name, stranger)) as connection:
        plain = privileges(connection, not_owned=("public.t",))
    assert not any((plain.superuser, plain.database_owner, plain.createdb, plain.signal_backend))
    assert plain.not_owned == ("public.t",)


def test_a_member_of_the_owning_role_counts_as_owner(
    database: Database, ours: Connection, stranger: str
) -> None:
    """Membership without INHERIT does not: ALTER DATABASE would be refused."""
    admin = database.connect(superuser=True)
    for inherit, expected in (("TRUE", True), ("FALSE", False)):
        admin.execute(f"GRANT {database.owner} TO {stranger} WITH INHERIT {inherit}")
        with connect(database.server.dsn(database.name, stranger)) as connection:
            assert privileges(connection).database_owner is expected
            statement = f"ALTER DATABASE {database.name} CONNECTION LIMIT -1"
            if expected:
                connection.execute(statement)
            else:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement)
