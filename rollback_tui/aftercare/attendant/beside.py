"""The attendant of a run that goes on: started by the run's guardian, without making it wait."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

from rollback_tui.aftercare.attendant.guard import guard
from rollback_tui.aftercare.charge import Charge, anything_to_do, switched_off
from rollback_tui.run import journal
from rollback_tui.run.request import RunRequest

_LOOKED = 0.05


def charge_of(request: RunRequest) -> Charge | None:
    """Return what looks after the run of ``request`` is given; None: nothing does."""
    if switched_off() or not anything_to_do(request.settings):
        return None
    return Charge(
        folder=request.folder,
        project=request.project,
        dsn=request.dsn,
        settings=request.settings,
    )


class Beside:
    """Guards the attendant in a thread, while the main one guards the run."""

    def __init__(self, charge: Charge) -> None:
        self._charge = charge
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="attendant", daemon=True)
        self._thread.start()

    def stay(self) -> None:
        """The run is over: stay as long as the attendant does. From here on a signal that ends
        this process ends nothing else. For the main thread."""
        self._over.set()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        self._thread.join()

    def _run(self) -> None:
        """Wait until the run has begun: until then the worker needs this machine for itself, and
        of a run that never began nobody is told."""
        path = self._charge.path / journal.FILE_NAME
        while not _begun(path):
            if self._over.wait(_LOOKED) and not _begun(path):
                return
        guard(self._charge)


def _begun(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False
