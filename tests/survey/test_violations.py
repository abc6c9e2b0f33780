"""Stored rows that a statement would fail on: every number is compared with what the server does
when the statement is then executed.
"""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from rollback_tui.core.model import Violation
from rollback_tui.parser import Parser
from tests.conftest import Database
from tests.survey.planned import count

REFUSED = (psycopg.IntegrityError, psycopg.DataError)

BASE = """
CREATE TABLE t (id int, a text, b int, c int);
INSERT INTO t VALUES (1, 'x', 1, 1), (2, 'x', 1, NULL), (3, NULL, 1, NULL), (4, 'X', NULL, NULL);
CREATE TABLE empty (id int);
CREATE TABLE parent (id int PRIMARY KEY, x int, y int, UNIQUE (x, y));
INSERT INTO parent VALUES (1, 1, 1), (2, 2, NULL);
CREATE TABLE parted (id int, at int) PARTITION BY RANGE (at);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20);
CREATE TABLE parted_3 (LIKE parted);
INSERT INTO parted VALUES (1, 1), (1, 11), (NULL, 12);
CREATE TABLE heir () INHERITS (t);
INSERT INTO heir VALUES (1, NULL, 9, 9);
CREATE DOMAIN age AS int;
CREATE TABLE people (id int, age age);
INSERT INTO people VALUES (1, 5), (2, NULL), (3, 200);
CREATE TABLE loud (id int);
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE t SET b = 1; END';
CREATE TRIGGER shout AFTER DELETE ON loud FOR EACH STATEMENT EXECUTE FUNCTION shout();
CREATE TABLE "select" ("[/red]" int, "a""b" text);
INSERT INTO "select" VALUES (NULL, 'x'), (1, 'x');
CREATE UNIQUE INDEX t_id ON parent (x);
CREATE FUNCTION short(text) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT length($1) < 1';
"""

# statement → (rule, rows that break it) of each rule it restores, in its order
CASES: dict[str, list[tuple[str, int]]] = {
    "ALTER TABLE t ALTER b SET NOT NULL": [("not null", 1)],
    "ALTER TABLE t ALTER a SET NOT NULL": [("not null", 2)],
    "ALTER TABLE t ALTER id SET NOT NULL": [("not null", 0)],
    "ALTER TABLE parent ALTER id SET NOT NULL": [],
    "ALTER TABLE parted ALTER id SET NOT NULL": [("not null", 1)],
    'ALTER TABLE "select" ALTER "[/red]" SET NOT NULL': [("not null", 1)],
    "ALTER TABLE t ADD COLUMN n int NOT NULL": [("not null", 5)],
    "ALTER TABLE t ADD COLUMN n int DEFAULT NULL NOT NULL": [("not null", 5)],
    "ALTER TABLE t ADD COLUMN n int DEFAULT 1 NOT NULL": [("not null", 0)],
    "ALTER TABLE t ADD COLUMN n uuid DEFAULT gen_random_uuid() NOT NULL": [],
    "ALTER TABLE people ADD COLUMN n int GENERATED ALWAYS AS IDENTITY": [],
    "ALTER TABLE t ADD COLUMN n serial PRIMARY KEY": [],
    "ALTER TABLE t ADD COLUMN n int PRIMARY KEY": [("not null", 5), ("unique", 0)],
    "ALTER TABLE empty ADD COLUMN n int NOT NULL": [("not null", 0)],
    "ALTER TABLE t ADD COLUMN IF NOT EXISTS a text NOT NULL": [],
    "ALTER TABLE t ADD COLUMN n int CHECK (n > 0)": [("check", 0)],
    "ALTER TABLE t ADD COLUMN n int DEFAULT 0 CHECK (n > 0)": [("check", 5)],
    "ALTER TABLE t ADD COLUMN n int DEFAULT 7 UNIQUE": [("unique", 4)],
    "ALTER TABLE t ADD COLUMN n int DEFAULT 7 REFERENCES parent": [("foreign key", 4)],
    "ALTER TABLE t ADD COLUMN n int REFERENCES parent": [("foreign key", 0)],
    "ALTER TABLE t ADD UNIQUE (a)": [("unique", 2)],
    "ALTER TABLE t ADD CONSTRAINT u UNIQUE (b, c)": [("unique", 0)],
    "ALTER TABLE ONLY t ADD UNIQUE (b)": [("unique", 3)],
    "ALTER TABLE t ADD PRIMARY KEY (id)": [("not null", 0), ("unique", 0)],
    "ALTER TABLE t ADD PRIMARY KEY (a, b)": [("not null", 2), ("not null", 1), ("unique", 2)],
    "ALTER TABLE parent DROP CONSTRAINT parent_pkey, ADD PRIMARY KEY USING INDEX t_id": [
        ("not null", 0)
    ],
    "CREATE UNIQUE INDEX i ON t (lower(a))": [("unique", 3)],
    'CREATE UNIQUE INDEX i ON t (a COLLATE "C" text_pattern_ops DESC)': [("unique", 2)],
    "CREATE UNIQUE INDEX i ON t (b) WHERE a IS NULL": [("unique", 0)],
    "CREATE UNIQUE INDEX i ON t (b) WHERE a = 'x'": [("unique", 2)],
    "CREATE UNIQUE INDEX one ON t ((true))": [("unique", 4)],
    "CREATE UNIQUE INDEX i ON t ((b + c), (1))": [("unique", 0)],
    'CREATE UNIQUE INDEX i ON "select" ("a""b")': [("unique", 2)],
    "CREATE UNIQUE INDEX i ON parted_1 (id)": [("unique", 0)],
    "ALTER TABLE parted ADD UNIQUE (id, at)": [("unique", 0)],
    "CREATE UNIQUE INDEX i ON ONLY parted (id, at)": [],
    "CREATE INDEX i ON t (b)": [],
    "ALTER TABLE t ADD CHECK (b > 1)": [("check", 3)],
    "ALTER TABLE t ADD CHECK (b > 1) NO INHERIT": [("check", 3)],
    "ALTER TABLE t ADD CHECK (b <> 9)": [("check", 1)],
    "ALTER TABLE ONLY t ADD CHECK (b <> 9) NO INHERIT": [("check", 0)],
    "ALTER TABLE t ADD CONSTRAINT c CHECK (a IN ('x', 'X') AND b IS NOT NULL)": [("check", 1)],
    "ALTER TABLE people ADD CHECK (people.id > 1)": [("check", 1)],
    "ALTER TABLE t ADD CHECK (public.short(a))": [("check", 3)],
    "ALTER TABLE t ADD CHECK (b > 1) NOT VALID": [],
    "ALTER TABLE t ADD FOREIGN KEY (b) REFERENCES parent": [("foreign key", 0)],
    "ALTER TABLE t ADD FOREIGN KEY (id) REFERENCES parent (id)": [("foreign key", 2)],
    "ALTER TABLE t ADD FOREIGN KEY (id) REFERENCES parent (x) NOT VALID": [],
    "ALTER TABLE t ADD FOREIGN KEY (b, c) REFERENCES parent (x, y)": [("foreign key", 0)],
    "ALTER TABLE t ADD FOREIGN KEY (b, c) REFERENCES parent (x, y) MATCH FULL": [
        ("foreign key", 2)
    ],
    "ALTER TABLE parted ADD FOREIGN KEY (at) REFERENCES parent": [("foreign key", 2)],
    "ALTER DOMAIN age SET NOT NULL": [("type", 1)],
    "ALTER DOMAIN age ADD CONSTRAINT old CHECK (VALUE BETWEEN 0 AND 150)": [("type", 1)],
    "ALTER DOMAIN age ADD CHECK (VALUE > 0)": [("type", 0)],
    "ALTER DOMAIN age ADD CHECK (VALUE > 10) NOT VALID": [],
    "ALTER TABLE empty ADD EXCLUDE (id WITH =)": [("exclusion", 0)],
    "ALTER TABLE parted ATTACH PARTITION parted_3 FOR VALUES FROM (20) TO (30)": [("partition", 0)],
    "DROP TABLE heir": [],
}
NEWER: dict[str, list[tuple[str, int]]] = {
    "ALTER TABLE t ADD UNIQUE NULLS NOT DISTINCT (b, c)": [("unique", 2)],
    "CREATE UNIQUE INDEX i ON t (c) NULLS NOT DISTINCT WHERE id > 2": [("unique", 2)],
    "ALTER TABLE t ADD COLUMN n int UNIQUE NULLS NOT DISTINCT": [("unique", 4)],
}
NEWEST: dict[str, list[tuple[str, int]]] = {
    "ALTER TABLE t ADD CONSTRAINT n NOT NULL b": [("not null", 1)],
    "ALTER TABLE t ADD CONSTRAINT n NOT NULL b NOT VALID": [],
    "ALTER TABLE t ADD CHECK (b > 1) NOT ENFORCED": [],
}


@pytest.fixture(scope="module")
def shop18(on18: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    on18.execute(BASE)
    return on18


@pytest.fixture(scope="module")
def shop16(on16: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    on16.execute(BASE)
    return on16


def _refused(connection: psycopg.Connection[Any], text: str) -> bool:
    """Execute it, take it back, and return whether stored rows made it fail."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(text.encode())
    except REFUSED:
        return True
    return False


def _check(
    connection: psycopg.Connection[Any],
    parser: Parser,
    text: str,
    expected: list[tuple[str, int]],
) -> None:
    (statement,) = count(connection, text, parser).statements
    found = statement.violations
    assert [(v.rule, v.count) for v in found] == expected, found
    assert all(v.after is None and not v.why for v in found)
    assert _refused(connection, text) == any(v.certain for v in found)


@pytest.mark.parametrize("text", [*CASES, *NEWER, *NEWEST])
def test_the_number_is_that_of_now_and_says_what_happens(
    shop18: psycopg.Connection[Any], parser: Parser, text: str
) -> None:
    _check(shop18, parser, text, {**CASES, **NEWER, **NEWEST}[text])


def test_the_numbers_are_the_same_on_16(shop16: psycopg.Connection[Any], parser: Parser) -> None:
    for text, expected in {**CASES, **NEWER}.items():
        _check(shop16, parser, text, expected)


@pytest.mark.parametrize(
    ("script", "count_of_last", "after"),
    [
        # Other columns, constraints and defaults may change meanwhile: it stays certain.
        ("ALTER TABLE t DROP COLUMN c; ALTER TABLE t ALTER b SET NOT NULL", 1, None),
        ("ALTER TABLE t ALTER b SET DEFAULT 1; ALTER TABLE t ALTER b SET NOT NULL", 1, None),
        ("CREATE INDEX i ON t (b); ALTER TABLE t ALTER b SET NOT NULL", 1, None),
        ("DELETE FROM people; ALTER TABLE t ALTER b SET NOT NULL", 1, None),
        ("DROP TABLE loud; ALTER TABLE t ALTER b SET NOT NULL", 1, None),
        ("DELETE FROM loud; ALTER TABLE t ALTER b SET NOT NULL", 1, 1),
        ("UPDATE t SET b = 0 WHERE b IS NULL; ALTER TABLE t ALTER b SET NOT NULL", 1, 1),
        ("DELETE FROM heir; ALTER TABLE t ALTER b SET NOT NULL", 1, 1),
        ("TRUNCATE t; ALTER TABLE t ALTER b SET NOT NULL", 1, 1),
        ("SELECT 1; DO 'BEGIN END'; ALTER TABLE t ALTER b SET NOT NULL", 1, 2),
        ("ALTER TABLE t ALTER b TYPE text; ALTER TABLE t ALTER b SET NOT NULL", 1, 1),
        ("INSERT INTO parent VALUES (3); ALTER TABLE t ADD FOREIGN KEY (id) REFERENCES parent",
         2, 1),
        ("ALTER TABLE t ADD COLUMN n int; ALTER TABLE t ALTER n SET NOT NULL", None, 1),
        ("ALTER TABLE t RENAME b TO n; ALTER TABLE t ALTER n SET NOT NULL", None, 1),
        ("ALTER TABLE t RENAME TO u; ALTER TABLE u ALTER b SET NOT NULL", None, 1),
        ("CREATE TABLE u (b int); ALTER TABLE u ALTER b SET NOT NULL", None, 1),
        ("SET search_path = other; ALTER TABLE t ALTER b SET NOT NULL", None, None),
        ("SET search_path = other; ALTER TABLE public.t ALTER b SET NOT NULL", 1, None),
        ("ALTER TABLE t ADD CONSTRAINT n CHECK (b > 1) NOT VALID;"
         "ALTER TABLE t VALIDATE CONSTRAINT n", 3, None),
        ("ALTER TABLE t ADD CONSTRAINT n FOREIGN KEY (id) REFERENCES parent NOT VALID;"
         "UPDATE t SET id = 1; ALTER TABLE t VALIDATE CONSTRAINT n", 2, 2),
        ("ALTER TABLE t ALTER b TYPE text, ADD CHECK (b > 1)", None, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("resolved", [False, True])
def test_what_comes_before_takes_certainty_away(
    shop18: psycopg.Connection[Any],
    parser: Parser,
    script: str,
    count_of_last: int | None,
    after: int | None,
    resolved: bool,
) -> None:
    last = count(shop18, script, parser, resolved=resolved).statements[-1]
    found = last.violations[-1]
    assert (found.count, found.after) == (count_of_last, after), found
    assert found.certain == (count_of_last is not None and after is None)
    assert bool(found.why) == (count_of_last is None)


def test_what_is_not_validated_yet_is_counted_from_the_catalog(
    database: Database, parser: Parser
) -> None:
    connection = database.connect(superuser=True)
    connection.execute(BASE)
    connection.execute(
        "SET session_replication_role = replica;"
        "ALTER TABLE t ADD CONSTRAINT k CHECK (b > 1) NOT VALID;"
        'ALTER TABLE "select" ADD CONSTRAINT "[/f]" FOREIGN KEY ("[/red]") REFERENCES parent'
        " NOT VALID; INSERT INTO parent VALUES (7);"
        "UPDATE parent SET id = 9 WHERE id = 1;"
        "ALTER DOMAIN age ADD CONSTRAINT a CHECK (VALUE < 100) NOT VALID;"
        "ALTER TABLE t ADD CONSTRAINT fine CHECK (b < 100);"
        "SET session_replication_role = origin"
    )
    plan = count(
        connection,
        "ALTER TABLE t VALIDATE CONSTRAINT k;"
        'ALTER TABLE "select" VALIDATE CONSTRAINT "[/f]";'
        "ALTER DOMAIN age VALIDATE CONSTRAINT a; ALTER TABLE t VALIDATE CONSTRAINT fine",
        parser,
    )
    assert [s.violations for s in plan.statements] == [
        (Violation(rule="check", relation="public.t", name="k", count=3),),
        (Violation(rule="foreign key", relation='public."select"', name="[/f]", count=1),),
        (Violation(rule="type", relation="public.people", name="age", count=1),),
        (),
    ]
    for statement in plan.statements:
        assert _refused(connection, statement.sql) == bool(statement.violations)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ALTER TABLE t ADD EXCLUDE (id WITH =)", "EXCLUDE"),
        ("ALTER TABLE parted ATTACH PARTITION people FOR VALUES FROM (20) TO (30)", "bounds"),
        ("ALTER TABLE t ADD CHECK (random() > b)", "volatile"),
        ("ALTER TABLE t ADD CHECK (unknown(b))", "not known"),
        ("ALTER TABLE t ADD CHECK (b === 1)", "operator === is not known"),
        ("ALTER TABLE t ADD CHECK (zzz > 1)", "zzz"),
        ("ALTER TABLE t ADD CHECK (1 / (b - 1) > 1)", "division by zero"),
        ("ALTER TABLE nothing ALTER a SET NOT NULL", "nothing is not there"),
        ("ALTER TABLE t ALTER zzz SET NOT NULL", "zzz is not there"),
        ("ALTER TABLE t ADD FOREIGN KEY (id) REFERENCES people", "no primary key"),
        ("ALTER TABLE t ADD COLUMN n float DEFAULT random() CHECK (n > 0)", "volatile"),
    ],
)
def test_what_is_not_counted_says_why(
    shop18: psycopg.Connection[Any], parser: Parser, text: str, why: str
) -> None:
    (statement,) = count(shop18, text, parser).statements
    assert statement.violations
    assert all(v.count is None and why in v.why for v in statement.violations)
