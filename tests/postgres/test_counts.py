"""Counting on a real server: exact where it says so, unknown where it could not be done."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from rollback_tui.core.model import Doomed, Effect, Loss, Statement, TableCount
from rollback_tui.postgres import counts
from tests.conftest import Database

SHOP = """
CREATE TABLE users (id int PRIMARY KEY, "Seen at" timestamptz, note text);
INSERT INTO users SELECT g, CASE WHEN g % 3 = 0 THEN now() END, 'x' FROM generate_series(1, 300) g;
CREATE TABLE "Ord""er" (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE o1 PARTITION OF "Ord""er" FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE o2 PARTITION OF "Ord""er" FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
INSERT INTO "Ord""er" SELECT g, date '2024-01-01' + g FROM generate_series(0, 399) g;
CREATE TABLE empty (a int);
CREATE SCHEMA rollback_tui; CREATE TABLE rollback_tui.runs (a int);
CREATE MATERIALIZED VIEW hollow AS SELECT * FROM users WITH NO DATA;
"""


@pytest.fixture
def connection(database: Database) -> psycopg.Connection[Any]:
    opened = database.connect()
    opened.execute(SHOP)
    return opened


def _statement(*doomed: Doomed, cascade: bool = False, **effect: Any) -> Statement:
    return Statement(
        index=3,
        start=0,
        end=0,
        line=1,
        sql="",
        effect=Effect(kind=effect.pop("kind", "DROP"), doomed=doomed, cascade=cascade, **effect),
    )


def test_tables_are_estimated_and_leaves_belong_to_their_parent(
    connection: psycopg.Connection[Any],
) -> None:
    found = {t.name: t for t in counts.tables(connection)}
    assert set(found) == {"public.users", 'public."Ord""er"', "public.empty", "public.hollow"}
    assert all(t.estimate is None for t in found.values())
    connection.execute("ANALYZE users; ANALYZE o1; ANALYZE empty")
    found = {t.name: t for t in counts.tables(connection)}
    assert found["public.users"].estimate == 300
    assert found["public.empty"].estimate == 0
    assert found['public."Ord""er"'].estimate is None
    connection.execute("ANALYZE o2")
    found = {t.name: t for t in counts.tables(connection)}
    parted = found['public."Ord""er"']
    assert (parted.estimate, parted.kind, parted.exact) == (400, "partitioned table", None)
    size = connection.execute(
        "SELECT pg_total_relation_size('o1') + pg_total_relation_size('o2')"
    ).fetchone()
    assert size == (parted.bytes,)
    listed = counts.tables(connection)
    assert [t.bytes for t in listed] == sorted((t.bytes for t in listed), reverse=True)


def test_an_analysed_empty_table_is_estimated_at_zero(database16: Database) -> None:
    opened = database16.connect()
    opened.execute("CREATE TABLE t (a int)")
    assert counts.tables(opened)[0].estimate is None
    opened.execute("ANALYZE t")
    assert counts.tables(opened)[0].estimate == 0


def test_a_locked_table_does_not_stop_the_list(
    database: Database, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.execute("VACUUM ANALYZE users")
    other = database.connect(autocommit=False)
    other.execute("LOCK TABLE users")
    real = counts.aside

    def hasty(conn: psycopg.Connection[Any], **options: Any) -> Any:
        return real(conn, **{**options, "seconds": 0.3})

    monkeypatch.setattr(counts, "aside", hasty)
    found: dict[str, TableCount] = {t.name: t for t in counts.tables(connection)}
    assert found["public.users"].estimate == 300
    assert found["public.users"].bytes >= 8192
    other.rollback()


def test_exact_counts(connection: psycopg.Connection[Any]) -> None:
    assert counts.count(connection, "public.users", 10) == 300
    assert counts.count(connection, 'public."Ord""er"', 10) == 400
    assert counts.count_all(connection, 10) == {
        'public."Ord""er"': 400,
        "public.empty": 0,
        "public.users": 300,
    }
    assert counts.count_all(connection, 10, only=("public.users", "public.gone")) == {
        "public.users": 300
    }
    assert counts.count(connection, "public.hollow", 10) is None
    with pytest.raises(psycopg.errors.UndefinedTable):
        counts.count(connection, "public.nothing", 10)
    with pytest.raises(psycopg.errors.UndefinedTable):
        counts.count(connection, "users; DROP TABLE users", 10)


def test_what_time_does_not_allow_is_unknown_and_not_zero(
    database: Database, connection: psycopg.Connection[Any]
) -> None:
    other = database.connect(autocommit=False)
    other.execute("LOCK TABLE users")
    # The lock is held until the test ends.
    assert counts.count(connection, "public.users", 0.3) is None
    assert counts.count_all(connection, 0.0) == {
        'public."Ord""er"': None,
        "public.empty": None,
        "public.users": None,
    }
    other.rollback()


def test_rows_hidden_by_a_policy_are_not_counted(
    database: Database, connection: psycopg.Connection[Any]
) -> None:
    admin = database.connect(superuser=True)
    admin.execute(
        "CREATE TABLE secret (a int); INSERT INTO secret VALUES (1);"
        f"GRANT SELECT ON secret TO {database.owner};"
        "ALTER TABLE secret ENABLE ROW LEVEL SECURITY; CREATE TABLE closed (a int)"
    )
    assert connection.execute("SELECT count(*) FROM secret").fetchone() == (0,)
    assert counts.count(connection, "public.secret", 10) is None
    assert counts.count(connection, "public.closed", 10) is None
    assert counts.count(admin, "public.secret", 10) == 1


def test_a_transaction_outside_keeps_its_settings_and_goes_on(database: Database) -> None:
    opened = database.connect(autocommit=False)
    opened.execute(SHOP)
    opened.execute("SET LOCAL statement_timeout = '77s'")
    assert counts.count(opened, "public.users", 10) == 300
    assert counts.count(opened, "public.hollow", 10) is None
    opened.execute("DELETE FROM users WHERE id <= 100")
    assert counts.count_all(opened, 10)["public.users"] == 200
    assert counts.losses(opened, _statement(Doomed(kind="table", relation="users")), 10) == (
        Loss(kind="rows", relation="public.users", count=200),
    )
    assert opened.execute("SHOW statement_timeout").fetchone() == ("77s",)
    assert opened.execute("SHOW row_security").fetchone() == ("on",)
    opened.rollback()


def test_losses_are_counted_by_what_is_there(connection: psycopg.Connection[Any]) -> None:
    statement = _statement(
        Doomed(kind="column", relation="users", column="Seen at"),
        Doomed(kind="column", relation="public.users", column='"Seen at"'),
        Doomed(kind="table", relation='"Ord""er"'),
        Doomed(kind="table", relation="nowhere"),
        Doomed(kind="table", relation="not a name ("),
        Doomed(kind="column", relation="users", column="nothing"),
        Doomed(kind="rows", relation="users"),
    )
    assert counts.losses(connection, statement, 10, in_run=True) == (
        Loss(
            kind="values",
            relation="public.users",
            column='"Seen at"',
            count=100,
            basis="counted in the run",
        ),
        Loss(kind="rows", relation='public."Ord""er"', count=400, basis="counted in the run"),
        Loss(kind="rows", relation="public.users", count=None, basis="counted in the run"),
    )
    assert {loss.count for loss in counts.losses(connection, statement, 0)} == {None}


def test_names_follow_the_search_path(connection: psycopg.Connection[Any]) -> None:
    connection.execute("CREATE SCHEMA other; CREATE TABLE other.users (id int)")
    statement = _statement(Doomed(kind="table", relation="users"))
    connection.execute("SET search_path = other, public")
    assert counts.losses(connection, statement, 10) == (
        Loss(kind="rows", relation="other.users", count=0),
    )


def test_cascade_is_counted_too(connection: psycopg.Connection[Any]) -> None:
    connection.execute(
        "CREATE SCHEMA s; CREATE TYPE s.colour AS ENUM ('red');"
        "CREATE TABLE s.inside (a int); INSERT INTO s.inside VALUES (1), (2);"
        "CREATE TABLE s.parted (a int) PARTITION BY RANGE (a);"
        "CREATE TABLE s.part PARTITION OF s.parted FOR VALUES FROM (0) TO (10);"
        "INSERT INTO s.parted VALUES (1), (2), (3);"
        "CREATE TABLE painted (id int PRIMARY KEY, c s.colour);"
        "INSERT INTO painted VALUES (1, 'red'), (2, NULL);"
        "CREATE TABLE hung (p int REFERENCES painted); INSERT INTO hung VALUES (1), (2)"
    )
    dropped = _statement(kind="DROP SCHEMA", drops=(("schema", "s"),), cascade=True)
    assert {(loss.describe()) for loss in counts.losses(connection, dropped, 10)} == {
        "2 rows of s.inside",
        "3 rows of s.parted",
        "1 value of public.painted.c",
    }
    emptied = _statement(Doomed(kind="table", relation="painted"), kind="TRUNCATE", cascade=True)
    assert {(loss.describe()) for loss in counts.losses(connection, emptied, 10)} == {
        "2 rows of public.painted",
        "2 rows of public.hung",
    }
    plain = _statement(Doomed(kind="table", relation="painted"), kind="TRUNCATE")
    assert [loss.relation for loss in counts.losses(connection, plain, 10)] == ["public.painted"]


def test_many_small_tables_are_counted_together_and_one_that_cannot_be_spoils_no_other(
    database: Database,
) -> None:
    connection = database.connect()
    connection.execute(
        "DO $$ BEGIN FOR n IN 1..450 LOOP"
        " EXECUTE format('CREATE TABLE %I AS SELECT generate_series(1, %s)', 't \"{%s}' || n, n);"
        " END LOOP; END $$"
    )
    connection.execute('REVOKE ALL ON "t ""{%s}7" FROM ' + database.owner)
    with database.connect(superuser=True) as admin:
        admin.execute('ALTER TABLE "t ""{%s}7" OWNER TO postgres')
    counted = counts.count_all(connection, 30)
    assert len(counted) == 450
    assert counted['public."t ""{%s}450"'] == 450
    assert counted['public."t ""{%s}8"'] == 8
    assert counted['public."t ""{%s}7"'] is None
