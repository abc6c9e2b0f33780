"""The checklist: the four that every incident has, what a run leaves, and ticks that stay."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rollback_tui.core import events as ev
from rollback_tui.core.follow_ups import Ticked, needed, noted_trigger, ticked
from rollback_tui.core.report import report_json, report_markdown
from rollback_tui.core.run_view import RunView
from tests.core.example import (
    BEGAN,
    failed_at_two,
    finished,
    recovered_from_the_clone,
    recovery_of_a_run,
    rolled_back,
    started,
    stopped_in_the_middle,
    verification,
    view,
)
from tests.core.incident_example import watched

ALWAYS = ["root_cause", "update_procedures", "test_in_staging", "retry_plan"]

RUNS: dict[str, tuple[ev.AnyEvent, ...]] = {
    "refused": (started(), finished("refused")),
    "rolled back": rolled_back(),
    "unchanged": failed_at_two(),
    "recovered": recovered_from_the_clone(),
    "needs operator": stopped_in_the_middle(),
    "a recovery": recovery_of_a_run(),
    "reapplied": (started(task="reapply", recovers="/srv/r"), finished("rolled_back")),
    "unfinished": (started(),),
    "nothing": (),
}


@pytest.mark.parametrize("events", RUNS.values(), ids=RUNS.keys())
def test_four_stand_in_every_list_in_words_of_their_own(events: tuple[ev.AnyEvent, ...]) -> None:
    items = needed(view(*events))
    keys = [item.key for item in items]
    assert [key for key in keys if key in ALWAYS] == ALWAYS
    assert len(set(keys)) == len(keys)
    assert all(item.text and not item.done and item.at is None for item in items)
    assert "{" not in "".join(item.text for item in items)


def test_the_words_fit_the_outcome() -> None:
    said = {
        name: tuple(i.text for i in needed(view(*events)) if i.key in ALWAYS)
        for name, events in RUNS.items()
        if events
    }
    # What led to the same need may share words; no two outcomes share all four.
    assert len(set(said.values())) == len(said) - 1  # a recovery and a reapplication do
    assert "try again" in said["refused"][3]
    assert "applied again" in said["rolled back"][3]
    assert "still applied" in said["unchanged"][3]


def test_what_cannot_wait_stands_first() -> None:
    stuck = view(
        started(),
        ev.MaintenanceChanged(on=True),
        ev.DoorClosed(rung="limit", connection_limit=-1),
        ev.Alarm(summary="the door did not open", remedy="ALTER DATABASE …"),
        finished("needs_operator"),
    )
    keys = [item.key for item in needed(stuck)]
    assert keys[:3] == ["door", "maintenance", "alarm:1"]


def test_the_keys_stay_when_more_is_known() -> None:
    run = view(
        started(follow_ups=("Tell support", "Book the review")),
        ev.VerificationJudged(verification=verification("schema", "fail")),
        ev.VerificationJudged(verification=verification("health", "unknown")),
        *rolled_back()[1:],
    )
    before = {item.key: item.text for item in needed(run)}
    after = {item.key: item.text for item in needed(run, watched())}
    assert after.items() > before.items()
    assert after.keys() - before.keys() == {"alert:error_rate"}
    assert {"verification:schema", "verification:health", "stale_file:1"} <= before.keys()
    assert (before["own:1"], before["own:2"]) == ("Tell support", "Book the review")


@pytest.mark.parametrize("events", RUNS.values(), ids=RUNS.keys())
def test_the_rollback_report_has_the_same_list(events: tuple[ev.AnyEvent, ...]) -> None:
    run: RunView = view(*events)
    texts = [item.text for item in needed(run)]
    assert report_json(run)["follow_ups"] == texts
    assert report_markdown(run).count("\n- [ ] ") == len(texts)


def tick(key: str, second: int, *, done: bool = True, by: str = "ada", note: str = "") -> Ticked:
    return Ticked(key=key, done=done, at=BEGAN + timedelta(seconds=second), by=by, note=note)


def test_the_trigger_is_asked_for_where_nobody_gave_it() -> None:
    def keys(*events: ev.AnyEvent) -> list[str]:
        return [item.key for item in needed(view(*events))]

    assert keys(*rolled_back())[4] == "trigger"
    assert "trigger" not in keys(started(trigger="an alert"), *rolled_back()[1:])
    assert "trigger" not in keys(*RUNS["refused"])
    assert "trigger" not in keys(*RUNS["a recovery"])
    items = needed(view(*rolled_back()))
    assert noted_trigger(ticked(items, [tick("trigger", 1)])) is None
    said = noted_trigger(ticked(items, [tick("trigger", 1, done=False, note="an alert")]))
    assert said is not None
    assert (said.note, said.by, said.done, said.touched) == ("an alert", "ada", False, "noted")


def test_a_note_stays_when_it_is_ticked_and_goes_with_the_tick() -> None:
    def after(*lines: Ticked) -> tuple[str, str, str]:
        (found,) = (i for i in ticked(needed(view(*rolled_back())), lines) if i.at is not None)
        return found.touched, found.by, found.note

    noted = tick("root_cause", 1, done=False, note="the index")
    done = tick("root_cause", 2, by="bob")
    again = tick("root_cause", 3, note="the lock")
    assert after(noted) == ("noted", "ada", "the index")
    assert after(noted, done) == ("done", "bob", "the index")
    assert after(noted, done, again) == ("done", "ada", "the lock")
    assert after(noted, done, tick("root_cause", 4, done=False)) == ("open again", "ada", "")


def test_the_last_word_counts() -> None:
    items = needed(view(*rolled_back()))
    lines = (
        tick("root_cause", 1, note="the index"),
        tick("retry_plan", 2),
        tick("retry_plan", 3, done=False, by="bob"),
        tick("no_such_key", 4),
    )
    found = {item.key: item for item in ticked(items, lines)}
    assert found.keys() == {item.key for item in items}
    cause, plan = found["root_cause"], found["retry_plan"]
    assert (cause.done, cause.by, cause.note) == (True, "ada", "the index")
    assert (plan.done, plan.by, plan.at) == (False, "bob", lines[2].at)
    assert not found["test_in_staging"].done
