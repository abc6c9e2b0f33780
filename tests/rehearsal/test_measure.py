"""What the gauge sees of statements, and that it neither disturbs them nor leaves anything."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from rollback_tui.core.model import Doomed, Effect, Statement
from rollback_tui.postgres.connect import Connection
from rollback_tui.rehearsal.measure import Gauge, run_alone
from tests.conftest import Database

SCHEMA = """
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, a text, p int REFERENCES parent);
CREATE INDEX t_a ON t (a);
CREATE VIEW v AS SELECT a FROM t;
CREATE TABLE parts (k int) PARTITION BY LIST (k);
CREATE TABLE part1 PARTITION OF parts FOR VALUES IN (1);
INSERT INTO parent VALUES (1);
INSERT INTO t SELECT n, n::text, 1 FROM generate_series(1, 30) n;
INSERT INTO parts SELECT 1 FROM generate_series(1, 4);
"""


def _statement(sql: str, *doomed: str, cascade: bool = False, drops: str = "") -> Statement:
    effect = Effect(
        kind=sql.split()[0],
        doomed=tuple(Doomed(kind="table", relation=name) for name in doomed),
        drops=tuple(("table", name) for name in doomed) if drops == "" else (("x", drops),),
        cascade=cascade,
    )
    return Statement(index=7, start=0, end=len(sql), line=1, sql=sql, effect=effect)


@pytest.fixture
def root(database: Database) -> Iterator[Connection]:
    """A superuser's connection to a database with the schema, in a transaction."""
    connection = database.connect(superuser=True)
    connection.execute(SCHEMA)
    connection.execute("BEGIN")
    yield connection
    if not connection.closed:
        connection.execute("ROLLBACK")


def _locks(measured: object) -> dict[str, str]:
    return {lock.relation: lock.mode for lock in getattr(measured, "locks", None) or ()}


def test_one_statement_after_the_other(root: Connection) -> None:
    gauge = Gauge(root, superuser=True)
    first = gauge.run(_statement("UPDATE t SET a = 'x' WHERE id <= 10"))
    assert _locks(first) == dict.fromkeys(
        ("public.t", "public.t_a", "public.t_pkey"), "RowExclusive"
    )
    assert first.changed is not None and first.changed[0].updated == 10
    assert (first.index, first.rows, first.rewritten, first.dropped) == (7, 10, (), ())
    assert gauge.held["public.t"] == "RowExclusive"

    second = gauge.run(_statement("DELETE FROM t WHERE id > 25"))
    assert _locks(second) == {}, "what is held already is not new"
    assert second.changed is not None and second.changed[0].deleted == 5

    third = gauge.run(_statement("ALTER TABLE t ALTER p TYPE bigint"))
    assert third.rewritten == ("public.t",)
    assert third.scanned is not None and "public.t" in third.scanned
    assert _locks(third)["public.t"] == "AccessExclusive"

    fourth = gauge.run(_statement("DROP TABLE t CASCADE", "t", cascade=True))
    assert fourth.changed is not None
    assert [(c.relation, c.deleted) for c in fourth.changed] == [("public.t", 25)]
    assert fourth.dropped is not None
    assert {(d.kind, d.name, d.collateral) for d in fourth.dropped} == {
        ("table", "public.t", False),
        ("view", "public.v", True),
    }
    assert fourth.scanned == (), "counting what goes is not the statement's doing"


def test_truncate_tells_how_many_rows_went_and_is_no_rewrite(root: Connection) -> None:
    gauge = Gauge(root, superuser=True)
    measured = gauge.run(_statement("TRUNCATE t, parts", "t", "parts"))
    assert measured.changed is not None
    assert {(c.relation, c.deleted) for c in measured.changed} == {
        ("public.t", 30),
        ("public.parts", 4),
    }
    assert (measured.rewritten, measured.scanned, measured.dropped) == ((), (), ())


def test_a_script_that_changes_role_and_search_path_is_measured_all_the_same(
    root: Connection, database: Database
) -> None:
    root.execute(f"ALTER TABLE t OWNER TO {database.owner}")
    root.execute(f"GRANT CREATE ON SCHEMA public TO {database.owner}")
    gauge = Gauge(root, superuser=True)
    for text in (
        f"SET ROLE {database.owner}",
        "SET search_path = nowhere",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "DISCARD PLANS",
    ):
        assert gauge.run(_statement(text)).failed == ""
    measured = gauge.run(_statement("ALTER TABLE public.t DROP COLUMN p"))
    assert measured.failed == ""
    assert measured.dropped is not None
    assert [(d.kind, d.name) for d in measured.dropped] == [("table column", "public.t.p")]
    assert _locks(measured)["public.parent"] == "AccessExclusive"


def test_what_silences_the_trigger_leaves_the_drops_unknown(root: Connection) -> None:
    gauge = Gauge(root, superuser=True)
    assert gauge.run(_statement("DISCARD TEMP")).failed == ""
    assert gauge.run(_statement("DROP VIEW v")).dropped is None


def test_the_language_of_the_trigger_may_be_dropped(root: Connection) -> None:
    gauge = Gauge(root, superuser=True)
    measured = gauge.run(_statement("DROP EXTENSION plpgsql", drops="plpgsql"))
    assert measured.failed == ""
    assert measured.dropped is not None
    assert ("extension", "plpgsql") in {(d.kind, d.name) for d in measured.dropped}


def test_a_failure_is_returned_in_the_servers_words(root: Connection) -> None:
    measured = Gauge(root, superuser=True).run(_statement("DROP TABLE parent", "parent"))
    assert measured.sqlstate == "2BP01"
    assert measured.failed.startswith("cannot drop table parent because other objects")
    assert (measured.locks, measured.dropped, measured.changed) == (None, None, None)


def test_a_lost_connection_is_no_measurement(root: Connection, database: Database) -> None:
    gauge = Gauge(root, superuser=True)
    other = database.connect(superuser=True)
    other.execute("SELECT pg_terminate_backend(%s)", [root.info.backend_pid])
    with pytest.raises(psycopg.OperationalError):
        gauge.run(_statement("SELECT 1"))


def test_notices_are_kept(root: Connection) -> None:
    measured = Gauge(root, superuser=True).run(_statement("DROP TABLE IF EXISTS missing"))
    assert measured.notices == ('NOTICE: table "missing" does not exist, skipping',)


def test_nothing_is_left_after_rollback(root: Connection) -> None:
    gauge = Gauge(root, superuser=True)
    gauge.run(_statement("DROP VIEW v"))
    root.execute("ROLLBACK")
    left = root.execute(
        "SELECT (SELECT count(*) FROM pg_event_trigger),"
        " (SELECT count(*) FROM pg_proc WHERE proname LIKE 'rollback_tui%'),"
        " (SELECT count(*) FROM pg_class WHERE relname = 'v')"
    ).fetchone()
    assert left == (0, 0, 1)


def test_without_a_superuser_two_listings_tell_what_was_dropped(database: Database) -> None:
    connection = database.connect()
    connection.execute(SCHEMA)
    connection.execute("BEGIN")
    gauge = Gauge(connection, superuser=False)
    measured = gauge.run(_statement("ALTER TABLE t DROP COLUMN a CASCADE", drops="t.a"))
    assert measured.dropped is not None
    assert {(d.kind, d.name, d.collateral) for d in measured.dropped} == {
        ("table column", "public.t.a", False),
        ("view", "public.v", True),
    }
    measured = gauge.run(_statement("DROP TABLE parent CASCADE", "parent", cascade=True))
    assert measured.dropped is not None
    assert {(d.kind, d.name, d.collateral) for d in measured.dropped} == {
        ("table", "public.parent", False),
    }
    assert measured.listed
    assert gauge.run(_statement("ALTER TABLE t RENAME TO u")).dropped == ()
    connection.execute("ROLLBACK")


def test_what_cannot_run_in_a_transaction_is_run_alone(database: Database) -> None:
    connection = database.connect()
    connection.execute(SCHEMA)
    measured = run_alone(connection, _statement("DROP INDEX CONCURRENTLY t_a", drops="t_a"))
    assert (measured.failed, measured.transactional, measured.locks) == ("", False, None)
    assert measured.listed and measured.dropped is not None
    assert [(d.kind, d.name, d.collateral) for d in measured.dropped] == [
        ("index", "public.t_a", False)
    ]
    measured = run_alone(connection, _statement("VACUUM FULL t"))
    assert measured.rewritten == ("public.t",)
    measured = run_alone(connection, _statement("VACUUM nowhere"))
    assert measured.sqlstate == "42P01"
