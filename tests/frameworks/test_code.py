"""Tools whose migrations are code: what their tables say, read from the server."""

from __future__ import annotations

from pathlib import Path

import msgspec
import psycopg
import pytest

from rollback_tui.config import Migrations, Settings
from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import AppliedMigration
from rollback_tui.frameworks.protocol import History, Missing, VersionTable
from rollback_tui.frameworks.registry import FRAMEWORKS
from rollback_tui.survey.applied import detected, history
from tests.conftest import Database
from tests.frameworks.test_golang_migrate import crc32

KNEX = """
CREATE TABLE {0}knex_migrations (id serial PRIMARY KEY, name varchar(255), batch integer,
    migration_time timestamptz);
CREATE TABLE {0}knex_migrations_lock (index serial PRIMARY KEY, is_locked integer);
INSERT INTO {0}knex_migrations_lock (is_locked) VALUES (0);
"""
RAILS = """
CREATE TABLE schema_migrations (version varchar NOT NULL PRIMARY KEY);
CREATE TABLE ar_internal_metadata (key varchar NOT NULL PRIMARY KEY, value varchar);
"""
SEQUELIZE = 'CREATE TABLE "SequelizeMeta" (name varchar(255) NOT NULL UNIQUE PRIMARY KEY);'
TYPEORM = """
CREATE TABLE migrations (id serial PRIMARY KEY, "timestamp" bigint NOT NULL,
    name varchar NOT NULL);
"""


def project(path: Path, *files: str) -> Path:
    for name in files:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).touch()
    return path


def read(database: Database, where: Path, **wanted: str) -> tuple[str, History]:
    """Recognise, and read the history, as the plan does."""
    settings = Settings(migrations=msgspec.convert(wanted, Migrations))
    connection = database.connect()
    found = detected(connection, settings, where)
    return found.framework, history(connection, found)


def test_rails_is_told_from_dbmate_by_what_stands_beside(
    database: Database, tmp_path: Path
) -> None:
    files = ("db/migrate/20_b.rb", "db/migrate/100_c.shop.rb", "db/migrate/3_a.rb")
    project(tmp_path, *files, "db/migrations/3_a.sql")
    database.connect().execute(
        RAILS + "INSERT INTO schema_migrations VALUES ('20'), ('100'), ('7')"
    )
    name, past = read(database, tmp_path)
    assert name == "rails"
    # As numbers; 7 is in the database only, and stands where it would.
    assert [m.version for m in past.applied] == ["100", "20", "7"]
    assert [m.path and Path(m.path).name for m in past.applied] == [
        "100_c.shop.rb",
        "20_b.rb",
        None,
    ]
    down = FRAMEWORKS["rails"].down(past.applied[2], tmp_path / "db/migrate")
    assert isinstance(down, Missing)
    assert "no file" in down.why


def test_the_lock_of_rails(database: Database) -> None:
    """``Zlib.crc32(current_database) * 2053462845`` (ActiveRecord's ``Migrator``)."""
    table = VersionTable(schema="public", name="schema_migrations")
    sql = FRAMEWORKS["rails"].lock_sql(database.name, table)
    assert sql is not None
    assert database.connect().execute(sql.encode()).fetchone() == (True,)
    tool = database.connect()
    theirs = "SELECT pg_try_advisory_lock(%s)"
    key = crc32(database.name.encode()) * 2053462845
    assert tool.execute(theirs, [key]).fetchone() == (False,)
    assert tool.execute(theirs, [key + 1]).fetchone() == (True,)


def test_knex_goes_by_id_and_knows_the_times(database: Database, tmp_path: Path) -> None:
    project(tmp_path, "migrations/2_b.js", "migrations/1_a.ts", "migrations/knexfile.txt")
    database.connect().execute(
        KNEX.format("") + "INSERT INTO knex_migrations (name, batch, migration_time)"
        " VALUES ('2_b.js', 1, '2024-01-01 10:00+00'), ('1_a.ts', 2, '2024-01-02 10:00+00')"
    )
    name, past = read(database, tmp_path)
    assert name == "knex"
    assert [m.version for m in past.applied] == ["1_a.ts", "2_b.js"]  # applied out of order
    assert past.applied[0].applied_at is not None
    assert past.applied[0].applied_at.isoformat().startswith("2024-01-02")
    assert not past.problem


def test_a_taken_lock_of_knex_is_explained(database: Database, tmp_path: Path) -> None:
    project(tmp_path, "migrations/1_a.js")
    database.connect().execute(
        KNEX.format("") + "INSERT INTO knex_migrations (name, batch) VALUES ('1_a.js', 1);"
        "UPDATE knex_migrations_lock SET is_locked = 1"
    )
    assert "knex migrate:unlock" in read(database, tmp_path)[1].problem


def test_knex_in_another_schema(database: Database, tmp_path: Path) -> None:
    project(tmp_path, "migrations/1_a.js")
    database.connect().execute(
        'CREATE SCHEMA "Ops";' + KNEX.format('"Ops".') + 'INSERT INTO "Ops".knex_migrations'
        " (name, batch) VALUES ('1_a.js', 1)"
    )
    name, past = read(database, tmp_path)
    table = VersionTable(schema="Ops", name="knex_migrations")
    framework = FRAMEWORKS[name]
    database.connect().execute(framework.version_change(table, past.applied[0], None)[0].encode())
    assert read(database, tmp_path)[1].applied == ()
    _a_knex_that_starts_meanwhile_waits(database, framework.transaction_lock(table))
    database.connect().execute(framework.applied_change(table, past.applied[0])[0].encode())
    assert [m.version for m in read(database, tmp_path)[1].applied] == ["1_a.js"]


def _a_knex_that_starts_meanwhile_waits(database: Database, lock: tuple[str, ...]) -> None:
    """Its own statement (``Migrator._lockMigrations``): no row changed means that it is taken."""
    ours, tool = database.connect(autocommit=False), database.connect()
    assert [ours.execute(statement.encode()).fetchall() for statement in lock] == [[(0,)]]
    take = 'UPDATE "Ops".knex_migrations_lock SET is_locked = 1 WHERE is_locked = 0'
    tool.execute("SET lock_timeout = '50ms'")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        tool.execute(take)
    ours.commit()
    assert tool.execute(take).rowcount == 1


def test_sequelize_goes_by_the_bytes_of_the_name(database: Database, tmp_path: Path) -> None:
    project(tmp_path, "migrations/9-b.js", "migrations/10-a.js", "migrations/types.d.ts")
    database.connect().execute(
        SEQUELIZE + "INSERT INTO \"SequelizeMeta\" VALUES ('10-a.js'), ('9-b.js'), ('B.js')"
    )
    name, past = read(database, tmp_path)
    assert name == "sequelize"
    assert [m.version for m in past.applied] == ["B.js", "9-b.js", "10-a.js"]
    assert [m.path is None for m in past.applied] == [True, False, False]
    assert past.applied[0].applied_at is None


def test_sequelize_with_timestamps_in_another_schema(database: Database, tmp_path: Path) -> None:
    """``migrationStorageTableSchema``, and the columns of a model with ``timestamps: true``."""
    project(tmp_path, "migrations/1-a.js")
    connection = database.connect()
    connection.execute(
        'CREATE SCHEMA "Ops"; CREATE TABLE "Ops"."SequelizeMeta" (name varchar(255) PRIMARY KEY,'
        ' "createdAt" timestamptz NOT NULL, "updatedAt" timestamptz NOT NULL)'
    )
    table = VersionTable(
        schema="Ops", name="SequelizeMeta", columns=("name", "createdAt", "updatedAt")
    )
    framework, one = FRAMEWORKS["sequelize"], AppliedMigration(version="1-a.js", name="")
    for statement in framework.applied_change(table, one):
        connection.execute(statement.encode(), binary=True)
    name, past = read(database, tmp_path)
    assert (name, [m.version for m in past.applied]) == ("sequelize", ["1-a.js"])
    assert past.applied[0].applied_at is not None
    for statement in framework.version_change(table, past.applied[0], None):
        connection.execute(statement.encode(), binary=True)
    assert read(database, tmp_path)[1].applied == ()


def test_typeorm_is_told_from_others_with_a_table_migrations(
    database: Database, tmp_path: Path
) -> None:
    project(tmp_path, "src/migrations/1700000001000-Email.ts", "src/migrations/x.d.ts")
    database.connect().execute(
        TYPEORM + 'INSERT INTO migrations ("timestamp", name) VALUES'
        " (1700000001000, 'Email1700000001000'), (1600000000000, 'Late1600000000000')"
    )
    name, past = read(database, tmp_path)
    assert name == "typeorm"
    assert [m.version for m in past.applied] == ["Late1600000000000", "Email1700000001000"]
    assert past.applied[1].name == "Email"
    assert past.applied[0].path is None


def test_typeorm_and_rails_in_another_schema(database: Database, tmp_path: Path) -> None:
    """What is done to their tables with a script that is given by hand."""
    project(tmp_path, "migrations/1700000001000-A.js", "db/migrate/2_b.rb")
    connection = database.connect()
    connection.execute('CREATE SCHEMA "Ops"; SET search_path TO "Ops"')
    connection.execute(TYPEORM)
    connection.execute(RAILS)
    connection.execute("RESET search_path")
    for name, title, version in (
        ("typeorm", "migrations", "A1700000001000"),
        ("rails", "schema_migrations", "2"),
    ):
        framework, table = FRAMEWORKS[name], VersionTable(schema="Ops", name=title)
        one = AppliedMigration(version=version, name="")
        for statement in framework.applied_change(table, one):
            connection.execute(statement.encode(), binary=True)
        found, past = read(database, tmp_path, framework=name)
        assert (found, [m.version for m in past.applied]) == (name, [version])
        assert past.applied[0].path is not None and past.applied[0].applied_at is None
        for statement in framework.version_change(table, past.applied[0], None):
            connection.execute(statement.encode(), binary=True)
        assert read(database, tmp_path, framework=name)[1].applied == ()


def test_any_other_tool_by_configuration(database: Database, tmp_path: Path) -> None:
    project(tmp_path, "db/migrate/v9_first.py", "db/migrate/v10_second.py", "db/migrate/.hidden")
    database.connect().execute(
        "CREATE TABLE done (v text, at timestamptz);"
        "INSERT INTO done VALUES ('v9', '2024-01-02'), ('v10', '2024-01-01'), ('v1', '2023-01-01')"
    )
    wanted = {"framework": "other", "table": "done", "version_column": "v"}
    name, past = read(database, tmp_path, **wanted)
    assert name == "other"
    assert [m.version for m in past.applied] == ["v10", "v9", "v1"]  # numbers as numbers
    assert [m.name for m in past.applied] == ["v10_second.py", "v9_first.py", ""]
    timed = read(database, tmp_path, **wanted, time_column="at")[1]
    assert [m.version for m in timed.applied] == ["v9", "v10", "v1"]
    assert timed.applied[0].applied_at is not None and past.applied[0].applied_at is None


@pytest.mark.parametrize("column", ["", "V"])
def test_of_any_other_tool_the_column_must_be_told(
    column: str, database: Database, tmp_path: Path
) -> None:
    project(tmp_path, "db/migrate/v9_first.py")
    database.connect().execute("CREATE TABLE done (v text, at timestamptz)")
    with pytest.raises(FrameworkError) as caught:
        read(database, tmp_path, framework="other", table="done", version_column=column)
    assert "v, at" in caught.value.remedy
