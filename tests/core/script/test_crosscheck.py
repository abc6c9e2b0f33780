"""The second reading: where it agrees, where it is known to be wrong, and that it is bounded."""

from __future__ import annotations

import pytest

from rollback_tui.core.script.crosscheck import MAX_BYTES, MAX_DOUBTS, SecondReading
from rollback_tui.core.script.read import read_script
from rollback_tui.core.script.source import Source
from rollback_tui.core.script.split import split
from tests.core.script import corpus
from tests.effort import EVERYTHING, counted


def doubts(script: str, start: int = 0) -> list[tuple[int, int]] | None:
    data = script.encode()
    result = split(data, start)
    found = SecondReading().doubts(data, start, len(data), result.statements)
    return None if found is None else [(doubt.line, doubt.offset) for doubt in found]


@pytest.mark.parametrize(
    "script",
    [
        "DROP TABLE a; -- one;\n\n;; /* two; */ DROP TABLE b",
        "BEGIN;\n-- x; y  \nDROP TABLE a;\nDROP TABLE b;\nCOMMIT;\n",
        "DROP TABLE é; -- ü;\nUPDATE ß SET a = 'ö;' ;",
        "CREATE FUNCTION f() RETURNS trigger AS $$ BEGIN IF x THEN RETURN NEW; END IF; END $$"
        " LANGUAGE plpgsql;\nSELECT 1;",
        "",
    ],
)
def test_ordinary_scripts_are_read_alike(script: str) -> None:
    assert doubts(script) == []


@pytest.mark.parametrize(
    ("script", "places"),
    [
        ("SELECT 5 # 3; DROP TABLE x", [(1, 14)]),
        ("/* a /* b */ DROP TABLE x; */ SELECT 1", [(1, 0)]),
        ("SELECT 'ü', begin, declare FROM t;\nSELECT 2", [(2, 36)]),
        ("DROP TABLE GO CASCADE;\nSELECT 1", [(1, 14)]),
        ("CREATE RULE r AS ON UPDATE TO t DO (SELECT CASE WHEN a THEN 1 END; SELECT 2)", [(1, 67)]),
        ("CREATE PROCEDURE p() BEGIN ATOMIC INSERT INTO t SELECT 1 AS end; END", [(1, 65)]),
    ],
)
def test_where_sqlparse_is_wrong_there_is_a_doubt(
    script: str, places: list[tuple[int, int]]
) -> None:
    assert doubts(script) == places


def test_both_readings_are_shown() -> None:
    data = b"DROP TABLE GO CASCADE"
    (doubt,) = SecondReading().doubts(data, 0, len(data), split(data).statements) or ()
    assert "“DROP TABLE GO CASCADE”" in doubt.summary and "“CASCADE”" in doubt.summary
    assert doubt.rule == "boundaries" and doubt.remedy


def test_the_corpus_is_read_alike_but_for_what_sqlparse_does_not_know() -> None:
    wrong = (" GO ", "#", "ATOMIC", "CREATE RULE", "begin int", "C:\\")
    differs = {
        name
        for name, script, start in corpus.scripts()
        if doubts(script, len(script[:start].encode())) != []
    }
    plain = {
        name for name, script, _ in corpus.scripts() if not any(word in script for word in wrong)
    }
    assert len(plain) > 80 and len(differs) > 20
    assert not plain & differs


def test_a_script_says_whether_it_was_read_twice() -> None:
    def read(data: bytes, second: SecondReading | None = None) -> tuple[bool, int]:
        source = Source(path="x", data=data, start=0, end=len(data))
        found = read_script(
            source, first_index=1, trees=lambda texts: [None] * len(texts), second=second
        )
        return found.read_twice, len(found.doubts)

    assert read(b"DROP TABLE a") == (True, 0)
    assert read(b"DROP TABLE GO CASCADE") == (True, 1)
    assert read(b"DROP TABLE a;" * (MAX_BYTES // 13 + 1)) == (False, 0)
    # What cannot be run anyway is not read again.
    assert read(b"DROP TABLE GO; SELECT 'open") == (False, 0)
    one = SecondReading()
    half = b"SELECT 1;" + b" " * (MAX_BYTES // 2)
    assert [read(half, one)[0] for _ in range(3)] == [True, False, False]


@pytest.mark.parametrize("unit", ["(", "a;", "- ", "$", "[", "\\", "a,", "'a' ", "begin ", " "])
def test_it_is_bounded(unit: str) -> None:
    size = MAX_BYTES // 4
    script = (unit * (size // len(unit)))[:size]
    data = script.encode()
    statements = split(data).statements
    with counted(EVERYTHING) as effort:
        found = SecondReading().doubts(data, 0, len(data), statements)
    # Four times as many take half a second on an idle machine; more than that would be noticed.
    assert effort.total < 2_000_000
    assert found is None or len(found) <= MAX_DOUBTS
