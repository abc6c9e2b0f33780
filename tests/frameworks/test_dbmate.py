"""dbmate's rules that need no dbmate to be seen; the rest is in test_real_dbmate.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.dbmate import Dbmate
from rollback_tui.frameworks.protocol import Missing, TableShape, VersionTable

FRAMEWORK = Dbmate()
TABLE = VersionTable(schema="public", name="schema_migrations")


def shape(*columns: tuple[str, str], key: tuple[str, ...] = ("version",)) -> TableShape:
    return TableShape(schema="public", name="x", columns=columns, primary_key=key)


@pytest.mark.parametrize(
    ("table", "recognised"),
    [
        (shape(("version", "character varying")), True),
        (shape(("version", "character varying(255)")), True),
        (shape(("version", "text")), False),
        (shape(("version", "bigint")), False),
        (shape(("version", "character varying"), key=()), False),
        (shape(("version", "bigint"), ("dirty", "boolean")), False),
        (shape(("version", "character varying"), ("name", "text")), False),
        (shape(("id", "character varying"), key=("id",)), False),
        (shape(), False),
    ],
)
def test_the_version_table_is_known_by_its_shape(table: TableShape, recognised: bool) -> None:
    assert FRAMEWORK.recognises(table) is recognised


def test_files_begin_with_digits_and_end_in_sql(tmp_path: Path) -> None:
    for name in (
        "20240101_add_users.sql",
        "2.sql",
        "3-dashes.sql",
        "README.md",
        "x_4.sql",
        "5_a.sql.bak",
        "٦_arabic.sql",
    ):
        (tmp_path / name).touch()
    (tmp_path / "7_directory.sql").mkdir()
    found = FRAMEWORK.files(tmp_path)
    assert [(file.version, file.name) for file in found] == [
        ("2", "2.sql"),
        ("20240101", "add_users"),
        ("3", "-dashes"),
    ]
    assert found[1].path == found[1].down_path == str(tmp_path / "20240101_add_users.sql")


def test_newest_first_with_what_only_the_database_knows(tmp_path: Path) -> None:
    for name in ("20240101_a.sql", "20240103_c.sql", "20240104_pending.sql"):
        (tmp_path / name).touch()
    files = FRAMEWORK.files(tmp_path)
    rows = [("20240101",), ("20240102",), ("20240103",), ("20240109",)]
    history = FRAMEWORK.history(rows, files)
    assert [(m.version, m.name, m.path) for m in history.applied] == [
        ("20240109", "", None),
        ("20240103", "c", str(tmp_path / "20240103_c.sql")),
        ("20240102", "", None),
        ("20240101", "a", str(tmp_path / "20240101_a.sql")),
    ]
    assert history.problem == ""
    assert all(m.applied_at is None for m in history.applied)


def test_nothing_applied(tmp_path: Path) -> None:
    assert FRAMEWORK.history([], FRAMEWORK.files(tmp_path)).applied == ()


def test_two_files_of_one_version_are_a_problem_only_when_it_is_applied(tmp_path: Path) -> None:
    for name in ("1_a.sql", "1_b.sql", "2_c.sql"):
        (tmp_path / name).touch()
    files = FRAMEWORK.files(tmp_path)
    assert FRAMEWORK.history([("2",)], files).problem == ""
    history = FRAMEWORK.history([("1",), ("2",)], files)
    assert "1_a.sql and 1_b.sql have the same version 1" in history.problem
    assert history.applied[1].path == str(tmp_path / "1_b.sql")  # the one dbmate would take


def down(directory: Path, text: str) -> Source | Missing:
    path = directory / "1_a.sql"
    path.write_bytes(text.encode())
    applied = AppliedMigration(version="1", name="a", path=str(path))
    return FRAMEWORK.down(applied, directory)


def test_the_section_begins_below_its_line_and_ends_with_the_file(tmp_path: Path) -> None:
    text = "-- migrate:up\nÄ;\n-- migrate:down transaction:false\nDROP TABLE a;\n\n"
    source = down(tmp_path, text)
    assert isinstance(source, Source)
    assert source.data == text.encode()
    assert source.data[source.start : source.end] == b"DROP TABLE a;\n\n"
    assert source.path == str(tmp_path / "1_a.sql")
    assert source.transactional is False


def test_options_of_up_do_not_count_for_down(tmp_path: Path) -> None:
    source = down(tmp_path, "-- migrate:up transaction:false\n;\n-- migrate:down\nSELECT 1;")
    assert isinstance(source, Source)
    assert source.transactional is True


def test_the_way_up_ends_where_the_way_down_begins(tmp_path: Path) -> None:
    text = "-- migrate:up transaction:false\nCREATE TABLE a ();\n-- migrate:down\nDROP TABLE a;\n"
    path = tmp_path / "1_a.sql"
    path.write_text(text)
    applied = AppliedMigration(version="1", name="a", path=str(path))
    source = FRAMEWORK.up(applied, tmp_path)
    assert isinstance(source, Source)
    assert source.data[source.start : source.end] == b"CREATE TABLE a ();\n"
    assert source.transactional is False
    path.unlink()
    assert isinstance(FRAMEWORK.up(applied, tmp_path), Missing)


def test_an_empty_down_section_is_returned_empty(tmp_path: Path) -> None:
    for end in ("", "\n", "\r\n"):
        source = down(tmp_path, f"-- migrate:up\n;\n-- migrate:down{end}")
        assert isinstance(source, Source)
        assert source.data[source.start : source.end] == b""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("-- migrate:up\nSELECT 1;\n", "1_a.sql has no '-- migrate:down' section"),
        ("-- migrate:down\nSELECT 1;\n", "1_a.sql has no '-- migrate:up' line"),
        ("", "1_a.sql has no '-- migrate:up' line"),
        ("SELECT 1;\n-- migrate:up\n-- migrate:down\n", "has statements before"),
        ("-- migrate:up\n-- migrate:down\n-- migrate:down\n", "more than one '-- migrate:down'"),
        ("-- migrate:up\n-- migrate:down\n-- migrate:up\n-- migrate:down\n", "has 2 '-- migrate:u"),
    ],
)
def test_what_dbmate_would_refuse_is_missing_with_the_reason(
    text: str, why: str, tmp_path: Path
) -> None:
    missing = down(tmp_path, text)
    assert isinstance(missing, Missing)
    assert why in missing.why


def test_a_version_without_a_file_is_missing(tmp_path: Path) -> None:
    missing = FRAMEWORK.down(AppliedMigration(version="7", name=""), tmp_path)
    assert isinstance(missing, Missing)
    assert f"no file in {tmp_path} has version 7" in missing.why
    gone = AppliedMigration(version="7", name="a", path=str(tmp_path / "7_a.sql"))
    missing = FRAMEWORK.down(gone, tmp_path)
    assert isinstance(missing, Missing)
    assert "7_a.sql does not exist" in missing.why


def test_a_file_that_leads_elsewhere_is_an_error(tmp_path: Path) -> None:
    directory = tmp_path / "migrations"
    directory.mkdir()
    (tmp_path / "secret").write_bytes(b"-- migrate:up\n-- migrate:down\nDROP TABLE a;")
    (directory / "1_a.sql").symlink_to("../secret")
    (file,) = FRAMEWORK.files(directory)
    applied = AppliedMigration(version="1", name="a", path=file.path)
    with pytest.raises(FrameworkError, match="leads out"):
        FRAMEWORK.down(applied, directory)


def test_the_version_change_is_one_quoted_statement() -> None:
    change = FRAMEWORK.version_change(TABLE, AppliedMigration(version="1'2", name=""), None)
    assert change == ("DELETE FROM public.schema_migrations WHERE version = '1''2'",)


def test_what_up_enters_is_one_quoted_statement() -> None:
    change = FRAMEWORK.applied_change(TABLE, AppliedMigration(version="1'2", name=""))
    assert change == ("INSERT INTO public.schema_migrations (version) VALUES ('1''2')",)


def test_the_schema_file_beside_the_directory_is_stale(tmp_path: Path) -> None:
    directory = tmp_path / "db" / "migrations"
    directory.mkdir(parents=True)
    assert FRAMEWORK.stale_files(directory) == ()
    (tmp_path / "db" / "schema.sql").touch()
    assert FRAMEWORK.stale_files(directory) == (str(tmp_path / "db" / "schema.sql"),)


def test_it_takes_no_lock() -> None:
    assert FRAMEWORK.lock_sql("shop", TABLE) is None
