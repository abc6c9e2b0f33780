"""Faults of our own: what is said, what is kept, and that neither holds a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollback_tui.ui.crash import FAULT, record, redacted
from tests.ui.in_terminal import RUNNING, SECRET, Program

FAULTS = {
    "compose": "StateScreen.compose_body",
    "on_mount": "RollbackApp.on_mount",
    "a handler": "StateScreen.on_screen_resume",
    "at exit": "RollbackApp.on_unmount",
}


def broken(place: str, when: str = "True") -> str:
    """The code that makes ``place`` fail, with secrets in its locals and in its message."""
    return f"""
    from rollback_tui.ui.guide import Guide
    from rollback_tui.ui.screens.run import RunScreen
    before = {place}
    def failing(self, *arguments):
        dsn = os.environ["PLANTED_DSN"]
        if {when}:
            raise ValueError(f"bad dsn {{dsn}}, {{os.environ['PGPASSWORD']}} was not taken")
        return before(self, *arguments)
    {place} = failing
    """


def kept(directory: Path) -> str:
    """The one report in ``directory``."""
    [path] = directory.glob("rollback-tui-crash-*.txt")
    assert path.stat().st_mode & 0o777 == 0o600
    return path.read_text()


@pytest.mark.parametrize("place", FAULTS.values(), ids=FAULTS)
def test_a_fault_shows_its_place_and_no_value(tmp_path: Path, place: str) -> None:
    program = Program(tmp_path, broken(place))
    if place == "RollbackApp.on_unmount":
        program.read("shop-worker")
        program.press("q")
    assert program.end() == FAULT
    assert "rollback-tui failed: ValueError at " in program.said
    assert f"Details without values are in {tmp_path}/rollback-tui-crash-" in program.said
    assert "rollback-tui state, plan, check, run" in program.said
    assert "Traceback" not in program.said
    written = kept(tmp_path)
    assert SECRET not in written
    assert "ValueError: bad dsn" in written
    assert "was not taken" in written
    assert " failing\n" in written


def test_a_style_sheet_that_cannot_be_read_is_a_fault_like_any_other(tmp_path: Path) -> None:
    program = Program(tmp_path, 'RollbackApp.CSS = "Screen { color: }"')
    assert program.end() == FAULT
    assert "rollback-tui failed: StylesheetParseError" in program.said
    kept(tmp_path)


def test_a_crash_leaves_the_run_alone_and_names_the_way_back(tmp_path: Path) -> None:
    seen = "self.walk_value.view is not None and self.walk_value.view.progress is not None"
    program = Program(tmp_path, RUNNING + broken("RunScreen.show_step", seen))
    assert program.end() == FAULT
    assert "rollback-tui failed: ValueError at " in program.said
    assert "The run is another process: this did not touch it." in program.said
    assert "The run goes on without this terminal. See it: rollback-tui attach 6f1c" in program.said
    assert SECRET not in kept(tmp_path)


def test_a_fault_in_a_question_does_not_end_the_terminal(tmp_path: Path) -> None:
    program = Program(tmp_path, broken("World.tables"))
    program.read("unexpected ValueError")
    program.press("q")
    assert program.end() == 0
    assert SECRET not in kept(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://deploy:hunter2@db/shop",
        "host=db password=hunter2 dbname=shop",
        "password='hunter2 x'",
        "PGPASSWORD=hunter2",
    ],
)
def test_redacted(text: str) -> None:
    assert "hunter2" not in redacted(text)


def test_the_record_names_the_cause(tmp_path: Path) -> None:
    try:
        try:
            raise OSError("inner")
        except OSError as inner:
            raise ValueError("outer") from inner
    except ValueError as error:
        what, path = record(error, tmp_path)
    assert path is not None
    assert "ValueError at" in what
    written = path.read_text()
    assert written.index("OSError: inner") < written.index("ValueError: outer")
