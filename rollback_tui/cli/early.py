"""The first answers, asked for in a thread while the screens are still being loaded."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from rollback_tui.core.errors import RollbackTuiError

FRESH_SECONDS = 2.0
"""An answer that is older than this is asked for again."""


class Early:
    """Answers by the name of their question; each is given once."""

    def __init__(self) -> None:
        self._answers: dict[str, tuple[float, Any]] = {}
        self._failure: RollbackTuiError | None = None
        self._first = threading.Event()
        self._all = threading.Event()

    def begin(self, questions: Mapping[str, Callable[[], object]]) -> None:
        """Ask one after the other, until one fails."""

        def ask() -> None:
            try:
                for name, question in questions.items():
                    answer = question()
                    self._answers[name] = (time.monotonic(), answer)
                    self._first.set()
            except RollbackTuiError as error:
                self._failure = error
            finally:
                # A fault of ours is met again by whoever asks the same later.
                self._first.set()
                self._all.set()

        threading.Thread(target=ask, name="early", daemon=True).start()

    def wait(self, seconds: float) -> None:
        """Wait at most so long until nothing is asked any more."""
        self._all.wait(seconds)

    def failure(self, seconds: float) -> RollbackTuiError | None:
        """Wait at most so long for the first answer; return why there is none, or None when there
        is one or nothing is known yet."""
        self._first.wait(seconds)
        return self._failure

    def take(self, question: str) -> Any:
        """Return the answer when it is there, and fresh; else None."""
        asked_at, answer = self._answers.pop(question, (0.0, None))
        return answer if time.monotonic() - asked_at < FRESH_SECONDS else None
