"""Placeholders are named where they are, and nothing that PostgreSQL means is called one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from rollback_tui.core.script.read import read_script
from rollback_tui.core.script.source import Source
from rollback_tui.core.script.templates import MOST_REPORTED
from rollback_tui.parser import Parser
from tests.effort import EVERYTHING, counted


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with Parser() as made:
        yield made


def found(parser: Parser, script: str) -> list[tuple[str, int, int]]:
    data = script.encode()
    source = Source(path="x.sql", data=data, start=0, end=len(data))
    read = read_script(source, first_index=1, trees=parser.trees)
    assert all(problem.remedy for problem in read.problems)
    return [(p.summary.split(" is a ")[0], p.line, p.offset) for p in read.problems]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("DROP TABLE {{ name }};", [("{{ name }}", 1, 11)]),
        ("SELECT 'ü';\nDROP TABLE {{.T}}_b", [("{{.T}}", 2, 24)]),
        ("{% if x %} DROP TABLE a; {% endif %}", [("{% if x %}", 1, 0), ("{% endif %}", 1, 25)]),
        ("DROP TABLE ${SCHEMA}.users", [("${SCHEMA}", 1, 11)]),
        ("DROP TABLE ${SCHEMA:-app}.users", [("${SCHEMA:-app}", 1, 11)]),
        ("DROP TABLE $SCHEMA.users", [("$SCHEMA", 1, 11)]),
        ("DROP TABLE #{name}", [("#{name}", 1, 11)]),
        ("GRANT ALL ON t TO {role}", [("{role}", 1, 18)]),
        ("DELETE FROM t WHERE a = %(x)s AND b = %(y)s", [("%(x)s", 1, 24), ("%(y)s", 1, 38)]),
        ("DELETE FROM t WHERE a = :id", [(":id", 1, 24)]),
        ("SELECT :'v', :\"w\"", [(":'v'", 1, 7), (':"w"', 1, 13)]),
        ("SELECT a::int, b[1:2] FROM :t", [(":t", 1, 27)]),
        ("DROP TABLE <%= table %>", [("<%= table %>", 1, 11)]),
        ("DROP TABLE @@x@@", [("@@x@@", 1, 11)]),
        # These are SQL: another table, and with IF EXISTS silently none.
        ('DROP TABLE IF EXISTS "${schema}"."users"', [("${schema}", 1, 22)]),
        ('DROP TABLE "x", "{{ y }}"', [("{{ y }}", 1, 17)]),
    ],
)
def test_placeholders(parser: Parser, script: str, expected: list[tuple[str, int, int]]) -> None:
    assert found(parser, script) == expected


@pytest.mark.parametrize(
    "script",
    [
        "SELECT x::text, a[1:2], a[b:c], a[:d], f(a := 1), a %(x)s, a <% b, @ -1, $1 FROM t",
        """SELECT '{{x}}', '{"a": 1}', E'${x}', $$ ${x} {{y}} :z $$, $q$<%= x %>$q$, '%(x)s'""",
        "SELECT JSON_OBJECT('a':b), '12:30'::time -- {{ x }}\n /* ${y} */",
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $f$ SELECT '{{' || :x || ${y} $f$",
        'SELECT "a@b@", "100%", "x:y", "{}" FROM a$b, "$"',
        # Wrong for another reason: what is data or an operator stays that.
        "SELEC x::text, a[1:2], a[b:c], '{{x}}', $$ ${x} :z $$, f(a := 1), a$b, $1, @x, @@ y",
        "SELEC JSON_OBJECT('a':b)",
        "SELECT { }",
    ],
)
def test_what_postgresql_means_is_none(parser: Parser, script: str) -> None:
    assert found(parser, script) == []


def test_they_are_bounded(parser: Parser) -> None:
    assert len(found(parser, "DROP TABLE {{ a }};\n" * 500)) == MOST_REPORTED


@pytest.mark.parametrize("unit", [":x ", "{a ", "{{", "<%= ", "@a", "${", "[:a", '"{', "%(a"])
def test_nothing_unreadable_takes_long(unit: str) -> None:
    """Twice as much is twice the work; and a pattern that looks back at all it has seen would take
    hours for the last."""

    def unread(texts: Sequence[str]) -> list[None]:
        return [None] * len(texts)

    def work(size: int) -> int:
        data = b"SELECT " + unit.encode() * (size // len(unit))
        source = Source(path="x", data=data, start=0, end=len(data))
        with counted(EVERYTHING) as effort:
            read_script(source, first_index=1, trees=unread)
        return effort.total

    assert work(6_000) <= 2.1 * work(3_000)
    data = b"SELECT " + unit.encode() * (300_000 // len(unit))
    read_script(Source(path="x", data=data, start=0, end=len(data)), first_index=1, trees=unread)
