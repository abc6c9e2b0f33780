"""The fold: what a run looks like after each kind of event."""

from __future__ import annotations

import msgspec
import pytest

from rollback_tui.core import events as ev
from rollback_tui.core.run_view import RunView, advance, fold
from tests.core import example
from tests.core.example import attempt, check, finished, records, started, verification, view


def _states(found: RunView) -> list[str]:
    return [s.status for s in found.statements]


def test_nothing_yet() -> None:
    empty = fold(())
    assert empty.outcome is None
    assert empty.phase is None
    assert {p.status for p in empty.phases} == {"waiting"}


def test_a_whole_run() -> None:
    whole = view(*example.rolled_back())
    assert whole.outcome == "rolled_back"
    assert _states(whole) == ["done", "done", "done"]
    assert whole.committed
    assert whole.checkpoint == example.CHECKPOINT
    assert whole.sessions_ended == 2
    assert whole.door == "limit"
    assert whole.door_closed is None
    assert [loss.count for loss in whole.losses] == [1204, None]
    assert [event.statement for event in whole.counted] == [2, 3]
    assert whole.finished_at is not None


def test_live_and_afterwards_are_the_same() -> None:
    live = RunView()
    kept = records(*example.rolled_back())
    for record in kept:
        line = msgspec.json.encode(record)
        live = advance(live, msgspec.json.decode(line, type=ev.Record))
    assert live == fold(kept)


def test_a_retry_begins_anew() -> None:
    first = view(
        started(),
        *attempt()[:6],
        ev.StatementFailed(
            index=2, line=4, sql="x", sqlstate="55P03", message="canceling statement: lock timeout"
        ),
    )
    assert _states(first) == ["done", "failed", "waiting"]
    assert first.failure is not None
    assert len(first.losses) == 1
    undone = view(
        started(),
        *attempt()[:6],
        ev.StatementFailed(index=2, line=4, sql="x", sqlstate="55P03", message="m"),
        ev.TransactionRolledBack(reason="lock timeout"),
    )
    assert _states(undone) == ["rolled back", "failed", "waiting"]
    assert undone.losses == undone.counted == ()
    assert undone.failure is not None
    second = view(
        started(),
        *attempt()[:6],
        ev.StatementFailed(index=2, line=4, sql="x", sqlstate="55P03", message="m"),
        ev.TransactionRolledBack(reason="lock timeout"),
        *attempt(2),
    )
    assert _states(second) == ["done", "done", "done"]
    assert second.failure is None
    assert len(second.losses) == len(second.counted) == 2


def test_a_rollback_without_a_failure_marks_what_was_done() -> None:
    found = view(started(), *attempt(), ev.TransactionRolledBack(reason="aborted"))
    assert _states(found) == ["rolled back"] * 3
    assert not found.committed


def test_downtime_is_the_time_of_a_closed_door() -> None:
    found = view(
        started(),
        ev.DoorClosed(rung="limit", connection_limit=-1),
        ev.AbortAsked(),
        ev.DoorOpened(seconds_closed=2.0),
        ev.AbortAsked(),
        ev.DoorClosed(rung="limit", connection_limit=-1),
        ev.AbortAsked(),
    )
    assert found.downtime == 2.0
    assert found.downtime_at(found.elapsed) == 3.0
    assert found.downtime_at(found.elapsed + 5) == 8.0


def test_a_question_waits_until_it_is_answered() -> None:
    question = ev.Question(
        name="gate", text="Commit?", choices=("commit", "roll back"), default="roll back", seconds=9
    )
    asked = view(started(), question)
    assert asked.question == question
    assert asked.question_asked == 1.0
    answered = view(started(), question, ev.Answered(name="gate", choice="commit", by="operator"))
    assert answered.question is None
    assert len(answered.answers) == 1
    assert view(started(), question, finished("needs_operator")).question is None


def test_a_check_or_verification_judged_again_replaces_the_first() -> None:
    found = view(
        ev.CheckJudged(check=check("fail")),
        ev.CheckJudged(check=check("fail", name="other")),
        ev.CheckJudged(check=check("pass")),
        ev.VerificationJudged(verification=verification("rows", "unknown")),
        ev.VerificationJudged(verification=verification("rows", "pass")),
    )
    assert {c.name: c.status for c in found.checks} == {"other": "fail", "no_writers": "pass"}
    assert [v.verdict for v in found.verifications] == ["pass"]


@pytest.mark.parametrize(
    ("phase", "before", "after"),
    [("recover", "commit", "open_door"), ("clone", "close_door", "execute")],
)
def test_a_phase_that_not_every_run_has_takes_its_place(
    phase: ev.Phase, before: str, after: str
) -> None:
    found = view(started(), ev.PhaseStarted(phase=phase))
    names = [p.phase for p in found.phases]
    place = names.index(phase)
    assert (names[place - 1], names[place + 1]) == (before, after)
    assert found.phase is not None
    assert found.phase.phase == phase


@pytest.mark.parametrize(
    ("events", "may"),
    [
        ((started(),), True),
        ((started(), ev.PhaseStarted(phase="execute")), True),
        ((started(), ev.PhaseStarted(phase="gate")), True),
        ((started(), ev.AbortAsked()), False),
        ((started(), ev.PhaseStarted(phase="commit")), False),
        ((started(), ev.Committed(xid="1")), False),
        ((started(), finished("refused")), False),
    ],
)
def test_abort_is_possible_until_commit(events: tuple[ev.AnyEvent, ...], may: bool) -> None:
    assert view(*events).may_abort is may
