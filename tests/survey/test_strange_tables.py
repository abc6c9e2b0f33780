"""Version tables with what the tool never writes: refused in words, and nothing guessed."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from rollback_tui.config import Migrations, Settings
from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import Plan
from rollback_tui.survey.planning import make_plan
from tests.conftest import Database

_GOOSE = (
    "CREATE TABLE goose_db_version (id int, version_id bigint, is_applied boolean, {tstamp});"
    "INSERT INTO goose_db_version VALUES (1, 0, true), (2, 1, true){more}"
)
_PAIRS = Migrations(framework="pairs", table="v", version_column="version")


def plan(database: Database, project: Path, migrations: Migrations | None = None) -> Plan:
    with database.connect() as connection:
        settings = Settings(migrations=migrations or Migrations())
        return make_plan(connection, settings, project, count_losses=False)


def write(project: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = project / "migrations" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        (_GOOSE.format(tstamp="tstamp timestamp", more=", (3, NULL, true)"), "without a version"),
        (
            _GOOSE.format(tstamp="tstamp timestamp DEFAULT 'infinity'", more=""),
            "cannot be read: timestamp too large",
        ),
        (_GOOSE.format(tstamp="tstamp point", more=""), "cannot be read: cannot cast"),
        (
            "CREATE TABLE schema_migrations (version bigint, dirty boolean);"
            "INSERT INTO schema_migrations VALUES (NULL, false)",
            "without a version, or with one that is no number",
        ),
        (
            "CREATE TABLE schema_version (version int); INSERT INTO schema_version VALUES (NULL)",
            "without a version, or with one that is no number",
        ),
        (
            "CREATE TABLE gorp_migrations (id text PRIMARY KEY, applied_at timestamptz);"
            "INSERT INTO gorp_migrations VALUES (repeat('1', 5000))",
            "without a version, or with one that is no number",
        ),
    ],
)
def test_what_the_tool_does_not_write_is_refused_in_words(
    database: Database, tmp_path: Path, table: str, wrong: str
) -> None:
    database.connect().execute(table)
    text = "-- +goose Up\n-- +goose Down\nDROP TABLE t;\n"
    write(
        tmp_path,
        {f"1_x{way}.sql": text for way in ([".up", ".down"] if "dirty" in table else [""])},
    )
    with pytest.raises(FrameworkError, match=wrong) as caught:
        plan(database, tmp_path)
    assert "Look at them with psql" in caught.value.remedy


def test_a_row_of_another_part_of_the_application_is_not_taken_along(
    database: Database, tmp_path: Path
) -> None:
    # DELETE … WHERE version = 1 would take both.
    database.connect().execute(
        "CREATE TABLE v (app text, version int); INSERT INTO v VALUES ('shop', 1), ('blog', 1)"
    )
    write(tmp_path, {"1_x.up.sql": "", "1_x.down.sql": "DROP TABLE t;"})
    with pytest.raises(FrameworkError, match="has 2 rows of version 1"):
        plan(database, tmp_path, _PAIRS)


@pytest.mark.parametrize(
    ("rights", "said"),
    [
        ("", "permission denied for table goose_db_version"),
        # Without version 1, which nobody here would see, the newest would be none.
        (
            "GRANT SELECT ON goose_db_version TO PUBLIC;"
            "ALTER TABLE goose_db_version ENABLE ROW LEVEL SECURITY;"
            "CREATE POLICY few ON goose_db_version USING (version_id = 0)",
            "affected by row-level security policy",
        ),
    ],
)
def test_whoever_may_not_read_all_of_the_table_hears_so(
    database: Database, tmp_path: Path, rights: str, said: str
) -> None:
    admin = database.connect(superuser=True)
    admin.execute((_GOOSE.format(tstamp="tstamp timestamp", more="") + ";" + rights).encode())
    write(tmp_path, {"1_x.sql": "-- +goose Up\n-- +goose Down\nDROP TABLE t;\n"})
    with pytest.raises(FrameworkError, match=said) as caught:
        plan(database, tmp_path)
    assert "Connect as the role that runs the migrations" in caught.value.remedy


def test_a_link_to_itself_is_said_and_no_traceback(database: Database, tmp_path: Path) -> None:
    database.connect().execute(
        "CREATE TABLE __diesel_schema_migrations (version varchar(50) PRIMARY KEY, run_on"
        " timestamp); INSERT INTO __diesel_schema_migrations VALUES ('1')"
    )
    write(tmp_path, {"1_x/up.sql": "", "1_x/down.sql": "DROP TABLE t;"})
    (tmp_path / "migrations" / "loop").symlink_to("loop")
    with pytest.raises(FrameworkError, match="loop cannot be read: it is a symbolic link"):
        plan(database, tmp_path)


def test_a_directory_that_cannot_be_looked_at_is_said(database: Database, tmp_path: Path) -> None:
    database.connect().execute(
        "CREATE TABLE __diesel_schema_migrations"
        " (version varchar(50) PRIMARY KEY, run_on timestamp)"
    )
    (tmp_path / "diesel.toml").write_text(f'[migrations_directory]\ndir = "{"x" * 300}"\n')
    with pytest.raises(FrameworkError, match="cannot be read: File name too long"):
        plan(database, tmp_path)


@pytest.mark.parametrize("nothing", ["SELECT 'down SQL query';", "SET work_mem = '1MB'; SELECT 1;"])
def test_a_script_that_changes_nothing_is_no_way_back(
    database: Database, tmp_path: Path, nothing: str
) -> None:
    database.connect().execute(_GOOSE.format(tstamp="tstamp timestamp", more=""))
    write(tmp_path, {"1_x.sql": f"-- +goose Up\n-- +goose Down\n{nothing}\n"})
    (migration,) = plan(database, tmp_path).migrations
    assert "changes nothing: S" in migration.why_no_script
    by_hand = Migrations(script="migrations/1_x.sql")
    (migration,) = plan(database, tmp_path, by_hand).migrations
    assert migration.why_no_script == ""


@pytest.mark.parametrize(
    "something",
    [
        "SELECT f();",
        "SELECT 1 / 0;",
        "SELECT setval('s', 1);",
        "SELECT * FROM v;",
        "COMMENT ON TABLE t IS '';",
    ],
)
def test_what_may_change_something_is_not_taken_for_nothing(
    database: Database, tmp_path: Path, something: str
) -> None:
    database.connect().execute(_GOOSE.format(tstamp="tstamp timestamp", more=""))
    write(tmp_path, {"1_x.sql": f"-- +goose Up\n-- +goose Down\n{something}\n"})
    (migration,) = plan(database, tmp_path).migrations
    assert migration.why_no_script == ""


@pytest.mark.parametrize(
    ("table", "file", "text"),
    [
        (
            _GOOSE.format(tstamp="tstamp timestamp DEFAULT '2026-01-02 03:04'", more=""),
            "1_x.sql",
            "-- +goose Up\n-- +goose Down\nDROP TABLE t;\n",
        ),
        (
            "CREATE TABLE schemaversion (version bigint PRIMARY KEY, name text, md5 text, run_at"
            " timestamptz); INSERT INTO schemaversion VALUES (1, '', '', '2026-01-02 03:04 UTC')",
            "1.undo.x.sql",
            "DROP TABLE t;\n",
        ),
        (
            "CREATE TABLE pgmigrations (id serial PRIMARY KEY, name varchar(255), run_on"
            " timestamp); INSERT INTO pgmigrations VALUES (1, '1_x', '2026-01-02 03:04')",
            "1_x.sql",
            "-- Down Migration\nDROP TABLE t;\n",
        ),
    ],
)
def test_a_time_is_not_read_in_a_zone_that_only_this_client_has(
    database: Database, tmp_path: Path, table: str, file: str, text: str
) -> None:
    owner = database.connect()
    owner.execute(f"ALTER DATABASE {database.name} SET TimeZone = 'UTC'")
    owner.execute(table)
    write(tmp_path, {file: text})
    for options, hour in (("", 3), ("-ctimezone=Asia/Tokyo", None)):
        with psycopg.connect(database.dsn, options=options) as connection:
            made = make_plan(connection, Settings(), tmp_path, count_losses=False)
        (migration,) = made.migrations
        assert (migration.applied_at and migration.applied_at.hour) == hour
