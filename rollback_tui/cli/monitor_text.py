"""The monitoring of a run as plain lines, as JSON and as CSV: for a pipe, a log, a screen reader.

Lines are 80 columns wide where what they say allows it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO

import msgspec

from rollback_tui.core.history.shown import cell
from rollback_tui.core.monitoring.values import (
    Ended,
    Metric,
    MonitorView,
    Raised,
    Reading,
    Rule,
    Sampled,
)
from rollback_tui.core.monitoring.words import amount
from rollback_tui.core.text import printable, shorten
from rollback_tui.ui.aftercare import Watched

_PATIENCE = 15.0
"""Seconds that a sample may take, beside two intervals, before it is called late."""

_ASKED: tuple[Metric, ...] = ("database", "error_rate", "response_time")
"""What says whether database and application answer at all. The others are unknown whenever
nothing happens."""

_ENDS = {
    "done": "its time is over",
    "stopped": "stopped",
    "another run": "another run of this database began",
}


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the monitoring of one run now."""

    folder: Path
    watched: Watched
    now: datetime
    started_again: bool = False
    """Nobody looked after the run, though somebody should: a process was started that does."""

    @property
    def run(self) -> str:
        """The first characters of the run's id, enough for every command."""
        return self.folder.name[16:]


def exit_code(look: Looked) -> int:
    """Return 0 where no alert stands, 1 where one does, and 2 where nobody knows: nothing is
    monitored or was measured yet, the newest sample is old, or what was measured before cannot be
    measured now."""
    view = look.watched.view
    if view.standing:
        return 1
    if not view.samples or late(look):
        return 2
    known = {one.metric for sample in view.samples for one in sample.readings if _known(one)}
    lost = [r for r in view.readings if not _known(r) and r.metric in _ASKED]
    return 2 if any(r.metric == "database" or r.metric in known for r in lost) else 0


def late(look: Looked) -> bool:
    """Whether samples should come, and do not."""
    view = look.watched.view
    if view.begun is None or view.ended is not None:
        return False
    last = view.samples[-1].at if view.samples else view.begun.at
    patience = timedelta(seconds=2 * view.begun.interval + _PATIENCE)
    return look.now - last > patience


def _known(reading: Reading) -> bool:
    return reading.value is not None


# --- lines ----------------------------------------------------------------------------------------


def lines(look: Looked) -> Iterator[str]:
    """Yield what a person wants to know of it, the most important last."""
    view = look.watched.view
    begun = view.begun
    yield _headline(look)
    if look.started_again:
        yield "Nobody looked after this run: a process was started that does so again."
    elif look.watched.attended:
        yield "A process looks after it."
    elif look.watched.expected:
        yield "NOBODY LOOKS AFTER IT, though somebody should."
    if begun is None:
        return
    yield _row("metric", "now", "before", "alert", "state")
    for rule in begun.rules:
        yield from _metric(view, rule)
    yield from _alerts(view)
    for gap in view.gaps:
        yield f"Nobody measured from {_clock(gap.since)} to {_clock(gap.at)}."
    if view.impact is not None:
        yield _impact(view)
    yield _verdict(look)


def _headline(look: Looked) -> str:
    view = look.watched.view
    begun = view.begun
    if begun is None:
        why = look.watched.why_not or "it begins when the run has its outcome"
        return f"Run {look.run} is not monitored: {printable(why)}."
    since = f"Run {look.run}: monitored since {begun.at:%Y-%m-%d %H:%M:%S} UTC"
    if view.ended is not None:
        return f"{since},\nended {_clock(view.ended.at)}: {_why(view.ended)}."
    left = max(0.0, (begun.until - look.now).total_seconds())
    return f"{since}, {_span(left)} left,\none sample in {begun.interval:g} s"


def _why(ended: Ended) -> str:
    why = _ENDS[ended.why]
    if ended.by:
        why += f" by {shorten(ended.by, 40)}"
    return f"{why} ({shorten(ended.reason, 100)})" if ended.reason else why


def _metric(view: MonitorView, rule: Rule) -> Iterator[str]:
    reading = next((one for one in view.readings if one.metric == rule.metric), None)
    raised = next((one for one in view.standing if one.metric == rule.metric), None)
    value = reading.value if reading is not None else None
    sign = "<" if rule.worse == "below" else ">"
    yield _row(
        rule.metric,
        "none" if reading is not None and reading.nothing else _short(value, rule, "unknown"),
        _short(rule.usual, rule, "-"),
        _short(rule.threshold, rule, "-", sign=f"{sign} "),
        _state(view, rule, reading, raised),
    )
    if reading is not None and reading.unknown and reading.why:
        yield f"  {shorten(reading.why, 76)}"


def _row(metric: str, now: str, before: str, alert: str, state: str) -> str:
    return f"{metric:<21}{now:<12}{before:<12}{alert:<14}{state}"


def _short(value: float | None, rule: Rule, unknown: str, *, sign: str = "") -> str:
    if value is None:
        return unknown
    told = amount(value, rule.unit).replace(" a minute", "/min").replace(" a second", "/s")
    return sign + told


def _state(view: MonitorView, rule: Rule, reading: Reading | None, raised: Raised | None) -> str:
    if raised is not None:
        return f"ALERT since {raised.at:%H:%M:%S}"
    if reading is None:
        return "not measured yet"
    if reading.nothing:
        return reading.why
    if reading.value is None:
        return f"since {_unknown_since(view, rule.metric):%H:%M:%S}"
    if rule.as_bad_as_before(reading):
        return "as bad as before"
    if rule.threshold is None:
        return "not judged"
    few = reading.counted is not None and reading.counted < (rule.at_least or 0)
    return "too few to judge" if few else "ok"


def _unknown_since(view: MonitorView, metric: Metric) -> datetime:
    """Return since when it could not be measured; there is a sample."""
    since = view.samples[-1].at
    for sample in reversed(view.samples):
        if any(_known(one) for one in sample.readings if one.metric == metric):
            break
        since = sample.at
    return since


def _alerts(view: MonitorView) -> Iterator[str]:
    for raised in view.raised:
        stands = any(one.metric == raised.metric and one.at == raised.at for one in view.standing)
        over = next(
            (c for c in view.cleared if c.metric == raised.metric and c.at >= raised.at), None
        )
        if stands:
            yield f"ALERT since {_clock(raised.at)}: {printable(raised.summary)}"
            for text in raised.evidence:
                yield f"  {shorten(text, 76)}"
        elif over is not None:
            yield (
                f"Over: {_clock(raised.at)} to {_clock(over.at)}, {_span(over.seconds)}:"
                f" {printable(raised.summary)}"
            )


def _impact(view: MonitorView) -> str:
    found = view.impact
    if found is None:
        return ""
    asked = {"failed requests": found.failed_requests, "affected users": found.affected_users}
    known = ", ".join(f"{n:,} {what}" for what, n in asked.items() if n is not None)
    why = f" ({shorten(found.why, 200)})" if found.why else ""
    return f"The run itself, by Prometheus: {known or 'not measured'}{why}"


def _verdict(look: Looked) -> str:
    """Return the last line, in which nothing unknown is called well."""
    view = look.watched.view
    if view.standing:
        names = ", ".join(raised.metric for raised in view.standing)
        many = len(view.standing)
        past = (
            "1 metric past its threshold" if many == 1 else f"{many} metrics past their thresholds"
        )
        last = view.samples[-1].at if view.samples else view.standing[-1].at
        when = f"NO SAMPLE SINCE {_clock(last)}" if late(look) else f"at {_clock(last)}"
        return f"{past}: {names}; {when}."
    if not view.samples:
        return "Nothing is measured yet."
    if late(look):
        return f"UNKNOWN: no sample since {_clock(view.samples[-1].at)}."
    unknown = sum(one.unknown for one in view.readings)
    but = f", {unknown} of {len(view.readings)} metrics unknown" if unknown else ""
    if bad := view.as_bad_as_before:
        but += f", as bad as before the run: {', '.join(bad)}"
    at = view.samples[-1].at
    if exit_code(look) == 2:
        return f"UNKNOWN how it is{but}; at {_clock(at)}."
    return f"No alert stands{but}; at {_clock(at)}."


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M:%S} UTC"


def _span(seconds: float) -> str:
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s"


# --- JSON and CSV ---------------------------------------------------------------------------------


def shape(look: Looked) -> dict[str, object]:
    """Return the monitoring as ``monitor --json`` prints it."""
    view, begun = look.watched.view, look.watched.view.begun
    builtins = msgspec.to_builtins
    return {
        "run": begun.run if begun else look.run,
        "folder": str(look.folder),
        "at": look.now.isoformat(),
        "attended": look.watched.attended,
        "expected": look.watched.expected,
        "started_again": look.started_again,
        "why_not": look.watched.why_not,
        "begun_at": begun.at.isoformat() if begun else None,
        "until": begun.until.isoformat() if begun else None,
        "interval": begun.interval if begun else None,
        "late": late(look),
        "rules": builtins(begun.rules) if begun else [],
        "samples": len(view.samples),
        "sample": builtins(view.samples[-1]) if view.samples else None,
        "standing": builtins(view.standing),
        "raised": builtins(view.raised),
        "cleared": builtins(view.cleared),
        "gaps": builtins(view.gaps),
        "impact": builtins(view.impact),
        "ended": builtins(view.ended),
    }


COLUMNS = ("at", "metric", "value", "unit", "source", "counted", "why")


def write_csv(view: MonitorView, to: TextIO) -> None:
    """Write each reading of each sample as a line; an empty value is one that is not known."""
    rows = csv.writer(to)
    rows.writerow(COLUMNS)
    for sample in view.samples:
        for one in sample.readings:
            rule = view.rule(one.metric)
            rows.writerow(
                [
                    sample.at.isoformat(),
                    one.metric,
                    one.value,
                    rule.unit if rule else "",
                    cell(one.source),
                    one.counted,
                    cell(one.why),
                ]
            )


def sample_shape(sample: Sampled) -> object:
    """Return a sample as ``monitor --samples`` prints it: the line of ``monitoring.jsonl``."""
    return msgspec.to_builtins(sample)
