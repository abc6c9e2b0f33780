"""The run console in lines: every phase and every event that keeps a run safe has its words."""

from __future__ import annotations

from typing import get_args

import pytest

from rollback_tui.core import events as ev
from rollback_tui.core.run_view import RunView
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.widgets.run_lines import NAMES, log_line, phase_lines, statement_row
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
    assert statement_row(found.statements[0], plan())[-1].plain.strip() == "done before"
