"""Notice that the terminal is gone where no signal says so.

A SIGHUP comes only to the process group of a controlling terminal. Without one (a screen started
by a program, with setsid) the far end simply closes: reads then return nothing at once, for ever,
and the thread that reads keys would keep a core busy with that.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from collections.abc import Callable

PATIENCE = 3.0
"""Seconds for a clean end; the thread that writes to the terminal may hang on it."""


class HangupWatch:
    """Waits in a thread, without any cost, until the far end of ``descriptor`` has closed."""

    def __init__(
        self, descriptor: int, gone: Callable[[], object], code: Callable[[], int]
    ) -> None:
        """``gone`` is called once, in that thread; ``code`` is the exit code when even ``gone``
        does not end the process within PATIENCE."""
        self._descriptor = descriptor
        self._gone = gone
        self._code = code
        self._ended = threading.Event()
        threading.Thread(target=self._watch, name="hangup", daemon=True).start()

    def stop(self) -> None:
        """The screens have ended: whatever the process does now, it may take its time."""
        self._ended.set()

    def _watch(self) -> None:
        poll = select.poll()
        # No event is asked for: a hang-up is reported all the same (poll(2)).
        poll.register(self._descriptor, 0)
        [(_, event)] = poll.poll()
        if self._ended.is_set() or not event & select.POLLHUP:
            # Some systems cannot poll a terminal and say so at once (POLLNVAL).
            return
        with contextlib.suppress(RuntimeError):
            # The loop may have ended just now.
            self._gone()
        if not self._ended.wait(PATIENCE):
            # The screen cannot be restored, there is none; the run is another process.
            os._exit(self._code())


def terminal() -> int | None:
    """Return the descriptor the keys come from; None when that is no terminal."""
    stdin = sys.__stdin__
    if stdin is None or stdin.closed or not stdin.isatty():
        return None
    return stdin.fileno()
