"""The rules: made of levels and of what was usual, and said in words that are true."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_tui.core.monitoring.judge import past
from rollback_tui.core.monitoring.levels import Levels
from rollback_tui.core.monitoring.rules import FULL, rules
from rollback_tui.core.monitoring.values import METRICS, Metric, Reading, Rule, Unit, Usual
from rollback_tui.core.monitoring.words import amount


def rule(metric: Metric, usual: float | None = None, share: float = 0.8, **changes: Any) -> Rule:
    known = [] if usual is None else [Usual(metric=metric, value=usual)]
    found = rules(Levels(**changes), share, known, max_connections=100)
    return next(one for one in found if one.metric == metric)


def test_each_metric_has_one_rule_in_the_order_in_which_they_are_shown() -> None:
    assert tuple(one.metric for one in rules(Levels(), 0.8, ())) == METRICS


@pytest.mark.parametrize(
    ("metric", "level", "threshold"),
    [
        ("error_rate", 0.05, 0.04),
        ("response_time", 1, 0.8),
        ("database_connections", 90, 72),
        ("longest_query", 60, 48),
        ("query_errors", 5, 4),
        ("rollbacks", 0.05, 0.04),
        ("deadlocks", 1, 0.8),
        ("lock_waits", 5, 4),
        ("replication_lag", 30, 24),
        ("cache_hit", 0.75, 0.8),
        ("database", 5, 4),
    ],
)
def test_the_threshold_is_a_share_of_the_normal_level(
    metric: Metric, level: float, threshold: float
) -> None:
    found = rule(metric)
    assert (found.level, found.threshold) == (level, threshold)
    assert "0.8 of " in found.basis
    assert not found.basis.startswith("not judged")


@pytest.mark.parametrize(("metric", "threshold"), [("query_performance", 1.6), ("query_load", 2.4)])
def test_what_is_relative_is_judged_only_where_what_was_usual_is_known(
    metric: Metric, threshold: float
) -> None:
    assert rule(metric, 1.0).threshold == threshold
    unknown = rules(
        Levels(), 0.8, [Usual(metric=metric, value=None, why="pg_stat_statements is not installed")]
    )
    found = next(one for one in unknown if one.metric == metric)
    assert (found.level, found.threshold) == (None, None)
    assert found.basis == (
        "not judged: what was usual is not known: pg_stat_statements is not installed"
    )
    assert not past(found, 1000.0)
    assert rule(metric).basis.startswith("not judged: ")


def test_connections_are_judged_only_where_it_is_known_how_many_there_can_be() -> None:
    found = next(r for r in rules(Levels(), 0.8, ()) if r.metric == "database_connections")
    assert found.level is None
    assert found.basis == "not judged: max_connections of the server is not known"


def test_a_level_near_what_was_usual_is_raised_and_the_words_say_so() -> None:
    found = rule("error_rate", 0.06)
    assert (found.level, found.threshold, found.usual) == (0.12, 0.096, 0.06)
    assert found.basis == (
        "0.8 of 12 % (usual before the run: 6 %), not of 5 %, the level in [monitor.levels]"
        " error_rate"
    )
    assert rule("error_rate", 0.02).basis == (
        "0.8 of 5 %, the level in [monitor.levels] error_rate"
    )


def test_the_cache_gets_worse_downwards_and_its_misses_are_what_was_usual() -> None:
    found = rule("cache_hit", 0.7)
    assert found.worse == "below"
    assert (found.level, found.threshold) == (0.4, 0.52)
    assert "usual before the run: 30 % misses" in found.basis
    assert past(found, 0.5)
    assert not past(found, 0.53)


@pytest.mark.parametrize(
    ("metric", "usual", "bad", "well"),
    [
        ("error_rate", 0.4, 0.41, 0.04),
        ("error_rate", 1.0, 1.0, 0.0),
        ("response_time", 2.0, 1.9, 0.8),
        ("cache_hit", 0.7, 0.75, 0.85),
    ],
)
def test_what_was_bad_before_is_no_alert_and_not_well_either(
    metric: Metric, usual: float, bad: float, well: float
) -> None:
    found = rule(metric, usual)

    def read(value: float | None, counted: int | None = None) -> Reading:
        return Reading(metric=metric, value=value, counted=counted)

    assert found.normal is not None
    assert found.threshold is None or not past(found, bad)
    assert found.as_bad_as_before(read(bad))
    assert not found.as_bad_as_before(read(well))
    assert not found.as_bad_as_before(read(None))
    if found.at_least is not None:
        assert not found.as_bad_as_before(read(bad, found.at_least - 1))


@pytest.mark.parametrize(("counted", "threshold"), [(1, 0.04), (4, 0.04), (5, None), (None, None)])
def test_few_probes_before_the_run_are_no_habit(
    counted: int | None, threshold: float | None
) -> None:
    usual = Usual(metric="error_rate", value=1.0, counted=counted)
    found = next(r for r in rules(Levels(), 0.8, (usual,)) if r.metric == "error_rate")
    assert found.threshold == threshold
    assert ("to call what failed a habit" in found.basis) == (threshold is not None)
    if threshold is not None:
        assert found.usual is None
        assert not found.as_bad_as_before(Reading(metric="error_rate", value=1.0))


def test_what_was_well_before_has_one_threshold() -> None:
    for metric, usual in (("error_rate", 0.035), ("response_time", 0.2), ("cache_hit", 0.99)):
        assert rule(metric, usual).normal is None
    assert rule("query_performance", 1.0).normal is None


def test_what_was_always_at_its_worst_cannot_be_judged() -> None:
    found = rule("rollbacks", 0.97)
    assert found.level is None
    assert found.basis == "not judged: usual before the run: 97 %, hardly more is possible"
    assert rule("rollbacks", 0.6).threshold == pytest.approx(0.8)


def test_a_small_share_does_not_make_what_is_usual_an_alert() -> None:
    found = rule("error_rate", 0.06, share=0.2)
    assert found.threshold == pytest.approx(0.075)
    assert "is too near to that" in found.basis
    assert rule("query_performance", 1.0, share=0.5).threshold == 1.25


_TOP: dict[Metric, float] = {"error_rate": 1, "rollbacks": 1, "database_connections": 100}


@given(
    metric=st.sampled_from(METRICS[1:]),
    usual=st.floats(0, 1),
    scale=st.floats(0, 20),
    share=st.floats(0.01, 1),
)
def test_what_was_usual_is_never_an_alert_and_more_of_it_always_can_be(
    metric: Metric, usual: float, scale: float, share: float
) -> None:
    of_share = metric in ("error_rate", "rollbacks", "cache_hit")
    before = usual if of_share else min(usual * scale * 20, 100.0)
    if metric in ("query_performance", "query_load"):
        before = 1.0
    found = rule(metric, before, share)
    if found.level is None or found.threshold is None:
        bad = 1 - before if metric == "cache_hit" else before
        assert bad >= FULL * _TOP.get(metric, 1) - 1e-9
        assert found.basis.startswith("not judged: ")
        return
    assert not past(found, before)
    worst = {"cache_hit": 0.0, **_TOP}.get(metric, 1e9)
    assert past(found, worst)
    assert (
        found.threshold >= found.level
        if metric == "cache_hit"
        else (found.threshold <= found.level)
    )
    assert amount(found.threshold, found.unit)


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.045, "share", "4.5 %"),
        (1.0, "share", "100 %"),
        (0.0001, "share", "0.01 %"),
        (0.35, "seconds", "350 ms"),
        (0.9996, "seconds", "1 s"),
        (7200, "seconds", "7,200 s"),
        (1.6, "times", "1.6 times"),
        (72.0, "sessions", "72"),
        (4, "a minute", "4 a minute"),
        (0.25, "a second", "0.25 a second"),
    ],
)
def test_numbers_in_words(value: float, unit: Unit, said: str) -> None:
    assert amount(value, unit) == said
    assert unit in get_args(Unit)
