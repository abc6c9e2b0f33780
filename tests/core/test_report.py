"""The report: right facts for every outcome, and nobody's text as markup."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from rollback_tui.core import events as ev
from rollback_tui.core.model import Doomed, Loss, Operator
from rollback_tui.core.report import log_line, report_json, report_markdown
from rollback_tui.core.report.words import drop_statement, seconds
from rollback_tui.core.run_view import RunView
from tests.core import example
from tests.core.example import (
    RESTORE_POINT,
    attempt,
    check,
    failed_at_two,
    finished,
    migration,
    plan,
    proof,
    records,
    recovered_from_the_clone,
    recovery_of_a_run,
    rolled_back,
    script,
    started,
    statement,
    stopped_in_the_middle,
    verification,
    view,
)


def _section(text: str, title: str) -> str:
    return text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def test_a_run_that_went_well() -> None:
    whole = view(*rolled_back())
    text = report_markdown(whole)
    assert text.startswith("# Rollback of shop: rolled back and verified\n")
    summary = _section(text, "Summary")
    assert "| Started | 2024-01-15 03:00:00 UTC |" in summary
    assert f"| Duration | {seconds(whole.elapsed)} |" in summary
    assert "| Downtime | 17.0 s |" in summary
    assert "production" in summary
    assert "ana at jump1" in summary
    assert "signups fail" in _section(text, "Migration rolled back")
    assert "not recorded by dbmate" in text
    files = _section(text, "Files")
    kept = ("rollback.log", "journal.jsonl", "RECOVERY.md", "/srv/checkpoints/20240115_030001")
    for path in kept:
        assert path in files
    follow = _section(text, "Follow-ups")
    assert "root cause" in follow
    assert "staging" in follow
    assert r"db/schema.sql" in follow
    assert "Remove the checkpoint" in follow


def test_the_losses_are_those_counted_in_the_run() -> None:
    text = _section(report_markdown(view(*rolled_back())), "Impact")
    assert r"1,204 values of public.users.verified\_at (counted in the run)" in text
    assert "7 rows of public.settings (reported by the server)" in text
    assert "1,200" not in text
    assert "statement 1" not in text
    data = report_json(view(*rolled_back()))["impact"]
    assert [(item["statement"], item["count"]) for item in data["data_lost"]] == [(2, 1204), (3, 7)]
    assert data["data_lost_known"] is True


@pytest.mark.parametrize("outcome", ["needs_operator", "unchanged", None])
def test_nothing_is_called_lost_before_it_is_committed(outcome: str | None) -> None:
    events = (started(), *attempt())
    found = view(*events) if outcome is None else view(*events, finished(outcome))
    impact = report_json(found)["impact"]
    assert impact["data_lost"] == []
    assert impact["data_lost_known"] is False
    assert "1,204" not in report_markdown(found)
    assert "- Data lost: not known" in report_markdown(found)


def test_only_what_changed_is_in_the_table_of_rows() -> None:
    text = _section(report_markdown(view(*rolled_back())), "Verification")
    assert "| public.settings | 20 | 13 |" in text
    assert "public.users |" not in text


def test_nobody_measured_is_not_zero() -> None:
    text = _section(report_markdown(view(*rolled_back())), "Impact")
    assert "- Affected users: not measured" in text
    assert "- Failed requests: not measured" in text
    measured = (
        *rolled_back()[:-2],
        ev.ImpactMeasured(
            downtime_seconds=1.0, affected_users=0, failed_requests=31, failed_probes=2, probes=9
        ),
        finished("rolled_back"),
    )
    text = _section(report_markdown(view(*measured)), "Impact")
    assert "- Affected users: 0" in text
    assert "- Failed requests: 31" in text
    assert "- Failed health probes: 2 of 9" in text
    assert report_json(view(*rolled_back()))["impact"]["affected_users"] is None


def test_a_verification_that_nobody_knows_is_in_the_status() -> None:
    blind = verification("schema", "unknown", evidence=("no baseline of 2",))
    events = (
        *rolled_back()[:-1],
        ev.VerificationJudged(verification=blind),
        finished("rolled_back"),
    )
    text = report_markdown(view(*events))
    assert "rolled back; 1 verification unknown" in text.splitlines()[0]
    assert "and verified" not in text
    assert "| Schema | unknown | schema looked at |" in text
    assert "no baseline of 2" in text
    assert "did not pass: Schema" in _section(text, "Follow-ups")


def test_a_failure_shows_the_servers_own_words_and_that_nothing_changed() -> None:
    text = report_markdown(view(*failed_at_two()))
    assert text.splitlines()[0].endswith("failed; the database is as before")
    what = _section(text, "What failed")
    assert "Statement 2, line 4, character 13" in what
    assert "`2BP01`" in what
    assert "ERROR: cannot drop column verified_at of table users" in what
    assert "DETAIL: view active depends on column verified_at" in what
    assert "HINT: Use DROP ... CASCADE" in what
    assert "ALTER TABLE users DROP COLUMN verified_at" in what
    assert "proven to be as before the run (compared: schema, rows)" in what
    assert "- Data lost: none" in text
    assert "Migration that was to be rolled back" in text
    statements = _section(text, "Statements, none of them committed")
    assert "| rolled back |" in statements
    assert "| not run |" in statements
    assert "schema_migrations" not in statements
    assert "failed" in statements
    assert report_json(view(*failed_at_two()))["failure"]["position"] == 13


def test_unchanged_without_a_proof_does_not_claim_it() -> None:
    events = (
        *failed_at_two()[:-3],
        ev.UnchangedProven(proven=False, differences=("gone: table public.x",)),
        finished("unchanged"),
    )
    text = report_markdown(view(*events))
    assert "is not proven" in text.splitlines()[0]
    assert "gone: table public.x" in text
    without = (*failed_at_two()[:-3], finished("unchanged"))
    assert "is not proven" in report_markdown(view(*without)).splitlines()[0]


def test_a_refusal_names_what_stood_in_the_way() -> None:
    text = report_markdown(
        view(started(), ev.CheckJudged(check=check("fail")), finished("refused"))
    )
    assert text.splitlines()[0].endswith("refused: nothing was touched")
    assert "| No writers | fail | two are writing |" in text
    assert "none: the door was not closed" in text
    assert "rollback-tui check" in text
    assert "## Statements" not in text
    assert "- Data lost: none" in text


def test_overrides_are_reported_with_their_reasons() -> None:
    text = report_markdown(
        view(
            started(),
            ev.CheckJudged(check=check("fail")),
            ev.CheckOverridden(name="no_writers", reason="they are *mine*"),
            finished("rolled_back"),
        )
    )
    assert r"No writers: they are \*mine\*" in _section(text, "Safety checks")


def test_a_recovery_shows_its_steps() -> None:
    events = (
        *rolled_back()[:-3],
        ev.RecoveryStep(name="restore beside", ok=True, seconds=31.0, summary="12 tables"),
        ev.RecoveryStep(name="swap", ok=False, seconds=0.5, summary="permission denied"),
        finished("recovered"),
    )
    text = report_markdown(view(*events))
    assert "recovered from the checkpoint" in text.splitlines()[0]
    steps = _section(text, "Recovery")
    assert "| restore beside | done | 31.0 s | 12 tables |" in steps
    assert "| swap | **FAILED** | 0.500 s | permission denied |" in steps
    assert "written after the checkpoint" in _section(text, "Impact")


def test_the_operator_gets_exact_commands_and_the_alarms() -> None:
    events = (
        *rolled_back()[:-3],
        ev.Alarm(summary="The door did not open", remedy="ALTER DATABASE shop CONNECTION LIMIT -1"),
        finished(
            "needs_operator", next_commands=("rollback-tui settle 5d0c", "psql -c 'SELECT 1'")
        ),
    )
    text = report_markdown(view(*events))
    assert "needs the operator" in text.splitlines()[0]
    assert "**The door did not open** ALTER DATABASE shop CONNECTION LIMIT -1" in text
    assert "rollback-tui settle 5d0c\npsql -c 'SELECT 1'" in _section(text, "Next commands")
    assert "and still closed" in text
    assert "Open the door: it is still closed" in text


@pytest.mark.parametrize("length", range(len(rolled_back()) + 1))
def test_an_unfinished_run_can_be_reported_at_every_moment(length: int) -> None:
    half = view(*rolled_back()[:length])
    text = report_markdown(half)
    data = json.loads(json.dumps(report_json(half)))
    if length < len(rolled_back()):
        assert "unfinished" in text.splitlines()[0]
        assert "and verified" not in text
        assert data["outcome"] is None
        assert data["completed_at"] is None
    if half.committed and half.outcome is None:
        assert data["impact"]["data_lost_known"] is False


def test_a_loss_nobody_counted_is_never_left_out() -> None:
    opaque = statement(1, "DO $$ … $$", "DO", loses_data=None)
    update = statement(2, "UPDATE t SET a = 1", "UPDATE", loses_data=True, objects=("t",))
    absent = statement(
        3,
        "DROP TABLE IF EXISTS gone",
        "DROP TABLE",
        loses_data=True,
        doomed=(Doomed(kind="table", relation="gone"),),
    )
    planned = statement(
        4,
        "DROP TABLE old",
        "DROP TABLE",
        loses_data=True,
        loss=(Loss(kind="rows", relation="public.old", count=1),),
    )
    steps = (opaque, update, absent, planned)
    begun = started(plan=plan(migration(script=script(statements=steps))))
    done = [
        ev.StatementFinished(
            index=s.index, seconds=0.1, command_tag="X", rows=9 if s is update else None
        )
        for s in steps
    ]
    found = view(
        begun,
        ev.TransactionStarted(xid="1", backend_pid=2, attempt=1),
        ev.LossCounted(statement=3, losses=()),
        *done,
        ev.Committed(xid="1"),
        finished("rolled_back"),
    )
    text = _section(report_markdown(found), "Impact")
    assert "statement 1, line 3: an unknown amount, by DO (not counted)" in text
    assert "statement 2, line 4: 9 changed rows of t (reported by the server)" in text
    assert "statement 3" not in text
    assert "statement 4, line 6: 1 row of public.old (counted before the run)" in text
    assert report_json(found)["impact"]["data_lost_known"] is False


def test_what_the_server_did_is_better_than_a_count_of_before() -> None:
    before = (Loss(kind="rows", relation="public.t", count=5),)
    delete = statement(1, "DELETE FROM t", "DELETE", loses_data=True, loss=before)
    merge = statement(2, "MERGE …", "MERGE", loses_data=True, loss=before)
    found = view(
        started(plan=plan(migration(script=script(statements=(delete, merge))))),
        ev.TransactionStarted(xid="1", backend_pid=2, attempt=1),
        *(
            ev.StatementFinished(index=s.index, seconds=0.1, command_tag="X", rows=9)
            for s in (delete, merge)
        ),
        ev.Committed(xid="1"),
        finished("rolled_back"),
    )
    text = _section(report_markdown(found), "Impact")
    assert "statement 1, line 3: 9 rows of public.t (reported by the server)" in text
    assert "statement 2, line 4: 5 rows of public.t (counted before the run)" in text


# --- what keeps a run safe ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rung", "words"),
    [
        ("rename", "closed by renaming: applications could not enter |"),
        ("limit", "closed by connection limit: applications could not enter, superusers could"),
        ("terminate", "sessions were only terminated, applications could come back"),
    ],
)
def test_the_summary_says_whom_the_door_kept_out(rung: Any, words: str) -> None:
    events = (started(), ev.DoorClosed(rung=rung, connection_limit=-1))
    assert words in _section(report_markdown(view(*events)), "Summary")


def test_no_door_is_said() -> None:
    summary = _section(report_markdown(view(started())), "Summary")
    assert "| Door | not closed: applications could work beside the run |" in summary


ROW = ev.RunRowInserted(judge="run row", head=example.HEAD)
TABLE = ev.RunRowInserted(judge="version table", why="no CREATE on the database")
LOST = (
    ev.PhaseStarted(phase="commit"),
    ev.PhaseFinished(phase="commit", status="done", seconds=1, summary="no answer: reset"),
)
DIED = (ev.PhaseStarted(phase="commit"), ev.Committed(xid="1"), finished("rolled_back"))


@pytest.mark.parametrize(
    ("events", "words"),
    [
        (
            (ROW,),
            "not sent yet; without an answer decided by the run's own row in rollback_tui.runs",
        ),
        ((ROW, LOST[0]), "unanswered, decided by the run's own row in rollback_tui.runs (journal"),
        ((TABLE,), "decided by the version table, because: no CREATE on the database"),
        ((ROW, ev.Committed(xid="1"), finished("rolled_back")), "answered; otherwise decided by"),
        ((TABLE, *LOST), "no answer: reset; decided by the version table"),
        ((ROW, *DIED), "the worker ended before an answer was seen; decided by the run's own row"),
    ],
)
def test_what_decides_an_unanswered_commit(events: tuple[ev.AnyEvent, ...], words: str) -> None:
    summary = _section(report_markdown(view(started(), *events)), "Summary")
    (line,) = [line for line in summary.splitlines() if line.startswith("| COMMIT |")]
    assert words in line.replace("\\", "")


def test_a_commit_that_the_server_refused_was_decided_by_nobody_else() -> None:
    refused = ev.PhaseFinished(
        phase="commit", status="failed", seconds=1, summary="answered ROLLBACK"
    )
    summary = _section(report_markdown(view(started(), ROW, refused)), "Summary")
    assert "| COMMIT | answered ROLLBACK |" in summary


@pytest.mark.parametrize("events", [(), (ROW, finished("unchanged"))])
def test_a_run_that_never_came_to_commit_says_nothing_of_it(
    events: tuple[ev.AnyEvent, ...],
) -> None:
    assert "| COMMIT |" not in report_markdown(view(started(), *events))


def test_a_recovery_names_what_is_kept_and_how_to_drop_it() -> None:
    found = view(*recovered_from_the_clone())
    text = report_markdown(found)
    recovery = _section(text, "Recovery")
    assert "kept as `shop__failed_5d0c6a1e`" in recovery
    assert 'DROP DATABASE "shop__failed_5d0c6a1e";' in recovery
    assert "checkpoint prune" in recovery
    assert "- Data lost: none, the copy was made behind the closed door" in text
    assert r"then drop it: shop\_\_failed\_5d0c6a1e" in _section(text, "Follow-ups")
    data = report_json(found)
    assert data["swapped"] == {
        "new_oid": 17001,
        "kept": "shop__failed_5d0c6a1e",
        "xid": "",
    }
    assert data["clone"] is None
    assert data["judge"]["judge"] == "run row"


def test_a_dump_that_was_restored_is_not_said_to_lose_nothing() -> None:
    restored = tuple(
        e for e in recovered_from_the_clone() if not isinstance(e, ev.CloneStarted | ev.CloneMade)
    )
    assert "what was written after the checkpoint was made" in report_markdown(view(*restored))


def test_a_name_with_quotes_is_dropped_by_its_name() -> None:
    assert drop_statement('a"b') == 'DROP DATABASE "a""b";'


def test_a_plan_that_stopped_between_statements_counts_what_is_gone() -> None:
    found = view(*stopped_in_the_middle())
    text = report_markdown(found)
    assert "1,204 values of public.users" in _section(text, "Impact")
    assert "more is not known" in _section(text, "Impact")
    assert "| 1 | 3 | DROP VIEW active | skipped |" in text
    assert "## Statements, each committed by itself" in text
    assert "Data lost: none" not in text
    assert "`shop__clone_5d0c6a1e`" in _section(text, "Files")
    data = report_json(found)
    assert data["impact"]["data_lost_known"] is False
    assert data["clone"]["database"] == "shop__clone_5d0c6a1e"


# --- hostile text ---------------------------------------------------------------------------------

EVIL = "x[/red]`|*<b>\x1b[2J\u202e\r\n```\n# big"


def _hostile_run() -> RunView:
    hostile = statement(
        1,
        f'DROP TABLE "{EVIL}"',
        "DROP TABLE",
        loses_data=True,
        loss=(Loss(kind="rows", relation=EVIL, count=2),),
    )
    target = replace(example.TARGET, database=EVIL, host=EVIL, user=EVIL)
    made = migration(version=EVIL, name=EVIL, script=script(path=EVIL, statements=(hostile,)))
    return view(
        started(
            plan=plan(made, framework=EVIL, version_table=EVIL, stale_files=(EVIL,), goal=EVIL),
            target=target,
            operator=Operator(user=EVIL, uid=1, sudo_user=EVIL, host=EVIL),
            reason=EVIL,
            environment=EVIL,
            folder=f"/srv/{EVIL}",
        ),
        ev.CheckJudged(check=check("fail", title=EVIL, summary=EVIL)),
        ev.CheckOverridden(name="no_writers", reason=EVIL),
        ev.TransactionStarted(xid="1", backend_pid=2, attempt=1),
        ev.StatementFinished(index=1, seconds=1, command_tag=EVIL, rows=None, notices=(EVIL,)),
        ev.StatementFailed(
            index=1, line=1, sql=EVIL, sqlstate=EVIL, message=EVIL, detail=EVIL, hint=EVIL
        ),
        ev.VerificationJudged(
            verification=verification("v", "fail", title=EVIL, summary=EVIL, evidence=(EVIL,))
        ),
        ev.UnchangedProven(proven=False, differences=(EVIL,)),
        ev.RecoveryStep(name=EVIL, ok=False, seconds=1, summary=EVIL),
        ev.HookRan(name=EVIL, ok=False, seconds=1, summary=EVIL),
        ev.Alarm(summary=EVIL, remedy=EVIL),
        ev.CheckpointMade(checkpoint=replace(example.CHECKPOINT, path=f"/srv/{EVIL}")),
        ev.RunRowInserted(judge="version table", why=EVIL),
        ev.PhaseFinished(phase="commit", status="failed", seconds=1, summary=EVIL),
        ev.SwapStarted(new=EVIL, new_oid=1, kept=EVIL),
        ev.Swapped(new_oid=1, kept=EVIL),
        ev.CloneMade(database=EVIL, oid=2, seconds=1, bytes=1),
        ev.Committed(xid="1"),
        finished("needs_operator", summary=EVIL, report=EVIL, next_commands=(EVIL,)),
    )


def test_hostile_names_are_inert() -> None:
    text = report_markdown(_hostile_run())
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\r" not in text
    fence = ""
    for line in text.splitlines():
        if fence:
            fence = "" if line == fence else fence
            continue
        stripped = line.lstrip("`")
        if len(line) - len(stripped) >= 3:
            fence = "`" * (len(line) - len(stripped))
            continue
        assert not line.startswith("# big"), "a heading was smuggled in"
        assert "[/red]" not in line.replace(r"\[/red\]", "")
        assert "<b>" not in line.replace(r"\<b\>", "")
        if line.startswith("|"):
            cells = line.replace("\\|", "").count("|")
            assert cells >= 3
    assert fence == "", "a fence was left open"
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert len(headings) == len(set(headings))


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    width = 0
    for line in report_markdown(_hostile_run()).splitlines():
        if not line.startswith("|"):
            width = 0
            continue
        cells = line.replace("\\|", "").count("|")
        width = width or cells
        assert cells == width, line


def test_the_json_is_json_and_keeps_the_facts_verbatim() -> None:
    data = json.loads(msgspec.json.encode(report_json(_hostile_run())))
    assert data["reason"] == EVIL
    assert data["outcome"] == "needs_operator"
    assert data["statements"][0]["sql"] == f'DROP TABLE "{EVIL}"'


# --- log lines ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "events",
    [
        rolled_back(),
        failed_at_two(),
        recovered_from_the_clone(),
        stopped_in_the_middle(),
        proof(),
        recovery_of_a_run(),
        (started(), *attempt()[:2], ev.AbortAsked()),
    ],
)
def test_every_event_is_one_printable_line(events: tuple[ev.AnyEvent, ...]) -> None:
    for record in records(*events):
        line = log_line(record)
        assert line.startswith("2024-01-15 03:00:")
        assert line.isprintable()


def _every_event() -> list[Any]:
    return list(ev.AnyEvent.__args__)


def test_no_event_is_without_words() -> None:
    seen = {type(e) for e in (*rolled_back(), *failed_at_two(), ev.AbortAsked())}
    rest: tuple[ev.AnyEvent, ...] = (
        *recovered_from_the_clone(),
        *stopped_in_the_middle(),
        *proof(),
        *recovery_of_a_run(),
        ev.CloneDropped(database="shop__clone_5d0c6a1e"),
        ev.CheckJudged(check=check()),
        ev.CheckOverridden(name="a", reason="b"),
        ev.Progress(phase="checkpoint", summary="public.users", done=3, total=12),
        ev.SqlSent(connection="target", sql="SELECT\n1"),
        ev.Waiting(phase="drain", summary="writers", pids=(1,), seconds_left=3.2),
        ev.HookRan(name="maintenance on", ok=False, seconds=1.0, summary="exit 1"),
        ev.MaintenanceChanged(on=True),
        ev.Question(name="gate", text="?", choices=("a", "b"), default="b", seconds=9),
        ev.Answered(name="gate", choice="b", by="deadline"),
        ev.RecoveryStep(name="swap", ok=True, seconds=1.0, summary=""),
        RESTORE_POINT,
        ev.StatisticsRefreshed(analysed=("public.t",), left=("public.big: locked",), seconds=1),
        ev.Alarm(summary="a", remedy="b"),
        ev.SettleStarted(by="guardian"),
        ev.UsualMeasured(usual=(), seconds=2.0),
        ev.RowsKept(
            statement=1, schema="s", table="s.t", relation="r", column=None, rows=1, seconds=0.1
        ),
    )
    assert seen | {type(e) for e in rest} == set(_every_event())
    for record in records(*rest):
        words = log_line(record).split(" s  ", 1)[1]
        assert words
        assert words != type(record.event).__name__


def test_a_hostile_log_line_stays_one_line() -> None:
    (record,) = records(ev.SqlSent(connection="target", sql=f"SELECT '{EVIL}'"))
    assert log_line(record).isprintable()
    (record,) = records(ev.TransactionRolledBack(reason=EVIL))
    assert log_line(record).isprintable()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "not measured"),
        (0.0123, "0.012 s"),
        (9.96, "10.0 s"),
        (123.4, "2 minutes and 3 seconds (123.4 s)"),
        (7200.0, "2 hours (7,200.0 s)"),
    ],
)
def test_durations(value: float | None, words: str) -> None:
    assert seconds(value) == words
