"""The facts of a run. The journal is the ordered list of them; everything shown is a fold."""

from __future__ import annotations

from datetime import datetime

import msgspec

from rollback_tui.core.events.base import PHASES as PHASES
from rollback_tui.core.events.base import RECOVERY_PHASES as RECOVERY_PHASES
from rollback_tui.core.events.base import Event as Event
from rollback_tui.core.events.base import Phase as Phase
from rollback_tui.core.events.base import PhaseStatus as PhaseStatus
from rollback_tui.core.events.base import QuestionName as QuestionName
from rollback_tui.core.events.course import AbortAsked as AbortAsked
from rollback_tui.core.events.course import Alarm as Alarm
from rollback_tui.core.events.course import Answered as Answered
from rollback_tui.core.events.course import CheckJudged as CheckJudged
from rollback_tui.core.events.course import CheckOverridden as CheckOverridden
from rollback_tui.core.events.course import HookRan as HookRan
from rollback_tui.core.events.course import ImpactMeasured as ImpactMeasured
from rollback_tui.core.events.course import MaintenanceChanged as MaintenanceChanged
from rollback_tui.core.events.course import PhaseFinished as PhaseFinished
from rollback_tui.core.events.course import PhaseStarted as PhaseStarted
from rollback_tui.core.events.course import Progress as Progress
from rollback_tui.core.events.course import Question as Question
from rollback_tui.core.events.course import RunFinished as RunFinished
from rollback_tui.core.events.course import RunStarted as RunStarted
from rollback_tui.core.events.course import SchemaForeseen as SchemaForeseen
from rollback_tui.core.events.course import SettleStarted as SettleStarted
from rollback_tui.core.events.course import SqlSent as SqlSent
from rollback_tui.core.events.course import StatisticsRefreshed as StatisticsRefreshed
from rollback_tui.core.events.course import UsualMeasured as UsualMeasured
from rollback_tui.core.events.course import Waiting as Waiting
from rollback_tui.core.events.door import DoorClosed as DoorClosed
from rollback_tui.core.events.door import DoorOpened as DoorOpened
from rollback_tui.core.events.door import DoorPrepared as DoorPrepared
from rollback_tui.core.events.door import SessionsEnded as SessionsEnded
from rollback_tui.core.events.recovery import CheckpointMade as CheckpointMade
from rollback_tui.core.events.recovery import CloneDropped as CloneDropped
from rollback_tui.core.events.recovery import CloneMade as CloneMade
from rollback_tui.core.events.recovery import CloneStarted as CloneStarted
from rollback_tui.core.events.recovery import LostCounted as LostCounted
from rollback_tui.core.events.recovery import RecoveryPlanned as RecoveryPlanned
from rollback_tui.core.events.recovery import RecoveryStep as RecoveryStep
from rollback_tui.core.events.recovery import RepairProposed as RepairProposed
from rollback_tui.core.events.recovery import RestorePointMade as RestorePointMade
from rollback_tui.core.events.recovery import Swapped as Swapped
from rollback_tui.core.events.recovery import SwapStarted as SwapStarted
from rollback_tui.core.events.transaction import Committed as Committed
from rollback_tui.core.events.transaction import ContentsTaken as ContentsTaken
from rollback_tui.core.events.transaction import LossCounted as LossCounted
from rollback_tui.core.events.transaction import ProofPlanned as ProofPlanned
from rollback_tui.core.events.transaction import RowsCompared as RowsCompared
from rollback_tui.core.events.transaction import RowsKept as RowsKept
from rollback_tui.core.events.transaction import RunRowInserted as RunRowInserted
from rollback_tui.core.events.transaction import StateCaptured as StateCaptured
from rollback_tui.core.events.transaction import StatementFailed as StatementFailed
from rollback_tui.core.events.transaction import StatementFinished as StatementFinished
from rollback_tui.core.events.transaction import StatementSkipped as StatementSkipped
from rollback_tui.core.events.transaction import StatementStarted as StatementStarted
from rollback_tui.core.events.transaction import StepsStarted as StepsStarted
from rollback_tui.core.events.transaction import TransactionRolledBack as TransactionRolledBack
from rollback_tui.core.events.transaction import TransactionStarted as TransactionStarted
from rollback_tui.core.events.transaction import UnchangedProven as UnchangedProven
from rollback_tui.core.events.transaction import VerificationJudged as VerificationJudged
from rollback_tui.core.events.transaction import VersionChanged as VersionChanged

AnyEvent = (
    RunStarted
    | CheckJudged
    | CheckOverridden
    | PhaseStarted
    | PhaseFinished
    | Progress
    | SqlSent
    | UsualMeasured
    | SettleStarted
    | Waiting
    | HookRan
    | CheckpointMade
    | RestorePointMade
    | SessionsEnded
    | DoorPrepared
    | DoorClosed
    | DoorOpened
    | MaintenanceChanged
    | TransactionStarted
    | RunRowInserted
    | StateCaptured
    | SchemaForeseen
    | ProofPlanned
    | ContentsTaken
    | RecoveryPlanned
    | LostCounted
    | RepairProposed
    | CloneStarted
    | CloneMade
    | CloneDropped
    | SwapStarted
    | Swapped
    | LossCounted
    | RowsKept
    | StepsStarted
    | StatementSkipped
    | StatementStarted
    | StatementFinished
    | StatementFailed
    | VersionChanged
    | VerificationJudged
    | RowsCompared
    | Question
    | Answered
    | AbortAsked
    | Committed
    | TransactionRolledBack
    | UnchangedProven
    | RecoveryStep
    | ImpactMeasured
    | StatisticsRefreshed
    | Alarm
    | RunFinished
)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the journal."""

    seq: int
    """From 1."""
    at: datetime
    """Wall clock, UTC. For the reader; never for a duration."""
    elapsed: float
    """Seconds of the monotonic clock since the run began."""
    prev: str
    """Hash of the line before; empty on the first."""
    event: AnyEvent
