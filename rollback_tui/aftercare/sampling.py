"""One sample: the database looked at over a connection of its own, the health URLs asked, and
Prometheus where it is configured. It never raises: what cannot be measured says why."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import msgspec
import psycopg

from rollback_tui.aftercare import prometheus
from rollback_tui.aftercare.charge import Charge
from rollback_tui.aftercare.clock import Clock
from rollback_tui.aftercare.probes import Probes
from rollback_tui.core.errors import ConnectionFailed
from rollback_tui.core.monitoring.rules import ANSWER_SECONDS
from rollback_tui.core.monitoring.values import METRICS, Reading
from rollback_tui.core.monitoring.vitals import Logged, Vitals, Yardstick, readings
from rollback_tui.core.text import shorten
from rollback_tui.postgres.connect import connect
from rollback_tui.postgres.vitals import LogWatch, look
from rollback_tui.run import usual

APPLICATION = "rollback_tui monitor"
"""Its name on the server: sessions called like us are not counted as the application's."""

_WHY = 200
_LEAST_ANSWER = 2.0
"""libpq does not wait for less than that (``connect_timeout``)."""

_NOT_IN_TIME = Logged(why="it was not read in time")


def answer_seconds(interval: float) -> float:
    """Return the deadline of one look at the database: a third of the interval, 5 s at the most,
    so that the look is over before the next one, and what it says is still news."""
    return min(ANSWER_SECONDS, max(_LEAST_ANSWER, interval / 3))


def probe_seconds(interval: float, level: float) -> float:
    """Return the deadline of one probe: half of the interval; where that is less than an answer
    may take, half as much again as that ``level`` of seconds."""
    return max(interval / 2, 1.5 * level)


class _Look(threading.Thread):
    """The database is looked at once, in a thread of its own: a name server that is silent, or
    hosts that are tried one after the other, do not hold up the sample."""

    def __init__(self, sampler: Sampler) -> None:
        super().__init__(name="look", daemon=True)
        self._sampler = sampler
        self.found: Vitals | None = None
        self.logged: Logged | None = None
        self.why = ""
        self.began = time.monotonic()
        self.seconds = 0.0

    def run(self) -> None:
        """Connect, look, and go."""
        sampler = self._sampler
        limit = sampler.answer_seconds
        try:
            with connect(
                sampler.dsn, timeout=limit / 2, application=APPLICATION, patience=limit
            ) as connection:
                found = look(connection, sampler.database, with_statements=True, seconds=limit)
                self.seconds = time.monotonic() - self.began
                # The database has answered, however long its log takes.
                self.found = found
                if sampler.log_turn.acquire(blocking=False):
                    try:
                        self.logged = sampler.log.look(connection)
                    finally:
                        sampler.log_turn.release()
        except ConnectionFailed as error:
            self.why = error.summary
        except (psycopg.Error, msgspec.MsgspecError) as error:
            self.why = shorten(str(error) or type(error).__name__, _WHY)


class Sampler:
    """Takes the samples of one monitoring. For one thread."""

    def __init__(self, charge: Charge, database: str, clock: Clock) -> None:
        """``database``: the name of the target, as the run knew it."""
        settings = charge.settings
        self._prometheus = settings.prometheus
        self._clock = clock
        self._number = settings.monitor.probes
        self._deadline = probe_seconds(
            settings.monitor.interval_seconds, settings.monitor.levels.response_seconds
        )
        self._probes = Probes(settings.health, self._deadline)
        self._yardstick = yardstick(charge.path)
        self._before: Vitals | None = None
        self._looking: _Look | None = None
        self._late = False
        """The newest look is not over, and another was due."""
        self.dsn = charge.dsn
        self.database = database
        self.log = LogWatch(database)
        self.log_turn = threading.Lock()
        """Held by the look that reads the log: one after the other."""
        self.answer_seconds = answer_seconds(settings.monitor.interval_seconds)

    @property
    def max_connections(self) -> int | None:
        """Of the server, as the last look said; None: there was none yet."""
        return self._before.connections.maximum if self._before is not None else None

    @property
    def slack(self) -> float:
        """Seconds that a sample may take after its time, where nothing answers."""
        return max(self._deadline, self.answer_seconds) + 1.0

    def first_look(self) -> None:
        """Look at the database before there is a sample: what is counted has a beginning then."""
        self._begin_look()
        self._look()

    def sample(
        self, stop: threading.Event, began: float, seconds: float
    ) -> tuple[Reading, ...] | None:
        """Measure everything, the probes spread over ``seconds`` since the moment ``began`` of the
        steady clock, the rest at their end. None: ``stop`` was set meanwhile."""
        for number in range(1, self._number + 1):
            # The last one at the very end: a fault that began before is in this sample.
            left = began + seconds * number / self._number - self._clock.steady()
            if self._clock.wait(stop, left):
                return None
            self._probes.ask()
        self._begin_look()
        probed = prometheus.replaced(self._prometheus, self._probes.gather, self._deadline)
        found = {one.metric: one for one in (*self._look(), *probed)}
        return tuple(found[metric] for metric in METRICS if metric in found)

    def _begin_look(self) -> None:
        """Look at the database, unless the look before still waits for its answer."""
        before = self._looking
        self._late = before is not None and before.is_alive() and before.found is None
        if not self._late:
            self._looking = _Look(self)
            self._looking.start()

    def _look(self) -> tuple[Reading, ...]:
        """Return the readings of the look that was begun."""
        looking = self._looking
        if looking is None or self._late:
            return _unreachable("the look before this one still waits for its answer")
        looking.join(max(0.0, looking.began + self.answer_seconds - time.monotonic()))
        seen, logged = looking.found, looking.logged or _NOT_IN_TIME
        if seen is None and looking.is_alive():
            return _unreachable(f"no answer within {self.answer_seconds:g} s")
        if seen is None:
            return _unreachable(looking.why or "it could not be looked at")
        before, self._before = self._before, seen
        taken = Reading(
            metric="database", value=round(looking.seconds, 4), source="connection and look"
        )
        found = readings(before, seen, self._yardstick, logged=logged)
        return (taken, *found)


def yardstick(folder: Path) -> Yardstick:
    """Return what the worker of the run in ``folder`` measured before its door closed."""
    found = usual.read(folder)
    return found.yardstick if found is not None else Yardstick(why="it was not measured")


def _unreachable(why: str) -> tuple[Reading, ...]:
    others = (metric for metric in METRICS if metric not in ("error_rate", "response_time"))
    return tuple(
        Reading(
            metric=metric,
            value=None,
            why=why if metric == "database" else f"the database could not be asked: {why}",
            source="connection and look" if metric == "database" else "",
        )
        for metric in others
    )
