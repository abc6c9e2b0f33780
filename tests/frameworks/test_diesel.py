"""Diesel against its source, stated here independently.

``setup_migration_table.sql`` makes the table; ``revert_migration`` is, in one transaction::

    (down.sql)
    DELETE FROM __diesel_schema_migrations WHERE version = $1

and what it takes is the first of ``SELECT version … ORDER BY version DESC``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.plan import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.diesel import Diesel
from rollback_tui.frameworks.protocol import TableShape, VersionTable
from tests.conftest import Database
from tests.frameworks.agreement import rolled_back, rows

FRAMEWORK = Diesel()
TABLE = "__diesel_schema_migrations"
CREATE = f"""
    CREATE TABLE IF NOT EXISTS {TABLE} (
        version VARCHAR(50) PRIMARY KEY NOT NULL,
        run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
    );
"""
FILES = {
    "00000000000000_diesel_initial_setup": (
        "CREATE FUNCTION nine() RETURNS int LANGUAGE sql AS $$ SELECT 9 $$;",
        "DROP FUNCTION IF EXISTS nine();",
    ),
    "2026-01-01-000000_users": ("CREATE TABLE users (id int);", "DROP TABLE users;"),
    "2026-01-02-000000_late_orders": ("CREATE TABLE orders (id int);", "DROP TABLE orders;"),
    "2026-01-03-000000_email": (
        "ALTER TABLE users ADD email text;",
        "ALTER TABLE users DROP email",
    ),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, scripts in FILES.items():
        write(tmp_path / "migrations" / name, *scripts)
    return tmp_path


def write(directory: Path, up: str | None, down: str | None) -> Path:
    directory.mkdir(parents=True)
    for name, text in (("up", up), ("down", down)):
        if text is not None:
            (directory / f"{name}.sql").write_text(text)
    return directory


def apply(database: Database, order: list[str]) -> None:
    """Apply ``order`` as Diesel does, in a session whose time zone is UTC."""
    with database.connect() as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        connection.execute(CREATE)
        for name in order:
            connection.execute(FILES[name][0])
            version = name.split("_")[0].replace("-", "")
            connection.execute(f"INSERT INTO {TABLE} (version) VALUES (%s)", [version])


def left(database: Database, table: str = f"public.{TABLE}") -> list[object]:
    return [row["version"] for row in rows(database, table)]


def test_the_version_table_is_known_by_its_shape() -> None:
    columns = (
        ("version", "character varying(50)"),
        ("run_on", "timestamp without time zone"),
    )
    shape = TableShape(schema="public", name=TABLE, columns=columns, primary_key=("version",))
    assert FRAMEWORK.recognises(shape)
    assert not FRAMEWORK.recognises(
        TableShape(schema="public", name=TABLE, columns=columns[:1], primary_key=("version",))
    )


def test_two_steps_leave_what_diesel_leaves(database: Database, project: Path) -> None:
    """The highest version goes first, whenever it was applied: here the one before it came late."""
    names = list(FILES)
    apply(database, [names[0], names[1], names[3], names[2]])
    with database.connect() as connection:
        connection.execute(f"ALTER DATABASE {database.name} SET TimeZone = 'Asia/Tokyo'")
    plan = rolled_back(database, project, steps=2)
    assert [(m.version, m.name) for m in plan.migrations] == [
        ("20260103000000", "email"),
        ("20260102000000", "late_orders"),
    ]
    ages = [datetime.now(UTC) - m.applied_at for m in plan.applied if m.applied_at]
    assert len(ages) == 4
    assert all(abs(age) < timedelta(minutes=10) for age in ages)
    assert left(database) == ["00000000000000", "20260101000000"]
    assert plan.goal == "20260101000000"

    with database.connect() as connection:
        for migration in reversed(plan.migrations):
            again = next(m for m in plan.applied if m.version == migration.version)
            up = FRAMEWORK.up(again, project / "migrations")
            assert isinstance(up, Source)
            connection.execute(up.data)
            for change in FRAMEWORK.applied_change(
                VersionTable(schema="public", name=TABLE), again
            ):
                connection.execute(change)
        first = connection.execute(
            f"SELECT bool_and(run_on < now() AT TIME ZONE 'UTC' + interval '1 minute') FROM {TABLE}"
        ).fetchone()
    assert first == (True,)
    assert rolled_back(database, project, steps=4).goal is None
    assert left(database) == []
    with database.connect() as connection:
        assert connection.execute("SELECT to_regproc('nine')").fetchone() == (None,)


def test_a_table_in_another_schema_is_only_taken_where_names_mean_the_same(
    database: Database, project: Path
) -> None:
    with database.connect() as connection:
        connection.execute('CREATE SCHEMA "Ops"')
        connection.execute(f'ALTER ROLE {database.owner} SET search_path = "Ops", public')
    apply(database, list(FILES)[:2])
    with database.connect() as connection:
        connection.execute(f"ALTER ROLE {database.owner} RESET search_path")
    with pytest.raises(FrameworkError, match='its version table, "Ops", first in search_path'):
        rolled_back(database, project)
    with database.connect() as connection:
        connection.execute(f'ALTER ROLE {database.owner} SET search_path = "Ops", public')
    assert [m.version for m in rolled_back(database, project).migrations] == ["20260101000000"]
    assert left(database, f"Ops.{TABLE}") == ["00000000000000"]


def found(directory: Path, name: str) -> Source | str:
    path = str(directory / name / "up.sql")
    applied = AppliedMigration(version=name.split("_")[0], name="", path=path)
    source = FRAMEWORK.down(applied, directory)
    return source if isinstance(source, Source) else source.why


@pytest.mark.parametrize(
    ("metadata", "transactional"),
    [
        ("run_in_transaction = false", False),
        ("run_in_transaction = true\r\n", True),
        ("# nothing\n", False),  # a bool that is not there is false to its reader
        ("run_in_transaction = 0", True),  # what cannot be read counts as no file
        ("run_in_transaction = False", True),
        ('other = "x"\nrun_in_transaction = false', False),
        (None, True),
    ],
)
def test_metadata_is_read_as_diesel_reads_it(
    metadata: str | None, transactional: bool, tmp_path: Path
) -> None:
    place = write(tmp_path / "1_x", "SELECT 1;", "SELECT 2;")
    if metadata is not None:
        (place / "metadata.toml").write_text(metadata)
    source = found(tmp_path, "1_x")
    assert isinstance(source, Source)
    assert source.transactional is transactional
    assert source.data == b"SELECT 2;"


def test_directories_without_scripts_are_none_of_its_own(tmp_path: Path) -> None:
    write(tmp_path / "2_only_up", "SELECT 1;", None)
    write(tmp_path / "10-1_a_b", None, "SELECT 1;")
    write(tmp_path / "3_empty", None, None)
    write(tmp_path / ".hidden", "SELECT 1;", "SELECT 1;")
    (tmp_path / "4_file.sql").touch()
    assert [(f.version, f.name, f.down_path is None) for f in FRAMEWORK.files(tmp_path)] == [
        ("101", "a_b", False),
        ("2", "only_up", True),
    ]
    assert found(tmp_path, "2_only_up") == "2_only_up has no down.sql, so Diesel refuses it too"
    write(tmp_path / "1-01_again", "SELECT 1;", None)
    with pytest.raises(FrameworkError, match="have the same version 101"):
        FRAMEWORK.files(tmp_path)


def test_a_version_that_only_the_database_knows(tmp_path: Path) -> None:
    past = FRAMEWORK.history([("3", datetime(2026, 1, 1), None)], ())
    assert past.applied[0].applied_at == datetime(2026, 1, 1, tzinfo=UTC)
    missing = FRAMEWORK.down(past.applied[0], tmp_path)
    assert not isinstance(missing, Source)
    assert "has version 3; the code that is checked out here" in missing.why


@pytest.mark.parametrize(
    "text",
    [
        '[print_schema]\nfile = "src/schema.rs"',
        '[print_schema.one]\nfile = "src/schema.rs"\n[print_schema.two]\nfile = "src/gone.rs"',
    ],
)
def test_the_schema_in_rust_is_stale_afterwards(text: str, tmp_path: Path) -> None:
    directory = tmp_path / "migrations"
    directory.mkdir()
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "schema.rs").touch()
    assert FRAMEWORK.stale_files(directory) == ()
    (tmp_path / "diesel.toml").write_text(text)
    assert FRAMEWORK.stale_files(directory) == (str(tmp_path / "src" / "schema.rs"),)
    (tmp_path / "diesel.toml").write_text("not = [toml")
    assert FRAMEWORK.stale_files(directory) == ()
