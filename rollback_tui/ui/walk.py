"""Where the operator stands: one immutable value, and the questions one can ask of it.

Every screen shows a :class:`Walk`; every key changes it by replacing it. Whether a step may be
entered, and why not, is decided here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from rollback_tui.core.activity.trend import Trend
from rollback_tui.ui.keys import key
from rollback_tui.ui.listing import listing
from rollback_tui.ui.once import once
from rollback_tui.ui.operations import Choice
from rollback_tui.ui.requests import Failure
from rollback_tui.ui.wording import count

# Names only: a walk holds such values long before and after it knows any.
if TYPE_CHECKING:
    from datetime import datetime

    from rollback_tui.core.claim import Claim, ClaimState, Controls
    from rollback_tui.core.model import Activity, CheckResult, Plan, TableCount, Target
    from rollback_tui.core.outlook import InTheWay, Outlook
    from rollback_tui.core.proof import ProofCost
    from rollback_tui.core.recovery import RecoveryOption
    from rollback_tui.core.rehearsal import Rehearsal, Source
    from rollback_tui.core.run_view import RunSummary, RunView
    from rollback_tui.frameworks.captured import Captures
    from rollback_tui.ui.after import After

STEPS = ("State", "Safety", "Preview", "Run", "Verify", "Report")
"""The six steps, in the order of the work; step 1 is ``STEPS[0]``."""

REASON_LENGTH = 10
"""A typed reason has at least this many characters: enough to say something."""
_ARM = "step.arm"
SCHEMA_CHECK = "schema_restored"
"""The check that a rehearsal answers: is the schema afterwards the one that it should be? Setting
it aside accepts exactly the differences that were shown."""


class Underway(msgspec.Struct, frozen=True, kw_only=True):
    """A rehearsal that is going on."""

    source: Source
    since: float
    """Monotonic seconds of this process when it began."""
    words: str
    """What is being done now."""
    stopping: bool = False


class CaptureUnderway(msgspec.Struct, frozen=True, kw_only=True):
    """The framework's own program at work on a scratch copy."""

    since: float
    """Monotonic seconds of this process when it began."""
    words: str
    """What is being done now."""
    stopping: bool = False


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the screens show, as far as it is known."""

    environment: str = ""
    read_only: bool = False
    attached: bool = False
    """Opened for one run: steps 1 to 3 do not exist."""
    target: Target | None = None
    activity: Activity | None = None
    trend: Trend = Trend()
    """Connections and rates of the last minutes."""
    refreshed_at: datetime | None = None
    """This machine's clock at the last good refresh."""
    stale: str = ""
    """Why the activity is not fresh; empty when it is."""
    paused: bool = False
    interval: float = 1.0
    """Seconds between two refreshes."""
    tables: tuple[TableCount, ...] | None = None
    uncounted: frozenset[str] = frozenset()
    """Tables whose exact count did not arrive in time."""
    choice: Choice = Choice()
    plan: Plan | None = None
    planning: bool = False
    counting: bool = False
    """What the plan removes, and would fail on, is being counted."""
    plan_failure: Failure | None = None
    checks: tuple[CheckResult, ...] | None = None
    judging: bool = False
    judged_at: datetime | None = None
    checks_failure: Failure | None = None
    overrides: tuple[tuple[str, str], ...] = ()
    """(name of the check, typed reason)."""
    waiting_since: float | None = None
    waiting_until: float | None = None
    """Monotonic seconds, while we wait for writers."""
    reviewed: frozenset[int] = frozenset()
    """Indexes of the statements that the operator marked."""
    keep: frozenset[int] = frozenset()
    """Indexes of the statements whose rows or values are copied into an archive first."""
    outlook: Outlook | None = None
    """What stands around the plan; None before that is known."""
    outlook_failure: Failure | None = None
    way: tuple[InTheWay, ...] | None = None
    """Who is in the plan's way; None before that is known. Only asked where it is shown."""
    way_at: datetime | None = None
    """This machine's clock at the last good answer to that."""
    way_stale: str = ""
    """Why ``way`` is not fresh; empty when it is."""
    rehearsal: Rehearsal | None = None
    rehearsing: Underway | None = None
    rehearsal_failure: Failure | None = None
    capturing: CaptureUnderway | None = None
    captures: Captures | None = None
    """What this terminal captured last."""
    capture_failure: Failure | None = None
    proof_cost: ProofCost | None = None
    """What verifying the plan's result would cost; None before that is known."""
    proof_failure: Failure | None = None
    armed: bool = False
    starting: bool = False
    start_failure: Failure | None = None
    folder: Path | None = None
    """The run that this terminal started or is attached to."""
    view: RunView | None = None
    moved_at: float = 0.0
    """Monotonic seconds of this process at the run's last event."""
    heard_at: float = 0.0
    """Monotonic seconds at the run's last sign of life: an event, or an answer of its worker."""
    worker: ClaimState = "running"
    """Whether a process works on the run. Only asked for while it is quiet."""
    controls: Controls | None = None
    """Who may answer and abort the run; None before that is known."""
    claims: tuple[Claim, ...] = ()
    """Runs of the target without an outcome, found at the start: nothing else comes before."""
    settling: bool = False
    settle_failure: Failure | None = None
    feed_failure: Failure | None = None
    report: str | None = None
    report_folder: Path | None = None
    report_failure: Failure | None = None
    history: tuple[RunSummary, ...] | None = None
    asking_options: float | None = None
    """Monotonic seconds since when it is being asked what could undo the run; None: it is not."""
    options: tuple[RecoveryOption, ...] | None = None
    """The rungs by which the run that has ended could be undone; None before that is known."""
    options_at: datetime | None = None
    """This machine's clock when they were counted."""
    options_failure: Failure | None = None
    recovering: bool = False
    """The worker of a recovery is being started."""
    recover_failure: Failure | None = None
    recovers: Path | None = None
    """The run that the one followed brings back, known before its first event."""
    log_errors: int = 0
    """Error lines that the application's logs got after the COMMIT."""
    afters: tuple[After, ...] = ()
    """What came after a run, of each that is looked at."""
    looked_after: Path | None = None
    """The newest run of this project that is still looked after, or should be."""

    @property
    def running(self) -> bool:
        """Whether a run goes on (or nobody knows that it ended)."""
        return self.folder is not None and not self.finished

    @property
    def at_controls(self) -> bool:
        """Whether this console may answer and abort the run."""
        return self.controls is not None and self.controls.mine

    @property
    def finished(self) -> bool:
        """Whether the run has an outcome."""
        return self.view is not None and self.view.finished is not None

    @property
    def undone(self) -> Path | None:
        """The folder of the run that would be undone: of a recovery, the run it was made for."""
        started = self.view.started if self.view else None
        if started is not None and started.recovers:
            return Path(started.recovers)
        return self.recovers or self.folder

    def elapsed(self, now: float) -> float:
        """Return the run's seconds at monotonic ``now``; it stands still when it has ended."""
        if self.view is None:
            return 0.0
        moving = 0.0 if self.finished else max(0.0, now - self.moved_at)
        return self.view.elapsed + moving


def obstacles(walk: Walk) -> tuple[CheckResult, ...]:
    """Return the checks that stand in the way: failed or unknown, and not set aside."""
    if not walk.checks:
        return ()
    # A dozen families of checks, which no first screen needs.
    from rollback_tui.core import checks

    return checks.obstacles(walk.checks, dict(walk.overrides))


def unreviewed(walk: Walk) -> tuple[int, ...]:
    """Return the indexes of dangerous statements that nobody has marked reviewed."""
    return _missing(walk.reviewed)(walk.plan) if walk.plan else ()


@once
def _missing(reviewed: frozenset[int]) -> Callable[[Plan], tuple[int, ...]]:
    """Return, by plan, the dangerous statements that are not ``reviewed``: asked a dozen times for
    each key that is pressed."""

    @once
    def of(plan: Plan) -> tuple[int, ...]:
        return tuple(index for index in listing(plan).dangerous if index not in reviewed)

    return of


def valid_rehearsal(walk: Walk) -> Rehearsal | None:
    """Return the rehearsal of exactly this plan; None when there is none."""
    rehearsal, plan = walk.rehearsal, walk.plan
    if rehearsal is None or plan is None or rehearsal.plan_sha256 != plan.sha256:
        return None
    return rehearsal


def may_not_rehearse(walk: Walk) -> str:
    """Return why no rehearsal may begin now; empty when one may."""
    if walk.folder is not None:
        return "this plan was already confirmed"
    if walk.plan is None or not walk.plan.migrations:
        return "there is nothing to rehearse"
    if walk.rehearsing is not None:
        return f"a rehearsal goes on: {key('preview.stop')} stops it"
    if walk.capturing is not None:
        return f"scripts are being captured: {key('preview.stop')} stops it"
    if walk.read_only:
        return "a rehearsal makes a scratch database, and this terminal was started read-only"
    if not walk.armed:
        return f"a rehearsal makes a scratch database on the server: {key(_ARM)} arms this terminal"
    return ""


def may_not_capture(walk: Walk) -> str:
    """Return why nothing may be captured now; empty when something may."""
    if walk.folder is not None:
        return "this plan was already confirmed"
    if walk.capturing is not None:
        return f"it is being captured: {key('preview.stop')} stops it"
    if walk.rehearsing is not None:
        return f"a rehearsal goes on: {key('preview.stop')} stops it"
    if walk.plan is None or not any(m.capturable for m in walk.plan.migrations):
        return "no migration of this plan has to be captured"
    if walk.read_only:
        return "to capture makes a scratch copy, and this terminal was started read-only"
    if not walk.armed:
        return f"to capture makes a scratch copy on the server: {key(_ARM)} arms this terminal"
    return ""


def blocked(walk: Walk, step: int) -> str:
    """Return why ``step`` (1 to 6) may not be entered; empty when it may."""
    if walk.attached and step <= 3:
        return "this terminal shows one run only; start rollback-tui without attach for the rest"
    if step <= 3 and walk.target is None and walk.running:
        return "the run has the database; it is read when the run has ended"
    if step in (2, 3) and walk.plan is None:
        if walk.plan_failure:
            return f"there is no plan: {walk.plan_failure.summary}"
        return "the migrations are still being read"
    if step == 4 and walk.folder is None:
        return not_ready(walk)
    if step == 5 and walk.folder is None:
        return "no run has been started"
    if step == 6 and not walk.finished and not walk.history:
        return "no run has ended yet"
    return ""


def not_ready(walk: Walk) -> str:
    """Return why no run may be confirmed yet; empty when it may."""
    if reason := blocked(walk, 2):
        return reason
    if walk.plan is not None and not walk.plan.migrations:
        return "nothing is applied, so there is nothing to roll back"
    if walk.rehearsing is not None:
        return f"a rehearsal goes on ({key('preview.stop')} on step 3 stops it)"
    if walk.capturing is not None:
        return f"scripts are being captured ({key('preview.stop')} on step 3 stops it)"
    if walk.counting:
        return "what goes is still being counted"
    if walk.judging:
        return "the safety checks are being judged"
    if walk.checks is None:
        return "the safety checks have not been judged (press 2)"
    if standing := obstacles(walk):
        verb = "stands" if len(standing) == 1 else "stand"
        return f"{count(len(standing), 'check')} {verb} in the way (press 2)"
    if missing := unreviewed(walk):
        return f"{count(len(missing), 'destructive statement')} not reviewed (press 3)"
    return ""


def hands_off(walk: Walk) -> str:
    """Return why this console may only look at the run; empty when it is at the controls."""
    if walk.read_only:
        return "this terminal was started read-only"
    if walk.at_controls:
        return ""
    if walk.controls is None:
        return "it is not known yet who is at the controls"
    if walk.controls.free:
        return f"nobody is at the controls: {key('run.take_controls')} takes them"
    return f"read-only: {walk.controls.holder} is at the controls since {walk.controls.since}"


def may_not_answer(walk: Walk, choice: str) -> str:
    """Return why the run's question cannot be answered with ``choice`` here and now. What happens
    anyway when nobody answers needs no arming."""
    question = walk.view.question if walk.view else None
    if question is None or choice not in question.choices:
        return "there is no such question open now"
    if reason := hands_off(walk):
        return reason
    if choice != question.default and not walk.armed:
        return f"{choice} changes the database: arm this terminal ({key(_ARM)})"
    return ""


def done(walk: Walk, step: int) -> bool:
    """Return whether ``step`` has nothing left to do."""
    if walk.attached and step <= 3:
        return False
    return (
        walk.target is not None and walk.plan is not None,
        walk.checks is not None and not walk.judging and not obstacles(walk),
        walk.plan is not None
        and bool(walk.plan.migrations)
        and not unreviewed(walk)
        and not listing(walk.plan).stops,
        walk.finished,
        walk.finished,
        walk.report is not None and walk.finished,
    )[step - 1]


def may_not_undo(walk: Walk) -> str:
    """Return why the ladder of recovery cannot be asked for now; empty when it can."""
    if walk.folder is None:
        return "no run has been started"
    if walk.recovering:
        return "a recovery is being started"
    if not walk.finished:
        return "the run has no outcome yet"
    if walk.view is not None and walk.view.outcome == "refused":
        return "nothing was touched, so there is nothing to undo"
    return ""


def may_not_take(walk: Walk, option: RecoveryOption) -> str:
    """Return why this rung cannot be taken from here and now; empty when it can."""
    if reason := may_not_undo(walk):
        return reason
    if option.obstacle:
        return option.obstacle
    if option.rung == "external":
        return f"it is taken by its own commands: {key('ladder.copy')} copies them"
    if walk.read_only:
        return "this terminal was started read-only"
    if not walk.armed:
        return f"a recovery replaces the database: {key(_ARM)} arms this terminal"
    return ""
