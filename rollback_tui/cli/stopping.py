"""The wish to stop, however it reaches a command that must clean up behind itself."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def stop_asked() -> Iterator[threading.Event]:
    """Take Ctrl+C, a hang-up and SIGTERM for the wish to stop: the scratch database must go."""
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, lambda *_: stop.set()) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
