"""How the screens end, whatever ends them: signals, and a terminal that is gone or takes no more.

The wish to leave reaches a thread through a pipe, because all else may stand still: a handler must
take no lock, the event loop may hang on a terminal that takes no more bytes, and a terminal without
a session leader closes without any signal. The run is another process, and goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import sys
import termios
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

PATIENCE = 3.0
"""Seconds for a clean end; the thread that writes to the terminal may hang on it."""
LEAVES = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
"""Without a handler each of them kills at once, and the terminal stays as the screens had it."""
HURRIES = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
"""What, once the screens are gone, says that nobody wants to wait for cleaning up."""
RESTORED = b"\x18\x1b[m\x1b[?2004l\x1b[?7h\x1b[?2048l\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l"
"""What gives the screen back where the driver could not: the sequence it was in the middle of is
void (CAN), no colours, no bracketed paste, lines wrap, no reports of the size, the keyboard as it
was, the first screen, the cursor, no reports of the focus."""


class Ending:
    """Waits, from before the first paint, for what ends the screens. Only on the main thread."""

    def __init__(self, leave: Callable[[], object], code: Callable[[], int]) -> None:
        """``leave`` is called on the event loop, perhaps twice; ``code`` is the exit code when not
        even that ends the screens within PATIENCE."""
        self._leave = leave
        self._code = code
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked = threading.Event()
        self._gone = threading.Event()
        self._hurried = threading.Event()
        self.begun = False
        """Whether there is a terminal of ours to be restored: not in a headless one."""
        self._keys = terminal()
        self._modes: list[Any] | None = None
        self._before: dict[int, Any] = {}
        self._wishes, self._wish = -1, -1

    def begin(self) -> None:
        """Catch the signals, and remember how the terminal is."""
        self.begun = True
        self._wishes, self._wish = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._keys is not None:
            self._modes = _modes(self._keys)
        self._before = {number: signal.signal(number, self._arrived) for number in LEAVES}
        threading.Thread(target=self._watch, name="ending", daemon=True).start()

    def ready(self) -> bool:
        """Called on the event loop before the first paint: from now on it can be told to leave.
        Return whether it was told before."""
        self._loop = asyncio.get_running_loop() if self.begun else None
        return self._asked.is_set()

    def screens_gone(self) -> None:
        """The screens have ended, well or badly: whatever comes now may take its time."""
        self._gone.set()
        self._say(b".")
        if self._keys is not None and self._modes is not None:
            # Where the driver fell over before it could.
            with contextlib.suppress(termios.error, OSError):
                termios.tcsetattr(self._keys, termios.TCSANOW, self._modes)

    def wait(self, over: Callable[[float], bool], seconds: float) -> bool:
        """Wait at most ``seconds`` until ``over(seconds)`` is so, or until somebody asks once more
        to leave. Return whether it is so."""
        end = time.monotonic() + seconds
        while not self._hurried.is_set() and time.monotonic() < end:
            if over(0.1):
                return True
        return over(0)

    def end(self) -> None:
        """Give the signals back. Keys that were pressed for the screens are thrown away: typed
        half a second later they would be a command of the shell."""
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before = {}
        if self.begun and self._keys is not None:
            with contextlib.suppress(termios.error, OSError):
                termios.tcflush(self._keys, termios.TCIFLUSH)

    def _arrived(self, number: int, _: FrameType | None) -> None:
        if self._gone.is_set() and number in HURRIES:
            self._hurried.set()
        self._say(b"!")

    def _say(self, wish: bytes) -> None:
        # Full: then somebody has been told often enough.
        with contextlib.suppress(OSError):
            os.write(self._wish, wish)

    def _watch(self) -> None:
        self._wait_for_a_wish()
        if self._gone.is_set():
            return
        self._asked.set()
        with contextlib.suppress(RuntimeError):
            # The loop may have ended just now.
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._leave)
        if not self._gone.wait(PATIENCE):
            # What is left undone is no more than the screen: the run is another process.
            self._give_up()

    def _wait_for_a_wish(self) -> None:
        """Return when a signal came, or when the far end of the terminal has closed."""
        poll = select.poll()
        poll.register(self._wishes, select.POLLIN)
        if self._keys is not None:
            # No event is asked for: a hang-up is reported all the same (poll(2)).
            poll.register(self._keys, 0)
        while True:
            for descriptor, event in poll.poll():
                if descriptor == self._wishes or event & select.POLLHUP:
                    return
                # Some systems cannot poll a terminal and say so at once (POLLNVAL).
                poll.unregister(descriptor)

    def _give_up(self) -> None:
        code = self._code()
        if self._keys is not None and self._modes is not None:
            with contextlib.suppress(termios.error, OSError):
                termios.tcsetattr(self._keys, termios.TCSANOW, self._modes)
        # Opened anew: what the shell has open must not become non-blocking.
        with contextlib.suppress(OSError):
            name = os.ttyname(self._keys) if self._keys is not None else os.ctermid()
            os.write(os.open(name, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK), RESTORED)
        os._exit(code)


def terminal() -> int | None:
    """Return the descriptor the keys come from; None when that is no terminal."""
    stdin = sys.__stdin__
    if stdin is None or stdin.closed or not stdin.isatty():
        return None
    return stdin.fileno()


def _modes(descriptor: int) -> list[Any] | None:
    with contextlib.suppress(termios.error):
        return termios.tcgetattr(descriptor)
    return None
