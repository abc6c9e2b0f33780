"""What no tool's table is changed for: a version without a file, and an empty down migration.

Several tools forget such a version and leave the schema as it is. For each of them the table is
made as the tool makes it, with two versions: of the newer one there is no file, and the way back of
the older one has no statement.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pytest

from rollback_tui.config import Migrations, Settings
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.frameworks.registry import FRAMEWORKS
from rollback_tui.survey.planning import make_plan
from tests.conftest import Database, create_database, drop_database
from tests.frameworks.test_db_migrate import PROMISED
from tests.frameworks.test_detect_tables import MADE

COMMENTED = "-- What was done stays.\n\n/* DROP TABLE a; */\n;\n"


class Case(NamedTuple):
    """One tool with an older and a newer version applied."""

    versions: tuple[str, str]
    """The older, the newer, as the tool calls them."""
    rows: str
    """What enters both, one statement after the other."""
    files: dict[str, str]
    """The older one's."""
    settings: Migrations = Migrations()
    create: str = ""
    """Its table, where MADE has none."""


def pair(up: str, down: str, directory: str = "migrations") -> dict[str, str]:
    """Two whole files."""
    return {f"{directory}/{up}": "SELECT 1;\n", f"{directory}/{down}": COMMENTED}


def section(name: str, text: str, directory: str = "migrations") -> dict[str, str]:
    """One file with a way up and a way down."""
    return {f"{directory}/{name}": text.format(COMMENTED)}


SQLX = "INSERT INTO _sqlx_migrations VALUES ({0}, 'a', now(), true, '', -1)"
FLYWAY = (
    "INSERT INTO flyway_schema_history VALUES ({0}, '{0}', 'a', 'SQL', '', 0, '', now(), 0, true)"
)
PRISMA = (
    "INSERT INTO _prisma_migrations VALUES ('{0}', '', now(), '2026010{0}000000_a', NULL, NULL,"
    " now() + '{0} s', 1)"
)
RUN_ON = "INSERT INTO {} VALUES (1, '{}', '2026-01-01'), (2, '{}', '2026-01-02')"


def yoyo(version: str) -> str:
    """Its row: the key is a hash."""
    digest = sha256(version.encode()).hexdigest()
    return f"INSERT INTO _yoyo_migration VALUES ('{digest}', '{version}', '2026-01-0{version}')"


IN_FILES = {
    "db-migrate": Case(
        ("20260101000000-a", "20260102000000-b"),
        RUN_ON.format("migrations", "/20260101000000-a", "/20260102000000-b"),
        {
            "migrations/20260101000000-a.js": PROMISED.replace("NAME", "20260101000000-a"),
            # What `db-migrate create --sql-file` writes.
            "migrations/sqls/20260101000000-a-down.sql": "/* Replace with your SQL commands */",
        },
    ),
    "dbmate": Case(
        ("1", "2"),
        "INSERT INTO schema_migrations VALUES ('1'), ('2')",
        section("1_a.sql", "-- migrate:up\nSELECT 1;\n-- migrate:down\n{}", "db/migrations"),
    ),
    "diesel": Case(
        ("1", "2"),
        "INSERT INTO __diesel_schema_migrations VALUES ('1'), ('2')",
        pair("1_a/up.sql", "1_a/down.sql"),
    ),
    "flyway": Case(
        ("1", "2"),
        f"{FLYWAY.format(1)}; {FLYWAY.format(2)}",
        pair("V1__a.sql", "U1__a.sql", "sql"),
    ),
    "golang-migrate": Case(
        ("1", "2"),
        "INSERT INTO schema_migrations VALUES (2, false)",
        pair("1_a.up.sql", "1_a.down.sql"),
    ),
    "goose": Case(
        ("1", "2"),
        "INSERT INTO goose_db_version (version_id, is_applied)"
        " VALUES (0, true), (1, true), (2, true)",
        section("00001_a.sql", "-- +goose Up\nSELECT 1;\n-- +goose Down\n{}"),
    ),
    "node-pg-migrate": Case(
        ("1_a", "2_b"),
        RUN_ON.format("pgmigrations", "1_a", "2_b"),
        section("1_a.sql", "-- Up Migration\nSELECT 1;\n-- Down Migration\n{}"),
    ),
    "pairs": Case(
        ("1", "2"),
        "INSERT INTO applied VALUES (1), (2)",
        pair("1_a.sql", "1_a.down.sql"),
        Migrations(framework="pairs", table="public.applied"),
        "CREATE TABLE applied (version int PRIMARY KEY)",
    ),
    "postgrator": Case(
        ("1", "2"),
        "INSERT INTO schemaversion VALUES (0), (1), (2)",
        pair("1.do.a.sql", "1.undo.a.sql"),
    ),
    "prisma": Case(
        ("20260101000000_a", "20260102000000_a"),
        f"{PRISMA.format(1)}; {PRISMA.format(2)}",
        pair("migration.sql", "down.sql", "prisma/migrations/20260101000000_a"),
    ),
    "shmig": Case(
        ("1", "2"),
        "INSERT INTO shmig_version VALUES (1), (2)",
        section("1-a.sql", "-- ====  UP  ====\nSELECT 1;\n-- ==== DOWN ====\n{}"),
    ),
    "sql-migrate": Case(
        ("1_a.sql", "2_b.sql"),
        "INSERT INTO gorp_migrations VALUES ('1_a.sql', now()), ('2_b.sql', now())",
        section("1_a.sql", "-- +migrate Up\nSELECT 1;\n-- +migrate Down\n{}"),
    ),
    "sqlx": Case(
        ("1", "2"),
        f"{SQLX.format(1)}; {SQLX.format(2)}",
        pair("1_a.up.sql", "1_a.down.sql"),
    ),
    "tern": Case(
        ("1", "2"),
        "INSERT INTO schema_version VALUES (2)",
        section("1_a.sql", "SELECT 1;\n---- create above / drop below ----\n{}"),
    ),
    "yoyo": Case(("1", "2"), f"{yoyo('1')}; {yoyo('2')}", pair("1.sql", "1.rollback.sql")),
}
CODE = {
    "knex": Case(
        ("1_a.js", "2_b.js"),
        "INSERT INTO knex_migrations_lock VALUES (1, 0);"
        "INSERT INTO knex_migrations VALUES (1, '1_a.js', 1), (2, '2_b.js', 1)",
        {"migrations/1_a.js": ""},
    ),
    "rails": Case(
        ("1", "2"),
        "INSERT INTO schema_migrations VALUES ('1'), ('2')",
        {"db/migrate/1_a.rb": ""},
    ),
    "sequelize": Case(
        ("1-a.js", "2-b.js"),
        "INSERT INTO \"SequelizeMeta\" VALUES ('1-a.js'), ('2-b.js')",
        {"migrations/1-a.js": ""},
    ),
    "typeorm": Case(
        ("A1700000001000", "B1700000002000"),
        "INSERT INTO migrations VALUES (1, 1700000001000, 'A1700000001000'),"
        " (2, 1700000002000, 'B1700000002000')",
        {"migrations/1700000001000-A.ts": ""},
    ),
}
ELSEWHERE = {
    "alembic": "test_real_alembic",
    "django": "test_real_django",
    "liquibase": "test_real_liquibase",
    "other": "test_capturing",
    "sqitch": "test_sqitch",
}
"""Whose programs are asked; a plan file that gives each change an id; one by configuration."""


@pytest.fixture(scope="module")
def place(server: EmbeddedServer) -> Iterator[Database]:
    """One database for all: each test takes back what it made."""
    made = create_database(server)
    yield made
    drop_database(made)


@pytest.mark.parametrize("name", [*IN_FILES, *CODE])
def test_a_version_stays_that_nothing_takes_back(
    name: str, place: Database, tmp_path: Path
) -> None:
    case = {**IN_FILES, **CODE}[name]
    for path, text in case.files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    with place.connect(autocommit=False) as connection:
        for statement in f"{case.create or MADE[name]};{case.rows}".split(";"):
            connection.execute(statement.encode())
        settings = Settings(migrations=case.settings)
        plan = make_plan(connection, settings, tmp_path, steps=2, count_losses=False)
        connection.rollback()
    assert plan.framework == name
    newer, older = plan.migrations
    assert (older.version, newer.version) == case.versions
    assert newer.script is None and not newer.capturable
    assert "the code that is checked out here is not the code" in newer.why_no_script.lower()
    if name in CODE:
        assert older.script is None and older.capturable
        assert "rollback-tui capture" in older.why_no_script
    else:
        assert older.script is not None and not older.script.statements
        assert older.script.nothing_to_undo == ""
        assert "has no effective statement in its down part" in older.why_no_script


def test_every_tool_with_down_migrations_is_tested() -> None:
    known = {name for name, framework in FRAMEWORKS.items() if framework.kind != "none"}
    assert known == {*IN_FILES, *CODE, *ELSEWHERE}
