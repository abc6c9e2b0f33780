"""Errors of the application's queries: which of them the run is to blame for."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from rollback_tui.core.model import Violation
from rollback_tui.core.query_errors import (
    Counters,
    LoggedError,
    Named,
    Seen,
    blames,
    gone,
    judge,
    removed,
    speaks,
    undefined,
)
from rollback_tui.core.schema import Difference
from tests.core.example import migration, plan, script, statement

COLUMN = Named(kind="column", name="public.users.verified_at")
TABLE = Named(kind="table", name="public.tokens")
VIEW = Named(kind="view", name='sales."Active Users"')
FUNCTION = Named(kind="function", name="public.verify(integer)")
NOT_NULL = Named(kind="rule", name="public.users.email")
CHECK = Named(kind="rule", name="public.users.users_age_check")
NAMES = (COLUMN, TABLE, VIEW, FUNCTION, NOT_NULL, CHECK)


@pytest.mark.parametrize(
    ("state", "text", "one"),
    [
        ("42703", 'column "verified_at" does not exist', COLUMN),
        ("42703", "column u.verified_at does not exist", COLUMN),
        ("42703", 'column "verified_at" of relation "users" does not exist', COLUMN),
        ("42703", 'column "verified_at" of relation "orders" does not exist', None),
        ("42703", 'column "verified" does not exist', None),
        ("42P01", 'relation "tokens" does not exist', TABLE),
        ("42P01", 'relation "public.tokens" does not exist', TABLE),
        ("42P01", 'relation "other.tokens" does not exist', None),
        ("42P01", 'relation "Active Users" does not exist', VIEW),
        ("42883", "function verify(integer) does not exist", FUNCTION),
        ("42883", "function public.verify(bigint) does not exist", FUNCTION),
        ("", 'psycopg.errors.UndefinedColumn: column "verified_at" does not exist', COLUMN),
        ("", "PG::UndefinedColumn: ERROR:  column users.verified_at does not exist", COLUMN),
        ("", '{"msg":"relation \\"tokens\\" does not exist"}', TABLE),
        ("", 'user "tokens" does not exist', None),
        ("", "verified_at is fine", None),
        # The same words of another class of error are not ours.
        ("22000", 'column "verified_at" does not exist', None),
        (
            "23502",
            'null value in column "email" of relation "users" violates not-null constraint',
            NOT_NULL,
        ),
        (
            "",
            'ERROR: null value in column "email" of relation "users" violates not-null constraint',
            NOT_NULL,
        ),
        (
            "23502",
            'null value in column "email" of relation "orders" violates not-null constraint',
            None,
        ),
        (
            "23514",
            'new row for relation "users" violates check constraint "users_age_check"',
            CHECK,
        ),
        ("23505", 'duplicate key value violates unique constraint "users_pkey"', None),
        ("40P01", "deadlock detected", None),
    ],
)
def test_an_error_is_blamed_on_the_run_when_it_names_what_the_run_changed(
    state: str, text: str, one: Named | None
) -> None:
    assert blames(LoggedError(source="log", sqlstate=state, text=text), NAMES) == one


def test_what_the_plan_removes_and_the_rules_that_it_brings_back() -> None:
    drop = statement(
        1,
        "DROP TABLE tokens CASCADE",
        "DROP TABLE",
        drops=(("table", "public.tokens"),),
        collateral=(("view", "public.active"),),
    )
    rule = replace(
        statement(2, "ALTER TABLE …", "ALTER TABLE"),
        violations=(Violation(rule="not null", relation="public.users", name="email", count=0),),
    )
    found = removed(plan(migration(script=script(statements=(drop, rule)))), None)
    assert [(one.kind, one.name) for one in found] == [
        ("table", "public.tokens"),
        ("view", "public.active"),
        ("rule", "public.users.email"),
    ]


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("column public.users.verified_at", "column", "public.users.verified_at"),
        ('table public."my table"', "table", 'public."my table"'),
        ("materialised view public.m", "materialised view", "public.m"),
        ("function public.f(integer, text)", "function", "public.f(integer, text)"),
        ("schema old", "schema", "old"),
    ],
)
def test_what_is_really_gone_is_taken_from_the_schemas(text: str, kind: str, name: str) -> None:
    differences = (
        Difference(object=text, before="x", after=None),
        Difference(object="table public.kept", before="x", after="y"),
        Difference(object="table public.new", before=None, after="y"),
        Difference(object="comment on table public.t", before="x", after=None),
    )
    assert gone(differences) == (Named(kind=kind, name=name),)


# --- the verdict ----------------------------------------------------------------------------------


def seen(**changes: Any) -> Seen:
    made = Seen(
        seconds=10.0,
        sessions=3,
        usual=0.01,
        counted=Counters(commits=200, rollbacks=0),
        read=("the server's log",),
    )
    return replace(made, **changes)


UNDEFINED = LoggedError(
    source="the server's log",
    sqlstate="42703",
    text='column "verified_at" does not exist',
    application="shop",
)
DEADLOCK = LoggedError(source="the server's log", sqlstate="40P01", text="deadlock detected")


@pytest.mark.parametrize(
    ("changes", "verdict", "words"),
    [
        ({}, "pass", "0 of 200 transactions rolled back in 10 s"),
        ({"read": ()}, "pass", "0 of 200 transactions"),
        ({"errors": (UNDEFINED,)}, "fail", "1 error names what the run changed: column public"),
        ({"errors": (UNDEFINED,), "sessions": 0}, "fail", "1 error names"),
        ({"errors": (DEADLOCK,)}, "pass", "; 1 other error in the logs"),
        ({"sessions": 0}, "unknown", "no application asked anything in 10 s"),
        ({"counted": None}, "pass", "no error in 10 s in the server's log"),
        ({"counted": None, "read": ()}, "unknown", "no transaction was counted"),
        ({"counted": Counters(commits=0, rollbacks=0), "read": ()}, "unknown", "no transaction"),
        (
            {"counted": Counters(commits=100, rollbacks=50)},
            "fail",
            "50 of 150 transactions rolled back in 10 s, before 1%",
        ),
        # Few are no jump, whatever their share.
        ({"counted": Counters(commits=10, rollbacks=4)}, "pass", "4 of 14"),
        ({"counted": Counters(commits=10, rollbacks=6)}, "pass", "6 of 16"),
        # What our own screens look up ends with ROLLBACK too.
        ({"counted": Counters(commits=100, rollbacks=22), "ours": 1}, "pass", "22 of 122"),
        ({"counted": Counters(commits=100, rollbacks=50), "usual": 0.2}, "pass", "before 20%"),
        (
            {"counted": Counters(commits=100, rollbacks=50), "usual": None},
            "unknown",
            "nobody knows whether that is usual",
        ),
        # Some drivers end every reading with ROLLBACK: only the logs can tell.
        (
            {"counted": Counters(commits=100, rollbacks=99), "usual": 0.5, "read": ()},
            "unknown",
            "before 50%",
        ),
        ({"counted": Counters(commits=100, rollbacks=99), "usual": 0.5}, "pass", "before 50%"),
    ],
)
def test_the_verdict(changes: dict[str, Any], verdict: str, words: str) -> None:
    found = judge(seen(**changes), NAMES)
    assert found.verdict == verdict, found
    assert words in found.summary


def test_nothing_looked_at_is_unknown() -> None:
    found = judge(None, NAMES, "not watched")
    assert (found.verdict, found.summary) == ("unknown", "not watched")


def test_the_evidence_names_errors_first_and_says_what_was_not_read() -> None:
    found = judge(
        seen(
            errors=(DEADLOCK, UNDEFINED, *[DEADLOCK] * 9),
            unread=("/var/log/shop.log: it cannot be read: Permission denied",),
            counted=Counters(commits=200, rollbacks=0, fatal=2, abandoned=1),
        ),
        NAMES,
    )
    assert found.evidence[0] == (
        'the server\'s log (shop): 42703 column "verified_at" does not exist'
    )
    assert "… and 3 more" in found.evidence
    assert "not read: /var/log/shop.log: it cannot be read: Permission denied" in found.evidence
    assert "2 sessions ended by an error" in found.evidence
    assert "1 session whose client was lost" in found.evidence


def test_hostile_errors_are_inert() -> None:
    evil = LoggedError(source="\x1b]0;x", sqlstate="", text="\x1b[2J\u202e column x does not exist")
    found = judge(seen(errors=(evil,)), NAMES)
    assert all(line.isprintable() for line in found.evidence)


def test_counters_that_were_set_to_zero_between_say_nothing() -> None:
    before = Counters(commits=100, rollbacks=5, fatal=1, reset="a")
    after = Counters(commits=150, rollbacks=6, fatal=3, reset="a")
    assert after.since(before) == Counters(commits=50, rollbacks=1, fatal=2)
    assert replace(after, reset="b").since(before) is None
    assert replace(after, commits=3).since(before) is None
    assert Counters(commits=5, rollbacks=5).share is None
    assert Counters(commits=30, rollbacks=10).share == 0.25


def test_only_what_does_not_exist_sends_us_looking() -> None:
    assert undefined(UNDEFINED)
    assert undefined(LoggedError(source="x", text='relation "a" does not exist'))
    assert not undefined(DEADLOCK)


def test_what_a_line_of_an_application_may_be_about() -> None:
    def line(text: str) -> LoggedError:
        return LoggedError(source="shop.log", text=text)

    assert speaks(line('relation "a" does not exist'))
    assert speaks(line('… violates check constraint "c"'))
    assert not speaks(line("GET /orders 200"))
    assert not speaks(line("the user does not exist"))
