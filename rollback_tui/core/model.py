"""The values everything else speaks in. All of them are frozen; see docs/architecture.md."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Literal

from rollback_tui.core.plan import AppliedMigration as AppliedMigration
from rollback_tui.core.plan import Doomed as Doomed
from rollback_tui.core.plan import Effect as Effect
from rollback_tui.core.plan import Lock as Lock
from rollback_tui.core.plan import Loss as Loss
from rollback_tui.core.plan import Migration as Migration
from rollback_tui.core.plan import Plan as Plan
from rollback_tui.core.plan import Problem as Problem
from rollback_tui.core.plan import Script as Script
from rollback_tui.core.plan import Statement as Statement
from rollback_tui.core.plan import Touched as Touched
from rollback_tui.core.plan import Violation as Violation
from rollback_tui.core.value import Value as Value

CheckStatus = Literal["pass", "warn", "fail", "unknown"]
Verdict = Literal["pass", "fail", "unknown"]
Outcome = Literal["refused", "rolled_back", "unchanged", "recovered", "needs_operator"]

EXIT_CODES: dict[Outcome, int] = {
    "rolled_back": 0,
    "refused": 1,
    "unchanged": 3,
    "recovered": 4,
    "needs_operator": 5,
}
"""Exit codes by a run's outcome; 2 is for usage and configuration."""


# --- the server -----------------------------------------------------------------------------


class Target(Value, frozen=True, kw_only=True):
    """One PostgreSQL database, recognisable after a reconnect, a failover or a typo."""

    system_identifier: str
    """``pg_control_system().system_identifier``: the cluster."""
    database_oid: int
    database: str
    role: Literal["primary", "standby"]
    server_version: int
    """``server_version_num``, 180004 for 18.4."""
    host: str
    """As the server was reached: a host name, an address or a socket directory."""
    port: int
    user: str
    """The role we are connected as."""
    timeline: int | None = None
    """Changes when a standby is promoted; None where the role may not see it. No part of the
    fingerprint: a failover of last week does not make it another database."""

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that change when this is another database."""
        text = f"{self.system_identifier}/{self.database_oid}/{self.database}/{self.role}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def major(self) -> int:
        """The server's major version: 13 to 18."""
        return self.server_version // 10000


class Session(Value, frozen=True, kw_only=True):
    """One row of ``pg_stat_activity`` in the target database."""

    pid: int
    application: str
    user: str
    address: str
    """``local`` for a socket."""
    state: str
    """``active``, ``idle``, ``idle in transaction`` …; empty when we may not see it."""
    backend_type: str
    query: str
    query_age: float | None
    """Seconds since the query began (or since the state changed, when it is idle)."""
    transaction_age: float | None
    """Seconds since the transaction began; None outside one."""
    wait: str | None
    """``Lock:relation`` and the like; None when it is running."""
    blocked_by: tuple[int, ...] = ()
    """Those it waits for, as far as they were asked for: see queries/activity.sql. 0: a prepared
    transaction, which has no pid."""
    writing: bool
    """Holds a transaction id, or a write lock on a user table."""
    ours: bool = False
    """One of our own sessions."""
    superuser: bool = False
    """Belongs to a superuser: only a superuser may end it."""
    backend_start: datetime | None = None
    """Tells it from a later session with the same pid; None when we may not see it."""
    leader_pid: int | None = None
    """Of a parallel worker: whose query it works on (since PostgreSQL 13)."""
    lock: str = ""
    """The lock it waits for: ``AccessExclusive on public.orders``; empty when it waits for none."""
    lock_age: float | None = None
    """Seconds it has waited for that lock (``pg_locks.waitstart``, since 14); None: not known."""

    @property
    def waits(self) -> bool:
        """Whether it waits for a lock."""
        return bool(self.lock or self.blocked_by) or (self.wait or "").startswith("Lock:")


class PreparedTransaction(Value, frozen=True, kw_only=True):
    """One row of ``pg_prepared_xacts``: it holds locks without any session."""

    gid: str
    owner: str
    age: float
    """Seconds since it was prepared."""
    blocks: tuple[int, ...] = ()
    """The pids that wait for one of its locks."""


class Replication(Value, frozen=True, kw_only=True):
    """What else hangs on this server."""

    standbys: int = 0
    synchronous_standby_names: str = ""
    logical_slots: tuple[str, ...] = ()
    subscriptions: int = 0
    replay_lag: float | None = None
    """Seconds the slowest standby is behind; None when there is none or it does not say."""


class Activity(Value, frozen=True, kw_only=True):
    """What is refreshed each second, from one round trip."""

    taken_at: datetime
    """The server's clock."""
    sessions: tuple[Session, ...]
    prepared: tuple[PreparedTransaction, ...]
    replication: Replication
    commits: int
    """``xact_commit`` since the statistics were reset."""
    rollbacks: int
    connections: int
    max_connections: int
    database_bytes: int
    rows_written: int | None = None
    """Rows inserted, updated and deleted since the statistics were reset
    (``pg_stat_database.tup_*``); None: not known."""
    stats_reset: datetime | None = None
    """When the statistics were reset last; None: never, or not known."""


class TableCount(Value, frozen=True, kw_only=True):
    """How many rows a table has: an estimate at once, exact when it was counted."""

    name: str
    """Qualified and quoted where needed: ``public."order"``."""
    kind: str
    """``table``, ``partitioned table`` or ``materialised view``."""
    estimate: int | None
    """``reltuples``; None when the table was never analysed."""
    exact: int | None
    bytes: int


Rung = Literal["rename", "limit", "terminate"]
"""How the door is closed, best first: see :mod:`rollback_tui.postgres.door`."""


# --- safety ------------------------------------------------------------------------------------


class CheckResult(Value, frozen=True, kw_only=True):
    """The judgement on one safety question."""

    name: str
    """Stable: ``down_migration``, ``no_writers`` …"""
    title: str
    status: CheckStatus
    summary: str
    evidence: tuple[str, ...] = ()
    remedy: str = ""
    overridable: bool = True
    """Whether a typed reason may set it aside."""


# --- run ----------------------------------------------------------------------------------------


class Checkpoint(Value, frozen=True, kw_only=True):
    """A restorable copy made before the run."""

    path: str
    created_at: datetime
    database: str
    fingerprint: str
    bytes: int
    seconds: float
    manifest_sha256: str
    tables: int


class Verification(Value, frozen=True, kw_only=True):
    """A check on the result."""

    name: str
    title: str
    verdict: Verdict
    summary: str
    evidence: tuple[str, ...] = ()
    seconds: float = 0.0
    accepted: str = ""
    """Why a failure does not stop the run: exactly this was foreseen, and accepted with this reason
    or declared in the configuration. Shown as accepted, never as passed."""


class Operator(Value, frozen=True, kw_only=True):
    """Who is at the terminal, as the machine knows it."""

    user: str
    uid: int
    sudo_user: str = ""
    ssh_connection: str = ""
    host: str = ""
    git_identity: str = ""
    """``Name <address>`` as git is configured there: claimed, nobody checked it."""


class RowChange(Value, frozen=True, kw_only=True):
    """Exact rows of one table before and after; None where the table did not exist or was
    not counted."""

    table: str
    before: int | None
    after: int | None
    untouched: bool = False
    """The server's own counters prove that no row of it was written; it need not be counted."""
