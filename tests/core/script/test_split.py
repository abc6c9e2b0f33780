"""Boundaries: psql's lexical rules, one trap a row."""

from __future__ import annotations

import postgast
import pytest

from rollback_tui.core.script.split import MAX_BYTES, MAX_STATEMENTS, split
from tests.effort import counted


def pieces(script: str | bytes) -> list[str]:
    data = script.encode() if isinstance(script, str) else script
    result = split(data)
    assert result.problems == ()
    return [data[piece.start : piece.end].decode() for piece in result.statements]


def rules(script: str | bytes) -> list[tuple[str, int, int]]:
    data = script.encode() if isinstance(script, str) else script
    return [(p.rule, p.line, p.offset) for p in split(data).problems]


BODY = "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; END"
TRAPS = [
    ("", []),
    (" \n-- only a comment\n/* and another */ ; ;;", []),
    ("SELECT 1", ["SELECT 1"]),
    ("SELECT 1;SELECT 2;", ["SELECT 1", "SELECT 2"]),
    ("-- a\nSELECT 1 -- b\n; -- c", ["SELECT 1"]),
    ("SELECT /* in; it */ 1 /* after */;", ["SELECT /* in; it */ 1"]),
    ("SELECT 1 -- a;b\r; SELECT 2", ["SELECT 1", "SELECT 2"]),
    # Where sqlparse is wrong.
    ("SELECT 5 # 3; DROP TABLE x", ["SELECT 5 # 3", "DROP TABLE x"]),
    (r"SELECT 'C:\'; SELECT 2", [r"SELECT 'C:\'", "SELECT 2"]),
    (r"SELECT E'a\\'; SELECT 2", [r"SELECT E'a\\'", "SELECT 2"]),
    (r"SELECT E'a\'; b'; SELECT 2", [r"SELECT E'a\'; b'", "SELECT 2"]),
    (r'SELECT "a\"; SELECT 2', [r'SELECT "a\"', "SELECT 2"]),
    ("/* a /* b */ DROP TABLE x; */ SELECT 1", ["SELECT 1"]),
    ("SELECT begin, declare FROM t; SELECT 2", ["SELECT begin, declare FROM t", "SELECT 2"]),
    ("DROP TABLE GO CASCADE;\nSELECT 1", ["DROP TABLE GO CASCADE", "SELECT 1"]),
    (
        "CREATE RULE r AS ON UPDATE TO t DO (SELECT CASE WHEN a THEN 1 END; SELECT 2); SELECT 3",
        [
            "CREATE RULE r AS ON UPDATE TO t DO (SELECT CASE WHEN a THEN 1 END; SELECT 2)",
            "SELECT 3",
        ],
    ),
    # Bodies in the SQL standard's form.
    (f"{BODY}; SELECT 3", [BODY, "SELECT 3"]),
    (
        "CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC INSERT INTO t SELECT 1 AS end; END; SELECT 2",
        [
            "CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC INSERT INTO t SELECT 1 AS end; END",
            "SELECT 2",
        ],
    ),
    (
        "create/**/function f() returns void begin -- x\n atomic end; select 1",
        ["create/**/function f() returns void begin -- x\n atomic end", "select 1"],
    ),
    (
        "CREATE TABLE function (begin atomic); SELECT 1; END_ ;",
        ["CREATE TABLE function (begin atomic)", "SELECT 1", "END_"],
    ),
    ("CREATE FUNCTION f(begin atomic) AS 'x'; SELECT 1", None),
    # Quoting.
    ("SELECT 'it''s; fine'; SELECT 2", ["SELECT 'it''s; fine'", "SELECT 2"]),
    ("SELECT E'a'\n'\\'; b'; SELECT 2", ["SELECT E'a'\n'\\'; b'", "SELECT 2"]),
    ("SELECT E'a' -- c\n '\\'; b'; SELECT 2", ["SELECT E'a' -- c\n '\\'; b'", "SELECT 2"]),
    ("SELECT E'a' '\\'; SELECT 2", ["SELECT E'a' '\\'", "SELECT 2"]),
    ("SELECT nameE'\\'; SELECT 2", ["SELECT nameE'\\'", "SELECT 2"]),
    (r"SELECT U&'\'; SELECT 2", [r"SELECT U&'\'", "SELECT 2"]),
    (r"SELECT N'\', B'1', X'A;'; SELECT 2", [r"SELECT N'\', B'1', X'A;'", "SELECT 2"]),
    ('SELECT "a""b;c"; SELECT 2', ['SELECT "a""b;c"', "SELECT 2"]),
    ("DO $$ a; $b$ c; $$; SELECT 2", ["DO $$ a; $b$ c; $$", "SELECT 2"]),
    ("DO $a$ x $$; $b$a$; SELECT 2", ["DO $a$ x $$; $b$a$", "SELECT 2"]),
    ("DO $größe$ ; $größe$; SELECT 2", ["DO $größe$ ; $größe$", "SELECT 2"]),
    ("SELECT a$b$; SELECT c$b$", ["SELECT a$b$", "SELECT c$b$"]),
    ("SELECT $1$; SELECT 2", ["SELECT $1$", "SELECT 2"]),
    # 13 and 14 read a number or a parameter and then a string that takes backslashes.
    ("SELECT $1E'\\'; a'; SELECT 2", ["SELECT $1E'\\'; a'", "SELECT 2"]),
    ("SELECT 1e'\\'; a'; SELECT 2", ["SELECT 1e'\\'; a'", "SELECT 2"]),
    ("SELECT 1$a$;$a$; SELECT 2", ["SELECT 1$a$;$a$", "SELECT 2"]),
    # Operators, parentheses, comments.
    ("SELECT 1 +-- x;\n2; SELECT 3", ["SELECT 1 +-- x;\n2", "SELECT 3"]),
    ("SELECT 1 */* ; */2; SELECT 3", ["SELECT 1 */* ; */2", "SELECT 3"]),
    ("SELECT 1 - 2 / 3; SELECT 4", ["SELECT 1 - 2 / 3", "SELECT 4"]),
    ("SELECT 1); SELECT 2", ["SELECT 1)", "SELECT 2"]),
    ("SELECT '{\"a\": 1}'::jsonb @> '{}'; SELECT 2", None),
    ("SELECT ':x;' , :name; SELECT 2", ["SELECT ':x;' , :name", "SELECT 2"]),
    ('DROP TABLE größe; DROP TABLE "naïve;"', ["DROP TABLE größe", 'DROP TABLE "naïve;"']),
]


@pytest.mark.parametrize(("script", "expected"), TRAPS, ids=[trap[0][:40] for trap in TRAPS])
def test_boundaries(script: str, expected: list[str] | None) -> None:
    found = pieces(script)
    if expected is None:
        assert len(found) == 2
    else:
        assert found == expected


def test_offsets_and_lines_are_those_of_the_whole_file() -> None:
    data = "-- migrate:up\nSELECT 'ü';\n-- migrate:down\n\n  DROP TABLE é;\n\nSELECT 1;".encode()
    start = data.index(b"-- migrate:down")
    result = split(data, start)
    assert [
        (piece.line, data[piece.start : piece.end].decode()) for piece in result.statements
    ] == [
        (5, "DROP TABLE é"),
        (7, "SELECT 1"),
    ]
    assert split(data, 0, start).statements[0].line == 2


# --- the wrapper --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("BEGIN;", "COMMIT;"),
        ("begin transaction;", "commit work;"),
        ("BEGIN WORK ;", "END TRANSACTION"),
        ("-- why\nSTART TRANSACTION; -- ours", "/* so */ END; -- done"),
    ],
)
def test_an_own_line_wrapper_is_taken_off(opening: str, closing: str) -> None:
    data = f"{opening}\nDROP TABLE a;\nDROP TABLE b;\n{closing}\n".encode()
    result = split(data)
    assert result.wrapper_removed and result.problems == ()
    assert [data[p.start : p.end] for p in result.statements] == [b"DROP TABLE a", b"DROP TABLE b"]


@pytest.mark.parametrize(
    "script",
    [
        "BEGIN; DROP TABLE a;\nCOMMIT;",
        "BEGIN;\nDROP TABLE a; COMMIT;",
        "BEGIN;\nDROP TABLE a;\nCOMMIT;\nDROP TABLE b;",
        "DROP TABLE b;\nBEGIN;\nDROP TABLE a;\nCOMMIT;",
        "BEGIN;\nDROP TABLE a;\n",
        "BEGIN;\nDROP TABLE a;\nROLLBACK;",
        "BEGIN ISOLATION LEVEL SERIALIZABLE;\nDROP TABLE a;\nCOMMIT;",
        "BEGIN;\nDROP TABLE a;\nCOMMIT AND CHAIN;",
        "BEGIN;\nSAVEPOINT x;\nDROP TABLE a;\nCOMMIT;",
        "BEGIN;\nBEGIN;\nDROP TABLE a;\nCOMMIT;\nCOMMIT;",
        "BEGIN;\nDROP TABLE a;\nCOMMIT;\nBEGIN;\nDROP TABLE b;\nCOMMIT;",
    ],
)
def test_any_other_transaction_control_is_refused(script: str) -> None:
    result = split(script.encode())
    assert not result.wrapper_removed
    assert {problem.rule for problem in result.problems} == {"transaction_control"}


@pytest.mark.parametrize(
    "statement",
    [
        "start transaction",
        "abort",
        "rollback to x",
        "release x",
        "PREPARE/**/TRANSACTION 'x'",
        "COMMIT PREPARED 'x'",
        "ROLLBACK PREPARED 'x'",
        "end",
        "SET TRANSACTION READ ONLY",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    ],
)
def test_transaction_control_is_named_with_its_place(statement: str) -> None:
    assert rules(f"SELECT 1;\n {statement};") == [("transaction_control", 2, 11)]


def test_an_empty_wrapper_leaves_nothing() -> None:
    result = split(b"BEGIN;\n-- nothing\nCOMMIT;\n")
    assert result.wrapper_removed and result.statements == () and result.problems == ()


@pytest.mark.parametrize("script", ["PREPARE x AS SELECT 1", "SELECT 1 AS commit", "SET a = 1"])
def test_what_only_looks_like_transaction_control_passes(script: str) -> None:
    assert pieces(script) == [script]


# --- what must not be executed --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("SELECT 1;\n\\connect other\nSELECT 2;", [("psql_command", 2, 10)]),
        ("SELECT 1 \\gexec", [("psql_command", 1, 9)]),
        ("COPY t FROM STDIN;\n1\t'x\n;\n\\.\nSELECT 2;", [("copy_from_stdin", 1, 0)]),
        ("copy t (a) from /* */ stdin with csv", [("copy_from_stdin", 1, 0)]),
        ("COPY t FROM STDOUT;\n1\n\\.\nSELECT 2;", [("copy_from_stdin", 1, 0)]),
        ("SELECT 1;\nCOPY t TO STDOUT;", [("copy_to_stdout", 2, 10)]),
        ("copy (select 1) to /* */ stdin with csv", [("copy_to_stdout", 1, 0)]),
        ("SELECT 'abc; DROP", [("unterminated", 1, 7)]),
        ("SELECT 1;\nSELECT E'a\\'", [("unterminated", 2, 17)]),
        ('SELECT "abc', [("unterminated", 1, 7)]),
        ("DO $a$ $A$", [("unterminated", 1, 3)]),
        ("SELECT 1; /* a /* b */", [("unterminated", 1, 10)]),
        ("SELECT (1; DROP TABLE x;", [("unterminated", 1, 7)]),
        ("CREATE FUNCTION f() BEGIN ATOMIC SELECT 1;", [("unterminated", 1, 0)]),
        ("SELECT 1;\nSET standard_conforming_strings = off;", [("changes_lexing", 2, 10)]),
        (
            "SELECT set_config('Standard_Conforming_Strings', 'off', true)",
            [("changes_lexing", 1, 0)],
        ),
        ("-- standard_conforming_strings\nSELECT 1 /* standard_conforming_strings */ + 1", []),
    ],
)
def test_what_must_not_be_executed(script: str, expected: list[tuple[str, int, int]]) -> None:
    assert rules(script) == expected


def test_copy_data_is_not_read_as_sql() -> None:
    data = b"COPY t FROM STDIN;\nit's; one\n\\.\nSELECT 2;"
    assert [data[p.start : p.end] for p in split(data).statements] == [
        b"COPY t FROM STDIN",
        b"SELECT 2",
    ]


# --- encoding -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "offset", "words"),
    [
        ("SELECT 1;".encode("utf-16"), 0, "UTF-16"),
        ("SELECT 1;".encode("utf-16-le"), 1, "UTF-16"),
        (b"SELECT 1;\nSELECT '\xfc';", 18, "0xFC is not valid UTF-8: the file may be Latin-1"),
        (b"SELECT 1;\n\0DROP TABLE x;", 10, "NUL"),
    ],
)
def test_what_cannot_be_read_gives_no_statements(data: bytes, offset: int, words: str) -> None:
    result = split(data)
    assert result.statements == ()
    (problem,) = result.problems
    assert (problem.rule, problem.offset) == ("encoding", offset)
    assert words in problem.summary and problem.remedy


@pytest.mark.parametrize(
    ("script", "offset"),
    [
        ("\ufeffSELECT 1", 0),
        ("DROP TABLE IF EXISTS users\u200b;", 26),
        ("DROP TABLE users\u00a0;", 16),
        ("DROP TABLE\u2003users;", 10),
        ('DROP TABLE "users\u200b";', 17),
        ("SELECT 'a\u202eb'", 9),
        ("-- \u2066 reordered\nSELECT 1", 3),
        ("DO $$ DROP TABLE users\u200b $$", 22),
    ],
)
def test_characters_that_lie_are_named_with_their_offset(script: str, offset: int) -> None:
    assert rules(script) == [("encoding", 1, offset)]


@pytest.mark.parametrize(
    "script",
    ["SELECT 'a\u00a0b'", "SELECT 'a\u200db'", "-- a\u00a0b\u200b\nSELECT 1", 'SELECT "a\u00a0b"'],
)
def test_the_same_characters_are_data_in_strings_and_comments(script: str) -> None:
    assert rules(script) == []


def test_white_space_is_ascii_only() -> None:
    data = "DROP TABLE users\u00a0;".encode()
    (piece,) = split(data).statements
    assert data[piece.start : piece.end].decode() == "DROP TABLE users\u00a0"


# --- sizes ----------------------------------------------------------------------------------------


def test_hostile_sizes_are_refused() -> None:
    assert rules(b"x" * (MAX_BYTES + 1)) == [("too_large", 1, 0)]
    assert rules(b"a;" * (MAX_STATEMENTS + 1)) == [("too_large", 1, 0)]
    assert len(split(b"a;" * MAX_STATEMENTS).statements) == MAX_STATEMENTS


def test_deep_nesting_is_refused() -> None:
    assert len(split(b"SELECT " + b"(" * 2000 + b"1" + b")" * 2000).statements) == 1
    deep = b"SELECT 1;\nSELECT " + b"(" * 2001 + b"1" + b")" * 2001
    assert rules(deep) == [("too_large", 2, 10 + 7 + 2000)]
    assert split(deep).statements == ()


def test_problems_are_bounded() -> None:
    assert len(split(b"\\a\n" * 100_000).problems) <= 100


UNITS = pytest.mark.parametrize(
    "unit",
    [b"'", b"''", b"E'\\", b"/*", b"*/", b"$a", b"$a$", b"$", b"(", b'"', b"-", b"- ", b"E'a'\n",
     b"E'a' --\n", b"\\", b"\xc2\xa0", b"COPY a FROM STDIN;", b"CREATE FUNCTION BEGIN ATOMIC ",
     b" ", b"a", b"1", b"a1 "],
)  # fmt: skip


@UNITS
def test_no_input_of_a_megabyte_takes_long(unit: bytes) -> None:
    """A pattern that looks back at all it has seen, for each character, would take hours."""
    split(unit * (1_000_000 // len(unit)))


@UNITS
def test_twice_as_much_is_twice_the_work(unit: bytes) -> None:
    assert work(unit * 2000) <= 2.1 * work(unit * 1000)


def work(data: bytes) -> int:
    with counted() as effort:
        split(data)
    return effort.total


def test_too_many_parts_are_refused_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rollback_tui.core.script.split.MAX_TOKENS", 1000)
    assert rules(b"(" * 1001) == [("too_large", 1, 0)]
    assert len(split(b"()" * 500).statements) == 1


def test_a_large_script_is_as_much_work_a_statement_as_a_small_one() -> None:
    row = b"UPDATE public.orders SET note = 'a; b', total = total * 1.19 WHERE id = 12345; -- c\n"
    row += b"/* x */ " * 50
    large = row * 10_000
    assert len(large) > 4_800_000
    assert len(split(large).statements) == 10_000
    assert work(row * 1000) <= 10.5 * work(row * 100)


@pytest.mark.parametrize("script", [trap[0] for trap in TRAPS], ids=[t[0][:40] for t in TRAPS])
def test_postgresqls_own_parser_sees_the_same_statements(script: str) -> None:
    data = script.encode()
    try:
        parsed = postgast.parse(script).stmts
    except postgast.PgQueryError:
        pytest.skip("not valid SQL for PostgreSQL 18")
    theirs = [(s.stmt_location, s.stmt_location + (s.stmt_len or len(data))) for s in parsed]
    ours = [(piece.start, piece.end) for piece in split(data).statements]
    assert len(ours) == len(theirs)
    for (start, end), (first, last) in zip(ours, theirs, strict=True):
        assert first <= start < end <= last
