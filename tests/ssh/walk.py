"""The guided path by keyboard, in any terminal that can be typed into and read."""

from __future__ import annotations

import time
from typing import Protocol

from rollback_tui.core.run_view import RunView, fold
from rollback_tui.run import journal
from tests.cli.conftest import Project
from tests.demo.processes import soon
from tests.ui.steering import figure

DOWN = """
DROP TABLE tokens;
SELECT pg_sleep(4);
ALTER TABLE users DROP COLUMN verified_at;
"""
"""A down script with time in its middle."""


class Typed(Protocol):
    """A terminal, over SSH or in tmux."""

    def read(self) -> str:
        """Return the screen."""

    def press(self, keys: str) -> None:
        """Send keys as a terminal sends them."""

    def until(self, *texts: str, seconds: float = 40) -> str:
        """Wait until every text is on the screen, and return the screen."""


def view(project: Project) -> RunView:
    """The newest run as its journal tells it now; empty before there is one."""
    try:
        return fold(journal.read(project.run_folder() / journal.FILE_NAME))
    except (FileNotFoundError, ValueError):
        return RunView()


def in_mid_script(project: Project) -> bool:
    """Whether the statement that sleeps is being executed."""
    return [s.status for s in view(project).statements] == ["done", "running", "waiting"]


def ended(project: Project) -> bool:
    return view(project).finished is not None


def walk_to_run(t: Typed, project: Project) -> None:
    """The guided path with the keyboard alone, until the script is in its middle."""
    t.until("20240202000000", "counted")
    t.press("n")
    t.until("We may roll back")
    t.press("n")
    t.until("to review")
    t.press("   ")
    # Losses may still be counted: until then the way on is blocked.
    t.until("all reviewed", "n: confirm and run")
    t.press("n")
    t.until("You are about to roll back")
    t.press("a")
    t.until("Arm this terminal?")
    t.press("\t\r")
    t.until("ARMED")
    for name, text in (
        ("database", project.database.name),
        ("version", "20240101000000"),
        ("figure", figure(t.read())),
        ("reason", "errors since the deploy"),
    ):
        t.press(text)
        assert soon(lambda t=t, text=text: text[-12:] in _typed(t), 10), (name, t.read())  # type: ignore[misc]
        one_by_one(t, "\t")
    t.until("ready: tab to Start")
    one_by_one(t, "\t", "\r")
    t.until("preflight", "execute")
    assert soon(lambda: in_mid_script(project), 40), t.read()


def one_by_one(t: Typed, *keys: str) -> None:
    """Press as a person does, who looks where the cursor went."""
    for key in keys:
        t.press(key)
        time.sleep(0.3)
        t.read()


def _typed(t: Typed) -> str:
    """The fields, without their labels; of a long text a narrow screen shows the end."""
    return "\n".join(line[45:] for line in t.read().splitlines())


def to_the_report(t: Typed, project: Project) -> None:
    """From the console of a run that goes on, or has ended, to its report."""
    shown = t.until("3 of 3 done", "The migration is rolled back.", seconds=60)
    for phase in ("checkpoint", "execute", "verify", "COMMIT", "open the door"):
        assert phase in shown
    t.press("n")
    t.until("Schema restored", "Foreign keys intact")
    t.press("n")
    t.until(f"Rollback of {project.database.name}")
