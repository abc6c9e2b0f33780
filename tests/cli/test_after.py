"""What the screens are told of the time after a run, from the files of a run's folder alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from rollback_tui.aftercare.attendant import lines as attendant_lines
from rollback_tui.aftercare.attendant import presence
from rollback_tui.aftercare.ledger import Ledger, LedgerDamaged
from rollback_tui.aftercare.watch import ledger
from rollback_tui.cli.after import After
from rollback_tui.cli.options import Common
from rollback_tui.config import Monitor, Settings
from rollback_tui.core import events as ev
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.monitoring.values import Ended
from tests.aftercare.told_runs import run_folder
from tests.core.example import rolled_back
from tests.ui.fake_after import BEGUN, UNTIL, begun, samples


def given(project: Path, **monitor: float) -> Common:
    """Return what a command was given in ``project``, of which nobody answers at the server."""
    settings = msgspec.structs.replace(Settings(), monitor=Monitor(**monitor))
    dsn = "host=127.0.0.1 port=1 dbname=shop connect_timeout=1"
    return Common(dsn=dsn, settings=settings, project=project, as_json=False)


def looked_after(folder: Path) -> None:
    """Let a process have begun to look after the run, and be gone."""
    took = attendant_lines.Took(at=BEGUN, pid=1, until=UNTIL + timedelta(days=999))
    Ledger(folder / attendant_lines.FILE_NAME, attendant_lines.Took).append(took)


def test_what_is_watched_is_followed_and_who_is_missing_is_said(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    after = After(given(tmp_path))
    looked_after(folder)
    ledger(folder).append(begun())
    first, second = samples(2)
    ledger(folder).append(first)
    found = after.watched(folder)
    assert (found.attended, found.expected, found.why_not) == (False, True, "")
    assert found.view.samples == (first,)
    ledger(folder).append(second)
    with presence.taken(folder):
        found = after.watched(folder)
        assert found.attended
    assert found.view.samples == (first, second)
    # Many others were looked at meanwhile: it is read again from its beginning.
    for number in range(6):
        after.watched(tmp_path / f"20260314_03120{number}_none")
    assert after.watched(folder).view.samples == (first, second)
    with (folder / "monitoring.jsonl").open("ab") as file:
        file.write(b"{}\n")
    with pytest.raises(LedgerDamaged):
        after.watched(folder)


def test_why_nothing_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = run_folder(tmp_path)
    after = After(given(tmp_path))
    assert after.watched(folder).why_not == "ROLLBACK_TUI_AFTERCARE is off here"
    monkeypatch.delenv("ROLLBACK_TUI_AFTERCARE")
    assert after.watched(folder).why_not == "nothing was started to watch it"
    assert "seconds is 0" in After(given(tmp_path, seconds=0)).watched(folder).why_not
    refused = ev.RunFinished(outcome="refused", summary="no", report="")
    second = run_folder(tmp_path / "second", refused)
    assert "nothing was touched" in after.watched(second).why_not


def test_why_nothing_is_watched_is_said_while_somebody_looks_after_the_run(tmp_path: Path) -> None:
    """He writes the report and tells people, and will not begin to watch."""
    after = After(given(tmp_path))
    refused = run_folder(tmp_path, ev.RunFinished(outcome="refused", summary="no", report=""))
    folder = run_folder(tmp_path / "second")
    stopped = Ended(at=datetime.now(UTC), why="stopped", by="ada", reason="all is well")
    unfinished = run_folder(tmp_path / "third", rolled_back()[0])
    ledger(folder).append(stopped)
    for one in (refused, folder, unfinished):
        with presence.taken(one) as mine:
            assert mine
            found = after.watched(one)
        assert found.attended
        said = {
            refused: "the run was refused, and nothing was touched",
            folder: "it was stopped by ada: all is well",
            unfinished: "",
        }
        assert found.why_not == said[one]


def test_stopping_is_asked_for_with_who_and_why_and_kept(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    After(given(tmp_path)).stop(folder, "the fix is deployed")
    asked = presence.stop_asked(folder)
    assert asked is not None
    assert asked.reason == "the fix is deployed"
    assert asked.by
    log = (tmp_path / "rollback_runs" / "decisions.jsonl").read_text(encoding="utf-8")
    assert "monitoring stopped" in log
    assert "the fix is deployed" in log


def test_what_cannot_be_started_again_says_why_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tmp_path / "rollback_runs"
    folder = run_folder(runs)
    after = After(given(tmp_path))
    with pytest.raises(RollbackTuiError, match=r"the run was on shop .*, and this terminal is not"):
        after.resume(folder)
    monkeypatch.delenv("ROLLBACK_TUI_AFTERCARE")
    looked_after(folder)
    # The server does not answer: the screens come up all the same.
    assert after.pick_up() == ()
    newest = after.newest()
    assert newest is not None
    assert (newest.folder, newest.watched.expected) == (folder, True)


def test_ticks_and_the_report_are_those_of_the_folder(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    after = After(given(tmp_path))
    items = after.follow_ups(folder)
    assert not any(item.done for item in items)
    done = after.tick(folder, "root_cause", done=True, note="the index was missing")
    assert [item.key for item in done if item.done] == ["root_cause"]
    assert next(item.by for item in done if item.done)
    assert "the index was missing" in after.incident(folder)
    files = after.incident_files(folder)
    assert all(path.exists() for path in (files.markdown, files.html, files.json))
    assert after.post(folder).notices == ()
