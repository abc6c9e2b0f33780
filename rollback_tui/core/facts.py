"""The facts that the safety checks judge, and nothing else. ``None``: could not be found out."""

from __future__ import annotations

from typing import Literal

from rollback_tui.core.claim import Claim
from rollback_tui.core.model import Activity, Plan, Rung, Target, Value
from rollback_tui.core.outlook import Dependent as Dependent
from rollback_tui.core.outlook import InTheWay, Mention
from rollback_tui.core.rehearsal import Rehearsal
from rollback_tui.core.schema_verdict import Origin


class Privileges(Value, frozen=True, kw_only=True):
    """What the role we are connected as may do."""

    superuser: bool
    database_owner: bool
    createdb: bool
    signal_backend: bool
    """Member of pg_signal_backend."""
    read_all_stats: bool
    """Sees other roles' queries."""
    not_owned: tuple[str, ...] = ()
    """Objects the plan changes that this role does not own."""
    row_security: tuple[str, ...] = ()
    """Tables whose row-level security would hide rows from this role's dump."""


class ParserAnswer(Value, frozen=True, kw_only=True):
    """What the target's own parser said of one statement, without executing it."""

    index: int
    sqlstate: str
    message: str
    position: int | None
    """Characters from 1, in the statement."""


class CheckpointFacts(Value, frozen=True, kw_only=True):
    """Whether a checkpoint can be made."""

    wanted: bool
    directory: str
    writable: bool
    free_bytes: int | None
    database_bytes: int
    pg_dump: str | None
    """Path of the pg_dump that would be used."""
    pg_dump_version: str | None
    pg_dump_major: int | None
    why: str = ""
    """What was tried when pg_dump or the directory is not usable."""
    copied: bool = False
    """A command that copies it to another machine is configured."""
    copy_required: bool = False


class ExternalFacts(Value, frozen=True, kw_only=True):
    """What is known of backups that somebody else makes of the whole server."""

    wanted: bool = False
    """Such a provider is configured."""
    required: bool = False
    """``[pgbackrest] required``: no run without it."""
    stanza: str = ""
    max_age_hours: float = 0
    backup: str = ""
    """Label of the newest usable backup; empty: there is none."""
    kind: str = ""
    """``full``, ``diff`` or ``incr``."""
    age_seconds: float | None = None
    """Since that backup ended."""
    wal: str = ""
    """The newest WAL segment in the repository."""
    running: bool = False
    """A backup is being made now."""
    problem: str = ""
    """Why a restore from it could fail: no backup, of another cluster …; empty: nothing known."""
    unreadable: str = ""
    """Why the provider could not be asked; then nothing above is known."""
    point_problem: str = ""
    """Why no restore point can be made before the run; empty: one can."""


class CloneFacts(Value, frozen=True, kw_only=True):
    """Whether a template copy can be made behind the door, and what it would cost."""

    wanted: Literal["off", "wanted", "required"]
    database_bytes: int
    estimated_seconds: float | None
    """How long the copy may keep the door closed; None: nobody can say."""
    limit_seconds: float
    """``[checkpoint] clone_seconds``: what the operator allows."""
    free_bytes: int | None
    """Free on the server's data disk; None when it cannot be seen from here."""
    strategy: Literal["wal_log", "file_copy"] = "file_copy"
    obstacle: str = ""
    """Why no clone can be made; empty when one can."""
    remedy: str = ""
    """What to do about the obstacle."""


class Leftover(Value, frozen=True, kw_only=True):
    """A database that an earlier run left on the server."""

    database: str
    kind: Literal["closed", "placeholder", "clone", "restored", "failed", "rehearsal", "half made"]
    """``closed``: the target itself, under the name of a run that never ended. ``rehearsal``: a
    scratch database. ``half made``: half-created or half-dropped, good for nothing."""
    run: str
    """First eight characters of that run's id; empty when nobody knows."""
    bytes: int | None = None
    marked: bool = False
    """Its comment says what it is: only then may it be dropped by our own hand."""


class EventTrigger(Value, frozen=True, kw_only=True):
    """Code that the server runs inside DDL commands; it may refuse them, or do more."""

    name: str
    event: str
    """``ddl_command_start``, ``ddl_command_end``, ``sql_drop`` or ``table_rewrite``."""
    function: str
    tags: tuple[str, ...] = ()
    """Command tags it fires for; empty: for all."""


class Fleeting(Value, frozen=True, kw_only=True):
    """Relations that do not come back from everywhere as they were."""

    unlogged: tuple[str, ...] = ()
    """Tables that a crash of the server leaves empty."""
    unpopulated: tuple[str, ...] = ()
    """Materialised views that were never filled: there is nothing in them to copy or to count."""


class Facts(Value, frozen=True, kw_only=True):
    """Everything the checks look at. ``None`` means that it could not be found out."""

    target: Target
    confirmed_fingerprint: str | None
    """The fingerprint that the operator looked at; None before there is one."""
    plan: Plan
    activity: Activity | None
    privileges: Privileges | None
    parser: tuple[ParserAnswer, ...] | None
    """Only the syntax errors (SQLSTATE 42601 and its kind)."""
    dependents: tuple[Dependent, ...] | None
    pooler: bool | None
    """The backend we speak to is not the one that gave us its key."""
    checkpoint: CheckpointFacts | None
    run_directory_problem: str | None
    """Why the journal cannot be written; None when it can."""
    door: Rung | Literal["none"]
    """The rung of the door that will be used, or ``none`` when so configured."""
    door_why: tuple[str, ...] = ()
    """Why it is not a better one."""
    unendable: tuple[int, ...] = ()
    """Pids of sessions our role may not end."""
    run_row_problem: str | None = ""
    """Why the run's own row cannot be written to the target; empty: it can. None: not known."""
    standby_missing: str | None = ""
    """Why COMMIT would wait for a synchronous standby that is away; empty: it would not. None: not
    known."""
    external: ExternalFacts | None = ExternalFacts()
    clone: CloneFacts | None = None
    leftovers: tuple[Leftover, ...] | None = ()
    """What earlier runs left on the server, of this target."""
    unfinished: tuple[Claim, ...] | None = ()
    """Runs of this target (other than the one that asks) that have no outcome."""
    event_triggers: tuple[EventTrigger, ...] | None = ()
    fleeting: Fleeting | None = Fleeting()
    in_the_way: tuple[InTheWay, ...] | None = ()
    """Who holds a lock that the plan will need; nothing of statements whose locks are unknown."""
    mentions: tuple[Mention, ...] | None = ()
    """Queries that still name what the plan takes away."""
    statistics: bool | None = None
    """Whether ``pg_stat_statements`` could be read whole for ``mentions``."""
    rehearsal: Rehearsal | None = None
    """The rehearsal of this very plan; None: there was none."""
    baseline: Origin = "none"
    """Where the baseline of the goal would come from, if there is one."""
    accepted_differences: tuple[str, ...] = ()
    """``[verify] accept``: objects whose difference from the baseline is declared to be right."""
    unreadable: tuple[str, ...] = ()
    """Facts that could not be read, with the reason."""
