"""Questions to the world, asked from threads. A thread only posts; the loop decides.

One thread at a time works on a topic. A newer question on the same topic waits for the older
one to end, and the older one's answer is then thrown away: a stale answer never reaches a
screen, and a slow server is never asked twice at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.ui.crash import record
from rollback_tui.ui.moment import steady

T = TypeVar("T")
Deliver = Callable[[Callable[[], None]], bool]
"""Runs a function on the event loop, from any thread; False when the app is gone."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why an answer did not come: one line, and what to do about it."""

    summary: str
    remedy: str = ""


class Requests:
    """The threads under way, by topic. All methods are called on the event loop."""

    def __init__(self, deliver: Deliver) -> None:
        self.deliver = deliver
        """Runs a function on the event loop, from any thread."""
        self._underway: dict[str, float] = {}
        self._next: dict[str, Callable[[], None]] = {}

    def busy(self, topic: str) -> bool:
        """Return whether a question on ``topic`` is still open."""
        return topic in self._underway

    @property
    def begun(self) -> dict[str, float]:
        """When each question that is open was asked, by topic, in monotonic seconds."""
        return dict(self._underway)

    def ask(
        self,
        topic: str,
        call: Callable[[], T],
        accept: Callable[[T], None],
        fail: Callable[[Failure], None],
    ) -> None:
        """Call ``call`` in a thread, then ``accept`` or ``fail`` on the event loop."""

        def start() -> None:
            self._underway[topic] = steady()
            # A daemon: a server that never answers must not keep the terminal from leaving.
            threading.Thread(target=work, name=f"ask-{topic}", daemon=True).start()

        def work() -> None:
            try:
                value = call()
            except RollbackTuiError as error:
                failure = Failure(summary=error.summary, remedy=error.remedy)
                self.deliver(lambda: settle(lambda: fail(failure)))
            except Exception as error:  # noqa: BLE001 - a fault in a question ends no terminal
                unexpected = _unexpected(topic, record(error))
                self.deliver(lambda: settle(lambda: fail(unexpected)))
            else:
                self.deliver(lambda: settle(lambda: accept(value)))

        def settle(act: Callable[[], None]) -> None:
            self._underway.pop(topic, None)
            newer = self._next.pop(topic, None)
            if newer is not None:
                newer()
            else:
                act()

        if topic in self._underway:
            self._next[topic] = start
        else:
            start()


def _unexpected(topic: str, written: tuple[str, Path | None]) -> Failure:
    what, path = written
    where = f" Details without values: {path}" if path else ""
    return Failure(summary=f"{topic}: unexpected {what}", remedy=f"Report this as a fault.{where}")
