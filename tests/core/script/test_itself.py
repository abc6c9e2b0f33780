"""Which statements speak of the database they run in."""

from __future__ import annotations

import pytest

from rollback_tui.core.script.itself import names_its_database


@pytest.mark.parametrize(
    "text",
    [
        "ALTER DATABASE shop SET work_mem = '5MB'",
        "alter database shop reset all",
        "GRANT CONNECT ON DATABASE shop TO app",
        "COMMENT ON DATABASE shop IS 'x'",
        "ALTER ROLE app IN DATABASE shop SET search_path = a",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET x.y = 1', current_database()); END $$",
        "DO 'BEGIN IF current_catalog = ''shop'' THEN RAISE NOTICE ''x''; END IF; END'",
        "-- a comment first\nDO $x$ BEGIN PERFORM Current_Database(); END $x$",
        "DELETE FROM t WHERE host = current_database()",
        "UPDATE t SET name = CURRENT_CATALOG",
        "ALTER TABLE t DROP COLUMN database",
    ],
)
def test_these_do(text: str) -> None:
    assert names_its_database(text)


@pytest.mark.parametrize(
    "text",
    [
        "DROP TABLE shop",
        "-- remove it from the database\nDROP TABLE shop",
        "DROP TABLE /* of the database */ shop",
        "COMMENT ON TABLE t IS 'in the database'",
        'ALTER TABLE t DROP COLUMN "database"',
        "DROP TABLE databases",
        "DO $$ BEGIN DELETE FROM my_databases; END $$",
        "SELECT 'ü current_database()'",
        "",
    ],
)
def test_these_do_not(text: str) -> None:
    assert not names_its_database(text)
