"""Samples → alerts. Pure: the same samples give the same alerts, live or a year later.

A reading past its threshold is not an alert yet: one slow query, one lost packet or one deadlock is
no reason to call somebody at night. What makes an alert:

``database``
    No answer, at once. An answer that is slow, like a gauge.
*gauges* (times, sessions, factors, the cache, and whatever Prometheus says)
    Two samples in a row.
*what is counted* (probes that fail, transactions that are rolled back; deadlocks, errors)
    Two of three samples, or three of eight where it is rare, taken together; and so many that it
    is no chance in an application that does what is usual in it. All probes of a sample failing,
    at once.

A sample that makes somebody suspect is followed by two in the time of one (:attr:`Judge.suspects`,
obeyed by the loop), so that three samples lie within two intervals of the beginning of a fault.

An alert is over after two good samples in a row. Where it comes back soon, it takes twice as many
each time: what goes up and down is one alert and not thirty. A reading without value is neither
good nor bad.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from rollback_tui.core.monitoring.values import (
    UNANSWERED,
    Cleared,
    Gap,
    Line,
    Metric,
    Raised,
    Reading,
    Rule,
    Sampled,
)
from rollback_tui.core.monitoring.words import amount
from rollback_tui.core.text import printable

CHANCE = 1e-4
"""What is counted must be less likely than this where all is as usual. Two hours are 500 samples,
and neighbours are judged together: some one in a hundred monitorings has a wrong alert of it."""

GOOD = 2
"""Good samples in a row after which an alert is over."""
MOST_GOOD = 16
"""The same of one that comes back again and again."""
SOON = 20
"""Intervals within which an alert that is raised anew counts as the same trouble."""

_LONG = 8
_ALL_OF = 3
"""Probes of one sample, at the least, that must all fail to be an alert at once."""
_LEAST_SHARE = 1 / 20
"""What is never seen may still happen: usual is at least this share of the level (a probe that
fails by itself among 400, with the level of 5 %)."""
_LEAST_RATE = 1 / 100
"""Likewise of what is counted a minute: a deadlock in 100 minutes, with the level of one."""

_NOUNS: dict[Metric, str] = {"error_rate": "probes", "rollbacks": "transactions"}


def past(rule: Rule, value: float) -> bool:
    """Whether a value is past the threshold of its rule; never, where nothing is judged."""
    if rule.threshold is None:
        return False
    return value < rule.threshold if rule.worse == "below" else value > rule.threshold


class _Point(NamedTuple):
    """One reading that can be judged."""

    at: datetime
    value: float
    past: bool
    of: float
    """Of what it is made: probes, transactions, or minutes."""


class _Course:
    """What is remembered of one metric."""

    def __init__(self) -> None:
        self.points: deque[_Point] = deque(maxlen=_LONG)
        self.good = 0
        """Good samples in a row, while an alert stands."""
        self.wanted = GOOD
        self.cleared: datetime | None = None


class Judge:
    """Judges the samples of one monitoring, in their order."""

    def __init__(self, rules: Iterable[Rule], interval: float) -> None:
        """``interval``: seconds between two samples."""
        self.rules = {rule.metric: rule for rule in rules}
        self.standing: dict[Metric, Raised] = {}
        self._courses: dict[Metric, _Course] = {metric: _Course() for metric in self.rules}
        self._interval = timedelta(seconds=interval)
        self._last: datetime | None = None

    @property
    def suspects(self) -> tuple[Metric, ...]:
        """Metrics whose newest reading is past its threshold, and which are no alert yet: the
        next sample should not wait as long as usual."""
        return tuple(
            metric
            for metric, course in self._courses.items()
            if metric not in self.standing and course.points and course.points[-1].past
        )

    def judge(self, sample: Sampled) -> tuple[Raised | Cleared, ...]:
        """Return the alerts that begin and end with this sample."""
        since = sample.at - (self._last or sample.at - self._interval)
        # A clock that was set does not make a minute of an hour.
        since = min(max(since, timedelta()), 4 * self._interval)
        self._last = sample.at
        found = (self._one(reading, sample.at, since) for reading in sample.readings)
        return tuple(line for line in found if line is not None)

    def gap(self) -> None:
        """Nobody has measured for a while: alerts stand, and nothing is "in a row" any more."""
        for course in self._courses.values():
            course.points.clear()
            course.good = 0
        self._last = None

    def replay(self, lines: Iterable[Line]) -> tuple[Raised | Cleared, ...]:
        """Take in what is in the file already. Return what the last sample calls for and is not
        there: whoever wrote it was killed before he could judge it."""
        found: tuple[Raised | Cleared, ...] = ()
        standing: dict[Metric, Raised] = {}
        written: set[tuple[type, Metric]] = set()
        for line in lines:
            match line:
                case Sampled():
                    # What stands is what was written, also by a version that judged otherwise.
                    self.standing = dict(standing)
                    found, written = self.judge(line), set()
                case Raised():
                    standing[line.metric] = line
                    written.add((Raised, line.metric))
                case Cleared():
                    standing.pop(line.metric, None)
                    written.add((Cleared, line.metric))
                case Gap():
                    # Whoever wrote it has judged what was before.
                    self.gap()
                    found = ()
        missing = tuple(line for line in found if (type(line), line.metric) not in written)
        for line in missing:
            if isinstance(line, Raised):
                standing[line.metric] = line
            else:
                standing.pop(line.metric, None)
        self.standing = standing
        return missing

    def _one(self, reading: Reading, at: datetime, since: timedelta) -> Raised | Cleared | None:
        rule = self.rules.get(reading.metric)
        if rule is None or rule.threshold is None or rule.level is None:
            return None
        course = self._courses[rule.metric]
        if reading.value is None:
            # The one metric of which not to be measurable is the fault itself.
            if rule.metric == "database" and rule.metric not in self.standing:
                course.points.clear()
                return self._raise(rule, course, reading, at, rule.level)
            course.good = 0 if rule.metric == "database" else course.good
            return None
        if reading.counted is not None and reading.counted < (rule.at_least or 0):
            return None
        weight = since.total_seconds() / 60 if rule.unit == "a minute" else reading.counted
        point = _Point(at, reading.value, past(rule, reading.value), weight or 0)
        course.points.append(point)
        if rule.metric in self.standing:
            return self._good(rule, course, point)
        if point.past and self._alert(rule, course, reading):
            return self._raise(rule, course, reading, at, reading.value)
        return None

    def _alert(self, rule: Rule, course: _Course, reading: Reading) -> bool:
        newest = course.points[-1]
        counts = rule.metric in _NOUNS and reading.counted is not None
        if not counts and rule.unit != "a minute":
            row = self._recent(course, 2)
            return len(row) == 2 and row[0].past
        if rule.metric == "error_rate" and newest.value >= 1 and newest.of >= _ALL_OF:
            return True
        for window, least in ((3, 2), (_LONG, 3)):
            points = self._recent(course, window)
            bad = [at for at, point in enumerate(points) if point.past]
            if len(bad) >= least and _no_chance(rule, points[bad[0] :]):
                return True
        return False

    def _recent(self, course: _Course, number: int) -> list[_Point]:
        """The newest points, none of them from before a time that was not measured."""
        newest = course.points[-1].at
        oldest = newest - (number + 1) * self._interval
        return [point for point in course.points if oldest <= point.at][-number:]

    def _good(self, rule: Rule, course: _Course, point: _Point) -> Cleared | None:
        course.good = 0 if point.past else course.good + 1
        if course.good < course.wanted:
            return None
        began = self.standing.pop(rule.metric)
        course.good, course.cleared = 0, point.at
        course.points.clear()
        return Cleared(
            at=point.at,
            metric=rule.metric,
            value=point.value,
            seconds=max(0.0, (point.at - began.at).total_seconds()),
        )

    def _raise(
        self, rule: Rule, course: _Course, reading: Reading, at: datetime, value: float
    ) -> Raised:
        again = course.cleared is not None and at - course.cleared <= SOON * self._interval
        course.wanted = min(MOST_GOOD, 2 * course.wanted) if again else GOOD
        course.good = 0
        raised = Raised(
            at=at,
            metric=rule.metric,
            value=value,
            threshold=rule.threshold or 0.0,
            summary=_summary(rule, reading),
            evidence=(*_together(rule, reading, course), *reading.evidence),
        )
        self.standing[rule.metric] = raised
        return raised


def _no_chance(rule: Rule, points: list[_Point]) -> bool:
    """Whether the points taken together are past the threshold, and too many for chance."""
    of = sum(point.of for point in points)
    seen = round(sum(point.value * point.of for point in points))
    if of <= 0 or not past(rule, seen / of):
        return False
    level, usual = rule.level or 0.0, rule.usual or 0.0
    if rule.unit == "share":
        return chance_of_share(seen, of, max(usual, level * _LEAST_SHARE)) < CHANCE
    return chance_of_rate(seen, of * max(usual, level * _LEAST_RATE)) < CHANCE


def chance_of_share(seen: int, of: float, usual: float) -> float:
    """Return at most how likely it is that ``seen`` or more ``of`` so many fail where the share
    ``usual`` does: Chernoff's bound of the binomial distribution."""
    share = min(1.0, seen / of)
    if share <= usual:
        return 1.0
    far = share * math.log(share / usual)
    if share < 1:
        far += (1 - share) * math.log((1 - share) / (1 - usual))
    return math.exp(-of * far)


def chance_of_rate(seen: int, usual: float) -> float:
    """Return at most how likely it is to see ``seen`` or more where ``usual`` are to be expected:
    Chernoff's bound of the Poisson distribution."""
    if seen <= usual:
        return 1.0
    return math.exp(seen - usual - seen * math.log(seen / usual))


def _summary(rule: Rule, reading: Reading) -> str:
    """``error_rate 12 % > 4 % (0.8 of 5 % …)``."""
    if reading.value is None:
        return f"{UNANSWERED}: {printable(reading.why)}"
    sign = "<" if rule.worse == "below" else ">"
    before = ""
    if rule.usual is not None and rule.unit != "times" and "before the run" not in rule.basis:
        before = f"; before the run {amount(rule.usual, rule.unit)}"
    return (
        f"{rule.metric} {amount(reading.value, rule.unit)} {sign}"
        f" {amount(rule.threshold or 0.0, rule.unit)} ({rule.basis}{before})"
    )


def _together(rule: Rule, reading: Reading, course: _Course) -> tuple[str, ...]:
    """What is counted, in numbers: a share alone does not say how much it weighs."""
    noun = _NOUNS.get(rule.metric)
    if noun is None or reading.counted is None or reading.value is None:
        return ()
    points = [point for point in course.points if point.past]
    seen = round(sum(point.value * point.of for point in points))
    what = "failed" if rule.metric == "error_rate" else "were rolled back"
    return (f"{seen:,} of {sum(point.of for point in points):,.0f} {noun} {what}",)
