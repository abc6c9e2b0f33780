"""Whole runs, started in a terminal and watched there; then the monitor is killed, the terminal is
closed and the network is cut, in every order and without a pause: no sample that was taken is lost,
nor anything that people are to be told, and the report goes out once all of it is known."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest

from rollback_tui.aftercare import attendant
from rollback_tui.aftercare.incident_files import deliveries
from rollback_tui.aftercare.outbox import read_post
from rollback_tui.aftercare.watch import Watching
from tests.aftercare.sinks import WebSink, soon, web_sink
from tests.cli.conftest import Project
from tests.cli.conftest import project as project
from tests.demo.processes import alive, working_in
from tests.faults.test_matrix import take_terminal
from tests.network.conftest import through
from tests.network.test_lost_packets import Filter, why_not
from tests.started import remembered

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")

SETTINGS = """
[notify]
retry_seconds = 0.2
timeout_seconds = 1

[[notify.to]]
name = "chat"
url = "{url}"

[monitor]
seconds = 300
interval_seconds = 1

[incident]
when = "monitored"

[incident.deliver]
command = ["sh", "-c", 'cp "$ROLLBACK_INCIDENT_JSON" "delivered.$$"']

[health]
watch_seconds = 0
"""


@pytest.fixture(autouse=True)
def _switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLBACK_TUI_AFTERCARE", "on")


@pytest.fixture(autouse=True)
def _no_process_stays(project: Project) -> Iterator[None]:
    yield
    soon(lambda: working_in(project.directory) == [])


@pytest.fixture
def sink() -> Iterator[WebSink]:
    with web_sink() as opened:
        yield opened


@pytest.fixture
def network(project: Project, sink: WebSink) -> Iterator[Filter]:
    """What lies between this machine, the server and the chat."""
    made = Filter(project.database.server.tcp_port, sink.port)
    yield made
    made.remove()


class Window:
    """A terminal in which somebody starts the run, and then watches what comes after it."""

    def __init__(self, project: Project) -> None:
        self._master, slave = pty.openpty()
        tool = f"{sys.executable} -m rollback_tui"
        run = f"{tool} run --confirm {project.database.name} --reason test --yes"
        try:
            self.process = remembered(
                subprocess.Popen(
                    ["sh", "-c", f"{run} && {tool} monitor --watch 0.5; sleep 600"],
                    cwd=project.directory,
                    stdin=slave,
                    stdout=slave,
                    stderr=slave,
                    preexec_fn=take_terminal,
                )
            )
        finally:
            os.close(slave)
        self._closing = threading.Event()
        # Where nobody reads, whoever writes waits.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while not self._closing.is_set():
            if select.select([self._master], [], [], 0.05)[0]:
                os.read(self._master, 65536)

    def close(self) -> None:
        """Close the window: whoever works in it hears that from the kernel."""
        self._closing.set()
        self._reader.join()
        os.close(self._master)
        soon(lambda: not alive(self.process.pid))


def pid_of(folder: Path) -> int:
    soon(lambda: attendant.is_attended(folder))
    return int((folder / attendant.LOCK).read_text())


@pytest.mark.parametrize("order", permutations(("monitor", "terminal", "network")), ids=" ".join)
def test_killed_in_any_order_nothing_is_lost(
    project: Project, sink: WebSink, network: Filter, order: tuple[str, ...]
) -> None:
    project.two_migrations()
    through(project, project.database.server.tcp_port, SETTINGS.format(url=sink.url()))
    window = Window(project)
    runs = project.directory / "rollback_runs"
    soon(lambda: any(Watching(one).poll().samples for one in runs.glob("2*")))
    folder = project.run_folder()
    soon(lambda: sum(one.ok for one in read_post(folder).attempts) == 2)
    first = pid_of(folder)
    watching = Watching(folder)
    kills = {
        "monitor": lambda: os.kill(first, signal.SIGKILL),
        "terminal": window.close,
        "network": network.drop_all,
    }
    seen = watching.poll().samples
    for what in order:
        kills[what]()
        now = Watching(folder).poll().samples
        assert now[: len(seen)] == seen
        seen = now

    # Who goes on finds no database, and nobody who could be told.
    soon(lambda: [one.metric for one in watching.poll().standing] == ["database"])
    soon(lambda: not all(one.ok for one in read_post(folder).attempts))
    assert pid_of(folder) != first
    assert len(sink.arrived) == 2
    network.pass_again()
    soon(lambda: not read_post(folder).pending)
    assert deliveries(folder) == ()
    assert watching.poll().samples[: len(seen)] == seen
    seen = watching.poll().samples
    attendant.ask_to_stop(folder, "kim", "enough is seen")
    soon(lambda: not attendant.is_attended(folder))

    ended, post = Watching(folder).poll(), read_post(folder)
    assert ended.samples[: len(seen)] == seen
    times = [one.at for one in ended.samples]
    assert times == sorted(set(times))
    assert [one.metric for one in ended.raised].count("database") == 1
    # Each was told, in order; what was on the way when the network was cut may be told twice.
    assert list(dict.fromkeys(sink.titles)) == [one.title for one in post.notices]
    alerts = ["alert"] * len(ended.raised)
    assert [one.occasion for one in post.notices] == ["started", "finished", *alerts]
    _is_the_whole_report(project, folder)


def _is_the_whole_report(project: Project, folder: Path) -> None:
    """It was handed over once, when the monitoring was over."""
    assert [one.ok for one in deliveries(folder)] == [True]
    (delivered,) = project.directory.glob("delivered.*")
    report = json.loads(delivered.read_text())
    assert report["monitoring"]["samples"] == len(Watching(folder).poll().samples)
    assert report["monitoring"]["ended"] == "it was stopped by kim: enough is seen"
    assert {one["state"] for one in report["notified"]} == {"delivered"}
    assert json.loads((folder / "incident.json").read_text()) == report
