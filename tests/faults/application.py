"""An application in six sessions, under the tool's own role, that never stops writing."""

from __future__ import annotations

import itertools
import threading
import time

import psycopg

SESSIONS = 6
_PAUSE = 0.02
"""Seconds between two writes of one session: no more than the machine has to spare."""
_RECONNECT = 0.05


class Application:
    """Six sessions that insert into ``orders`` and come back at once when they are thrown out."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._stop = threading.Event()
        self._numbers = itertools.count(1)
        self._threads = [
            threading.Thread(target=self._write_on, name=f"application {i}", daemon=True)
            for i in range(SESSIONS)
        ]
        self.acknowledged: list[tuple[float, float, int]] = []
        """Of each write that the server said is done: when it was begun and answered, by the
        monotonic clock, and its number."""
        self.unexpected: list[BaseException] = []

    def start(self) -> None:
        """Start, and wait until every session has written."""
        for thread in self._threads:
            thread.start()
        assert self.writes_after(0.0, 2 * SESSIONS, seconds=20), self.unexpected

    def stop(self) -> None:
        """Let the sessions end."""
        self._stop.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(20)
                assert not thread.is_alive()

    def first_write(self, since: float) -> float | None:
        """The first write that was begun and acknowledged after ``since``; None: none yet."""
        writes = self.acknowledged[:]
        return min((done for begun, done, _ in writes if begun >= since), default=None)

    def writes_after(self, since: float, wanted: int, *, seconds: float) -> bool:
        """Wait until ``wanted`` writes were acknowledged after ``since``."""
        deadline = time.monotonic() + seconds
        while sum(begun >= since for begun, _, _ in self.acknowledged[:]) < wanted:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        return True

    def longest_silence(self) -> float:
        """The longest time without any acknowledged write, in seconds."""
        times = sorted(done for _, done, _ in self.acknowledged)
        return max((b - a for a, b in itertools.pairwise(times)), default=0.0)

    def _write_on(self) -> None:
        connection: psycopg.Connection[tuple[object, ...]] | None = None
        while not self._stop.is_set():
            try:
                if connection is None:
                    connection = psycopg.connect(
                        self._dsn, autocommit=True, application_name="shop", connect_timeout=5
                    )
                number = next(self._numbers)
                begun = time.monotonic()
                connection.execute("INSERT INTO orders VALUES (%s, %s)", [number, number % 200 + 1])
                self.acknowledged.append((begun, time.monotonic(), number))
                self._stop.wait(_PAUSE)
            except psycopg.OperationalError:
                if connection is not None:
                    connection.close()
                connection = None
                self._stop.wait(_RECONNECT)
            except BaseException as error:
                self.unexpected.append(error)
                raise
        if connection is not None:
            connection.close()
