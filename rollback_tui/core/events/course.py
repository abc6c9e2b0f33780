"""How a run goes: its beginning, phases, questions, hooks, alarms and its end."""

from __future__ import annotations

from typing import Literal

from rollback_tui.core.events.base import Event, Phase, PhaseStatus, QuestionName
from rollback_tui.core.model import CheckResult, Operator, Outcome, Plan, Target
from rollback_tui.core.monitoring.values import Usual
from rollback_tui.core.rehearsal import Rehearsal
from rollback_tui.core.schema_verdict import SchemaVerdict


class RunStarted(Event, frozen=True, kw_only=True, tag="run_started"):
    """The journal is open; this is what was confirmed."""

    run: str
    """UUID."""
    tool_version: str
    target: Target
    plan: Plan
    plan_sha256: str
    operator: Operator
    reason: str
    environment: str
    folder: str
    worker_pid: int
    keep: tuple[int, ...] = ()
    """Statements whose removed rows or values are kept in an archive."""
    rehearsal: Rehearsal | None = None
    """The rehearsal of this plan that the operator saw, if there was one."""
    task: Literal["rollback", "recover", "reapply"] = "rollback"
    """What this run does: roll the plan back, or bring back what an earlier run left."""
    recovers: str = ""
    """Folder of that earlier run."""
    trigger: str = ""
    """What made somebody roll back, in their own words: an alert, a failed deploy. Empty: not
    said."""
    attended: bool | None = None
    """Somebody sat before the screens and could answer. None: an earlier version did not say."""
    follow_ups: tuple[str, ...] = ()
    """What the team always does afterwards, as it was configured then."""
    audit_head: str = ""
    """``<seq>:<sha256>`` of the audit log's last line then: whoever trusts this journal can tell
    whether that log is the one that was written. Empty: not known."""


class SchemaForeseen(Event, frozen=True, kw_only=True, tag="schema_foreseen"):
    """What the schema will be like afterwards, as a rehearsal found; before the door closed."""

    verdict: SchemaVerdict
    accepted: str = ""
    """The typed reason why what is left over is accepted; empty: it is not."""
    declared: tuple[str, ...] = ()
    """Objects that the configuration declares to be right as they are."""


class CheckJudged(Event, frozen=True, kw_only=True, tag="check_judged"):
    """A safety check was judged again by the worker."""

    check: CheckResult


class CheckOverridden(Event, frozen=True, kw_only=True, tag="check_overridden"):
    """A failed check was set aside with a typed reason."""

    name: str
    reason: str


class PhaseStarted(Event, frozen=True, kw_only=True, tag="phase_started"):
    """A phase began."""

    phase: Phase
    summary: str = ""


class PhaseFinished(Event, frozen=True, kw_only=True, tag="phase_finished"):
    """A phase ended."""

    phase: Phase
    status: PhaseStatus
    seconds: float
    summary: str = ""


class Progress(Event, frozen=True, kw_only=True, tag="progress"):
    """Something moved inside a phase: a table dumped, a table counted."""

    phase: Phase
    summary: str
    done: int | None = None
    total: int | None = None


class UsualMeasured(Event, frozen=True, kw_only=True, tag="usual_measured"):
    """Before the door closed: what is usual, which the monitoring afterwards compares with."""

    usual: tuple[Usual, ...]
    seconds: float
    """How long it was looked at."""


class SettleStarted(Event, frozen=True, kw_only=True, tag="settle_started"):
    """The worker was interrupted; from here on others bring the run to its outcome."""

    by: Literal["guardian", "operator"]


class SqlSent(Event, frozen=True, kw_only=True, tag="sql_sent"):
    """SQL of the tool's own that was sent and changes something."""

    connection: Literal["target", "maintenance"]
    sql: str


class Waiting(Event, frozen=True, kw_only=True, tag="waiting"):
    """The run waits: for what, for whom, and until when at the latest."""

    phase: Phase
    summary: str
    pids: tuple[int, ...] = ()
    seconds_left: float | None = None


class HookRan(Event, frozen=True, kw_only=True, tag="hook_ran"):
    """A command, URL, SQL or flag file of the configuration was used."""

    name: str
    ok: bool
    seconds: float
    summary: str


class MaintenanceChanged(Event, frozen=True, kw_only=True, tag="maintenance_changed"):
    """The application's maintenance mode was switched."""

    on: bool


class Question(Event, frozen=True, kw_only=True, tag="question"):
    """The run needs an answer: through ``approve`` with one of the choices, or the deadline."""

    name: QuestionName
    text: str
    choices: tuple[str, ...]
    default: str
    """What happens when nobody answers."""
    seconds: float
    """How long an answer is waited for. 0: nobody is there to be asked."""


class Answered(Event, frozen=True, kw_only=True, tag="answered"):
    """The question was answered."""

    name: QuestionName
    choice: str
    by: Literal["operator", "deadline", "configuration"]
    who: str = ""
    """Of whom it came, and from where: ``deploy (sudo by ada), uid 1000, ssh 10.0.0.7``. Empty:
    nobody asked for it, or it is not known."""


class AbortAsked(Event, frozen=True, kw_only=True, tag="abort_asked"):
    """The operator pressed abort; it is obeyed at the next safe point before COMMIT."""

    who: str = ""
    """As in :class:`Answered`; empty for a signal."""


class ImpactMeasured(Event, frozen=True, kw_only=True, tag="impact_measured"):
    """What users felt, where a hook or the health probe can tell; None: not measured."""

    downtime_seconds: float
    failed_probes: int | None = None
    probes: int | None = None
    affected_users: int | None = None
    failed_requests: int | None = None
    source: str = ""


class StatisticsRefreshed(Event, frozen=True, kw_only=True, tag="statistics_refreshed"):
    """After COMMIT, ANALYZE of what the run wrote."""

    analysed: tuple[str, ...]
    left: tuple[str, ...] = ()
    """What was not, each with the reason: ``public.big: another session has it locked``."""
    seconds: float


class Alarm(Event, frozen=True, kw_only=True, tag="alarm"):
    """Something the operator must see even after the run: the door did not open …"""

    summary: str
    remedy: str


class RunFinished(Event, frozen=True, kw_only=True, tag="run_finished"):
    """The one outcome."""

    outcome: Outcome
    summary: str
    report: str
    """Path of the Markdown report."""
    next_commands: tuple[str, ...] = ()
    """Exactly what to type, when the operator is needed."""
