"""What is measured after a run, and the lines of ``monitoring.jsonl``, of which everything that is
shown of the monitoring is a fold."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, get_args

import msgspec

from rollback_tui.core.value import Value

FILE_NAME = "monitoring.jsonl"

Metric = Literal[
    "database",
    "error_rate",
    "response_time",
    "database_connections",
    "query_performance",
    "query_load",
    "longest_query",
    "query_errors",
    "rollbacks",
    "deadlocks",
    "lock_waits",
    "cache_hit",
    "replication_lag",
]
"""``database``: whether it could be asked at all, in seconds that the answer took."""

METRICS: tuple[Metric, ...] = get_args(Metric)
"""In the order in which they are shown."""

Unit = Literal["share", "seconds", "sessions", "times", "a second", "a minute"]
"""``share``: from 0 to 1. ``times``: of what was usual."""


UNANSWERED = "database: no answer"
"""How the summary of that alert begins."""


class Reading(Value, frozen=True, kw_only=True):
    """One metric at one moment."""

    metric: Metric
    value: float | None
    """None: it could not be measured, which is never "well"."""
    why: str = ""
    """Why it could not; empty when it was."""
    nothing: bool = False
    """There is nothing of its kind that could be measured, and was nothing before the run: no
    standby that could be late. Neither trouble nor a measurement."""
    source: str = ""
    """Where it is from: ``health probes``, ``Prometheus``, ``pg_stat_database`` …"""
    counted: int | None = None
    """Of how many probes, calls or transactions it is made, where that says how much it weighs."""
    evidence: tuple[str, ...] = ()
    """What stands behind it: the queries that became slower, who waits for whom. Printable."""

    @property
    def unknown(self) -> bool:
        """Whether something is there, and could not be measured."""
        return self.value is None and not self.nothing


class Usual(Value, frozen=True, kw_only=True):
    """What one metric was before the run."""

    metric: Metric
    value: float | None
    why: str = ""
    """Why it is not known."""
    nothing: bool = False
    """There was nothing of its kind that could have been measured."""
    source: str = ""
    counted: int | None = None


class Rule(Value, frozen=True, kw_only=True):
    """When one metric is an alert: said before it is judged."""

    metric: Metric
    unit: Unit
    level: float | None
    """The normal alert level: from where the usual monitoring of an application would call
    somebody. None: nothing can be said, because what was usual is not known."""
    threshold: float | None
    """From where the closer monitoring does: a share of the level (0.8 by default)."""
    worse: Literal["above", "below"] = "above"
    usual: float | None = None
    at_least: int | None = None
    """A reading made of fewer than so many probes, calls or transactions is not judged."""
    normal: float | None = None
    """The threshold that would hold were it not for what was usual; None: it holds. Only where the
    metric was past it before the run already."""
    basis: str = ""
    """The rule in words: ``0.8 of 5 %, the level in [monitor.levels]``."""

    def as_bad_as_before(self, reading: Reading) -> bool:
        """Whether a reading would be past its threshold, had it not been so before the run: no
        alert, and not well either."""
        if self.normal is None or reading.value is None:
            return False
        if reading.counted is not None and reading.counted < (self.at_least or 0):
            return False
        if self.worse == "below":
            return reading.value < self.normal
        return reading.value > self.normal


class Begun(Value, frozen=True, kw_only=True, tag_field="kind", tag="begun"):
    """The monitoring of a run began. Once a file; again, with the same moments, where a rule became
    better known: connections cannot be judged before the server has said how many there may be."""

    at: datetime
    run: str
    """UUID."""
    until: datetime
    interval: float
    """Seconds between two samples."""
    rules: tuple[Rule, ...]
    usual: tuple[Usual, ...] = ()


class Sampled(Value, frozen=True, kw_only=True, tag_field="kind", tag="sampled"):
    """Everything was measured once."""

    at: datetime
    readings: tuple[Reading, ...]


class Raised(Value, frozen=True, kw_only=True, tag_field="kind", tag="raised"):
    """A metric is past its threshold: an alert stands from now on."""

    at: datetime
    metric: Metric
    value: float
    threshold: float
    summary: str
    """``error_rate 12 % > 4 % (0.8 of 5 %; before the run 0 %)``. Printable."""
    evidence: tuple[str, ...] = ()

    @property
    def unanswered(self) -> bool:
        """The database gave no answer: ``value`` is the deadline, and no time that was taken."""
        return self.summary.startswith(UNANSWERED)


class Cleared(Value, frozen=True, kw_only=True, tag_field="kind", tag="cleared"):
    """It has come back: the alert that stood is over."""

    at: datetime
    metric: Metric
    value: float
    seconds: float
    """How long it stood."""


class Gap(Value, frozen=True, kw_only=True, tag_field="kind", tag="gap"):
    """Nobody measured between ``since`` and ``at``: the monitor was not there."""

    at: datetime
    since: datetime


class ImpactCounted(Value, frozen=True, kw_only=True, tag_field="kind", tag="impact"):
    """What Prometheus says of the run itself, asked when its own next scrape was in."""

    at: datetime
    failed_requests: int | None
    affected_users: int | None
    why: str = ""
    """Why something could not be asked."""


class Ended(Value, frozen=True, kw_only=True, tag_field="kind", tag="ended"):
    """The monitoring is over."""

    at: datetime
    why: Literal["done", "stopped", "another run"]
    """``done``: its time is over. ``another run``: one began on the same database."""
    by: str = ""
    reason: str = ""


Line = Begun | Sampled | Raised | Cleared | Gap | ImpactCounted | Ended


class MonitorView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known of a monitoring after the lines so far."""

    begun: Begun | None = None
    samples: tuple[Sampled, ...] = ()
    """All of them, oldest first."""
    standing: tuple[Raised, ...] = ()
    """Alerts that have not come back."""
    raised: tuple[Raised, ...] = ()
    """All alerts ever, those that stand included."""
    cleared: tuple[Cleared, ...] = ()
    gaps: tuple[Gap, ...] = ()
    impact: ImpactCounted | None = None
    ended: Ended | None = None

    @property
    def readings(self) -> tuple[Reading, ...]:
        """The newest reading of each metric."""
        return self.samples[-1].readings if self.samples else ()

    @property
    def as_bad_as_before(self) -> tuple[Metric, ...]:
        """What is past where an alert would stand, had it not been so before the run."""
        stand = {one.metric for one in self.standing}
        return tuple(
            reading.metric
            for reading in self.readings
            if reading.metric not in stand
            and (rule := self.rule(reading.metric)) is not None
            and rule.as_bad_as_before(reading)
        )

    def rule(self, metric: Metric) -> Rule | None:
        """Return the rule of a metric; None before the monitoring began."""
        rules = self.begun.rules if self.begun else ()
        return next((rule for rule in rules if rule.metric == metric), None)
