"""Who leaves the screens is told that the run is watched on, and what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollback_tui.core.monitoring.values import MonitorView
from rollback_tui.ui.after import After
from rollback_tui.ui.aftercare import Watched
from rollback_tui.ui.watch_elsewhere import watched_on
from tests.ui.fake_after import alarming, ended, healthy

FOLDER = Path("/srv/rollback_runs/20260314_031209_ab12cd34")


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rollback_tui.ui.watch_elsewhere.at", lambda when: when.strftime("%H:%M"))


def said(view: MonitorView, *, attended: bool = True) -> tuple[str, ...]:
    known = Watched(view=view, attended=attended, expected=view.ended is None)
    return watched_on(After(folder=FOLDER, watched=known))


def test_it_is_watched_on_and_an_alert_is_named_first() -> None:
    on = "without this terminal: rollback-tui monitor ab12cd34"
    assert said(healthy()) == (f"Watched until 05:12 {on}",)
    alert, watched = said(alarming())
    assert alert.startswith("1 alert now: error_rate 1")
    assert watched == f"Watched until 05:12 {on}"
    assert said(MonitorView()) == (f"Watched {on}",)


def test_where_nobody_watches_nothing_is_promised() -> None:
    assert said(healthy(), attended=False) == ()
    assert said(ended(healthy())) == ()
    assert watched_on(None) == watched_on(After(folder=FOLDER)) == ()
