"""The list of points is the list of what a run does: a new step without a fault is noticed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import points
from tests.faults.scenario import Case


def compare(found: list[str], name: str, directory: Path) -> None:
    (directory / f"{name}.txt").write_text("".join(f"{point}\n" for point in found), "utf-8")
    assert found == points.listed(name), f"other steps now; they are in {directory / name}.txt"


@pytest.mark.parametrize("scenario", ["plain", "dump", "clone"])
def test_every_sub_step_of_a_run_is_in_the_list(
    fresh: Callable[[str], Case], scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = fresh(scenario)
    case.start(monkeypatch, {"record": str(tmp_path / "points")})
    assert case.wait_for_outcome(60).outcome == "rolled_back", case.last()
    case.assert_sound(committed=True)
    compare(points.recorded(tmp_path / "points"), scenario, tmp_path)


def test_every_sub_step_of_a_recovery_is_in_the_list(
    fresh: Callable[[str], Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = fresh("recover")
    case.start(monkeypatch, {"record": str(tmp_path / "points")})
    assert case.wait_for_outcome(60).outcome == "recovered", case.last()
    case.assert_recovered()
    compare(points.recorded(tmp_path / "points"), "recover", tmp_path)


def test_every_sub_step_of_settling_is_in_the_list(
    fresh: Callable[[str], Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = fresh("plain")
    case.start(monkeypatch, {"point": "before committed", "what": "kill both"})
    case.reached()
    case.wait_until_alone(60)
    started = case.view().started
    assert started is not None
    record = {"record": str(tmp_path / "points")}
    settled = case.command("settle", started.run, "--json", fault=record)
    assert settled.returncode == 0, settled.stderr
    case.assert_sound(committed=True)
    compare(points.recorded(tmp_path / "points"), "settle", tmp_path)
