"""Something goes wrong at a point of a run, while six sessions under the same role write.

Whatever it is and wherever: version row, schema and journal agree, there is one outcome, no
acknowledged write is lost, applications are in again soon, and nothing is left over.
"""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from rollback_tui.core.errors import RunRefused
from tests.faults import points
from tests.faults.scenario import Case
from tests.faults.table import figure, note
from tests.started import remembered

OPEN_SECONDS = 1.0
"""From a worker's death until an application has written again: what a machine with nothing else to
do needs less than. The table shows where it took longer; on a busy machine that proves nothing."""
OPEN_AFTER_EXCEPTION_SECONDS = 2.0
"""The same from an exception: if it is nobody's to catch, the worker ends first, and tidily."""
OPEN_AFTER_STOP_SECONDS = 10.0
"""The same from the moment at which a stopped server accepts connections again."""
NOTICED_SECONDS = 1.3
"""The same for a signal: the injector itself holds the run for 0.3 s, so that it is heard."""
BY_HAND_SECONDS = 2.0
"""The same for ``settle``, from when Python has loaded the half of it."""
END_SECONDS = 60.0
"""Until an application has written again, and until the outcome: whoever is not in again by then,
would never have been."""

PLAIN = points.listed("plain")
FULL = [("plain", point) for point in PLAIN] + [
    (scenario, point)
    for scenario in ("dump", "clone")
    for point in points.listed(scenario)
    if point not in PLAIN
]
"""All points; of the scenarios with a dump and with a clone, those that are theirs alone."""


class Expected:
    """Which outcomes are allowed at a point, and why."""

    def __init__(self, scenario: str, point: str) -> None:
        listed = points.listed(scenario)
        place = listed.index(point)
        self.point = point
        self.begun = point != listed[0]
        """Before the first fact is on disk there is no run, and so no outcome."""
        self.door_closed = place >= listed.index("before phase_finished: close_door")
        self.in_transaction = place >= listed.index("after transaction_started")
        self.commit_sent = place > listed.index("before COMMIT")
        self.commit_unanswered = point == "during COMMIT"
        self.in_phase_commit = (
            listed.index("before COMMIT") <= place < listed.index("before phase_started: open_door")
        )

    def after_death(self) -> set[str]:
        """Settled by somebody who knows the journal and asks the database."""
        if self.commit_unanswered:
            return {"unchanged", "rolled_back"}
        if self.commit_sent:
            return {"rolled_back"}
        return {"unchanged"} if self.in_transaction else {"refused"}

    def after_stop(self) -> set[str]:
        """The worker lives: behind the closed door it proves what it says when it can begin the
        transaction, or notices that it cannot."""
        if self.door_closed and not self.in_transaction:
            return {"refused", "unchanged"}
        return self.after_death()

    def after_signal(self) -> set[str]:
        """An abort, which is obeyed until the word COMMIT."""
        if self.point == "before COMMIT":
            return {"rolled_back"}
        return self.after_stop()


def fault(point: str, what: str) -> dict[str, str]:
    return {"point": point, "what": what}


def finish(
    case: Case,
    request: pytest.FixtureRequest,
    kind: str,
    allowed: set[str],
    since: float,
    limit: float,
) -> None:
    """Wait for the outcome; assert it and all that must be so; note the figures."""
    assert case.application.writes_after(since, 1, seconds=END_SECONDS), case.last()
    first = case.application.first_write(since)
    assert first is not None
    outcome = case.wait_for_outcome(END_SECONDS).outcome
    note(request, kind, outcome, figure(first - since, limit))
    assert outcome in allowed, f"{outcome} is not one of {allowed}\n{case.last()}"
    case.assert_sound(committed=outcome in ("rolled_back", "needs_operator"))


def not_begun(case: Case, request: pytest.FixtureRequest, kind: str, since: float) -> None:
    """The fault came before the run stood: nothing was begun, nothing is left, it is said."""
    assert case.application.writes_after(since, 1, seconds=END_SECONDS)
    case.wait_until_alone(END_SECONDS)
    assert not case.records()
    note(request, kind, "not begun", "")
    case.assert_untouched()


@pytest.mark.parametrize(("scenario", "point"), FULL)
def test_worker_is_killed(
    fresh: Callable[[str], Case],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    scenario: str,
    point: str,
) -> None:
    case, expected = fresh(scenario), Expected(scenario, point)
    if not expected.begun:
        with pytest.raises(RunRefused):
            case.start(monkeypatch, fault(point, "kill"))
        not_begun(case, request, "kill worker", case.reached())
        return
    case.start(monkeypatch, fault(point, "kill"))
    allowed = expected.after_death()
    finish(case, request, "kill worker", allowed, case.reached(), OPEN_SECONDS)


@pytest.mark.parametrize(
    ("scenario", "point"), [(s, p) for s, p in FULL if not p.startswith("during")]
)
def test_unexpected_exception(
    fresh: Callable[[str], Case],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    scenario: str,
    point: str,
) -> None:
    case, expected = fresh(scenario), Expected(scenario, point)
    if not expected.begun:
        with pytest.raises(RunRefused):
            case.start(monkeypatch, fault(point, "exception"))
        not_begun(case, request, "exception", case.reached())
        return
    case.start(monkeypatch, fault(point, "exception"))
    allowed = expected.after_stop()
    if expected.commit_sent and expected.in_phase_commit:
        # Committed, but by a worker of which nobody knows what is wrong with it.
        allowed = {"needs_operator"}
    finish(case, request, "exception", allowed, case.reached(), OPEN_AFTER_EXCEPTION_SECONDS)


STOPPED_AT = [
    (s, p)
    for s, p in FULL
    if "verification_judged" not in p
    and "phase_finished" not in p
    and not p.startswith("after statement")
    and p != PLAIN[0]
]
"""Where the server holds something else than at the point before: so not at the end of a phase,
and of the statements and verifications, which are all in one transaction, only inside each
statement. Before the first fact nothing has been asked of the server yet."""


@pytest.mark.parametrize(("scenario", "point"), STOPPED_AT)
def test_server_stops_at_once(
    fresh: Callable[[str], Case],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    scenario: str,
    point: str,
) -> None:
    case, expected = fresh(scenario), Expected(scenario, point)
    case.start(monkeypatch, fault(point, "tell"))
    case.reached()
    case.server.crash()
    case.go_on()
    since = case.server.start_again()
    allowed = expected.after_stop()
    finish(case, request, "server stop", allowed, since, OPEN_AFTER_STOP_SECONDS)


KEY_POINTS = [
    (s, p)
    for s, p in FULL
    if p.startswith(("before phase_started", "during", "before C"))
    or p in ("after transaction_started", "before committed")
]
"""Where the costlier faults are tried: between the phases, inside statements, a dump and a copy,
and at COMMIT."""

BOTH_AT = [(s, p) for s, p in KEY_POINTS if not p.endswith(("announce", "drain", "gate", "1", "3"))]
"""The costliest of all: Python starts five times."""


@pytest.mark.parametrize(("scenario", "point"), BOTH_AT)
def test_worker_and_guardian_are_killed(
    fresh: Callable[[str], Case],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    scenario: str,
    point: str,
) -> None:
    case, expected = fresh(scenario), Expected(scenario, point)
    case.start(monkeypatch, fault(point, "kill both"))
    case.reached()
    case.wait_until_alone(END_SECONDS)
    assert case.view().finished is None
    # Nothing else can begin before this one has been settled.
    refused = case.command(*case.run_arguments)
    assert refused.returncode == 1, refused.stdout + refused.stderr
    assert "settle" in refused.stderr, refused.stderr
    started = case.view().started
    assert started is not None
    settled = case.command("settle", started.run, "--json", fault=fault("", "nothing"))
    since = case.loaded()
    outcome = json.loads(settled.stdout)["outcome"]
    assert outcome == case.wait_for_outcome(END_SECONDS).outcome
    allowed = expected.after_death()
    finish(case, request, "kill both", allowed, since, BY_HAND_SECONDS)
    again = case.command("settle", started.run, "--json")
    assert json.loads(again.stdout)["outcome"] == outcome, again.stderr


@pytest.mark.parametrize("point", [p for p in points.listed("settle") if "phase" not in p])
def test_settling_is_killed_as_well(
    fresh: Callable[[str], Case],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    point: str,
) -> None:
    """Worker and guardian die when COMMIT was answered, and then whoever settles that."""
    case = fresh("plain")
    case.start(monkeypatch, fault("before committed", "kill both"))
    case.reached()
    case.wait_until_alone(END_SECONDS)
    started = case.view().started
    assert started is not None
    killed = case.command("settle", started.run, "--json", fault=fault(point, "kill"))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    settled = case.command("settle", started.run, "--json", fault=fault("", "nothing"))
    assert json.loads(settled.stdout)["outcome"] == "rolled_back", settled.stderr
    finish(case, request, "kill both", {"rolled_back"}, case.loaded(), BY_HAND_SECONDS)


@pytest.mark.parametrize(
    ("scenario", "point"), [(s, p) for s, p in KEY_POINTS if not p.startswith("during COMMIT")]
)
def test_worker_is_told_to_end(
    fresh: Callable[[str], Case],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    scenario: str,
    point: str,
) -> None:
    case, expected = fresh(scenario), Expected(scenario, point)
    case.start(monkeypatch, fault(point, "SIGTERM"))
    allowed = expected.after_signal()
    finish(case, request, "SIGTERM", allowed, case.reached(), NOTICED_SECONDS)


@pytest.mark.parametrize("point", [p for p in PLAIN if p.startswith("before phase_started")])
def test_terminal_is_hung_up(
    fresh: Callable[[str], Case],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    point: str,
) -> None:
    """The run goes on to its end, as if nothing had happened."""
    case = fresh("plain")
    master, slave = pty.openpty()
    try:
        terminal = remembered(
            subprocess.Popen(
                [sys.executable, "-m", "rollback_tui", *case.run_arguments],
                cwd=case.directory,
                env={**os.environ, **case.environment(fault(point, "tell"))},
                stdin=slave,
                stdout=slave,
                stderr=slave,
                preexec_fn=take_terminal,
            )
        )
    finally:
        os.close(slave)
    case.reached()
    os.close(master)
    since = time.monotonic()
    assert terminal.wait(END_SECONDS) != 0
    assert case.view().finished is None
    case.go_on()
    finish(case, request, "SIGHUP terminal", {"rolled_back"}, since, END_SECONDS)


def take_terminal() -> None:
    """Become a session of one's own, whose controlling terminal is standard input."""
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
