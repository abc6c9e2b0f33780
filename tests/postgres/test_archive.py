"""What is kept comes back to the letter, and nothing that somebody wrote since is lost."""

from __future__ import annotations

import pytest

from rollback_tui.postgres import archive, catalog
from rollback_tui.postgres.archive.restore import restore
from tests.conftest import Database
from tests.postgres.archiving import Connection, Judge, roll_back, rows, statements
from tests.postgres.archiving import judge as judge

BASE = """
CREATE SCHEMA s;
SET search_path = s;
CREATE TABLE users (id serial PRIMARY KEY, email text NOT NULL);
INSERT INTO users (email) SELECT 'u' || i FROM generate_series(1, 40) i;
"""
UP = """
SET search_path = s;
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE DOMAIN code AS varchar(4) CHECK (value <> '');
CREATE TYPE pair AS (a int, at timestamptz);
ALTER TABLE users ADD COLUMN mood mood NOT NULL DEFAULT 'sad';
ALTER TABLE users ADD COLUMN verified_at timestamptz;
CREATE TABLE "odd ""name"" – ünï; DROP" (
  "from" int, "a""b" text, p pair, PRIMARY KEY ("a""b", "from"));
CREATE TABLE parents (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code code, moods mood[],
  doc jsonb, raw bytea, ints int[], at timestamptz, f float8, n numeric, i interval, j json,
  ch char(5), r int4range, u uuid, b bit(3), rel regclass,
  twice int GENERATED ALWAYS AS (1 + 1) STORED);
CREATE TABLE children (
  id int PRIMARY KEY, parent bigint REFERENCES parents, up int REFERENCES children);
CREATE TABLE days (day date, note text, PRIMARY KEY (day)) PARTITION BY RANGE (day);
CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE days_2 PARTITION OF days DEFAULT;
CREATE TABLE a (id int PRIMARY KEY, b int);
CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a);
ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b;
CREATE TABLE bag (v text);
"""
FILL = """
SET search_path = s;
UPDATE users SET mood = 'glad', verified_at = now() - id * interval '1.000001 s' WHERE id <= 20;
INSERT INTO "odd ""name"" – ünï; DROP"
  SELECT i, E'x\\n\\t\\'"\\\\' || i, (i, now())::pair FROM generate_series(1, 5) i;
INSERT INTO parents (code, moods, doc, raw, ints, at, f, n, i, j, ch, r, u, b, rel)
  SELECT 'c' || k, ARRAY['glad', NULL]::mood[], '{"a": [1, null, "\\u00e9"]}', '\\x00ff5c27',
         '[0:1]={1,NULL}', '2024-03-31 02:30:00.123456+05:30', 0.1::float8 + k, 1.10,
         '1 mon -3 days 04:05:06.7', '{"b":1, "b":2}', 'ab', '[1,5)', gen_random_uuid(), '101',
         'users'
    FROM generate_series(1, 9) k;
INSERT INTO children SELECT k, k, CASE WHEN k > 1 THEN k - 1 END FROM generate_series(1, 9) k;
INSERT INTO days SELECT '2024-01-20'::date + k, 'n' || k FROM generate_series(1, 30) k;
INSERT INTO a SELECT k FROM generate_series(1, 3) k;
INSERT INTO b SELECT k, k FROM generate_series(1, 3) k;
UPDATE a SET b = id;
INSERT INTO bag VALUES ('twice'), ('twice'), (NULL);
"""
DOWN = (
    "SET search_path = s",
    "ALTER TABLE users DROP COLUMN verified_at, DROP COLUMN mood",
    'DROP TABLE "odd ""name"" – ünï; DROP"',
    "DROP TABLE children, parents",
    "DROP TABLE days",
    "ALTER TABLE a DROP CONSTRAINT a_b_fkey",
    "DROP TABLE b",
    "DROP TABLE a",
    "TRUNCATE bag",
    "DROP TABLE bag",
    "DROP TYPE pair, mood",
    "DROP DOMAIN code",
)


@pytest.fixture
def connection(database: Database) -> Connection:
    return database.connect()


def _comes_back(connection: Connection, judge: Judge) -> None:
    connection.execute("SET TimeZone = 'Asia/Kolkata'; SET DateStyle = 'SQL, DMY'")
    connection.execute(BASE.encode())
    connection.execute(UP.encode())
    connection.execute(FILL.encode())
    before = rows(connection, "s")
    schema = catalog.snapshot(connection)

    run = roll_back(connection, statements(judge, DOWN))
    (kept,) = archive.archives(connection)
    assert kept.run == run
    after = catalog.snapshot(connection)
    assert not any("rollback_archive" in name for name in after.objects)
    connection.execute(UP.encode())
    assert catalog.snapshot(connection).objects == schema.objects

    result = restore(connection, archive.find(connection, run[:8]))

    assert rows(connection, "s") == before
    assert [one.written + one.there for one in result.items] == [i.rows for i in kept.items]
    connection.execute("INSERT INTO s.parents (code) VALUES ('new')")
    assert connection.execute("SELECT max(id) FROM s.parents").fetchone() == (10,)
    again = restore(connection, kept)
    assert sum(one.written for one in again.items) == 0
    archive.drop(connection, kept)
    assert archive.archives(connection) == ()


def test_what_is_kept_comes_back_to_the_letter(connection: Connection, judge: Judge) -> None:
    _comes_back(connection, judge)


def test_also_on_postgresql_16(database16: Database, judge: Judge) -> None:
    _comes_back(database16.connect(), judge)
