"""The list of points is the list of what a run does: a new step without a fault is noticed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import points
from tests.faults.scenario import Case


@pytest.mark.parametrize("scenario", ["plain"])
def test_every_sub_step_of_a_run_is_in_the_list(
    fresh: Callable[[str], Case], scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = fresh(scenario)
    case.start(monkeypatch, {"record": str(tmp_path / "points")})
    assert case.wait_for_outcome(60).outcome == "rolled_back", case.last()
    case.assert_sound(committed=True)
    found = points.recorded(tmp_path / "points")
    (tmp_path / f"{scenario}.txt").write_text("".join(f"{point}\n" for point in found), "utf-8")
    assert found == points.listed(scenario), (
        f"the run has other steps now; they are in {tmp_path / scenario}.txt"
    )
