"""How far a statement reaches, by its tree and by its text."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rollback_tui.core.script.reach import reach, reach_of_text, runs_attached
from rollback_tui.parser import Parser

SERVER = """\
CREATE ROLE a
ALTER ROLE a SUPERUSER
ALTER ROLE a IN DATABASE shop SET work_mem = '1MB'
DROP USER a
GRANT a TO b
GRANT CONNECT ON DATABASE shop TO b
GRANT SET ON PARAMETER work_mem TO b
REASSIGN OWNED BY a TO b
DROP OWNED BY a
ALTER SYSTEM SET work_mem = '1MB'
ALTER DATABASE shop SET work_mem = '1MB'
ALTER DATABASE shop RENAME TO b
ALTER DATABASE shop OWNER TO b
CREATE DATABASE b
DROP DATABASE b
DROP TABLESPACE x
ALTER TABLESPACE x RENAME TO y
COMMENT ON DATABASE shop IS 'x'
COMMENT ON ROLE a IS 'x'
CHECKPOINT
SELECT pg_terminate_backend(1)
SELECT pg_reload_conf ()
DO $$ BEGIN EXECUTE 'alter  role a superuser'; END $$
"""

BEYOND = """\
COPY t TO PROGRAM 'cat'
COPY t FROM '/etc/passwd'
CREATE TABLESPACE x LOCATION '/x'
CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p
DROP SUBSCRIPTION s
ALTER SUBSCRIPTION s OWNER TO b
IMPORT FOREIGN SCHEMA x FROM SERVER y INTO z
LOAD 'x'
SELECT dblink_exec('x', 'y')
SELECT lo_export(1, '/x')
DO $$ BEGIN COPY t TO PROGRAM 'cat'; END $$
SELECT pg_drop_replication_slot('x')
DO LANGUAGE plperlu $$ x $$
"""

WITHIN = """\
DROP TABLE t CASCADE
ALTER TABLE t DROP COLUMN a
COPY t TO STDOUT
DROP FUNCTION dblink_refresh()
CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ SELECT dblink('x') $$
COMMENT ON TABLE t IS 'alter role a'
NOTIFY x
DROP USER MAPPING FOR a SERVER b
GRANT SELECT ON t TO a
SET ROLE a
SELECT 1 -- once dblink('x')
ALTER TABLE t SET TABLESPACE x
DELETE FROM roles WHERE name = 'alter'
"""


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with Parser() as opened:
        yield opened


@pytest.mark.parametrize(("texts", "far"), [(SERVER, "server"), (BEYOND, "beyond"), (WITHIN, None)])
def test_how_far(parser: Parser, texts: str, far: str | None) -> None:
    statements = texts.splitlines()
    trees = parser.trees(statements)
    assert None not in trees
    found = {
        sql: reached.far if (reached := reach(sql, tree)) else None
        for sql, tree in zip(statements, trees, strict=True)
    }
    assert found == dict.fromkeys(statements, far)


def test_what_nobody_could_read_is_judged_by_its_words() -> None:
    reached = reach("SELECT dblink_connect('x')", None)
    assert reached is not None
    assert (reached.far, reached.why) == ("beyond", "it calls dblink_connect")
    assert reach_of_text("BEGIN RETURN NEW; END") is None


@pytest.mark.parametrize(
    ("sql", "runs"),
    [
        ("UPDATE t SET a = 1", True),
        ("ALTER TABLE t ALTER COLUMN a TYPE text", True),
        ("ALTER TABLE t DROP COLUMN a", False),
        ("DROP TABLE t", False),
        ("TRUNCATE t", True),
        ("CREATE INDEX ON t (a)", False),
    ],
)
def test_what_hangs_on_tables_runs_only_with_rows(parser: Parser, sql: str, runs: bool) -> None:
    (tree,) = parser.trees([sql])
    assert runs_attached(tree) is runs
