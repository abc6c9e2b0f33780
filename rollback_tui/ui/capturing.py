"""Capturing that this terminal asked for: begun, told of, stopped, taken in."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from rollback_tui.ui.moment import steady
from rollback_tui.ui.requests import Failure
from rollback_tui.ui.walk import CaptureUnderway, may_not_capture

if TYPE_CHECKING:
    from rollback_tui.frameworks.captured import Captures
    from rollback_tui.ui.guide import Guide


class Capturing:
    """Keeps ``walk.captures`` true. All methods are called on the event loop."""

    def __init__(self, guide: Guide) -> None:
        self._guide = guide
        self._stop = threading.Event()
        self._over = threading.Event()
        self._over.set()

    def begin(self) -> None:
        """Have the framework's own program take the chosen migrations back on a scratch copy."""
        guide, choice = self._guide, self._guide.walk.choice
        if reason := may_not_capture(guide.walk):
            guide.say(f"Not now: {reason}.", "warning")
            return
        stop = self._stop = threading.Event()
        over = self._over = threading.Event()

        def call() -> Captures:
            try:
                return guide.operations.capture(choice, said, stop)
            finally:
                over.set()

        def said(words: str) -> None:
            guide.requests.deliver(lambda: self._said(stop, words))

        guide.replace(
            capturing=CaptureUnderway(since=steady(), words="it is being begun"),
            captures=None,
            capture_failure=None,
        )
        guide.requests.ask("capture", call, self._done, lambda failure: self._failed(stop, failure))

    def stop(self) -> None:
        """End it: the program loses its database, and the scratch copy is removed."""
        if self._guide.walk.capturing is not None:
            self._stop.set()
            self._said(self._stop, "stopping: the scratch copy is being removed")

    @property
    def over(self) -> bool:
        """Whether no capture goes on."""
        return self._over.is_set()

    def join(self, seconds: float) -> bool:
        """Wait until nothing is captured any more, after the screens have gone. Return whether
        nothing is."""
        self._stop.set()
        return self._over.wait(seconds)

    def _said(self, stop: threading.Event, words: str) -> None:
        underway = self._guide.walk.capturing
        if underway is not None and stop is self._stop:
            self._guide.replace(
                capturing=CaptureUnderway(since=underway.since, words=words, stopping=stop.is_set())
            )

    def _done(self, captures: Captures) -> None:
        self._guide.replace(capturing=None, captures=captures)
        # What was captured is in the next plan.
        self._guide.planning.read(self._guide.walk.choice)

    def _failed(self, stop: threading.Event, failure: Failure) -> None:
        if stop.is_set():
            failure = Failure(summary="it was stopped", remedy="Nothing of it is left.")
        self._guide.replace(capturing=None, capture_failure=failure)
