"""Boundaries against PostgreSQL's own parser: on its constructs, on a corpus, on anything."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pglast.parser import ParseError

import rollback_tui
from rollback_tui.core.script.split import split
from tests.core.script import corpus
from tests.core.script.reference import boundaries, marks, our_marks, ours

CONSTRUCTS = [
    # White space is ASCII only; a no-break space is a letter.
    "DROP TABLE\fa\v;\r\n\tDROP\tTABLE b\r;",
    "DROP TABLE users\u00a0; SELECT \u00a0a, b\u2003c FROM \ufeffd",
    # Comments: to \n or \r, nested, inside operators, at the very end.
    "SELECT 1 -- a; b\r; SELECT 2 -- c; d\n; SELECT 3 -- e",
    "/* a /* b; */ ; */ SELECT 1 /*;*/ ; /**/ SELECT/**/2 /* it's */",
    "SELECT 1 +-- ; '\n2; SELECT 3 */* ; ' */4; SELECT 5 @-- \n6",
    "SELECT 1 - -2 / 3 * 4 -/* */ 5; SELECT 6",
    "--\n--;\nSELECT 1;--",
    # Strings of every kind, and how they go on.
    "SELECT 'it''s; ', '', ''';', 'C:\\'; SELECT 2",
    "SELECT 'a'\n'b;'\n  \r\n';c', 'd' -- ;\n 'e;'; SELECT 2",
    "SELECT E'a\\'; b', e'\\\\'; SELECT E'a'\n'\\'; b' -- '\n '\\';' ; SELECT 3",
    "SELECT U&'d\\0061t\\+000061;', U&'d!0061;' UESCAPE '!', u&'\\\\;'; SELECT 2",
    'SELECT U&"d\\0061t;a", u&"x!0061;" UESCAPE \'!\'; SELECT 2',
    "SELECT B'01', b'1'\n'0', X'1F', x'A'\n'B', N'n;\\', n';'; SELECT 2",
    "SELECT nameE'\\'; SELECT e'\\'';",
    'SELECT "a""b;c", "a\\", "--", "/*", \'"\'; SELECT 2',
    # Dollars.
    "SELECT $$a;$b$;$$, $a$;$$;$b$;$A$;$a$; SELECT 2",
    "SELECT $größe_1$ ; $größe$ ; $größe_1$, $_$;$_$; SELECT 2",
    "SELECT a$b$c, $1, $2, _$x$ FROM d$; SELECT $$;$$; SELECT c$1",
    "SELECT a+$$;$$||$a$;$a$; SELECT 1",
    # Identifiers and numbers.
    "SELECT größe, ÿ, ﬁ.\u00b5, 1.5e-3, .5, 1., 0x1F, 0b1, 1_000 FROM t; SELECT 2",
    # Where a name looks like the beginning or the end of a block.
    "SELECT begin, declare, \"end\", atomic, language FROM t; SELECT 2",
    "DROP TABLE GO CASCADE;\nDROP TABLE go; SELECT 1",
    "BEGIN ISOLATION LEVEL SERIALIZABLE; START TRANSACTION READ ONLY; ROLLBACK",
    "CREATE TABLE function (begin int, atomic int, \"case\" int); SELECT 1; END",
    "CREATE RULE r AS ON UPDATE TO t DO (SELECT CASE WHEN a THEN 1 END; ; SELECT 2); SELECT 3",
    # Bodies in the SQL standard's form.
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END; SELECT 2",
    "CREATE FUNCTION f(a int = CASE WHEN true THEN 1 END) RETURNS int LANGUAGE sql BEGIN ATOMIC\n"
    " SELECT CASE WHEN a THEN CASE b WHEN 1 THEN 2 END END; SELECT 1 AS end; END; SELECT 3",
    "CREATE OR REPLACE PROCEDURE a.p() LANGUAGE sql BEGIN ATOMIC END; SELECT 1",
    "create/**/function f() returns void begin -- ;\n atomic;; select 1;; end; select 2",
    "CREATE FUNCTION f() RETURNS int RETURN (SELECT 1); SELECT 2",
    "CREATE FUNCTION f() RETURNS begin AS 'x;' LANGUAGE c; SELECT 2",
    "CREATE FUNCTION \"begin atomic\"() RETURNS int LANGUAGE sql AS 'SELECT 1;'; SELECT 2",
    "CREATE PROCEDURE p() BEGIN ATOMIC INSERT INTO t VALUES ('END;', $$;END$$); END; SELECT 1",
    # Empty statements and what is left over.
    "", " ; ;; -- x\n ; /* y */", ";SELECT 1;;;SELECT 2;", "SELECT 1", "SELECT 1;\n\n",
    "SELECT (1); SELECT ((2), '(' , \")\" ); SELECT 3",
    # Operators that others take for comments, casts, arrays, JSON.
    "SELECT 5 # 3; SELECT '{1}'::int[] @> '{}', a[1:2], b::text, c ? 'd', e #>> '{f;}'; SELECT 2",
]  # fmt: skip


@pytest.mark.parametrize("script", CONSTRUCTS, ids=lambda text: ascii(text)[:40])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_construct(script: str, end: str) -> None:
    script = script.replace("\n", end)
    assert _without_wrapper(script) == boundaries(script)


def _without_wrapper(script: str) -> list[tuple[int, int, int]]:
    """A wrapper would be taken off; no construct here is one."""
    assert not split(script.encode()).wrapper_removed
    return ours(script)


def test_the_corpus() -> None:
    count = 0
    for name, script, start in corpus.scripts():
        theirs, found = corpus.compared(script, start)
        assert found == theirs, name
        assert split(script.encode(), len(script[:start].encode())).problems == (), name
        count += 1
    print(f"{count} down scripts in {len(corpus.STYLES)} styles")
    assert count >= 300 and len({script for _, script, _ in corpus.scripts()}) > 400


def test_the_corpus_would_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lexer with one rule broken is caught: the comparison is not blind."""
    monkeypatch.setattr("rollback_tui.core.script.split._FunctionBody.inside", True, raising=False)
    monkeypatch.setattr("rollback_tui.core.script.split._FunctionBody.follow", lambda *_: False)
    differ = 0
    for _, script, start in corpus.scripts():
        theirs, found = corpus.compared(script, start)
        differ += theirs != found
    assert differ > 20


# --- anything ------------------------------------------------------------------------------------

LETTERS = st.text(st.sampled_from("ab;'\"$-/*\\ \néß€😀\u00a0:{}()#"), max_size=6)
GAPS = st.sampled_from(
    [" ", "\n", "\t", "\r\n", "\f", "\v", " \r ", " /**/", "/*;'*/", "/* /* ; */ \"*/", "--;'\n",
     "-- $$\r", " -- \"/*\r\n", "\n\n"]
)  # fmt: skip


def _e_string(inner: str) -> str:
    return "E'" + inner.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _plain(inner: str) -> str:
    return "'" + inner.replace("'", "''") + "'"


LITERALS = st.one_of(
    LETTERS.map(_plain),
    LETTERS.map(_e_string),
    st.tuples(LETTERS, LETTERS).map(lambda two: f"E'x'\n{_e_string(two[0])[1:]}\n{_plain('')}"),
    st.tuples(LETTERS, LETTERS).map(lambda two: f"{_plain(two[0])} -- ;'\n{_plain(two[1])}"),
    LETTERS.map(lambda inner: "U&" + _plain(inner.replace("\\", "\\\\"))),
    LETTERS.map(lambda inner: "N" + _plain(inner)),
    st.sampled_from(["B'0101'", "x'1F'", "b''\n'1'", "1", "2.5e3", "0x1F", "$1", "NULL", "é_$1"]),
    LETTERS.map(lambda inner: "$$" + inner.replace("$", "") + "$$"),
    st.tuples(st.sampled_from(["q", "größe", "_1", "Q"]), LETTERS).map(
        lambda two: f"${two[0]}$;{two[1].replace('$', '$$x')};${two[0]}$"
    ),
    LETTERS.map(lambda inner: '"' + (inner.replace('"', '""') or "x") + '"'),
)  # fmt: skip
OPERATORS = st.sampled_from(
    ["+", "-", "*", "/", "||", "#", "%", "<>", "@>", "->>", "~", "AND", "?"]
)


@st.composite
def expressions(draw: st.DrawFn, depth: int = 2) -> list[str]:
    """An expression as a list of tokens."""
    kind = draw(st.integers(0, 5)) if depth else 0
    if kind == 1:
        return ["(", *draw(expressions(depth - 1)), ")"]
    if kind == 2:
        return [*draw(expressions(depth - 1)), draw(OPERATORS), draw(LITERALS)]
    if kind == 3:
        then = [*draw(expressions(depth - 1)), "THEN", *draw(expressions(depth - 1))]
        return ["CASE", "WHEN", *then, "ELSE", draw(LITERALS), "END"]
    if kind == 4:
        return ["f", "(", *draw(expressions(depth - 1)), ",", "begin", ":=", draw(LITERALS), ")"]
    if kind == 5:
        return ["(", "SELECT", *draw(expressions(depth - 1)), "FROM", "t", ")", "::", "text"]
    return [draw(LITERALS)]


@st.composite
def commands(draw: st.DrawFn) -> list[str]:
    """A command as a list of tokens; gaps go between any two."""
    value = draw(expressions())
    other = draw(expressions(1))
    kind = draw(st.integers(0, 7))
    if kind == 0:
        return ["DELETE", "FROM", "go", "WHERE", *value]
    if kind == 1:
        return ["UPDATE", "declare", "SET", "begin", "=", *value, ",", "atomic", "=", *other]
    if kind == 2:
        items = ["SELECT", *value, ";", ";", "DELETE", "FROM", "t", "WHERE", *other]
        return ["CREATE", "RULE", "r", "AS", "ON", "INSERT", "TO", "t", "DO", "(", *items, ")"]
    if kind in (3, 4):
        head = ["CREATE", *(["OR", "REPLACE"] if kind == 3 else [])]
        head += draw(st.sampled_from([["FUNCTION"], ["PROCEDURE"]]))
        body = [";"] if draw(st.booleans()) else []
        body += ["SELECT", *value, ";", "INSERT", "INTO", "t", "SELECT", *other, "AS", "end", ";"]
        return [
            *head,
            "begin",
            ".",
            "f",
            "(",
            ")",
            "LANGUAGE",
            "sql",
            "BEGIN",
            "ATOMIC",
            *body,
            "END",
        ]
    if kind == 5:
        return ["DROP", "TABLE", "IF", "EXISTS", "function", ",", "a", ".", "end_", "CASCADE"]
    if kind == 6:
        return ["COMMIT"]
    return ["SELECT", *value, "AS", "x", ",", *other]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_generated_scripts(data: st.DataObject) -> None:
    script = data.draw(GAPS)
    for tokens in data.draw(st.lists(commands(), max_size=4)):
        for token in tokens:
            script += token + data.draw(GAPS)
        script += data.draw(st.sampled_from([";", ";;", ";\n", "; --;\n"])) + data.draw(GAPS)
    if data.draw(st.booleans()):
        script = script.rstrip("; \n\t\r\f\v")
    try:
        theirs = boundaries(script)
    except ParseError:
        return  # an operator that takes a comment's beginning, a parameter too large …
    result = split(script.encode())
    if result.wrapper_removed:
        theirs = theirs[1:-1]
    assert ours(script) == theirs


PIECES = ["'", "''", "E'", "e'", "U&'", 'u&"', "B'", "X'", "N'", '"', '""', "$$", "$a$", "$ü$",
          "$1", "$", "a$b", "/*", "*/", "/", "*", "--", "-", "\n", "\r", "\r\n", "\\'", "\\", ";",
          "(", ")", " ", "\t", "\f", "\v", "a", "ü", "\u00a0", "1", "1.5e", "e", "E", "0x1", "::",
          ":=", "=>", "<=", "|", "#", "@", "[", "]", "{", ".", "..", "+", "n", "x", "b", "u&",
          "\x01", "😀"]  # fmt: skip


@settings(max_examples=800, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
def test_the_lexer_agrees_on_any_text(script: str) -> None:
    """Also on text that is no SQL: semicolons, parentheses and comments are where they are."""
    try:
        theirs = marks(script)
    except ParseError:
        return
    found = our_marks(script)
    assert found is None or found == theirs


def test_the_package_never_imports_the_reference() -> None:
    """pglast is under the GPL: it serves the tests, and nothing that is shipped."""
    root = Path(rollback_tui.__file__).parent
    imported = {
        name.split(".")[0]
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert "postgast" in imported and "pglast" not in imported
    assert not any("pglast" in path.read_text(encoding="utf-8") for path in root.rglob("*.py"))
