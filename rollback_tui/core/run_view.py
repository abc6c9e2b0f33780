"""A run as it can be shown: a fold over its events, live or a year later, by the same code."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, get_args

import msgspec

from rollback_tui.core import events as ev
from rollback_tui.core.model import (
    Checkpoint,
    CheckResult,
    Loss,
    Outcome,
    RowChange,
    Rung,
    Verification,
)


class PhaseView(msgspec.Struct, frozen=True):
    """One phase as far as it has come."""

    phase: ev.Phase
    status: Literal["waiting", "running", "done", "failed", "skipped"] = "waiting"
    started: float | None = None
    """Seconds since the run began."""
    seconds: float | None = None
    summary: str = ""


class StatementView(msgspec.Struct, frozen=True):
    """One statement of the plan as far as it has come."""

    index: int
    status: Literal["waiting", "running", "done", "failed", "rolled back", "skipped"] = "waiting"
    seconds: float | None = None
    command_tag: str = ""
    rows: int | None = None
    notices: tuple[str, ...] = ()
    alone: bool = False
    """It was sent outside any transaction."""


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known of a run after the events so far."""

    started: ev.RunStarted | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    elapsed: float = 0.0
    """Seconds from the beginning of the run to the last event."""
    phases: tuple[PhaseView, ...] = tuple(PhaseView(p) for p in ev.PHASES)
    statements: tuple[StatementView, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    overrides: tuple[ev.CheckOverridden, ...] = ()
    verifications: tuple[Verification, ...] = ()
    rows: tuple[RowChange, ...] = ()
    losses: tuple[Loss, ...] = ()
    counted: tuple[ev.LossCounted, ...] = ()
    """The same losses, each with its statement."""
    kept: tuple[ev.RowsKept, ...] = ()
    """What was copied into the run's archive, in its transaction."""
    checkpoint: Checkpoint | None = None
    restore_point: ev.RestorePointMade | None = None
    """The point to which a backup outside can bring the whole server back."""
    question: ev.Question | None = None
    """The question that waits for an answer now."""
    question_asked: float = 0.0
    answers: tuple[ev.Answered, ...] = ()
    waiting: ev.Waiting | None = None
    progress: ev.Progress | None = None
    door_closed_at: float | None = None
    """``elapsed`` when the door closed; None while it is open."""
    downtime: float = 0.0
    """Seconds the door was closed, as far as it has been opened again."""
    door_closed: ev.DoorClosed | None = None
    """What opening needs; None while the door is open."""
    placeholder: str = ""
    """The placeholder database that may exist; empty when there is none to drop."""
    door: Rung | None = None
    """The rung that was used; None when the door was never closed."""
    maintenance_on: bool = False
    sessions_ended: int = 0
    failure: ev.StatementFailed | None = None
    judge: ev.RunRowInserted | None = None
    """What decides an unanswered COMMIT of the transaction under way."""
    steps: ev.StepsStarted | None = None
    """Set when the plan goes statement by statement, and has begun to."""
    captured: ev.StateCaptured | None = None
    """What was there before the first statement."""
    clone_started: ev.CloneStarted | None = None
    """A copy that may exist, whole or half; None when there is none."""
    clone: ev.CloneMade | None = None
    """The copy that stands; None when there is none (any more)."""
    swap_started: ev.SwapStarted | None = None
    swapped: ev.Swapped | None = None
    from_clone: bool = False
    """What took the target's place is the copy made behind the door, not a restored dump."""
    foreseen: ev.SchemaForeseen | None = None
    """What the schema would be like, and whether that was accepted before the door closed."""
    proof: ev.ProofPlanned | None = None
    contents: tuple[ev.ContentsTaken, ...] = ()
    """Fingerprints before and after."""
    planned_recovery: ev.RecoveryPlanned | None = None
    lost: ev.LostCounted | None = None
    """Rows written since that a recovery takes away."""
    repair: ev.RepairProposed | None = None
    """The repair that is under way, or was the last one."""
    committed: bool = False
    unchanged: ev.UnchangedProven | None = None
    recovery: tuple[ev.RecoveryStep, ...] = ()
    impact: ev.ImpactMeasured | None = None
    statistics: ev.StatisticsRefreshed | None = None
    """What was analysed after COMMIT; None: nothing had to be, or it is not that far."""
    hooks: tuple[ev.HookRan, ...] = ()
    alarms: tuple[ev.Alarm, ...] = ()
    usual: ev.UsualMeasured | None = None
    """What was usual before the door closed; None: it was not measured."""
    settling: ev.SettleStarted | None = None
    """Set when the worker was interrupted, and others bring the run to its outcome."""
    abort_asked: bool = False
    finished: ev.RunFinished | None = None

    @property
    def outcome(self) -> Outcome | None:
        """The outcome; None while the run goes on."""
        return self.finished.outcome if self.finished else None

    @property
    def phase(self) -> PhaseView | None:
        """The phase that is running now."""
        return next((p for p in reversed(self.phases) if p.status == "running"), None)

    @property
    def may_abort(self) -> bool:
        """Whether an abort can still be obeyed: before COMMIT or the swap, and not asked yet."""
        if self.finished or self.committed or self.abort_asked:
            return False
        late = {"commit", "open_door", "health", "recover", "aftercare"}
        if self.started is not None and self.started.task == "recover" and not self.swap_started:
            # What would be lost is counted first, and that may take a while.
            late.discard("recover")
        return not any(p.phase in late and p.status != "waiting" for p in self.phases)

    def downtime_at(self, elapsed: float) -> float:
        """Seconds of closed door until ``elapsed`` seconds after the run began."""
        running = elapsed - self.door_closed_at if self.door_closed_at is not None else 0.0
        return self.downtime + max(0.0, running)


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the history."""

    run: str
    folder: str
    started_at: str
    """ISO 8601, UTC."""
    database: str
    versions: tuple[str, ...]
    outcome: str
    """An outcome, ``running``, ``stopped`` when its process exists and does not answer, or
    ``unfinished`` when nothing works on it any more."""
    seconds: float
    task: Literal["rollback", "recover", "reapply"] = "rollback"
    """What the run did: ``recover`` and ``reapply`` bring back what an earlier one left."""
    recovers: str = ""
    """Folder of that earlier run."""
    proven: bool = True
    """No verification failed or stayed unknown, also none that was accepted."""


def fold(records: Iterable[ev.Record]) -> RunView:
    """Return the view after ``records``, from the first."""
    view = RunView()
    for record in records:
        view = advance(view, record)
    return view


def advance(view: RunView, record: ev.Record) -> RunView:
    """Return the view after one more event."""
    changes = _changes(view, record)
    return msgspec.structs.replace(view, elapsed=record.elapsed, **changes)


def _changes(view: RunView, record: ev.Record) -> dict[str, object]:
    match record.event:
        case ev.RunStarted() as started:
            return _begun(started, record.at)
        case ev.RunFinished() as finished:
            return {
                "finished": finished,
                "finished_at": record.at,
                "question": None,
                "waiting": None,
            }
        case ev.PhaseStarted() | ev.PhaseFinished() as phase:
            return _phase(view, phase, record.elapsed)
        case (
            ev.StatementStarted()
            | ev.StatementFinished()
            | ev.StatementFailed()
            | ev.StatementSkipped()
        ) as statement:
            return _statement(view, statement)
        case ev.TransactionStarted() | ev.TransactionRolledBack() as transaction:
            return _transaction(view, transaction)
        case ev.DoorPrepared() | ev.DoorClosed() | ev.DoorOpened() as door:
            return _door(view, door, record.elapsed)
        case ev.Question() as question:
            return {"question": question, "question_asked": record.elapsed, "waiting": None}
        case ev.Answered() as answered:
            return {"question": None, "answers": (*view.answers, answered)}
        case _:
            return _facts(view, record.event)


def _begun(started: ev.RunStarted, at: datetime) -> dict[str, object]:
    changes: dict[str, object] = {"started": started, "started_at": at}
    if started.task == "recover":
        # Nothing of the earlier run's plan is executed.
        return changes | {"phases": tuple(PhaseView(p) for p in ev.RECOVERY_PHASES)}
    return changes | {"statements": tuple(StatementView(s.index) for s in started.plan.statements)}


def _facts(view: RunView, event: ev.AnyEvent) -> dict[str, object]:
    match event:
        case ev.CheckJudged(check=check):
            kept = tuple(c for c in view.checks if c.name != check.name)
            return {"checks": (*kept, check)}
        case ev.CheckOverridden():
            return {"overrides": (*view.overrides, event)}
        case ev.VerificationJudged(verification=verification):
            others = tuple(v for v in view.verifications if v.name != verification.name)
            return {"verifications": (*others, verification)}
        case ev.RowsCompared(rows=rows):
            return {"rows": rows}
        case ev.RowsKept() as kept_rows:
            return {"kept": (*view.kept, kept_rows)}
        case ev.LossCounted(losses=losses):
            return {"losses": (*view.losses, *losses), "counted": (*view.counted, event)}
        case ev.CheckpointMade(checkpoint=checkpoint):
            return {"checkpoint": checkpoint}
        case ev.Waiting():
            return {"waiting": event}
        case ev.Progress():
            return {"progress": event}
        case ev.SessionsEnded(sessions=sessions):
            return {"sessions_ended": view.sessions_ended + len(sessions)}
        case ev.MaintenanceChanged(on=on):
            return {"maintenance_on": on}
        case ev.Committed():
            return {"committed": True}
        case ev.UnchangedProven():
            return {"unchanged": event}
        case ev.RecoveryStep():
            return {"recovery": (*view.recovery, event)}
        case ev.ImpactMeasured():
            return {"impact": event}
        case ev.StatisticsRefreshed():
            return {"statistics": event}
        case ev.HookRan():
            return {"hooks": (*view.hooks, event)}
        case ev.Alarm():
            return {"alarms": (*view.alarms, event)}
        case ev.UsualMeasured():
            return {"usual": event}
        case ev.SettleStarted():
            return {"settling": event}
        case ev.AbortAsked():
            return {"abort_asked": True}
        case _:
            return _safety_net(view, event)


def _safety_net(view: RunView, event: ev.AnyEvent) -> dict[str, object]:
    """What an interrupted run is settled by, and a failed one recovered from."""
    match event:
        case ev.RestorePointMade():
            return {"restore_point": event}
        case ev.RunRowInserted():
            return {"judge": event}
        case ev.StateCaptured():
            return {"captured": event}
        case ev.StepsStarted():
            return {"steps": event}
        case ev.SchemaForeseen():
            return {"foreseen": event}
        case ev.ProofPlanned():
            return {"proof": event}
        case ev.ContentsTaken():
            others = tuple(c for c in view.contents if c.when != event.when)
            return {"contents": (*others, event)}
        case ev.RecoveryPlanned():
            return {"planned_recovery": event}
        case ev.LostCounted():
            return {"lost": event}
        case ev.RepairProposed():
            return {"repair": event}
        case ev.CloneStarted():
            return {"clone_started": event}
        case ev.CloneMade():
            return {"clone": event}
        case ev.CloneDropped():
            return {"clone": None, "clone_started": None}
        case ev.SwapStarted():
            return {"swap_started": event}
        case ev.Swapped():
            # What was put in place is the target now; it is no copy to be dropped any more.
            cloned = view.clone is not None and view.clone.oid == event.new_oid
            return {
                "swapped": event,
                "from_clone": cloned,
                "clone": None,
                "clone_started": None,
            }
        case _:
            return {}


def _door(
    view: RunView, event: ev.DoorPrepared | ev.DoorClosed | ev.DoorOpened, elapsed: float
) -> dict[str, object]:
    if isinstance(event, ev.DoorPrepared):
        return {"placeholder": event.placeholder}
    if isinstance(event, ev.DoorClosed):
        # What is closed already is kept closed since then.
        since = elapsed if view.door_closed_at is None else view.door_closed_at
        return {"door_closed_at": since, "door": event.rung, "door_closed": event}
    return {"downtime": view.downtime_at(elapsed), "door_closed_at": None, "door_closed": None}


_ORDER: dict[ev.Phase, int] = {phase: place for place, phase in enumerate(get_args(ev.Phase))}


def _phase(
    view: RunView, event: ev.PhaseStarted | ev.PhaseFinished, elapsed: float
) -> dict[str, object]:
    phases = view.phases
    if all(p.phase != event.phase for p in phases):
        # ``clone`` and ``recover`` are not phases that every run has.
        phases = tuple(sorted((*phases, PhaseView(event.phase)), key=lambda p: _ORDER[p.phase]))
    if isinstance(event, ev.PhaseStarted):
        new = PhaseView(event.phase, "running", elapsed, None, event.summary)
    else:
        began = next(p.started for p in phases if p.phase == event.phase)
        new = PhaseView(event.phase, event.status, began, event.seconds, event.summary)
    return {
        "phases": tuple(new if p.phase == event.phase else p for p in phases),
        "waiting": None,
        "progress": None,
    }


def _statement(
    view: RunView,
    event: ev.StatementStarted | ev.StatementFinished | ev.StatementFailed | ev.StatementSkipped,
) -> dict[str, object]:
    changes: dict[str, object] = {"waiting": None}
    index = event.index
    if isinstance(event, ev.StatementStarted):
        new = StatementView(index, "running", alone=event.alone)
    elif isinstance(event, ev.StatementSkipped):
        new = StatementView(index, "skipped")
    elif isinstance(event, ev.StatementFinished):
        new = StatementView(
            index, "done", event.seconds, event.command_tag, event.rows, event.notices
        )
    else:
        alone = any(s.alone for s in view.statements if s.index == index)
        new = StatementView(index, "failed", alone=alone)
        changes["failure"] = event
    changes["statements"] = tuple(new if s.index == index else s for s in view.statements)
    return changes


def _transaction(
    view: RunView, event: ev.TransactionStarted | ev.TransactionRolledBack
) -> dict[str, object]:
    """A new attempt starts from nothing; after ROLLBACK nothing of it counts."""
    if isinstance(event, ev.TransactionStarted):
        fresh = tuple(StatementView(s.index) for s in view.statements)
        return {
            "statements": fresh,
            "losses": (),
            "counted": (),
            "kept": (),
            "failure": None,
            "judge": None,
            "waiting": None,
        }
    undone = tuple(
        msgspec.structs.replace(s, status="rolled back") if s.status == "done" else s
        for s in view.statements
    )
    return {"statements": undone, "losses": (), "counted": (), "kept": (), "waiting": None}
