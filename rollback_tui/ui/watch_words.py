"""The monitoring of a run in words: one line for a step, one state for a metric, and the rule."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from textual.content import Content

from rollback_tui.core.monitoring.values import Metric, MonitorView, Raised, Reading, Usual
from rollback_tui.core.monitoring.words import amount
from rollback_tui.core.text import cells, shorten
from rollback_tui.ui.after import After
from rollback_tui.ui.keys import key
from rollback_tui.ui.metric_course import TOO_LATE, stood
from rollback_tui.ui.theme import Tone, line, lines, piece
from rollback_tui.ui.wording import count

NAMES: dict[Metric, str] = {
    "database": "database answers",
    "error_rate": "failing requests",
    "response_time": "response time",
    "database_connections": "connections",
    "query_performance": "query time",
    "query_load": "query load",
    "longest_query": "longest query",
    "query_errors": "query errors",
    "rollbacks": "rolled back",
    "deadlocks": "deadlocks",
    "lock_waits": "lock waits",
    "cache_hit": "cache hits",
    "replication_lag": "standby lag",
}
"""What each metric is called on the screen."""

AS_BEFORE = "as bad as before"
"""What would be an alert, had it not been so before the run already."""

PATIENCE = 15.0
"""Seconds that a sample may take, beside the interval, before it is called late."""


class State(NamedTuple):
    """How it stands with one metric."""

    glyph: str
    words: str
    tone: Tone


def at(moment: datetime, *, seconds: bool = False) -> str:
    """Return the time on the wall clock of this terminal: ``03:12``."""
    return moment.astimezone().strftime("%H:%M:%S" if seconds else "%H:%M")


def span(seconds: float) -> str:
    """Return a long duration, no more exact than anybody cares.

    >>> span(6200), span(7200), span(125), span(42)
    ('1 h 43 min', '2 h', '2 min', '42 s')
    """
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    hours, minutes = whole // 3600, whole % 3600 // 60
    parts = [f"{hours} h"] if hours else []
    return " ".join(parts + ([f"{minutes} min"] if minutes else []))


def value_of(view: MonitorView, metric: Metric, value: float | None) -> str:
    """Return a value of ``metric`` with its unit; ``?`` for one that is not known."""
    rule = view.rule(metric)
    if value is None:
        return "?"
    return amount(value, rule.unit) if rule is not None else f"{value:.3g}"


def in_short(view: MonitorView, metric: Metric, value: float | None) -> str:
    """Return it for a column: ``1.6×``, ``4/min``."""
    return brief(value_of(view, metric, value))


def brief(said: str) -> str:
    """Return an amount without the words of its unit.

    >>> brief("1.6 times"), brief("4 a minute"), brief("84 ms")
    ('1.6×', '4/min', '84 ms')
    """
    for long, short in ((" times", "×"), (" a minute", "/min"), (" a second", "/s")):
        if said.endswith(long):
            return said.removesuffix(long) + short
    return said


# --- is anybody there? ----------------------------------------------------------------------------


def unseen(after: After, now: datetime) -> str:
    """Return why what is shown is not how it is now: nobody measures any more. Empty while somebody
    does, and when the monitoring has ended."""
    view, watched = after.view, after.watched
    if view is None or watched is None or view.begun is None or view.ended is not None:
        return ""
    last = view.samples[-1].at if view.samples else view.begun.at
    if not watched.attended:
        return f"nobody watches since {at(last)}"
    late = (now - last).total_seconds()
    if late > TOO_LATE * view.begun.interval + PATIENCE:
        return f"no sample since {at(last)}"
    return ""


# --- one metric -----------------------------------------------------------------------------------


def reading_of(view: MonitorView, metric: Metric) -> Reading | None:
    """Return the newest reading of ``metric``; None when it was never measured."""
    return next((one for one in view.readings if one.metric == metric), None)


def usual_of(view: MonitorView, metric: Metric) -> Usual | None:
    """Return what ``metric`` was before the run; None when nobody asked."""
    known = view.begun.usual if view.begun is not None else ()
    return next((one for one in known if one.metric == metric), None)


def state_of(after: After, metric: Metric, now: datetime) -> State:
    """Return how it stands with ``metric``: good only where it was measured, judged, and now."""
    view = after.view
    if view is None:
        return State("·", "not measured", "dim")
    raised = next((one for one in view.standing if one.metric == metric), None)
    if raised is not None:
        if view.ended is not None:
            return State("✗", "ALERT at the end", "bad")
        return State("✗", f"ALERT since {at(raised.at)}", "bad")
    reading, rule = reading_of(view, metric), view.rule(metric)
    if reading is None:
        return State("·", "not measured yet", "dim")
    if reading.nothing:
        return State("–", reading.why, "dim")
    if reading.value is None:
        return State("?", "unknown", "warn")
    if rule is not None and rule.as_bad_as_before(reading) and not unseen(after, now):
        return State("!", AS_BEFORE, "warn")
    if rule is None or rule.threshold is None:
        return State("–", "not judged", "dim")
    counted = reading.counted
    if rule.at_least is not None and counted is not None and counted < rule.at_least:
        return State("–", "too few to judge", "dim")
    if unseen(after, now):
        return State("?", "not watched now", "warn")
    earlier = sum(one.metric == metric for one in view.raised)
    if view.ended is not None:
        # Not how it is now: nobody measures any more.
        return State(
            "✓", f"{count(earlier, 'alert')}, over" if earlier else "ok at the end", "good"
        )
    return State("✓", f"ok, {count(earlier, 'alert')} over" if earlier else "ok", "good")


def past(view: MonitorView, raised: Raised) -> str:
    """Return what an alert says, in as few words as do: ``error_rate 12 % > 4 %``. The value is
    that of now while it is past its threshold, else the one that raised it."""
    rule, reading = view.rule(raised.metric), reading_of(view, raised.metric)
    below = rule is not None and rule.worse == "below"
    value = raised.value
    if reading is not None and reading.value is not None:
        now = reading.value
        if now < raised.threshold if below else now > raised.threshold:
            value = now
    if raised.metric == "database" and reading is not None and reading.value is None:
        return f"the database gives no answer: {reading.why}"
    sign = "<" if below else ">"
    values = (in_short(view, raised.metric, one) for one in (value, raised.threshold))
    return f"{raised.metric} {f' {sign} '.join(values)}"


# --- one line -------------------------------------------------------------------------------------


def watch_line(
    after: After | None, now: datetime, width: int, *, key_id: str | None
) -> Content | None:
    """Return in a line of ``width`` cells how it stands with the monitoring of a run; ``key_id``
    opens it, None where it is open. None where nothing is to be said."""
    if after is None or (after.watched is None and after.failure is None):
        return None
    opens = key(key_id) if key_id else ""
    if after.failure is not None:
        said = f"? the monitoring cannot be read: {after.failure.summary}"
        return line(" ", (shorten(said, width - 1), "warn"))
    if after.view is None:
        return _nothing_yet(after, width, opens)
    rows = []
    if after.view.ended is not None:
        rows.append(_ended(after.view, width))
    elif after.standing:
        rows.append(_alerts(after.view, after.view.standing, width))
    elif not unseen(after, now):
        rows.append(_quiet(after, now, width, opens))
    if why := unseen(after, now):
        rows.append(_nobody(why, after, width, opens))
    return lines(rows)


def _nothing_yet(after: After, width: int, opens: str) -> Content:
    watched = after.watched
    if watched is not None and watched.attended and not watched.why_not:
        return line((" ▸ ", "accent"), "The monitoring begins …")
    if watched is not None and watched.expected and not watched.why_not:
        return _nobody("nobody watches", after, width, opens)
    why = watched.why_not if watched is not None else ""
    words = f"· not monitored: {why or 'it was never begun'}"
    return line(" ", (shorten(words, width - 1), "dim"))


def _nobody(why: str, after: After, width: int, opens: str) -> Content:
    again = f": {f'{opens}, then ' if opens else ''}{key('monitoring.resume')} starts it again"
    words = f"? {why}{again if after.unattended else ''}"
    return line(" ", (shorten(words, width - 1), "warn"))


def _quiet(after: After, now: datetime, width: int, opens: str) -> Content:
    """No alert stands, and somebody measures."""
    view = after.view
    if view is None or view.begun is None:
        return line("")
    until, left = view.begun.until, (view.begun.until - now).total_seconds()
    # Where there is nothing to be measured, nothing is left unjudged.
    nothing = {one.metric for one in view.readings if one.nothing}
    metrics = [rule.metric for rule in view.begun.rules if rule.metric not in nothing]
    states = [state_of(after, metric, now) for metric in metrics]
    unknown = sum(state.glyph == "?" for state in states)
    unjudged = sum(state.glyph in "–·" for state in states)
    as_before = sum(state.glyph == "!" for state in states)
    whole = f"Watched until {at(until)} ({span(left)} left), "
    if not view.samples:
        # Neither well nor bad: nobody knows anything yet.
        return line((" ▸ ", "accent"), whole, ("nothing measured yet", "dim"))
    glyph: tuple[str, Tone] = (" ✓ ", "good")
    if view.raised or as_before:
        glyph = (" ! ", "warn")
    if unknown:
        glyph = (" ? ", "warn")
    tail = piece("")
    if unknown:
        tail = tail + piece(f"{unknown} unknown, ", "warn")
    if unjudged:
        tail = tail + piece(f"{unjudged} not judged, ", "dim")
    if as_before:
        tail = tail + piece(f"{as_before} {AS_BEFORE}, ", "warn")
    tail = tail + piece("no alert", "plain" if unknown or as_before else "good")
    if earlier := len(view.raised):
        tail = tail + piece(f" now, {earlier} over", "warn")
    # What there is no room for is left out, the least important first.
    heads = (f"{whole}{count(len(states), 'metric')}, ", whole, f"Watched until {at(until)}, ")
    said = next(
        (one for head in heads if (one := line(glyph, head) + tail).cell_length < width),
        line(glyph, heads[-1]) + tail,
    )
    more = f"  {opens} shows it"
    fits = opens and said.cell_length + cells(more) < width
    return said + piece(more, "dim") if fits else said


def _alerts(view: MonitorView, standing: tuple[Raised, ...], width: int) -> Content:
    head = f" ✗ {count(len(standing), 'alert')}: "
    said = ", ".join(past(view, one) for one in standing)
    return line((head + shorten(said, max(8, width - cells(head) - 1)), "bad"))


def _ended(view: MonitorView, width: int) -> Content:
    """The monitoring is over: how it ended, and what came of it."""
    ended = view.ended
    if ended is None:
        return line("")
    if view.standing:
        stood_at_the_end = _alerts(view, view.standing, width - 20)
        return stood_at_the_end + piece(f" (at the end, {at(ended.at)})", "bad")
    unknown = sum(one.unknown for one in view.readings)
    glyph: tuple[str, Tone] = (" ✓ ", "good")
    as_before = len(view.as_bad_as_before)
    flawed = unknown or as_before or view.raised or view.gaps
    if flawed or ended.why != "done" or not view.samples:
        glyph = (" ! ", "warn")
    words = f"Watched until {at(ended.at)}"
    if ended.why == "stopped":
        words = f"Watching was stopped at {at(ended.at)} by {ended.by or '?'}: {ended.reason}"
    if ended.why == "another run":
        words = f"Watched until {at(ended.at)}, when another run began"
    tail = f"{count(len(view.raised), 'alert')}, all over" if view.raised else "no alert"
    if as_before:
        tail += f", {as_before} {AS_BEFORE}"
    if not view.samples:
        tail = "nothing was measured"
    if view.gaps:
        gone = sum((gap.at - gap.since).total_seconds() for gap in view.gaps)
        tail += f", not measured for {span(gone)}"
    room = max(8, width - cells(tail) - 5)
    return line(glyph, shorten(words, room), ", ", (tail, glyph[1]))


# --- one metric in full ---------------------------------------------------------------------------


def rule_words(view: MonitorView, metric: Metric) -> str:
    """Return the rule by which ``metric`` is judged: ``alerts above 4 %: 0.8 of 5 %, …``."""
    rule = view.rule(metric)
    if rule is None:
        return "no rule is known"
    if rule.threshold is None:
        return rule.basis if rule.basis.startswith("not judged") else f"not judged: {rule.basis}"
    least = f"; judged from {rule.at_least:,} on" if rule.at_least is not None else ""
    return f"alerts {rule.worse} {amount(rule.threshold, rule.unit)}: {rule.basis}{least}"


def in_full(after: After, metric: Metric, now: datetime) -> Content:
    """Return everything that is known of ``metric``, what matters most first."""
    view = after.view
    if view is None or view.begun is None:
        return line(("Nothing is measured.", "dim"))
    state = state_of(after, metric, now)
    rows = [
        line(
            (f"{state.glyph} {state.words}", state.tone),
            *_now(view, metric),
            (f"  {metric}", "dim"),
        ),
    ]
    reading = reading_of(view, metric)
    rule = rule_words(view, metric)
    if reading is not None and reading.nothing:
        return lines([*rows, line(rule)])
    if reading is not None and reading.value is None and reading.why and reading.why in rule:
        # The same is missing for both: it is said once.
        rows.append(line(("not judged: what was usual is not known either", "dim")))
    else:
        rows += [line(rule), _before(view, metric)]
    standing = [one for one in view.standing if one.metric == metric]
    for one in stood(view, metric):
        until = at(one.over, seconds=True) if one.over else "it stands" if standing else "the end"
        worst = in_short(view, metric, one.worst)
        begun = at(one.raised.at, seconds=True)
        rows.append(line((f"alert {begun} – {until}, at worst {worst}", "bad")))
    evidence = standing[-1].evidence if standing else ()
    for text in dict.fromkeys((*(reading.evidence if reading else ()), *evidence)):
        rows.append(line(("· ", "dim"), text))
    for gap in view.gaps:
        since, until = at(gap.since, seconds=True), at(gap.at, seconds=True)
        rows.append(line((f"nobody measured {since} – {until}", "warn")))
    return lines(rows)


def _now(view: MonitorView, metric: Metric) -> list[tuple[str, Tone]]:
    reading = reading_of(view, metric)
    if reading is None:
        return []
    if reading.nothing:
        return []
    if reading.value is None:
        return [(f": {reading.why or 'nobody knows why'}", "warn")]
    return [(f", {in_short(view, metric, reading.value)}", "strong")]


def _before(view: MonitorView, metric: Metric) -> Content:
    """Return what it was before the run, and where the newest reading is from."""
    usual = usual_of(view, metric)
    if usual is None or usual.value is None:
        why = (usual.why if usual is not None else "") or "not measured"
        said = line(("before the run not known: ", "warn"), why)
    else:
        words = value_of(view, metric, usual.value)
        said = line(("before the run ", "dim"), words)
    reading = reading_of(view, metric)
    before = usual.source if usual is not None and usual.value is not None else ""
    if reading is None or reading.value is None:
        return said + piece(f" by {before}" if before else "", "dim")
    if before and before != reading.source:
        said = said + piece(f" by {before}", "dim")
    made = f", of {reading.counted:,}" if reading.counted is not None else ""
    source = f" by {reading.source}" if reading.source else ""
    return said + piece(f"; at {at(view.samples[-1].at, seconds=True)}{source}{made}", "dim")
