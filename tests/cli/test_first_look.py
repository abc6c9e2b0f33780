"""What can be read while the screens are still being loaded."""

from __future__ import annotations

import os
import sys

import psycopg
import pytest

from rollback_tui.cli.first_look import FirstLook
from tests.cli.conftest import Project
from tests.ssh.terminal import Connection
from tests.ui.fake import HOSTILE, SESSIONS, T0, activity, session, target

SIZE = (80, 24)


def test_it_is_above_the_screens_and_stays_there(project: Project) -> None:
    with psycopg.connect(project.database.dsn, application_name="backoffice") as other:
        screen = Connection(
            [sys.executable, "-m", "rollback_tui", "--dsn", project.database.dsn],
            project.directory,
            dict(os.environ) | {"TERM": "xterm-256color"},
            size=SIZE,
        )
        try:
            screen.until("1 State", "backoffice")
            screen.press("q")
            assert screen.end() == 0
        finally:
            screen.close()
        pid = other.info.backend_pid
    first, coming, behind = screen.drawn.partition("The screens are coming …".encode())
    assert coming
    assert b"\x1b[?1049h" in behind
    lines = first.decode().splitlines()
    assert lines[0].startswith(f"{project.database.name} on ")
    assert any(f"pid {pid}," in line and "backoffice" in line for line in lines)
    assert b"\x1b" not in first


def test_it_has_room_in_the_terminal_and_cannot_steer_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(SIZE[0]))
    monkeypatch.setenv("LINES", str(SIZE[1]))
    many = tuple(session(5000 + n, HOSTILE, "active", HOSTILE * 20) for n in range(200))
    FirstLook().show(target(HOSTILE), activity(many, T0, 1))
    said = capsys.readouterr().out
    height = sum(1 + len(line) // SIZE[0] for line in said.splitlines())
    assert SIZE[1] - 4 < height < SIZE[1]
    assert sum("pid " in line for line in said.splitlines()) > SIZE[1] // 2
    assert "[/red]" in said
    assert "\x1b" not in said
    assert "\u202e" not in said


def test_it_is_shown_once_and_not_into_the_screens(capsys: pytest.CaptureFixture[str]) -> None:
    look = FirstLook()
    look.show(target(), activity(SESSIONS, T0, 1))
    assert "4714" in capsys.readouterr().out
    look.show(target(), activity(SESSIONS, T0, 2))
    late = FirstLook()
    late.end()
    late.show(target(), activity(SESSIONS, T0, 1))
    assert capsys.readouterr().out == ""
