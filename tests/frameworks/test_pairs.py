"""Plain pairs: which file is whose way back, which version is the newest, which row goes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from rollback_tui.config import Migrations
from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.plan import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.pairs import Pairs
from rollback_tui.frameworks.protocol import History, TableShape, VersionTable
from tests.conftest import Database
from tests.frameworks.agreement import rolled_back, rows

FRAMEWORK = Pairs()
TABLE = VersionTable(schema="public", name="applied", columns=("version",))
AT = datetime(2026, 1, 2, tzinfo=UTC)


def write(directory: Path, *names: str) -> Path:
    for name in names:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(f"SELECT '{name}';")
    return directory


def listed(directory: Path) -> list[tuple[str, str, str | None]]:
    return [
        (
            file.version,
            str(Path(file.path).relative_to(directory)),
            file.down_path and str(Path(file.down_path).relative_to(directory)),
        )
        for file in FRAMEWORK.files(directory)
    ]


@pytest.mark.parametrize(
    ("up", "down"),
    [
        ("1_a.up.sql", "1_a.down.sql"),
        ("1_a.sql", "1_a.down.sql"),
        ("1_a.sql", "1_a.undo.sql"),
        ("1_a.sql", "1_a.rollback.sql"),
        ("1_a.do.sql", "1_a.undo.sql"),
        ("1_a_up.sql", "1_a_down.sql"),
        ("1_a-up.sql", "1_a-down.sql"),
        ("1_a.sql", "1_a_down.sql"),
        ("1_a.sql", "1_a-rollback.sql"),
        ("up/1_a.sql", "down/1_a.sql"),
        ("up/1_a.up.sql", "down/1_a.down.sql"),
        ("deploy/1_a.sql", "revert/1_a.sql"),
        ("1_a.sql", "down/1_a.sql"),
        ("1_a/up.sql", "1_a/down.sql"),
    ],
)
def test_the_ways_in_which_a_pair_may_be_called(up: str, down: str, tmp_path: Path) -> None:
    write(tmp_path, up, down)
    assert listed(tmp_path) == [("1_a", up, down)]
    (file,) = FRAMEWORK.files(tmp_path)
    assert file.name == "a"
    for version in ("1", "01", "1_a", "1_a.sql", Path(up).name if "/" not in up else "1_a"):
        past = FRAMEWORK.history([(version, None, 1)], [file])
        (applied,) = past.applied
        assert (applied.version, applied.path) == (version, str(tmp_path / up))
        source = FRAMEWORK.down(applied, tmp_path)
        assert isinstance(source, Source)
        assert source.data == f"SELECT '{down}';".encode()
        again = FRAMEWORK.up(applied, tmp_path)
        assert isinstance(again, Source)
        assert again.data == f"SELECT '{up}';".encode()


def test_a_word_of_a_title_is_no_mark(tmp_path: Path) -> None:
    """``slow_down`` is a title. To take it for the way back of another migration would run an up
    script."""
    write(tmp_path, "1_slow_down.sql", "2_sign_up.sql", "3_nap.sql", "3_nap_down.sql")
    write(tmp_path, "4_down/other.sql", "notes.txt", "5_x.DOWN.sql", ".sql")
    assert listed(tmp_path) == [
        ("1_slow_down", "1_slow_down.sql", None),
        ("2_sign_up", "2_sign_up.sql", None),
        ("3_nap", "3_nap.sql", "3_nap_down.sql"),
        ("5_x.DOWN", "5_x.DOWN.sql", None),
    ]
    past = FRAMEWORK.history([("1", None, 1)], FRAMEWORK.files(tmp_path))
    missing = FRAMEWORK.down(past.applied[0], tmp_path)
    assert not isinstance(missing, Source)
    assert missing.why == (
        "1_slow_down.sql has no down file beside it "
        "(expected NAME.down.sql, down/NAME.sql or NAME/down.sql)"
    )


def test_a_file_that_says_both_ways_is_run_for_none(tmp_path: Path) -> None:
    write(tmp_path, "up/3_users.sql", "down/3_users.up.sql")
    with pytest.raises(FrameworkError, match=r"down/3_users\.up\.sql says two things"):
        FRAMEWORK.files(tmp_path)


def test_two_files_for_one_direction_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "1_a.up.sql", "1_a.down.sql", "down/1_a.sql")
    with pytest.raises(FrameworkError, match="are both the down migration of 1_a"):
        FRAMEWORK.files(tmp_path)


def test_a_down_file_alone_is_a_migration_without_a_way_up(tmp_path: Path) -> None:
    write(tmp_path, "1_a.down.sql")
    (file,) = FRAMEWORK.files(tmp_path)
    (applied,) = FRAMEWORK.history([("1", None, 1)], [file]).applied
    assert isinstance(FRAMEWORK.down(applied, tmp_path), Source)
    missing = FRAMEWORK.up(applied, tmp_path)
    assert not isinstance(missing, Source)
    assert missing.why.startswith("1_a.down.sql has no up file beside it")


def history(directory: Path, *told: tuple[object, object, int]) -> History:
    return FRAMEWORK.history(told, FRAMEWORK.files(directory))


def test_numbers_are_compared_as_numbers_where_no_time_decides(tmp_path: Path) -> None:
    told = [(version, None, 1) for version in ("v1.9", "v1.10", "v1.9.1", "init", "v1.2b")]
    assert [m.version for m in history(tmp_path, *told).applied] == [
        "v1.10",
        "v1.9.1",
        "v1.9",
        "v1.2b",
        "init",
    ]
    numbers = [(version, None, 1) for version in ("9", "10", "2²")]
    assert [m.version for m in history(tmp_path, *numbers).applied] == ["10", "9", "2²"]


def test_a_time_comes_before_the_version(tmp_path: Path) -> None:
    applied = history(
        tmp_path, ("3", AT, 2), ("2", date(2026, 1, 3), 3), ("1", None, 1), ("4", AT, 2)
    ).applied
    assert [(m.version, m.applied_at) for m in applied] == [
        ("2", None),
        ("4", AT),
        ("3", AT),
        ("1", None),
    ]


def test_digits_that_two_files_have_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "1_a.up.sql", "01_b.up.sql", "2_c.up.sql")
    assert history(tmp_path, ("2", None, 1)).problem == ""
    assert history(tmp_path, ("1_a", None, 1)).problem == ""
    problem = history(tmp_path, ("1", None, 1), ("2", None, 1)).problem
    assert "1_a.up.sql and 01_b.up.sql both could be the applied version 1" in problem
    unknown = history(tmp_path, ("7", None, 1)).applied[0]
    missing = FRAMEWORK.down(unknown, tmp_path)
    assert not isinstance(missing, Source)
    assert "no file in" in missing.why


@pytest.mark.parametrize(
    ("columns", "configured", "expected"),
    [
        (("id",), "", "id"),
        (("version", "checksum"), "", "version"),
        (("id", "Name"), "Name", '"Name"'),
        (("id", "run_on"), "", "id"),
        (("id", "name"), "", None),
        ((), "", None),
    ],
)
def test_the_column_of_the_version_is_certain_or_asked_for(
    columns: tuple[str, ...], configured: str, expected: str | None
) -> None:
    table = VersionTable(
        schema="public", name="t", columns=columns, version_column=configured, time_column="run_on"
    )
    applied = AppliedMigration(version="it's", name="")
    if expected is None:
        with pytest.raises(FrameworkError, match="not certain") as caught:
            FRAMEWORK.version_change(table, applied, None)
        assert "version_column under [migrations]" in caught.value.remedy
        return
    change = f"DELETE FROM public.t WHERE {expected} = 'it''s'"
    assert FRAMEWORK.version_change(table, applied, None) == (change,)


def test_any_table_that_could_hold_a_version_can_be_named() -> None:
    for kind, recognised in (("text", True), ("bigint", True), ("boolean", False)):
        shape = TableShape(schema="x", name="y", columns=(("a", kind),), primary_key=())
        assert FRAMEWORK.recognises(shape) is recognised


def test_a_table_of_numbers_with_times_is_rolled_back_and_up(
    database: Database, tmp_path: Path
) -> None:
    """What was applied last goes first; the table, its columns and the digits are its owner's."""
    (tmp_path / "migrations").mkdir()
    for version, up, down in (
        ("0001_users", "CREATE TABLE users (id int);", "DROP TABLE users;"),
        ("0002_late", "CREATE TABLE late (id int);", "DROP TABLE late;"),
        ("0003_email", "ALTER TABLE users ADD email text;", "ALTER TABLE users DROP email;"),
    ):
        (tmp_path / "migrations" / f"{version}.sql").write_text(up)
        (tmp_path / "migrations" / f"{version}.rollback.sql").write_text(down)
    connection = database.connect()
    connection.execute('CREATE SCHEMA "Ops"')
    connection.execute(
        'CREATE TABLE "Ops"."Applied" (number int PRIMARY KEY, "When" timestamptz, note text)'
    )
    for version, at in ((1, "2026-01-01"), (3, "2026-01-02"), (2, "2026-01-03")):
        title = {1: "users", 2: "late", 3: "email"}[version]
        file = tmp_path / "migrations" / f"000{version}_{title}.sql"
        connection.execute(file.read_bytes())
        connection.execute('INSERT INTO "Ops"."Applied" VALUES (%s, %s)', [version, at])
    connection.execute('INSERT INTO "Ops"."Applied" VALUES (9, NULL)')  # older than any time
    with pytest.raises(FrameworkError, match="it must be named"):
        rolled_back(database, tmp_path, migrations=Migrations(framework="pairs"))
    settings = Migrations(
        framework="pairs", table="Ops.Applied", version_column="number", time_column="When"
    )
    plan = rolled_back(database, tmp_path, steps=2, migrations=settings)
    assert [(m.version, m.name) for m in plan.migrations] == [("2", "late"), ("3", "email")]
    assert all(m.applied_at for m in plan.migrations)
    assert [row["number"] for row in rows(database, "Ops.Applied")] == [1, 9]
    table = VersionTable(schema="Ops", name="Applied", version_column="number", time_column="When")
    for migration in reversed(plan.migrations):
        again = next(m for m in plan.applied if m.version == migration.version)
        for change in FRAMEWORK.applied_change(table, again):
            connection.execute(change)
    found = connection.execute(FRAMEWORK.history_sql(table)).fetchall()
    files = FRAMEWORK.files(tmp_path / "migrations")
    assert [m.version for m in FRAMEWORK.history(found, files).applied] == ["2", "3", "1", "9"]
    assert FRAMEWORK.lock_sql(database.name, TABLE) is None
