"""The monitoring of a real database and a real application: what goes wrong is told within two
intervals and not twice, what is well is not told at all, and no end of the process loses a line."""

from __future__ import annotations

import contextlib
import resource
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rollback_tui.aftercare.clock import SystemClock
from rollback_tui.aftercare.monitor import monitor
from rollback_tui.aftercare.sampling import answer_seconds, probe_seconds
from rollback_tui.aftercare.watch import Watching, ledger
from rollback_tui.config import Prometheus
from rollback_tui.core import events as ev
from rollback_tui.core.monitoring.judge import past
from rollback_tui.core.monitoring.levels import Levels
from rollback_tui.core.monitoring.values import (
    Begun,
    Ended,
    Line,
    Metric,
    MonitorView,
    Raised,
    Sampled,
    Usual,
)
from rollback_tui.run import journal
from tests.aftercare import faults
from tests.aftercare.monitored import (
    NOBODY,
    Application,
    FastClock,
    application,
    begun_by,
    charge,
    monitored,
    told_with_the_second,
    value,
    why,
)
from tests.aftercare.prometheus_server import prometheus_server
from tests.conftest import Database
from tests.core import example

BEGAN = datetime(2024, 1, 15, 3, 1, tzinfo=UTC)
NAME = "20240115_030000_5d0c6a1e"


def lines(folder: Path) -> tuple[Line, ...]:
    return ledger(folder).read()


def view_of(folder: Path) -> MonitorView:
    return Watching(folder).poll()


def run_through(folder: Path, clock: FastClock, dsn: str = NOBODY, **changes: Any) -> MonitorView:
    """Monitor to the end, in no time."""
    found = changes.pop("run", None) or begun_by(finished=BEGAN)
    told = changes.pop("told", lambda _: None)
    stop = changes.pop("stop", threading.Event())
    monitor(charge(folder, dsn, **changes), found, stop, clock, told)
    return view_of(folder)


# --- what goes wrong is told ----------------------------------------------------------------------

_LEVELS = Levels(connections=0.2, response_seconds=0.5)


@contextlib.contextmanager
def _errors(shop: Application, _: Database) -> Iterator[None]:
    shop.error_rate = 0.6
    yield
    shop.error_rate = 0.0


@contextlib.contextmanager
def _slow(shop: Application, _: Database) -> Iterator[None]:
    shop.seconds = 0.6
    yield
    shop.seconds = 0.0


@contextlib.contextmanager
def _crowd(_: Application, database: Database) -> Iterator[None]:
    with faults.connected(database, 20):
        yield


@contextlib.contextmanager
def _closed(_: Application, database: Database) -> Iterator[None]:
    with faults.closed(database):
        yield


@pytest.mark.parametrize("moment", [64, 77])
def test_each_fault_is_told_within_two_intervals_of_its_beginning_and_is_over_after_it_is_mended(
    tmp_path: Path, database: Database, moment: int
) -> None:
    """By a clock that does not wait: the same faults, just after a sample, and just
    before one."""
    wrong: dict[Metric, Callable[[Application, Database], Any]] = {
        "error_rate": _errors,
        "response_time": _slow,
        "database_connections": _crowd,
        "database": _closed,
    }
    run = begun_by(database.dsn, finished=BEGAN)
    told: list[Raised] = []
    with application() as shop, contextlib.ExitStack() as made:
        clock = FastClock(BEGAN)
        began: dict[Metric, datetime] = {}
        mended: dict[Metric, datetime] = {}
        steps: dict[float, Callable[[], None]] = {}

        def begin(metric: Metric) -> None:
            made.enter_context(wrong[metric](shop, database))
            began[metric] = clock.wall

        def mend(metric: Metric) -> None:
            made.close()
            mended[metric] = clock.wall

        for number, metric in enumerate(wrong):
            steps[moment + 120 * number] = lambda metric=metric: begin(metric)
            steps[moment + 120 * number + 45] = lambda metric=metric: mend(metric)

        def go_wrong(now: FastClock) -> None:
            for after in [one for one in steps if BEGAN + timedelta(seconds=one) <= now.wall]:
                steps.pop(after)()

        clock.waited = go_wrong
        view = run_through(
            tmp_path / NAME,
            clock,
            database.dsn,
            url=shop.url,
            run=run,
            told=told.append,
            seconds=540,
            interval_seconds=15,
            levels=_LEVELS,
        )
    assert [one.metric for one in view.raised] == list(wrong)
    assert told == list(view.raised)
    for raised in view.raised:
        assert raised.at - began[raised.metric] <= timedelta(seconds=30), raised.summary
    assert view.standing == ()
    for cleared in view.cleared:
        assert cleared.at - mended[cleared.metric] <= timedelta(seconds=45)
        at = next(n for n, one in enumerate(view.samples) if one.at == cleared.at)
        rule = view.rule(cleared.metric)
        assert rule is not None
        for sample in view.samples[at - 1 : at + 1]:
            measured = value(sample, cleared.metric)
            assert measured is not None
            assert not past(rule, measured)
    assert view.ended is not None
    assert view.ended.why == "done"


def test_a_small_share_of_errors_needs_three_samples_and_is_told_within_two_intervals(
    tmp_path: Path,
) -> None:
    """One probe of five fails, from a moment after a sample on: the samples that follow come
    sooner."""
    clock = FastClock(BEGAN)
    began: list[datetime] = []

    def go_wrong(now: FastClock) -> None:
        if now.wall >= BEGAN + timedelta(seconds=64) and not began:
            began.append(now.wall)
            shop.error_rate = 0.2

    with application() as shop:
        clock.waited = go_wrong
        view = run_through(tmp_path / NAME, clock, url=shop.url, seconds=150)
    (raised,) = (one for one in view.raised if one.metric == "error_rate")
    assert raised.evidence[0] == "3 of 15 probes failed"
    assert raised.at - began[0] <= timedelta(seconds=30)
    apart = [(b.at - a.at).total_seconds() for a, b in pairwise(view.samples)]
    assert apart.count(7.5) == 2


def test_what_the_server_counts_and_who_waits_is_told_and_is_over(
    tmp_path: Path, database: Database
) -> None:
    """By the clock of the machine: what a session has counted, it reports once a second."""
    wrong: dict[Metric, Any] = {
        "longest_query": faults.long_query(database),
        "lock_waits": faults.queue(database, 3),
        "deadlocks": faults.deadlocks(database),
        "rollbacks": faults.rolled_back(database),
        "query_errors": faults.lost_clients(database),
    }
    database.connect().execute(faults.TABLES)
    levels = Levels(longest_query_seconds=0.8, lock_waits=2)
    given = charge(tmp_path / NAME, database.dsn, interval_seconds=1.2, levels=levels)
    with monitored(given, begun_by(database.dsn)) as here, faults.well(database):
        before = here.samples(4)
        assert before.raised == ()
        assert value(before.samples[-1], "rollbacks") == 0
        with contextlib.ExitStack() as made:
            for fault in wrong.values():
                made.enter_context(fault)
            first = len(here.view().samples)
            view = here.until(lambda view: {one.metric for one in view.standing} == set(wrong))
        told_with_the_second(view, first)
        for raised in view.raised:
            assert raised.evidence, raised.summary
        after = here.until(lambda view: not view.standing)
    assert {one.metric for one in after.cleared} == set(wrong)
    assert here.told == list(after.raised)
    waits = next(one for one in after.raised if one.metric == "lock_waits")
    assert any("migrate" in text for text in waits.evidence)


# --- what is well is not --------------------------------------------------------------------------


def test_two_hours_of_a_healthy_application_under_load_tell_nobody_anything(
    tmp_path: Path, database: Database
) -> None:
    database.connect().execute(faults.TABLES)
    clock = FastClock(BEGAN)
    told: list[Raised] = []
    run = begun_by(
        database.dsn,
        finished=BEGAN,
        # It has its habits: one request in eight fails, and it has many connections.
        usual=(
            Usual(metric="error_rate", value=0.125),
            Usual(metric="database_connections", value=60),
        ),
    )
    with application() as shop, faults.connected(database, 60), faults.well(database):
        shop.error_rate = 0.125
        view = run_through(
            tmp_path / NAME,
            clock,
            database.dsn,
            url=shop.url,
            run=run,
            told=told.append,
            probes=1,
            levels=Levels(connections=0.5),
        )
    assert (told, view.raised, view.gaps) == ([], (), ())
    assert len(view.samples) >= 480
    assert view.ended is not None
    assert view.ended.at == BEGAN + timedelta(seconds=7200)
    failed = [value(sample, "error_rate") for sample in view.samples]
    assert sum(one == 1 for one in failed) > 50
    assert all(value(sample, "database") is not None for sample in view.samples)
    # Everything that can be judged here was: nothing is well only because nobody looked.
    for metric in ("database", "error_rate", "response_time", "database_connections"):
        rule = view.rule(metric)
        assert rule is not None
        assert rule.threshold is not None


# --- it goes on -----------------------------------------------------------------------------------


def stopped_after(clock: FastClock, stop: threading.Event, seconds: float) -> None:
    """Have it stopped when so much has passed, wherever it is by then."""
    until = clock.passed + seconds

    def look(now: FastClock) -> None:
        if now.passed >= until:
            stop.set()

    clock.waited = look


def test_stopped_anywhere_and_called_again_it_goes_on_and_tells_nothing_twice(
    tmp_path: Path,
) -> None:
    """Nobody is there to be asked: the alert stands all the time."""
    folder, clock = tmp_path / NAME, FastClock(BEGAN)
    told: list[Raised] = []
    kept: tuple[Line, ...] = ()
    for seconds in (20, 40, 7, 200):
        stop = threading.Event()
        stopped_after(clock, stop, seconds)
        run_through(folder, clock, stop=stop, told=told.append, seconds=600)
        assert lines(folder)[: len(kept)] == kept
        kept = lines(folder)
    clock.waited = lambda _: None
    # Nobody was there for a while, and then for a moment only.
    clock.go_on(120)
    view = run_through(folder, clock, told=told.append, seconds=600)
    assert [one.metric for one in told] == ["database"]
    assert [one.metric for one in view.standing] == ["database"]
    assert sum(isinstance(line, Begun) for line in lines(folder)) == 1
    (gap,) = view.gaps
    assert gap.at - gap.since >= timedelta(seconds=120)
    assert view.ended is not None
    assert view.ended.at == BEGAN + timedelta(seconds=600)
    # Over is over.
    before = lines(folder)
    run_through(folder, clock, seconds=600)
    assert lines(folder) == before


def test_a_sample_that_was_written_and_not_judged_is_judged_by_who_comes_next(
    tmp_path: Path,
) -> None:
    folder, clock = tmp_path / NAME, FastClock(BEGAN)
    stop = threading.Event()
    stopped_after(clock, stop, 5)
    run_through(folder, clock, stop=stop)
    whole = lines(folder)
    assert [type(line) for line in whole] == [Begun, Sampled, Raised]
    path = folder / "monitoring.jsonl"
    # Killed after the sample, and half of the next line was written.
    text = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(text[:2]) + text[2][:20])
    told: list[Raised] = []
    stop.clear()
    stopped_after(clock, stop, 1)
    run_through(folder, clock, stop=stop, told=told.append)
    assert lines(folder)[:3] == whole
    assert told == [whole[2]]


def test_who_begins_late_says_since_when_nobody_measured(tmp_path: Path) -> None:
    clock = FastClock(BEGAN + timedelta(hours=1))
    view = run_through(tmp_path / "late" / NAME, clock)
    assert view.begun is not None
    assert view.begun.until == BEGAN + timedelta(hours=2)
    assert [gap.since for gap in view.gaps] == [BEGAN]
    clock = FastClock(BEGAN + timedelta(hours=3))
    view = run_through(tmp_path / "too late" / NAME, clock)
    assert view.samples == ()
    assert view.ended is not None


def test_what_was_not_known_at_first_is_known_later(tmp_path: Path, database: Database) -> None:
    folder, clock = tmp_path / NAME, FastClock(BEGAN)
    run = begun_by(database.dsn, finished=BEGAN)
    with contextlib.ExitStack() as made:
        made.enter_context(faults.closed(database))
        clock.waited = lambda now: made.close() if now.wall > BEGAN + timedelta(60) else None
        clock.waited = lambda now: (
            made.close() if now.wall > BEGAN + timedelta(seconds=60) else None
        )
        view = run_through(folder, clock, database.dsn, run=run, seconds=120)
    first, second = (line for line in lines(folder) if isinstance(line, Begun))
    assert {one.metric: one.level for one in first.rules}["database_connections"] is None
    rule = view.rule("database_connections")
    assert rule is not None
    assert rule.level == 90
    assert (second.at, second.until) == (first.at, first.until)
    assert view.begun == second


# --- it ends --------------------------------------------------------------------------------------


def test_who_writes_its_end_ends_it(tmp_path: Path) -> None:
    folder, clock = tmp_path / NAME, FastClock(BEGAN)
    said = Ended(at=BEGAN, why="stopped", by="ana", reason="it is well")

    def stop_it(now: FastClock) -> None:
        if now.wall > BEGAN + timedelta(minutes=5) and view_of(folder).ended is None:
            ledger(folder).append(said)

    clock.waited = stop_it
    view = run_through(folder, clock)
    assert view.ended == said
    assert lines(folder)[-1] == said
    assert clock.wall < BEGAN + timedelta(minutes=6)


@pytest.mark.parametrize(
    ("database_name", "phase", "ends"),
    [("shop", "execute", True), ("shop", "drain", False), ("other", "execute", False)],
)
def test_it_ends_when_another_run_touches_the_same_database(
    tmp_path: Path, database_name: str, phase: Any, ends: bool
) -> None:
    folder, clock = tmp_path / NAME, FastClock(BEGAN)
    other = tmp_path / "20240115_040000_77777777"

    def begin(now: FastClock) -> None:
        if now.wall > BEGAN + timedelta(minutes=5) and not other.exists():
            other.mkdir()
            target = msgspec.structs.replace(
                example.TARGET,
                database=database_name,
                database_oid=example.TARGET.database_oid + (database_name != "shop"),
            )
            started = msgspec.structs.replace(example.started(), run="7" * 32, target=target)
            written = journal.Journal(other / journal.FILE_NAME)
            written.write(started)
            written.write(ev.PhaseStarted(phase=phase))
            written.close()

    clock.waited = begin
    view = run_through(folder, clock, seconds=900)
    assert view.ended is not None
    if ends:
        assert (view.ended.why, view.ended.reason) == ("another run", f"run {'7' * 32} began")
        assert view.samples[-1].at < view.ended.at < BEGAN + timedelta(minutes=6)
    else:
        assert view.ended.why == "done"


def test_it_ends_quietly_when_the_folder_is_gone(tmp_path: Path) -> None:
    folder, clock = tmp_path / NAME, FastClock(BEGAN)

    def remove(now: FastClock) -> None:
        if now.wall > BEGAN + timedelta(minutes=5):
            shutil.rmtree(folder, ignore_errors=True)

    clock.waited = remove
    run_through(folder, clock)
    assert not folder.exists()
    assert clock.wall < BEGAN + timedelta(minutes=6)


# --- what the machine does ------------------------------------------------------------------------


def test_a_full_disk_loses_no_sample(tmp_path: Path) -> None:
    folder, clock = tmp_path / NAME, FastClock(BEGAN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    told: list[tuple[Raised, int]] = []

    def fill(now: FastClock) -> None:
        passed = (now.wall - BEGAN).total_seconds()
        if 60 < passed < 200:
            size = (folder / "monitoring.jsonl").stat().st_size
            # A file may not become larger than it is, or half a line larger.
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, limits[1]))
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    clock.waited = fill
    try:
        view = run_through(folder, clock, seconds=300, told=lambda one: told.append((one, 1)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(told) == 1
    apart = [(b.at - a.at).total_seconds() for a, b in pairwise(view.samples)]
    assert len(view.samples) >= 20
    assert max(apart) <= 15
    assert view.ended is not None
    assert view.gaps == ()


def test_a_machine_that_slept_is_one_gap_and_no_burst(tmp_path: Path) -> None:
    folder, clock = tmp_path / NAME, FastClock(BEGAN)
    slept: list[datetime] = []

    def sleep(now: FastClock) -> None:
        if now.wall > BEGAN + timedelta(minutes=5) and not slept:
            slept.append(now.wall)
            now.go_on(3600)

    clock.waited = sleep
    view = run_through(folder, clock)
    (gap,) = view.gaps
    assert timedelta(seconds=3600) <= gap.at - gap.since <= timedelta(seconds=3630)
    assert not [one for one in view.samples if gap.since < one.at < gap.at]
    apart = [(b.at - a.at).total_seconds() for a, b in pairwise(view.samples)]
    assert min(apart[1:-1]) >= 7.5
    assert view.ended is not None
    assert view.ended.at == BEGAN + timedelta(seconds=7200)


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_clock_that_is_set_neither_ends_it_nor_turns_it_back(tmp_path: Path, hours: int) -> None:
    folder, clock = tmp_path / NAME, FastClock(BEGAN)
    began = clock.passed
    done: list[bool] = []

    def change(now: FastClock) -> None:
        if now.passed > began + 300 and not done:
            done.append(True)
            now.wall += timedelta(hours=hours)

    clock.waited = change
    view = run_through(folder, clock, seconds=900)
    assert clock.passed == began + 900
    assert view.gaps == ()
    assert len(view.samples) >= 60
    apart = [(b.at - a.at).total_seconds() for a, b in pairwise(view.samples)]
    assert min(apart) > 0
    assert sorted(apart)[-2] <= 15


def test_the_clock_of_the_machine_goes_on() -> None:
    clock, stop = SystemClock(), threading.Event()
    before = clock.steady()
    assert not clock.wait(stop, -1)
    assert clock.steady() >= before
    assert clock.now().tzinfo is UTC
    stop.set()
    assert clock.wait(stop, 60)


# --- what is asked --------------------------------------------------------------------------------


def test_prometheus_takes_the_place_of_probes_and_gives_it_back(tmp_path: Path) -> None:
    folder, clock = tmp_path / NAME, FastClock(BEGAN)
    with application() as shop, prometheus_server() as server:
        server.vectors = {"errors": ["0.5"]}

        def change(now: FastClock) -> None:
            if now.wall > BEGAN + timedelta(seconds=90):
                server.fault = "500"

        clock.waited = change
        view = run_through(
            folder,
            clock,
            url=shop.url,
            seconds=150,
            prometheus=Prometheus(url=server.url, error_rate="errors"),
        )
    sources = [
        next(one.source for one in sample.readings if one.metric == "error_rate")
        for sample in view.samples
    ]
    assert sources[0] == "Prometheus"
    assert sources[-1].startswith("health probes, for Prometheus gave no number: HTTP 500")
    raised = [one for one in view.raised if one.metric == "error_rate"]
    assert [one.value for one in raised] == [0.5]
    assert [one.metric for one in view.cleared] == ["error_rate"]


def test_no_secret_is_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "t0ken-of-the-shop")
    folder, clock = tmp_path / NAME, FastClock(BEGAN)
    dsn = NOBODY + " password=p4ssword-of-ours"
    with prometheus_server(token="another") as server:
        run_through(
            folder,
            clock,
            dsn,
            url="http://user:p4ssword-in-url@127.0.0.1:1/health",
            seconds=40,
            prometheus=Prometheus(
                url=server.url, headers_env={"Authorization": "SHOP_TOKEN"}, error_rate="x"
            ),
        )
    text = (folder / "monitoring.jsonl").read_text()
    for secret in ("t0ken", "p4ssword"):
        assert secret not in text
    assert "no access with •••" in text
    assert (folder / "monitoring.jsonl").stat().st_mode & 0o777 == 0o600


def test_nothing_configured_says_what_to_do(tmp_path: Path) -> None:
    view = run_through(tmp_path / NAME, FastClock(BEGAN), seconds=20)
    sample = view.samples[0]
    assert value(sample, "error_rate") is None
    assert why(sample, "error_rate") == "no URL to ask: set [health] url in rollback.toml"
    assert "onnection refused" in why(sample, "database")
    assert why(sample, "rollbacks").startswith("the database could not be asked: ")


def test_deadlines_leave_room_for_what_they_measure() -> None:
    assert (answer_seconds(15), answer_seconds(1)) == (5, 2)
    assert (probe_seconds(15, 1), probe_seconds(15, 10)) == (7.5, 15)


def test_nothing_stays_connected_between_two_samples(tmp_path: Path, database: Database) -> None:
    given = charge(tmp_path / NAME, database.dsn, interval_seconds=0.4)
    seen = database.connect(superuser=True, application_name="looker")
    with monitored(given, begun_by(database.dsn)) as here:
        here.samples(3)
        there = [
            seen.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'rollback_tui%'"
            ).fetchone()
            for _ in range(60)
        ]
        here.samples(1)
    assert (0,) in there
