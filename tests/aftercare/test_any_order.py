"""Whole runs, started in a terminal and watched there; then the monitor is killed, the terminal is
closed and the network is cut, in every order and without a pause: no sample that was taken is lost,
nor anything that people are to be told, and the report goes out once all of it is known."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest

from rollback_tui.aftercare.attendant import presence
from rollback_tui.aftercare.incident_files import deliveries
from rollback_tui.aftercare.outbox import read_post
from rollback_tui.aftercare.watch import Watching
from tests.aftercare.sinks import WebSink, soon, web_sink
from tests.aftercare.window import Window
from tests.cli.conftest import Project
from tests.cli.conftest import project as project
from tests.demo.processes import working_in
from tests.network.conftest import through
from tests.network.test_lost_packets import Filter, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")

SETTINGS = """
[notify]
retry_seconds = 0.2
timeout_seconds = 2

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


def window(project: Project) -> Window:
    """A terminal in which somebody starts the run, and then watches what comes after it."""
    tool = f"{sys.executable} -m rollback_tui"
    run = f"{tool} run --confirm {project.database.name} --reason test --yes"
    return Window(project.directory, f"{run} && {tool} monitor --watch 0.5; sleep 600")


def pid_of(folder: Path) -> int:
    soon(lambda: presence.is_attended(folder))
    return int((folder / presence.LOCK).read_text())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """All six orders with ``--every-fault``; else three, in which each comes first, second and
    last once."""
    if "order" in metafunc.fixturenames:
        orders = tuple(permutations(("monitor", "terminal", "network")))
        every = metafunc.config.getoption("--every-fault")
        chosen = orders if every else (orders[0], orders[3], orders[4])
        metafunc.parametrize("order", chosen, ids=" ".join)


def test_killed_in_any_order_nothing_is_lost(
    project: Project, sink: WebSink, network: Filter, order: tuple[str, ...]
) -> None:
    project.two_migrations()
    through(project, project.database.server.tcp_port, SETTINGS.format(url=sink.url()))
    terminal = window(project)
    runs = project.directory / "rollback_runs"
    soon(lambda: any(Watching(one).poll().samples for one in runs.glob("2*")))
    folder = project.run_folder()
    soon(lambda: len(read_post(folder).notices) == 2 and not read_post(folder).pending)
    first = pid_of(folder)
    watching = Watching(folder)
    kills = {
        "monitor": lambda: os.kill(first, signal.SIGKILL),
        "terminal": terminal.close,
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
    soon(lambda: any("alert" in one.id for one in read_post(folder).attempts))
    assert pid_of(folder) != first
    assert not any(title.startswith("Alert") for title in sink.titles)
    network.pass_again()
    soon(lambda: not read_post(folder).pending)
    assert deliveries(folder) == ()
    assert watching.poll().samples[: len(seen)] == seen
    seen = watching.poll().samples
    presence.ask_to_stop(folder, "kim", "enough is seen")
    soon(lambda: not presence.is_attended(folder))

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
