"""refinery: numbers, not text, and a history in RFC 3339."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from rollback_tui.config import Migrations, Settings
from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.protocol import Missing, VersionTable
from rollback_tui.frameworks.refinery import Refinery
from rollback_tui.survey.planning import make_plan
from tests.conftest import Database
from tests.frameworks.agreement import rolled_back, rows

FRAMEWORK = Refinery()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "migrations" / "more").mkdir(parents=True)
    for name in ("V1__users.sql", "V2__email.sql", "more/U10__orders.sql", "V3__x.rs", "V4_no.sql"):
        (tmp_path / "migrations" / name).write_text("SELECT 1;\n")
    return tmp_path


def entered(database: Database, *versions: int, schema: str = "public") -> None:
    """The table and its rows, as refinery makes them."""
    with database.connect() as connection:
        connection.execute(
            f"CREATE SCHEMA IF NOT EXISTS {schema};"
            f"CREATE TABLE IF NOT EXISTS {schema}.refinery_schema_history(version INT4 PRIMARY KEY,"
            " name VARCHAR(255), applied_on VARCHAR(255), checksum VARCHAR(255));"
        )
        for version in versions:
            connection.execute(
                f"INSERT INTO {schema}.refinery_schema_history VALUES"
                f" ({version}, 'm{version}', '2024-03-01T02:03:04.123456789Z', '1{version}')"
            )


def test_the_highest_number_goes_first(database: Database, directory: Path) -> None:
    entered(database, 10, 1, 2, schema="elsewhere")
    plan = make_plan(database.connect(), Settings(), directory)
    assert [m.version for m in plan.applied] == ["10", "2", "1"]
    assert plan.applied[0].applied_at == datetime(2024, 3, 1, 2, 3, 4, 123456, tzinfo=UTC)
    why = plan.migrations[0].why_no_script
    assert why.startswith("refinery has no down migrations") and "refinery migrate" in why
    assert "--script FILE" in why and "checkpoint restore" in why

    (directory / "back.sql").write_text("SELECT 1;\n")
    before = rows(database, "elsewhere.refinery_schema_history")
    rolled_back(database, directory, migrations=Migrations(script="back.sql"))
    left = rows(database, "elsewhere.refinery_schema_history")
    assert left == [row for row in before if row["version"] != 10]


def test_files_below_and_those_in_rust(directory: Path) -> None:
    files = FRAMEWORK.files(directory / "migrations")
    assert [(f.version, f.name) for f in files] == [
        ("1", "users"),
        ("2", "email"),
        ("3", "x"),
        ("10", "orders"),
    ]
    ups = [
        FRAMEWORK.up(
            AppliedMigration(version=f.version, name="", path=f.path), directory / "migrations"
        )
        for f in files
    ]
    assert [isinstance(up, Source) for up in ups] == [True, True, False, True]
    assert isinstance(ups[2], Missing) and "Rust" in ups[2].why
    change = FRAMEWORK.applied_change(
        VersionTable(schema="public", name="refinery_schema_history"),
        AppliedMigration(version="1", name=""),
    )
    assert change == (), "a checksum that only it makes"


def test_a_time_that_is_none_is_unknown() -> None:
    history = FRAMEWORK.history([(1, "a", "soon"), (0, None, "2024-03-01 02:03:04")], ())
    assert [m.applied_at for m in history.applied] == [None, None]
