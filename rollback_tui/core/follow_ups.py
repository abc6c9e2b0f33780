"""What is left to be done after a run: a checklist that people tick, and the lines that keep it
(``follow_ups.jsonl`` in the run's folder).

The list itself is never kept: it is derived from the run, always the same for the same run, in the
rollback report as in the incident report. Only the ticks are facts of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from rollback_tui.core.value import Value

if TYPE_CHECKING:
    from rollback_tui.core.monitoring.values import MonitorView
    from rollback_tui.core.run_view import RunView

FILE_NAME = "follow_ups.jsonl"
TRIGGER = "trigger"
"""The key of what asks for the trigger, where nobody gave it with the run."""


class FollowUp(Value, frozen=True, kw_only=True):
    """One thing to be done."""

    key: str
    """Stays the same as long as the thing does: ``root_cause``, ``alarm:1`` …"""
    text: str
    done: bool = False
    at: datetime | None = None
    """When it was ticked, or unticked again; None: nobody touched it."""
    by: str = ""
    note: str = ""

    @property
    def touched(self) -> str:
        """What was done to it last, in words; empty when nobody touched it."""
        if self.at is None:
            return ""
        if self.done:
            return "done"
        return "noted" if self.note else "open again"


class Ticked(Value, frozen=True, kw_only=True):
    """A line of the file: somebody ticked it, took the tick back, or wrote a note."""

    key: str
    done: bool
    at: datetime
    by: str
    note: str = ""


def ticked(items: Iterable[FollowUp], lines: Iterable[Ticked]) -> tuple[FollowUp, ...]:
    """Return ``items`` with what the lines say of each; the last word counts. A note stays when it
    is ticked without another one, and goes with a tick that is taken back."""
    last: dict[str, Ticked] = {}
    for line in lines:
        before = last.get(line.key)
        kept = before.note if before is not None and line.done else ""
        last[line.key] = msgspec.structs.replace(line, note=line.note or kept)
    return tuple(
        item
        if (said := last.get(item.key)) is None
        else FollowUp(
            key=item.key,
            text=item.text,
            done=said.done,
            at=said.at,
            by=said.by,
            note=said.note,
        )
        for item in items
    )


def noted_trigger(items: Iterable[FollowUp]) -> FollowUp | None:
    """Return the follow-up whose note says what made the run necessary; None where there is none,
    or nothing was noted."""
    return next((item for item in items if item.key == TRIGGER and item.note), None)


def needed(view: RunView, monitoring: MonitorView | None = None) -> tuple[FollowUp, ...]:
    """Return what should be done after this run, as far as it asks for it; none is ticked.

    What cannot wait stands first; then the four that every incident has, and the trigger where it
    was not given; then what this run left behind, what the monitoring found, and what the team
    always does.
    """
    found = (
        *_urgent(view),
        *_always(view),
        *_not_given(view),
        *_left_behind(view),
        *_monitored(monitoring),
        *_own(view),
    )
    return tuple(FollowUp(key=key, text=text) for key, text in found)


_Item = tuple[str, str]
"""(key, text)"""


def _urgent(view: RunView) -> Iterator[_Item]:
    if view.door_closed_at is not None:
        yield "door", "Open the door: it is still closed"
    if view.maintenance_on:
        yield (
            "maintenance",
            "Switch the application's maintenance mode off: it is still on",
        )
    for number, alarm in enumerate(view.alarms, 1):
        yield f"alarm:{number}", f"{alarm.summary}: {alarm.remedy}"


_ROOT_CAUSE = {
    "refused": "Find the root cause: what made a rollback necessary, and what stood in its way",
    "rolled_back": "Find the root cause of the rollback, and write it down",
    "unchanged": "Find the root cause: what made the rollback necessary, and why it failed",
    "recovered": "Find the root cause: what made the rollback necessary, and why it failed",
    "needs_operator": "Find the root cause of the rollback and of what stopped it, and write it"
    " down",
    None: "Find the root cause of the rollback and of what interrupted it, and write it down",
}

_PROCEDURES = {
    "refused": "Update the procedures: what the checks found is to be seen earlier",
    "rolled_back": "Update the procedures (review, deploy, runbook) with what this rollback taught",
}
_PROCEDURES_FAILED = "Update the procedures (review, deploy, runbook) with why the rollback failed"

_STAGING = {
    "refused": "Test the rollback of {versions} in staging, with the checks as they were",
    "rolled_back": "Correct migration {versions} and test it up and down in staging",
    "recovered": "Correct migration {versions} and test it up and down in staging",
    "unchanged": "Correct the down migration of {versions} and try it in staging",
    "needs_operator": "Correct the down migration of {versions} and try it in staging, the way out"
    " of this state included",
    None: "Try the rollback of {versions} in staging, interrupted where this one was",
}

_RETRY = {
    "refused": "Clear what stood in the way (see the checks), then try again",
    "rolled_back": "Plan how and when migration {versions} is applied again, who decides it, and"
    " what is watched then",
    "unchanged": "Plan the next attempt: {versions} is still applied; roll back again, or go"
    " forward with a correction",
    "recovered": "Plan the next attempt: {versions} is applied again; roll back once more, or go"
    " forward with a correction",
    "needs_operator": "Bring the database to a state that has a name first (see the next commands),"
    " then plan the next attempt",
    None: "Bring the run to its outcome first (rollback-tui settle), then plan the next attempt",
}


def _always(view: RunView) -> Iterator[_Item]:
    outcome = view.outcome
    started = view.started
    versions = ", ".join(m.version for m in started.plan.migrations) if started else ""
    if (
        started is not None
        and started.task != "rollback"
        and outcome in ("rolled_back", "recovered")
    ):
        yield from _of_a_way_back(versions)
        return
    yield "root_cause", _ROOT_CAUSE[outcome]
    yield "update_procedures", _PROCEDURES.get(outcome or "", _PROCEDURES_FAILED)
    yield "test_in_staging", _STAGING[outcome].format(versions=versions or "the plan")
    yield "retry_plan", _RETRY[outcome].format(versions=versions or "the plan")


def _of_a_way_back(versions: str) -> Iterator[_Item]:
    """The four, after a run that brought back what an earlier rollback had done."""
    yield "root_cause", "Find the root cause: why the rollback had to be undone, and write it down"
    yield (
        "update_procedures",
        "Update the procedures (review, deploy, runbook) with why the rollback did not help",
    )
    yield "test_in_staging", f"Test migration {versions} up and down in staging, on data of today"
    yield (
        "retry_plan",
        f"Decide whether migration {versions} stays; if not, plan the rollback anew",
    )


def _not_given(view: RunView) -> Iterator[_Item]:
    """What the incident report wants and the confirmation does not ask for: at that moment every
    field more is one too many."""
    started = view.started
    asked = started is not None and started.task == "rollback" and view.outcome != "refused"
    if started is not None and asked and not started.trigger:
        yield TRIGGER, "Note the trigger: which alert, deploy or call made the rollback necessary"


def _left_behind(view: RunView) -> Iterator[_Item]:
    started = view.started
    if view.outcome == "rolled_back" and started:
        yield "deploy_code", "Deploy application code that fits the schema as it is now"
        for number, path in enumerate(started.plan.stale_files, 1):
            yield f"stale_file:{number}", f"Regenerate {path}: it is stale now"
    for v in view.verifications:
        if v.verdict == "pass":
            continue
        accepted = v.accepted and v.verdict == "fail"
        yield (
            f"verification:{v.name}",
            f"Mend what was accepted: {v.title} (its statements are in the report)"
            if accepted
            else f"Look into a verification that did not pass: {v.title}",
        )
    if view.statistics is not None and view.statistics.left:
        yield "analyze", f"ANALYZE what was left: {'; '.join(view.statistics.left)}"
    if view.swapped is not None:
        kept = view.swapped.kept
        yield "failed_database", f"Look into the failed database, then drop it: {kept}"
    if view.kept and view.outcome == "rolled_back":
        schema = view.kept[0].schema
        yield "archive", f"Give back or drop what was kept in {schema}, in its time"
    if view.clone is not None:
        database = view.clone.database
        yield "clone", f"Drop the copy when it is no longer needed: {database}"
    if view.checkpoint:
        path = view.checkpoint.path
        yield "checkpoint", f"Remove the checkpoint when it is no longer needed: {path}"


def _monitored(monitoring: MonitorView | None) -> Iterator[_Item]:
    told = set()
    for alert in monitoring.raised if monitoring else ():
        if alert.metric not in told:
            told.add(alert.metric)
            yield f"alert:{alert.metric}", f"Look into what the monitoring saw: {alert.summary}"


def _own(view: RunView) -> Iterator[_Item]:
    for number, text in enumerate(view.started.follow_ups if view.started else (), 1):
        yield f"own:{number}", text
