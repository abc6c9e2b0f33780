"""shmig against what was recorded of version 1.1, stated here independently.

What `shmig rollback` from version 1700000002 pipes into one psql::

    (the lines from "-- ==== DOWN ====" to "-- ====  UP  ====", without those that begin with "--")
    delete from "shmig_version" where version = 1700000002;
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from rollback_tui.config import Migrations
from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.plan import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.protocol import Missing, TableShape, VersionTable
from rollback_tui.frameworks.shmig import Shmig
from tests.conftest import Database
from tests.frameworks.agreement import rolled_back, rows

FRAMEWORK = Shmig()
TABLE = VersionTable(schema="public", name="shmig_version")
CREATE = (
    "CREATE TABLE {}(version int not null primary key, migrated_at timestamp not null"
    " default (now() at time zone 'utc'))"
)
UP, DOWN = "-- ====  UP  ====\n", "-- ==== DOWN ====\n"
COLUMNS = (("version", "integer"), ("migrated_at", "timestamp without time zone"))

FILES = {
    "1700000001-users.sql": (
        f"-- Migration: users\n-- Created at: 2023-11-14 22:13:21\n{UP}\nBEGIN;\n"
        f"CREATE TABLE users (id int);\nCOMMIT;\n\n{DOWN}\nBEGIN;\nDROP TABLE users;\nCOMMIT;\n"
    ),
    "1700000002-email.sql": (
        f"{DOWN}-- The column goes.\nALTER TABLE users DROP email;\n"
        f"{UP}ALTER TABLE users ADD email text;\n"
    ),
    "1700000003-orders.sql": (
        f"{UP}BEGIN;\nCREATE TABLE orders ();\nCOMMIT;\n{DOWN}BEGIN;\nDROP TABLE orders;\nCOMMIT;"
    ),
}


def write(project: Path, files: dict[str, str]) -> Path:
    (project / "migrations").mkdir(exist_ok=True)
    for name, text in files.items():
        (project / "migrations" / name).write_bytes(text.encode())
    return project / "migrations"


@pytest.mark.parametrize(
    ("columns", "key", "recognised"),
    [
        (COLUMNS, ("version",), True),
        (COLUMNS, (), False),
        (COLUMNS[:1], ("version",), False),
        ((("version", "bigint"), COLUMNS[1]), ("version",), False),
        ((COLUMNS[0], ("migrated_at", "timestamp with time zone")), ("version",), False),
    ],
)
def test_the_version_table_is_known_by_its_shape(
    columns: tuple[tuple[str, str], ...], key: tuple[str, ...], recognised: bool
) -> None:
    table = TableShape(schema="public", name="x", columns=columns, primary_key=key)
    assert FRAMEWORK.recognises(table) is recognised


def test_files_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    more = ["0000000009-nine-a.sql", "10-ten.sql", "x-1.sql", "11_eleven.sql", "12-a.txt"]
    directory = write(tmp_path, {**FILES, **dict.fromkeys(more, "")})
    assert [(f.version, f.name) for f in FRAMEWORK.files(directory)] == [
        ("9", "nine-a"),
        ("10", "ten"),
        ("1700000001", "users"),
        ("1700000002", "email"),
        ("1700000003", "orders"),
    ]
    write(tmp_path, {"9-again.sql": ""})
    with pytest.raises(FrameworkError, match=r"9-again.sql both have version 9"):
        FRAMEWORK.files(directory)


def test_two_steps_leave_what_shmig_leaves(database: Database, tmp_path: Path) -> None:
    """Applied in the order 1, 3, 2: the highest number goes first. The table has another name, in
    another schema."""
    write(tmp_path, FILES)
    connection = database.connect()
    connection.execute("CREATE TABLE users (id int, email text); CREATE TABLE orders ()")
    connection.execute('CREATE SCHEMA "Ops"')
    connection.execute(CREATE.format('"Ops"."user"'))
    for version in ("1700000001", "1700000003", "1700000002"):
        connection.execute(f'INSERT INTO "Ops"."user" (version) VALUES ({version})')
    settings = Migrations(table='"Ops"."user"')
    plan = rolled_back(database, tmp_path, steps=2, migrations=settings)
    assert [m.version for m in plan.migrations] == ["1700000003", "1700000002"]
    assert [m.script and m.script.wrapper_removed for m in plan.migrations] == [True, False]
    assert rows(database, "Ops.user", ignoring=["migrated_at"]) == [{"version": 1700000001}]
    table = VersionTable(schema="Ops", name="user")
    again = AppliedMigration(version="1700000002", name="")
    for statement in FRAMEWORK.applied_change(table, again):
        connection.execute(statement, binary=True)
    late = connection.execute(
        "SELECT abs(extract(epoch FROM now() - migrated_at AT TIME ZONE 'utc')) < 60"
        ' FROM "Ops"."user" WHERE version = 1700000002'
    )
    assert late.fetchone() == (True,)


def test_times_are_utc_and_a_version_may_have_no_file(database: Database, tmp_path: Path) -> None:
    connection = database.connect()
    connection.execute(CREATE.format("shmig_version"))
    connection.execute("SET TimeZone = 'Europe/Zurich'")
    connection.execute(
        "INSERT INTO shmig_version VALUES (1700000001, '2026-01-02'), (1700000009, '2026-01-01')"
    )
    found = FRAMEWORK.history(
        connection.execute(FRAMEWORK.history_sql(TABLE)).fetchall(),
        FRAMEWORK.files(write(tmp_path, FILES)),
    ).applied
    assert [(m.version, m.applied_at, m.path is None) for m in found] == [
        ("1700000009", datetime(2026, 1, 1, tzinfo=UTC), True),
        ("1700000001", datetime(2026, 1, 2, tzinfo=UTC), False),
    ]
    missing = FRAMEWORK.down(found[0], tmp_path)
    assert isinstance(missing, Missing)
    assert "has version 1700000009" in missing.why


def found(directory: Path, text: str, *, up: bool = False) -> Source | str:
    path = write(directory, {"1-a.sql": text}) / "1-a.sql"
    applied = AppliedMigration(version="1", name="a", path=str(path))
    ask = FRAMEWORK.up if up else FRAMEWORK.down
    source = ask(applied, path.parent)
    return source if isinstance(source, Source) else source.why


@pytest.mark.parametrize(
    ("text", "down", "up"),
    [
        (f"{UP}A;\n{DOWN}B;\n", "B;\n", "A;\n"),
        (f"{DOWN}B;\n{UP}A;\n", "B;\n", "A;\n"),
        (f"Z;\n{DOWN}B;\n{DOWN}C;", f"B;\n{DOWN}C;", None),
        (f"{UP}A '\n{DOWN}';\n", "';\n", "A '\n"),
        (f"{UP}A;\n{DOWN.strip()}", "", "A;\n"),
        (f"{UP}A;\n{DOWN.lower()}B;\n", None, f"A;\n{DOWN.lower()}B;\n"),
        (f"{UP}A;\n {DOWN}B;\n", None, f"A;\n {DOWN}B;\n"),
        (f"{UP}A;\n-- ====  DOWN  ====\nB;\n", None, "A;\n-- ====  DOWN  ====\nB;\n"),
        (f"\ufeff{DOWN}B;\n", None, None),
        ("A;", None, None),
    ],
)
def test_the_sections_and_their_marks(
    text: str, down: str | None, up: str | None, tmp_path: Path
) -> None:
    for expected, way_up, mark in ((down, False, DOWN), (up, True, UP)):
        source = found(tmp_path, text, up=way_up)
        if expected is None:
            assert source == f"1-a.sql has no line '{mark.strip()}'"
        else:
            assert isinstance(source, Source), source
            assert source.data[source.start : source.end].decode() == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{UP}A;\n{DOWN}B;\n{UP}C;\n{DOWN}D;\n", "has 2 sections '-- ==== DOWN ===='"),
        (f"{UP}A;\n{DOWN}B;\n".replace("\n", "\r\n"), "has Windows ends of line"),
    ],
)
def test_what_shmig_would_not_find_or_put_together_is_refused(
    text: str, why: str, tmp_path: Path
) -> None:
    said = found(tmp_path, text)
    assert isinstance(said, str)
    assert why in said
