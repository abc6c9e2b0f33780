"""Checkpoints, and how a database was brought back from one."""

from __future__ import annotations

from typing import Literal

from rollback_tui.core.events.base import Event
from rollback_tui.core.model import Checkpoint, Verdict
from rollback_tui.core.recovery import LostRows, Rung


class CheckpointMade(Event, frozen=True, kw_only=True, tag="checkpoint_made"):
    """The checkpoint is on disk under its final name, and verified."""

    checkpoint: Checkpoint


class RestorePointMade(Event, frozen=True, kw_only=True, tag="restore_point_made"):
    """A backup outside got a named point before the run: the whole server can be brought back to
    it by ``commands``. Nothing was copied by us."""

    provider: Literal["pgBackRest"]
    stanza: str
    name: str
    """``rollback_tui_1a2b3c4d``, for ``recovery_target_name``."""
    lsn: str
    wal: str
    """The WAL segment that holds it."""
    archived: bool
    """That segment was seen in the repository; False: not within the deadline."""
    backup: str
    """Label of the backup that a restore begins with; empty: there was none."""
    seconds: float
    commands: tuple[str, ...]
    """What to type on the database's machine, in order."""
    problem: str = ""
    """Why it may be of no use; empty when nothing speaks against it."""


class CloneStarted(Event, frozen=True, kw_only=True, tag="clone_started"):
    """A template copy is about to be made: whoever settles this run may find half of it."""

    database: str
    estimated_seconds: float | None
    strategy: str


class CloneMade(Event, frozen=True, kw_only=True, tag="clone_made"):
    """The template copy stands; applications were out while it was made."""

    database: str
    oid: int
    seconds: float
    bytes: int


class CloneDropped(Event, frozen=True, kw_only=True, tag="clone_dropped"):
    """The copy is not needed any more."""

    database: str


class SwapStarted(Event, frozen=True, kw_only=True, tag="swap_started"):
    """The target is about to be replaced: the catalog says whether it was."""

    new: str
    """Name of the database that takes its place."""
    new_oid: int
    kept: str
    """Name that the failed database gets."""


class Swapped(Event, frozen=True, kw_only=True, tag="swapped"):
    """The target's name now belongs to another database; the failed one is kept."""

    new_oid: int
    kept: str
    xid: str = ""
    """Transactions with this number and later ones came after it; empty: not known."""


class RecoveryStep(Event, frozen=True, kw_only=True, tag="recovery_step"):
    """A step of the recovery ended."""

    name: str
    ok: bool
    seconds: float
    summary: str
    verdict: Verdict | None = None
    """None: as ``ok`` says."""
    sql: tuple[str, ...] = ()
    """What was sent to repair, as it was shown before."""
    evidence: tuple[str, ...] = ()


class RecoveryPlanned(Event, frozen=True, kw_only=True, tag="recovery_planned"):
    """An earlier run is about to be undone, by this rung."""

    rung: Rung
    restores: str
    estimated_seconds: float | None
    steps: tuple[str, ...]
    """Names of the steps that follow."""


class LostCounted(Event, frozen=True, kw_only=True, tag="lost_counted"):
    """Rows written since that this recovery takes away, counted while nobody can write."""

    lost: tuple[LostRows, ...]
    agreed: int | None
    """How many the operator agreed to lose."""


class RepairProposed(Event, frozen=True, kw_only=True, tag="repair_proposed"):
    """What a step is about to send."""

    step: str
    sql: tuple[str, ...]
