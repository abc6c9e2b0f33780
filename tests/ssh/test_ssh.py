"""The link is cut in mid-run: the run ends by itself, and a new link shows the whole of it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Project
from tests.demo.processes import alive, soon, working_in
from tests.ssh.conftest import Open
from tests.ssh.daemon import Daemon
from tests.ssh.raw import judged
from tests.ssh.terminal import Connection
from tests.ssh.walk import DOWN, ended, in_mid_script, to_the_report, view, walk_to_run


def cut_at_the_client(_: Daemon, connection: Connection) -> None:
    """The operator's machine dies: nothing is said to the server but that the line is gone."""
    connection.process.kill()


def cut_at_the_server(daemon: Daemon, _: Connection) -> None:
    """The process that serves the connection dies, and the terminal with it."""
    serving = daemon.serving()
    assert serving
    for pid in serving:
        os.kill(pid, signal.SIGKILL)


CUTS = (cut_at_the_client, cut_at_the_server)


def rolled_back(project: Project) -> None:
    """The run has ended by itself as it would have with somebody watching."""
    assert soon(lambda: ended(project), 60), view(project).phase
    finished = view(project).finished
    assert finished is not None
    assert finished.outcome == "rolled_back"
    assert project.versions() == ["20240101000000"]
    assert project.query("SELECT to_regclass('tokens')") == [(None,)]
    assert project.connection_limit() == -1


@pytest.mark.parametrize("cut", CUTS)
def test_the_link_is_cut_while_the_script_runs_and_a_new_one_shows_all_of_it(
    project: Project, over_ssh: Open, daemon: Daemon, cut: Callable[[Daemon, Connection], None]
) -> None:
    project.two_migrations(DOWN)
    first = over_ssh()
    walk_to_run(first, project)
    worker = _worker(project)
    screens = [pid for pid in working_in(project.directory) if not _of_the_run(pid)]
    assert screens

    cut(daemon, first)
    first.end()
    assert alive(worker), "the run needs no terminal"
    assert soon(lambda: not any(map(alive, screens)), 10), "the screen leaves and does not spin"
    rolled_back(project)

    again = over_ssh("attach")
    to_the_report(again, project)
    again.press("q")
    assert again.end() == 0


def test_the_whole_path_by_keyboard_ends_with_the_outcome_in_the_shell(
    project: Project, over_ssh: Open
) -> None:
    project.two_migrations(DOWN.replace("pg_sleep(4)", "pg_sleep(1)"))
    terminal = over_ssh()
    walk_to_run(terminal, project)
    to_the_report(terminal, project)
    terminal.press("q")
    assert terminal.end() == 0
    said = terminal.drawn.rpartition(b"\x1b[?1049l")[2].decode()
    assert "rolled_back: " in said
    assert f"Report: {project.run_folder()}/report.md" in said
    assert judged(terminal.drawn).restored
    rolled_back(project)


def test_a_new_link_while_it_still_runs_follows_it_to_its_end(
    project: Project, over_ssh: Open, daemon: Daemon
) -> None:
    project.two_migrations(DOWN.replace("pg_sleep(4)", "pg_sleep(12)"))
    first = over_ssh(*project.run_arguments)
    assert soon(lambda: in_mid_script(project), 40), first.read()
    cut_at_the_server(daemon, first)
    again = over_ssh("attach")
    again.until("1 of 3 done", "pg_sleep")
    again.until("3 of 3 done", "The migration is rolled back.", seconds=60)
    again.press("q")
    assert again.end() == 0
    rolled_back(project)


def test_a_run_without_a_screen_goes_on_when_its_link_is_cut(
    project: Project, over_ssh: Open, daemon: Daemon
) -> None:
    project.two_migrations(DOWN)
    first = over_ssh(*project.run_arguments)
    assert soon(lambda: in_mid_script(project), 40), first.read()
    worker = _worker(project)
    cut_at_the_client(daemon, first)
    time.sleep(0.5)
    assert alive(worker)
    rolled_back(project)
    listed = json.loads(project.command("history", "--json").stdout)
    assert [run["outcome"] for run in listed] == ["rolled_back"]
    report = project.command("report").stdout
    assert "17 rows of public.tokens" in report
    assert "42 values of public.users.verified" in report


def _worker(project: Project) -> int:
    started = view(project).started
    assert started is not None
    return started.worker_pid


def _of_the_run(pid: int) -> bool:
    """Whether it is the guardian or the worker, and not a screen."""
    try:
        return b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return True
