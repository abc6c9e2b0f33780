"""Leads through the walk: asks the world in threads, takes the answers in, replaces the value.

No widget is known here. The app hands in three functions and shows what comes out.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from rollback_tui.ui.afterwards import Afterwards
from rollback_tui.ui.beside import Beside
from rollback_tui.ui.capturing import Capturing
from rollback_tui.ui.counting import Counting
from rollback_tui.ui.following import Following
from rollback_tui.ui.keys import key
from rollback_tui.ui.log_lines import LogLines
from rollback_tui.ui.moment import local_time, steady
from rollback_tui.ui.planning import Planning
from rollback_tui.ui.rehearsing import Rehearsing
from rollback_tui.ui.requests import Deliver, Failure, Requests
from rollback_tui.ui.sessions import look
from rollback_tui.ui.undoing import FORGOTTEN, Undoing
from rollback_tui.ui.waiting import Waiting
from rollback_tui.ui.walk import Walk, blocked, not_ready, valid_rehearsal
from rollback_tui.ui.watching import Watching
from rollback_tui.ui.wording import writers_of

if TYPE_CHECKING:
    from rollback_tui.core.activity.signals import Signal
    from rollback_tui.core.claim import Claim
    from rollback_tui.core.events import Record
    from rollback_tui.core.model import Activity, Session, Target
    from rollback_tui.ui.operations import Choice, Operations

Severity = Literal["information", "warning", "error"]

SLOW = 3.0
"""A refresh that takes longer than this many seconds makes the screen stale."""
RETRY = 3.0
"""Seconds between two attempts to reach a server that cannot be reached."""
DRAWN = 0.05
"""Seconds in which what is known is on the screen."""
INTERVALS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""What ``+`` and ``-`` step through, in seconds."""


class Say(Protocol):
    """Shows a short message in the corner."""

    def __call__(self, text: str, severity: Severity = "information") -> None:
        """Show ``text``."""


class Guide:
    """Owns the walk. Every method is called on the event loop."""

    def __init__(
        self,
        operations: Operations,
        start: Walk,
        deliver: Deliver,
        changed: Callable[[Walk], None],
        say: Say,
    ) -> None:
        self.operations = operations
        self.walk = start
        self.say = say
        self.requests = Requests(deliver)
        self._changed = changed
        self._following = Following(self)
        self._beside = Beside(self)
        self._counting = Counting(self)
        self.waiting = Waiting(self)
        self.watching = Watching(self)
        self.planning = Planning(self)
        self.rehearsing = Rehearsing(self)
        self.capturing = Capturing(self)
        self.undoing = Undoing(self)
        self.logs = LogLines(self)
        self.afterwards = Afterwards(self)
        self._asked_at = -1e9
        self._unread = False
        self._connecting = steady()

    @property
    def begun(self) -> dict[str, float]:
        """When what is waited for began, by topic, in monotonic seconds."""
        return {**self.requests.begun, "connecting": self._connecting}

    @property
    def records(self) -> Sequence[Record]:
        """The records of the run that is followed, oldest first."""
        return self._following.records

    @property
    def may_ask(self) -> bool:
        """Whether the target may be asked now: not while a run has it, nor while it is copied,
        which needs that nobody is connected."""
        walk = self.walk
        copied = walk.rehearsing is not None and walk.rehearsing.source == "clone"
        return not walk.running and not copied

    def replace(self, **changes: Any) -> None:
        """Replace the walk by one with ``changes``, and show it."""
        walk = msgspec.structs.replace(self.walk, **changes)
        if walk != self.walk:
            self.walk = walk
            self._changed(walk)

    # --- time ---------------------------------------------------------------------------------

    def begin(self) -> None:
        """Ask the first questions; none while a run without an outcome comes first."""
        if self.walk.claims:
            return
        if self.walk.folder is not None:
            self._following.open(self.walk.folder)
            self.afterwards.read_history()
        else:
            self._connect()

    def tick(self) -> None:
        """Do what is due. Called a few times a second; costs nothing when nothing is."""
        now = steady()
        if self.walk.claims:
            self._beside.tick(now)
            return
        self.logs.tick(now)
        self.afterwards.tick(now)
        if self.walk.folder is not None and not self.walk.finished:
            # While the run has the database, this terminal keeps out of it.
            self._following.poll()
            return
        if self.walk.attached:
            return
        if not self.may_ask:
            self._mark_stale("standing still while the database is copied")
            return
        self._counting.tick(now)
        self.waiting.tick(now)
        self.watching.tick(now)
        if self.requests.busy("target") or self.requests.busy("activity"):
            if now - self._asked_at > max(SLOW, self.walk.interval):
                self._mark_stale("no answer from the server yet")
            return
        if self.walk.target is None:
            if now - self._asked_at >= RETRY:
                self._connect()
        elif not self.walk.paused and now - self._asked_at >= self.walk.interval:
            self.refresh()

    def _connect(self) -> None:
        self._asked_at = steady()
        self.requests.ask("target", self.operations.target, self._connected, self._not_fresh)

    def _connected(self, target: Target) -> None:
        self._unread = True
        self.replace(target=target, stale="")
        self.refresh()

    def _read_the_rest(self) -> None:
        """Ask for what takes longer, and as long as Textual to load, now that there are sessions on
        the screen; or that there are none is said there."""
        if self._unread:
            self._unread = False
            self.planning.read(self.walk.choice)
            self.read_tables()
            self.afterwards.read_history()
            self.afterwards.find()

    def _looked(self) -> None:
        if self._unread:
            # Not before they are drawn.
            asyncio.get_running_loop().call_later(DRAWN, self._read_the_rest)

    def close(self) -> None:
        """Give back the controls of the run, and close the connections."""
        self._unread = False
        self._following.close()
        self.rehearsing.stop()
        self.capturing.stop()
        self.logs.close()
        # It may wait for a server that does not answer; leaving must not.
        threading.Thread(target=self.operations.close, name="close", daemon=True).start()

    # --- state --------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Ask for the activity now, unless that question is open already."""
        if not self.requests.busy("activity"):
            self._asked_at = steady()
            self.requests.ask(
                "activity", lambda: look(self.operations), self._active, self._not_fresh
            )

    def _active(self, activity: Activity) -> None:
        self.replace(
            activity=activity,
            trend=self.walk.trend.after(self.walk.activity, activity),
            refreshed_at=local_time(),
            stale="",
        )
        if self.walk.waiting_until is not None and not writers_of(activity.sessions):
            self.say("Nobody writes now; it is judged again.")
            self.planning.judge()
        self._looked()

    def _not_fresh(self, failure: Failure) -> None:
        self._mark_stale(failure.summary)
        self._looked()

    def _mark_stale(self, reason: str) -> None:
        self.replace(stale=reason)

    def pause(self) -> None:
        """Stop refreshing, or go on."""
        self.replace(paused=not self.walk.paused)
        self._counting.go_on()

    def change_interval(self, by: Literal[-1, 1]) -> None:
        """Take the next longer (+1) or shorter (-1) interval."""
        here = min(range(len(INTERVALS)), key=lambda i: abs(INTERVALS[i] - self.walk.interval))
        there = min(len(INTERVALS) - 1, max(0, here + by))
        self.replace(interval=INTERVALS[there])

    def read_tables(self) -> None:
        """Ask for the tables, then for their exact counts one by one."""
        self._counting.read()

    @property
    def counting_now(self) -> str:
        """The table that is being counted since a second or longer; empty when none is."""
        return self._counting.now

    def signal(self, session: Session, terminate: bool) -> None:
        """Cancel the query of ``session`` as it was seen, or end it. Only when armed."""
        if not self.walk.armed:
            self.say(f"This terminal is READ-ONLY: {key('step.arm')} arms it.", "warning")
            return
        call = self.operations.terminate if terminate else self.operations.cancel
        pid, start = session.pid, session.backend_start
        word = "end" if terminate else "cancel its query"

        def told(signal: Signal) -> None:
            if signal.outcome == "signalled":
                self.say(f"pid {pid} signalled to {word}", "information")
            elif signal.outcome == "gone":
                self.say(f"pid {pid} was gone already: nothing was sent", "information")
            else:
                self.say(f"pid {pid}: not allowed to {word}. {signal.why}", "warning")
            self.refresh()

        self.requests.ask(f"signal {pid}", lambda: call(pid, start), told, self.complain)

    def complain(self, failure: Failure) -> None:
        """Say a failure that has no place of its own on a screen."""
        self.say(f"{failure.summary.rstrip('.')}. {failure.remedy}".strip(), "error")

    # --- plan and checks ----------------------------------------------------------------------

    def choose(self, choice: Choice) -> None:
        """Take another way back. Refused while a run goes on."""
        if self.walk.running:
            self.say("A run goes on; how far back cannot change now.", "warning")
            return
        if self.walk.finished and not self.walk.attached:
            self._following.close()
            looked_after = self.walk.folder
            # A reason to set a check aside was good for that run only.
            self.replace(
                folder=None,
                view=None,
                armed=False,
                overrides=(),
                looked_after=looked_after,
                **FORGOTTEN,
            )
        self.planning.read(choice)

    def set_aside(self, name: str, reason: str) -> None:
        """Override a failed check with a typed reason."""
        others = tuple(o for o in self.walk.overrides if o[0] != name)
        self.replace(overrides=(*others, (name, reason)))

    def take_back(self, name: str) -> None:
        """Withdraw an override."""
        self.replace(overrides=tuple(o for o in self.walk.overrides if o[0] != name))

    def review(self, indexes: frozenset[int]) -> None:
        """Mark statements reviewed."""
        self.replace(reviewed=self.walk.reviewed | indexes)

    def unreview(self, index: int) -> None:
        """Take the mark off one statement."""
        self.replace(reviewed=self.walk.reviewed - {index})

    def keep(self, statements: frozenset[int]) -> None:
        """Keep what these statements remove, and nothing else."""
        self.replace(keep=statements)

    # --- run ----------------------------------------------------------------------------------

    def arm(self, armed: bool) -> None:
        """Arm the terminal, or make it read-only again."""
        self.replace(armed=armed and not self.walk.read_only)

    def start(self, reason: str) -> None:
        """Start the worker for the confirmed plan."""
        plan = self.walk.plan
        refused = not_ready(self.walk) or blocked(self.walk, 4)
        if plan is None or refused or not self.walk.armed or self.walk.starting:
            self.say(refused or "Arm this terminal first.", "warning")
            return
        overrides, keep = dict(self.walk.overrides), self.walk.keep
        rehearsal = valid_rehearsal(self.walk)
        self.replace(starting=True, start_failure=None)
        self.requests.ask(
            "start",
            lambda: self.operations.start(
                # Such a plan is confirmed by a text of its own.
                plan,
                overrides,
                reason,
                stepwise_confirmed=not plan.transactional,
                keep=keep,
                rehearsal=rehearsal,
            ),
            self.follow,
            lambda failure: self.replace(starting=False, start_failure=failure),
        )

    def follow(self, folder: Path, recovers: Path | None = None) -> None:
        """Follow a run that this terminal has just started; ``recovers``: the run that it brings
        back."""
        self._following.close()
        self.replace(
            starting=False,
            folder=folder,
            view=None,
            stale="",
            paused=False,
            controls=None,
            way=None,
            worker="running",
            **{**FORGOTTEN, "recovers": recovers},
        )
        self._following.open(folder)

    def answer(self, choice: str) -> None:
        """Answer the run's question."""
        self._following.answer(choice)

    def attach(self, claim: Claim, *, settled: bool = False) -> None:
        """Follow a run that was there before; ``settled``: it has its outcome now."""
        folder = Path(claim.folder)
        self.replace(
            claims=(), settling=False, settle_failure=None, folder=folder, view=None, controls=None
        )
        self._following.open(folder)
        if settled:
            self.afterwards.read_report(folder)
        self.afterwards.read_history()

    def settle(self, claim: Claim, settled: Callable[[], None]) -> None:
        """Finish an interrupted run that nothing works on; ``settled`` is called when it has its
        outcome."""
        self._beside.settle(claim, settled)

    def take_controls(self) -> None:
        """Take the controls of the run that is followed."""
        self._following.take_controls()

    def abort(self) -> None:
        """Ask the worker to abort before COMMIT."""
        self._following.abort()

    def run_ended(self) -> None:
        """Take in that the run has an outcome: read its report, look at the database again."""
        if self.walk.folder is not None:
            self.afterwards.read_report(self.walk.folder)
        self.afterwards.read_history()
        if self.walk.target is None and not self.walk.attached:
            self._connect()
        elif not self.walk.attached:
            self.refresh()
            self.read_tables()
