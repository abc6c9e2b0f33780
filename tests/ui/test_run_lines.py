"""The run console in lines: every phase and every event that keeps a run safe has its words."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import msgspec
import pytest

from rollback_tui.core import events as ev
from rollback_tui.core.claim import Controls
from rollback_tui.core.run_view import RunView, StatementView
from rollback_tui.ui.hints import hint
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.widgets.run_lines import NAMES, log_line, now_line, phase_lines, statement_row
from tests.core.example import plan, records, recovered_from_the_clone, stopped_in_the_middle, view


def test_every_phase_has_a_name() -> None:
    assert set(NAMES) == set(get_args(ev.Phase))


def test_the_phase_that_only_some_runs_have_is_a_line() -> None:
    running = view(ev.PhaseStarted(phase="clone"))
    assert "copy it" in phase_lines(Walk(view=running), 0.0).plain
    assert "copy it" not in phase_lines(Walk(view=RunView()), 0.0).plain


def lines(events: tuple[ev.AnyEvent, ...]) -> str:
    return "\n".join(filter(None, (log_line(r, plan()) for r in records(*events))))


@pytest.mark.parametrize(
    "words",
    [
        "door applications could not enter",
        "COMMIT is decided by the run's own row in rollback_tui.runs",
        "copy shop__clone_5d0c6a1e, in 1.9 s",
        "swapped the failed database is kept as shop__failed_5d0c6a1e",
    ],
)
def test_the_log_of_a_recovery(words: str) -> None:
    assert words in lines(recovered_from_the_clone())


@pytest.mark.parametrize(
    "words",
    [
        "steps statement by statement: what is done stays done",
        "COMMIT is decided by the version table, because: no CREATE on the database",
        "skipped statement 1: done by the run 4c0ffee0",
    ],
)
def test_the_log_of_a_plan_that_goes_step_by_step(words: str) -> None:
    assert words in lines(stopped_in_the_middle())


def test_a_copy_that_was_dropped_is_said() -> None:
    assert "copy x dropped" in lines((ev.CloneDropped(database="x"),))


def test_a_statement_that_an_earlier_run_did_says_so() -> None:
    found = view(*stopped_in_the_middle())
    assert statement_row(found.statements[0], plan(), ended=True)[-1].plain.strip() == "done before"


def test_nothing_is_under_way_in_a_run_that_has_ended() -> None:
    begun = StatementView(1, "running")
    *_, before = statement_row(begun, plan(), ended=False)
    mark, *_, after = statement_row(begun, plan(), ended=True)
    assert (before.plain.strip(), after.plain.strip()) == ("running", "stopped")
    assert mark.plain == "✗"


def test_between_two_phases_the_next_one_is_named() -> None:
    done = view(
        ev.PhaseStarted(phase="preflight"),
        ev.PhaseFinished(phase="preflight", status="done", seconds=0.1),
    )
    assert "next: checkpoint" in now_line(Walk(view=done), 0.0).plain


def test_the_command_that_settles_stands_on_a_line_of_its_own() -> None:
    walk = Walk(view=view(), worker="dead", folder=Path("/srv/rollback_runs/run-1"))
    rows = now_line(walk, 0.0).plain.splitlines()
    assert rows[-1].strip().startswith("rollback-tui settle")
    assert all(len(row) < 80 for row in rows)


def test_a_run_that_nothing_works_on_is_not_said_to_go_on() -> None:
    walk = Walk(view=view(), worker="dead", folder=Path("/srv/rollback_runs/run-1"))
    at_controls = msgspec.structs.replace(walk, controls=Controls(mine=True))
    said, _ = hint(at_controls, 4)
    assert "goes on" not in said
    assert "aborts" not in said
    living, _ = hint(msgspec.structs.replace(at_controls, worker="running"), 4)
    assert "goes on" in living
