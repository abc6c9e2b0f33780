"""What is being waited for: each with since when and until when, or that there is no limit and
what ends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from rollback_tui.ui.keys import key
from rollback_tui.ui.operations import Limits
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.wording import clock


class Wait(NamedTuple):
    """One thing that goes on."""

    topic: str
    """As of :class:`rollback_tui.ui.requests.Requests`, or ``connecting``."""
    what: str
    since: float | None
    """Monotonic seconds; None: this terminal did not see it begin."""
    until: str
    """When it ends at the latest; where nothing ends it by itself, what does."""

    def words(self, now: float) -> str:
        """Return it as one phrase: ``00:04 judging the checks, at most 300 s``."""
        gone = "" if self.since is None else f"{clock(now - self.since)} "
        return f"{gone}{self.what}, {self.until}"


def _until(walk: Walk, topic: str, limits: Limits) -> tuple[str, str]:
    """Return what is waited for, and until when, in as few words as say it."""
    each = f"at most {limits.answer:g} s a question"
    start = f"at most {limits.start:g} s"
    if topic in ("rehearse", "capture"):
        # Apart: to know the key, the screen that has it must be loaded.
        return _words(walk, topic), f"no limit: {key('preview.stop')} stops it"
    return {
        "connecting": ("connecting", f"at most {limits.connect:g} s a try, then again"),
        "plan": ("reading the migrations", each),
        "counted": ("counting what goes", f"about {limits.counting:g} s at most"),
        "checks": ("judging the safety checks", each),
        "outlook": ("asking what depends on it", each),
        "proof": ("estimating the proof", each),
        "tables": ("reading the tables", each),
        "count": ("counting a table", f"at most {limits.table:g} s each"),
        "start": ("the worker is being started", start),
        "recover": ("the worker of the recovery is being started", start),
        "settle": ("settling", f"no limit; it goes on without this terminal ({key('app.quit')})"),
        "ladder": ("counting what was written since", "no limit: esc leaves, nothing changes"),
        "report": ("reading the report", f"no limit: {key('step.quit')} leaves"),
        "history": ("reading the runs", f"no limit: {key('step.quit')} leaves"),
        "incident": ("writing the incident report", f"no limit: {key('step.quit')} leaves"),
        "follow_ups": ("reading the follow-ups", "no limit: esc leaves"),
        "guide": ("writing the guide", "no limit: it is in the run's folder too"),
        "follow": ("opening the journal", f"no limit: {key('step.quit')} leaves, the run goes on"),
    }[topic]


def _words(walk: Walk, topic: str) -> str:
    underway = walk.rehearsing if topic == "rehearse" else walk.capturing
    return underway.words if underway is not None else "stopping"


ORDER = (
    "settle",
    "start",
    "recover",
    "follow",
    "connecting",
    "plan",
    "counted",
    "checks",
    "rehearse",
    "capture",
    "ladder",
    "guide",
    "report",
    "incident",
    "follow_ups",
    "history",
    "outlook",
    "proof",
    "tables",
    "count",
)
"""Every topic that is waited for, what holds up most first."""


def wait(walk: Walk, topic: str, begun: Mapping[str, float], limits: Limits) -> Wait | None:
    """Return the wait on ``topic``; None when it does not go on. ``begun``: when the open
    questions were asked, in monotonic seconds."""
    since = begun.get(topic)
    underway = {"rehearse": walk.rehearsing, "capture": walk.capturing}.get(topic)
    if underway is not None:
        since = underway.since
    if topic == "ladder":
        since = walk.asking_options
    going_on = {
        "connecting": walk.target is None and not walk.stale and not walk.running,
        "plan": walk.planning,
        "counted": walk.counting,
        "checks": walk.judging,
        "start": walk.starting,
        "recover": walk.recovering,
        "settle": walk.settling,
        "rehearse": walk.rehearsing is not None,
        "capture": walk.capturing is not None,
        "ladder": walk.asking_options is not None,
        "follow": walk.running and walk.view is None and walk.feed_failure is None,
    }.get(topic, topic in begun)
    if not going_on:
        return None
    what, until = _until(walk, topic, limits)
    return Wait(topic, what, since, until)


def waits(walk: Walk, begun: Mapping[str, float], limits: Limits) -> tuple[Wait, ...]:
    """Return everything that goes on, what holds up most first."""
    found = (wait(walk, topic, begun, limits) for topic in ORDER)
    return tuple(one for one in found if one is not None)
