"""Being stopped and continued: the shell gets its terminal, and we get it back.

Textual's own handlers do too much: they stop the process even where nobody could continue it
(a session's leader, an orphaned group: there the kernel ignores SIGTSTP), and each SIGCONT starts
a second thread that reads keys and takes the screens' own modes for those of the shell. Service
managers send SIGCONT behind every SIGTERM.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.driver import Driver


class JobControl:
    """Takes SIGTSTP and SIGCONT over from the driver. Only on the main thread's event loop."""

    def __init__(
        self, driver: Driver, keys: int, leaving: Callable[[], bool], repaint: Callable[[], object]
    ) -> None:
        """``keys``: the descriptor of the terminal. ``leaving``: whether the screens end anyway."""
        self._driver = driver
        self._keys = keys
        self._leaving = leaving
        self._repaint = repaint
        self._stopping = False
        self._loop = asyncio.get_running_loop()

    def begin(self) -> None:
        """Take both signals."""
        signal.signal(signal.SIGTSTP, lambda *_: self._later(self._stop))
        signal.signal(signal.SIGCONT, lambda *_: self._continued())

    def end(self) -> None:
        """Give them back: without screens the process is stopped as any other."""
        for number in (signal.SIGTSTP, signal.SIGCONT):
            signal.signal(number, signal.SIG_DFL)

    def _later(self, act: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(act)

    def _continued(self) -> None:
        # Where we stopped on purpose, what has to be done is done there.
        if not self._stopping:
            self._later(self._again)

    def _stop(self) -> None:
        """Give the terminal back, stop, and take it again."""
        if self._leaving():
            return
        self._stopping = True
        self._driver.suspend_application_mode()
        taken = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        # To this very thread: it has stopped when the call returns, and has been continued.
        signal.pthread_kill(threading.get_ident(), signal.SIGTSTP)
        self._wait_for_the_foreground()
        signal.signal(signal.SIGTSTP, taken)
        self._driver.resume_application_mode()
        self._repaint()
        self._stopping = False

    def _again(self) -> None:
        """Somebody stopped us without a word (SIGSTOP), or only says to go on: whatever the
        terminal is like now, make it ours."""
        if self._leaving():
            return
        self._stopping = True
        self._wait_for_the_foreground()
        self._driver.suspend_application_mode()
        self._driver.resume_application_mode()
        self._repaint()
        self._stopping = False

    def _wait_for_the_foreground(self) -> None:
        """Stop again as long as another job has the terminal (``bg``)."""
        while not self._in_foreground():
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)

    def _in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self._keys) == os.getpgrp()
        except OSError:
            # It is not the terminal that controls us: there is no other job.
            return True
