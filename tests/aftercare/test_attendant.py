"""The attendant: one process looks after one run, goes on where another one was killed, and ends
when nothing is left to be done. Here on journals that a test writes; tests/aftercare/test_killed.py
has whole runs."""

from __future__ import annotations

import contextlib
import fcntl
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from rollback_tui.aftercare.attendant import course as attendant_course
from rollback_tui.aftercare.attendant import guard as attendant_guard
from rollback_tui.aftercare.attendant import jobs as attendant_jobs
from rollback_tui.aftercare.attendant import presence, processes
from rollback_tui.aftercare.attendant.bell import Bell
from rollback_tui.aftercare.attendant.guard import BUSY
from rollback_tui.aftercare.charge import TIE, Charge
from rollback_tui.aftercare.incident_files import deliveries
from rollback_tui.aftercare.outbox import read_post
from rollback_tui.aftercare.watch import Watching, ledger
from rollback_tui.aftercare.watch import ledger as watched
from rollback_tui.config import Settings
from rollback_tui.config_aftercare import Deliver, Incident, Monitor, Notify, Place, Prometheus
from rollback_tui.core import events as ev
from rollback_tui.core.monitoring.values import FILE_NAME as MONITORING
from rollback_tui.core.monitoring.values import Ended, Raised
from rollback_tui.core.run_view import fold
from rollback_tui.run.journal import FILE_NAME, Journal, read
from tests.aftercare.monitored import NOBODY
from tests.aftercare.prometheus_server import prometheus_server
from tests.aftercare.sinks import WebSink, refused_port, soon, web_sink
from tests.core import example
from tests.core.incident_example import BEGUN
from tests.demo.processes import working_in
from tests.started import remembered

ENDED = example.rolled_back()


@pytest.fixture(autouse=True)
def _no_process_stays(tmp_path: Path) -> Iterator[None]:
    yield
    assert working_in(tmp_path) == []


@pytest.fixture(scope="module")
def sink() -> Iterator[WebSink]:
    with web_sink() as opened:
        yield opened


def settings(*urls: str, seconds: float = 0, **tables: msgspec.Struct) -> Settings:
    """Tell these places, try again soon; ``seconds``: of monitoring."""
    places = tuple(Place(name=f"place{n}", url=url) for n, url in enumerate(urls))
    return Settings(
        notify=Notify(to=places, retry_seconds=0.1, timeout_seconds=5),
        monitor=Monitor(seconds=seconds, interval_seconds=1),
        **tables,  # type: ignore[arg-type]
    )


@contextlib.contextmanager
def journal(folder: Path, *events: ev.AnyEvent) -> Iterator[Journal]:
    """A journal that its worker writes."""
    folder.mkdir(exist_ok=True)
    written = Journal(folder / FILE_NAME)
    try:
        for event in events:
            written.write(event)
        yield written
    finally:
        written.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a run that was rolled back a moment ago."""
    made = tmp_path / "rollback_runs" / "20240115_030000_5d0c6a1e"
    made.parent.mkdir()
    with journal(made, *ENDED):
        pass
    return made


def charge(folder: Path, given: Settings) -> Charge:
    return Charge(folder=str(folder), project=str(folder.parent.parent), dsn=NOBODY, settings=given)


def process(given: Charge, **env: str) -> subprocess.Popen[bytes]:
    """The attendant as it is started: a process of its own."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        made = remembered(processes.process_of(given))
    processes.process_given(made, given)
    return made


def over(folder: Path) -> str:
    """Why it ended; empty where it may be gone on with."""
    found = presence.attendance(folder)
    assert found.took is not None
    return found.over.why if found.over else ""


def titles(folder: Path) -> list[str]:
    """Occasions of what was delivered, in order."""
    post = read_post(folder)
    names = {notice.id: notice.occasion for notice in post.notices}
    return [names[attempt.id] for attempt in post.attempts if attempt.ok]


# --- from the first line to the last --------------------------------------------------------------


def test_people_are_told_while_it_happens_and_the_report_is_handed_over(
    tmp_path: Path, sink: WebSink
) -> None:
    """It is there before the run has its outcome, and ends by itself when all is done. The issue
    tracker did not take the report at first."""
    folder = tmp_path / "20240115_030000_5d0c6a1e"
    take = (
        "sh",
        "-c",
        'test -e tried && cp "$ROLLBACK_INCIDENT_JSON" taken || { touch tried; exit 1; }',
    )
    given = msgspec.structs.replace(
        charge(folder, settings(sink.url(), incident=Incident(deliver=Deliver(command=take)))),
        project=str(tmp_path),
    )
    begun = (example.started(), ev.PhaseStarted(phase="close_door"))
    with journal(folder, *begun) as written:
        running = process(given)
        soon(lambda: bool(read_post(folder).notices))
        assert [one.occasion for one in read_post(folder).notices] == ["started"]
        assert presence.is_attended(folder)
        written.write(
            ev.Question(name="gate", text="?", choices=("a", "b"), default="b", seconds=300)
        )
        # While somebody can still answer.
        soon(lambda: titles(folder) == ["started", "gate"])
        written.write(ev.Answered(name="gate", choice="a", by="operator"))
        for event in ENDED[1:]:
            written.write(event)
    assert running.wait(30) == 0
    assert titles(folder) == ["started", "gate", "finished"]
    assert over(folder) == "all is done"
    assert [one.ok for one in deliveries(folder)] == [False, True]
    assert (tmp_path / "taken").exists()
    assert "not delivered: sh: exit 1" in (folder / processes.LOG).read_text()
    assert not presence.is_attended(folder)
    assert not presence.expected(folder, datetime.now(UTC))


def test_one_at_a_time_and_a_signal_ends_it_resumably(folder: Path) -> None:
    """The place cannot be reached, so that it has something to do."""
    given = charge(folder, settings(f"json://127.0.0.1:{refused_port()}"))
    first = process(given)
    soon(lambda: bool(read_post(folder).attempts))
    second = process(given)
    assert second.wait(30) == BUSY
    assert presence.is_attended(folder)
    first.send_signal(signal.SIGHUP)
    first.send_signal(signal.SIGTERM)
    assert first.wait(30) == 0
    assert over(folder) == ""
    assert presence.expected(folder, datetime.now(UTC))
    assert presence.unfinished(folder.parent) == (folder,)


def test_what_it_is_tied_to_ends_it(folder: Path, tmp_path: Path) -> None:
    """By the kernel's word: nobody holds the lock any more."""
    file = tmp_path / "demo.lock"
    given = charge(folder, settings(seconds=60))
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        running = process(given, **{TIE: str(file)})
        soon(lambda: len(Watching(folder).poll().samples) > 0)
        assert running.poll() is None
    assert running.wait(30) == 0
    assert over(folder) == ""


def test_it_ends_with_the_folder(folder: Path) -> None:
    given = charge(folder, settings(seconds=60))
    running = process(given)
    soon(lambda: Watching(folder).poll().begun is not None)
    folder.rename(folder.parent / "elsewhere")
    assert running.wait(30) == 0
    assert not folder.exists()


# --- in this process: what it decides -------------------------------------------------------------


def test_an_alert_is_told_at_once_and_the_end_of_the_monitoring_reported(
    folder: Path, sink: WebSink
) -> None:
    """Nobody can reach the database. Two samples say so."""
    before = len(sink.arrived)
    assert attendant_course.attend(charge(folder, settings(sink.url(), seconds=4)))
    assert "alert" in titles(folder)
    assert any("database" in title for title in sink.titles[before:])
    view = Watching(folder).poll()
    assert view.ended is not None
    assert [one.metric for one in view.standing] == ["database"]
    assert "database" in (folder / "incident.md").read_text()
    assert over(folder) == "all is done"


def test_it_stays_until_the_report_was_taken(folder: Path, tmp_path: Path) -> None:
    """Nothing else is left to be done, and the issue tracker takes it the third time."""
    take = ("sh", "-c", f'cd "{tmp_path}" && echo >> tried && test "$(wc -l < tried)" = 3')
    given = settings(incident=Incident(deliver=Deliver(command=take)))
    assert attendant_course.attend(charge(folder, given))
    assert [one.ok for one in deliveries(folder)] == [False, False, True]
    assert over(folder) == "all is done"


def test_an_alert_that_was_written_and_not_told_is_told_by_who_comes_next(
    folder: Path, sink: WebSink
) -> None:
    """Whoever wrote it was killed before he could queue it."""
    now = datetime.now(UTC)
    raised = Raised(at=now, metric="database", value=5, threshold=4, summary="database: no answer")
    for line in (BEGUN, raised, Ended(at=now, why="done")):
        ledger(folder).append(line)
    before = len(sink.arrived)
    assert attendant_course.attend(charge(folder, settings(sink.url(), seconds=60)))
    assert titles(folder) == ["started", "finished", "alert"]
    assert "database: no answer" in sink.arrived[before + 2]["message"]


def test_a_wish_to_stop_is_obeyed_between_two_samples(folder: Path) -> None:
    """The next one is an hour away."""
    given = settings(seconds=7200)
    given = msgspec.structs.replace(
        given, monitor=msgspec.structs.replace(given.monitor, interval_seconds=3600)
    )
    running = process(charge(folder, given))
    soon(lambda: len(Watching(folder).poll().samples) == 1)
    presence.ask_to_stop(folder, "kim", "enough is seen")
    assert running.wait(30) == 0
    view = Watching(folder).poll()
    assert view.ended is not None
    assert (view.ended.by, len(view.samples)) == ("kim", 1)


def test_a_wish_to_stop_is_obeyed_before_there_is_a_monitoring(folder: Path) -> None:
    presence.ask_to_stop(folder, "kim", "the shop is closed")
    assert attendant_course.attend(charge(folder, settings(seconds=3600)))
    view = Watching(folder).poll()
    assert view.begun is None
    assert view.ended is not None
    assert (view.ended.why, view.ended.by, view.ended.reason) == (
        "stopped",
        "kim",
        "the shop is closed",
    )
    assert over(folder) == "all is done"


@pytest.mark.parametrize("outcome", ["refused", "needs_operator"])
def test_what_touched_nothing_is_not_monitored(tmp_path: Path, outcome: str) -> None:
    made = tmp_path / "20240115_030000_5d0c6a1e"
    with journal(made, example.started(), example.finished(outcome)):
        pass
    given = charge(made, settings(seconds=0.1))
    assert attendant_course.attend(msgspec.structs.replace(given, project=str(tmp_path)))
    assert (Watching(made).poll().begun is not None) == (outcome != "refused")
    assert over(made) == "all is done"


class Impatient(threading.Event):
    """Waits for nothing, and remembers for how long it was asked to."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__()
        self.waited: list[float] = []
        self._meanwhile = meanwhile

    def wait(self, timeout: float | None = None) -> bool:
        """Let something happen in no time."""
        self.waited.append(timeout or 0.0)
        self._meanwhile()
        return False


def test_what_the_run_did_to_people_is_asked_again_until_it_is_known(tmp_path: Path) -> None:
    """Without any monitoring, too: the report needs it."""
    made = tmp_path / "20240115_030000_5d0c6a1e"
    with journal(made, *ENDED):
        pass
    view = fold(read(made / FILE_NAME))
    with prometheus_server() as server:
        server.fault = "500"
        server.vectors = {"users": ["3"]}
        asked = Prometheus(
            url=server.url,
            failed_requests="failed[{seconds}]",
            affected_users="users",
            lag_seconds=0,
        )

        def meanwhile() -> None:
            if len(stop.waited) == 3:
                server.fault = ""
            if len(stop.waited) == 4:
                (length,) = {one["query"] for one in server.asked if "failed" in one["query"]}
                server.vectors[length] = ["12"]

        stop = Impatient(meanwhile)
        attendant_jobs.count_impact(charge(made, settings(prometheus=asked)), view, stop)
        assert attendant_course.attend(charge(made, settings(prometheus=asked)))
    impact = Watching(made).poll().impact
    assert impact is not None
    assert (impact.failed_requests, impact.affected_users, impact.why) == (12, 3, "")
    assert stop.waited[1:] == [15, 30, 60], "each time longer"
    assert len(server.asked) == 2 * 4, "what is known is not asked again by the next process"
    lines = watched(made).read()
    assert [type(line).__name__ for line in lines] == ["ImpactCounted"] * 3, "what it said, once"
    assert "12 by Prometheus" in (made / "incident.md").read_text()


def test_a_clock_that_was_set_back_does_not_have_the_report_wait_for_it(tmp_path: Path) -> None:
    """The run ended at an hour that is still to come; what it did is asked for as soon as ever."""
    made = tmp_path / "20240115_030000_5d0c6a1e"
    with journal(made, *ENDED):
        pass
    view = fold(read(made / FILE_NAME))
    assert view.finished_at is not None
    late = datetime.now(UTC) + timedelta(hours=5)
    view = msgspec.structs.replace(view, finished_at=late)
    stop = Impatient(lambda: None)
    with prometheus_server() as server:
        server.vectors = {"users": ["3"]}
        asked = Prometheus(url=server.url, affected_users="users", lag_seconds=60)
        attendant_jobs.count_impact(charge(made, settings(prometheus=asked)), view, stop)
    assert stop.waited == [60]


def test_a_damaged_journal_keeps_nothing_from_being_delivered(folder: Path, sink: WebSink) -> None:
    """What was read is told, what stands behind the damage is not, and that is said."""
    path = folder / FILE_NAME
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:6]))
    given = charge(folder, settings(sink.url()))
    sink.script.extend(["500", "500"])
    with pytest.MonkeyPatch.context() as patch:
        # The first look is at what was whole.
        told = attendant_course.Course._tell

        def damage(course: attendant_course.Course) -> None:
            told(course)
            path.write_bytes(b"".join([*lines[:6], b"{}\n", *lines[7:]]))

        patch.setattr(attendant_course.Course, "_tell", damage)
        assert attendant_course.attend(given)
    assert titles(folder) == ["started"]
    assert "line 7 is damaged" in over(folder)
    assert Watching(folder).poll().begun is None


def test_a_run_that_nobody_works_on_is_left_to_who_settles_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attendant_course, "_ALONE", 0.3)
    monkeypatch.setattr(attendant_course, "_ASKED_AGAIN", 0.1)
    path = folder / FILE_NAME
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert attendant_course.attend(charge(folder, settings(seconds=60)))
    assert over(folder) == "nobody works on the run, which has no outcome"
    assert Watching(folder).poll().begun is None
    # Somebody does: it is looked after again, to its end.
    with journal(folder, ENDED[-1]):
        pass
    assert attendant_course.attend(charge(folder, settings()))
    assert over(folder) == "all is done"


def test_what_never_arrived_is_tried_once_by_each_later_start(folder: Path) -> None:
    """Its time is over; still nothing is lost."""
    port = refused_port()
    given = settings(
        f"json://127.0.0.1:{port}", incident=Incident(deliver=Deliver(command=("false",)))
    )
    notify = msgspec.structs.replace(given.notify, keep_trying_hours=0)
    given = msgspec.structs.replace(given, notify=notify)
    assert attendant_course.attend(charge(folder, given))
    first = len(read_post(folder).attempts)
    assert first >= 1
    assert (
        over(folder) == "all is done; not delivered: 2 notices; not delivered: the incident report"
    )
    assert not presence.expected(folder, datetime.now(UTC) + timedelta(hours=1))
    assert presence.unfinished(folder.parent) == (folder,)
    with web_sink() as there:
        places = (Place(name="place0", url=there.url()),)
        notify = msgspec.structs.replace(notify, to=places)
        again = msgspec.structs.replace(given, notify=notify, incident=Incident())
        assert attendant_course.attend(charge(folder, again))
        assert len(there.arrived) == 2
    assert titles(folder) == ["started", "finished"]
    assert presence.unfinished(folder.parent) == ()


def test_who_took_the_lock_a_moment_ago_is_ended_too(folder: Path) -> None:
    """Between the lock and its own number in it."""
    asleep = remembered(subprocess.Popen(["sleep", "60"]))
    lock = folder / presence.LOCK
    lock.touch()
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        later = threading.Timer(0.3, lambda: lock.write_text(str(asleep.pid)))
        later.start()
        ending = threading.Thread(target=processes.end, args=(folder,))
        ending.start()
        assert asleep.wait(30) == -signal.SIGTERM
    ending.join(30)


def test_nobody_was_ever_to_look_after_it(folder: Path) -> None:
    assert not presence.is_attended(folder)
    assert not presence.expected(folder, datetime.now(UTC))
    assert presence.unfinished(folder.parent) == ()
    assert presence.unfinished(folder.parent / "nowhere") == ()
    processes.end(folder)
    assert [path.name for path in folder.iterdir()] == [FILE_NAME]


def test_who_only_looks_whether_somebody_is_there_keeps_nobody_from_coming(folder: Path) -> None:
    """Screens and `monitor` look while it is being started, and have its lock for an instant."""
    (folder / presence.LOCK).touch()
    with (folder / presence.LOCK).open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        gone = threading.Timer(0.1, fcntl.flock, (looking, fcntl.LOCK_UN))
        gone.start()
        with presence.taken(folder) as mine:
            assert mine
            assert presence.is_attended(folder)
        gone.join()


@pytest.mark.parametrize("began", [False, True])
def test_a_guardian_goes_on_where_the_other_one_was_killed_before_its_first_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, began: bool
) -> None:
    """Then nothing says that anybody was ever to look after the run."""
    if began:
        assert attendant_course.attend(charge(folder, settings()))
    answers = [BUSY, 0]
    monkeypatch.setattr(attendant_guard, "_run", lambda _: answers.pop(0))
    attendant_guard.guard(charge(folder, settings()))
    assert answers == ([0] if began else [])


def test_a_damaged_monitoring_keeps_nobody_from_being_told(folder: Path, sink: WebSink) -> None:
    (folder / MONITORING).write_text('{"kind":"of a later version"}\n')
    assert attendant_course.attend(charge(folder, settings(sink.url())))
    assert titles(folder) == ["started", "finished"]
    assert (folder / "incident.md").exists()
    assert over(folder) == "all is done"


def test_no_more_time_than_for_one_attempt_is_time_for_one_of_each_notice(folder: Path) -> None:
    """``keep_trying_hours = 0``: what was told of the beginning says nothing of the end."""
    with web_sink("", "500") as there:
        given = settings(there.url())
        notify = msgspec.structs.replace(given.notify, keep_trying_hours=0)
        whole = (folder / FILE_NAME).read_bytes().splitlines(keepends=True)
        (folder / FILE_NAME).write_bytes(b"".join(whole[:-1]))
        course = attendant_course.Course(
            charge(folder, msgspec.structs.replace(given, notify=notify)), Bell()
        )
        course._follow()
        course._tell()
        course._outbox.attempt()
        assert titles(folder) == ["started"]
        (folder / FILE_NAME).write_bytes(b"".join(whole))
        course._follow()
        course._tell()
        assert not course._nothing_pending()
        course._outbox.attempt()
        assert course._nothing_pending()
        assert len(there.tried) == 2
