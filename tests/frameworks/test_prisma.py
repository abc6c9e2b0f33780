"""Prisma against what was recorded of version 6 and its engine's source, stated here independently.

Recorded: after ``DELETE`` of the row, ``prisma migrate status`` says that the migration has not
been applied, and ``migrate deploy`` applies it again; setting ``rolled_back_at`` makes it wrong.
"""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path

import pytest

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.plan import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.prisma import Prisma
from rollback_tui.frameworks.protocol import TableShape, VersionTable
from tests.conftest import Database
from tests.frameworks.agreement import rolled_back, rows

FRAMEWORK = Prisma()
TABLE = VersionTable(schema="public", name="_prisma_migrations")
CREATE = """
    CREATE TABLE _prisma_migrations (
        id                      VARCHAR(36) PRIMARY KEY NOT NULL,
        checksum                VARCHAR(64) NOT NULL,
        finished_at             TIMESTAMPTZ,
        migration_name          VARCHAR(255) NOT NULL,
        logs                    TEXT,
        rolled_back_at          TIMESTAMPTZ,
        started_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
        applied_steps_count     INTEGER NOT NULL DEFAULT 0
    )
"""
USERS, ORDERS, EMAIL = "20260101000000_users", "20260102000000_late_orders", "20260103000000_email"
FILES = {
    USERS: ("CREATE TABLE users (id int);", "DROP TABLE users;"),
    ORDERS: ("CREATE TABLE orders (id int);", "DROP TABLE orders;"),
    EMAIL: ("ALTER TABLE users ADD email text;\r\n", "ALTER TABLE users DROP email;"),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, (up, down) in FILES.items():
        place = tmp_path / "prisma" / "migrations" / name
        place.mkdir(parents=True)
        (place / "migration.sql").write_bytes(up.encode())
        (place / "down.sql").write_text(down)
    (tmp_path / "prisma" / "migrations" / "migration_lock.toml").touch()
    (tmp_path / "prisma" / "schema.prisma").touch()
    return tmp_path


def begin(database: Database, name: str, *, run: bool = True, then: str = "finished_at") -> None:
    """Enter that ``name`` was started, and then finished or rolled back; as the engine does."""
    with database.connect() as connection:
        if run:
            connection.execute(FILES[name][0])
        connection.execute(
            "INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at,"
            " applied_steps_count) VALUES (%s, %s, %s, clock_timestamp(), %s)",
            [
                str(uuid.uuid4()),
                hashlib.sha256(FILES[name][0].encode()).hexdigest(),
                name,
                int(then == "finished_at"),
            ],
        )
        if then:
            connection.execute(
                f"UPDATE _prisma_migrations SET {then} = clock_timestamp()"
                " WHERE migration_name = %s AND rolled_back_at IS NULL",
                [name],
            )


def names(database: Database, table: str = "public._prisma_migrations") -> list[object]:
    return sorted(str(row["migration_name"]) for row in rows(database, table))


def test_the_version_table_is_known_by_its_shape() -> None:
    kinds = {
        "id": "character varying",
        "checksum": "character varying(64)",
        "finished_at": "timestamp with time zone",
        "migration_name": "character varying",
        "logs": "text",
        "rolled_back_at": "timestamp with time zone",
        "started_at": "timestamp with time zone",
        "applied_steps_count": "integer",
    }
    columns = tuple(kinds.items())
    for chosen, recognised in ((columns, True), (columns[:-1], False)):
        shape = TableShape(schema="x", name="y", columns=chosen, primary_key=("id",))
        assert FRAMEWORK.recognises(shape) is recognised


def test_what_was_started_last_goes_first_and_its_row_is_gone(
    database: Database, project: Path
) -> None:
    with database.connect() as connection:
        connection.execute(CREATE)
    begin(database, USERS)
    begin(database, EMAIL)
    begin(database, ORDERS, run=False, then="rolled_back_at")  # it failed at first
    begin(database, ORDERS)
    before = rows(database, "public._prisma_migrations")
    with database.connect() as prisma:
        prisma.execute("SELECT pg_advisory_lock(72707369)")
        with pytest.raises(AssertionError, match="its lock is taken"):
            rolled_back(database, project)
    plan = rolled_back(database, project, steps=2)
    assert [(m.version, m.name) for m in plan.migrations] == [
        (ORDERS, "late_orders"),
        (EMAIL, "email"),
    ]
    assert all(m.applied_at for m in plan.migrations)
    assert plan.goal == USERS
    assert plan.stale_files == (str(project / "prisma" / "schema.prisma"),)
    assert names(database) == [USERS, ORDERS]  # the attempt that failed is history

    with database.connect() as connection:
        for migration in reversed(plan.migrations):
            again = next(m for m in plan.applied if m.version == migration.version)
            up = FRAMEWORK.up(again, project / "prisma" / "migrations")
            assert isinstance(up, Source)
            connection.execute(up.data)
            for change in FRAMEWORK.applied_change(TABLE, again):
                connection.execute(change)
    different = ("id", "started_at", "finished_at", "rolled_back_at")

    def plain(given: list[dict[str, object]]) -> list[str]:
        return sorted(repr({k: v for k, v in row.items() if k not in different}) for row in given)

    assert plain(rows(database, "public._prisma_migrations")) == plain(before)
    assert rolled_back(database, project).migrations[0].version == ORDERS


def test_a_migration_that_did_not_finish_stops_everything(
    database: Database, project: Path
) -> None:
    with database.connect() as connection:
        connection.execute("CREATE SCHEMA ops")
        connection.execute(f"ALTER ROLE {database.owner} SET search_path = ops")
    with database.connect() as connection:
        connection.execute(CREATE)
    begin(database, USERS)
    begin(database, EMAIL, run=False, then="")
    with pytest.raises(FrameworkError, match=f"resolve --applied {EMAIL}` or `--rolled-back"):
        rolled_back(database, project)
    with database.connect() as connection:
        connection.execute("DELETE FROM _prisma_migrations WHERE finished_at IS NULL")
        connection.execute(f"ALTER ROLE {database.owner} RESET search_path")
    with pytest.raises(FrameworkError, match="its version table, ops, first in search_path"):
        rolled_back(database, project)
    with database.connect() as connection:
        connection.execute(f"ALTER ROLE {database.owner} SET search_path = ops")
    rolled_back(database, project)
    assert names(database, "ops._prisma_migrations") == []


def test_without_a_down_file_it_is_said_what_can_be_done(project: Path) -> None:
    directory = project / "prisma" / "migrations"
    (directory / EMAIL / "down.sql").unlink()
    applied = AppliedMigration(
        version=EMAIL, name="email", path=str(directory / EMAIL / "migration.sql")
    )
    missing = FRAMEWORK.down(applied, directory)
    assert not isinstance(missing, Source)
    assert missing.why.startswith(f"{EMAIL} has no down.sql, and Prisma has no down migrations")
    for way in ("`prisma migrate diff`", "--script FILE", "backup", "forward"):
        assert way in missing.why
    gone = FRAMEWORK.down(AppliedMigration(version="20250101000000_x", name="x"), directory)
    assert not isinstance(gone, Source)
    assert "no file in" in gone.why


def test_directories_are_migrations_by_what_is_in_them(project: Path) -> None:
    directory = project / "prisma" / "migrations"
    (directory / "20260104000000_empty").mkdir()
    (directory / EMAIL / "migration.sql").unlink()
    (directory / USERS / "down.sql").unlink()
    assert [
        (f.version, Path(f.path).name, f.down_path is None) for f in FRAMEWORK.files(directory)
    ] == [
        (USERS, "migration.sql", True),
        (ORDERS, "migration.sql", False),
        (EMAIL, "down.sql", False),
    ]
