"""Which tools take a lock of their own, and which key: as recorded, or from their sources.

Keys that depend on names are tested with the tool (golang-migrate, sqlx, Flyway, Rails, Atlas), and
so are locks that are rows (Knex, Liquibase, yoyo).
"""

from __future__ import annotations

from rollback_tui.frameworks.protocol import VersionTable
from rollback_tui.frameworks.registry import FRAMEWORKS
from tests.conftest import Database

KEYS = {
    "goose": 4097083626,
    "graphile-migrate": 4727445306447283,
    "node-pg-migrate": 7241865325823964,
    "prisma": 72707369,
    "sqitch": 75474063,
    "tern": 9628173550095224,
}
OF_NAMES = {"atlas", "flyway", "golang-migrate", "rails", "sqlx"}
ROWS = {"knex", "liquibase", "yoyo"}
NONE = {
    *("alembic", "db-migrate", "dbmate", "diesel", "django", "other", "pairs", "pgroll"),
    *("postgrator", "refinery", "sequelize", "shmig", "sql-migrate", "typeorm"),
}
TABLE = VersionTable(schema="public", name="any", version_column="version")


def test_every_tool_that_takes_a_lock_finds_it_taken(database: Database) -> None:
    assert {*KEYS, *OF_NAMES, *ROWS, *NONE} == set(FRAMEWORKS)
    for name in NONE:
        assert FRAMEWORKS[name].lock_sql(database.name, TABLE) is None, name
        assert FRAMEWORKS[name].transaction_lock(TABLE) == (), name
    for name in ROWS:
        assert FRAMEWORKS[name].transaction_lock(TABLE), name
    ours, tool = database.connect(), database.connect()
    for name, key in KEYS.items():
        query = FRAMEWORKS[name].lock_sql(database.name, TABLE)
        assert query is not None, name
        assert ours.execute(query.encode()).fetchone() == (True,), name
        taken = tool.execute("SELECT pg_try_advisory_lock(%s)", [key]).fetchone()
        assert taken == (False,), name
        ours.execute("SELECT pg_advisory_unlock_all()")
        tool.execute("SELECT pg_advisory_lock(%s)", [key])
        assert ours.execute(query.encode()).fetchone() == (False,), name
