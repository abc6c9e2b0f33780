"""The outbox: what is queued arrives, in order and once, whatever happens on the way."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import psutil  # type: ignore[import-untyped]
import pytest

from rollback_tui.aftercare import outbox as outbox_module
from rollback_tui.aftercare.ledger import Ledger
from rollback_tui.aftercare.outbox import Outbox, _turn, read_post, retry
from rollback_tui.config_aftercare import Notify, Place
from rollback_tui.core.notices import FILE_NAME, Line, Notice, Sent
from tests.aftercare.sinks import refused_port, soon, web_sink
from tests.started import remembered

NOW = datetime.now(UTC)


def notice(key: str, *places: str, at: datetime | None = None) -> Notice:
    return Notice(
        id=key,
        occasion="alert",
        level="critical",
        at=at or datetime.now(UTC),
        title=key,
        body=f"body of {key}",
        places=places,
    )


def settings(**urls: str) -> Notify:
    return Notify(
        to=tuple(Place(name=name, url=url) for name, url in urls.items()),
        retry_seconds=0.05,
        timeout_seconds=20,
    )


@contextmanager
def working(outbox: Outbox) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=outbox.work, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


def attempts(folder: Path, place: str) -> list[tuple[str, int, bool, str]]:
    return [(a.id, a.attempt, a.ok, a.why) for a in read_post(folder).attempts if a.place == place]


def test_failures_delay_only_the_place_that_has_them_and_lose_nothing(tmp_path: Path) -> None:
    gone = f"json://127.0.0.1:{refused_port()}"
    with web_sink("500", "reset") as bad, web_sink() as good:
        places = settings(bad=bad.url(), good=good.url(), gone=gone)
        outbox = Outbox(tmp_path, places)
        outbox.add(notice(key, "bad", "good", "gone") for key in ("one", "two"))
        # What is on disk is enough: this object knows of none of it.
        with working(Outbox(tmp_path, places)):
            for sink in (bad, good):
                sink.wait_for(2)
        assert bad.titles == good.titles == ["one", "two"]
    assert [(key, number, ok, why[:50]) for key, number, ok, why in attempts(tmp_path, "bad")] == [
        ("one", 1, False, "HTTP 500 Internal Server Error: POST /*** HTTP/1.1"),
        ("one", 2, False, "the connection was cut off"),
        ("one", 3, True, ""),
        ("two", 1, True, ""),
    ]
    left = outbox.pending()
    assert [(p.notice.id, p.place, p.deliverable) for p in left] == [
        ("one", "gone", True),
        ("two", "gone", True),
    ]
    assert left[0].why == "the connection was refused"
    assert left[0].attempts >= 1
    # It is in order again: the next one who comes sends it.
    with web_sink() as mended:
        post = retry(tmp_path, settings(gone=mended.url()))
        assert mended.titles == ["one", "two"]
        assert post.pending == ()
        # Nothing is told twice, however often it is derived or retried.
        outbox.add([notice("two", "gone")])
        retry(tmp_path, settings(gone=mended.url()))
        assert mended.titles == ["one", "two"]


def test_a_place_that_hangs_delays_no_other(tmp_path: Path) -> None:
    with web_sink("hang", "hang") as stuck, web_sink() as well:
        outbox = Outbox(tmp_path, settings(stuck=stuck.url(), well=well.url()))
        with working(outbox):
            outbox.add([notice("first", "stuck", "well")])
            assert stuck.held.wait(20)
            outbox.add([notice("second", "stuck", "well")])
            well.wait_for(2)
            assert stuck.tried == ["first"]
            assert not stuck.abandoned.is_set()
            stuck.script.clear()
            # It lets go of us only now.
            stuck.release()
            stuck.wait_for(2)
        assert stuck.titles == well.titles == ["first", "second"]


def test_killed_in_the_middle_another_one_goes_on(tmp_path: Path) -> None:
    with web_sink("", "hang") as sink:
        places = settings(chat=sink.url())
        Outbox(tmp_path, places).add(notice(key, "chat") for key in ("one", "two", "three"))
        script = (
            "import sys, threading, msgspec\n"
            "from pathlib import Path\n"
            "from rollback_tui.aftercare.outbox import Outbox\n"
            "from rollback_tui.config_aftercare import Notify\n"
            "given = msgspec.json.decode(sys.stdin.buffer.read(), type=Notify)\n"
            "Outbox(Path(sys.argv[1]), given).work(threading.Event())\n"
        )
        worker = remembered(
            subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE)
        )
        assert worker.stdin is not None
        worker.stdin.write(msgspec.json.encode(places))
        worker.stdin.close()
        assert sink.held.wait(20)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        # The process that was sending is gone with it, and half a line is no line.
        assert sink.abandoned.wait(10)
        with (tmp_path / FILE_NAME).open("ab") as file:
            file.write(b'{"kind":"sent","id":"tw')
        Outbox(tmp_path, places).work(threading.Event(), until=NOW + timedelta(hours=1))
        assert sink.titles == ["one", "two", "three"]
    assert read_post(tmp_path).pending == ()


def test_two_at_once_send_nothing_twice(tmp_path: Path) -> None:
    with web_sink("hang") as sink:
        places = settings(chat=sink.url())
        first = Outbox(tmp_path, places)
        first.add(notice(key, "chat") for key in ("one", "two"))
        with working(first):
            assert sink.held.wait(20)
            second = threading.Thread(target=retry, args=(tmp_path, places))
            second.start()
            sink.release()
            sink.wait_for(2)
            second.join(30)
        assert sink.tried == ["one", "one", "two"]
        assert sink.titles == ["one", "two"]


def test_two_that_chose_the_same_send_it_once(tmp_path: Path) -> None:
    """Both wait for their turn with it."""
    with web_sink() as sink:
        places = settings(chat=sink.url())
        Outbox(tmp_path, places).add([notice("one", "chat")])
        waiting = [threading.Thread(target=retry, args=(tmp_path, places)) for _ in range(2)]
        with _turn(tmp_path, "chat", threading.Event()) as ours:
            assert ours
            for thread in waiting:
                thread.start()
            soon(lambda: sum(_is_turn(one.path) for one in psutil.Process().open_files()) == 3)
        for thread in waiting:
            thread.join(30)
        assert sink.titles == ["one"]
    assert [(one.id, one.attempt) for one in read_post(tmp_path).attempts] == [("one", 1)]


def _is_turn(path: str) -> bool:
    return Path(path).name.startswith("notify_")


def test_what_a_place_does_not_take_holds_up_nothing_that_comes_after_it(tmp_path: Path) -> None:
    with web_sink("400") as sink:
        outbox = Outbox(tmp_path, settings(chat=sink.url()))
        outbox.add([notice("too long for it", "chat"), notice("wake up", "chat")])
        outbox.work(threading.Event(), until=NOW + timedelta(hours=1))
        assert sink.titles == ["wake up", "too long for it"]


def test_what_cannot_be_sent_from_here_waits_and_says_why(tmp_path: Path) -> None:
    with web_sink() as sink:
        places = Notify(to=(Place(name="pager", url_env="PAGER_URL"),))
        outbox = Outbox(tmp_path, places, environment={})
        outbox.add([notice("one", "pager", "old chat")])
        # Nothing is left that could be done: this returns.
        outbox.work(threading.Event(), until=NOW + timedelta(hours=1))
        assert [(p.place, p.why, p.deliverable) for p in outbox.pending()] == [
            ("pager", "the environment variable PAGER_URL is not set", False),
            ("old chat", "no place old chat is configured any more", False),
        ]
        retry(tmp_path, places, {"PAGER_URL": sink.url()})
        assert sink.titles == ["one"]
    assert outbox.drop("old chat", "nobody reads it") == 1
    assert outbox.pending() == ()
    assert read_post(tmp_path).dropped[0].why == "nobody reads it"


def test_it_stops_trying_at_its_time_and_keeps_everything(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, settings(gone=f"json://127.0.0.1:{refused_port()}"))
    outbox.add([notice("one", "gone"), notice("two", "gone")])
    outbox.work(threading.Event(), until=datetime.now(UTC) + timedelta(seconds=1))
    (first, second) = outbox.pending()
    assert first.attempts >= 1
    assert (second.notice.id, second.attempts) == ("two", 0)


def test_what_is_late_says_so(tmp_path: Path) -> None:
    at = datetime.now(UTC) - timedelta(minutes=10)
    with web_sink() as sink:
        outbox = Outbox(tmp_path, settings(chat=sink.url()))
        outbox.add([notice("old", "chat", at=at), notice("new", "chat")])
        outbox.attempt()
        old, new = sink.arrived
    assert old["message"].startswith(f"Late: this happened at {at:%Y-%m-%d %H:%M:%S} UTC, 10 min")
    assert old["message"].endswith("body of old")
    assert new["message"] == "body of new"


def test_what_arrived_is_not_sent_again_when_it_cannot_be_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = Ledger.append
    full: list[str] = ["one"]

    def limited(self: Ledger[Line], line: Line) -> None:
        if isinstance(line, Sent) and line.id in full:
            full.remove(line.id)
            raise OSError(errno.ENOSPC, "No space left on device")
        append(self, line)

    monkeypatch.setattr(Ledger, "append", limited)
    with web_sink() as sink:
        outbox = Outbox(tmp_path, settings(chat=sink.url()))
        outbox.add(notice(key, "chat") for key in ("one", "two"))
        outbox.work(threading.Event(), until=NOW + timedelta(hours=1))
        assert sink.titles == ["one", "two"]
    assert full == []
    assert [a.id for a in read_post(tmp_path).attempts] == ["one", "two"]


class At:
    """A clock that shows what it is set to."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def steady(self) -> float:
        return self.at.timestamp()

    def wait(self, _: threading.Event, __: float) -> bool:
        raise AssertionError("nobody waits here")


def test_the_wait_doubles_up_to_five_minutes_and_something_new_is_tried_at_once(
    tmp_path: Path,
) -> None:
    place = Place(name="gone", url="json://127.0.0.1")
    clock = At(NOW)
    outbox = Outbox(tmp_path, Notify(to=(place,), retry_seconds=5), clock=clock)
    outbox.add([notice("one", "gone", at=NOW)])
    ledger: Ledger[Line] = Ledger(tmp_path / FILE_NAME, Line)  # type: ignore[arg-type]
    waits = []
    for number in range(1, 12):
        due = outbox.due(place)
        assert due is not None
        waits.append(due[1])
        clock.at += timedelta(seconds=due[1])
        ledger.append(
            Sent(id="one", place="gone", at=clock.at, ok=False, attempt=number, seconds=1, why="no")
        )
    assert waits == [0.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0, 300.0, 300.0]
    # A clock that was set back by a day: nobody waits for a day.
    clock.at -= timedelta(days=1)
    assert outbox.due(place) == (read_post(tmp_path).notices[0], 300.0)
    clock.at += timedelta(days=1)
    outbox.add([notice("two", "gone", at=clock.at + timedelta(seconds=1))])
    found = outbox.due(place)
    assert found is not None
    assert (found[0].id, found[1]) == ("one", 0.0)


def test_a_clock_that_was_set_back_neither_hurries_nor_holds_up_an_attempt(tmp_path: Path) -> None:
    place = Place(name="gone", url="json://127.0.0.1")
    clock = Machine(NOW)
    outbox = Outbox(tmp_path, Notify(to=(place,), retry_seconds=5), clock=clock)
    outbox.add([notice("one", "gone", at=NOW)])
    ledger: Ledger[Line] = Ledger(tmp_path / FILE_NAME, Line)  # type: ignore[arg-type]

    def fails(number: int) -> float:
        """It fails now; return after how long it is tried again."""
        ledger.append(
            Sent(id="one", place="gone", at=clock.at, ok=False, attempt=number, seconds=1, why="no")
        )
        due = outbox.due(place)
        assert due is not None
        return due[1]

    def passes(seconds: float) -> float:
        clock.go_on(seconds)
        due = outbox.due(place)
        assert due is not None
        return due[1]

    # What happened is of an hour that is still to come; an attempt still is an attempt.
    clock.at -= timedelta(hours=1)
    assert fails(1) == 5
    assert passes(5) <= 0
    assert fails(2) == 10
    assert passes(10) <= 0
    # So is the newest attempt: it is waited for as long as it really is.
    assert fails(3) == 20
    clock.at -= timedelta(hours=3)
    assert passes(8) == 12
    assert passes(12) <= 0


class Machine(At):
    """A clock whose time of day can be set, and what has passed cannot."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at)
        self.passed = 0.0

    def go_on(self, seconds: float) -> None:
        self.passed += seconds
        self.at += timedelta(seconds=seconds)

    def steady(self) -> float:
        return self.passed


def test_a_place_that_something_here_is_in_the_way_of_is_served_when_it_is_not_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are at work meanwhile, and do not end for it."""
    monkeypatch.setattr("rollback_tui.aftercare.outbox._FAULT", 0.1)
    in_the_way = threading.Event()
    turn = outbox_module._turn

    def full(folder: Path, place: str, stop: threading.Event) -> AbstractContextManager[bool]:
        if place == "pager" and not in_the_way.is_set():
            raise OSError(errno.ENOSPC, "No space left on device")
        return turn(folder, place, stop)

    monkeypatch.setattr(outbox_module, "_turn", full)
    with web_sink() as chat, web_sink() as pager:
        outbox = Outbox(tmp_path, settings(chat=chat.url(), pager=pager.url()))
        outbox.add([notice("one", "chat", "pager")])
        with working(outbox):
            chat.wait_for(1)
            in_the_way.set()
            pager.wait_for(1)
            outbox.add([notice("two", "chat", "pager")])
            for sink in (chat, pager):
                sink.wait_for(2)
        assert chat.titles == pager.titles == ["one", "two"]
