"""Who holds a lock that a statement of the plan will need: seen at once, and gone when it is."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from rollback_tui.core.lock_modes import CONFLICTS, MODES, conflict, strongest
from rollback_tui.core.model import Effect, Lock, Statement
from rollback_tui.core.outlook import InTheWay, locks_unknown
from rollback_tui.postgres.blockers import in_the_way
from rollback_tui.postgres.connect import Connection, connect
from tests.conftest import Database
from tests.demo.processes import soon

Other = psycopg.Connection[tuple[object, ...]]


def needing(*locks: tuple[str, str], index: int = 1, **effect: Any) -> Statement:
    """A statement that needs (relation, mode)."""
    taken = tuple(Lock(relation=relation, mode=mode) for relation, mode in locks)
    return Statement(
        index=index,
        start=0,
        end=1,
        line=1,
        sql="…",
        effect=Effect(kind="ALTER TABLE", locks=taken, resolved=True, **effect),
    )


DROP = (needing(("public.t", "AccessExclusive")),)


@pytest.fixture
def ours(database: Database) -> Iterator[Connection]:
    with connect(database.dsn) as connection:
        connection.execute("CREATE TABLE t (i int PRIMARY KEY, v int)")
        connection.execute("INSERT INTO t VALUES (1, 1), (2, 2)")
        yield connection


def waits(pid: int, ours: Connection) -> bool:
    found = ours.execute("SELECT FROM pg_locks WHERE pid = %s AND NOT granted", [pid])
    return found.rowcount > 0


@contextlib.contextmanager
def running(other: Other, statement: str, ours: Connection) -> Iterator[int]:
    """A statement in a thread of its own, cancelled at the end; yields its pid."""
    pid = other.info.backend_pid

    def run() -> None:
        with contextlib.suppress(psycopg.errors.QueryCanceled):
            other.execute(statement)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield pid
    finally:
        ours.execute("SELECT pg_cancel_backend(%s)", [pid])
        thread.join(10)


@contextlib.contextmanager
def waiting(other: Other, statement: str, ours: Connection) -> Iterator[int]:
    """A statement that waits for a lock; yields its pid."""
    with running(other, statement, ours) as pid:
        assert soon(lambda: waits(pid, ours), 5)
        yield pid


def of(found: tuple[InTheWay, ...], pid: int) -> InTheWay:
    return next(one for one in found if one.pid == pid)


def test_the_conflict_table_is_the_servers(database: Database, ours: Connection) -> None:
    """All 8 × 8 pairs: granted beside each other, or not; and so it is found, or not."""
    holder, asker = database.connect(autocommit=False), database.connect(autocommit=False)
    wanted = [needing(("public.t", mode), index=place) for place, mode in enumerate(MODES)]
    for held in MODES:
        holder.execute(f"LOCK TABLE t IN {words(held)} MODE")
        refused = {mode for mode in MODES if not granted(asker, mode)}
        assert refused == CONFLICTS[held], held
        assert refused == {mode for mode in MODES if conflict(mode, held)}
        found = in_the_way(ours, wanted)
        assert [one.statements for one in found] == [
            tuple(place for place, mode in enumerate(MODES) if mode in refused)
        ]
        assert (found[0].held, found[0].needed) == (held, "AccessExclusive")
        holder.rollback()
    assert in_the_way(ours, wanted) == ()


def words(mode: str) -> str:
    """``AccessExclusive`` → ``ACCESS EXCLUSIVE``."""
    return "".join(f" {letter}" if letter.isupper() else letter for letter in mode).upper().strip()


def granted(asker: Other, mode: str) -> bool:
    try:
        with asker.transaction(force_rollback=True):
            asker.execute(f"LOCK TABLE t IN {words(mode)} MODE NOWAIT")
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def test_the_strongest_is_the_servers_last() -> None:
    assert strongest(["Share", "AccessShare", "RowExclusive"]) == "Share"
    assert strongest([]) == ""
    assert strongest(["AccessExclusive", "a mode of tomorrow"]) == "a mode of tomorrow"
    assert conflict("AccessShare", "a mode of tomorrow")


def test_a_blocker_is_seen_with_all_that_is_known_and_gone_when_it_ends(
    database: Database, ours: Connection
) -> None:
    assert in_the_way(ours, DROP) == ()
    other = database.connect(autocommit=False, application_name="shop")
    other.execute("SELECT *\n  FROM t -- \x1b[2J")
    (one,) = in_the_way(ours, DROP)
    assert one.pid == other.info.backend_pid
    assert (one.application, one.user, one.state) == (
        "shop",
        database.owner,
        "idle in transaction",
    )
    assert (one.relation, one.needed, one.held, one.granted) == (
        "public.t",
        "AccessExclusive",
        "AccessShare",
        True,
    )
    assert one.query == "SELECT * FROM t -- ␛[2J"
    assert one.age is not None
    assert 0 <= one.age < 60
    assert one.behind == 0
    other.rollback()
    assert in_the_way(ours, DROP) == ()


def test_only_statements_whose_mode_conflicts_are_named(
    database: Database, ours: Connection
) -> None:
    ours.execute("CREATE TABLE u ()")
    other = database.connect(autocommit=False)
    other.execute("INSERT INTO t VALUES (3)")
    statements = [
        needing(("public.t", "ShareUpdateExclusive"), index=1),
        needing(("public.t", "ShareRowExclusive"), index=2),
        needing(("public.u", "AccessExclusive"), index=3),
        needing(("public.t", "AccessExclusive"), ("public.u", "AccessExclusive"), index=4),
        needing(("public.gone", "AccessExclusive"), index=5),
    ]
    (one,) = in_the_way(ours, statements)
    assert (one.statements, one.held) == ((2, 4), "RowExclusive")


def test_who_waits_is_in_the_way_too_and_stands_behind_the_first(
    database: Database, ours: Connection
) -> None:
    """A second one waits only for the first that waits: it is behind both."""
    holder = database.connect(autocommit=False)
    holder.execute("SELECT * FROM t")
    with (
        waiting(database.connect(), "ALTER TABLE t ADD x int", ours) as first,
        waiting(database.connect(), "SELECT * FROM t", ours) as second,
    ):
        found = in_the_way(ours, DROP)
    by, blocked, last = (of(found, pid) for pid in (holder.info.backend_pid, first, second))
    assert found == (by, blocked, last)
    assert (by.behind, by.granted) == (2, True)
    assert (blocked.behind, blocked.granted, blocked.held) == (1, False, "AccessExclusive")
    assert (last.behind, last.granted, last.held) == (0, False, "AccessShare")


def test_a_row_lock_makes_a_queue_as_well(database: Database, ours: Connection) -> None:
    holder = database.connect(autocommit=False)
    holder.execute("UPDATE t SET v = 9 WHERE i = 1")
    update = "UPDATE t SET v = 8 WHERE i = 1"
    with (
        waiting(database.connect(), update, ours),
        waiting(database.connect(), update, ours),
        waiting(database.connect(), update, ours),
    ):
        assert of(in_the_way(ours, DROP), holder.info.backend_pid).behind == 3


def test_prepared_transactions_are_in_the_way_without_a_session(
    database: Database, ours: Connection
) -> None:
    """Two of them: each has only its own queue behind it."""
    ours.execute("CREATE TABLE u (i int)")
    for name, table in (("one", "t"), ("two", "u")):
        with psycopg.connect(database.dsn, autocommit=True) as other:
            other.execute("BEGIN")
            other.execute(f"LOCK TABLE {table} IN SHARE MODE")
            other.execute(f"PREPARE TRANSACTION '{database.name}-{name}'")
    both = (needing(("public.t", "AccessExclusive"), ("public.u", "Exclusive")),)
    try:
        with waiting(database.connect(), "UPDATE t SET v = 0", ours):
            found = {one.application: one for one in in_the_way(ours, both) if not one.pid}
            first, second = found[f"{database.name}-one"], found[f"{database.name}-two"]
    finally:
        for name in ("one", "two"):
            ours.execute(f"ROLLBACK PREPARED '{database.name}-{name}'")
    assert (first.pid, first.user, first.state) == (0, database.owner, "prepared")
    assert (first.relation, first.held, first.behind) == ("public.t", "Share", 1)
    assert (second.relation, second.needed, second.behind) == ("public.u", "Exclusive", 0)
    assert first.age is not None


def test_we_are_not_in_our_own_way_nor_is_anybody_in_another_database(
    database: Database, ours: Connection
) -> None:
    """The same table, by name, elsewhere; a relation's number is of its database only."""
    ours.execute("BEGIN")
    ours.execute("LOCK TABLE t")
    with psycopg.connect(database.server.dsn(), autocommit=True) as elsewhere:
        elsewhere.execute("CREATE TABLE IF NOT EXISTS t (i int)")
        elsewhere.execute("BEGIN")
        elsewhere.execute("LOCK TABLE t")
        with connect(database.dsn) as second:
            assert in_the_way(second, DROP) == ()
    ours.execute("ROLLBACK")
    impostor = database.connect(superuser=True, autocommit=False, application_name="rollback_tui")
    impostor.execute("LOCK TABLE t")
    assert len(in_the_way(ours, DROP)) == 1


def test_an_index_is_named_only_where_its_table_is_not(
    database: Database, ours: Connection
) -> None:
    ours.execute("CREATE TABLE p (i int) PARTITION BY LIST (i)")
    ours.execute("CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)")
    reader = database.connect(autocommit=False)
    reader.execute("SELECT * FROM t")
    index, table = ("public.t_pkey", "AccessExclusive"), ("public.t", "AccessExclusive")
    assert [i.relation for i in in_the_way(ours, (needing(index, table),))] == ["public.t"]
    assert [i.relation for i in in_the_way(ours, (needing(index),))] == ["public.t_pkey"]
    two = in_the_way(ours, (needing(table), needing(index, index=2)))
    assert [(i.relation, i.statements) for i in two] == [
        ("public.t", (1,)),
        ("public.t_pkey", (2,)),
    ]
    reader.execute("SELECT * FROM p1")
    part = in_the_way(ours, (needing(("public.p", "Exclusive"), ("public.p1", "AccessExclusive")),))
    assert [i.relation for i in part] == ["public.p1"]


@pytest.mark.parametrize("written", ["t", "T", 'public."t"', "Public.T", '"Other Schema"."A.b"'])
def test_a_name_as_a_script_writes_it_is_looked_up(
    database: Database, ours: Connection, written: str
) -> None:
    ours.execute('CREATE SCHEMA "Other Schema"')
    ours.execute('CREATE TABLE "Other Schema"."A.b" ()')
    other = database.connect(autocommit=False)
    other.execute(f"LOCK TABLE {written}")
    (one,) = in_the_way(ours, (needing((written, "RowExclusive")),))
    assert one.relation == ('"Other Schema"."A.b"' if " " in written else "public.t")


@pytest.mark.parametrize("nonsense", ["", "a.b.c.d", "a b", '"', "t;", "public.", "'"])
def test_a_name_that_is_none_is_no_error(
    database: Database, ours: Connection, nonsense: str
) -> None:
    other = database.connect(autocommit=False)
    other.execute("LOCK TABLE t")
    assert in_the_way(ours, (needing((nonsense, "AccessExclusive")),)) == ()


def test_unknown_locks_stay_unknown() -> None:
    opaque = needing(index=2, basis="unknown")
    none = needing(index=3)
    assert locks_unknown((*DROP, opaque, none)) == (2,)


def test_who_may_not_see_a_session_still_sees_that_it_is_in_the_way(
    database: Database, ours: Connection
) -> None:
    admin = database.connect(superuser=True)
    name = f"{database.owner}_plain"
    admin.execute(f"CREATE ROLE {name} LOGIN")
    other = database.connect(autocommit=False, application_name="shop")
    other.execute("LOCK TABLE t")
    try:
        with connect(database.server.dsn(database.name, name)) as plain:
            (one,) = in_the_way(plain, DROP)
    finally:
        admin.execute(f"DROP ROLE {name}")
    assert (one.pid, one.user) == (other.info.backend_pid, database.owner)
    assert (one.application, one.state, one.age) == ("shop", "", None)
    assert "LOCK" not in one.query


def test_asked_each_second_it_leaves_nothing_in_the_session(ours: Connection) -> None:
    """It may be a pooler's, and somebody else's next."""
    for _ in range(8):
        in_the_way(ours, DROP)
    assert ours.execute("SELECT name FROM pg_prepared_statements").fetchall() == []
    assert ours.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_ten_thousand_statements_are_one_small_question(
    database: Database, ours: Connection
) -> None:
    other = database.connect(autocommit=False)
    other.execute("LOCK TABLE t IN ROW SHARE MODE")
    every = tuple(
        needing((f"public.t{i}", "AccessExclusive"), ("public.t", "AccessExclusive"), index=i)
        for i in range(1, 10_001)
    )
    sent: list[str] = []
    with connect(database.dsn, sent=sent.append) as connection:
        (one,) = in_the_way(connection, every)
        assert len(one.statements) == 10_000
        assert len(sent) == 1
        other.rollback()
        assert in_the_way(connection, every) == ()
        # As a new plan holds them: the same statements in another tuple.
        assert in_the_way(connection, every[:-1]) == ()


def test_a_parallel_query_is_one_session(database: Database, ours: Connection) -> None:
    """Its workers hold the same lock under pids of their own, and end with it."""
    ours.execute("INSERT INTO t SELECT i, 0 FROM generate_series(10, 20000) i")
    ours.execute("ALTER TABLE t SET (parallel_workers = 2)")
    other = database.connect(autocommit=False)
    other.execute("SET LOCAL parallel_setup_cost = 0")
    other.execute("SET LOCAL parallel_tuple_cost = 0")
    other.execute("SET LOCAL min_parallel_table_scan_size = 0")
    slow = "SELECT count(*) FROM t WHERE pg_sleep(i * 0.0 + 0.0001) IS NOT NULL"
    with running(other, slow, ours) as pid:
        assert soon(lambda: workers(ours, pid), 5)
        assert [one.pid for one in in_the_way(ours, DROP)] == [pid]
        assert workers(ours, pid)


def workers(ours: Connection, leader: int) -> bool:
    found = ours.execute(
        "SELECT FROM pg_stat_activity JOIN pg_locks USING (pid)"
        " WHERE leader_pid = %s AND relation = 't'::regclass",
        [leader],
    )
    return found.rowcount > 0


def test_it_works_on_an_older_server_too(database16: Database) -> None:
    with connect(database16.dsn) as connection:
        connection.execute("CREATE TABLE t ()")
        other = database16.connect(autocommit=False)
        other.execute("BEGIN")
        other.execute("LOCK TABLE t")
        assert in_the_way(connection, DROP)[0].pid == other.info.backend_pid
        other.execute(f"PREPARE TRANSACTION '{database16.name}'")
        try:
            assert in_the_way(connection, DROP)[0].application == database16.name
        finally:
            connection.execute(f"ROLLBACK PREPARED '{database16.name}'")
