"""Ticks: kept with who and when, seen in the report at once, and in the audit log."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rollback_tui.aftercare import checklist, decisions, incident_files
from rollback_tui.aftercare.ledger import LedgerDamaged
from rollback_tui.aftercare.past_runs import past_runs
from rollback_tui.core.errors import ConfigurationError, RollbackTuiError
from rollback_tui.core.follow_ups import FollowUp
from rollback_tui.core.history.filters import Filters
from tests.aftercare.told_runs import run_folder

ADA, BOB = "ada, uid 7, ssh 10.0.0.7", "bob, uid 8"


def found(items: tuple[FollowUp, ...], key: str) -> FollowUp:
    return next(item for item in items if item.key == key)


def test_a_tick_is_kept_with_who_and_when(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    before = datetime.now(UTC)
    items = checklist.tick(folder, "root_cause", done=True, by=ADA, note="an index\nwas missing")
    assert items == checklist.follow_ups(folder)
    cause = found(items, "root_cause")
    assert (cause.done, cause.by, cause.note) == (True, ADA, "an index was missing")
    assert cause.at is not None
    assert before <= cause.at <= datetime.now(UTC)
    assert [item.key for item in items if item.done] == ["root_cause"]
    assert (folder / "follow_ups.jsonl").stat().st_mode & 0o777 == 0o600
    report = json.loads((folder / "incident.json").read_text())
    assert [i["by"] for i in report["follow_ups"] if i["done"]] == [ADA]
    assert "- [x] Find the root cause" in (folder / "incident.md").read_text()


def test_who_did_it_first_stays_and_a_tick_can_be_taken_back(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    checklist.tick(folder, "retry_plan", done=True, by=ADA)
    assert found(checklist.tick(folder, "retry_plan", done=True, by=BOB), "retry_plan").by == ADA
    noted = found(checklist.tick(folder, "retry_plan", done=True, by=BOB, note="see"), "retry_plan")
    assert (noted.by, noted.note) == (BOB, "see")
    back = found(checklist.tick(folder, "retry_plan", done=False, by=ADA), "retry_plan")
    assert (back.done, back.by, back.note) == (False, ADA, "")
    assert len((folder / "follow_ups.jsonl").read_text().splitlines()) == 3
    assert "Follow-up open again" in (folder / "incident.md").read_text()


def test_a_note_to_what_is_not_done_opens_nothing_again(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    checklist.tick(folder, "retry_plan", done=False, by=ADA, note="Bob plans it")
    checklist.tick(folder, "retry_plan", done=True, by=BOB)
    checklist.tick(folder, "retry_plan", done=True, by=BOB, note="on Monday")
    said = (folder / "incident.md").read_text()
    assert "open again" not in said
    assert said.index("Noted at a follow-up: Plan how") < said.index("Follow-up done: Plan how")
    assert "Noted at a follow-up that is done: Plan how" in said
    whats = [d.what for d in decisions.read(tmp_path)]
    assert whats == ["follow-up noted", "follow-up done", "follow-up noted"]


def test_the_note_of_the_trigger_is_the_trigger_of_the_report(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    assert "| Trigger | not given; " in incident_files.write(folder).markdown.read_text()
    checklist.tick(folder, "trigger", done=False, by=ADA, note="alert 4711: sign-ups fail")
    said = (folder / "incident.md").read_text()
    assert "\nTrigger: alert 4711: sign-ups fail.\n" in said
    assert "| Trigger | alert 4711: sign-ups fail (from the follow-ups, ada" in said
    cause = json.loads((folder / "incident.json").read_text())["cause"]
    assert (cause["trigger"], cause["trigger_by"]) == ("alert 4711: sign-ups fail", ADA)
    checklist.tick(folder, "trigger", done=True, by=BOB)
    assert "alert 4711" in (folder / "incident.html").read_text()
    (run,) = past_runs(tmp_path, Filters())
    assert run.trigger == "alert 4711: sign-ups fail"


def test_every_tick_is_in_the_audit_log(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    checklist.tick(folder, "root_cause", done=True, by=ADA, note="x")
    checklist.tick(folder, "root_cause", done=True, by=ADA)
    checklist.tick(folder, "root_cause", done=False, by=ADA)
    lines = decisions.read(tmp_path)
    assert [(d.what, d.run, d.facts["key"]) for d in lines] == [
        ("follow-up done", "5d0c6a1e", "root_cause"),
        ("follow-up open again", "5d0c6a1e", "root_cause"),
    ]
    assert decisions.verify(tmp_path).verdict != "altered"


def test_what_is_not_in_the_list_cannot_be_ticked(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    with pytest.raises(ConfigurationError, match="nonsense is not in the checklist") as caught:
        checklist.tick(folder, "nonsense", done=True, by=ADA)
    assert "root_cause" in caught.value.remedy
    assert not (folder / "follow_ups.jsonl").exists()


def test_a_list_that_lacks_ticks_is_no_list(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    (folder / "follow_ups.jsonl").write_text("nonsense\n")
    with pytest.raises(LedgerDamaged):
        checklist.follow_ups(folder)


def test_a_tick_that_cannot_be_kept_is_not_shown_as_one(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    (folder / "elsewhere").write_text("")
    (folder / "follow_ups.jsonl").symlink_to(folder / "elsewhere")
    with pytest.raises(RollbackTuiError, match="cannot be kept"):
        checklist.tick(folder, "root_cause", done=True, by=ADA)
    assert not any(item.done for item in checklist.follow_ups(folder))
