"""The closer monitoring of one run: measured, written down, judged, for hours.

Everything it knows is in ``monitoring.jsonl`` of the run's folder, each sample before it is judged.
Killed at any moment and called again, it goes on from there: alerts stand on, the sample that was
written last is judged if it was not, and the time in which nobody measured is a ``Gap``.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from rollback_tui.aftercare.charge import Charge
from rollback_tui.aftercare.clock import Clock, SystemClock
from rollback_tui.aftercare.rivals import Rivals
from rollback_tui.aftercare.sampling import Sampler
from rollback_tui.aftercare.watch import ledger
from rollback_tui.core import events as ev
from rollback_tui.core.monitoring.fold import fold
from rollback_tui.core.monitoring.judge import Judge
from rollback_tui.core.monitoring.rules import rules
from rollback_tui.core.monitoring.values import (
    Begun,
    Cleared,
    Ended,
    Gap,
    Line,
    MonitorView,
    Raised,
    Reading,
    Rule,
    Sampled,
)
from rollback_tui.core.run_view import RunView

SYSTEM = SystemClock()

FIRST_SECONDS = 3.0
"""The first sample is taken sooner: somebody sits there and waits for it."""
LEAST_HALF = 2.0
"""A suspect is looked at again after half an interval, if that is not less than this: sessions
report what they counted about once a second (``pgstat.c``)."""
LEAST_SECONDS = 0.05
"""A last sample of less than this share of an interval is not worth its name."""
MISSED = 2.0
"""More intervals than that without a sample are a gap."""


def monitor(
    charge: Charge,
    begun_by: RunView,
    stop: threading.Event,
    clock: Clock = SYSTEM,
    told: Callable[[Raised], None] = lambda _: None,
) -> None:
    """Monitor the run of ``charge`` until its time is over, ``stop`` is set, another run begins on
    the same database, or somebody wrote the end into its file; go on with what is in that file.

    ``begun_by``: the run, with its outcome. ``told`` hears each new alert when it is on disk, or
    could not be written. Whoever sets ``stop`` for good says why, with an ``Ended`` of his own;
    without one it is gone on with later. Returns also when the run's folder is gone. Raises
    LedgerDamaged.
    """
    if begun_by.started is not None:
        _Monitoring(charge, begun_by, begun_by.started, stop, clock, told).run()


class _Book:
    """The file: what is in it, and what could not be written yet."""

    def __init__(self, charge: Charge) -> None:
        self._folder = charge.path
        self._ledger = ledger(charge.path)
        self._offset = 0
        self._waiting: deque[Line] = deque()
        self.view = MonitorView()
        self.lines: tuple[Line, ...] = ()
        """What was there at first."""
        self.lines = self.read()

    def read(self) -> tuple[Line, ...]:
        """Take in what was added, by others too, and return it. Raises LedgerDamaged."""
        lines, self._offset = self._ledger.follow(self._offset)
        if lines:
            self.view = fold(lines, self.view)
        return lines

    def write(self, *lines: Line) -> None:
        """Append lines. Where the disk is full they wait, in their order, for the next call."""
        self._waiting.extend(lines)
        while self._waiting and self.there:
            try:
                self._ledger.append(self._waiting[0])
            except OSError:
                return
            self._waiting.popleft()

    @property
    def waits(self) -> bool:
        """Whether something could not be written yet, and may be later."""
        return bool(self._waiting) and self.there

    @property
    def there(self) -> bool:
        """Whether the folder still is: a person may remove it, and we do not make it again."""
        return self._folder.is_dir()


class _Time:
    """The moments that are written down: they never go backwards, whatever is done to the clock of
    the machine, and differ by what really passed where it was set back."""

    def __init__(self, clock: Clock, last: datetime | None) -> None:
        """``last``: the newest moment that was written."""
        self._clock = clock
        self._last = last
        self._steady = clock.steady()

    def now(self) -> datetime:
        """Return the time of day."""
        now, steady = self._clock.now(), self._clock.steady()
        if self._last is not None and now < self._last:
            now = self._last + timedelta(seconds=max(0.0, steady - self._steady))
        self._last, self._steady = now, steady
        return now


class _Monitoring:
    """One call of :func:`monitor`."""

    def __init__(
        self,
        charge: Charge,
        begun_by: RunView,
        started: ev.RunStarted,
        stop: threading.Event,
        clock: Clock,
        told: Callable[[Raised], None],
    ) -> None:
        self._settings = charge.settings
        self._interval = charge.settings.monitor.interval_seconds
        self._run = started.run
        self._begun_by = begun_by
        self._stop = stop
        self._clock = clock
        self._told = told
        self._book = _Book(charge)
        self._time = _Time(clock, _newest(self._book.view))
        self._sampler = Sampler(charge, started.target.database, clock)
        self._rivals = Rivals(charge.path, started.target)
        self._judge = Judge((), self._interval)
        self._begun: Begun | None = None
        self._last = self._time.now()
        self._halves = 0
        """Samples of half an interval that are still to come."""

    def run(self) -> None:
        """Go on until it is over."""
        if self._book.view.ended is not None or not self._book.there:
            return
        now = self._time.now()
        self._sampler.first_look()
        begun = self._begin(now)
        whole = min((begun.until - now).total_seconds(), self._settings.monitor.seconds)
        began = self._clock.steady()
        end, seconds = began + whole, min(FIRST_SECONDS, self._interval)
        while (left := end - self._clock.steady()) > LEAST_SECONDS * self._interval:
            seconds = min(seconds, left)
            readings = self._sampler.sample(self._stop, began, seconds)
            if readings is None or self._over():
                return
            began += seconds
            late = self._clock.steady() - began
            if late > MISSED * self._interval + self._sampler.slack:
                self._missed()
            else:
                self._take(readings)
            seconds = self._next_seconds()
            if late > seconds:
                began = self._clock.steady()
        if not self._clock.wait(self._stop, left) and not self._over():
            self._end()

    # --- the beginning --------------------------------------------------------------------------

    def _begin(self, now: datetime) -> Begun:
        """Begin, or go on with what is there."""
        view, finished = self._book.view, self._begun_by.finished_at or now
        begun = view.begun
        last = view.samples[-1].at if view.samples else min(finished, now)
        if begun is None:
            begun = Begun(
                at=now,
                run=self._run,
                until=min(finished, now) + timedelta(seconds=self._settings.monitor.seconds),
                interval=self._interval,
                rules=self._rules(),
                usual=self._begun_by.usual.usual if self._begun_by.usual else (),
            )
            self._book.write(begun)
        self._judge = Judge(begun.rules, begun.interval)
        self._interval = begun.interval
        missing = self._judge.replay(self._book.lines)
        self._say(missing)
        self._begun, self._last = begun, last
        self._better_known()
        if now - last > timedelta(seconds=MISSED * self._interval):
            self._gap(last)
        return begun

    def _rules(self) -> tuple[Rule, ...]:
        usual = self._begun_by.usual
        configured = self._settings.monitor
        return rules(
            configured.levels,
            configured.share,
            usual.usual if usual is not None else (),
            max_connections=self._sampler.max_connections,
            answer_seconds=self._sampler.answer_seconds,
        )

    def _better_known(self) -> None:
        """The rule of the connections is made of what the server says: where it could not be asked
        when the monitoring began, the rules are said again."""
        begun = self._begun
        known = self._sampler.max_connections
        if begun is None or known is None or not _unjudged(begun.rules):
            return
        better = {one.metric: one for one in self._rules()}["database_connections"]
        if better.level is None:
            return
        found = tuple(better if one.metric == better.metric else one for one in begun.rules)
        self._begun = msgspec.structs.replace(begun, rules=found)
        self._judge.rules[better.metric] = better
        self._book.write(self._begun)

    # --- each sample ----------------------------------------------------------------------------

    def _take(self, readings: tuple[Reading, ...]) -> None:
        """Write a sample down, then judge it."""
        sampled = Sampled(at=self._time.now(), readings=readings)
        self._last = sampled.at
        self._book.write(sampled)
        self._better_known()
        self._say(self._judge.judge(sampled))

    def _say(self, lines: tuple[Raised | Cleared, ...]) -> None:
        self._book.write(*lines)
        for line in lines:
            if isinstance(line, Raised):
                self._told(line)

    def _missed(self) -> None:
        """The machine was asleep, or we were stopped: what was measured across that time is of no
        moment that could be named."""
        self._gap(self._last)

    def _gap(self, since: datetime) -> None:
        now = self._time.now()
        self._book.write(Gap(at=now, since=since))
        self._judge.gap()
        self._last = now

    def _next_seconds(self) -> float:
        """Return how long the next sample takes: an interval, or the half of one, twice, after a
        sample that makes somebody suspect."""
        self._halves = max(0, self._halves - 1)
        if not self._halves and self._judge.suspects and self._interval / 2 >= LEAST_HALF:
            self._halves = 2
        return self._interval / 2 if self._halves else self._interval

    def _over(self) -> bool:
        """Whether somebody has ended it, the folder is gone, or another run has begun."""
        self._book.read()
        if self._book.view.ended is not None or not self._book.there:
            return True
        other = self._rivals.begun()
        if other:
            self._book.write(
                Ended(at=self._time.now(), why="another run", reason=f"run {other} began")
            )
        return bool(other)

    # --- the end --------------------------------------------------------------------------------

    def _end(self) -> None:
        """Its time is over."""
        self._book.write(Ended(at=self._time.now(), why="done"))
        while self._book.waits and not self._clock.wait(self._stop, self._interval):
            self._book.write()


def _newest(view: MonitorView) -> datetime | None:
    """Return the newest moment that stands in the file."""
    moments = [one.at for one in view.samples[-1:]] + [one.at for one in view.gaps[-1:]]
    return max([*moments, *([view.begun.at] if view.begun else [])], default=None)


def _unjudged(known: tuple[Rule, ...]) -> bool:
    return any(one.metric == "database_connections" and one.level is None for one in known)
