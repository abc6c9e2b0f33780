"""A run that is monitored: an application whose health can be set, a clock that does not wait, and
what :func:`rollback_tui.aftercare.monitor.monitor` is called with."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from rollback_tui.aftercare.charge import Charge
from rollback_tui.aftercare.clock import Clock, SystemClock
from rollback_tui.aftercare.monitor import monitor
from rollback_tui.aftercare.watch import Watching
from rollback_tui.config import Health, Monitor, Settings
from rollback_tui.core import events as ev
from rollback_tui.core.monitoring.judge import past
from rollback_tui.core.monitoring.values import Metric, MonitorView, Raised, Sampled, Usual
from rollback_tui.core.run_view import RunView
from rollback_tui.postgres.connect import connect, target
from tests.core import example

NOBODY = "host=127.0.0.1 port=1 dbname=shop user=nobody connect_timeout=2"
"""A server that is not there: it refuses at once."""


class Application:
    """A web application on this machine: so many of its answers fail, and they take so long."""

    def __init__(self) -> None:
        self.error_rate = 0.0
        """Every n-th answer fails, so that this share does."""
        self.seconds = 0.0
        self.asked = 0
        self._failing = 0.0
        self._turn = threading.Lock()
        application = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                application.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/health"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer as it is set."""
        with self._turn:
            self.asked += 1
            self._failing += self.error_rate
            fails = self._failing >= 1
            self._failing -= fails
        time.sleep(self.seconds)
        request.send_response(500 if fails else 200)
        request.send_header("Content-Length", "2")
        request.end_headers()
        request.wfile.write(b"no" if fails else b"ok")

    def close(self) -> None:
        """Refuse from now on."""
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def application() -> Iterator[Application]:
    """One that is closed afterwards."""
    found = Application()
    try:
        yield found
    finally:
        found.close()


class FastClock:
    """Waiting takes no time: two hours are over as fast as they can be measured. Both times can be
    set, as those of a machine can."""

    def __init__(self, began: datetime) -> None:
        self.wall = began
        self.passed = 1000.0
        self.waited: Callable[[FastClock], None] = lambda _: None
        """Called after each wait."""

    def now(self) -> datetime:
        """Return the time of day."""
        return self.wall

    def steady(self) -> float:
        """Return what has passed."""
        return self.passed

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        """Let so much have passed."""
        self.go_on(max(0.0, seconds))
        self.waited(self)
        return stop.is_set()

    def go_on(self, seconds: float) -> None:
        """Both go on."""
        self.passed += seconds
        self.wall += timedelta(seconds=seconds)


def begun_by(
    dsn: str = "", *, finished: datetime | None = None, usual: tuple[Usual, ...] = ()
) -> RunView:
    """A run that rolled back the database of ``dsn`` a minute long, and has ended ``finished``."""
    view = example.view(*example.rolled_back())
    started = view.started
    assert started is not None
    if dsn:
        with connect(dsn) as connection:
            started = msgspec.structs.replace(started, target=target(connection))
    end = finished or datetime.now(UTC)
    measured = ev.UsualMeasured(usual=usual, seconds=5.0) if usual else None
    return msgspec.structs.replace(
        view,
        started=started,
        started_at=end - timedelta(seconds=60),
        finished_at=end,
        usual=measured,
    )


def charge(folder: Path, dsn: str = NOBODY, url: str = "", **changes: Any) -> Charge:
    """Monitor the database of ``dsn`` and the application at ``url``; ``changes`` are of
    ``[monitor]``, but ``prometheus``."""
    prometheus = changes.pop("prometheus", None)
    settings = Settings(health=Health(url=url), monitor=Monitor(**changes))
    if prometheus is not None:
        settings = msgspec.structs.replace(settings, prometheus=prometheus)
    folder.mkdir(exist_ok=True, parents=True)
    return Charge(folder=str(folder), project=str(folder), dsn=dsn, settings=settings)


class Monitored:
    """A monitoring in a thread of its own, by the machine's clock."""

    def __init__(self, given: Charge, run: RunView, clock: Clock | None = None) -> None:
        self.told: list[Raised] = []
        self.stop = threading.Event()
        self._watching = Watching(given.path)
        self._thread = threading.Thread(
            target=monitor, args=(given, run, self.stop, clock or SystemClock(), self.told.append)
        )
        self._thread.start()

    def view(self) -> MonitorView:
        """What is on disk by now."""
        return self._watching.poll()

    def until(self, wanted: Callable[[MonitorView], object], seconds: float = 60) -> MonitorView:
        """Wait until ``wanted`` is so."""
        deadline = time.monotonic() + seconds
        while not wanted(view := self.view()):
            assert self._thread.is_alive(), "the monitoring has ended"
            assert time.monotonic() < deadline, [view.standing, view.samples[-1:]]
            time.sleep(0.02)
        return view

    def samples(self, more: int = 1) -> MonitorView:
        """Wait for so many more samples."""
        wanted = len(self.view().samples) + more
        return self.until(lambda view: len(view.samples) >= wanted)

    def end(self) -> MonitorView:
        """Wait for its end."""
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.view()


@contextlib.contextmanager
def monitored(given: Charge, run: RunView, clock: Clock | None = None) -> Iterator[Monitored]:
    """One that is stopped afterwards."""
    found = Monitored(given, run, clock)
    try:
        yield found
    finally:
        found.stop.set()
        found.end()


def value(sample: Sampled, metric: Metric) -> float | None:
    """Return what a sample says of a metric."""
    return next((one.value for one in sample.readings if one.metric == metric), None)


def told_with_the_second(view: MonitorView, first: int) -> None:
    """Assert of each alert that it stands from the second bad sample on: from sample ``first`` on
    something was wrong. That is seen in the one which follows the one under way, or one later where
    it counts from the second second on."""
    for raised in view.raised:
        rule = view.rule(raised.metric)
        assert rule is not None
        bad = [
            number
            for number, sample in enumerate(view.samples)
            if number >= first
            and (measured := value(sample, raised.metric)) is not None
            and past(rule, measured)
        ]
        assert bad[0] <= first + 2, raised.summary
        assert raised.at == view.samples[bad[1]].at, raised.summary


def why(sample: Sampled, metric: Metric) -> str:
    """Return why it says nothing of it."""
    return next(one.why for one in sample.readings if one.metric == metric)
