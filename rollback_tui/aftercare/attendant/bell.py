"""What wakes the attendant's deciding thread: a signal, a thread of ours, the end of what it is
tied to. Nothing but a pipe, so that it may ring at any moment, also in a signal handler."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

from rollback_tui.aftercare.charge import wait_until_cut

_RING, _END = b"\0", b"\x01"
"""A signal's own byte is its number, which is never 0 (``signal.set_wakeup_fd``)."""


class Bell:
    """Rung from anywhere, heard by one thread."""

    def __init__(self) -> None:
        self._heard, self._rope = os.pipe()
        os.set_blocking(self._rope, False)
        os.set_blocking(self._heard, False)
        self.ended = False
        """Told to end: by SIGTERM, SIGINT, or by the end of what we are tied to."""

    def ring(self) -> None:
        """Wake who waits, now or the next time."""
        self._pull(_RING)

    def end(self) -> None:
        """Tell who waits to end."""
        self._pull(_END)

    def _pull(self, byte: bytes) -> None:
        # Full: then it will be heard anyhow. Closed: then nobody waits any more.
        with contextlib.suppress(OSError):
            os.write(self._rope, byte)

    def wait(self, seconds: float) -> bool:
        """Return after ``seconds`` or when it rings; False when we are to end."""
        select.select([self._heard], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            while heard := os.read(self._heard, 512):
                self.ended = self.ended or any(heard)
        return not self.ended

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        """Ring for SIGTERM and SIGINT; a hang-up is nobody's wish here. For the main thread."""
        before = {signal.SIGHUP: signal.signal(signal.SIGHUP, signal.SIG_IGN)}
        wakeup = signal.set_wakeup_fd(self._rope, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            before[number] = signal.signal(number, lambda *_: None)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)

    def end_with(self, file: Path) -> None:
        """End as soon as nobody holds the lock on ``file``."""

        def watch() -> None:
            wait_until_cut(file)
            self.end()

        threading.Thread(target=watch, name="tie", daemon=True).start()
