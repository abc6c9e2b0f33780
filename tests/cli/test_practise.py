"""What a newcomer sees of the demo's second migration, whose way down leaves something behind."""

from __future__ import annotations

import urllib.request

import pytest

from rollback_tui.cli.practise import recorded_demo, roll_back
from rollback_tui.demo import shop
from tests.demo.processes import soon


def test_what_the_second_migration_leaves_behind_is_caught_and_can_be_accepted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Known before the door closes, refused; with a reason it is rolled back, and the shop goes on
    with a schema that has a label more and a NOT NULL less."""
    with recorded_demo(None) as (scene, given):
        everything = shop.applied(scene.dsn)
        assert roll_back(given, 2, {}) == 1
        refused = capsys.readouterr()
        assert shop.applied(scene.dsn) == everything
        assert "Refused: nothing was touched" in refused.out
        assert "2 objects left over" in refused.out
        assert "door closed" not in refused.err

        assert roll_back(given, 2, {"schema_restored": "the label harms nobody"}) == 0
        report = capsys.readouterr().out
        assert shop.applied(scene.dsn) == everything[:-2]
        for text in ("order\\_status", "payments", "the label harms nobody"):
            assert text in report

        def served() -> bool:
            try:
                with urllib.request.urlopen(f"{scene.url}/?user=5", timeout=5) as answer:
                    return bool(answer.status == 200)
            except OSError:
                return False

        assert soon(served, 15)
