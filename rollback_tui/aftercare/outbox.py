"""The outbox of a run: what people are to be told, on disk before anything is sent, and tried
again until it arrived.

Each place is told in the order in which things happened, by a thread of its own, so that one that
hangs delays no other. Whoever makes an attempt holds the lock of that place and has read what is
noted: two processes never send the same. What is killed between a delivery and its note sends it
once more: everything arrives at least once, and each text has the notice's id at its end.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from rollback_tui.aftercare.clock import Clock, SystemClock
from rollback_tui.aftercare.ledger import Ledger, LedgerDamaged
from rollback_tui.aftercare.places import by_name, resolved
from rollback_tui.aftercare.sending import Answer, send
from rollback_tui.config_aftercare import Notify, Place
from rollback_tui.core.notices import FILE_NAME, Dropped, Line, Notice, Post, Sent, fold
from rollback_tui.core.report import words

_SLOWEST = 300.0
"""Seconds between two attempts at the most, unless the first wait is longer already."""
_LATE = timedelta(minutes=2)
_LOOK_SECONDS = 0.5
"""How often a thread that waits looks whether it is to end."""
_FAULT = 10.0
"""Seconds until a place is served again, where the disk or a lock was in the way."""

_SYSTEM = SystemClock()


class Pending(NamedTuple):
    """Something that has not arrived at one place."""

    notice: Notice
    place: str
    attempts: int
    why: str
    """Why not: what the last attempt met, or that there is no URL. Empty: not tried yet."""
    deliverable: bool
    """The place is configured here and has a URL."""


class Outbox:
    """The outbox in the folder of one run. Safe to use from several threads and processes."""

    def __init__(
        self,
        folder: Path,
        settings: Notify,
        clock: Clock = _SYSTEM,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """``environment``: where ``url_env`` is looked up; this process's own by default."""
        self.folder = folder
        self._settings = settings
        self._clock = clock
        self._environment = dict(os.environ if environment is None else environment)
        self._ledger: Ledger[Line] = _ledger(folder)
        self._lock = threading.RLock()
        self._changed = threading.Event()
        self._offset = 0
        self._lines: list[Line] = []
        self._unwritten: list[Line] = []
        self._met: dict[tuple[str, str], tuple[Sent, float]] = {}
        """The newest attempt of each notice at each place, and when it was first seen here by the
        clock that is never set."""

    def add(self, notices: Iterable[Notice]) -> None:
        """Queue those that are not there yet; they are on disk when this returns. Raises OSError
        or LedgerDamaged."""
        with self._lock:
            known = {notice.id for notice in self.post().notices}
            for notice in notices:
                if notice.id not in known:
                    known.add(notice.id)
                    self._ledger.append(notice)
        self._changed.set()

    def post(self) -> Post:
        """Return what was told, and what is still to be sent. Raises LedgerDamaged."""
        with self._lock:
            new, self._offset = self._ledger.follow(self._offset)
            self._lines.extend(new)
            return fold([*self._lines, *self._unwritten])

    def pending(self) -> tuple[Pending, ...]:
        """Return what has not arrived, oldest first, and why. Raises LedgerDamaged."""
        return pending(self.post(), self._settings, self._environment)

    def tried(self, since: datetime) -> set[str]:
        """Return the names of the places where something was tried at ``since`` or later, and after
        the newest thing that is pending there was queued. Raises LedgerDamaged."""
        with self._lock:
            pending = self.post().pending
            lines = [*self._lines, *self._unwritten]
        mine: dict[str, set[str]] = {}
        for notice, place in pending:
            mine.setdefault(place, set()).add(notice.id)
        return {
            place
            for place, ids in mine.items()
            if any(attempt.at >= since for attempt in _since_newest(lines, ids, place))
        }

    def work(
        self,
        stop: threading.Event,
        *,
        until: datetime | None = None,
        trouble: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        """Deliver what is queued and what will be, until ``stop`` is set.

        With ``until`` it also returns at that time, and as soon as nothing is left that could be
        delivered. An attempt that is under way is seen through. ``trouble`` hears what is in the
        way of a place here, a full disk it may be: that place is served again later, the others
        meanwhile. Raises LedgerDamaged; with ``until`` also OSError.
        """
        failures: list[Exception] = []

        def serve(place: Place, url: str) -> None:
            while not stop.is_set():
                try:
                    self._serve(place, url, stop, until)
                except Exception as error:  # noqa: BLE001 - no other place ends for it
                    if until is not None or isinstance(error, LedgerDamaged):
                        failures.append(error)
                        return
                    trouble(error)
                    self._clock.wait(stop, _FAULT)
                else:
                    return

        _each(self._reachable(), serve)
        if not self._reachable() and until is None:
            stop.wait()
        if failures:
            raise failures[0]

    def attempt(self) -> None:
        """Try each place once now, in order, until something does not arrive there. Raises OSError
        or LedgerDamaged, when all others were tried."""
        never = threading.Event()
        failures: list[Exception] = []

        def serve(place: Place, url: str) -> None:
            try:
                for notice in [one for one, name in self.post().pending if name == place.name]:
                    answer = self._attempt(notice, place, url, never)
                    if answer is not None and not answer.ok and not answer.refused:
                        return
            except (OSError, LedgerDamaged) as error:
                failures.append(error)

        _each(self._reachable(), serve)
        if failures:
            raise failures[0]

    def drop(self, place: str, why: str) -> int:
        """Give up what is pending for ``place``; return how much that was. Raises OSError."""
        given_up = [notice for notice, name in self.post().pending if name == place]
        for notice in given_up:
            self._ledger.append(Dropped(id=notice.id, place=place, at=self._clock.now(), why=why))
        return len(given_up)

    def _reachable(self) -> list[tuple[Place, str]]:
        """The places that have a URL. The others wait; ``pending`` says why."""
        found = [(place, resolved(place, self._environment).url) for place in self._settings.to]
        return [(place, url) for place, url in found if url]

    def _serve(self, place: Place, url: str, stop: threading.Event, until: datetime | None) -> None:
        while not stop.is_set():
            if until is not None and self._clock.now() >= until:
                return
            self._changed.clear()
            following = self.due(place)
            if following is None:
                if until is not None:
                    return
                self._changed.wait(_LOOK_SECONDS)
                continue
            notice, wait = following
            if wait > 0:
                self._clock.wait(stop, min(wait, _LOOK_SECONDS))
                continue
            self._attempt(notice, place, url, stop)

    def due(self, place: Place) -> tuple[Notice, float] | None:
        """Return what is to be sent there next, and in how many seconds. The order is kept, but a
        notice that the place itself does not take holds up no other: what comes after it may be
        what somebody must be woken for."""
        with self._lock:
            post = self.post()
            lines = [*self._lines, *self._unwritten]
        mine = [notice for notice, name in post.pending if name == place.name]
        if not mine:
            return None
        refused: list[tuple[Notice, float]] = []
        since = _since_newest(lines, {notice.id for notice in mine}, place.name)
        for notice in mine:
            attempts = [a for a in post.attempts if (a.id, a.place) == (notice.id, place.name)]
            failed = sum((a.id, a.place) == (notice.id, place.name) for a in since)
            wait = self._wait(attempts[-1], failed) if failed else 0.0
            if wait <= 0 or not attempts[-1].refused:
                return notice, wait
            refused.append((notice, wait))
        return min(refused, key=lambda one: one[1])

    def _wait(self, newest: Sent, failed: int) -> float:
        """Seconds until the attempt after ``newest``: doubled with each that failed since the
        newest thing that this place is to be told was queued."""
        first = self._settings.retry_seconds
        # 2.0 ** 1024 is too large for a float.
        delay = min(first * 2.0 ** min(failed - 1, 64), max(first, _SLOWEST))
        known = self._met.get((newest.id, newest.place))
        if known is None or known[0] != newest:
            known = self._met[(newest.id, newest.place)] = newest, self._clock.steady()
        # By the time of day where another process made it. That one may have been set back, which
        # is no reason to wait for longer.
        passed = (self._clock.now() - newest.at).total_seconds()
        return delay - max(0.0, passed, self._clock.steady() - known[1])

    def _attempt(
        self, notice: Notice, place: Place, url: str, stop: threading.Event
    ) -> Answer | None:
        """Send it, and note what came of it. None: it was not needed any more, or ``stop`` is
        set."""
        with _turn(self.folder, place.name, stop) as mine:
            if not mine:
                return None
            post = self.post()
            if (notice.id, place.name) not in {(one.id, name) for one, name in post.pending}:
                return None
            began = self._clock.now()
            answer = send(
                url,
                notice.title,
                _dated(notice, began),
                notice.level,
                seconds=self._settings.timeout_seconds,
            )
            tried = sum((a.id, a.place) == (notice.id, place.name) for a in post.attempts)
            self._note(
                Sent(
                    id=notice.id,
                    place=place.name,
                    at=self._clock.now(),
                    ok=answer.ok,
                    attempt=tried + 1,
                    seconds=answer.seconds,
                    why=answer.why,
                    refused=answer.refused,
                )
            )
            return answer

    def _note(self, line: Sent) -> None:
        """Write it; on a full disk it is kept in mind, and written with the next one: what has
        arrived must not be sent again."""
        with self._lock:
            self._unwritten.append(line)
            with contextlib.suppress(OSError):
                while self._unwritten:
                    self._ledger.append(self._unwritten[0])
                    del self._unwritten[0]


def read_post(folder: Path) -> Post:
    """Return what was told of the run in ``folder``, and what is still to be sent. Raises
    LedgerDamaged."""
    return fold(_ledger(folder).read())


def retry(folder: Path, settings: Notify, environment: Mapping[str, str] | None = None) -> Post:
    """Try what is pending once now, each place in its order until something does not arrive there,
    and return what came of it. Raises OSError or LedgerDamaged."""
    outbox = Outbox(folder, settings, environment=environment)
    outbox.attempt()
    return outbox.post()


def pending(post: Post, settings: Notify, environment: Mapping[str, str]) -> tuple[Pending, ...]:
    """Return what has not arrived, oldest first, and why."""
    found = []
    for notice, name in post.pending:
        place = by_name(settings, name)
        url, missing = resolved(place, environment) if place else ("", "")
        if place is None:
            missing = f"no place {name} is configured any more"
        tried = [a for a in post.attempts if (a.id, a.place) == (notice.id, name)]
        why = missing or (tried[-1].why if tried else "")
        found.append(Pending(notice, name, len(tried), why, bool(url)))
    return tuple(found)


def _since_newest(lines: list[Line], mine: set[str], place: str) -> list[Sent]:
    """Return the attempts since the newest of ``mine`` was queued for ``place``: something new is a
    reason to try at once. By the order of the lines, for a clock may be set."""
    since: list[Sent] = []
    for line in lines:
        if isinstance(line, Notice) and line.id in mine:
            since = []
        elif isinstance(line, Sent) and line.place == place:
            since.append(line)
    return since


def _ledger(folder: Path) -> Ledger[Line]:
    return Ledger(folder / FILE_NAME, Line)  # type: ignore[arg-type]  # a union is no class


def _each(places: list[tuple[Place, str]], serve: Callable[[Place, str], None]) -> None:
    """Serve all places at the same time, and return when all are done."""
    threads = [
        threading.Thread(target=serve, args=found, name=f"to {found[0].name}", daemon=True)
        for found in places
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextlib.contextmanager
def _turn(folder: Path, place: str, stop: threading.Event) -> Iterator[bool]:
    """Be the only one who sends to ``place`` for this run; False when ``stop`` was set first.
    Raises OSError."""
    name = hashlib.sha256(place.encode()).hexdigest()[:12]
    path = folder / f"notify_{name}.lock"
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if stop.wait(0.1):
                    yield False
                    return
        yield True
    finally:
        os.close(file)


def _dated(notice: Notice, now: datetime) -> str:
    """Return its text, and that it is late where it is: whoever reads it acts on what is now."""
    late = now - notice.at
    if late <= _LATE:
        return notice.body
    return (
        f"Late: this happened at {words.moment(notice.at)},"
        f" {words.seconds(round(late.total_seconds())).partition(' (')[0]} ago.\n\n{notice.body}"
    )
