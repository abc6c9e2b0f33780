"""tern against what was recorded of version 2.4, stated here independently.

The trace of `tern migrate -d 1` from version 2, every statement logged by the server::

    select pg_advisory_lock(9628173550095224)
    select version from public.schema_version
    begin
    (everything below the divider, as one query)
    reset all
    update public.schema_version set version=$1
    commit
    select pg_advisory_unlock(9628173550095224)
"""

from __future__ import annotations

from pathlib import Path

import pytest

from rollback_tui.config import Migrations
from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.plan import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.protocol import Missing, TableShape, VersionTable
from rollback_tui.frameworks.tern import Tern
from tests.conftest import Database
from tests.frameworks.agreement import rolled_back, rows

FRAMEWORK = Tern()
TABLE = VersionTable(schema="public", name="schema_version")
DIVIDER = "---- create above / drop below ----"

FILES = {
    "001_users.sql": f"CREATE TABLE users (id int);\n\n{DIVIDER}\n\nDROP TABLE users;\n",
    "002_email.sql": (
        "---- tern: disable-tx ----\r\nALTER TABLE users ADD email text;\r\n"
        f"{DIVIDER}\r\nALTER TABLE users DROP email;\r\n"
    ),
    "003_orders.sql": (
        f"CREATE TABLE orders ();\n{DIVIDER}\n---- tern: disable-tx ----\nDROP TABLE orders;\n"
    ),
}


def write(project: Path, files: dict[str, str]) -> Path:
    (project / "migrations").mkdir(exist_ok=True)
    for name, text in files.items():
        (project / "migrations" / name).write_bytes(text.encode())
    return project / "migrations"


@pytest.mark.parametrize(
    ("columns", "recognised"),
    [
        ((("version", "integer"),), True),
        ((("version", "bigint"),), False),
        ((("version", "character varying"),), False),
        ((("version", "integer"), ("dirty", "boolean")), False),
    ],
)
def test_the_version_table_is_known_by_its_shape(
    columns: tuple[tuple[str, str], ...], recognised: bool
) -> None:
    for key in (("version",), ()):
        table = TableShape(schema="public", name="x", columns=columns, primary_key=key)
        assert FRAMEWORK.recognises(table) is recognised


def test_files_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    others = ["10_ten.sql", "4_.sql", "0_zero.sql", "x_5.sql", "6_a.txt", f"{2**31}_large.sql"]
    directory = write(tmp_path, {**FILES, **dict.fromkeys(others, "")})
    assert [(f.version, f.name) for f in FRAMEWORK.files(directory)] == [
        ("1", "users"),
        ("2", "email"),
        ("3", "orders"),
        ("10", "ten"),
    ]
    write(tmp_path, {"2_again.sql": ""})
    with pytest.raises(FrameworkError, match=r"2_again.sql both have the number 2"):
        FRAMEWORK.files(directory)


def test_two_steps_leave_what_tern_leaves(database: Database, tmp_path: Path) -> None:
    """In a table of another name, in another schema; then down to nothing."""
    directory = write(tmp_path, FILES)
    connection = database.connect()
    connection.execute('CREATE SCHEMA "Ops"')
    connection.execute('CREATE TABLE "Ops"."user" (version int4 not null primary key)')
    connection.execute('INSERT INTO "Ops"."user" VALUES (3)')
    for name in FILES:
        applied = AppliedMigration(version="", name="", path=str(directory / name))
        source = FRAMEWORK.up(applied, directory)
        assert isinstance(source, Source)
        assert source.transactional
        connection.execute(source.data[source.start : source.end])
    settings = Migrations(table='"Ops"."user"')
    plan = rolled_back(database, tmp_path, steps=2, migrations=settings)
    assert [m.version for m in plan.migrations] == ["3", "2"]
    assert [m.script and m.script.transactional for m in plan.migrations] == [False, True]
    assert rows(database, "Ops.user") == [{"version": 1}]
    table = VersionTable(schema="Ops", name="user")
    for statement in FRAMEWORK.applied_change(table, AppliedMigration(version="2", name="")):
        connection.execute(statement, binary=True)
    assert rows(database, "Ops.user") == [{"version": 2}]
    connection.execute('ALTER TABLE users ADD email text; UPDATE "Ops"."user" SET version = 2')
    rolled_back(database, tmp_path, steps=2, migrations=settings)
    assert rows(database, "Ops.user") == [{"version": 0}]
    assert connection.execute("SELECT to_regclass('users')").fetchone() == (None,)


def test_everything_up_to_the_row_is_applied_newest_first(tmp_path: Path) -> None:
    directory = write(tmp_path, FILES)
    files = FRAMEWORK.files(directory)
    assert FRAMEWORK.history([(0,)], files).applied == ()
    found = FRAMEWORK.history([(5,)], files)
    assert found.problem == ""
    assert [(m.version, m.name) for m in found.applied] == [
        ("5", ""),
        ("4", ""),
        ("3", "orders"),
        ("2", "email"),
        ("1", "users"),
    ]
    missing = FRAMEWORK.down(found.applied[0], directory)
    assert isinstance(missing, Missing)
    assert "has version 5" in missing.why


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        ([], "has 0 rows"),
        ([1, 2], "has 2 rows"),
        ([-1], "says -1"),
        ([2_000_000_000], "says 2000000000, and the highest number of a file is 3"),
    ],
)
def test_a_state_in_which_tern_refuses_to_go_on_is_explained(
    versions: list[int], words: str, tmp_path: Path
) -> None:
    files = FRAMEWORK.files(write(tmp_path, FILES))
    found = FRAMEWORK.history([(version,) for version in versions], files)
    assert words in found.problem
    assert found.applied == ()


def down(directory: Path, text: str) -> Source | str:
    path = write(directory, {"1_a.sql": text}) / "1_a.sql"
    applied = AppliedMigration(version="1", name="a", path=str(path))
    source = FRAMEWORK.down(applied, path.parent)
    return source if isinstance(source, Source) else source.why


@pytest.mark.parametrize(
    ("text", "section", "transactional"),
    [
        (f"A;\n{DIVIDER}\nB;", "\nB;", True),
        (f"A;\n{DIVIDER} B;", " B;", True),
        (f"A; -- {DIVIDER}\nB;", "\nB;", True),
        (f"A '{DIVIDER}'\nB;", "'\nB;", True),
        (f"A;\n{DIVIDER}\nB;\n{DIVIDER}\nC;", f"\nB;\n{DIVIDER}\nC;", True),
        (f"A;\n{DIVIDER}", "", True),
        (f"A;\n{DIVIDER}\n---- tern: disable-tx ----\nB;", None, False),
        (f"A;\n{DIVIDER}\nB;\n---- tern: disable-tx ----", None, False),
        (f"A;\r\n{DIVIDER}\r\n---- tern: disable-tx ----\r\nB;", None, True),
        (f"A;\r\n{DIVIDER}\r\nB;\r\n---- tern: disable-tx ----\r\n", None, False),
        (f"A;\n{DIVIDER}\n  ---- tern: disable-tx ----\nB;", None, False),
        (f"A;\n{DIVIDER}\nB;\n  ---- tern: disable-tx ----\nC;", None, True),
        (f"A;\n{DIVIDER}\n---- TERN: disable-tx ----\nB;", None, True),
        (f"---- tern: disable-tx ----\nA;\n{DIVIDER}\nB;", None, True),
        (f"{{{{ .name }}}};\n{DIVIDER}\nB;", None, True),
    ],
)
def test_the_divider_and_the_mark(
    text: str, section: str | None, transactional: bool, tmp_path: Path
) -> None:
    source = down(tmp_path, text)
    assert isinstance(source, Source), source
    expected = text.split(DIVIDER, 1)[1] if section is None else section
    assert source.data[source.start : source.end].decode() == expected
    assert source.transactional is transactional


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("A;\n", "1_a.sql has no '---- create above / drop below ----'"),
        ("A;\n---- CREATE ABOVE / DROP BELOW ----\nB;", "has no '---- create above"),
        (f'A;\n{DIVIDER}\nB;\n-- {{{{ template "shared/b.sql" . }}}}\n', "('{{') in line 4"),
        (f"A;\n{DIVIDER}\nDROP TABLE {{{{.prefix}}}}_a;", "('{{') in line 3"),
    ],
)
def test_what_has_no_section_that_could_be_used(text: str, why: str, tmp_path: Path) -> None:
    said = down(tmp_path, text)
    assert isinstance(said, str)
    assert why in said


def test_the_lock_is_terns(database: Database) -> None:
    sql = FRAMEWORK.lock_sql(database.name, TABLE)
    assert sql is not None
    assert database.connect().execute(sql).fetchone() == (True,)
    theirs = "SELECT pg_try_advisory_lock(9628173550095224)"
    assert database.connect().execute(theirs).fetchone() == (False,)
