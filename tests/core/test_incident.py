"""The incident report as a value: every item, with the right figures, for every outcome."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from rollback_tui.core import events as ev
from rollback_tui.core.incident import Incident, build, incident_json
from rollback_tui.core.incident.watched import POINTS
from rollback_tui.core.model import Operator
from rollback_tui.core.monitoring import fold as monitoring
from tests.core.example import (
    BEGAN,
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
)
from tests.core.incident_example import AFTER, BEGUN, FOLDER, incident, sampled, told, watched
from tests.core.test_follow_ups import RUNS, tick


def said(report: Incident) -> list[str]:
    return [moment.what for moment in report.timeline]


# --- what it is, and how bad ----------------------------------------------------------------------


def test_what_it_was_and_why() -> None:
    events = rolled_back()
    first = replace(started(), trigger="alert 12", attended=False)
    report = incident(first, *events[1:])
    assert report.type == "Rollback of a migration in production"
    assert report.title == "Rollback of migration 3 in shop"
    assert report.status == "Rolled back and verified"
    assert report.cause.trigger == "alert 12"
    assert report.cause.reason == "signups fail"
    assert report.cause.started_from == "command line"
    assert (report.version.before, report.version.after) == ("3", "2")
    assert report.started_at == BEGAN
    assert report.seconds == len(events) - 1
    without = incident(started(attended=True), *events[1:]).cause
    assert (without.trigger, without.started_from) == (None, "screens")
    assert incident(*events).cause.started_from is None


@pytest.mark.parametrize(
    ("closed", "level"),
    [(0.5, "minor"), (59, "minor"), (60, "major"), (299, "major"), (300, "critical")],
)
def test_downtime_decides_how_bad_a_good_run_was(closed: float, level: str) -> None:
    events = (
        started(),
        ev.DoorClosed(rung="limit", connection_limit=-1),
        ev.VerificationJudged(verification=verification()),
        ev.DoorOpened(seconds_closed=closed),
        finished("rolled_back"),
    )
    facts = list(records(*events))
    for place in (3, 4):
        facts[place] = msgspec.structs.replace(facts[place], elapsed=1 + closed)
    found = build(facts, folder=FOLDER).severity
    assert found.level == level
    assert level in found.rule


SEVERITIES = {
    "refused": "none",
    "rolled back": "minor",
    "unchanged": "major",
    "recovered": "major",
    "needs operator": "critical",
    "a recovery": "major",
    "reapplied": "major",
    "unfinished": "critical",
    "nothing": "critical",
}


@pytest.mark.parametrize(("name", "level"), SEVERITIES.items())
def test_the_outcome_decides_too(name: str, level: str) -> None:
    report = incident(*RUNS[name])
    assert report.severity.level == level
    assert report.severity.because


def test_what_nobody_accepted_is_worse() -> None:
    events = rolled_back()
    failed = ev.VerificationJudged(verification=verification("schema", "fail"))
    assert incident(*events[:-3], failed, *events[-3:]).severity.level == "major"
    accepted = ev.VerificationJudged(verification=verification("schema", "fail", accepted="known"))
    assert incident(*events[:-3], accepted, *events[-3:]).severity.level == "minor"
    unproven = tuple(
        ev.UnchangedProven(proven=False, differences=("t",))
        if isinstance(event, ev.UnchangedProven)
        else event
        for event in failed_at_two()
    )
    assert incident(*unproven).severity.level == "critical"


# --- timeline -------------------------------------------------------------------------------------


def test_the_timeline_tells_what_matters_in_order() -> None:
    report = incident(
        *rolled_back(),
        monitoring=watched(),
        post=told(),
        ticks=(tick("root_cause", 600, note="an index"),),
    )
    texts = said(report)
    order = [
        "Confirmed by ana on jump1: roll back 3; reason: signups fail",
        "Checkpoint made and verified",
        "Door closed by connection limit",
        "2 sessions ended",
        "Statement 1 of 3 done",
        "Statement 2 of 3 done",
        "Statement 3 of 3 done",
        "Version 3 taken out",
        "1 verification passed",
        "COMMIT",
        "Door open after 14.0 s",
        "Outcome: Rolled back and verified",
        "Closer monitoring began",
        "Could not tell chat of “Rollback of shop: rolled back”: HTTP 500; delivered",
        "“Rollback of shop: rolled back” is not told at mail any more: no such mailbox",
        "Alert: error_rate 20 % > 4 %",
        "Alert over: error_rate, after 1 minute and 30 seconds",
        "Gap: nobody measured for 1 minute and 30 seconds",
        "Follow-up done: Find the root cause of the rollback, and write it down; by ada (an index)",
        "Monitoring ended: it was stopped by ada: all is well",
    ]
    places = [next(i for i, text in enumerate(texts) if text.startswith(what)) for what in order]
    assert places == sorted(places)
    assert any("no answer; still pending after 1 attempt" in text for text in texts)
    assert any("refused; given up after 1 attempt" in text for text in texts)
    ended = next(m for m in report.timeline if m.what.startswith("Monitoring ended"))
    assert ended.elapsed == timedelta(hours=2, minutes=1).total_seconds()
    assert report.as_of == ended.at


def test_checks_and_many_statements_are_one_line_each_kind() -> None:
    many = tuple(statement(n, f"DROP TABLE t{n}", "DROP TABLE") for n in range(1, 41))
    begun = started(plan=plan(migration(script=script(statements=many))))
    done = [
        event
        for n in range(1, 30)
        for event in (
            ev.StatementStarted(index=n),
            ev.StatementFinished(index=n, seconds=n / 100, command_tag="DROP TABLE", rows=None),
        )
    ]
    report = incident(
        begun,
        ev.CheckJudged(check=check("pass", name="a")),
        ev.CheckJudged(check=check("warn", name="b")),
        ev.CheckJudged(check=check("fail", name="c", title="Writers")),
        ev.CheckOverridden(name="c", reason="the batch job may end"),
        *done,
        ev.StatementStarted(index=30),
        ev.StatementFailed(index=30, line=3, sql="DROP", sqlstate="2BP01", message="no"),
        ev.TransactionRolledBack(reason="statement 30 failed"),
        ev.UnchangedProven(proven=True),
        finished("unchanged"),
    )
    assert said(report)[1:] == [
        "3 safety checks judged: 1 passed, 1 warned, 1 FAILED",
        "Check set aside, Writers: the batch job may end",
        "Statements 1 to 29 of 40 done; the slowest, 29, in 0.290 s",
        "Statement 30, line 3, FAILED: SQLSTATE 2BP01: no",
        "ROLLBACK: statement 30 failed",
        "Proven to be as before (compared: all)",
        "Outcome: Failed; the database is as before",
    ]


def test_what_did_not_pass_has_a_line_of_its_own() -> None:
    events = rolled_back()
    judged = [
        ev.VerificationJudged(verification=verification("a", "pass")),
        ev.VerificationJudged(verification=verification("b", "unknown")),
        ev.VerificationJudged(verification=verification("c", "fail")),
        ev.VerificationJudged(verification=verification("d", "fail", accepted="known")),
        ev.VerificationJudged(verification=verification("health", "pass")),
    ]
    tones = {m.what: m.tone for m in incident(*events[:-1], *judged, events[-1]).timeline}
    assert tones["B: UNKNOWN: b looked at"] == "attention"
    assert tones["C: FAILED: c looked at"] == "bad"
    assert tones["D: accepted (known): d looked at"] == "attention"
    assert tones["Health: passed: health looked at"] == "good"


def test_a_clock_that_was_set_back_does_not_change_the_order() -> None:
    facts = list(records(*rolled_back()))
    at = [replace(r, at=r.at - timedelta(hours=1)) if r.seq > 6 else r for r in facts]
    assert said(build(at, folder=FOLDER)) == said(build(facts, folder=FOLDER))


def test_questions_and_who_answered() -> None:
    report = incident(
        started(operator=Operator(user="root", uid=0, sudo_user="ada", git_identity="A <a@x>")),
        ev.Question(name="gate", text="Commit?", choices=("a", "b"), default="b", seconds=9),
        ev.Answered(name="gate", choice="a", by="operator", who="deploy (sudo by ada), uid 0"),
        ev.Question(name="health", text="Leave it?", choices=("a", "b"), default="b", seconds=9),
        ev.Answered(name="health", choice="b", by="deadline"),
        ev.AbortAsked(who="bob, uid 7"),
        ev.SettleStarted(by="guardian"),
        finished("needs_operator"),
    )
    first, second = report.people.answers
    assert (first.question, first.text, first.choice) == ("whether to COMMIT", "Commit?", "a")
    assert first.who == "deploy (sudo by ada), uid 0"
    assert (second.who, second.by) == ("", "deadline")
    assert report.people.aborted_by == ("bob, uid 7",)
    assert report.people.settled_by == "guardian"
    assert "Answered whether to COMMIT: a, by deploy (sudo by ada), uid 0" in said(report)
    assert any("by nobody, the time ran out" in text for text in said(report))
    assert any("the guardian settles the run" in text for text in said(report))


# --- impact ---------------------------------------------------------------------------------------


def felt(**changes: Any) -> Incident:
    events = rolled_back()
    measured = ev.ImpactMeasured(**{"downtime_seconds": 14.0} | changes)
    return incident(*events[:-2], measured, events[-1], monitoring=watched())


def test_the_downtime_is_that_of_every_closing_and_of_nothing_else() -> None:
    closed, opened = (
        ev.DoorClosed(rung="limit", connection_limit=-1),
        ev.DoorOpened(seconds_closed=0),
    )
    events = (started(), closed, opened, closed, closed, opened, finished("needs_operator"))
    seconds = (0, 10, 12.5, 20, 21, 24, 90)
    facts = [
        replace(record, elapsed=float(at))
        for record, at in zip(records(*events), seconds, strict=True)
    ]
    report = build(facts, folder=FOLDER)
    assert report.impact.downtime_seconds == 2.5 + 4
    assert [(one.since, one.until) for one in report.door] == [(10, 12.5), (20, 24)]


def test_each_figure_has_its_source() -> None:
    impact = felt(
        failed_requests=5,
        affected_users=3,
        failed_probes=1,
        probes=9,
        source="health probes, /usr/bin/impact",
    ).impact
    assert impact.downtime_seconds == 17.0
    requests, users = impact.failed_requests, impact.affected_users
    assert [(f.value, f.source) for f in requests] == [
        (5, "impact command (/usr/bin/impact)"),
        (7, "Prometheus"),
    ]
    assert [(f.value, f.why) for f in users] == [(3, ""), (None, "no query is configured")]
    assert impact.probes is not None
    assert (impact.probes.failed, impact.probes.asked) == (1, 9)
    assert impact.sessions_ended == 2


def test_what_was_not_measured_is_not_none() -> None:
    impact = incident(*rolled_back()).impact
    assert impact.failed_requests == impact.affected_users == ()
    assert impact.probes is None
    only_probes = felt(failed_probes=0, probes=2, source="health probes").impact
    assert [f.source for f in only_probes.failed_requests] == ["Prometheus"]
    events = rolled_back()
    failed = ev.Progress(phase="aftercare", summary="impact command: exit 3")
    told_why = incident(*events[:-2], failed, *events[-2:]).impact.failed_requests
    assert [(f.value, f.why) for f in told_why] == [(None, "exit 3")]


def test_what_is_lost_and_what_is_archived() -> None:
    events = rolled_back()
    impact = incident(*events).impact
    assert [(item.describe(), item.kept) for item in impact.lost] == [
        ("1,204 values of public.users.verified_at", False),
        ("7 rows of public.settings", False),
    ]
    assert impact.lost_known
    kept = ev.RowsKept(
        statement=2,
        schema="rollback_archive_x",
        table="rollback_archive_x.a1",
        relation="public.users",
        column="verified_at",
        rows=1204,
        seconds=0.1,
    )
    archived = incident(*events[:9], kept, *events[9:]).impact
    assert [item.kept for item in archived.lost] == [True, False]
    assert archived.lost_words == "7 rows of public.settings"
    assert [(a.what, a.table) for a in archived.archived] == [
        ("1,204 values of public.users.verified_at", "rollback_archive_x.a1")
    ]
    assert "archive restore" in archived.restore_archived


@pytest.mark.parametrize(
    ("events", "lost", "known"),
    [
        (failed_at_two(), "none", True),
        (recovered_from_the_clone(), "none: the copy was made behind the closed door", True),
        (recovery_of_a_run(), "12 rows written since, and of 1 table nobody knows", False),
        ((started(),), "not known: the run is not finished", False),
        (stopped_in_the_middle(), "more is not known", False),
    ],
)
def test_what_nobody_can_know_is_said(
    events: tuple[ev.AnyEvent, ...], lost: str, known: bool
) -> None:
    impact = incident(*events).impact
    assert lost in impact.lost_words
    assert impact.lost_known is known


def test_a_door_that_is_closed_still() -> None:
    report = incident(*rolled_back()[:10])
    assert report.impact.downtime_seconds is None
    assert [(c.since, c.until) for c in report.door] == [(4.0, None)]
    assert [(c.since, c.until) for c in incident(*rolled_back()).door] == [(4.0, 21.0)]


# --- resolution and evidence ----------------------------------------------------------------------


def deeds(report: Incident) -> list[tuple[str, str]]:
    return [(d.what, d.result) for step in report.resolution for d in step.deeds]


def test_what_was_done_phase_by_phase() -> None:
    phase = ev.PhaseStarted(phase="execute")
    own = ev.SqlSent(connection="maintenance", sql="ALTER DATABASE shop …")
    change = "DELETE FROM schema_migrations"
    events = (
        started(),
        ev.PhaseStarted(phase="close_door"),
        own,
        ev.PhaseFinished(phase="close_door", status="done", seconds=0.2, summary="closed"),
        phase,
        *attempt(),
        ev.SqlSent(connection="target", sql=change),
        ev.VersionChanged(version="3", sql=(change,)),
        ev.Committed(xid="771"),
        finished("rolled_back"),
    )
    report = incident(*events)
    assert [(s.phase, s.status, s.seconds) for s in report.resolution] == [
        ("close_door", "done", 0.2),
        ("execute", "not ended", None),
    ]
    assert deeds(report) == [
        ("Our own SQL, maintenance database", "sent"),
        ("BEGIN", "transaction 771"),
        ("Statement 1, line 3", "done: DROP VIEW"),
        ("Statement 2, line 4", "done: ALTER TABLE"),
        ("Statement 3, line 5", "done: DELETE 7"),
        ("Version table: 3", "done"),
        ("COMMIT", "confirmed by the server"),
    ]
    statements = [d for s in report.resolution for d in s.deeds if d.kind == "statement"]
    assert statements[1].sql == "ALTER TABLE users DROP COLUMN verified_at"
    assert statements[1].seconds == 0.01


def test_what_was_rolled_back_does_not_look_done() -> None:
    found = dict(deeds(incident(*failed_at_two())))
    assert found["Statement 1, line 3"] == "done: DROP VIEW, then rolled back"
    assert found["Statement 2, line 4"].startswith("FAILED: SQLSTATE 2BP01")
    assert "ROLLBACK" in found
    # A second attempt is what counts; the first is still told.
    again = incident(
        started(),
        *attempt(),
        ev.TransactionRolledBack(reason="deadlock"),
        *attempt(2),
        ev.Committed(xid="772"),
        finished("rolled_back"),
    )
    results = [result for what, result in deeds(again) if what.startswith("Statement 1")]
    assert results == ["done: DROP VIEW, then rolled back", "done: DROP VIEW"]


def test_what_had_no_answer_is_not_known() -> None:
    found = dict(deeds(incident(*stopped_in_the_middle())))
    assert found["Statement 3, line 5"] == "begun, no answer seen"
    assert found["Statement 1, line 3"] == "skipped: done by the run 4c0ffee0"


def test_the_server_s_own_words_and_what_proves_the_rest() -> None:
    evidence = incident(*failed_at_two()).evidence
    assert "ERROR: cannot drop column verified_at of table users" in evidence.failure
    assert "HINT: Use DROP ... CASCADE" in evidence.failure
    assert "proven to be as before" in evidence.unchanged
    good = incident(*rolled_back()).evidence
    assert [(v.name, v.verdict) for v in good.verifications] == [("rows", "pass")]
    assert [r.table for r in good.rows_changed] == ["public.settings"]
    assert "run's own row" in good.commit


def test_what_was_set_aside_or_accepted_has_its_reason() -> None:
    events = rolled_back()
    accepted = ev.VerificationJudged(
        verification=verification("schema", "fail", accepted="as was foreseen")
    )
    report = incident(
        events[0],
        ev.CheckJudged(check=check(title="No writers")),
        ev.CheckOverridden(name="no_writers", reason="the batch job may end"),
        *proof(),
        *events[1:-1],
        accepted,
        events[-1],
    )
    assert [(o.kind, o.title, o.reason) for o in report.evidence.overrides] == [
        ("check", "No writers", "the batch job may end"),
        ("schema", "Schema foreseen", "mood is harmless"),
        ("declared", "type public.x", "declared to be right in the configuration"),
        ("verification", "Schema", "as was foreseen"),
    ]
    assert [(c.name, c.status) for c in report.evidence.checks] == [("no_writers", "fail")]


# --- afterwards -----------------------------------------------------------------------------------


def test_each_metric_on_a_line() -> None:
    found = incident(*rolled_back(), monitoring=watched()).monitoring
    metrics = {m.metric: m for m in found.metrics}
    errors, cache, lag = (metrics[n] for n in ("error_rate", "cache_hit", "replication_lag"))
    assert (errors.usual, errors.worst, errors.now, errors.threshold) == (0.0, 0.2, 0.0, 0.04)
    assert (errors.alerts, errors.standing, errors.measured) == (1, False, 3)
    assert errors.worst_at == AFTER + timedelta(seconds=30)
    assert errors.points == ((15.0, 0.01), (30.0, 0.2), (75.0, None), (120.0, 0.0))
    assert errors.raised == (30.0,)
    assert (cache.worst, cache.worse) == (0.6, "below")
    assert (lag.worst, lag.measured, lag.missing, lag.why) == (None, 0, 3, "no answer")
    assert metrics["deadlocks"].why == "never measured"
    assert (found.samples, found.gap_seconds, found.alerts, found.standing) == (3, 90.0, 1, 0)
    assert found.ended == "it was stopped by ada: all is well"


def test_a_long_monitoring_keeps_its_worst_moment_and_its_gaps() -> None:
    samples = [sampled(15 * n, error_rate=0.5 if n == 333 else 0.01) for n in range(1, 481)]
    silent = [sampled(15 * n, error_rate=None) for n in range(481, 521)]
    view = monitoring.fold((BEGUN, *samples, *silent))
    errors = incident(*rolled_back(), monitoring=view).monitoring.metrics[1]
    assert errors.metric == "error_rate"
    assert len(errors.points) <= POINTS
    values = [value for _, value in errors.points]
    assert values.count(0.5) == 1
    assert values[-5:] == [None] * 5
    assert errors.worst == 0.5


def test_where_nothing_was_monitored_it_says_why() -> None:
    for name, why in (("refused", "nothing was touched"), ("unfinished", "no outcome yet")):
        found = incident(*RUNS[name]).monitoring
        assert found.begun_at is None
        assert why in found.why
    assert "no process" in incident(*rolled_back()).monitoring.why


def test_who_was_told_and_what_is_pending() -> None:
    found = {n.place: n for n in incident(*rolled_back(), post=told()).notified}
    assert {place: (n.state, n.attempts, n.why) for place, n in found.items()} == {
        "chat": ("delivered", 2, "HTTP 500"),
        "pager": ("pending", 1, "no answer"),
        "mail": ("given up", 1, "no such mailbox"),
    }
    assert found["chat"].delivered_at == AFTER + timedelta(seconds=6)


# --- as a whole -----------------------------------------------------------------------------------


@pytest.mark.parametrize("events", RUNS.values(), ids=RUNS.keys())
def test_the_json_is_whole_and_the_same_each_time(events: tuple[ev.AnyEvent, ...]) -> None:
    plain = incident_json(incident(*events, monitoring=watched(), post=told()))
    again = incident_json(incident(*events, monitoring=watched(), post=told()))
    assert msgspec.json.encode(plain) == msgspec.json.encode(again)
    assert list(plain) == [field.name for field in msgspec.structs.fields(Incident)]
    if events:
        fingerprint = plain["target"].pop("fingerprint")
        assert fingerprint == started().target.fingerprint
    assert msgspec.convert(plain, Incident) == incident(*events, monitoring=watched(), post=told())
