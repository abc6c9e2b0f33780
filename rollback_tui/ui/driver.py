"""The way to the terminal: only what changed is sent, and a terminal that stands still holds
nothing up.

Textual writes every frame into a queue of thirty; behind a slow link they pile up, and when the
queue is full the event loop stands still, with all timers, answers and signals. Here a frame
only replaces the picture that is wanted. A thread sends the difference to the picture that the
terminal shows, as fast as the terminal takes it, and skips what was replaced meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import threading
import time
from types import FrameType

from textual.drivers.linux_driver import LinuxDriver
from textual.events import Resize
from textual.message import Message
from textual.messages import InBandWindowResize

from rollback_tui.ui.picture import Pen, Picture

SYNC_BEGIN, SYNC_END = "\x1b[?2026h", "\x1b[?2026l"
LARGE = 2048
"""More characters than this are put between the two: the terminal then shows all of them at once.
Fewer arrive at once by themselves, and the two are as long as two changed cells."""
PATIENCE = 1.0
"""Seconds that leaving waits for the terminal to take what is under way."""
SETTLED = 0.05
"""Seconds after a change of size before the picture is sent again; more changes may follow."""
_BELL = "\a"
_POINTER = "\x1b]22;"
_CANCEL = "\x18"
"""Ends the sequence that a terminal is in the middle of (ECMA-48, CAN)."""


class Output:
    """Sends to one terminal, from a thread of its own. The other methods may be called from
    anywhere, also from a signal handler, and return at once; only :meth:`close` waits."""

    def __init__(self, descriptor: int) -> None:
        self._terminal = descriptor
        self._descriptor, self._own = _opened(descriptor)
        # Re-entrant: a signal may come while the same thread has it.
        self._changed = threading.Condition(threading.RLock())
        self._wanted = Picture(*self._size(), fill=" ")
        self._sent = Picture(*self._size())
        self._pen = Pen()
        self._texts: list[str] = []
        self._drawn = True
        """Whether the terminal shows what is wanted, or will with what is in ``_texts``."""
        self._cleared = False
        self._resized = False
        self._synchronised = False
        self._ending = self._dropped = False
        self._thread = threading.Thread(target=self._work, name="output", daemon=True)
        self._thread.start()

    def _size(self) -> tuple[int, int]:
        try:
            width, height = os.get_terminal_size(self._terminal)
        except OSError:
            width, height = 0, 0
        return width or 80, height or 25

    def write(self, data: str) -> None:
        """Take a frame, or anything else, which is sent as it is and in its turn."""
        with self._changed:
            if data in (SYNC_BEGIN, SYNC_END):
                self._synchronised = True
                return
            if self._wanted.take(data):
                self._drawn = False
            elif data == _BELL and self._texts:
                # One is heard as well as a hundred, when they come after the pause.
                return
            else:
                # What was drawn before it comes before it; what it does to the cursor is unknown.
                if not self._drawn:
                    self._texts.append(self._difference())
                self._texts.append(self._pen.plain() + data)
                self._pen.lost()
            self._changed.notify()

    def resized(self) -> None:
        """The window has another size, or had one: nobody knows what it shows now."""
        with self._changed:
            self._resized = True
            self._changed.notify()

    def close(self) -> bool:
        """Send what is left and stop. Returns False when the terminal does not take it: then what
        it has not read yet is thrown away, up to the sequences that leave the screens."""
        with self._changed:
            self._ending = self._drawn = True
            self._changed.notify()
        self._thread.join(PATIENCE)
        stalled = self._thread.is_alive()
        if stalled:
            with contextlib.suppress(termios.error):
                termios.tcflush(self._terminal, termios.TCOFLUSH)
            self._thread.join(PATIENCE)
            self._dropped = True
        if self._own and not self._thread.is_alive():
            os.close(self._descriptor)
        return not stalled

    # --- the thread ---------------------------------------------------------------------------

    def _work(self) -> None:
        while (data := self._next()) is not None:
            left = data.encode(errors="replace")
            while left and not self._dropped:
                try:
                    left = left[self._send(left) :]
                except OSError:
                    # It is gone; whoever watches for that ends the screens.
                    self._dropped = True

    def _send(self, data: bytes) -> int:
        """Send a part; return how much was taken, 0 when the terminal takes nothing now."""
        if self._own:
            poll = select.poll()
            poll.register(self._descriptor, select.POLLOUT)
            if not poll.poll(200):
                return 0
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            time.sleep(0.02)
            return 0

    def _next(self) -> str | None:
        """Wait for something to send; None at the end."""
        with self._changed:
            while True:
                if self._resized and not self._ending:
                    self._settle()
                if self._texts:
                    told = "".join(self._texts)
                    self._texts.clear()
                    return told
                if self._ending:
                    return None
                if not self._drawn:
                    return self._difference()
                self._changed.wait()

    def _settle(self) -> None:
        """Draw everything anew, in the size of now."""
        until = time.monotonic() + SETTLED
        while (left := until - time.monotonic()) > 0 and not self._ending:
            self._changed.wait(left)
        self._resized, self._drawn = False, False
        size = self._size()
        self._wanted = self._wanted.resized(*size)
        self._sent = Picture(*size)
        self._pen.lost()

    def _difference(self) -> str:
        self._drawn = True
        before = ""
        if not self._cleared:
            self._cleared = True
            self._sent = Picture(self._sent.width, self._sent.height, fill=" ")
            before = f"{self._pen.plain()}\x1b[2J"
        told = before + self._pen.difference(self._wanted, self._sent)
        if not told:
            return ""
        told += self._pen.move(*self._wanted.cursor)
        if self._synchronised and len(told) > LARGE:
            told = f"{SYNC_BEGIN}{told}{SYNC_END}"
        return told


def _opened(descriptor: int) -> tuple[int, bool]:
    """Return a way to the same terminal that never blocks, and whether it is one: the flag belongs
    to the open file, and that of the standard streams is shared with other programs."""
    try:
        name = os.ttyname(descriptor)
        return os.open(name, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), True
    except OSError:
        # After `su` the terminal may belong to somebody else.
        return descriptor, False


class FrugalDriver(LinuxDriver):
    """Textual's driver with our own way to the terminal."""

    _output: Output | None = None

    def write(self, data: str) -> None:
        """Send ``data``; frames only as far as they change anything. The shape of the mouse's
        pointer is nothing we need, and an old console would print it."""
        if self._output is not None and not data.startswith(_POINTER):
            self._output.write(data)

    def start_application_mode(self) -> None:
        """Take the terminal over."""
        stream = sys.__stderr__
        self._output = Output(stream.fileno() if stream is not None else 2)
        super().start_application_mode()  # type: ignore[no-untyped-call]
        following = signal.getsignal(signal.SIGWINCH)

        def resized(number: int, frame: FrameType | None) -> None:
            self._lost()
            if callable(following):
                following(number, frame)

        signal.signal(signal.SIGWINCH, resized)

    def process_message(self, message: Message) -> None:
        """Notice a change of size that the terminal told in its own way."""
        if isinstance(message, InBandWindowResize | Resize):
            self._lost()
        super().process_message(message)

    def _lost(self) -> None:
        if self._output is not None:
            self._output.resized()

    def close(self) -> None:
        """Send what is left, the sequences that give the terminal back among it."""
        super().close()
        if self._output is not None:
            self._output.close()
            self._output = None
