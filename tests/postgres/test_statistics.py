"""ANALYZE of some tables: whose, in whose way, and for how long."""

from __future__ import annotations

import time
from typing import Any

import psycopg
import pytest

from rollback_tui.core.model import Lock, Plan, Statement
from rollback_tui.core.statistics import stale
from rollback_tui.core.writes import TableWrite, Writes, WriteState
from rollback_tui.postgres.connect import Connection, connect
from rollback_tui.postgres.statistics import Done, Step, analyze, steps
from tests.conftest import Database
from tests.core.example import migration, plan, script, statement

SCHEMA = """
CREATE TABLE plain AS SELECT i FROM generate_series(1, 1000) i;
CREATE TABLE parted (i int, at int) PARTITION BY LIST (at);
CREATE TABLE part_1 PARTITION OF parted FOR VALUES IN (1) PARTITION BY LIST (i);
CREATE TABLE part_1a PARTITION OF part_1 DEFAULT;
CREATE TABLE part_2 PARTITION OF parted FOR VALUES IN (2);
INSERT INTO parted SELECT i, 1 + i % 2 FROM generate_series(1, 100) i;
CREATE VIEW seen AS SELECT 1;
"""

LIMITS = """
SELECT l.setting::int BETWEEN 1 AND d.setting::int - 1 FROM pg_settings l, pg_settings d
 WHERE l.name = 'lock_timeout' AND d.name = 'deadlock_timeout'
"""


def sent(found: tuple[Step, ...]) -> list[str]:
    return [step.sql.replace('"', "") for step in found if not step.why_not]


def fresh(database: Database) -> set[object]:
    """The tables that have been analysed, by the catalog itself."""
    rows = database.connect(superuser=True).execute(
        "SELECT DISTINCT starelid::regclass::text FROM pg_statistic WHERE starelid >= 16384"
    )
    return {name for (name,) in rows}


def run(connection: Connection, names: list[str], seconds: float = 60) -> Done:
    def send(text: str, _: float) -> None:
        connection.execute(text.encode())

    return analyze(connection, steps(connection, names), seconds, send, lambda *_: None)


def test_a_partition_takes_its_parents_along(database: Database) -> None:
    database.connect().execute(SCHEMA)
    with connect(database.dsn) as connection:
        found = steps(connection, ["public.part_1a", "plain", "seen", "not_there"])
        assert sent(found) == [
            "ANALYZE ONLY public.part_1",
            "ANALYZE public.part_1a",
            "ANALYZE ONLY public.parted",
            "ANALYZE public.plain",
        ]
        done = run(connection, ["public.part_1a"])
    assert done.left == ()
    assert fresh(database) == {"parted", "part_1", "part_1a"}


def test_before_18_the_topmost_parent_does_all_of_it(database16: Database) -> None:
    database16.connect().execute(SCHEMA)
    with connect(database16.dsn) as connection:
        names = ["public.part_1a", "public.plain"]
        assert sent(steps(connection, names)) == [
            "ANALYZE public.parted",
            "ANALYZE public.plain",
        ]
        assert run(connection, names).left == ()
    assert {"parted", "part_1a", "part_2", "plain"} <= fresh(database16)


def test_before_18_a_parent_of_many_partitions_is_left_and_named(database16: Database) -> None:
    database16.connect().execute(
        "CREATE TABLE many (i int) PARTITION BY LIST (i);"
        + "".join(
            f"CREATE TABLE many_{n} PARTITION OF many FOR VALUES IN ({n});" for n in range(51)
        )
    )
    with connect(database16.dsn) as connection:
        found = steps(connection, ["many_7"])
        assert sent(found) == ["ANALYZE public.many_7"]
        done = run(connection, ["many_7"])
    assert done.left == ("public.many: would read all of its 51 partitions",)


def test_who_has_a_table_is_not_waited_for_and_autovacuum_is_not_cancelled(
    database: Database,
) -> None:
    database.connect().execute(SCHEMA)
    other = database.connect(autocommit=False)
    other.execute("LOCK TABLE plain IN SHARE UPDATE EXCLUSIVE MODE")
    with connect(database.dsn) as connection:
        limits: list[object] = []

        def send(text: str, _: float) -> None:
            limits.extend(connection.execute(LIMITS).fetchone() or ())
            connection.execute(text.encode())

        todo = steps(connection, ["plain", "part_2"])
        done = analyze(connection, todo, 60, send, lambda *_: None)
    assert limits and all(limits), "given up before the server would cancel autovacuum"
    assert done.left == ("public.plain: another session has it locked, autovacuum perhaps",)
    assert "public.part_2" in done.analysed


def test_what_the_time_does_not_reach_is_named(database: Database) -> None:
    database.connect().execute(SCHEMA)

    def slowly(text: str, _: float) -> None:
        time.sleep(0.3)

    with connect(database.dsn) as connection:
        found = steps(connection, ["plain", "part_2"])
        done = analyze(connection, found, 0.2, slowly, lambda *_: None)
    assert len(done.analysed) == 1
    assert all(line.endswith(": not reached in the time allowed") for line in done.left)
    assert len(done.left) == len(found) - 1


def test_a_role_that_may_not_is_told(database: Database) -> None:
    with connect(database.dsn) as connection:
        done = run(connection, ["pg_catalog.pg_authid"])
    assert done.analysed == ()
    assert "permission denied" in done.left[0]


def test_a_lost_connection_is_not_hidden(database: Database) -> None:
    database.connect().execute(SCHEMA)
    with connect(database.dsn) as connection:
        found = steps(connection, ["plain"])

        def cut(text: str, _: float) -> None:
            connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

        with pytest.raises(psycopg.OperationalError):
            analyze(connection, found, 5, cut, lambda *_: None)


# --- which ----------------------------------------------------------------------------------------


def write(name: str, state: WriteState = "written", **more: bool) -> TableWrite:
    return TableWrite(oid=1, table=name, before=name, state=state, updated=1, **more)


def locked(index: int, kind: str, *locks: tuple[str, str], **effect: Any) -> Statement:
    held = tuple(Lock(relation=relation, mode=mode) for relation, mode in locks)
    return statement(index, kind, kind, locks=held, **effect)


DROP_COLUMN = locked(
    1, "ALTER TABLE … DROP COLUMN", ("public.users", "AccessExclusive"), ("public.b", "AccessShare")
)
DELETE = locked(2, "DELETE", ("public.orders", "RowExclusive"), ("public.b", "RowShare"))
DO = locked(3, "DO", basis="unknown")
RETYPE = locked(4, "ALTER TABLE … TYPE", retyped=(("public.t", "c"),))
INDEX = locked(5, "CREATE INDEX", ("public.i", "Share"))
NOTHING = locked(6, "DELETE", ("public.no", "RowExclusive"), no_op=True)
VERSION = locked(7, "DELETE", ("public.schema_migrations", "RowExclusive"))


def planned(*statements: Statement) -> Plan:
    return plan(migration(script=script(statements=statements)))


def test_only_what_the_server_counted_as_written_is_stale() -> None:
    writes = Writes(
        tables=(
            write("public.orders"),
            write("public.schema_migrations"),
            write("public.new", "came"),
            write("public.old", "went"),
            write("public.elsewhere", "unknown", away=True),
        ),
        untouched=9_000,
    )
    names, unsure = stale(planned(DROP_COLUMN, DELETE, DO, VERSION), writes)
    assert names == ("public.new", "public.orders")
    assert unsure == ()


def test_what_the_planner_knows_nothing_of_any_more_is_stale_though_no_row_was_written() -> None:
    names, _ = stale(planned(RETYPE, INDEX), Writes(tables=(), untouched=9))
    assert names == ("public.i", "public.t")


@pytest.mark.parametrize(
    "writes", [None, Writes(tables=(write("public.x"),), untouched=0, unknown="off")]
)
def test_without_counters_the_forecast_decides_and_an_unknown_effect_takes_no_table_along(
    writes: Writes | None,
) -> None:
    names, unsure = stale(planned(DROP_COLUMN, DELETE, DO, NOTHING, VERSION), writes)
    assert names == ("public.orders", "public.users")
    assert unsure == ("statement 3: nobody knows what it wrote",)
