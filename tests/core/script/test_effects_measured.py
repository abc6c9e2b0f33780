"""The forecast against a real server: locks held and tables rewritten, statement by statement."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from rollback_tui.core.model import Effect
from rollback_tui.embedded.server import EmbeddedServer
from tests.conftest import Database, create_database, drop_database

SCHEMA = """
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, a text, b int NOT NULL DEFAULT 1 CHECK (b > 0), c int,
    CONSTRAINT fk FOREIGN KEY (c) REFERENCES parent NOT VALID);
CREATE TABLE "Other" (id int UNIQUE, fk int);
CREATE INDEX i ON t (a);
CREATE VIEW v AS SELECT 1 AS one;
CREATE MATERIALIZED VIEW m AS SELECT id FROM parent;
CREATE SEQUENCE s;
CREATE TABLE parts (k int) PARTITION BY LIST (k);
CREATE TABLE part PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE loose (k int);
CREATE TABLE heir (k int) INHERITS (loose);
CREATE TABLE child (k int);
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION f();
CREATE POLICY p ON t;
INSERT INTO t SELECT n, n::text FROM generate_series(1, 50) n;
"""

MEASURED = [
    "DROP TABLE t",
    'DROP TABLE "Other"',
    "TRUNCATE t",
    "DROP INDEX i",
    "DROP VIEW v",
    "DROP MATERIALIZED VIEW m",
    "DROP SEQUENCE s",
    "DROP TRIGGER g ON t",
    "DROP POLICY p ON t",
    "DELETE FROM t",
    "UPDATE t SET a = 'x'",
    "INSERT INTO loose SELECT id FROM t",
    "SELECT * FROM t FOR UPDATE",
    "SELECT count(*) FROM t",
    "CREATE INDEX j ON t (b)",
    "CREATE OR REPLACE VIEW v AS SELECT 2 AS one",
    "CREATE TRIGGER h AFTER INSERT ON t EXECUTE FUNCTION f()",
    "CREATE POLICY q ON t",
    "CREATE RULE r AS ON DELETE TO loose DO INSTEAD NOTHING",
    "CREATE STATISTICS st ON id, b FROM t",
    "CREATE TABLE n (id int REFERENCES parent)",
    "CREATE TABLE n PARTITION OF parts FOR VALUES IN (2)",
    "CREATE TABLE n () INHERITS (loose)",
    "CREATE TABLE n (LIKE loose)",
    "CREATE TABLE n AS SELECT * FROM loose",
    "ALTER SEQUENCE s MAXVALUE 9",
    "ALTER INDEX i RENAME TO j",
    "ALTER INDEX i SET (fillfactor = 50)",
    "ALTER TABLE t RENAME TO u",
    "ALTER TABLE t RENAME a TO z",
    "ALTER TABLE t RENAME CONSTRAINT fk TO ck",
    "ALTER TRIGGER g ON t RENAME TO h",
    "ALTER VIEW v RENAME TO w",
    "ALTER POLICY p ON t RENAME TO q",
    "ALTER TABLE t DROP COLUMN b",
    "ALTER TABLE t ADD COLUMN z int",
    "ALTER TABLE t ADD COLUMN z int DEFAULT 3 NOT NULL",
    "ALTER TABLE t ADD COLUMN z timestamptz DEFAULT now()",
    "ALTER TABLE t ADD COLUMN z uuid DEFAULT gen_random_uuid()",
    "ALTER TABLE t ADD COLUMN z serial",
    "ALTER TABLE t ADD COLUMN z int GENERATED ALWAYS AS IDENTITY",
    "ALTER TABLE t ADD COLUMN z int GENERATED ALWAYS AS (b + 1) STORED",
    "ALTER TABLE t ADD COLUMN z int REFERENCES parent",
    "ALTER TABLE t ALTER a SET NOT NULL",
    "ALTER TABLE t ALTER b DROP NOT NULL",
    "ALTER TABLE t ALTER b SET DEFAULT 2",
    "ALTER TABLE t ALTER a SET STATISTICS 5",
    "ALTER TABLE t ALTER a SET (n_distinct = 5)",
    "ALTER TABLE t ALTER a SET STORAGE EXTERNAL",
    "ALTER TABLE t ALTER a TYPE varchar(10)",
    "ALTER TABLE t SET (fillfactor = 50, autovacuum_enabled = false)",
    "ALTER TABLE t SET (user_catalog_table = true)",
    "ALTER TABLE t CLUSTER ON i",
    "ALTER TABLE t ADD CHECK (b > 0)",
    "ALTER TABLE t ADD UNIQUE (a)",
    'ALTER TABLE "Other" ADD FOREIGN KEY (fk) REFERENCES parent',
    'ALTER TABLE "Other" ADD FOREIGN KEY (fk) REFERENCES parent NOT VALID',
    "ALTER TABLE t VALIDATE CONSTRAINT fk",
    "ALTER TABLE t DROP CONSTRAINT fk",
    "ALTER TABLE t DISABLE TRIGGER g",
    "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE t REPLICA IDENTITY FULL",
    "ALTER TABLE t SET UNLOGGED",
    "ALTER TABLE parts ATTACH PARTITION child FOR VALUES IN (3)",
    "ALTER TABLE parts DETACH PARTITION part",
    "ALTER TABLE child INHERIT loose",
    "ALTER TABLE heir NO INHERIT loose",
    "COMMENT ON TRIGGER g ON t IS 'x'",
    "COMMENT ON POLICY p ON t IS 'x'",
    "EXPLAIN DELETE FROM t WHERE id = 1",
    "COMMENT ON TABLE t IS 'x'",
    "COMMENT ON COLUMN t.a IS 'x'",
    "COMMENT ON INDEX i IS 'x'",
    "COMMENT ON CONSTRAINT fk ON t IS 'x'",
    "LOCK TABLE t IN SHARE ROW EXCLUSIVE MODE",
    "ANALYZE t",
    "REINDEX TABLE t",
    "CLUSTER t USING i",
    "REFRESH MATERIALIZED VIEW m",
]

# Relations that a statement locks hard (above RowExclusive) without naming them.
UNNAMED = {
    "DROP TABLE t": {"parent"},
    "DROP INDEX i": {"t"},
    "ALTER TABLE t DROP CONSTRAINT fk": {"parent"},
}

STRENGTH = ("AccessShare", "RowShare", "RowExclusive", "ShareUpdateExclusive", "Share",
            "ShareRowExclusive", "Exclusive", "AccessExclusive")  # fmt: skip
RELATIONS = """
SELECT oid, oid::regclass::text, relfilenode, relkind FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S', 'i')
"""
HELD = """
SELECT relation, replace(mode, 'Lock', '') FROM pg_locks
WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted
"""


@pytest.fixture(scope="module")
def schema(server: EmbeddedServer) -> Iterator[Database]:
    created = create_database(server)
    with created.connect() as connection:
        connection.execute(SCHEMA)
    yield created
    drop_database(created)


@pytest.mark.parametrize("sql", MEASURED)
def test_the_forecast_is_what_the_server_does(
    schema: Database, judge: Callable[[str], Effect], sql: str
) -> None:
    forecast = judge(sql)
    with closing(schema.connect(autocommit=False)) as connection:
        known = {row[0]: row[1:] for row in connection.execute(RELATIONS).fetchall()}
        connection.rollback()
        connection.execute(sql)
        held: dict[str, str] = {}
        for oid, mode in connection.execute(HELD).fetchall():
            if oid in known:
                name = str(known[oid][0])
                held[name] = max(held.get(name, mode), mode, key=STRENGTH.index)
        files = {row[0]: row[2] for row in connection.execute(RELATIONS).fetchall()}
        connection.rollback()
    named = {lock.relation: lock.mode for lock in forecast.locks}
    assert named == {name: held.get(name, "none") for name in named}
    tables = {name for name, _, kind in known.values() if kind in "rpm"}
    hard = {name for name in tables & set(held) if STRENGTH.index(held[name]) > 2}
    assert hard - set(named) == UNNAMED.get(sql, set())
    rewritten = any(
        files.get(oid, file) != file for oid, (_, file, kind) in known.items() if kind in "rm"
    )
    if forecast.rewrites is not None and not sql.startswith("TRUNCATE"):
        assert forecast.rewrites == rewritten
    assert forecast.transactional is not False
