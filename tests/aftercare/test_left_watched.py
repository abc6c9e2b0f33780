"""Who runs it without the screens is told that the run is watched on, and only where it is."""

from __future__ import annotations

import pytest

from rollback_tui.aftercare.attendant import presence, processes
from tests.cli.conftest import Project
from tests.cli.conftest import project as project


def last_line(project: Project) -> str:
    text = [part for part in project.run_arguments if part != "--json"]
    done = project.command(*text)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1]


def test_the_last_line_says_how_to_look(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLBACK_TUI_AFTERCARE", "on")
    project.two_migrations()
    project.configure("[monitor]\nseconds = 600\n")
    said = last_line(project)
    folder = project.run_folder()
    assert presence.is_attended(folder)
    processes.end(folder)
    assert said == f"Watched without this terminal: rollback-tui monitor {folder.name[16:]}"


def test_nothing_is_promised_where_nobody_watches(project: Project) -> None:
    project.two_migrations()
    project.configure("[monitor]\nseconds = 600\n")
    assert "Watched" not in last_line(project)
    assert not presence.is_attended(project.run_folder())
