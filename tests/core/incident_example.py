"""The hours after the run of :mod:`tests.core.example`: what was measured, who was told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from rollback_tui.core import events as ev
from rollback_tui.core import notices
from rollback_tui.core.incident import Incident, build
from rollback_tui.core.monitoring import fold as monitoring
from rollback_tui.core.monitoring.values import (
    Begun,
    Cleared,
    Ended,
    Gap,
    ImpactCounted,
    Metric,
    MonitorView,
    Raised,
    Reading,
    Rule,
    Sampled,
    Usual,
)
from tests.core.example import BEGAN, records

FOLDER = "/srv/runs/20240115_030000_5d0c6a1e"
AFTER = BEGAN + timedelta(minutes=1)


def sampled(second: float, **values: float | None) -> Sampled:
    """A sample so many seconds after the monitoring began; None: it could not be measured."""
    return Sampled(
        at=AFTER + timedelta(seconds=second),
        readings=tuple(
            Reading(metric=_metric(name), value=value, why="" if value is not None else "no answer")
            for name, value in values.items()
        ),
    )


def _metric(name: str) -> Metric:
    found: Metric = name  # type: ignore[assignment]
    return found


BEGUN = Begun(
    at=AFTER,
    run="5d0c6a1e-0000-4000-8000-000000000001",
    until=AFTER + timedelta(hours=2),
    interval=15,
    rules=(
        Rule(metric="error_rate", unit="share", level=0.05, threshold=0.04, usual=0.0, basis="r1"),
        Rule(metric="cache_hit", unit="share", level=0.75, threshold=0.8, worse="below"),
        Rule(metric="replication_lag", unit="seconds", level=30, threshold=24),
    ),
    usual=(Usual(metric="error_rate", value=0.0), Usual(metric="cache_hit", value=0.99)),
)

RAISED = Raised(
    at=AFTER + timedelta(seconds=30),
    metric="error_rate",
    value=0.2,
    threshold=0.04,
    summary="error_rate 20 % > 4 %",
)


def without_standby(view: MonitorView) -> MonitorView:
    """The same, and the server never had a standby."""
    return msgspec.structs.replace(
        view,
        samples=tuple(
            msgspec.structs.replace(
                sample,
                readings=tuple(
                    Reading(metric=one.metric, value=None, why="no standby", nothing=True)
                    if one.metric == "replication_lag"
                    else one
                    for one in sample.readings
                ),
            )
            for sample in view.samples
        ),
    )


def watched() -> MonitorView:
    """Two samples, an alert that came back, a gap, and the end."""
    return monitoring.fold(
        (
            BEGUN,
            sampled(15, error_rate=0.01, cache_hit=0.97, replication_lag=None),
            sampled(30, error_rate=0.2, cache_hit=0.6, replication_lag=None),
            RAISED,
            Gap(at=AFTER + timedelta(seconds=120), since=AFTER + timedelta(seconds=30)),
            sampled(120, error_rate=0.0, cache_hit=0.98, replication_lag=None),
            Cleared(at=AFTER + timedelta(seconds=120), metric="error_rate", value=0.0, seconds=90),
            ImpactCounted(
                at=AFTER + timedelta(seconds=60),
                failed_requests=7,
                affected_users=None,
                why="no query is configured",
            ),
            Ended(at=AFTER + timedelta(hours=2), why="stopped", by="ada", reason="all is well"),
        )
    )


def told() -> notices.Post:
    """One notice to three places: arrived at the second attempt, still pending, given up."""
    notice = notices.Notice(
        id="finished",
        occasion="finished",
        level="warning",
        at=AFTER,
        title="Rollback of shop: rolled back",
        body="",
        places=("chat", "pager", "mail"),
    )

    def sent(place: str, second: int, attempt: int, why: str = "") -> notices.Sent:
        return notices.Sent(
            id="finished",
            place=place,
            at=AFTER + timedelta(seconds=second),
            ok=not why,
            attempt=attempt,
            seconds=0.1,
            why=why,
        )

    return notices.fold(
        (
            notice,
            sent("chat", 1, 1, "HTTP 500"),
            sent("chat", 6, 2),
            sent("pager", 1, 1, "no answer"),
            sent("mail", 1, 1, "refused"),
            notices.Dropped(
                id="finished", place="mail", at=AFTER + timedelta(seconds=9), why="no such mailbox"
            ),
        )
    )


def incident(*events: ev.AnyEvent, **more: Any) -> Incident:
    """The report of a run with these events."""
    return build(records(*events), folder=FOLDER, **more)
