"""How much of the downtime proving the result may take, and how much it has taken."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Budget:
    """``[verify] budget_seconds``: one for what is read before the first statement and after the
    last. What must be asked in any case (the catalog, the version) counts too, and is never cut."""

    def __init__(self, seconds: float) -> None:
        """``seconds``: all of it."""
        self.seconds = seconds
        self._spent = 0.0
        self._since: float | None = None

    @property
    def spent(self) -> float:
        """Seconds that were taken, until now."""
        running = time.monotonic() - self._since if self._since is not None else 0.0
        return self._spent + running

    @property
    def left(self) -> float:
        """Seconds that may still be taken; never negative."""
        return max(0.0, self.seconds - self.spent)

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Count the time of the block."""
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._spent, self._since = self.spent, None
