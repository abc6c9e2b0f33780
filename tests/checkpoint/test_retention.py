"""What is kept: by number, by age, and never the last net of anybody."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rollback_tui.checkpoint.listing import ListedCheckpoint
from rollback_tui.checkpoint.prune import dumps
from rollback_tui.checkpoint.retention import Rule, fates

DAY = 86400.0


def listed(name: str, days: float, fingerprint: str = "a", **changes: Any) -> ListedCheckpoint:
    about: dict[str, Any] = {
        "path": f"/srv/{name}",
        "name": name,
        "state": "complete",
        "created_at": datetime(2026, 3, 1, tzinfo=UTC),
        "age": days * DAY,
        "bytes": 1,
        "database": "shop",
        "fingerprint": fingerprint,
        "migration_version": None,
        "server_version": None,
        "latest": False,
    }
    return ListedCheckpoint(**(about | changes))


FIVE = [listed(f"{number}", number * 10) for number in range(1, 6)]
"""Newest first: ``1`` is ten days old, ``5`` fifty."""


def going(rule: Rule, found: list[ListedCheckpoint], **needed: str) -> list[str]:
    paths = {f"/srv/{name.strip('_')}": why for name, why in needed.items()}
    return [path.removeprefix("/srv/") for path, f in fates(found, rule, paths).items() if f.goes]


def test_without_a_rule_everything_stays() -> None:
    assert going(Rule(), FIVE) == []


def test_by_number() -> None:
    assert going(Rule(keep=3), FIVE) == ["4", "5"]
    assert going(Rule(keep=9), FIVE) == []


def test_by_age() -> None:
    assert going(Rule(days=25), FIVE) == ["3", "4", "5"]


def test_with_both_it_goes_only_when_neither_keeps_it() -> None:
    assert going(Rule(keep=4, days=25), FIVE) == ["5"]
    assert going(Rule(keep=1, days=45), FIVE) == ["5"]


def test_the_newest_of_each_target_stays_however_old() -> None:
    others = [listed("6", 400, "b"), listed("7", 500, "b")]
    assert going(Rule(days=5), [*FIVE, *others]) == ["2", "3", "4", "5", "7"]


def test_what_a_run_needs_stays_and_says_whose_it_is() -> None:
    assert going(Rule(keep=1), FIVE, _4="run 1a2b3c4d needs the operator") == ["2", "3", "5"]
    fate = fates(FIVE, Rule(keep=1), {"/srv/4": "run 1a2b3c4d needs the operator"})["/srv/4"]
    assert fate.why == "run 1a2b3c4d needs the operator" and not fate.ordinary


def test_the_newest_proven_one_stays() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    found = [*FIVE[:2], listed("3", 30, proven_at=at), listed("4", 40, proven_at=at), FIVE[4]]
    assert going(Rule(keep=1), found) == ["2", "4", "5"]


def test_partial_and_damaged_ones_are_not_counted_and_not_judged() -> None:
    found = [listed("0", 1, state="damaged manifest", fingerprint=None), *FIVE]
    found.insert(0, listed("x", 0, state="partial", fingerprint=None))
    assert going(Rule(keep=3), found) == ["4", "5"]
    assert {"/srv/0", "/srv/x"}.isdisjoint(fates(found, Rule(keep=3)))


def test_why_is_said() -> None:
    found = dumps(FIVE, Rule(keep=3, days=35))
    assert [(item.name, item.why, item.kept_because) for item in found] == [
        ("/srv/4", "number 4 of its target, 3 are kept and older than 35 days", ""),
        ("/srv/5", "number 5 of its target, 3 are kept and older than 35 days", ""),
    ]
