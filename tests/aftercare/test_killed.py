"""Whole runs, and kill -9 of whatever looks after them, in every order, while the network is away:
no sample that was taken is lost, nor anything that people are to be told."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from rollback_tui.aftercare.attendant import presence, processes
from rollback_tui.aftercare.outbox import read_post
from rollback_tui.aftercare.watch import Watching
from rollback_tui.cli.after import After
from rollback_tui.cli.beside import settle_request
from rollback_tui.cli.options import Common
from rollback_tui.config import load
from rollback_tui.core.monitoring.values import Sampled
from rollback_tui.core.run_view import RunView, fold
from rollback_tui.run import journal, launch
from tests.aftercare.sinks import WebSink, soon, web_sink
from tests.aftercare.window import Window
from tests.cli.conftest import DOWN_2, Project
from tests.cli.conftest import project as project
from tests.demo.processes import alive, working_in

AWAY = ["reset"] * 100
"""What becomes of every message while the network is away."""

SETTINGS = """
[notify]
retry_seconds = 1
timeout_seconds = 5

[[notify.to]]
name = "chat"
url = "{url}"

[monitor]
seconds = 300
interval_seconds = 1
"""


@pytest.fixture(autouse=True)
def _switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLBACK_TUI_AFTERCARE", "on")


@pytest.fixture(autouse=True)
def _no_process_stays(project: Project) -> Iterator[None]:
    yield
    soon(lambda: working_in(project.directory) == [])


def prepared(project: Project, sink: WebSink, down: str = DOWN_2) -> Common:
    project.two_migrations(down)
    project.configure(SETTINGS.format(url=sink.url()))
    return Common(
        dsn=project.database.dsn,
        settings=load(project.directory / "rollback.toml"),
        project=project.directory,
        as_json=False,
    )


def view_of(folder: Path) -> RunView:
    return fold(journal.read(folder / journal.FILE_NAME))


def begun(project: Project) -> Path:
    """Return the folder of the run that was started, when it is looked after."""
    runs = project.directory / "rollback_runs"
    soon(lambda: any(map(presence.is_attended, runs.glob("2*"))))
    return project.run_folder()


def pid_of(folder: Path) -> int:
    soon(lambda: presence.is_attended(folder))
    return int((folder / presence.LOCK).read_text())


def kill(*pids: int) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for pid in pids:
        soon(lambda pid=pid: not alive(pid))  # type: ignore[misc]


def unattended(folder: Path) -> None:
    """Return when nobody looks after the run: what was just being started by somebody who was
    killed has his files open for an instant yet, and so his lock."""
    soon(lambda: not presence.is_attended(folder))


class Samples:
    """All that were ever seen: each must stay where it was."""

    def __init__(self, folder: Path) -> None:
        self._watching = Watching(folder)
        self._folder = folder
        self.seen: tuple[Sampled, ...] = ()

    def wait_for_more(self) -> None:
        """Return when there is a new one; none of the others may have changed."""
        before = self.seen
        soon(lambda: len(self._watching.poll().samples) > len(before))
        self.seen = Watching(self._folder).poll().samples
        assert self.seen[: len(before)] == before
        times = [sample.at for sample in self.seen]
        assert times == sorted(set(times))


def test_every_process_killed_in_every_order_while_the_network_is_away(project: Project) -> None:
    with web_sink(*AWAY) as sink:
        given = prepared(project, sink)
        terminal = project.start(*project.run_arguments)
        folder = begun(project)
        kill(terminal.pid)
        soon(lambda: view_of(folder).finished is not None)
        assert view_of(folder).outcome == "rolled_back"
        samples = Samples(folder)
        samples.wait_for_more()

        # A session that ends hangs up on all that were started in it: these go on.
        first = pid_of(folder)
        guardian = psutil.Process(first).ppid()
        for pid in (guardian, first):
            os.kill(pid, signal.SIGHUP)
        samples.wait_for_more()
        samples.wait_for_more()
        assert (pid_of(folder), psutil.Process(first).ppid()) == (first, guardian)

        # The attendant: its guardian starts it again.
        kill(first)
        samples.wait_for_more()
        assert pid_of(folder) != first
        assert psutil.Process(pid_of(folder)).ppid() == guardian
        assert "ended (SIGKILL); again in 1 s" in (folder / processes.LOG).read_text()

        # The guardian: the attendant goes on by itself. Then the attendant: nobody is left.
        kill(guardian)
        samples.wait_for_more()
        kill(pid_of(folder))
        unattended(folder)

        # The next look starts it again; ctrl+c ends who looks, and nobody else. Both that were
        # started are killed at once.
        look = f"exec {sys.executable} -m rollback_tui monitor --watch 9"
        looking = Window(project.directory, look)
        soon(lambda: b"Nobody looked after this run: a process was started" in looking.said)
        again = pid_of(folder)
        samples.wait_for_more()
        looking.press("\x03")
        looking.close()
        samples.wait_for_more()
        samples.wait_for_more()
        assert pid_of(folder) == again
        kill(psutil.Process(again).ppid(), again)
        unattended(folder)
        assert sink.arrived == []

        # So do the screens; and the network is back.
        assert After(given).pick_up() == (folder,)
        samples.wait_for_more()
        assert After(given).pick_up() == ()
        sink.script.clear()
        soon(lambda: not read_post(folder).pending)
        stopped = project.here("monitor", "--stop", "--reason", "enough is seen")
        assert stopped.returncode == 0, stopped.stderr
        unattended(folder)

        post = read_post(folder)
        assert [notice.occasion for notice in post.notices] == ["started", "finished"]
        arrived = sorted(attempt.id for attempt in post.attempts if attempt.ok)
        assert arrived == sorted(notice.id for notice in post.notices)
        assert sorted(sink.titles) == sorted(notice.title for notice in post.notices)
        known = presence.attendance(folder)
        assert known.over is not None
        assert known.over.why == "all is done"
        ended = Watching(folder).poll()
        assert ended.samples[: len(samples.seen)] == samples.seen
        assert ended.ended is not None
        assert ended.ended.reason == "enough is seen"


def test_a_run_that_was_killed_with_everything_is_told_and_watched_when_it_is_settled(
    project: Project,
) -> None:
    """As a machine that stops: worker, guardian and attendant at once. Who settles does not wait
    for what comes after."""
    with web_sink() as sink:
        given = prepared(project, sink, f"SELECT pg_sleep(60);\n{DOWN_2}")
        terminal = project.start(*project.run_arguments)
        folder = begun(project)
        soon(lambda: any(s.status == "running" for s in view_of(folder).statements))
        sink.wait_for(1)
        guardian = psutil.Process(pid_of(folder)).ppid()
        started = view_of(folder).started
        assert started is not None
        kill(guardian, pid_of(folder), started.worker_pid)
        terminal.kill()
        assert view_of(folder).finished is None

        launch.settle(settle_request(given, folder))
        assert view_of(folder).outcome == "unchanged"
        sink.wait_for(2)
        Samples(folder).wait_for_more()
        assert [one.occasion for one in read_post(folder).notices] == ["started", "settled"]
        processes.end(folder)
        unattended(folder)
        # It can be gone on with, also by who only wants to know whether everybody was told.
        assert presence.unfinished(folder.parent) == (folder,)
        assert project.here("notify", "retry").returncode == 0
        soon(lambda: presence.is_attended(folder))
        processes.end(folder)


def test_settling_in_this_process_has_it_looked_after_too(project: Project) -> None:
    """And where aftercare is switched off, a run leaves no process behind."""
    with web_sink() as sink:
        prepared(project, sink)
        done = project.command(*project.run_arguments, env={"ROLLBACK_TUI_AFTERCARE": "off"})
        assert done.returncode == 0, done.stderr
        folder = project.run_folder()
        soon(lambda: working_in(project.directory) == [])
        assert not (folder / processes.LOG).exists()
        assert project.here("settle", folder.name[16:]).returncode == 0
        sink.wait_for(2)
        assert sorted(sink.titles) == sorted(one.title for one in read_post(folder).notices)
        processes.end(folder)
