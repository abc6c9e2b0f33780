"""node-pg-migrate's rules that need no node-pg-migrate to be seen; the rest is in
test_real_node_pg_migrate.py."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from rollback_tui.core.plan import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.node_pg_migrate import NodePgMigrate
from rollback_tui.frameworks.protocol import Missing, TableShape, VersionTable
from tests.conftest import Database

FRAMEWORK = NodePgMigrate()
TABLE = VersionTable(schema="public", name="pgmigrations")
AT = datetime(2026, 1, 2, tzinfo=UTC)
COLUMNS = (
    ("id", "integer"),
    ("name", "character varying(255)"),
    ("run_on", "timestamp without time zone"),
)


@pytest.mark.parametrize(
    ("columns", "recognised"),
    [
        (COLUMNS, True),
        (COLUMNS[:2], False),
        ((*COLUMNS[:2], ("run_on", "timestamp with time zone")), False),
        ((COLUMNS[0], ("name", "text"), COLUMNS[2]), False),
        ((*COLUMNS, ("batch", "integer")), False),
    ],
)
def test_the_version_table_is_known_by_its_shape(
    columns: tuple[tuple[str, str], ...], recognised: bool
) -> None:
    table = TableShape(schema="public", name="x", columns=columns, primary_key=("id",))
    assert FRAMEWORK.recognises(table) is recognised


def test_files_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in (
        "1391877300255_a.sql",
        "20200513070724505_date.js",  # 17 digits: 2020-05-13, which is 1589353644505
        "1600000000000_later.ts",
        "12_pair.up.sql",
        "12_pair.down.sql",
        "13_lone.up.sql",
        "14_lone.down.sql",
        "20209913070724505_no_date.sql",
        "README.md",
        ".15_hidden.sql",
    ):
        (tmp_path / name).touch()
    assert [
        (f.version, f.name, Path(f.path).suffix, f.down_path and Path(f.down_path).name)
        for f in FRAMEWORK.files(tmp_path)
    ] == [
        ("20209913070724505_no_date", "no_date", ".sql", "20209913070724505_no_date.sql"),
        ("12_pair", "pair", ".sql", "12_pair.down.sql"),
        ("13_lone", "lone", ".sql", None),
        ("14_lone.down", "lone.down", ".sql", "14_lone.down.sql"),
        ("1391877300255_a", "a", ".sql", "1391877300255_a.sql"),
        ("20200513070724505_date", "date", ".js", None),
        ("1600000000000_later", "later", ".ts", None),
    ]


def applied(path: Path, version: str) -> AppliedMigration:
    return AppliedMigration(version=version, name="", path=str(path))


def test_a_pair_is_two_whole_files(tmp_path: Path) -> None:
    (tmp_path / "1_a.up.sql").write_text("-- Down Migration\nCREATE TABLE a ();")
    (tmp_path / "1_a.down.sql").write_text("DROP TABLE a;")
    migration = applied(tmp_path / "1_a.up.sql", "1_a")
    down, up = FRAMEWORK.down(migration, tmp_path), FRAMEWORK.up(migration, tmp_path)
    assert isinstance(down, Source)
    assert isinstance(up, Source)
    assert (Path(down.path).name, down.data[down.start : down.end]) == (
        "1_a.down.sql",
        b"DROP TABLE a;",
    )
    assert up.data[up.start : up.end] == b"-- Down Migration\nCREATE TABLE a ();"
    (tmp_path / "1_a.down.sql").unlink()
    missing = FRAMEWORK.down(migration, tmp_path)
    assert isinstance(missing, Missing)
    assert missing.why.endswith("1_a.down.sql does not exist")


def test_two_files_of_one_name_are_a_problem_only_when_it_is_applied(tmp_path: Path) -> None:
    for name in ("1_a.sql", "1_a.js", "2_b.sql"):
        (tmp_path / name).touch()
    files = FRAMEWORK.files(tmp_path)
    assert FRAMEWORK.history([("2_b", AT)], files).problem == ""
    assert "are both called 1_a" in FRAMEWORK.history([("1_a", AT)], files).problem


def test_history_is_by_run_on_then_id_in_the_zone_of_the_session(
    database: Database, tmp_path: Path
) -> None:
    (tmp_path / "1_a.sql").touch()
    connection = database.connect()
    connection.execute(
        "CREATE TABLE pgmigrations"
        " (id serial PRIMARY KEY, name varchar(255) NOT NULL, run_on timestamp NOT NULL)"
    )
    connection.execute(
        "INSERT INTO pgmigrations (name, run_on) VALUES"
        " ('1_a', '2026-01-03 01:00'), ('3_c', '2026-01-02'), ('2_b', '2026-01-02')"
    )
    connection.execute("SET TimeZone = 'Europe/Zurich'")
    rows = connection.execute(FRAMEWORK.history_sql(TABLE)).fetchall()
    found = FRAMEWORK.history(rows, FRAMEWORK.files(tmp_path)).applied
    assert [(m.version, m.path is not None) for m in found] == [
        ("1_a", True),
        ("2_b", False),
        ("3_c", False),
    ]
    assert found[0].applied_at == datetime(2026, 1, 3, tzinfo=UTC)


def test_a_file_full_of_what_nearly_is_a_mark_takes_no_time(tmp_path: Path) -> None:
    path = tmp_path / "1_a.sql"
    head = "\n" * 200_000 + "-" * 200_000 + "\n - \n" * 50_000 + "down migration\n"
    path.write_text(head + "\n-- Down Migration\nDROP TABLE a;\n")
    source = FRAMEWORK.down(applied(path, "1_a"), tmp_path)
    assert isinstance(source, Source)
    # The dashes are a comment that goes on over all that white space, up to the first words.
    assert (source.start, source.end) == (0, len(source.data))


def test_the_lock_is_the_tools(database: Database) -> None:
    sql = FRAMEWORK.lock_sql(database.name, TABLE)
    assert sql is not None
    assert database.connect().execute(sql).fetchone() == (True,)
    theirs = 'SELECT pg_try_advisory_lock(7241865325823964) AS "lockObtained"'
    assert database.connect().execute(theirs).fetchone() == (False,)
