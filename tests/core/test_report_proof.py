"""What a report says of the schema, of the proof, of the time after COMMIT, and of a recovery."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from rollback_tui.core import events as ev
from rollback_tui.core.events import AnyEvent
from rollback_tui.core.proof import Contents
from rollback_tui.core.report import report_json, report_markdown
from rollback_tui.core.report.task import of
from rollback_tui.core.run_view import RunView
from rollback_tui.core.schema_verdict import Mending, SchemaVerdict
from tests.core.example import (
    LEFT,
    RESTORE_POINT,
    attempt,
    finished,
    proof,
    recovery_of_a_run,
    rolled_back,
    started,
    verification,
    view,
)


def section(text: str, title: str) -> str:
    return text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def judged(name: str, verdict: Any = "pass", **changes: Any) -> ev.VerificationJudged:
    return ev.VerificationJudged(verification=verification(name, verdict, **changes))


def run(*events: AnyEvent) -> tuple[AnyEvent, ...]:
    """A run that went well, with more events before its end."""
    return (*rolled_back()[:-1], *events, finished("rolled_back"))


ACCEPTED = judged("schema", "fail", accepted="mood is harmless", evidence=("leftover: mood",))


# --- schema ---------------------------------------------------------------------------------------


def test_what_was_left_over_is_there_object_by_object_with_what_mends_it() -> None:
    text = section(report_markdown(view(*run(*proof(), ACCEPTED))), "Schema")
    assert "| Foreseen | **leftover**: 2 objects left over" in text
    assert "| Compared with | baseline of 2: recorded at a deploy, 2024-01-15 03:00 UTC |" in text
    assert "| Accepted before the door closed | mood is harmless |" in text
    assert "| Declared in the configuration | type public.x |" in text
    assert "| Met before COMMIT | **accepted** (mood is harmless):" in text
    assert "| Foreseen and met | the same differences, and no other |" in text
    assert "type public.mood: was sad, ok, is sad, ok, happy" in text
    assert "-- type public.mood: PostgreSQL cannot take an enum label away" in text
    assert "ALTER TABLE public.users ALTER COLUMN email SET NOT NULL;" in text
    assert "not its doing (drift):\n\n- left behind: index public.by\\_hand" in text
    assert "nobody knows the schema" in text
    assert "- order of columns differs: public.users" in text


def test_a_difference_that_nobody_foresaw_is_not_called_the_same() -> None:
    text = section(report_markdown(view(*run(*proof(), judged("schema", "fail")))), "Schema")
    assert "| Met before COMMIT | **FAILED**:" in text
    assert "| Foreseen and met | **not the same**, or not accepted" in text


def test_a_plan_that_was_not_rehearsed_foresaw_nothing() -> None:
    whole = view(*run(judged("schema", "unknown")))
    assert "| Foreseen | not foreseen: the plan was not rehearsed |" in report_markdown(whole)
    assert report_json(whole)["schema_foreseen"] is None


def test_what_was_accepted_is_never_called_passed() -> None:
    whole = view(*run(ACCEPTED))
    text = report_markdown(whole)
    assert text.splitlines()[0] == "# Rollback of shop: rolled back; 1 verification accepted"
    assert "and verified" not in text
    assert "| Schema | **accepted** (mood is harmless) |" in section(text, "Verification")
    assert "Mend what was accepted: Schema" in section(text, "Follow-ups")
    assert "did not pass: Schema" not in text
    found = {v["name"]: v for v in report_json(whole)["verifications"]}
    assert (found["schema"]["verdict"], found["schema"]["accepted"]) == ("fail", "mood is harmless")
    assert found["rows"]["accepted"] is None


def test_the_mending_can_be_pasted_and_hostile_names_break_out_of_nothing() -> None:
    evil = 'x"\n```\n; DROP TABLE t; --\x1b\u202e'
    hostile = SchemaVerdict(
        kind="leftover",
        origin="recorded",
        version=evil,
        leftover=(replace(LEFT.leftover[0], object=f"type {evil}"),),
        notes=(evil,),
        mending=(
            Mending(object=evil),
            Mending(object=evil, why=evil),
            Mending(object="f", sql=("CREATE FUNCTION f() …\n  body\n```",)),
        ),
    )
    text = report_markdown(view(*run(ev.SchemaForeseen(verdict=hostile), ACCEPTED)))
    assert not set(text) & {"\x1b", "\u202e"}
    block = section(text, "Schema").split("````sql\n")[1].split("\n````")[0].splitlines()
    assert [line[:3] for line in block[:2]] == ["-- ", "-- "]
    assert block[2:] == ["CREATE FUNCTION f() …", "  body", "```;"]


# --- proof ----------------------------------------------------------------------------------------


def test_the_proof_says_what_it_cost_what_it_compared_and_what_stayed_unknown() -> None:
    verify = (
        ev.PhaseStarted(phase="verify"),
        ev.PhaseFinished(phase="verify", status="done", seconds=0.6),
    )
    whole = view(*run(*proof(), *verify))
    text = section(report_markdown(whole), "Proof")
    assert "| Time behind the door | 1.0 s used, about 1.5 s foreseen" in text
    assert "1 minute (60.0 s) allowed |" in text
    assert "| Rows counted | public.users, public.settings |" in text
    assert "| Everything else | 214 tables, left to the server's own counters |" in text
    assert "| Beyond the budget | public.huge: contents **unknown** |" in text
    assert "| public.users | 5,000 | 5,000 | `aa11` | `aa11` | the same |" in text
    assert "| public.huge | – | – | – | – | unknown: no time |" in text
    data = report_json(whole)["proof"]
    assert (data["budget_seconds"], data["used_seconds"], data["others"]) == (60, 1.0, 214)
    assert [c["fingerprint"] for c in data["before"]] == ["aa11", ""]
    assert data["before"][1]["rows"] is None


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ({"fingerprint": "bb22"}, "**not the same**"),
        ({"rows": 4999}, "**not the same**"),
        ({"fingerprint": "", "why": "time ran out"}, "unknown: time ran out"),
    ],
)
def test_contents_are_the_same_only_when_both_were_read(after: dict[str, Any], words: str) -> None:
    table = Contents(table="t", columns=("a",), rows=5000, fingerprint="aa11")
    events = (
        *proof()[:2],
        ev.ContentsTaken(when="before", contents=(table,), seconds=0.1),
        ev.ContentsTaken(when="after", contents=(replace(table, **after),), seconds=0.1),
    )
    assert f"| {words} |" in section(report_markdown(view(*run(*events))), "Proof")
    assert "| not read again |" in section(report_markdown(view(*run(*events[:3]))), "Proof")


def test_what_was_not_touched_is_what_the_counters_said() -> None:
    seen = judged("nothing_else", summary="no row written in 18 tables")
    text = section(report_markdown(view(*run(*proof(), seen))), "Proof")
    assert "| Everything else | passed: no row written in 18 tables, by the server's own" in text


def test_no_proof_is_no_section() -> None:
    whole = view(*rolled_back())
    assert "## Proof" not in report_markdown(whole)
    assert report_json(whole)["proof"] is None


def test_evidence_of_what_passed_is_there_in_short() -> None:
    lines = tuple(f"amcheck found nothing wrong in index {n}" for n in range(9))
    text = section(report_markdown(view(*run(judged("indexes", evidence=lines)))), "Verification")
    assert "- amcheck found nothing wrong in index 0" in text
    assert "- … and 5 more in the journal" in text


# --- after COMMIT ---------------------------------------------------------------------------------


def test_each_url_the_queries_and_the_statistics_are_told_after_commit() -> None:
    whole = view(
        *run(
            judged("health", title="Application healthy", evidence=("https://a", "HTTP 200")),
            judged("health:checkout", "fail", title="Application healthy: checkout"),
            judged("query_errors", "unknown", title="No query errors after opening"),
            ev.StatisticsRefreshed(
                analysed=("public.users",), left=("public.big: locked",), seconds=0.3
            ),
        )
    )
    text = report_markdown(whole)
    said = section(text, "After COMMIT")
    assert "| Application healthy | passed |" in said
    assert "- HTTP 200" in said
    assert "| Application healthy: checkout | **FAILED** |" in said
    assert "| No query errors after opening | unknown |" in said
    assert "Statistics refreshed (ANALYZE): public.users, in 0.300 s." in said
    assert "- public.big: locked" in said
    assert "healthy" not in section(text, "Verification")
    assert "ANALYZE what was left: public.big: locked" in section(text, "Follow-ups")
    data = report_json(whole)
    assert [v["name"] for v in data["verifications"] if v["after_commit"]] == [
        "health",
        "health:checkout",
        "query_errors",
    ]
    assert data["statistics"]["left"] == ("public.big: locked",)


# --- statements that were cut off -----------------------------------------------------------------


def states(found: RunView) -> list[str]:
    return [s["status"] for s in report_json(found)["statements"]]


def test_a_statement_without_an_answer_is_not_running_for_ever() -> None:
    events = (started(), *attempt()[:7])
    running = view(*events)
    over = view(*events, finished("unchanged"))
    assert states(running) == ["done", "running", "waiting"]
    assert states(over) == ["done", "unknown", "not run"]
    assert "begun, no answer seen" in report_markdown(over)


# --- recovery -------------------------------------------------------------------------------------


def test_a_recovery_says_of_what_by_which_rung_at_what_price() -> None:
    whole = view(*recovery_of_a_run())
    text = report_markdown(whole)
    assert text.splitlines()[0] == "# Recovery of shop after run 8c3038d4: recovered"
    assert "## Plan of the earlier run" in text
    assert "## Rehearsal" not in text
    said = section(text, "Recovery")
    assert "| By | the checkpoint, restored beside |" in said
    assert "| What it restores | the database as it was at 02:00:01 |" in said
    assert "which are lost (12 rows agreed to):" in said
    assert "| public.orders | 12 | compared row by row |" in said
    assert "| public.events | not known |" in said
    assert "| rebuild indexes | passed |" in said
    assert "| foreign keys | **unknown** |" in said
    assert "```sql\nREINDEX INDEX public.old;\n```" in said
    assert "- public.old was invalid" in said
    impact = section(text, "Impact")
    assert "12 rows written since, and of 1 table nobody knows" in impact
    data = json.loads(msgspec.json.encode(report_json(whole)))
    assert (data["task"], data["recovers"]) == ("recover", "/srv/runs/20240115_020000_8c3038d4")
    assert data["recovery_planned"]["rung"] == "dump"
    assert (data["lost"]["agreed"], data["lost"]["lost"][1]["rows"]) == (12, None)
    assert data["recovery"][1]["sql"] == ["REINDEX INDEX public.old"]


def test_a_migration_applied_again_is_not_called_rolled_back() -> None:
    again = started(task="reapply", recovers="/srv/runs/20240115_020000_8c3038d4")
    text = report_markdown(view(again, *rolled_back()[1:]))
    assert "after run 8c3038d4: applied again and verified" in text.splitlines()[0]
    assert "## Migration applied again" in text


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("rollback", "rollback"),
        ("recover", "recovery of 8c3038d4"),
        ("reapply", "reapplied after 8c3038d4"),
    ],
)
def test_the_task_in_words(task: Any, words: str) -> None:
    assert of(task, "/srv/runs/20240115_020000_8c3038d4") == words


def test_what_is_elsewhere_is_told() -> None:
    files = section(report_markdown(view(*rolled_back())), "Files")
    assert "only on this host: no copy is configured" in files
    failed = ev.HookRan(name="checkpoint copy", ok=False, seconds=1, summary="exit 1")
    behind = replace(RESTORE_POINT, archived=False, problem="the backup is 40 days old")
    files = section(report_markdown(view(*run(failed, behind))), "Files")
    assert "**only on this host**, the copy failed: exit 1" in files
    assert "its WAL **was not seen archived**" in files
    assert "**the backup is 40 days old**" in files
    assert "```sh\nsystemctl stop postgresql\npgbackrest --stanza=main restore\n```" in files
    assert report_json(view(*run(RESTORE_POINT)))["restore_point"]["stanza"] == "main"
