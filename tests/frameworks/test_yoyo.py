"""yoyo's rules that need no yoyo to be seen; the rest is in test_real_yoyo.py."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.protocol import History, Missing, TableShape, VersionTable
from rollback_tui.frameworks.yoyo.files import Step, hash_of, read
from rollback_tui.frameworks.yoyo.framework import Yoyo

FRAMEWORK = Yoyo()
TABLE = VersionTable(schema="public", name="_yoyo_migration")
WHEN = datetime(2024, 1, 31, 9, 0)
COLUMNS = (
    ("migration_hash", "character varying"),
    ("migration_id", "character varying(255)"),
    ("applied_at_utc", "timestamp without time zone"),
)


@pytest.mark.parametrize(
    ("columns", "key", "recognised"),
    [
        (COLUMNS, ("migration_hash",), True),
        (COLUMNS, ("migration_id",), False),
        (COLUMNS[:2], ("migration_hash",), False),
        ((("id", "character varying"), ("ctime", COLUMNS[2][1])), ("id",), False),
    ],
)
def test_the_version_table_is_known_by_its_shape(
    columns: tuple[tuple[str, str], ...], key: tuple[str, ...], recognised: bool
) -> None:
    shape = TableShape(schema="any", name="any", columns=columns, primary_key=key)
    assert FRAMEWORK.recognises(shape) is recognised


def write(directory: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (directory / name).write_bytes(text.encode())
    return directory


def history(directory: Path, *applied: str) -> History:
    rows = [(hash_of(version), version, WHEN) for version in applied]
    return FRAMEWORK.history(rows, FRAMEWORK.files(directory))


def test_files(tmp_path: Path) -> None:
    names = (
        *("2.sql", "2.rollback.sql", "20240101_01_ab-users.py", "1 b.sql", "3.SQL", "4.txt"),
        *("_tmp_yoyonew1.sql", "post-apply.sql", "post-apply-2.py", "5.rollback.sql"),
    )
    write(tmp_path, dict.fromkeys(names, ""))
    (tmp_path / "6.sql").mkdir()
    found = FRAMEWORK.files(tmp_path)
    assert [(f.version, f.name, f.down_path and Path(f.down_path).name) for f in found] == [
        ("1 b", "1 b", None),
        ("2", "2", "2.rollback.sql"),
        ("20240101_01_ab-users", "users", "20240101_01_ab-users.py"),
    ]
    write(tmp_path, {"2.py": ""})
    with pytest.raises(FrameworkError, match=r"2\.py and 2\.sql are both the migration 2"):
        FRAMEWORK.files(tmp_path)


@pytest.mark.parametrize(
    ("text", "directories"),
    [
        ("[DEFAULT]\nsources = a  db/b\ndatabase = %(DB)s\n", ("a", "db/b")),
        ("[DEFAULT]\nsources = %(here)s/db", ("{}/db",)),
        ("[DEFAULT]\nsources = %(ROOT)s/db", ()),
        ("[DEFAULT]\nsources = package:shop:migrations", ()),
        ("[DEFAULT]\nsources = */migrations", ()),
        ("sources = a", ()),
        ("[DEFAULT]\n", ()),
    ],
)
def test_the_directories_of_its_configuration(
    tmp_path: Path, text: str, directories: tuple[str, ...]
) -> None:
    assert FRAMEWORK.configured_directories(tmp_path) == ()
    write(tmp_path, {"yoyo.ini": text})
    wanted = tuple(name.format(tmp_path) for name in directories)
    assert FRAMEWORK.configured_directories(tmp_path) == wanted


def test_newest_first_with_what_only_the_database_knows(tmp_path: Path) -> None:
    """Where the file of 3 would stand; what is pending plays no part."""
    files = {"1.sql": "-- depends: 4", "2.sql": "", "4.sql": "", "5.sql": "-- depends: none"}
    write(tmp_path, files)
    past = history(tmp_path, "1", "2", "3", "4")
    assert [(m.version, m.path) for m in past.applied] == [
        ("1", str(tmp_path / "1.sql")),
        ("4", str(tmp_path / "4.sql")),
        ("3", None),
        ("2", str(tmp_path / "2.sql")),
    ]
    assert past.problem == ""
    assert past.applied[0].applied_at == WHEN.replace(tzinfo=UTC)
    assert isinstance(FRAMEWORK.down(past.applied[2], tmp_path), Missing)


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"1.sql": "-- depends: 0"}, "1 depends on 0, of which there is no file"),
        ({"1.sql": "-- depends: 2", "2.sql": "-- depends: 1"}, "1, 2 depend on each other"),
        ({"1.sql": "-- depends: 1"}, "1 depend on each other"),
        ({"1.sql": "-- transactional: no"}, "1.sql says `transactional: no`"),
        ({"1.py": "__depends__ = names()"}, "__depends__ in 1.py is not plainly said"),
        ({"1.py": "__depends__ = {1}"}, "__depends__ in 1.py is not plainly said"),
        ({"1.py": "def ("}, "1.py is no Python that can be read"),
    ],
)
def test_an_order_that_nobody_can_say(tmp_path: Path, files: dict[str, str], problem: str) -> None:
    write(tmp_path, files)
    past = history(tmp_path, *(Path(name).stem for name in files))
    assert problem in past.problem
    assert len(past.applied) == len(files)


def test_a_row_that_yoyo_would_not_find(tmp_path: Path) -> None:
    write(tmp_path, {"2.sql": ""})
    past = FRAMEWORK.history([(hash_of("1"), "2", WHEN)], FRAMEWORK.files(tmp_path))
    assert "the hash of another name" in past.problem


HEADERS = {
    "none": ("SELECT 1;", (), True),
    "both": ("-- depends: a b\n--transactional:false\nSELECT 1;", ("a", "b"), False),
    "in any order": ("\n\n  --  transactional :  TRUE\n-- x\n-- depends : a", ("a",), True),
    "twice": ("-- depends: a\n-- depends: b c", ("a", "b", "c"), True),
    "after a statement": ("SELECT 1;\n-- depends: a\n-- transactional: false", (), True),
    "in a block comment": ("/*\n-- depends: a\n*/", (), True),
    "in upper case": ("-- DEPENDS: a\n-- Transactional: false", (), True),
    "carriage returns": ("-- depends: a\r-- transactional: false\r\nSELECT", ("a",), False),
    "a byte order mark": ("\ufeff-- transactional: false\nSELECT", (), True),
    "within a line": ("-- it depends: a", (), True),
}


@pytest.mark.parametrize("title", HEADERS)
def test_the_comments_at_the_top(title: str) -> None:
    text, depends, transactional = HEADERS[title]
    said = read(text.encode(), Path("x.sql"))
    assert (said.depends, said.transactional, said.unreadable) == (depends, transactional, "")


@pytest.mark.parametrize("text", ["-- transactional: false ", "-- transactional: 0\n"])
def test_a_mark_that_yoyo_fails_on(text: str) -> None:
    assert "transactional" in read(text.encode(), Path("x.sql")).unreadable
    assert read(b"\xff", Path("x.sql")).unreadable == "x.sql is not UTF-8"


def test_plain_steps_of_a_python_file() -> None:
    text = """
'''A docstring.'''
from yoyo import step
__depends__ = {"b", "a"}
__transactional__ = False
step("one")
steps: list = [step("two", "un" "two"), step(apply="three", rollback=None), step(rollback="x")]
"""
    said = read(text.encode(), Path("x.py"))
    assert said.steps == (Step("one", ""), Step("two", "untwo"), Step("three", ""), Step("", "x"))
    assert (said.depends, said.transactional) == (("a", "b"), False)


@pytest.mark.parametrize(
    "line",
    [
        "import os",
        "from yoyo import step, group",
        "from yoyo import step as other",
        "steps = [step(SQL)]",
        "steps = [step(f'{a}')]",
        "steps = [step('a', 'b', ignore_errors='all')]",
        "steps = [step('a', 'b', 'all')]",
        "steps = [step(*both)]",
        "steps = [step(**both)]",
        "steps = [step('a', apply='b')]",
        "steps = [step(do, undo)]",
        "steps = [group(step('a'))]",
        "steps = make()",
        "steps.append(step('a'))",
        "steps += [step('a')]",
        "step = other",
        "def f(): pass",
        "for a in b: step(a)",
        "if True: step('a')",
        "a = b = step('a')",
    ],
)
def test_a_python_file_that_is_a_program(tmp_path: Path, line: str) -> None:
    """It is never executed, and what it would do is not guessed at."""
    text = f"from yoyo import step\nstep('a', 'b')\n{line}\n"
    write(tmp_path, {"1.py": text})
    (applied,) = history(tmp_path, "1").applied
    found = FRAMEWORK.down(applied, tmp_path)
    assert isinstance(found, Missing)
    assert "1.py is a program: line 3 is more than a plain step" in found.why


def test_down_and_up(tmp_path: Path) -> None:
    files = {
        "1.sql": "CREATE TABLE a ();",
        "2.sql": "-- transactional: false\nCREATE INDEX;",
        "2.rollback.sql": "-- no\nDROP INDEX;",
        "3.sql": "SELECT 1;",
        "3.rollback.sql": "-- transactional: false\n",
        "4.py": "from yoyo import step\nstep('A -- a', 'C')\nstep('B;', ' ')\n",
        "5.py": "from yoyo import step\nstep('A')",
    }
    write(tmp_path, files)
    past = history(tmp_path, *"12345")
    five, four, three, two, one = (FRAMEWORK.down(m, tmp_path) for m in past.applied)
    assert one == Missing(why="there is no 1.rollback.sql beside 1.sql")
    assert isinstance(two, Source)
    assert (two.path, two.data, two.transactional, two.origin) == (
        *(str(tmp_path / "2.rollback.sql"), b"-- no\nDROP INDEX;", False, ""),
    )
    # yoyo takes the mark of the migration itself for both ways.
    assert isinstance(three, Source)
    assert three.transactional
    assert isinstance(four, Source)
    assert four.data == b"C\n;\n"
    assert four.file_sha256 != ""
    assert isinstance(five, Source)
    assert five.data == b""  # no effective statement: refused as such
    up = FRAMEWORK.up(past.applied[1], tmp_path)
    assert isinstance(up, Source)
    assert (up.path, up.data) == (str(tmp_path / "4.py"), b"A -- a\n;\nB;\n;\n")


def test_the_change_is_the_same_when_it_is_made_again() -> None:
    """What the operator confirms holds no time and no random number."""
    applied = AppliedMigration(version="it's", name="")
    table = VersionTable(schema="Ops", name="other")
    first = FRAMEWORK.version_change(table, applied, None)
    assert first == FRAMEWORK.version_change(table, applied, None)
    assert first[0].startswith('INSERT INTO "Ops"._yoyo_log (id, ')
    assert (
        first[1]
        == f"DELETE FROM \"Ops\".other WHERE migration_hash = '{hash_of('it' + chr(39) + 's')}'"
    )
    assert "'it''s'" in first[0]
    assert "FROM public.yoyo_lock" in str(FRAMEWORK.lock_sql("any", TABLE))
