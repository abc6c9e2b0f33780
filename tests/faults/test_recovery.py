"""Something goes wrong while a run that is half done is brought back from its copy.

The plan goes statement by statement and its third cannot be done; nobody is there, so the copy is
swapped in. Before the swap the database is as the script left it, after it as before the run, and
never anything else; who dies in between does not decide it, the catalog does.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults import points
from tests.faults.scenario import Case
from tests.faults.table import figure, note
from tests.faults.test_matrix import (
    END_SECONDS,
    OPEN_AFTER_EXCEPTION_SECONDS,
    OPEN_AFTER_STOP_SECONDS,
    OPEN_SECONDS,
    fault,
)

LISTED = points.listed("recover")
SWAPPED = LISTED.index("during COMMIT of renames #2")
POINTS = LISTED[
    LISTED.index("before statement_failed: 3") : LISTED.index("before phase_finished: open_door")
]

RECOVERING = POINTS[
    POINTS.index("before phase_started: recover") : POINTS.index("after phase_started: open_door")
]
"""Behind these the door is opened as after any run."""


def finish(
    case: Case, request: pytest.FixtureRequest, kind: str, since: float, limit: float
) -> str:
    """Wait for the outcome; assert what must be so with and without the swap; return it."""
    assert case.application.writes_after(since, 1, seconds=END_SECONDS), case.last()
    first = case.application.first_write(since)
    assert first is not None
    outcome = case.wait_for_outcome(END_SECONDS).outcome
    note(request, kind, outcome, figure(first - since, limit))
    if case.view().swapped is None:
        assert outcome == "needs_operator", case.last()
        case.assert_half_done()
    else:
        case.assert_recovered()
    return outcome


@pytest.mark.parametrize(("scenario", "point"), [("recover", p) for p in POINTS])
def test_worker_is_killed_while_it_recovers(
    fresh: Callable[[str], Case],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    scenario: str,
    point: str,
) -> None:
    case = fresh(scenario)
    case.start(monkeypatch, fault(point, "kill"))
    outcome = finish(case, request, "kill worker", case.reached(), OPEN_SECONDS)
    place = LISTED.index(point)
    if place != SWAPPED:
        assert outcome == ("recovered" if place > SWAPPED else "needs_operator"), case.last()


@pytest.mark.parametrize(
    ("scenario", "point"), [("recover", p) for p in RECOVERING if "phase_finished" not in p]
)
def test_server_stops_while_it_recovers(
    fresh: Callable[[str], Case],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    scenario: str,
    point: str,
) -> None:
    """The worker lives: once the server is back, it goes on with the recovery by itself."""
    case = fresh(scenario)
    case.start(monkeypatch, fault(point, "tell"))
    case.reached()
    case.server.crash()
    case.go_on()
    since = case.server.start_again()
    outcome = finish(case, request, "server stop", since, OPEN_AFTER_STOP_SECONDS)
    assert outcome == "recovered", case.last()


@pytest.mark.parametrize(
    ("scenario", "point"), [("recover", p) for p in RECOVERING if not p.startswith("during")]
)
def test_unexpected_exception_while_it_recovers(
    fresh: Callable[[str], Case],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    scenario: str,
    point: str,
) -> None:
    """Nobody knows what is wrong with that worker: the operator is called, or it is proven."""
    case = fresh(scenario)
    case.start(monkeypatch, fault(point, "exception"))
    limit = OPEN_AFTER_EXCEPTION_SECONDS
    outcome = finish(case, request, "exception", case.reached(), limit)
    assert outcome in ("recovered", "needs_operator")
