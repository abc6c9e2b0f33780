"""The judge: a fault is an alert within two intervals, a blip and a habit are none."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rollback_tui.core.monitoring.judge import (
    MOST_GOOD,
    Judge,
    chance_of_rate,
    chance_of_share,
)
from rollback_tui.core.monitoring.levels import Levels
from rollback_tui.core.monitoring.rules import rules
from rollback_tui.core.monitoring.values import (
    Cleared,
    Gap,
    Line,
    Metric,
    Raised,
    Reading,
    Rule,
    Sampled,
    Usual,
)

BEGAN = datetime(2024, 1, 15, 3, 0, tzinfo=UTC)
INTERVAL = 15.0


def all_rules(**usual: float) -> tuple[Rule, ...]:
    known: Any = usual | {"query_performance": 1.0, "query_load": 1.0}
    return rules(
        Levels(),
        0.8,
        [Usual(metric=metric, value=value) for metric, value in known.items()],
        max_connections=100,
    )


class Course:
    """One metric, sample by sample."""

    def __init__(self, metric: Metric, **usual: float) -> None:
        self.metric = metric
        self.judge = Judge(all_rules(**usual), INTERVAL)
        self.at = BEGAN
        self.lines: list[Line] = []

    def sample(
        self,
        value: float | None,
        counted: int | None = None,
        seconds: float = INTERVAL,
        **more: Any,
    ) -> str:
        """Return what came of it: ``raised``, ``cleared`` or nothing."""
        self.at += timedelta(seconds=seconds)
        reading = Reading(metric=self.metric, value=value, counted=counted, **more)
        sampled = Sampled(at=self.at, readings=(reading,))
        found = self.judge.judge(sampled)
        self.lines += [sampled, *found]
        return "".join(type(line).__name__.lower() for line in found)

    def samples(self, values: Iterable[float | None], counted: int | None = None) -> list[str]:
        return [self.sample(value, counted) for value in values]


GAUGES: dict[Metric, tuple[float, float]] = {
    "database": (0.02, 4.5),
    "response_time": (0.2, 3),
    "database_connections": (20, 80),
    "query_performance": (1.1, 4),
    "query_load": (1.2, 5),
    "longest_query": (1, 50),
    "lock_waits": (0, 7),
    "cache_hit": (0.99, 0.4),
    "replication_lag": (0.1, 60),
}
"""What is well, and what is not."""


@pytest.mark.parametrize("metric", GAUGES)
def test_a_gauge_is_an_alert_at_its_second_bad_sample_and_over_at_its_second_good_one(
    metric: Metric,
) -> None:
    good, bad = GAUGES[metric]
    course = Course(metric)
    assert course.samples([good, good, bad, bad, bad], 5000) == ["", "", "", "raised", ""]
    assert course.samples([good, bad, good, good, good], 5000) == ["", "", "", "cleared", ""]
    cleared = course.lines[-2]
    assert isinstance(cleared, Cleared)
    assert cleared.seconds == 5 * INTERVAL


@pytest.mark.parametrize("metric", GAUGES)
def test_one_bad_sample_calls_nobody(metric: Metric) -> None:
    good, bad = GAUGES[metric]
    course = Course(metric)
    assert not any(course.samples([good, bad, good, good, bad, good] * 20, 5000))


@pytest.mark.parametrize("metric", GAUGES)
def test_a_suspect_is_named_so_that_it_is_looked_at_again_soon(metric: Metric) -> None:
    good, bad = GAUGES[metric]
    course = Course(metric)
    course.sample(good, 5000)
    assert course.judge.suspects == ()
    course.sample(bad, 5000)
    assert course.judge.suspects == (metric,)
    assert course.sample(bad, 5000, seconds=INTERVAL / 2) == "raised"
    assert course.judge.suspects == ()


def test_a_database_that_does_not_answer_is_an_alert_at_once() -> None:
    course = Course("database")
    course.sample(0.02)
    assert course.sample(None, why="connection refused \x1b[31m") == "raised"
    raised = course.lines[-1]
    assert isinstance(raised, Raised)
    assert raised.summary == "database: no answer: connection refused ␛[31m"
    assert course.samples([None, 0.02, None, 0.02, 0.02]) == ["", "", "", "", "cleared"]


def test_all_probes_failing_is_an_alert_at_once() -> None:
    course = Course("error_rate")
    assert course.samples([0.0, 1.0], 3) == ["", "raised"]
    assert Course("error_rate").samples([1.0, 1.0], 2) == ["", "raised"]


@pytest.mark.parametrize("seed", range(5))
def test_half_of_the_requests_failing_is_an_alert_within_two_intervals(seed: int) -> None:
    chance = random.Random(seed)
    course = Course("error_rate", error_rate=0.0)
    course.samples([0.0] * 4, 10)
    shares = [sum(chance.random() < 0.5 for _ in range(10)) / 10 for _ in range(3)]
    # A sample, and where it makes somebody suspect two in the time of one.
    found = [course.sample(shares[0], 10)]
    found += [course.sample(share, 10, seconds=INTERVAL / 2) for share in shares[1:]]
    assert "raised" in found


def test_one_probe_that_fails_now_and_then_is_no_alert() -> None:
    course = Course("error_rate", error_rate=0.0)
    assert not any(course.samples([0.2, 0, 0, 0, 0, 0, 0, 0, 0] * 40, 5))


def test_an_error_rate_by_prometheus_is_a_gauge() -> None:
    assert Course("error_rate").samples([0.0, 0.06, 0.06]) == ["", "", "raised"]


def test_the_numbers_are_said_where_a_share_alone_says_little() -> None:
    course = Course("error_rate", error_rate=0.001)
    course.sample(0.0, 5)
    course.sample(0.4, 5, evidence=("2 × main: HTTP 500",))
    course.sample(0.6, 5, evidence=("3 × main: HTTP 500",))
    raised = course.lines[-1]
    assert isinstance(raised, Raised)
    assert raised.summary == (
        "error_rate 60 % > 4 % (0.8 of 5 %, the level in [monitor.levels] error_rate; before the"
        " run 0.1 %)"
    )
    assert raised.evidence == ("5 of 10 probes failed", "3 × main: HTTP 500")
    assert (raised.value, raised.threshold) == (0.6, 0.04)


def test_of_few_transactions_nothing_is_judged() -> None:
    course = Course("rollbacks")
    assert not any(course.samples([1.0] * 10, 2))
    assert course.samples([0.5, 0.5], 1000) == ["", "raised"]


def test_deadlocks_in_two_samples_are_an_alert_and_one_is_none() -> None:
    lone = Course("deadlocks")
    assert not any(lone.samples([4.0] + [0.0] * 20, None))
    course = Course("deadlocks")
    assert course.samples([0.0, 4.0, 4.0]) == ["", "", "raised"]


def test_what_is_rare_and_goes_on_is_an_alert_too() -> None:
    course = Course("deadlocks")
    # One in every third sample of 15 s: 1.3 a minute.
    assert "raised" in course.samples([4.0, 0.0, 0.0] * 4)


def healthy(
    chance: random.Random,
) -> Iterator[dict[Metric, tuple[float | None, int | None]]]:
    """Two hours of an application with habits and noise; now and then, each by itself, something
    is very slow for a moment, or meets a deadlock."""
    for number in range(480):
        probes = 5
        transactions = chance.randint(300, 3000)

        def lone(value: float, usual: float, every: int, number: int = number) -> float:
            return value if number % every == every - 1 else usual

        yield {
            "database": (lone(4.9, chance.uniform(0.005, 0.2), 40), None),
            "error_rate": (sum(chance.random() < 0.06 for _ in range(probes)) / probes, probes),
            "response_time": (lone(5, chance.uniform(0.05, 0.3), 15), 5),
            "database_connections": (lone(99, chance.randint(75, 88), 50), 80),
            "query_performance": (lone(9, chance.uniform(0.7, 1.4), 12), 900),
            "query_load": (lone(9, chance.uniform(0.3, 2.2), 12), 900),
            "longest_query": (lone(70, chance.uniform(0, 5), 9), None),
            "query_errors": (4.0 * sum(chance.random() < 0.1 for _ in range(10)), None),
            "rollbacks": (
                sum(chance.random() < 0.1 for _ in range(transactions)) / transactions,
                transactions,
            ),
            "deadlocks": (lone(4, 0, 20), None),
            "lock_waits": (lone(30, chance.randint(0, 3), 11), None),
            "cache_hit": (lone(0.1, chance.uniform(0.55, 0.75), 30), 90_000),
            "replication_lag": (None, None),
        }


@pytest.mark.parametrize("seed", range(6))
def test_a_healthy_application_with_its_own_habits_never_alerts(seed: int) -> None:
    judge = Judge(
        all_rules(
            error_rate=0.06,
            rollbacks=0.1,
            database_connections=82,
            cache_hit=0.65,
            query_errors=4.0,
        ),
        INTERVAL,
    )
    at = BEGAN
    found: list[Raised | Cleared] = []
    chance = random.Random(seed)
    for values in healthy(chance):
        at += timedelta(seconds=INTERVAL)
        readings = tuple(
            Reading(metric=metric, value=value, counted=counted)
            for metric, (value, counted) in values.items()
        )
        found += judge.judge(Sampled(at=at, readings=readings))
    assert [line.summary for line in found if isinstance(line, Raised)] == []


def test_a_reading_without_value_neither_raises_nor_clears() -> None:
    course = Course("longest_query")
    assert course.samples([None] * 10) == [""] * 10
    assert course.samples([50, None, 50]) == ["", "", "raised"]
    assert course.samples([None] * 50) == [""] * 50
    assert course.samples([1, None, 1]) == ["", "", "cleared"]


def test_two_bad_samples_far_apart_are_not_two_in_a_row() -> None:
    course = Course("longest_query")
    assert course.samples([50, *[None] * 10, 50]) == [""] * 12


def test_what_goes_up_and_down_does_not_flap() -> None:
    course = Course("response_time")
    found = course.samples([3, 3, 0.2, 0.2] * 60)
    assert found.count("raised") == found.count("cleared") + 1 == 2
    # And when it is well at last, that is said.
    assert course.samples([0.2] * MOST_GOOD).count("cleared") == 1


def test_a_gap_breaks_every_row_and_ends_no_alert() -> None:
    course = Course("response_time")
    course.sample(3)
    course.judge.gap()
    assert course.samples([3, 3]) == ["", "raised"]
    course.sample(0.2)
    course.judge.gap()
    assert course.samples([0.2, 0.2]) == ["", "cleared"]


def test_a_clock_that_is_set_makes_no_minutes() -> None:
    course = Course("deadlocks")
    assert course.sample(4.0, seconds=3600) == ""
    assert course.sample(0.0, seconds=-3600) == ""


@pytest.mark.parametrize("cut", range(8))
def test_replayed_it_goes_on_as_if_nobody_had_stopped(cut: int) -> None:
    """Whoever wrote the lines was killed after the ``cut``-th one."""
    values = [0.2, 3, 3, 0.2, 0.2, 3, 3, 0.2]
    whole = Course("response_time")
    whole.samples(values)
    later = Judge(all_rules(), INTERVAL)
    lines: list[Line] = list(whole.lines[:cut])
    lines += later.replay(lines)
    for line in whole.lines[cut:]:
        if isinstance(line, Sampled):
            lines += [line, *later.judge(line)]
    assert lines == whole.lines


def test_what_stands_is_what_was_written_also_by_a_version_that_judged_otherwise() -> None:
    course = Course("response_time")
    course.samples([3, 3, 3, 3])
    unjudged = [line for line in course.lines if isinstance(line, Sampled)]
    judge = Judge(all_rules(), INTERVAL)
    missing = judge.replay(unjudged)
    # Only of the last sample it is not known whether somebody was about to say so.
    assert [line.at for line in missing] == [course.at]
    assert tuple(judge.standing.values()) == missing
    judge = Judge(all_rules(), INTERVAL)
    assert judge.replay([*unjudged, Gap(at=course.at, since=course.at)]) == ()
    assert judge.standing == {}


@pytest.mark.parametrize("share", [0.01, 0.06, 0.3])
@pytest.mark.parametrize("of", [5, 15, 40])
def test_the_bound_of_chance_is_one(share: float, of: int) -> None:
    chance = random.Random(1)
    runs = [sum(chance.random() < share for _ in range(of)) for _ in range(2000)]
    for seen in range(1, of + 1):
        happened = sum(one >= seen for one in runs) / len(runs)
        assert happened <= chance_of_share(seen, of, share) + 0.03


def test_chance_where_nothing_was_expected() -> None:
    assert chance_of_share(0, 10, 0.01) == 1
    assert chance_of_share(10, 10, 0.01) == pytest.approx(1e-20)
    assert chance_of_rate(0, 0.5) == 1
    assert chance_of_rate(2, 0.005) < 1e-4 < chance_of_rate(1, 0.005)
