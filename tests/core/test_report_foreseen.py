"""What a report says of the time before the run: what was acknowledged, and the rehearsal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from rollback_tui.core import events as ev
from rollback_tui.core.model import Loss, Statement, Violation
from rollback_tui.core.rehearsal import Measured, Rehearsal, RoundTrip
from rollback_tui.core.report import report_json, report_markdown
from rollback_tui.core.run_view import RunView
from rollback_tui.core.schema_verdict import SchemaVerdict
from tests.core.example import finished, migration, plan, script, started, statement, view

DROP = statement(
    2,
    "DROP TABLE old",
    "DROP TABLE",
    loses_data=True,
    hazards=("deletes_data", "access_exclusive_lock"),
    loss=(Loss(kind="rows", relation="public.old", count=1204),),
)
OPAQUE = statement(3, "DO 'x'", "DO", loses_data=None, hazards=("cannot_forecast",))
HARMLESS = statement(1, "COMMENT ON TABLE t IS 'x'", "COMMENT")


def _measured(index: int) -> Measured:
    return Measured(
        index=index,
        seconds=0.1,
        transactional=True,
        locks=(),
        rewritten=(),
        scanned=(),
        dropped=(),
        changed=(),
        rows=None,
    )


REHEARSAL = Rehearsal(
    plan_sha256=started().plan_sha256,
    source="dump",
    embedded=True,
    server_version=180004,
    database="scratch_1",
    made_seconds=2.5,
    seconds=61.0,
    statements=(_measured(1), _measured(2)),
    round_trip=RoundTrip(verdict="pass", summary="the schema is as it was"),
    proven="/srv/checkpoints/1",
)


def report(*statements: Statement, **changes: Any) -> tuple[str, RunView]:
    begun = replace(started(plan=plan(migration(script=script(statements=statements)))), **changes)
    found = view(begun, finished("refused"))
    return report_markdown(found), found


def section(text: str, title: str) -> str:
    return text.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def test_each_dangerous_statement_is_there_with_its_hazards_and_who_confirmed_it() -> None:
    text, found = report(HARMLESS, DROP, OPAQUE)
    said = section(text, "What was acknowledged")
    operator = started().operator.user
    assert f"{operator} at " in said
    assert f"sha256 {started().plan_sha256[:12]}" in said
    assert "DROP TABLE old | 1,204 rows of public.old | deletes\\_data, access" in said
    assert "| nobody knows what it does | cannot\\_forecast |" in said
    assert "- deletes\\_data: Removes stored rows or values." in said
    assert "COMMENT" not in said
    shape = report_json(found)["acknowledged"]
    assert [(s["statement"], s["by"]) for s in shape] == [(2, operator), (3, operator)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"loss": ()}, "not counted"),
        (
            {"loss": (Loss(kind="rows", relation="t", count=None, why="out of time"),)},
            "an unknown number of rows of t (out of time)",
        ),
        (
            {"violations": (Violation(rule="not null", relation="t", name="a", count=2),)},
            "2 rows of t break not null: a",
        ),
        (
            {"violations": (Violation(rule="unique", relation="t", name="k", count=None),)},
            "nobody knows how many rows of t break unique: k",
        ),
        ({"effect": replace(DROP.effect, no_op=True)}, "does nothing"),
    ],
)
def test_what_was_known_before_is_said(changes: dict[str, Any], words: str) -> None:
    text, _ = report(replace(DROP, **changes))
    assert words in section(text, "What was acknowledged")


def test_nothing_to_acknowledge_is_no_section() -> None:
    assert "acknowledged" not in report(HARMLESS)[0]


def test_a_long_plan_is_cut_and_says_so() -> None:
    many = tuple(replace(DROP, index=i) for i in range(1, 53))
    assert "… and 2 more in the journal" in report(*many)[0]


def test_a_run_that_was_not_rehearsed_says_so() -> None:
    text, found = report(DROP)
    assert "Not rehearsed" in section(text, "Rehearsal")
    assert report_json(found)["rehearsal"] is None


def test_a_rehearsal_is_told() -> None:
    text, found = report(HARMLESS, DROP, rehearsal=REHEARSAL)
    said = section(text, "Rehearsal")
    assert "the checkpoint /srv/checkpoints/1, on a server of our own (PostgreSQL 18.4)" in said
    assert "| 2 of 2 ran |" in said
    assert "1 minute and 1 second (61.0 s), 2.5 s of it to make" in said
    assert "the same, as far as it came: 2 statements" in said
    assert "passed: the schema is as it was" in said
    assert "restored and so proven: /srv/checkpoints/1" in said
    assert json.loads(json.dumps(report_json(found)))["rehearsal"]["seconds"] == 61.0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source": "schema", "embedded": False}, "the schema alone, without data, on the target"),
        ({"source": "clone"}, "a copy of the database"),
        ({"differences": ("statement 2: locks public.v too",)}, "**1 difference**, see below"),
        ({"differences": ("statement 2: locks public.v too",)}, "- statement 2: locks public.v"),
        ({"failure": "statement 2: no such table"}, "**statement 2: no such table**"),
        ({"statements": ()}, "not compared: no statement ran"),
        ({"round_trip": None}, "not tried"),
        (
            {"round_trip": RoundTrip(verdict="fail", summary="no", differences=("index i gone",))},
            "- index i gone",
        ),
        ({"removed": False}, "**scratch\\_1 was not removed**"),
        ({"plan_sha256": "other"}, "**another one than was run**"),
        ({"notes": ("the versions differ",)}, "- the versions differ"),
        (
            {
                "foreseen": SchemaVerdict(
                    kind="unknown", origin="none", version="1", why="no up scripts"
                )
            },
            "unknown: not known: no up scripts",
        ),
    ],
)
def test_what_a_rehearsal_left_open_is_told(changes: dict[str, Any], words: str) -> None:
    text, _ = report(HARMLESS, DROP, rehearsal=replace(REHEARSAL, **changes))
    assert words in section(text, "Rehearsal")


def test_hostile_words_are_inert() -> None:
    evil = "\x1b[2J|<b>\u202e`"
    text, _ = report(
        replace(DROP, sql=evil, loss=(Loss(kind="rows", relation=evil, count=1),)),
        rehearsal=replace(REHEARSAL, failure=evil, differences=(evil,), notes=(evil,)),
    )
    assert not set(text) & {"\x1b", "\u202e"}
    assert "<b>" not in text
    assert isinstance(started(), ev.RunStarted)
