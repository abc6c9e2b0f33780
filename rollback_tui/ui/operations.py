"""What the screens may ask for. The composition root hands in the one implementation."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

# Names only: what they are is loaded by those who make them.
if TYPE_CHECKING:
    from rollback_tui.core.activity.signals import Signal
    from rollback_tui.core.claim import Claim, ClaimState, Controls
    from rollback_tui.core.events import Record
    from rollback_tui.core.logs import LogLine
    from rollback_tui.core.model import Activity, CheckResult, Plan, TableCount, Target
    from rollback_tui.core.outlook import InTheWay, Outlook
    from rollback_tui.core.proof import ProofCost
    from rollback_tui.core.recovery import RecoveryOption
    from rollback_tui.core.rehearsal import Rehearsal, Source
    from rollback_tui.core.run_view import RunSummary
    from rollback_tui.frameworks.captured import Captures
    from rollback_tui.ui.aftercare import Aftercare


class Choice(msgspec.Struct, frozen=True):
    """How far back: ``steps`` migrations, or to ``version`` (which stays applied)."""

    steps: int = 1
    version: str | None = None


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long the world may take, in seconds: what a screen says that waits."""

    connect: float = 10
    """One try to reach the server."""
    answer: float = 300
    """One question to it, before its answer counts as lost."""
    counting: float = 20
    """All counting of what a plan removes."""
    table: float = 30
    """Counting the rows of one table."""
    start: float = 20
    """From starting a run's process to its first event."""


class Feed(Protocol):
    """One run, followed. Every call may block for a moment: call from a thread. Only the console
    that has the controls answers and aborts; others look."""

    folder: Path

    def poll(self) -> tuple[Record, ...]:
        """Return the records since the last call. Raises RollbackTuiError when damaged."""

    def state(self) -> ClaimState:
        """Return whether a process works on the run, and answers."""

    def take_controls(self, *, by_force: bool = False) -> Controls:
        """Take the controls when nobody has them, or ``by_force``; say who has them now."""

    def controls(self) -> Controls:
        """Return who has the controls; takes nothing."""

    def close(self) -> None:
        """Give the controls back. Safe to call twice."""

    def approve(self, choice: str) -> str:
        """Answer the open question. Returns what the worker said; raises RollbackTuiError."""

    def abort(self) -> str:
        """Ask for an abort before COMMIT. Returns what the worker said."""


class LogFeed(Protocol):
    """Log files, followed. Every call may block for a moment: call from a thread."""

    files: tuple[str, ...]
    """Empty: none are configured."""

    def poll(self) -> tuple[LogLine, ...]:
        """Return what came since the last call; the first gives the end of each file. What cannot
        be read is a line that says so, once."""

    def close(self) -> None:
        """Close the files. Safe to call twice."""


class Operations(Protocol):
    """Everything the screens can ask of the world. Every method may block, may raise
    RollbackTuiError, and is called from a thread."""

    environment: str
    """``production`` makes the header red."""
    read_only: bool
    """True: there is no arming in this terminal."""
    limits: Limits
    """How long the questions may take."""

    @property
    def after(self) -> Aftercare:
        """Whom to ask of the time after a run."""

    def target(self) -> Target:
        """Return the database we are connected to. Connects when needed."""

    def activity(self) -> Activity:
        """Return what goes on now: one round trip, called each second."""

    def tables(self) -> tuple[TableCount, ...]:
        """Return the tables with estimates, largest first."""

    def count(self, table: str) -> TableCount:
        """Return one table with its exact count (or ``exact=None`` when time ran out)."""

    def plan(self, choice: Choice, *, count: bool = True) -> Plan:
        """Return the plan for ``choice``; ``count``: with what goes and what it would fail on
        counted, which may take long."""

    def counted(self, plan: Plan) -> Plan:
        """Return ``plan``, made without counting, counted. May take as long as it is allowed."""

    def checks(self, plan: Plan, rehearsal: Rehearsal | None = None) -> tuple[CheckResult, ...]:
        """Judge all safety checks for ``plan`` now; with its ``rehearsal`` also what the schema
        will be like."""

    def proof_cost(self, plan: Plan) -> ProofCost:
        """Return what verifying the result would cost behind the closed door."""

    def recovery_options(self, folder: Path) -> tuple[RecoveryOption, ...]:
        """Return the rungs by which the run in ``folder`` could be undone now, best first. May
        take seconds: writes since are counted."""

    def recover(self, folder: Path, option: RecoveryOption, *, reason: str) -> Path:
        """Start a run that takes ``option``, whose ``confirm`` was typed; return its folder. It is
        followed like any run."""

    def guide(self, folder: Path) -> str:
        """Return how to bring the database back by hand: this run's own paths, names and commands,
        as Markdown."""

    def logs(self) -> LogFeed:
        """Follow the application's log files named in the configuration."""

    def cancel(self, pid: int, backend_start: datetime | None) -> Signal:
        """``pg_cancel_backend`` on the session that was seen: with this pid and this start."""

    def terminate(self, pid: int, backend_start: datetime | None) -> Signal:
        """``pg_terminate_backend``, the same way."""

    def start(
        self,
        plan: Plan,
        overrides: Mapping[str, str],
        reason: str,
        *,
        stepwise_confirmed: bool = False,
        keep: frozenset[int] = frozenset(),
        rehearsal: Rehearsal | None = None,
        trigger: str = "",
    ) -> Path:
        """Start the worker for the confirmed plan and return the run's folder.

        ``stepwise_confirmed``: the operator said yes to a plan that is not one transaction.
        ``keep``: statements whose removed rows or values go into an archive first. ``trigger``:
        what made somebody roll back, where that was said.
        """

    def outlook(self, plan: Plan) -> Outlook:
        """Return what stands around ``plan``: dependents, who still names what goes, rows written
        since, what keeping would cost. May take seconds."""

    def in_the_way(self, plan: Plan) -> tuple[InTheWay, ...]:
        """Return who holds a lock that ``plan`` will need: one round trip, called each second."""

    def rehearse(
        self, plan: Plan, source: Source, said: Callable[[str], None], stop: threading.Event
    ) -> Rehearsal:
        """Execute ``plan`` on a scratch database and measure it. ``said`` is told, from this
        thread, what is being done now; ``stop`` ends it early. The scratch database is removed
        in any case."""

    def capture(
        self, choice: Choice, said: Callable[[str], None], stop: threading.Event
    ) -> Captures:
        """Have the framework's own program take the migrations of ``choice`` back on a scratch
        copy, and keep what it sent as their scripts. ``said`` and ``stop`` as for
        :meth:`rehearse`. Raises RollbackTuiError, also when it was stopped."""

    def claims(self) -> tuple[Claim, ...]:
        """Return the runs of this target that have no outcome, newest first. Needs no
        connection to the target."""

    def settle(self, folder: Path) -> None:
        """Finish an interrupted run that nothing works on any more. Returns when its journal
        has the outcome; goes on when this terminal is lost."""

    def follow(self, folder: Path) -> Feed:
        """Follow a run."""

    def report(self, folder: Path) -> str:
        """Return the run's Markdown report."""

    def history(self) -> tuple[RunSummary, ...]:
        """Return past and running runs, newest first."""

    def sql_log(self) -> tuple[str, ...]:
        """Return the last SQL texts this terminal sent, newest last."""

    def close(self) -> None:
        """Close the connections. Safe to call twice and from another thread."""
