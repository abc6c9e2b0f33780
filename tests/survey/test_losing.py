"""What goes, counted now: the number is the one that the server reports when it is then done, and
nothing is called, waited for or changed on the way.
"""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from rollback_tui.core.model import Loss
from rollback_tui.parser import Parser
from rollback_tui.postgres import catalog
from tests.conftest import Database
from tests.lock_waits import announced
from tests.survey.planned import count

SHOP = """
CREATE TABLE users (id int PRIMARY KEY, mail text, flag bool DEFAULT false, score int DEFAULT 5,
                    made timestamptz DEFAULT now(), "[/red]" jsonb DEFAULT '{}');
INSERT INTO users SELECT g, CASE WHEN g % 4 > 0 THEN 'm' || g END, g % 10 = 0, 5 + g % 2, now(),
                         CASE WHEN g % 5 > 0 THEN jsonb_build_object('a', g % 2) ELSE '{}' END
  FROM generate_series(1, 100) g;
CREATE TABLE orders (id int, user_id int, total numeric);
INSERT INTO orders SELECT g, 1 + g % 10, g FROM generate_series(1, 30) g;
CREATE TABLE "select" ("from" int); INSERT INTO "select" VALUES (1), (2), (NULL);
CREATE TABLE parted (id int) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 PARTITION OF parted FOR VALUES FROM (10) TO (20);
INSERT INTO parted SELECT generate_series(5, 14);
CREATE VIEW good AS SELECT * FROM users WHERE flag;
CREATE SEQUENCE ticks;
CREATE FUNCTION noisy(int) RETURNS bool LANGUAGE plpgsql AS
  $$ BEGIN PERFORM pg_advisory_lock(4711); RAISE NOTICE 'called'; RETURN true; END $$;
CREATE FUNCTION lying(int) RETURNS bool LANGUAGE plpgsql STABLE AS
  $$ BEGIN PERFORM nextval('ticks'); RETURN true; END $$;
CREATE FUNCTION odd(int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 % 2 = 1';
CREATE FUNCTION slow(int) RETURNS bool LANGUAGE plpgsql STABLE AS
  $$ BEGIN PERFORM pg_sleep(0.2); RETURN true; END $$;
CREATE OPERATOR @@@ (FUNCTION = noisy, RIGHTARG = int);
CREATE VIEW trap AS SELECT id FROM users WHERE noisy(id);
CREATE VIEW deeper AS SELECT * FROM trap;
CREATE FUNCTION unseen(users) RETURNS bool LANGUAGE sql AS 'SELECT noisy(1)';
CREATE FUNCTION step(int, int) RETURNS int LANGUAGE sql AS 'SELECT noisy(1)::int';
CREATE AGGREGATE summed(int) (SFUNC = step, STYPE = int);
CREATE DOMAIN ruled AS int CHECK (noisy(VALUE));
CREATE TYPE paired AS (x ruled);
CREATE FUNCTION paired(int) RETURNS paired LANGUAGE sql AS 'SELECT NULL::paired WHERE noisy(1)';
CREATE CAST (int AS paired) WITH FUNCTION paired(int) AS ASSIGNMENT;
CREATE VIEW by_rule AS SELECT id FROM users WHERE id::ruled > 1;
"""

TOUCHED: dict[str, int] = {
    "DELETE FROM users WHERE id > 90": 10,
    "DELETE FROM users": 100,
    "DELETE FROM ONLY parted": 0,
    "DELETE FROM parted WHERE id IN (5, 14)": 2,
    'DELETE FROM "select" AS s WHERE s."from" IS NULL': 1,
    "UPDATE users SET id = id + 1000 WHERE odd(id)": 50,
    "UPDATE users SET score = nextval('ticks'), flag = noisy(id) WHERE mail IS NULL": 25,
    "DELETE FROM users u USING orders o WHERE o.user_id = u.id": 10,
    "DELETE FROM users USING orders o, \"select\" s WHERE o.user_id = users.id AND s.\"from\" = 2":
        10,
    "UPDATE parted p SET id = p.id FROM orders o WHERE o.id = p.id": 10,
    "UPDATE users SET mail = (SELECT max(total)::text FROM orders WHERE user_id = users.id)"
    " WHERE EXISTS (SELECT FROM orders WHERE user_id = users.id)": 10,
    "WITH few AS (SELECT id FROM users ORDER BY id LIMIT 7) DELETE FROM users USING few"
    " WHERE few.id = users.id": 7,
    "DELETE FROM good": 10,
    "MERGE INTO users u USING orders o ON o.user_id = u.id WHEN MATCHED AND u.id > 5"
    " THEN DO NOTHING WHEN NOT MATCHED THEN DO NOTHING": -1,
    "DELETE FROM users WHERE made < current_timestamp - interval '1 day'": 0,
}  # fmt: skip

REFUSED = {
    "DELETE FROM users WHERE noisy(id)": "function noisy is volatile",
    "DELETE FROM users WHERE @@@ id": "operator @@@ is volatile",
    "DELETE FROM users WHERE id IN (SELECT id FROM deeper)": "function noisy is volatile",
    "UPDATE users SET score = 1 WHERE id = nextval('ticks')": "function nextval is volatile",
    "DELETE FROM users u WHERE u.unseen": "function unseen is volatile",
    "DELETE FROM users WHERE id IN (SELECT summed(id) FROM orders)": "function summed is volatile",
    "DELETE FROM users WHERE id::ruled > 1": "rules of public.ruled call a volatile function",
    "DELETE FROM users WHERE CAST(id AS paired) IS NULL": "paired",
    "DELETE FROM users WHERE id IN (SELECT id FROM by_rule)": "rules of public.ruled",
    "DELETE FROM users WHERE missing(id)": "function missing is not known",
    "DELETE FROM users WHERE lying(id)": "cannot execute nextval() in a read-only transaction",
    "DELETE FROM users WHERE id IN (SELECT id FROM orders FOR UPDATE)": "locks rows",
    "DELETE FROM users WHERE id IN (SELECT id FROM orders TABLESAMPLE system (50))": "sample",
    "DELETE FROM users WHERE CURRENT OF c": "cursor",
    "DELETE FROM users WHERE id = 1 / (score - 5)": "division by zero",
    "DELETE FROM users WHERE zzz": "zzz",
    "DELETE FROM nothing": "nothing is not there",
    "WITH d AS (DELETE FROM orders RETURNING id) DELETE FROM users USING d": "several places",
    "INSERT INTO users (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET score = 1": "conflict",
}


@pytest.fixture(scope="module")
def shop(on18: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    on18.execute(SHOP)
    return on18


@pytest.fixture(scope="module")
def old_shop(on16: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    on16.execute(SHOP)
    return on16


@pytest.mark.parametrize("text", TOUCHED)
def test_rows_touched_are_those_the_server_reports(
    shop: psycopg.Connection[Any], parser: Parser, text: str
) -> None:
    _touched(shop, parser, text)


def test_the_same_on_16(old_shop: psycopg.Connection[Any], parser: Parser) -> None:
    for text in TOUCHED:
        _touched(old_shop, parser, text)


def _touched(connection: psycopg.Connection[Any], parser: Parser, text: str) -> None:
    (statement,) = count(connection, text, parser).statements
    if TOUCHED[text] < 0:
        assert not statement.loss and statement.touched is None
        return
    (loss,) = statement.loss
    assert (loss.kind, loss.count, loss.why, loss.after) == ("rows", TOUCHED[text], "", None)
    assert statement.touched is not None
    rows = connection.execute(statement.touched.rows.encode()).fetchall()
    with connection.transaction(force_rollback=True):
        assert connection.execute(text.encode()).rowcount == loss.count == len(rows)
        left = connection.execute(statement.touched.rows.encode()).fetchall()
    if text.startswith("DELETE"):
        assert not left
    assert connection.execute("SELECT count(*) FROM users").fetchone() == (100,)


MERGES = {
    "WHEN MATCHED THEN DELETE": 10,
    "WHEN MATCHED AND u.id > 5 THEN DO NOTHING WHEN MATCHED THEN UPDATE SET score = 0": 5,
    "WHEN MATCHED AND u.id > 5 THEN DELETE WHEN NOT MATCHED THEN INSERT (id) VALUES (o.id)": 5,
}
NEWER_MERGES = {
    "WHEN NOT MATCHED BY SOURCE THEN DELETE": 90,
    "WHEN NOT MATCHED BY SOURCE AND u.flag THEN DELETE WHEN MATCHED AND u.id = 1"
    " THEN UPDATE SET score = 0": 10,
}


@pytest.mark.parametrize("clauses", [*MERGES, *NEWER_MERGES])
def test_rows_that_a_merge_touches(
    shop: psycopg.Connection[Any], parser: Parser, clauses: str
) -> None:
    source = "(SELECT DISTINCT user_id AS id FROM orders) o ON o.id = u.id"
    text = f"MERGE INTO users u USING {source} {clauses}"
    (statement,) = count(shop, text, parser).statements
    expected = {**MERGES, **NEWER_MERGES}[clauses]
    assert [loss.count for loss in statement.loss] == [expected]
    with shop.transaction(force_rollback=True):
        assert shop.execute(text.encode()).rowcount == expected


def test_rows_of_a_delete_inside_with(shop: psycopg.Connection[Any], parser: Parser) -> None:
    text = (
        "WITH big AS (SELECT id FROM orders WHERE total > 25), gone AS"
        " (DELETE FROM orders USING big WHERE big.id = orders.id RETURNING orders.*)"
        ' INSERT INTO "select" SELECT id FROM gone'
    )
    (statement,) = count(shop, text, parser).statements
    assert [(x.relation, x.count) for x in statement.loss] == [("public.orders", 5)]
    with shop.transaction(force_rollback=True):
        assert shop.execute(text.encode()).rowcount == 5


def test_what_may_not_be_asked_is_neither_called_nor_counted(
    shop: psycopg.Connection[Any], parser: Parser
) -> None:
    shop.execute("SELECT pg_advisory_unlock_all()")
    ticks = shop.execute("SELECT last_value, is_called FROM ticks").fetchone()
    notices: list[str] = []
    shop.add_notice_handler(lambda notice: notices.append(str(notice.message_primary)))
    script = ";".join(REFUSED)
    plan = count(shop, script, parser)
    for statement, why in zip(plan.statements, REFUSED.values(), strict=True):
        assert [loss.count for loss in statement.loss][:1] == [None], statement.sql
        assert why in statement.loss[0].why
    assert not notices
    held = shop.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone()
    assert held == (0,)
    assert shop.execute("SELECT last_value, is_called FROM ticks").fetchone() == ticks
    unsent = [s.touched for s in plan.statements if "volatile" in s.loss[0].why]
    assert unsent == [None] * 9


@pytest.mark.parametrize("resolved", [False, True])
def test_tables_columns_and_what_is_in_them(
    shop: psycopg.Connection[Any], parser: Parser, resolved: bool
) -> None:
    plan = count(
        shop,
        'DROP TABLE "select"; DROP TABLE parted;'
        ' ALTER TABLE users DROP COLUMN score, DROP flag, DROP mail, DROP made, DROP "[/red]";'
        "DROP TABLE IF EXISTS nothing; TRUNCATE orders",
        parser,
        resolved=resolved,
    )
    table, parted, columns, nothing, truncated = (s.loss for s in plan.statements)
    size = shop.execute(
        "SELECT pg_total_relation_size('\"select\"'), pg_total_relation_size('p1')"
        " + pg_total_relation_size('p2')"
    ).fetchone()
    assert [(x.relation, x.count, x.bytes) for x in (*table, *parted)] == [
        ('public."select"', 3, size[0] if size else None),
        ("public.parted", 10, size[1] if size else None),
    ]
    assert {x.column: (x.count, x.not_default) for x in columns} == {
        "score": (100, 50),
        "flag": (100, 10),
        "mail": (75, None),
        # Its default is another one at any moment.
        "made": (100, None),
        '"[/red]"': (100, 80),
    }
    assert nothing == ()
    assert [(x.relation, x.count) for x in truncated] == [("public.orders", 30)]


@pytest.mark.parametrize("resolved", [False, True])
def test_what_an_earlier_statement_makes_or_changes(
    shop: psycopg.Connection[Any], parser: Parser, resolved: bool
) -> None:
    plan = count(
        shop,
        "CREATE TABLE fresh (a int); DROP TABLE fresh; DELETE FROM fresh;"
        "ALTER TABLE orders ADD COLUMN n int; DELETE FROM orders WHERE n IS NULL;"
        "ALTER TABLE orders DROP COLUMN n; DELETE FROM users; DROP TABLE users",
        parser,
        resolved=resolved,
    )
    found = {s.index: s.loss for s in plan.statements if s.loss}
    assert found[2] == (
        Loss(kind="rows", relation="fresh", after=1, why="it is not there before statement 1"),
    )
    assert [(x.count, x.after) for x in found[3]] == [(None, 1)]
    assert [(x.count, x.after) for x in found[5]] == [(None, 4)]
    assert "n" in found[5][0].why
    assert [(x.count, x.after) for x in found[6]] == [(None, 4)]
    assert [(x.count, x.after) for x in found[8]] == [(100, 7)]


def test_nothing_is_changed(shop: psycopg.Connection[Any], parser: Parser) -> None:
    def seen() -> tuple[object, ...]:
        row = shop.execute(
            "SELECT current_setting('lock_timeout'),"
            " current_setting('statement_timeout'), current_setting('transaction_read_only'),"
            " (SELECT last_value FROM ticks), (SELECT count(*) FROM users), (SELECT count(*)"
            " FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory')"
        ).fetchone()
        return (*(row or ()), catalog.snapshot(shop).fingerprint)

    def next_transaction() -> object:
        row = shop.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())").fetchone()
        return row and row[0]

    def counting_takes_a_transaction_id() -> bool:
        before, first = seen(), next_transaction()
        count(
            shop,
            ";".join([*TOUCHED, *REFUSED, "DROP TABLE users CASCADE", "TRUNCATE orders"]),
            parser,
        )
        last = next_transaction()
        assert seen() == before
        return first != last

    # Ids are the server's: autovacuum may be given one meanwhile in another test's database, but
    # not each time. If counting took one, it would each time.
    assert not all(counting_takes_a_transaction_id() for _ in range(5))


def test_a_locked_table_is_waited_for_once(database: Database, parser: Parser) -> None:
    connection = database.connect()
    connection.execute(SHOP)
    other = database.connect(autocommit=False)
    other.execute("LOCK TABLE users")
    with announced(connection, database) as waits:
        plan = count(
            connection,
            "DROP TABLE users; DELETE FROM users WHERE id = 1; ALTER TABLE users DROP COLUMN mail;"
            "ALTER TABLE users ALTER mail SET NOT NULL; DROP TABLE orders",
            parser,
        )
    assert len(waits) == 1
    other.rollback()
    assert {x.why for s in plan.statements[:3] for x in s.loss} == {"another session has it locked"}
    assert [v.why for v in plan.statements[3].violations] == ["another session has it locked"]
    assert [x.count for x in plan.statements[4].loss] == [30]


def test_a_slow_function_ends_with_the_time(shop: psycopg.Connection[Any], parser: Parser) -> None:
    plan = count(
        shop,
        "DELETE FROM users WHERE slow(id); DELETE FROM orders; DELETE FROM users WHERE slow(-id)",
        parser,
        seconds=4,
    )
    slow, quick, late = (s.loss[0] for s in plan.statements)
    assert (slow.count, slow.why) == (None, "it took longer than the time allowed for counting")
    assert quick.count == 30
    assert late.count is None and "time allowed" in late.why
    plan = count(shop, "DROP TABLE users; ALTER TABLE users ALTER mail SET NOT NULL", parser, 0.0)
    assert [x.why for x in plan.losses] == ["not reached in the time allowed for counting"]
    assert [v.why for v in plan.statements[1].violations] == [
        "not reached in the time allowed for counting"
    ]


def test_rows_that_a_policy_hides_are_not_counted(database: Database, parser: Parser) -> None:
    admin = database.connect(superuser=True)
    admin.execute(
        "CREATE TABLE secret (a int); INSERT INTO secret VALUES (1), (NULL);"
        f"GRANT ALL ON secret TO {database.owner};"
        "ALTER TABLE secret ENABLE ROW LEVEL SECURITY"
    )
    plan = count(
        database.connect(),
        "DELETE FROM secret; ALTER TABLE secret ALTER a SET NOT NULL; DROP TABLE secret",
        parser,
    )
    deleted, not_null, dropped = plan.statements
    for found in (*deleted.loss, *not_null.violations, *dropped.loss):
        assert found.count is None and "row-level security" in found.why


def test_no_other_server_is_asked(database: Database, parser: Parser) -> None:
    """Neither for a foreign table nor for what it is a partition of, or views on them."""
    connection = database.connect(superuser=True)
    connection.execute(
        "CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER far FOREIGN DATA WRAPPER nowhere;"
        " CREATE TABLE halves (id int) PARTITION BY LIST (id);"
        ' CREATE FOREIGN TABLE "Far half" PARTITION OF halves FOR VALUES IN (1) SERVER far;'
        " CREATE VIEW low AS SELECT id FROM halves; CREATE VIEW high AS SELECT id FROM low"
    )
    script = 'DELETE FROM halves; DELETE FROM "Far half" WHERE id = 1; DELETE FROM high'
    for statement in count(connection, script, parser).statements:
        assert (statement.loss[0].count, statement.touched) == (None, None)
        assert "the server of a foreign table" in statement.loss[0].why
