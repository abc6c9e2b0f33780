"""sql-migrate's rules that need no sql-migrate to be seen; the rest is in
test_real_sql_migrate.py."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from rollback_tui.core.plan import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.protocol import Missing, TableShape, VersionTable
from rollback_tui.frameworks.sql_migrate import SqlMigrate

FRAMEWORK = SqlMigrate()
AT = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("columns", "key", "recognised"),
    [
        ((("id", "text"), ("applied_at", "timestamp with time zone")), ("id",), True),
        ((("id", "text"), ("applied_at", "timestamp with time zone")), (), False),
        ((("id", "bigint"), ("applied_at", "timestamp with time zone")), ("id",), False),
        ((("id", "text"),), ("id",), False),
    ],
)
def test_the_version_table_is_known_by_its_shape(
    columns: tuple[tuple[str, str], ...], key: tuple[str, ...], recognised: bool
) -> None:
    table = TableShape(schema="public", name="x", columns=columns, primary_key=key)
    assert FRAMEWORK.recognises(table) is recognised


NAMES = ["init.sql", "9_a.sql", "10_b.sql", "10-a.sql", "Zeta.sql", "09_b.sql", "x.txt"]


def test_numbers_come_first_and_are_compared_as_numbers(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).touch()
    (tmp_path / "11_directory.sql").mkdir()
    assert [(f.version, f.name) for f in FRAMEWORK.files(tmp_path)] == [
        ("09_b.sql", "b"),
        ("9_a.sql", "a"),
        ("10-a.sql", "a"),
        ("10_b.sql", "b"),
        ("Zeta.sql", "Zeta"),
        ("init.sql", "init"),
    ]


def test_history_is_in_the_order_of_the_ids_with_what_only_the_database_knows(
    tmp_path: Path,
) -> None:
    (tmp_path / "9_a.sql").touch()
    rows = [("10_gone.sql", AT), ("9_a.sql", AT), ("old.sql", None)]
    history = FRAMEWORK.history(rows, FRAMEWORK.files(tmp_path))
    assert [(m.version, m.applied_at, m.path) for m in history.applied] == [
        ("old.sql", None, None),
        ("10_gone.sql", AT, None),
        ("9_a.sql", AT, str(tmp_path / "9_a.sql")),
    ]
    missing = FRAMEWORK.down(history.applied[1], tmp_path)
    assert isinstance(missing, Missing)
    assert f"no file in {tmp_path} has version 10_gone.sql" in missing.why


def found(directory: Path, text: str, *, up: bool = False) -> Source | str:
    path = directory / "1_a.sql"
    path.write_bytes(text.encode())
    applied = AppliedMigration(version="1_a.sql", name="a", path=str(path))
    source = FRAMEWORK.up(applied, directory) if up else FRAMEWORK.down(applied, directory)
    return source if isinstance(source, Source) else source.why


def test_the_sections_and_their_marks(tmp_path: Path) -> None:
    text = (
        "CREATE nothing;\n-- +migrate Up notransaction\r\nCREATE TABLE a ();\r\n"
        "-- +migrate Down\r\nDROP TABLE a;\r\n"
    )
    down = found(tmp_path, text)
    assert isinstance(down, Source)
    assert down.data == text.encode()
    assert down.data[down.start : down.end] == b"DROP TABLE a;\r\n"
    assert down.transactional is True
    up = found(tmp_path, text, up=True)
    assert isinstance(up, Source)
    assert up.data[up.start : up.end] == b"CREATE TABLE a ();\r\n"
    assert up.transactional is False


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("DROP TABLE a;", "1_a.sql has neither a '-- +migrate Up' nor"),
        ("-- +migrate Up\nSELECT 1;", "1_a.sql has no '-- +migrate Down' line"),
        ("-- +migrate Up\n;\n-- +migrate down\nSELECT 1;", "has no '-- +migrate Down' line"),
        ("-- +migrate Up\n;\n -- +migrate Down\nSELECT 1;", "has no '-- +migrate Down' line"),
        ("-- +migrate Down\n-- +migrate  \n", "incomplete '-- +migrate' in line 2"),
        ("-- +migrate Down\n-- +migrate StatementBegin\n;", "StatementBegin in line 2"),
        (
            "-- +migrate Down\n;\n-- +migrate Up\n;\n-- +migrate Down\n;",
            "has 2 '-- +migrate Down' sections with something else between them",
        ),
    ],
)
def test_what_has_no_section_that_could_be_used(text: str, why: str, tmp_path: Path) -> None:
    said = found(tmp_path, text)
    assert isinstance(said, str)
    assert why in said


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    applied = AppliedMigration(version="1.sql", name="", path=str(tmp_path / "1.sql"))
    missing = FRAMEWORK.down(applied, tmp_path)
    assert isinstance(missing, Missing)
    assert missing.why.endswith("1.sql does not exist")


def test_an_id_is_quoted() -> None:
    table = VersionTable(schema="Ops", name="user")
    applied = AppliedMigration(version="it's.sql", name="")
    assert FRAMEWORK.version_change(table, applied, None) == (
        """DELETE FROM "Ops"."user" WHERE id = 'it''s.sql'""",
    )
