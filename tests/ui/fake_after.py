"""The time after a run, as a test or a picture sets it: a shop that was rolled back at 03:12, and
what was measured of it since."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from math import sin
from pathlib import Path

import msgspec

from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.follow_ups import FollowUp
from rollback_tui.core.monitoring.levels import Levels
from rollback_tui.core.monitoring.rules import rules
from rollback_tui.core.monitoring.values import (
    METRICS,
    Begun,
    Ended,
    Metric,
    MonitorView,
    Raised,
    Reading,
    Sampled,
    Usual,
)
from rollback_tui.core.notices import Notice, Post, Sent
from rollback_tui.ui.aftercare import IncidentFiles, LookedAfter, Watched

BEGUN = datetime(2026, 3, 14, 3, 12, 40, tzinfo=UTC)
UNTIL = BEGUN + timedelta(hours=2)
INTERVAL = 15.0

USUAL: dict[Metric, float] = {
    "database": 0.004,
    "error_rate": 0.002,
    "response_time": 0.084,
    "database_connections": 24,
    "query_performance": 1.0,
    "query_load": 1.0,
    "longest_query": 1.2,
    "query_errors": 0.0,
    "rollbacks": 0.004,
    "deadlocks": 0.0,
    "lock_waits": 0.0,
    "cache_hit": 0.992,
    "replication_lag": 0.2,
}

SOURCES: dict[Metric, str] = {
    "error_rate": "health probes",
    "response_time": "health probes",
    "query_performance": "pg_stat_statements",
    "query_load": "pg_stat_statements",
}


def begun(
    unjudged: Sequence[Metric] = (),
    nothing: dict[Metric, str] | None = None,
    *,
    since: datetime = BEGUN,
) -> Begun:
    """Return the line with which a monitoring begins; what was usual of ``unjudged`` is not
    known, and of ``nothing`` there was nothing."""
    usual = [
        Usual(metric=metric, value=USUAL[metric], source=source_of(metric))
        if metric not in unjudged
        else Usual(metric=metric, value=None, why="pg_stat_statements is not installed")
        for metric in METRICS
    ]
    usual = [
        Usual(metric=one.metric, value=None, why=(nothing or {})[one.metric], nothing=True)
        if one.metric in (nothing or {})
        else one
        for one in usual
    ]
    return Begun(
        at=since,
        run="8c3038d4-5a4b-4a53-9d26-0f5f3c0f2b11",
        until=since + timedelta(hours=2),
        interval=INTERVAL,
        rules=rules(Levels(), 0.8, usual, max_connections=100),
        usual=tuple(usual),
    )


def source_of(metric: Metric) -> str:
    return SOURCES.get(metric, "pg_stat_activity" if "lock" in metric else "pg_stat_database")


Course = Callable[[int], float | None]
"""What a metric is in sample number n."""


def samples(
    number: int,
    courses: dict[Metric, Course] | None = None,
    unknown: dict[Metric, str] | None = None,
    evidence: dict[Metric, tuple[str, ...]] | None = None,
    nothing: dict[Metric, str] | None = None,
    *,
    since: datetime = BEGUN,
) -> tuple[Sampled, ...]:
    """Return ``number`` samples, 15 s apart: near what was usual, but for ``courses``; why those in
    ``unknown`` could not be measured, and why there was ``nothing`` to be measured."""
    made = []
    for place in range(number):
        readings = []
        for order, metric in enumerate(METRICS):
            why = (unknown or {}).get(metric, "")
            usual = USUAL[metric]
            value: float | None = usual * (1 + 0.1 * sin(place / 3 + order))
            if metric == "cache_hit":
                value = usual + 0.003 * sin(place / 3)
            if metric == "database_connections":
                value = round(value)
            if courses and metric in courses:
                value = courses[metric](place)
            if nothing and metric in nothing:
                readings.append(
                    Reading(metric=metric, value=None, why=nothing[metric], nothing=True)
                )
                continue
            if why or value is None:
                readings.append(
                    Reading(metric=metric, value=None, why=why or "no answer within 5 s")
                )
                continue
            readings.append(
                Reading(
                    metric=metric,
                    value=value,
                    source=source_of(metric),
                    counted=5 if metric in ("error_rate", "response_time") else None,
                    evidence=(evidence or {}).get(metric, ()),
                )
            )
        made.append(
            Sampled(at=since + timedelta(seconds=INTERVAL * (place + 1)), readings=tuple(readings))
        )
    return tuple(made)


def healthy(number: int = 68, *, since: datetime = BEGUN) -> MonitorView:
    """Return a monitoring in which nothing is wrong, ``number`` samples after it began."""
    return MonitorView(begun=begun(since=since), samples=samples(number, since=since))


def alert(metric: Metric, value: float, at: datetime, *, evidence: tuple[str, ...] = ()) -> Raised:
    """Return an alert that a metric raises."""
    rule = next(rule for rule in begun().rules if rule.metric == metric)
    assert rule.threshold is not None
    return Raised(
        at=at,
        metric=metric,
        value=value,
        threshold=rule.threshold,
        summary=f"{metric} {value:g} > {rule.threshold:g}",
        evidence=evidence,
    )


def alarming(number: int = 68) -> MonitorView:
    """Return one in which requests fail since sample 40."""

    def failing(place: int) -> float:
        return 0.12 + 0.02 * sin(place) if place >= 40 else 0.002

    raised = alert("error_rate", 0.12, BEGUN + timedelta(seconds=INTERVAL * 41))
    return MonitorView(
        begun=begun(),
        samples=samples(number, {"error_rate": failing}),
        standing=(raised,),
        raised=(raised,),
    )


def ended(view: MonitorView, at: datetime = UNTIL, **more: str) -> MonitorView:
    """Return ``view`` after its time was over, or somebody ended it (``by`` and ``reason``)."""
    why = "stopped" if more else "done"
    return msgspec.structs.replace(view, ended=Ended(at=at, why=why, **more))  # type: ignore[arg-type]


def follow_ups() -> tuple[FollowUp, ...]:
    """Return a checklist of which one is done."""
    return (
        FollowUp(
            key="root_cause",
            text="Find the root cause: why did 20240115103000 have to be taken back?",
            done=True,
            at=datetime(2026, 3, 14, 3, 40, tzinfo=UTC),
            by="kim",
            note="the new column was read before the deploy",
        ),
        FollowUp(key="procedures", text="Update the procedures with what was missing tonight."),
        FollowUp(key="staging", text="Test 20240115103000 in staging, up and down."),
        FollowUp(key="retry", text="Plan when 20240115103000 is applied again, and by whom."),
        FollowUp(key="team:1", text="Tell the support team."),
    )


def post(*, pending: bool = True) -> Post:
    """Return who was told: the chat all, the pager nothing yet where it is ``pending``."""
    notice = Notice(
        id="finished",
        occasion="finished",
        level="warning",
        at=BEGUN,
        title="Rollback of shop: rolled back",
        body="20240115103000 is rolled back and verified.",
        places=("chat", "on-call"),
    )

    def sent(place: str, attempt: int, why: str = "") -> Sent:
        at = BEGUN + timedelta(seconds=5 * attempt)
        return Sent(
            id=notice.id, place=place, at=at, ok=not why, attempt=attempt, seconds=0.2, why=why
        )

    attempts = [sent("chat", 1)]
    attempts += [sent("on-call", n, "connection refused") for n in range(1, 5)]
    if not pending:
        attempts.append(sent("on-call", 5))
    return Post(notices=(notice,), attempts=tuple(attempts))


class FakeAftercare:
    """What the screens are told of the time after a run; a test sets it."""

    def __init__(self) -> None:
        self.view = MonitorView()
        self.attended = False
        self.expected = False
        self.why_not = ""
        self.the_newest: Path | None = None
        self.the_post = Post()
        self.items = follow_ups()
        self.text = "# Incident report\n\nThe shop was rolled back.\n"
        self.down = ""
        self.asked: list[Path] = []
        self.threads: set[str] = set()
        self.stopped: list[tuple[Path, str]] = []
        self.resumed: list[Path] = []
        self.ticked: list[tuple[str, bool, str]] = []
        self.written = 0

    def watch(
        self,
        view: MonitorView,
        *,
        attended: bool = True,
        expected: bool = True,
        why_not: str = "",
    ) -> None:
        """Let this be what is watched."""
        self.view, self.attended = view, attended
        self.expected, self.why_not = expected, why_not

    def _asked(self) -> None:
        self.threads.add(threading.current_thread().name)
        if self.down:
            raise RollbackTuiError(self.down, "Look at the run's folder.")

    def watched(self, folder: Path) -> Watched:
        self._asked()
        self.asked.append(folder)
        return Watched(
            view=self.view, attended=self.attended, expected=self.expected, why_not=self.why_not
        )

    def pick_up(self) -> tuple[Path, ...]:
        if self.the_newest is None or self.attended or not self.expected:
            return ()
        self.resume(self.the_newest)
        return (self.the_newest,)

    def newest(self) -> LookedAfter | None:
        if self.the_newest is None:
            return None
        return LookedAfter(folder=self.the_newest, watched=self.watched(self.the_newest))

    def stop(self, folder: Path, reason: str) -> None:
        self._asked()
        self.stopped.append((folder, reason))
        self.watch(ended(self.view, BEGUN, by="kim", reason=reason), attended=False, expected=False)

    def resume(self, folder: Path) -> None:
        self._asked()
        self.resumed.append(folder)
        self.attended = True

    def post(self, folder: Path) -> Post:  # noqa: ARG002
        self._asked()
        return self.the_post

    def follow_ups(self, folder: Path) -> tuple[FollowUp, ...]:  # noqa: ARG002
        self._asked()
        return self.items

    def tick(self, folder: Path, key: str, *, done: bool, note: str = "") -> tuple[FollowUp, ...]:  # noqa: ARG002
        self._asked()
        self.ticked.append((key, done, note))
        self.items = tuple(
            msgspec.structs.replace(item, done=done, at=BEGUN, by="kim", note=note or item.note)
            if item.key == key
            else item
            for item in self.items
        )
        return self.items

    def incident(self, folder: Path) -> str:  # noqa: ARG002
        self._asked()
        return self.text

    def incident_files(self, folder: Path) -> IncidentFiles:
        self._asked()
        self.written += 1
        return IncidentFiles(
            markdown=folder / "incident.md",
            html=folder / "incident.html",
            json=folder / "incident.json",
        )
