"""postgrator's rules that need no postgrator to be seen; the rest is in test_real_postgrator.py."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.plan import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.postgrator import Postgrator
from rollback_tui.frameworks.protocol import Missing, TableShape, VersionTable
from tests.conftest import Database

FRAMEWORK = Postgrator()
AT = datetime(2026, 1, 2, tzinfo=UTC)
VERSION = ("version", "bigint")
TEXTS = (("name", "text"), ("md5", "text"))
RUN_AT = ("run_at", "timestamp with time zone")


@pytest.mark.parametrize(
    ("columns", "name", "recognised"),
    [
        ((VERSION, *TEXTS, RUN_AT), "x", True),
        ((VERSION, *TEXTS), "x", True),
        ((VERSION,), "schemaversion", True),
        ((VERSION,), "x", False),
        ((("version", "text"), *TEXTS), "x", False),
        ((VERSION, *TEXTS, ("more", "text")), "x", False),
    ],
)
def test_the_version_table_is_known_by_its_shape_also_where_it_is_old(
    columns: tuple[tuple[str, str], ...], name: str, recognised: bool
) -> None:
    table = TableShape(schema="public", name=name, columns=columns, primary_key=("version",))
    assert FRAMEWORK.recognises(table) is recognised


def test_files_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    for name in (
        "9.do.nine.sql",
        "009.undo.nine.sql",
        "10.do.a.b.sql",
        "11.undo.js",
        "12.redo.x.sql",
        "0.do.x.sql",
        "x.do.y.sql",
        "13.do.z.sql.bak",
        "14.DO.z.sql",
    ):
        (tmp_path / name).touch()
    assert [
        (f.version, f.name, Path(f.path).name, f.down_path and Path(f.down_path).name)
        for f in FRAMEWORK.files(tmp_path)
    ] == [
        ("9", "nine", "9.do.nine.sql", "009.undo.nine.sql"),
        ("10", "a", "10.do.a.b.sql", None),
        ("11", "", "11.undo.js", "11.undo.js"),
    ]
    (tmp_path / "9.undo.again.sql").touch()
    with pytest.raises(FrameworkError, match="are both the undo migration of version 9"):
        FRAMEWORK.files(tmp_path)


def found(version: str, directory: Path, *, up: bool = False) -> Source | str:
    applied = AppliedMigration(version=version, name="")
    source = FRAMEWORK.up(applied, directory) if up else FRAMEWORK.down(applied, directory)
    return source if isinstance(source, Source) else source.why


def test_the_undo_file_is_taken_whole_or_it_is_said_why_not(tmp_path: Path) -> None:
    (tmp_path / "1.do.a.sql").write_bytes(b"CREATE TABLE a ();")
    (tmp_path / "1.undo.a.sql").write_bytes(b"\xef\xbb\xbfDROP TABLE a;\r\n")
    (tmp_path / "2.do.b.sql").touch()
    (tmp_path / "3.undo.c.mjs").touch()
    source = found("1", tmp_path)
    assert isinstance(source, Source)
    assert source.data[source.start : source.end] == b"\xef\xbb\xbfDROP TABLE a;\r\n"
    assert isinstance(found("1", tmp_path, up=True), Source)
    assert found("2", tmp_path) == "version 2 has no .undo. file beside 2.do.b.sql"
    assert found("3", tmp_path) == "3.undo.c.mjs is code, which only postgrator can run"
    assert found("3", tmp_path, up=True) == "version 3 has no .do. file beside 3.undo.c.mjs"
    assert "no file in" in str(found("4", tmp_path))


def test_the_highest_number_is_the_newest(tmp_path: Path) -> None:
    (tmp_path / "9.do.nine.sql").touch()
    rows = [(9, None, AT), (10, "ten", None), (2, "two", AT)]
    past = FRAMEWORK.history(rows, FRAMEWORK.files(tmp_path))
    assert [(m.version, m.name, m.applied_at, m.path) for m in past.applied] == [
        ("10", "ten", None, None),
        ("9", "nine", AT, str(tmp_path / "9.do.nine.sql")),
        ("2", "two", AT, None),
    ]


def test_an_old_table_without_names_and_times(database: Database, tmp_path: Path) -> None:
    """As version 1 of the tool made it, in a schema and with a name that need quotes."""
    connection = database.connect()
    connection.execute('CREATE SCHEMA "Ops"')
    connection.execute('CREATE TABLE "Ops"."select" (version bigint PRIMARY KEY)')
    connection.execute('INSERT INTO "Ops"."select" VALUES (0), (1), (2)')
    table = VersionTable(schema="Ops", name="select", columns=("version",))
    rows = connection.execute(FRAMEWORK.history_sql(table)).fetchall()
    past = FRAMEWORK.history(rows, FRAMEWORK.files(tmp_path))
    assert [m.version for m in past.applied] == ["2", "1"]
    for change in FRAMEWORK.version_change(table, past.applied[0], past.applied[1]):
        connection.execute(change)
    left = connection.execute('SELECT version FROM "Ops"."select" ORDER BY 1').fetchall()
    assert left == [(0,), (1,)]
    file = tmp_path / "2.do.two.sql"
    file.touch()
    again = AppliedMigration(version="2", name="two", path=str(file))
    for change in FRAMEWORK.applied_change(table, again):
        connection.execute(change)
    assert connection.execute(FRAMEWORK.history_sql(table)).fetchall() == rows
    file.unlink()
    with pytest.raises(FrameworkError, match="is not there any more"):
        FRAMEWORK.applied_change(table, again)


def test_nothing_else_is_touched(tmp_path: Path) -> None:
    table = VersionTable(schema="public", name="schemaversion")
    assert FRAMEWORK.lock_sql("shop", table) is None
    assert FRAMEWORK.stale_files(tmp_path) == ()
    missing = FRAMEWORK.down(AppliedMigration(version="1", name=""), tmp_path)
    assert isinstance(missing, Missing)
