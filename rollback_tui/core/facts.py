"""The facts that the safety checks judge, and nothing else. ``None``: could not be found out."""

from __future__ import annotations

from typing import Literal

from rollback_tui.core.model import Activity, Plan, Target, Value


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


class Dependent(Value, frozen=True, kw_only=True):
    """An object outside the plan that depends on something the plan drops."""

    statement: int
    dropped: str
    dependent: str
    """``view public.active_users``."""
    cascades: bool
    """True: it goes with CASCADE. False: it makes the statement fail."""


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
    door: Literal["limit", "terminate", "none"]
    """The rung of the door that our privileges allow, or ``none`` when so configured."""
    unendable: tuple[int, ...] = ()
    """Pids of sessions our role may not end."""
    unreadable: tuple[str, ...] = ()
    """Facts that could not be read, with the reason."""
