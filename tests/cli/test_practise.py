"""What a newcomer sees of the demo's second migration, whose way down leaves something behind."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest

import rollback_tui
from rollback_tui.aftercare.attendant import presence
from rollback_tui.aftercare.watch import Watching
from rollback_tui.cli.practise import recorded_demo, roll_back
from rollback_tui.config_aftercare import SWITCH
from rollback_tui.demo import shop
from rollback_tui.run.folder import folders
from rollback_tui.run.journal import FILE_NAME, Journal
from tests.core.example import rolled_back
from tests.demo.processes import gone, soon, working_in
from tests.started import remembered


def test_what_the_second_migration_leaves_behind_is_caught_and_can_be_accepted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known before the door closes, refused; with a reason it is rolled back, and the shop goes on
    with a schema that has a label more and a NOT NULL less. It is looked after as long as the demo
    is there, and no longer."""
    monkeypatch.setenv(SWITCH, "on")
    with recorded_demo(None) as (scene, given):
        everything = shop.applied(scene.dsn)
        assert roll_back(given, 2, {}) == 1
        refused = capsys.readouterr()
        assert shop.applied(scene.dsn) == everything
        assert "Refused: nothing was touched" in refused.out
        assert "2 objects left over" in refused.out
        assert "door closed" not in refused.err

        assert roll_back(given, 2, {"schema_restored": "the label harms nobody"}) == 0
        report = capsys.readouterr().out
        assert shop.applied(scene.dsn) == everything[:-2]
        for text in ("order\\_status", "payments", "the label harms nobody"):
            assert text in report

        def served() -> bool:
            try:
                with urllib.request.urlopen(f"{scene.url}/?user=5", timeout=5) as answer:
                    return bool(answer.status == 200)
            except OSError:
                return False

        assert soon(served, 15)
        run = folders(given.run_directory())[0]
        assert soon(lambda: bool(Watching(run).poll().samples), 30)
        staying = working_in(scene.project)
        assert staying
    assert gone(staying, scene.project)


KILLED = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
from rollback_tui.aftercare.attendant import presence, processes
from rollback_tui.aftercare.charge import Charge
from rollback_tui.cli.options import Common
from rollback_tui.cli.practise import _nothing_stays
from rollback_tui.config import Settings

folder, project = Path(sys.argv[1]), Path.cwd()
given = Common(dsn="port=1", settings=Settings(), project=project, as_json=False)
with _nothing_stays(SimpleNamespace(project=project), given):
    processes.start(Charge(
        folder=str(folder), project=str(project), dsn="host=127.0.0.1 port=1",
        settings=given.settings))
    time.sleep(60)
"""


def test_what_looks_after_its_runs_ends_when_the_demo_is_killed(tmp_path: Path) -> None:
    """In a directory that is kept too, where the folder stays and the server does not."""
    project = tmp_path / "project"
    folder = project / "rollback_runs" / "20240115_030000_5d0c6a1e"
    folder.mkdir(parents=True)
    journal = Journal(folder / FILE_NAME)
    for event in rolled_back():
        journal.write(event)
    journal.close()
    demo = remembered(
        subprocess.Popen(
            [sys.executable, "-c", KILLED, str(folder)],
            cwd=project,
            env=os.environ | {"PYTHONPATH": str(Path(rollback_tui.__file__).parent.parent)},
        )
    )
    assert soon(lambda: bool(Watching(folder).poll().samples), 30)
    assert presence.is_attended(folder)
    demo.kill()
    assert soon(lambda: working_in(project) == [], 30)
    assert presence.expected(folder, datetime.now(UTC))
