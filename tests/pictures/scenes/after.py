"""The hours after a run: what is watched, what is left to be done, the incident report."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import sin
from pathlib import Path

import msgspec

from rollback_tui.core.follow_ups import Ticked, needed, ticked
from rollback_tui.core.incident import build, incident_markdown
from rollback_tui.core.monitoring.values import Cleared, Gap, Metric, MonitorView, Raised
from rollback_tui.core.monitoring.words import amount
from rollback_tui.core.notices import Notice, Post, Sent
from rollback_tui.ui.after import After
from rollback_tui.ui.aftercare import Watched
from rollback_tui.ui.screens.report import ReportScreen
from rollback_tui.ui.screens.state import StateScreen
from rollback_tui.ui.screens.verify import VerifyScreen
from tests.pictures.scene import NARROW, scene
from tests.pictures.still import Stage
from tests.ui.fake_after import INTERVAL, begun, healthy, samples

SAMPLES = 68
LATER = INTERVAL * SAMPLES + 6
"""Seconds after the recorded end of the run: some after the last sample."""
BY_HAND = "the demo is not watched for as long: what was measured is made by hand"

QUERIES = (
    "SELECT * FROM users WHERE email = $1: 41 ms instead of 2.1 ms, 1,204 calls",
    "UPDATE users SET verified_at = $1: 38 ms instead of 3.0 ms, 97 calls",
)


def since(t: Stage) -> datetime:
    """Return when the monitoring of the recorded run began."""
    return t.moment.utc - timedelta(seconds=LATER)


def alert(view: MonitorView, metric: Metric, value: float, number: int, *evidence: str) -> Raised:
    """Return an alert that ``metric`` raised at sample ``number``."""
    rule = view.rule(metric)
    assert rule is not None
    assert rule.threshold is not None
    said = f"{amount(value, rule.unit)} > {amount(rule.threshold, rule.unit)}"
    return Raised(
        at=view.samples[number].at,
        metric=metric,
        value=value,
        threshold=rule.threshold,
        summary=f"{metric} {said}",
        evidence=evidence,
    )


def failing(t: Stage) -> MonitorView:
    """Return one in which requests fail, slowly at first, and once did before."""
    begin = since(t)

    def error_rate(number: int) -> float:
        if 12 <= number < 17:
            return 0.06 + 0.01 * sin(number)
        if number < 40:
            return 0.002 + 0.001 * sin(number)
        return min(0.12, 0.02 * (number - 39)) + 0.01 * sin(number / 2)

    def times(number: int) -> float:
        return 1.9 + 0.3 * sin(number / 3) if number >= 44 else 1.0 + 0.1 * sin(number / 3)

    view = MonitorView(
        begun=begun(since=begin),
        samples=samples(
            SAMPLES,
            {"error_rate": error_rate, "query_performance": times},
            evidence={"query_performance": QUERIES},
            since=begin,
        ),
    )
    first = alert(view, "error_rate", 0.062, 12)
    errors = alert(view, "error_rate", 0.06, 42, "GET http://shop/health answered 500")
    slow = alert(view, "query_performance", 2.1, 45, *QUERIES)
    over = Cleared(at=view.samples[19].at, metric="error_rate", value=0.003, seconds=105)
    return msgspec.structs.replace(
        view, standing=(errors, slow), raised=(first, errors, slow), cleared=(over,)
    )


def unknown(t: Stage, *, long_ago: bool = False) -> MonitorView:
    """Return one in which some things cannot be measured, and nobody did for a while."""
    begin = since(t)
    no_url = "no health URL and no Prometheus"
    none: dict[Metric, str] = {"error_rate": no_url, "response_time": no_url}
    alone: dict[Metric, str] = {"replication_lag": "no standby"}
    earlier = samples(20, unknown=none, nothing=alone, since=begin)
    gap = begin + timedelta(seconds=INTERVAL * 32)
    number = 20 if long_ago else SAMPLES - 32
    later = samples(number, unknown=none, nothing=alone, since=gap)
    return MonitorView(
        begun=begun(("query_performance", "query_load"), alone, since=begin),
        samples=(*earlier, *later),
        gaps=(Gap(at=later[0].at, since=earlier[-1].at),),
    )


async def watch(
    t: Stage, view: MonitorView, *, attended: bool = True, post: Post | None = None
) -> None:
    """Let the run that is shown be watched."""
    folder = t.walk.folder
    assert folder is not None
    watched = Watched(view=view, attended=attended, expected=True)
    after = After(folder=folder, watched=watched, post=post)
    await t.change(afters=(after,))


@scene("good/done", VerifyScreen, derived=BY_HAND, later=LATER)
async def verify_alert(t: Stage) -> None:
    """An alert stands: the header says so on every step, and the line under the outcome which."""
    await watch(t, failing(t))


@scene("good/done", VerifyScreen, derived=BY_HAND, later=LATER)
async def monitoring(t: Stage) -> None:
    """All is well: every metric with what it was before and from where on it is an alert; the one
    that is marked with its rule and its course, and its threshold far away."""
    await watch(t, healthy(SAMPLES, since=since(t)))
    await t.press("w", "down", "down")


@scene("good/done", VerifyScreen, derived=BY_HAND, later=LATER)
async def monitoring_alert(t: Stage) -> None:
    """An alert stands: marked first, since when, how bad, by which rule; in the chart it crosses
    the threshold, and an earlier alert that is over stands beside it."""
    await watch(t, failing(t))
    await t.press("w")


@scene("good/done", VerifyScreen, derived=BY_HAND, later=LATER)
async def monitoring_queries(t: Stage) -> None:
    """Which queries became slower stands behind the alert of the metric."""
    await watch(t, failing(t))
    await t.press("w", "down", "down", "down")


@scene("good/done", VerifyScreen, derived=BY_HAND, later=LATER)
async def monitoring_unknown(t: Stage) -> None:
    """Nobody watches any more, and some things never could be measured: nothing is called well, and
    the key that starts it again is named."""
    await watch(t, unknown(t, long_ago=True), attended=False)
    await t.press("w", "down")


@scene("good/done", VerifyScreen, derived=BY_HAND, later=LATER)
async def monitoring_gap(t: Stage) -> None:
    """Where nobody measured, the course has a gap; what cannot be judged says why."""
    await watch(t, unknown(t))
    await t.press("w", *["down"] * 4)


@scene("good/done", VerifyScreen, derived=BY_HAND, later=LATER, sizes=((60, 20), (200, 60)))
async def monitoring_any_size(t: Stage) -> None:
    """Without room for a chart, the list and the words say it; with much room it is large."""
    await watch(t, failing(t))
    await t.press("w")


@scene(
    "good/done", VerifyScreen, derived=BY_HAND, later=LATER, sizes=(NARROW,), terminal="no colours"
)
async def monitoring_no_colours(t: Stage) -> None:
    """Without colours: the alert, the threshold and what was usual have marks of their own."""
    await watch(t, failing(t))
    await t.press("w")


@scene("good/done", VerifyScreen, derived=BY_HAND, later=LATER, sizes=(NARROW,), terminal="ascii")
async def monitoring_ascii(t: Stage) -> None:
    """The same where the terminal shows nothing but ASCII."""
    await watch(t, failing(t))
    await t.press("w")


@scene("good/done", VerifyScreen, derived=BY_HAND, later=LATER)
async def monitoring_stop(t: Stage) -> None:
    """Ending it early asks why, and says what that means."""
    await watch(t, healthy(SAMPLES, since=since(t)))
    await t.press("w", "s")


@scene("good/state", StateScreen, derived=BY_HAND, later=LATER)
async def state_watched(t: Stage) -> None:
    """A new terminal in the same project: which run is still watched, and that an alert stands."""
    folder = Path("/srv/shop/rollback_runs/20261123_071009_bb361135")
    watched = Watched(view=failing(t), attended=True, expected=True)
    after = After(folder=folder, watched=watched)
    await t.change(looked_after=after.folder, afters=(after,))


# --- step 6 ---------------------------------------------------------------------------------------


def told(t: Stage) -> Post:
    """Return who was told of the recorded run: the chat all of it, the pager nothing yet."""
    ended = t.moment.records[-1].at

    def notice(occasion: str, at: datetime, title: str) -> Notice:
        return Notice(
            id=occasion,
            occasion=occasion,  # type: ignore[arg-type]
            level="info" if occasion == "started" else "warning",
            at=at,
            title=title,
            body=title,
            places=("chat", "on-call") if occasion == "finished" else ("chat",),
        )

    def sent(what: Notice, place: str, attempt: int, why: str = "") -> Sent:
        at = what.at + timedelta(seconds=1 if attempt == 1 else 5 * 2**attempt)
        return Sent(
            id=what.id, place=place, at=at, ok=not why, attempt=attempt, seconds=0.3, why=why
        )

    begins = notice("started", t.moment.records[0].at, "Rollback of shop (demo) begins")
    ends = notice("finished", ended, "Rollback of shop (demo): rolled back and verified")
    return Post(
        notices=(begins, ends),
        attempts=(
            sent(begins, "chat", 1),
            sent(ends, "chat", 1),
            *(sent(ends, "on-call", n, "connection refused") for n in range(1, 5)),
        ),
    )


def ticks(t: Stage) -> tuple[Ticked, ...]:
    """Return what was ticked: the first thing to do."""
    assert t.walk.view is not None
    first = needed(t.walk.view)[0]
    return (
        Ticked(
            key=first.key,
            done=True,
            at=t.moment.utc - timedelta(minutes=3),
            by="oncall on jump-1",
            note="the new code read the column before it was there",
        ),
    )


@scene("good/done", ReportScreen, derived=BY_HAND, later=LATER)
async def follow_ups(t: Stage) -> None:
    """What is left to be done, with who did what of it; one key ticks."""
    await watch(t, healthy(SAMPLES, since=since(t)))
    assert t.walk.view is not None
    t.world.after.items = ticked(needed(t.walk.view), ticks(t))
    await t.press("f")


@scene("good/done", ReportScreen, derived=BY_HAND, later=LATER)
async def incident(t: Stage) -> None:
    """The incident report in the place of the other; above it, its three files, and what was not
    delivered."""
    view = failing(t)
    await watch(t, view, post=told(t))
    folder = t.walk.folder
    assert folder is not None
    report = build(
        t.moment.records, folder=str(folder), monitoring=view, post=told(t), ticks=ticks(t)
    )
    t.world.after.text = incident_markdown(report)
    await t.press("i")


@scene("good/done", ReportScreen, derived=BY_HAND, later=LATER)
async def who_was_told(t: Stage) -> None:
    """Who was told what and when; what has not arrived says why, and how often it was tried."""
    await watch(t, healthy(SAMPLES, since=since(t)), post=told(t))
    await t.press("t")
