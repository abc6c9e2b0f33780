"""sqlx against its source, stated here independently.

``revert`` of its PostgreSQL driver is, in one transaction unless the file begins with
``-- no-transaction``::

    (V_name.down.sql)
    DELETE FROM _sqlx_migrations WHERE version = $1

after ``SELECT version … WHERE success = false``, which must give nothing. Its lock is
``pg_advisory_lock(0x3d32ad9e * crc32(current_database()))``.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from rollback_tui.config import Migrations
from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.plan import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.protocol import TableShape, VersionTable
from rollback_tui.frameworks.sqlx import Sqlx, lock_key
from tests.conftest import Database
from tests.frameworks.agreement import rolled_back, rows
from tests.frameworks.test_golang_migrate import crc32

FRAMEWORK = Sqlx()
CREATE = """
    CREATE TABLE IF NOT EXISTS {} (
        version BIGINT PRIMARY KEY,
        description TEXT NOT NULL,
        installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),
        success BOOLEAN NOT NULL,
        checksum BYTEA NOT NULL,
        execution_time BIGINT NOT NULL
    )
"""
FILES = {
    "1_users.up.sql": "CREATE TABLE users (id int);",
    "1_users.down.sql": "DROP TABLE users;",
    "0009_late_orders.up.sql": "CREATE TABLE orders (id int);",
    "0009_late_orders.down.sql": "DROP TABLE orders;",
    "10_email.up.sql": "ALTER TABLE users ADD email text;\r\n",
    "10_email.down.sql": "ALTER TABLE users DROP email;\r\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "migrations").mkdir()
    for name, text in FILES.items():
        (tmp_path / "migrations" / name).write_bytes(text.encode())
    return tmp_path


def apply(database: Database, order: list[str], table: str = "_sqlx_migrations") -> None:
    """Apply ``order`` as sqlx does."""
    with database.connect() as connection:
        connection.execute(CREATE.format(table))
        for name in order:
            version, _, title = name.removesuffix(".up.sql").partition("_")
            connection.execute(FILES[name])
            connection.execute(
                f"INSERT INTO {table} (version, description, success, checksum, execution_time)"
                " VALUES (%s, %s, true, %s, -1)",
                [
                    int(version),
                    title.replace("_", " "),
                    hashlib.sha384(FILES[name].encode()).digest(),
                ],
            )


def test_the_version_table_is_known_by_its_shape() -> None:
    columns = (
        ("version", "bigint"),
        ("description", "text"),
        ("installed_on", "timestamp with time zone"),
        ("success", "boolean"),
        ("checksum", "bytea"),
        ("execution_time", "bigint"),
    )
    for chosen, recognised in ((columns, True), (columns[:-1], False)):
        shape = TableShape(schema="x", name="y", columns=chosen, primary_key=("version",))
        assert FRAMEWORK.recognises(shape) is recognised


def test_two_steps_leave_what_sqlx_leaves(database: Database, project: Path) -> None:
    """The highest number goes first, also where a lower one was applied after it."""
    apply(database, ["1_users.up.sql", "10_email.up.sql", "0009_late_orders.up.sql"])
    before = rows(database, "public._sqlx_migrations", ignoring=["installed_on"])
    with database.connect() as holder:
        # As its library computes it from the name of the database.
        key = 0x3D32AD9E * crc32(database.name.encode())
        holder.execute("SELECT pg_advisory_lock(%s)", [key])
        with pytest.raises(AssertionError, match="its lock is taken"):
            rolled_back(database, project)
    plan = rolled_back(database, project, steps=2)
    assert [(m.version, m.name) for m in plan.migrations] == [("10", "email"), ("9", "late_orders")]
    assert all(m.applied_at for m in plan.migrations)
    left = rows(database, "public._sqlx_migrations")
    assert [row["version"] for row in left] == [1]

    with database.connect() as connection:
        for migration in reversed(plan.migrations):
            again = next(m for m in plan.applied if m.version == migration.version)
            up = FRAMEWORK.up(again, project / "migrations")
            assert isinstance(up, Source)
            connection.execute(up.data)
            table = VersionTable(schema="public", name="_sqlx_migrations")
            for change in FRAMEWORK.applied_change(table, again):
                connection.execute(change)
    assert rows(database, "public._sqlx_migrations", ignoring=["installed_on"]) == before


def test_a_failed_migration_stops_everything(database: Database, project: Path) -> None:
    """In a table of another name, in another schema."""
    database.connect().execute("CREATE SCHEMA ops")
    apply(database, ["1_users.up.sql", "10_email.up.sql"], 'ops."Its table"')
    settings = Migrations(framework="sqlx", table='ops."Its table"')
    with database.connect() as connection:
        connection.execute('UPDATE ops."Its table" SET success = false WHERE version = 1')
    with pytest.raises(FrameworkError, match="Version 1 is marked as not successful"):
        rolled_back(database, project, migrations=settings)
    with database.connect() as connection:
        connection.execute('UPDATE ops."Its table" SET success = true')
    rolled_back(database, project, migrations=settings)
    assert [row["version"] for row in rows(database, "ops.Its table")] == [1]


def test_an_empty_way_back_is_none(database: Database, project: Path) -> None:
    """sqlx itself would take the version away and leave the schema."""
    apply(database, ["1_users.up.sql"])
    down = project / "migrations" / "1_users.down.sql"
    down.write_text("-- Add down migration script here\n")
    with pytest.raises(AssertionError, match="has no effective statement in its down part"):
        rolled_back(database, project)
    down.unlink()
    with pytest.raises(AssertionError, match=r"version 1 has no \.down\.sql file"):
        rolled_back(database, project)
    assert [row["version"] for row in rows(database, "public._sqlx_migrations")] == [1]


def test_files_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    for name in (
        "9_nine.up.sql",
        "0009_nine.down.sql",
        "10_simple.sql",
        "11_only.down.sql",
        "x_y.sql",
        "12.sql",
        "99999999999999999999_large.sql",
        "13_a.txt",
    ):
        (tmp_path / name).touch()
    assert [
        (f.version, f.name, Path(f.path).name, f.down_path and Path(f.down_path).name)
        for f in FRAMEWORK.files(tmp_path)
    ] == [
        ("9", "nine", "9_nine.up.sql", "0009_nine.down.sql"),
        ("10", "simple", "10_simple.sql", None),
        ("11", "only", "11_only.down.sql", "11_only.down.sql"),
    ]
    (tmp_path / "010_again.up.sql").touch()
    with pytest.raises(FrameworkError, match="are both the up migration of version 10"):
        FRAMEWORK.files(tmp_path)


def found(version: str, directory: Path, *, up: bool = False) -> Source | str:
    applied = AppliedMigration(version=version, name="")
    source = FRAMEWORK.up(applied, directory) if up else FRAMEWORK.down(applied, directory)
    return source if isinstance(source, Source) else source.why


@pytest.mark.parametrize(
    ("text", "transactional"),
    [
        ("-- no-transaction\nDROP INDEX a;", False),
        ("-- no-transaction, for it is long\r\nDROP INDEX a;", False),
        ("--no-transaction\nDROP INDEX a;", True),
        (" -- no-transaction\nDROP INDEX a;", True),
        ("\ufeff-- no-transaction\nDROP INDEX a;", True),
        ("-- NO-TRANSACTION\nDROP INDEX a;", True),
        ("DROP INDEX a;\n-- no-transaction", True),
    ],
)
def test_the_mark_is_the_very_first_bytes_of_the_down_file(
    text: str, transactional: bool, tmp_path: Path
) -> None:
    (tmp_path / "1_a.up.sql").write_text("-- no-transaction\nSELECT 1;")
    (tmp_path / "1_a.down.sql").write_bytes(text.encode())
    source = found("1", tmp_path)
    assert isinstance(source, Source)
    assert source.transactional is transactional
    assert source.data == text.encode()
    up = found("1", tmp_path, up=True)
    assert isinstance(up, Source)
    assert not up.transactional


def test_what_has_no_way_back_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "1_a.sql").touch()
    (tmp_path / "2_b.up.sql").touch()
    (tmp_path / "3_c.down.sql").touch()
    simple = "version 1 has no .down.sql file beside 1_a.sql: it is a simple migration"
    assert found("1", tmp_path) == simple
    assert found("2", tmp_path) == "version 2 has no .down.sql file beside 2_b.up.sql"
    assert found("3", tmp_path, up=True) == "version 3 has no .up.sql file beside 3_c.down.sql"
    assert "no file in" in str(found("4", tmp_path))


def test_what_its_macros_know_of_the_schema_is_stale(tmp_path: Path) -> None:
    directory = tmp_path / "migrations"
    (tmp_path / ".sqlx").mkdir()
    assert FRAMEWORK.stale_files(directory) == (str(tmp_path / ".sqlx"),)


def test_the_key_of_the_lock_fits_into_a_bigint() -> None:
    assert lock_key("shop") == 0x3D32AD9E * crc32(b"shop")
    assert 0 < 0x3D32AD9E * 0xFFFFFFFF < 2**63
