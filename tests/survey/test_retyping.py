"""ALTER COLUMN TYPE, value by value: what is said beforehand is what the server then does."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from rollback_tui.core.model import Statement
from rollback_tui.parser import Parser
from tests.conftest import Database
from tests.survey.planned import count

IMPOSSIBLE = (psycopg.errors.DatatypeMismatch, psycopg.errors.CannotCoerce)

VALUES: dict[str, list[str]] = {
    "bigint": ["2", "-32768", "32768", "2147483648", "9223372036854775807"],
    "numeric": ["0.5", "99.95", "-100", "32767.5", "9223372036854775807.4", "NaN", "Infinity",
                "1e40", "1.10"],
    "numeric(8,3)": ["99999.999", "9.949", "9.950"],
    "double precision": ["1.5", "-32768.5", "32767.5", "2147483647.5", "9223372036854774784",
                         "9223372036854775808", "NaN", "-Infinity", "1e300", "1e-50", "0.1"],
    "real": ["0.5", "9.3e18", "Infinity"],
    "text": ["", "abcd", "abc   ", "  42 ", "42.55", "t", "2024-02-30", "99999", "caf\u00e9", "{}",
             "f47ac10b-58cc-4372-a567-0e02b2c3d479", "red"],
    "varchar(6)": ["abcdef", "abc  d"],
    "char(6)": ["abc", "red", "42"],
    "timestamptz": ["2024-01-01 00:00:00+00", "2024-01-01 00:00:00.000001+00", "infinity"],
    "timestamp": ["2024-01-01", "2024-01-01 00:00:00.5"],
    "interval": ["1.4 s"],
    "boolean": ["t"],
    "json": ['{"a": 1, "a": 2}'],
    "colour": ["red", "blue"],
    "inet": ["10.0.0.1/8", "10.0.0.0/8"],
    "integer[]": ["{1,40000}", "{1}"],
}  # fmt: skip
NEW = (
    "smallint", "bigint", "numeric", "numeric(3,1)", "numeric(4,-2)", "real", "double precision",
    "varchar(3)", "varchar(9)", "char(3)", "timestamp(0)", "date", "interval(0)", "boolean",
    "jsonb", "uuid", "shade", "cidr", "smallint[]", "bit(3)", "positive",
)  # fmt: skip
TYPES = """
CREATE TYPE colour AS ENUM ('red', 'blue'); CREATE TYPE shade AS ENUM ('red');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
"""


STRINGS = ("text", "varchar", "char")
REFUSED = (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.FeatureNotSupported)


def _unknown_is_right(new: str, why: str) -> bool:
    """The few conversions of which nothing is said."""
    return new in ("positive", "bit(3)") or "at least one value does not fit" in why


@pytest.mark.parametrize("old", VALUES)
def test_every_value_in_every_type(on18: psycopg.Connection[Any], parser: Parser, old: str) -> None:
    _every(on18, parser, old, VALUES[old])


@pytest.mark.parametrize("old", ["char(6)", "real"])
def test_the_same_on_16(on16: psycopg.Connection[Any], parser: Parser, old: str) -> None:
    _every(on16, parser, old, VALUES[old])


def _every(
    connection: psycopg.Connection[Any], parser: Parser, old: str, values: list[str]
) -> None:
    connection.execute("SET TimeZone = 'UTC'")
    with connection.transaction(force_rollback=True):
        connection.execute(TYPES.encode())
        for at, value in enumerate(values):
            connection.execute(f"CREATE TABLE v{at} (c {old})".encode())
            connection.execute(f"INSERT INTO v{at} VALUES (%s)".encode(), [value])
        possible_ones = 0
        for new in NEW:
            possible = _each(connection, parser, "", old, new, values)
            possible_ones += possible
            # Written out, a cast differs only from and to strings, and where it is needed.
            if not possible or old.startswith(STRINGS) or new.startswith(STRINGS):
                possible_ones += _each(connection, parser, f" USING c::{new}", old, new, values)
    assert possible_ones >= 3


def _each(
    connection: psycopg.Connection[Any],
    parser: Parser,
    using: str,
    old: str,
    new: str,
    values: list[str],
) -> bool:
    """Compare for each value; return whether the statement is possible at all."""
    texts = [f"ALTER TABLE v{n} ALTER COLUMN c TYPE {new}{using}" for n in range(len(values))]
    statements = count(connection, ";".join(texts), parser).statements
    return all(
        _one(connection, statement, old, new, value)
        for statement, value in zip(statements, values, strict=True)
    )


def _one(
    connection: psycopg.Connection[Any], statement: Statement, old: str, new: str, value: str
) -> bool:
    """Compare for one value; return whether the statement is possible at all."""
    text, table = statement.sql, statement.sql.split()[2]
    changed: bool | None = None
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(text.encode())
            fits = True
            changed = _changed(connection, table, old, new, value)
    except IMPOSSIBLE:
        assert all(v.count is None and v.why for v in statement.violations), text
        return False
    except REFUSED:
        fits = False
    context = (text, value, statement.violations, statement.loss, fits, changed)
    assert len(statement.violations) <= 1 and len(statement.loss) <= 1, context
    if not statement.violations:
        assert fits and not statement.loss, context
        return True
    (violation,) = statement.violations
    if violation.count is None:
        assert violation.why and _unknown_is_right(new, violation.why), context
        return True
    assert violation.count == (0 if fits else 1), context
    for loss in statement.loss:
        if loss.count is None:
            assert loss.why, context
        elif fits and changed is not None:
            assert loss.count == (1 if changed else 0), context
        elif not fits:
            assert loss.count == 0, context
    return True


def _changed(
    connection: psycopg.Connection[Any], table: str, old: str, new: str, value: str
) -> bool | None:
    """Whether the converted value is another one, converted back; None: it does not come back."""
    if old.startswith(STRINGS) and not new.startswith(STRINGS):
        return None
    try:
        with connection.transaction(force_rollback=True):
            # Of strings the letters are compared: 'tru' would be read as true again.
            back = "text" if new.startswith(STRINGS) else old
            row = connection.execute(
                f"SELECT c::{back} IS DISTINCT FROM %s::{old}::{back} FROM {table}".encode(),
                [value],
            ).fetchone()
    except psycopg.Error:
        return None
    return row is not None and row[0]


def test_numbers_of_many_rows(database: Database, parser: Parser) -> None:
    connection = database.connect()
    connection.execute(
        """CREATE TABLE "T" ("select" varchar(20), n numeric, at timestamptz, nothing text);
        INSERT INTO "T" SELECT repeat('x', g % 7), g / 4.0, timestamptz '2024-01-01 00:00+00'
                               + g * interval '6 hours' FROM generate_series(0, 99) g;
        INSERT INTO "T" VALUES (NULL, NULL, NULL)"""
    )
    connection.execute("SET TimeZone = 'UTC'")
    plan = count(
        connection,
        'ALTER TABLE "T" ALTER "select" TYPE varchar(4), ALTER n TYPE numeric(3, 1);'
        'ALTER TABLE "T" ALTER at TYPE date, ALTER nothing TYPE int USING nothing::int',
        parser,
    )
    first, second = plan.statements
    assert [(v.name, v.count) for v in first.violations] == [('"select"', 28), ("n", 0)]
    # A quarter with two decimals is rounded to one: 1.25, 1.75.
    assert {loss.column: loss.count for loss in first.loss} == {'"select"': 0, "n": 50}
    assert [(v.name, v.count, v.after) for v in second.violations] == [
        ("at", 0, None),
        ("nothing", 0, None),
    ]
    assert [(x.describe(), x.why) for x in second.loss] == [('75 values of public."T".at', "")]


@pytest.mark.parametrize(
    ("script", "violation", "why"),
    [
        # The type that the name will mean is made by the script itself.
        ("CREATE TYPE mood AS ENUM ('low'); ALTER TABLE m ALTER s TYPE mood USING s::text::mood",
         2, ""),
        ("ALTER TYPE state RENAME TO old; CREATE TYPE state AS ENUM ('low', 'high');"
         "ALTER TABLE m ALTER s TYPE state USING s::text::state", 1, ""),
        ("ALTER TYPE state RENAME TO old; ALTER TYPE other RENAME TO state;"
         "ALTER TABLE m ALTER s TYPE state USING s::text::state", None, "statement 2 makes"),
        ("ALTER TABLE m ALTER s TYPE other USING s::text::other", 2, ""),
        ("ALTER TABLE m ALTER s TYPE text", None, ""),
        ("ALTER TABLE m ALTER s TYPE other USING (CASE s WHEN 'low' THEN 'low' END)::other",
         0, ""),
        ("ALTER TABLE m ALTER t TYPE int USING length(t)", 0, ""),
        ("ALTER TABLE m ALTER t TYPE varchar(2) USING t || '!'", 2, ""),
        ("ALTER TABLE m ALTER t TYPE int USING (t || '')::int", None, "invalid input syntax"),
        ("ALTER TABLE m ALTER t TYPE int USING noisy(t)", None, "volatile"),
    ],
)  # fmt: skip
def test_using(
    on18: psycopg.Connection[Any], parser: Parser, script: str, violation: int | None, why: str
) -> None:
    with on18.transaction(force_rollback=True):
        on18.execute(
            "CREATE TYPE state AS ENUM ('low', 'high', 'gone'); CREATE TYPE other AS ENUM ('low');"
            "CREATE TABLE m (s state, t text);"
            "INSERT INTO m VALUES ('low', 'a'), ('high', 'bb'), ('gone', 'ccc'), (NULL, NULL);"
            "CREATE FUNCTION noisy(text) RETURNS int LANGUAGE sql AS 'SELECT 1'"
        )
        last = count(on18, script, parser).statements[-1]
        assert [v.count for v in last.violations][:1] == (
            [violation] if violation is not None or why else []
        )
        assert all(why in v.why for v in last.violations)
        if why != "volatile":
            try:
                with on18.transaction(force_rollback=True):
                    on18.execute(script.encode())
                refused = False
            except psycopg.DataError:
                refused = True
            assert refused == bool(violation or "invalid" in why or "makes" in why)
