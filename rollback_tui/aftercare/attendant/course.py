"""What the attendant does, from the first line of the journal to the last notice delivered.

One thread decides, and each thing that may take its time has one of its own (``jobs``).
None waits for another, and all go on from what is in the run's folder, wherever a process before us
was killed.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from rollback_tui.aftercare import notices
from rollback_tui.aftercare.attendant import jobs, lines
from rollback_tui.aftercare.attendant.bell import Bell
from rollback_tui.aftercare.attendant.presence import ledger, stop_asked, taken
from rollback_tui.aftercare.attendant.processes import say
from rollback_tui.aftercare.charge import Charge, tie
from rollback_tui.aftercare.incident_files import deliveries
from rollback_tui.aftercare.ledger import LedgerDamaged
from rollback_tui.aftercare.outbox import Outbox
from rollback_tui.aftercare.watch import ledger as monitoring
from rollback_tui.core import events as ev
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.monitoring.fold import fold as monitored
from rollback_tui.core.monitoring.values import Ended, MonitorView, Raised
from rollback_tui.core.run_view import RunView, advance
from rollback_tui.run import journal
from rollback_tui.run.claims import state_of

_FOLLOWED = 0.2
"""Seconds between two looks at a journal that grows."""
_LOOKED = 1.0
"""Between two looks at what else may have changed: a wish to stop, the folder."""
_ALONE = 60.0
"""Nobody has written the journal, nor could, for so long: a guardian that settles would."""
_ASKED_AGAIN = 10.0
"""Between two questions whether somebody could."""
_LEAVE = 3.0
"""Seconds that leaving waits for what is being written and sent."""

_MANY = (
    ev.StatementStarted,
    ev.StatementFinished,
    ev.StatementSkipped,
    ev.Progress,
    ev.SqlSent,
    ev.CheckJudged,
    ev.VerificationJudged,
)
"""Of which nobody is told, and of which there may be ten thousand."""


def attend(charge: Charge) -> bool:
    """Look after the run of ``charge`` until nothing is left to be done. Return False, at once,
    where another process does already.

    For the main thread of a process of its own: it takes the signals. SIGTERM and SIGINT end it at
    once, and it can be started again at any moment, also after a SIGKILL.
    """
    with taken(charge.path) as mine:
        if mine:
            bell = Bell()
            with bell.on_signals():
                tied_to = tie()
                if tied_to is not None:
                    bell.end_with(tied_to)
                Course(charge, bell).run()
    return mine


class Course:
    """One run looked after by one process."""

    def __init__(self, charge: Charge, bell: Bell) -> None:
        self._charge = charge
        self._folder = charge.path
        self._settings = charge.settings
        self._bell = bell
        self._follower = journal.Follower(self._folder / journal.FILE_NAME)
        self._size = -1
        self._records: list[ev.Record] = []
        self._view = RunView()
        self._grew = time.monotonic()
        self._asked = 0.0
        self._alone = False
        """Nobody works on the run, which has no outcome, or its journal cannot be trusted."""
        self._damage = ""
        known = self._monitored()
        self._alerts: list[Raised] = list(known.raised)
        self._no_more = known.ended is not None
        """Nothing is monitored any more."""
        self._untold = True
        """Something may have happened of which nothing is queued yet."""
        self._outbox = Outbox(self._folder, self._settings.notify)
        self._stop = threading.Event()
        self._stop_monitoring = threading.Event()
        self._jobs: dict[str, jobs.Job] = {}
        self._looked = 0.0
        self._began = datetime.now(UTC)

    def _monitored(self) -> MonitorView:
        """What an earlier process left of the monitoring. Where that cannot be read, the job that
        monitors says so, and people are told all the same."""
        try:
            return monitored(monitoring(self._folder).read())
        except LedgerDamaged:
            return MonitorView()

    # --- the whole ----------------------------------------------------------------------------

    def run(self) -> None:
        """See it through."""
        self._follow()
        ledger(self._folder).append(
            lines.Took(at=self._began, pid=os.getpid(), until=self._until())
        )
        self._begin("notices", self._deliver)
        try:
            while self._folder.is_dir():
                self._follow()
                self._tell()
                self._look()
                self._after()
                if self._all_done():
                    self._close()
                    return
                if not self._bell.wait(_LOOKED if self._finished else _FOLLOWED):
                    say("attendant", "told to end; what is left can be gone on with")
                    return
        finally:
            self._leave()

    def _begin(self, name: str, work: Callable[[], None]) -> None:
        if name not in self._jobs:
            self._jobs[name] = jobs.Job(name, work, self._bell.ring)

    def _over(self, name: str) -> bool:
        """Whether a job was begun and has ended."""
        return name in self._jobs and self._jobs[name].over

    def _leave(self) -> None:
        self._stop.set()
        self._stop_monitoring.set()
        deadline = time.monotonic() + _LEAVE
        for job in self._jobs.values():
            job.join(max(0.0, deadline - time.monotonic()))

    # --- what happened ------------------------------------------------------------------------

    @property
    def _finished(self) -> bool:
        return self._view.finished is not None

    def _follow(self) -> None:
        """Take over what is new in the journal."""
        if self._finished or self._damage:
            return
        try:
            size = self._follower.path.stat().st_size
            new = self._follower.poll() if size != self._size else ()
        except FileNotFoundError:
            return
        except (OSError, RollbackTuiError) as error:
            self._damage = jobs.told(error)
            say("journal", f"{self._damage}. Nobody is told what comes after it")
            return
        self._size = size
        for record in new:
            self._view = advance(self._view, record)
            if not isinstance(record.event, _MANY):
                self._records.append(record)
        if new:
            self._untold, self._alone, self._grew = True, False, time.monotonic()

    def _tell(self) -> None:
        """Queue what people are to be told. Deriving it again tells nobody twice, so that it is
        simply tried again where the disk was full."""
        if not self._untold:
            return
        self._untold = False
        found = notices.derive(
            self._records, self._view, self._settings, alerts=tuple(self._alerts)
        )
        try:
            self._outbox.add(found)
        except (OSError, RollbackTuiError) as error:
            self._untold = True
            say("notices", f"{jobs.told(error)}; tried again")

    def _alert(self, raised: Raised) -> None:
        """Called by the monitor's thread, when the line is on disk."""
        self._alerts.append(raised)
        self._untold = True
        self._bell.ring()

    def _look(self) -> None:
        """Look at what others may want, once a second."""
        now = time.monotonic()
        if now - self._looked < _LOOKED:
            return
        self._looked = now
        asked = None if self._no_more else stop_asked(self._folder)
        if asked is not None:
            line = Ended(at=datetime.now(UTC), why="stopped", by=asked.by, reason=asked.reason)
            try:
                monitoring(self._folder).append(line)
            except OSError as error:
                say("monitor", f"{jobs.told(error)}; tried again")
                return
            self._no_more = True
            self._stop_monitoring.set()
        waits = not self._finished and not self._alone and now - self._grew > _ALONE
        if waits and now - self._asked > _ASKED_AGAIN:
            self._asked = now
            self._alone = state_of(self._folder, now - self._grew) == "dead"

    # --- what comes after the outcome -----------------------------------------------------------

    @property
    def _touched(self) -> bool:
        """Whether the run has an outcome, and something was touched."""
        finished = self._view.finished
        return finished is not None and finished.outcome != "refused"

    @property
    def _watched(self) -> bool:
        """Whether the monitoring is over, or there is none."""
        if not self._touched or self._settings.monitor.seconds <= 0 or self._over("monitor"):
            return True
        return self._no_more and "monitor" not in self._jobs

    @property
    def _known(self) -> bool:
        """Whether all is known that the incident report may hold."""
        return self._watched and ("impact" not in self._jobs or self._over("impact"))

    @property
    def _grows(self) -> bool:
        """Whether more is known of the run in the end than when it had its outcome."""
        return "monitor" in self._jobs or "impact" in self._jobs

    def _after(self) -> None:
        """Begin what is due once the run has its outcome."""
        if not self._finished:
            return
        if not self._watched:
            self._begin("monitor", self._watch)
        if self._touched and self._settings.prometheus.counts_impact:
            self._begin("impact", self._count)
        self._begin("incident report", self._write)
        if self._known and self._over("incident report") and self._grows:
            self._begin("last incident report", self._write)
        wanted = self._settings.incident
        written = self._over("incident report") if wanted.when == "finished" else self._written
        if written and wanted.deliver.configured:
            self._begin("delivery", self._hand_over)

    @property
    def _written(self) -> bool:
        """Whether the last incident report is written."""
        last = "last incident report" if self._grows else "incident report"
        return self._known and self._over(last)

    def _watch(self) -> None:
        jobs.watch(self._charge, self._view, self._stop_monitoring, self._alert)

    def _count(self) -> None:
        jobs.count_impact(self._charge, self._view, self._stop)

    def _write(self) -> None:
        jobs.write_incident(self._charge)

    def _hand_over(self) -> None:
        jobs.hand_over(self._charge, self._stop, self._until())

    def _deliver(self) -> None:
        jobs.deliver(self._outbox, self._stop)

    # --- the end --------------------------------------------------------------------------------

    def _until(self) -> datetime:
        """Until when what does not arrive is tried again."""
        hours = timedelta(hours=self._settings.notify.keep_trying_hours)
        return (self._view.finished_at or self._began) + hours

    def _all_done(self) -> bool:
        if self._untold:
            return False
        if self._finished:
            delivers = self._settings.incident.deliver.configured
            if not self._written or (delivers and not self._over("delivery")):
                return False
        elif not (self._alone or self._damage):
            return False
        return self._nothing_pending()

    def _nothing_pending(self) -> bool:
        """Whether everything arrived that can; when the time for that is over, whether this process
        has tried each place once since the newest thing that it is to be told was queued."""
        try:
            left = {one.place for one in self._outbox.pending() if one.deliverable}
            if left and datetime.now(UTC) > self._until():
                left -= self._outbox.tried(self._began)
        except RollbackTuiError:
            # What is queued cannot be read; the job that delivers has said so.
            return True
        return not left

    def _close(self) -> None:
        """Note that nothing is left, or what."""
        why = "all is done"
        try:
            left = len(self._outbox.post().pending)
            delivered = any(one.ok for one in deliveries(self._folder))
        except RollbackTuiError as error:
            left, delivered, why = 0, True, error.summary
        if not self._finished:
            why = self._damage or "nobody works on the run, which has no outcome"
        if left:
            why += f"; not delivered: {left} notices"
        report_left = "delivery" in self._jobs and not delivered
        if report_left:
            why += "; not delivered: the incident report"
        ledger(self._folder).append(
            lines.Over(at=datetime.now(UTC), why=why, report_left=report_left)
        )
        say("attendant", why)
