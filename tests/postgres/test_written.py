"""Rows written since a migration was applied: exact where it can be known, else not said."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from rollback_tui.core.model import Effect, Migration, Plan, Script, Statement
from rollback_tui.core.outlook import Written
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.postgres.written import written_since
from tests.conftest import Database


def _plan(*migrations: tuple[str, tuple[str, ...]]) -> Plan:
    return Plan(
        framework="dbmate",
        version_table='public."schema migrations"',
        directory="",
        current=None,
        goal=None,
        migrations=tuple(
            Migration(
                version=version,
                name="",
                applied_at=None,
                script=Script(
                    path="",
                    sha256="",
                    size=0,
                    transactional=True,
                    statements=(
                        Statement(
                            index=1,
                            start=0,
                            end=0,
                            line=1,
                            sql="",
                            effect=Effect(kind="ALTER TABLE", objects=tables),
                        ),
                    ),
                ),
            )
            for version, tables in migrations
        ),
        applied=(),
    )


@pytest.fixture
def shop(database: Database) -> psycopg.Connection[Any]:
    connection = database.connect()
    for text in (
        'CREATE TABLE "schema migrations" (version text PRIMARY KEY)',
        'CREATE TABLE "select" (id int)',
        "CREATE TABLE p (id int) PARTITION BY RANGE (id)",
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (1000)",
        'INSERT INTO "select" SELECT generate_series(1, 10)',
        "INSERT INTO p SELECT generate_series(1, 10)",
        "INSERT INTO \"schema migrations\" VALUES ('1')",
        'INSERT INTO "select" SELECT generate_series(11, 13)',
        # A backfill of the migration itself, in its own transaction.
        "BEGIN; INSERT INTO p VALUES (11); INSERT INTO \"schema migrations\" VALUES ('2'); COMMIT",
        "UPDATE p SET id = id + 100 WHERE id <= 2",
        'INSERT INTO "select" VALUES (14)',
        'DELETE FROM "select" WHERE id = 1',
    ):
        connection.execute(text)
    return connection


def test_rows_later_than_the_version_are_counted(shop: psycopg.Connection[Any]) -> None:
    plan = _plan(("2", ('"select"', "public.p", "nothing", "p1")), ("1", ('"select"',)))
    assert {(w.version, w.relation): (w.rows, w.basis) for w in written_since(shop, plan, 10)} == {
        ("2", 'public."select"'): (1, "transaction ids"),
        ("2", "public.p"): (2, "transaction ids"),
        ("2", "public.p1"): (2, "transaction ids"),
        ("1", 'public."select"'): (4, "transaction ids"),
    }


def test_freezing_changes_no_number(shop: psycopg.Connection[Any]) -> None:
    plan = _plan(("1", ('"select"', "p")))
    before = written_since(shop, plan, 10)
    assert {w.rows for w in before} == {4, 3}
    shop.execute('VACUUM FREEZE "select", p, "schema migrations"')
    assert written_since(shop, plan, 10) == before


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            "DELETE FROM \"schema migrations\" WHERE version = '1'",
            "no column of it holds just this version",
        ),
        ('UPDATE "schema migrations" SET version = version', "one transaction"),
        (
            "ALTER TABLE \"schema migrations\" ADD COLUMN id text DEFAULT '1'",
            "several rows",
        ),
        ('DROP TABLE "schema migrations"', "does not exist"),
    ],
)
def test_what_cannot_be_known_is_not_said(
    shop: psycopg.Connection[Any], change: str, why: str
) -> None:
    shop.execute(change)
    (found,) = written_since(shop, _plan(("1", ("p",))), 10)
    assert (found.rows, found.basis) == (None, "")
    assert why in found.why


def test_a_locked_table_and_no_time_are_reasons(
    database: Database, shop: psycopg.Connection[Any]
) -> None:
    other = database.connect(autocommit=False)
    other.execute("LOCK TABLE p")
    found = written_since(shop, _plan(("1", ("p", '"select"'))), 10)
    assert {w.relation: (w.rows, w.why) for w in found} == {
        "public.p": (None, "another session has the table locked"),
        'public."select"': (4, ""),
    }
    other.rollback()
    late: tuple[Written, ...] = written_since(shop, _plan(("1", ("p",))), 0)
    assert [(w.rows, w.why) for w in late] == [
        (None, "not reached in the time allowed for counting")
    ]


def test_commit_times_see_what_ids_do_not() -> None:
    server = EmbeddedServer(major=18, settings={"track_commit_timestamp": "on"})
    try:
        with (
            psycopg.connect(server.dsn(), autocommit=True) as shop,
            psycopg.connect(server.dsn()) as late,
        ):
            shop.execute('CREATE TABLE "schema migrations" (version text); CREATE TABLE t (a int)')
            late.execute("INSERT INTO t VALUES (1)")
            with shop.transaction():
                shop.execute("INSERT INTO \"schema migrations\" VALUES ('1')")
                with shop.transaction():
                    shop.execute("INSERT INTO t VALUES (2)")
            late.commit()
            (found,) = written_since(shop, _plan(("1", ("t",))), 10)
            assert (found.rows, found.basis) == (1, "commit timestamps")
    finally:
        server.stop()


def test_no_other_server_is_asked(database: Database) -> None:
    connection = database.connect(superuser=True)
    connection.execute(
        'CREATE TABLE "schema migrations" (version text PRIMARY KEY);'
        " CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER far FOREIGN DATA WRAPPER nowhere;"
        " CREATE TABLE halves (id int) PARTITION BY LIST (id);"
        " CREATE FOREIGN TABLE half PARTITION OF halves FOR VALUES IN (1) SERVER far"
    )
    connection.execute("INSERT INTO \"schema migrations\" VALUES ('1')")
    (found,) = written_since(connection, _plan(("1", ("halves",))), 5)
    assert (found.rows, found.why) == (None, "some of its rows are on another server")
