"""What came after the run, for the timeline: monitoring, notifications that failed, ticks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from rollback_tui.core.follow_ups import FollowUp, Ticked
from rollback_tui.core.incident.values import Moment, Source, Tone
from rollback_tui.core.monitoring.values import Ended, MonitorView
from rollback_tui.core.notices import Notice, Post, Sent
from rollback_tui.core.report import words
from rollback_tui.core.text import shorten


def afterwards(
    began: datetime | None,
    monitoring: MonitorView,
    post: Post,
    ticks: Iterable[Ticked],
    items: Iterable[FollowUp],
) -> Iterator[Moment]:
    """Yield the moments, in no order. ``began``: when the run did."""

    def line(at: datetime, what: str, tone: Tone, source: Source) -> Moment:
        elapsed = None if began is None else round((at - began).total_seconds(), 3)
        return Moment(at=at, elapsed=elapsed, what=what, tone=tone, source=source)

    for at, what, tone in _monitored(monitoring):
        yield line(at, what, tone, "monitoring")
    for at, what in _not_told(post):
        yield line(at, what, "attention", "notifications")
    texts = {item.key: item.text for item in items}
    done: set[str] = set()
    for tick in ticks:
        text, by = texts.get(tick.key, tick.key), tick.by or "nobody known"
        what = f"{_doing(tick, tick.key in done)}: {text}; by {by}"
        note = f" ({tick.note})" if tick.note else ""
        yield line(tick.at, what + note, "good" if tick.done else "plain", "follow_ups")
        (done.add if tick.done else done.discard)(tick.key)


def _doing(tick: Ticked, was_done: bool) -> str:
    if tick.done:
        return "Noted at a follow-up that is done" if was_done else "Follow-up done"
    return "Follow-up open again" if was_done else "Noted at a follow-up"


def _monitored(view: MonitorView) -> Iterator[tuple[datetime, str, Tone]]:
    if view.begun is not None:
        until = words.moment(view.begun.until)
        yield view.begun.at, f"Closer monitoring began, until {until}", "plain"
    for alert in view.raised:
        yield alert.at, f"Alert: {alert.summary}", "bad"
    for back in view.cleared:
        yield back.at, f"Alert over: {back.metric}, after {words.seconds(back.seconds)}", "good"
    for gap in view.gaps:
        gone = words.seconds(max(0.0, (gap.at - gap.since).total_seconds()))
        yield gap.at, f"Gap: nobody measured for {gone}", "attention"
    if view.ended is not None:
        tone: Tone = "plain" if view.ended.why == "done" else "attention"
        yield view.ended.at, f"Monitoring ended: {ended(view.ended)}", tone


def ended(end: Ended) -> str:
    """Return why a monitoring ended, and by whom."""
    why = {
        "done": "its time was over",
        "stopped": "it was stopped",
        "another run": "another run began on the database",
    }[end.why]
    by = f" by {end.by}" if end.by else ""
    return why + by + (f": {end.reason}" if end.reason else "")


def _not_told(post: Post) -> Iterator[tuple[datetime, str]]:
    """The first failure of each notice at each place, with what became of it."""
    notices = {notice.id: notice for notice in post.notices}
    told = set()
    for sent in post.attempts:
        notice = notices.get(sent.id)
        if sent.ok or notice is None or (sent.id, sent.place) in told:
            continue
        told.add((sent.id, sent.place))
        yield sent.at, f"{_failed(notice, sent)}; {_became(post, sent)}"
    for one in post.dropped:
        notice = notices.get(one.id)
        if notice is not None:
            yield one.at, f"“{_title(notice)}” is not told at {one.place} any more: {one.why}"


def _failed(notice: Notice, sent: Sent) -> str:
    return f"Could not tell {sent.place} of “{_title(notice)}”: {sent.why or 'no reason given'}"


def _title(notice: Notice) -> str:
    return shorten(notice.title, 80)


def _became(post: Post, sent: Sent) -> str:
    tries = [a for a in post.attempts if (a.id, a.place) == (sent.id, sent.place)]
    arrived = next((a for a in tries if a.ok), None)
    if arrived is not None:
        return f"delivered {words.moment(arrived.at)}, attempt {arrived.attempt}"
    if any((d.id, d.place) == (sent.id, sent.place) for d in post.dropped):
        return f"given up after {words.some(len(tries), 'attempt')}"
    return f"still pending after {words.some(len(tries), 'attempt')}"
