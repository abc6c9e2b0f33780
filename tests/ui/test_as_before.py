"""An application that was bad before the run, and still is: no alert, and nothing is green."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from rollback_tui.cli.monitor_text import Looked, exit_code, lines
from rollback_tui.core.incident.watched import monitoring
from rollback_tui.core.monitoring.levels import Levels
from rollback_tui.core.monitoring.rules import rules
from rollback_tui.core.monitoring.values import MonitorView, Usual
from rollback_tui.core.run_view import RunView
from rollback_tui.ui.after import After
from rollback_tui.ui.aftercare import Watched
from rollback_tui.ui.watch_elsewhere import looked_after_line
from rollback_tui.ui.watch_words import state_of, watch_line
from tests.ui.fake_after import BEGUN, INTERVAL, begun, ended, samples

FOLDER = Path("/srv/rollback_runs/20260314_031209_ab12cd34")
NOW = BEGUN + timedelta(seconds=INTERVAL * 20)


def watched(before: float, now: float) -> MonitorView:
    """So many requests failed before the run, and so many do now."""
    usual = (Usual(metric="error_rate", value=before, source="health probes"),)
    judged = rules(Levels(), 0.8, usual)
    known = msgspec.structs.replace(begun(), rules=judged, usual=usual)
    return MonitorView(begun=known, samples=samples(20, {"error_rate": lambda _: now}))


def after(view: MonitorView) -> After:
    expected = view.ended is None
    return After(folder=FOLDER, watched=Watched(view=view, attended=expected, expected=expected))


@pytest.mark.parametrize("before", [0.4, 1.0])
def test_what_is_as_bad_as_before_is_not_well(before: float) -> None:
    view = watched(before, before)
    state = state_of(after(view), "error_rate", NOW)
    assert state == ("!", "as bad as before", "warn")
    for width in (80, 120):
        said = watch_line(after(view), NOW, width, key_id=None)
        assert said is not None
        assert "1 as bad as before, no alert" in said.plain
        assert "✓" not in said.plain
    assert "1 as bad as before" in looked_after_line(after(view), NOW, 120).plain
    over = watch_line(after(ended(view)), NOW, 120, key_id=None)
    assert over is not None
    assert over.plain.startswith(" ! ")
    assert "1 as bad as before" in over.plain


def test_what_became_well_is_well_and_nothing_else_is_said() -> None:
    view = watched(0.4, 0.0)
    assert state_of(after(view), "error_rate", NOW).words == "ok"
    said = watch_line(after(view), NOW, 80, key_id=None)
    assert said is not None
    assert "as bad" not in said.plain


def test_the_incident_report_says_so_too() -> None:
    found = monitoring(watched(0.4, 0.4), RunView())
    assert found.as_bad_as_before == ("error_rate",)
    assert monitoring(watched(0.4, 0.0), RunView()).as_bad_as_before == ()


def test_the_command_says_so_too() -> None:
    view = watched(0.4, 0.4)
    now = view.samples[-1].at
    look = Looked(folder=FOLDER, watched=Watched(view=view, attended=True, expected=True), now=now)
    said = list(lines(look))
    assert any(row.startswith("error_rate") and row.endswith("as bad as before") for row in said)
    assert "as bad as before the run: error_rate" in said[-1]
    assert exit_code(look) == 0
