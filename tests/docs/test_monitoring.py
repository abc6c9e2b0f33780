"""The page on the monitoring says the rules as they are."""

from __future__ import annotations

import re

from rollback_tui.config import Monitor, parse
from rollback_tui.core.monitoring.levels import Levels
from rollback_tui.core.monitoring.rules import rules
from rollback_tui.core.monitoring.values import METRICS, Metric, Rule, Unit, Usual
from rollback_tui.core.monitoring.words import amount
from tests.docs.pages import ROOT, code, fenced, rows, section, text_of

PAGE = text_of(ROOT / "docs" / "monitoring.md")


def defaults() -> dict[Metric, Rule]:
    relative: tuple[Metric, ...] = ("query_performance", "query_load")
    usual = [Usual(metric=metric, value=1.0) for metric in relative]
    found = rules(Levels(), Monitor().share, usual, max_connections=100)
    return {rule.metric: rule for rule in found}


def said(rule: Rule, value: float) -> str:
    """A level or threshold as the page says it."""
    unit: Unit = rule.unit
    if rule.metric == "database_connections":
        return amount(value / 100, "share")
    if rule.metric == "cache_hit":
        return f"{amount(1 - value, 'share')} misses"
    return amount(value, unit)


def test_every_metric_is_explained_once() -> None:
    table = list(rows(section(PAGE, "## What is measured")))
    assert [code(row[0]) for row in table] == [[metric] for metric in METRICS]


def test_levels_and_thresholds_are_those_of_the_rules() -> None:
    table = list(rows(section(PAGE, "## When it is an alert")))
    assert [code(row[0]) for row in table] == [[metric] for metric in METRICS]
    for row, rule in zip(table, defaults().values(), strict=True):
        assert rule.level is not None
        assert rule.threshold is not None
        default = row[2].removesuffix(" of `max_connections`")
        assert (default, row[3]) == (said(rule, rule.level), said(rule, rule.threshold)), row[0]
        if rule.metric != "database":
            (key,) = code(row[1])
            assert f"[monitor.levels] {key}" in rule.basis
            assert hasattr(Levels(), key)
        least = re.findall(r"of ([\d,]+) \w+ and more", row[4])
        assert [int(one.replace(",", "")) for one in least] == (
            [rule.at_least] if rule.at_least else []
        ), row[0]


def test_its_settings_can_be_loaded() -> None:
    found = [parse(text) for text in fenced(PAGE, "toml")]
    assert [one.monitor.interval_seconds for one in found] == [30, 15]
    assert found[0].monitor.levels.connections == 0.7
    assert "{seconds}" in found[1].prometheus.failed_requests
