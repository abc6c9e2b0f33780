"""The forecast is wanted most when somebody has the tables locked: it must not wait for them."""

from __future__ import annotations

import psycopg
import pytest

from rollback_tui.embedded.server import EmbeddedServer
from tests.forms.conftest import Theatre
from tests.forms.groups import CASES
from tests.lock_waits import announced

SAMPLES = (
    "DROP TABLE t CASCADE",
    "TRUNCATE boss CASCADE",
    "DROP TYPE colour CASCADE",
    "DROP SCHEMA stock CASCADE",
    "UPDATE t SET c = c + 1 WHERE id < 10",
    "INSERT INTO t (id, c) VALUES (1001, 1)",
    "DELETE FROM boss WHERE id > 15",
    "SELECT * FROM vv",
    "CREATE INDEX j ON parts (v, k)",
    "CREATE OR REPLACE VIEW v AS SELECT id, a FROM seen WHERE id > 1",
    "REFRESH MATERIALIZED VIEW m",
    "ALTER DOMAIN positive ADD CHECK (VALUE < 1000)",
    "COMMENT ON CONSTRAINT fk ON t IS 'x'",
    "ALTER TABLE t DROP COLUMN b",
    "ALTER TABLE t ALTER a SET NOT NULL",
    "ALTER TABLE t DROP CONSTRAINT fk",
    "ALTER TABLE t RENAME CONSTRAINT t_pkey TO ck",
)
_TABLES = """
SELECT string_agg(c.oid::regclass::text, ', ') FROM pg_class c
 WHERE c.relkind IN ('r', 'p', 'v') AND c.oid >= 16384
   AND c.relnamespace::regnamespace::text !~ '^pg_|information_schema'
"""


@pytest.mark.parametrize("sql", SAMPLES)
def test_a_forecast_does_not_wait_for_a_lock(
    server: EmbeddedServer, theatre: Theatre, sql: str
) -> None:
    group, form = next((g, f) for g, f in CASES if f.sql == sql)
    stage, trees = theatre.stage(server, group)
    before = stage.forecast(form, trees[sql]).effect
    assert before.resolved
    with stage.another() as other, announced(stage.connection) as waits:
        row = other.execute(_TABLES).fetchone()
        assert row is not None
        other.execute(f"LOCK TABLE {row[0]}")
        assert stage.forecast(form, trees[sql]).effect == before
        assert waits == []
        other.rollback()


def test_a_wait_would_be_heard_of(server: EmbeddedServer, theatre: Theatre) -> None:
    """What the test above rests on."""
    group, _ = next((g, f) for g, f in CASES if f.sql == SAMPLES[0])
    stage, _ = theatre.stage(server, group)
    with stage.another() as other, announced(stage.connection) as waits:
        other.execute("LOCK TABLE t")
        stage.connection.execute("SET lock_timeout = 200")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            stage.connection.execute("SELECT FROM t")
        stage.connection.execute("RESET lock_timeout")
        assert len(waits) == 1
        other.rollback()
