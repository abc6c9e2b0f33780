"""The program in tmux, 80×24: the whole path by keyboard, and what becomes of a run whose client,
or whose whole session, is gone."""

from __future__ import annotations

import os
import signal

import psutil  # type: ignore[import-untyped]

from tests.cli.conftest import Project
from tests.demo.processes import alive, soon, working_in
from tests.ssh.terminal import Connection
from tests.ssh.walk import DOWN, in_mid_script, to_the_report, view, walk_to_run
from tests.tmux.pane import Pane, Tmux, program

ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "TMUX"} | {"TERM": "xterm-256color"}


def screens(project: Project, *arguments: str) -> int:
    """The process that shows the screens: a job of the shell."""
    [found] = [
        pid
        for pid in working_in(project.directory)
        if psutil.Process(pid).cmdline()[1:] == ["-m", "rollback_tui", *arguments]
    ]
    return found


def stopped_and_continued(pane: Pane, project: Project) -> None:
    """Whoever sends it to the background has the shell, and then the screen again."""
    os.kill(screens(project), signal.SIGTSTP)
    shown = pane.until("Stopped")
    assert "1 State" not in shown
    pane.press("fg\r")
    pane.until("1 State", "counted")


def test_the_whole_path_with_a_client_that_is_killed_in_its_middle(
    project: Project, tmux: Tmux
) -> None:
    project.two_migrations(DOWN.replace("pg_sleep(4)", "pg_sleep(6)"))
    pane = tmux.session("rollback")
    pane.press(program())
    pane.until("1 State", "counted")
    stopped_and_continued(pane, project)
    client = Connection(tmux.command("attach", "-t", "rollback"), environment=ENVIRONMENT)
    try:
        client.until("1 State")
        walk_to_run(pane, project)
        client.until("execute")
    finally:
        # The operator's machine dies.
        client.close()
    again = Connection(tmux.command("attach", "-t", "rollback"), environment=ENVIRONMENT)
    try:
        again.until("execute")
        to_the_report(pane, project)
        again.until("Rollback of")
    finally:
        again.close()
    pane.press("q")
    shown = pane.until("rolled_back: ", "report.md")
    assert "6 Report" not in shown, "the shell's own screen is back"
    # What is typed now is the shell's, and only that.
    pane.press("echo EXIT=$?\r")
    shown = pane.until("EXIT=0")
    assert "command not found" not in shown
    assert project.versions() == ["20240101000000"]


def test_a_killed_session_leaves_the_run_alone_and_a_new_one_shows_all_of_it(
    project: Project, tmux: Tmux
) -> None:
    project.two_migrations(DOWN.replace("pg_sleep(4)", "pg_sleep(20)"))
    run = project.start(*project.run_arguments)
    assert soon(lambda: in_mid_script(project), 40)
    started = view(project).started
    assert started is not None
    # A session of its own, so that the server outlives the other one.
    again = tmux.session("again")
    lost = tmux.session("lost")
    lost.press(program(("attach",)))
    lost.until("1 of 3 done", "pg_sleep")
    looking = screens(project, "attach")
    tmux.tell("kill-session", "-t", "lost")
    assert soon(lambda: not alive(looking), 10), "the screen leaves and does not spin"
    assert in_mid_script(project)
    assert alive(started.worker_pid)

    again.press(program(("attach",)))
    again.until("1 of 3 done", "pg_sleep")
    to_the_report(again, project)
    again.press("\x03")
    again.until("EXIT=0", "rolled_back: ")
    run.communicate(timeout=30)
    assert run.returncode == 0
