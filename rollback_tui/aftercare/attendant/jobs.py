"""What the attendant does that may take its time: each in a thread of its own, each from what is in
the run's folder, so that it can be begun again after any end."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rollback_tui.aftercare import prometheus
from rollback_tui.aftercare.attendant.processes import say
from rollback_tui.aftercare.charge import Charge
from rollback_tui.aftercare.ledger import LedgerDamaged
from rollback_tui.aftercare.outbox import Outbox
from rollback_tui.aftercare.watch import ledger as monitoring
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.monitoring.fold import fold as monitored
from rollback_tui.core.monitoring.values import Raised
from rollback_tui.core.run_view import RunView

_SLOWEST = 300.0
"""Seconds between two attempts at the most."""
_FAULT = 10.0
"""Between two attempts to begin delivering, where the disk or a lock is in the way."""
_LATE = timedelta(minutes=10)
"""A monitoring that ends by a fault each time is begun again until so long after its time, and
Prometheus asked again until so long after it should know."""


class Job:
    """One of them. It never takes the attendant with it when it fails: that is noted."""

    def __init__(self, name: str, work: Callable[[], None], ended: Callable[[], None]) -> None:
        """Begin at once. ``ended`` is called from the job's thread when it is over."""
        self.name = name
        self._work = work
        self._ended = ended
        self.over = False
        """It is done, or has failed."""
        # A daemon: whatever hangs does not keep us from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait for its end, but no longer."""
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - the others go on
            say(self.name, told(error))
        finally:
            self.over = True
            self._ended()


def told(error: Exception) -> str:
    """Return an error in a line, without values: those may be secrets."""
    if isinstance(error, RollbackTuiError):
        return f"{error.summary} ({error.remedy})"
    if isinstance(error, OSError):
        return f"{error.filename or type(error).__name__}: {error.strerror or 'failed'}"
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


def deliver(outbox: Outbox, stop: threading.Event) -> None:
    """Deliver what is queued, and what will be, until ``stop``; a full disk is waited for. Raises
    LedgerDamaged: then nobody knows what has arrived."""
    while not stop.is_set():
        try:
            outbox.work(stop, trouble=_tried_again)
        except LedgerDamaged:
            raise
        except Exception as error:  # noqa: BLE001 - what is queued is delivered all the same
            _tried_again(error)
            stop.wait(_FAULT)


def _tried_again(error: Exception) -> None:
    say("notices", f"{told(error)}; tried again")


def watch(
    charge: Charge, view: RunView, stop: threading.Event, told_of: Callable[[Raised], None]
) -> None:
    """Monitor what the run left, to the end of its time or until ``stop``; begin again where a
    fault ended it."""
    from rollback_tui.aftercare.monitor import monitor

    now = datetime.now(UTC)
    seconds = timedelta(seconds=charge.settings.monitor.seconds)
    latest = (view.finished_at or now) + seconds + _LATE
    wait = 1.0
    while not stop.is_set():
        try:
            monitor(charge, view, stop, told=told_of)
        except Exception as error:  # noqa: BLE001 - a sample that fails is no reason to end
            say("monitor", told(error))
        else:
            return
        if datetime.now(UTC) > latest:
            say("monitor", "given up: its time is over")
            return
        stop.wait(wait)
        wait = min(2 * wait, _SLOWEST)


def count_impact(charge: Charge, view: RunView, stop: threading.Event) -> None:
    """Ask Prometheus what the run did to people, once its own next scrape is in; again for a while
    where it does not say. What it said is a line of ``monitoring.jsonl``."""
    wanted, begun, finished = charge.settings.prometheus, view.started_at, view.finished_at
    known = monitored(monitoring(charge.path).read()).impact
    if begun is None or finished is None or (known is not None and not known.why):
        return
    due = finished + timedelta(seconds=wanted.lag_seconds)
    wait = 0.0
    # A clock that was set back since is waited for no longer than it takes.
    while not stop.wait(max(wait, min(_until(due), wanted.lag_seconds))):
        found = prometheus.impact(wanted, begun, finished, datetime.now(UTC))
        if known is None or found.why != known.why:
            monitoring(charge.path).append(found)
            known = found
        if not found.why or datetime.now(UTC) > due + _LATE:
            return
        wait = min(max(2 * wait, 15.0), _SLOWEST)


def _until(due: datetime) -> float:
    return (due - datetime.now(UTC)).total_seconds()


def write_incident(charge: Charge) -> None:
    """Write the incident report as it is now."""
    from rollback_tui.aftercare.incident_files import write

    write(charge.path)


def hand_over(charge: Charge, stop: threading.Event, until: datetime) -> None:
    """Have the incident report delivered; try again until it arrived, ``stop`` is set, or it was
    tried after ``until``. Each attempt is noted beside it."""
    from rollback_tui.aftercare.incident_files import deliver

    wait = charge.settings.notify.retry_seconds
    while not stop.is_set():
        ran = deliver(charge)
        if ran.ok:
            return
        say("incident report", f"not delivered: {ran.summary}")
        if datetime.now(UTC) + timedelta(seconds=wait) > until:
            return
        stop.wait(wait)
        wait = min(2 * wait, _SLOWEST)
