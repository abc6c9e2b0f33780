"""A plan, the facts around it and a run of it, small enough to read and complete."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from rollback_tui.core import events as ev
from rollback_tui.core.facts import CheckpointFacts, CloneFacts, Facts, Privileges
from rollback_tui.core.model import (
    Activity,
    AppliedMigration,
    Checkpoint,
    CheckResult,
    Doomed,
    Effect,
    Loss,
    Migration,
    Operator,
    Plan,
    Replication,
    RowChange,
    Script,
    Session,
    Statement,
    Target,
    Verification,
)
from rollback_tui.core.proof import Contents, ProofCost
from rollback_tui.core.recovery import LostRows
from rollback_tui.core.run_view import RunView, fold
from rollback_tui.core.schema import Difference
from rollback_tui.core.schema_verdict import Mending, SchemaVerdict

BEGAN = datetime(2024, 1, 15, 3, 0, tzinfo=UTC)

TARGET = Target(
    system_identifier="7300000000000000001",
    database_oid=16400,
    database="shop",
    role="primary",
    server_version=180004,
    host="db1",
    port=5432,
    user="deploy",
)


def statement(index: int, sql: str, kind: str, **effect: Any) -> Statement:
    loss = effect.pop("loss", ())
    settings: dict[str, Any] = {"transactional": True, "loses_data": False} | effect
    return Statement(
        index=index,
        start=0,
        end=len(sql),
        line=index + 2,
        sql=sql,
        effect=Effect(kind=kind, **settings),
        loss=loss,
    )


STATEMENTS = (
    statement(1, "DROP VIEW active", "DROP VIEW"),
    statement(
        2,
        "ALTER TABLE users DROP COLUMN verified_at",
        "ALTER TABLE … DROP COLUMN",
        loses_data=True,
        doomed=(Doomed(kind="column", relation="users", column="verified_at"),),
        loss=(Loss(kind="values", relation="public.users", column="verified_at", count=1200),),
    ),
    statement(
        3,
        "DELETE FROM settings WHERE key = 'v'",
        "DELETE",
        loses_data=True,
        doomed=(Doomed(kind="rows", relation="settings"),),
        loss=(Loss(kind="rows", relation="public.settings", count=None),),
    ),
)


def script(**changes: Any) -> Script:
    made = Script(
        path="db/migrations/3_verify.sql",
        sha256="ab" * 32,
        size=200,
        statements=STATEMENTS,
        transactional=True,
    )
    return msgspec.structs.replace(made, **changes)


def migration(**changes: Any) -> Migration:
    made = Migration(
        version="3",
        name="verify",
        applied_at=None,
        script=script(),
        version_change=("DELETE FROM schema_migrations WHERE version = '3'",),
    )
    return msgspec.structs.replace(made, **changes)


def plan(*migrations: Migration, **changes: Any) -> Plan:
    made = Plan(
        framework="dbmate",
        version_table="public.schema_migrations",
        directory="db/migrations",
        current="3",
        goal="2",
        migrations=migrations or (migration(),),
        applied=tuple(AppliedMigration(version=v, name=f"m{v}") for v in ("3", "2", "1")),
        stale_files=("db/schema.sql",),
    )
    return msgspec.structs.replace(made, **changes)


def session(**changes: Any) -> Session:
    made = Session(
        pid=101,
        application="shop",
        user="app",
        address="10.0.0.1",
        state="idle",
        backend_type="client backend",
        query="SELECT 1",
        query_age=0.1,
        transaction_age=None,
        wait=None,
        blocked_by=(),
        writing=False,
    )
    return msgspec.structs.replace(made, **changes)


def activity(*sessions: Session, **changes: Any) -> Activity:
    made = Activity(
        taken_at=BEGAN,
        sessions=sessions,
        prepared=(),
        replication=Replication(),
        commits=1,
        rollbacks=0,
        connections=len(sessions),
        max_connections=100,
        database_bytes=10_000_000,
    )
    return msgspec.structs.replace(made, **changes)


RIGHTS = Privileges(
    superuser=False,
    database_owner=True,
    createdb=True,
    signal_backend=True,
    read_all_stats=True,
)

STORAGE = CheckpointFacts(
    wanted=True,
    directory="/srv/checkpoints",
    writable=True,
    free_bytes=50_000_000,
    database_bytes=10_000_000,
    pg_dump="/usr/bin/pg_dump",
    pg_dump_version="18.4",
    pg_dump_major=18,
)


CLONE = CloneFacts(
    wanted="off",
    database_bytes=10_000_000,
    estimated_seconds=2.2,
    limit_seconds=120,
    free_bytes=50_000_000,
    strategy="wal_log",
)


def facts(**changes: Any) -> Facts:
    """Facts with which every check passes, except that data goes."""
    made = Facts(
        target=TARGET,
        confirmed_fingerprint=TARGET.fingerprint,
        plan=plan(),
        activity=activity(session()),
        privileges=RIGHTS,
        parser=(),
        dependents=(),
        pooler=False,
        checkpoint=STORAGE,
        run_directory_problem=None,
        clone=CLONE,
        door="limit",
    )
    return msgspec.structs.replace(made, **changes)


def started(**changes: Any) -> ev.RunStarted:
    made = ev.RunStarted(
        run="5d0c6a1e-0000-4000-8000-000000000001",
        tool_version="0.1.0",
        target=TARGET,
        plan=plan(),
        plan_sha256="cd" * 32,
        operator=Operator(user="ana", uid=1000, host="jump1"),
        reason="signups fail",
        environment="production",
        folder="/srv/runs/20240115_030000_5d0c6a1e",
        worker_pid=4242,
    )
    return msgspec.structs.replace(made, **changes)


CHECKPOINT = Checkpoint(
    path="/srv/checkpoints/20240115_030001",
    created_at=BEGAN + timedelta(seconds=1),
    database="shop",
    fingerprint=TARGET.fingerprint,
    bytes=5_000_000,
    seconds=2.5,
    manifest_sha256="ef" * 32,
    tables=12,
)


def records(*events: ev.AnyEvent, step: float = 1.0) -> tuple[ev.Record, ...]:
    """Records of ``events``, ``step`` seconds apart."""
    return tuple(
        ev.Record(
            seq=number + 1,
            at=BEGAN + timedelta(seconds=number * step),
            elapsed=number * step,
            prev="",
            event=event,
        )
        for number, event in enumerate(events)
    )


def view(*events: ev.AnyEvent) -> RunView:
    return fold(records(*events))


HEAD = "17:" + "ab" * 32


def attempt(number: int = 1) -> tuple[ev.AnyEvent, ...]:
    """The transaction with all of its statements, not ended yet."""
    return (
        ev.TransactionStarted(xid="771", backend_pid=55, attempt=number),
        ev.RunRowInserted(judge="run row", head=HEAD),
        ev.StateCaptured(
            schema_sha256="5b" * 32,
            rows=(
                RowChange(table="public.users", before=5000, after=None),
                RowChange(table="public.settings", before=20, after=None),
                RowChange(table="public.huge", before=None, after=None),
            ),
        ),
        ev.StatementStarted(index=1),
        ev.StatementFinished(index=1, seconds=0.002, command_tag="DROP VIEW", rows=None),
        ev.LossCounted(
            statement=2,
            losses=(
                Loss(
                    kind="values",
                    relation="public.users",
                    column="verified_at",
                    count=1204,
                    basis="counted in the run",
                ),
            ),
        ),
        ev.StatementStarted(index=2),
        ev.StatementFinished(
            index=2,
            seconds=0.01,
            command_tag="ALTER TABLE",
            rows=None,
            notices=("NOTICE: drop cascades",),
        ),
        ev.LossCounted(
            statement=3,
            losses=(
                Loss(
                    kind="rows",
                    relation="public.settings",
                    count=None,
                    basis="counted in the run",
                ),
            ),
        ),
        ev.StatementStarted(index=3),
        ev.StatementFinished(index=3, seconds=0.003, command_tag="DELETE 7", rows=7),
    )


def verification(name: str = "rows", verdict: Any = "pass", **changes: Any) -> Verification:
    made = Verification(
        name=name, title=name.capitalize(), verdict=verdict, summary=f"{name} looked at"
    )
    return msgspec.structs.replace(made, **changes)


def finished(outcome: Any, **changes: Any) -> ev.RunFinished:
    made = ev.RunFinished(
        outcome=outcome, summary=f"It ended {outcome}.", report="/srv/runs/x/report.md"
    )
    return msgspec.structs.replace(made, **changes)


def rolled_back() -> tuple[ev.AnyEvent, ...]:
    """A run in which nothing went wrong. One second from event to event."""
    return (
        started(),
        ev.PhaseStarted(phase="checkpoint"),
        ev.CheckpointMade(checkpoint=CHECKPOINT),
        ev.PhaseFinished(phase="checkpoint", status="done", seconds=2.5),
        ev.DoorClosed(rung="limit", connection_limit=-1),
        ev.SessionsEnded(sessions=("101 shop app", "102 shop app")),
        *attempt(),
        ev.VersionChanged(version="3", sql=("DELETE FROM schema_migrations",)),
        ev.VerificationJudged(verification=verification()),
        ev.RowsCompared(
            rows=(
                RowChange(table="public.users", before=5000, after=5000),
                RowChange(table="public.settings", before=20, after=13),
            )
        ),
        ev.Committed(xid="771"),
        ev.DoorOpened(seconds_closed=14.0),
        ev.ImpactMeasured(downtime_seconds=14.0),
        finished("rolled_back"),
    )


def failed_at_two() -> tuple[ev.AnyEvent, ...]:
    """The second statement is refused by the server; everything is rolled back."""
    return (
        started(),
        ev.DoorClosed(rung="limit", connection_limit=-1),
        *attempt()[:7],
        ev.StatementFailed(
            index=2,
            line=4,
            sql="ALTER TABLE users DROP COLUMN verified_at",
            sqlstate="2BP01",
            message="cannot drop column verified_at of table users",
            detail="view active depends on column verified_at",
            hint="Use DROP ... CASCADE",
            position=13,
        ),
        ev.TransactionRolledBack(reason="statement 2 failed"),
        ev.UnchangedProven(proven=True, basis="schema, rows"),
        ev.DoorOpened(seconds_closed=8.0),
        finished("unchanged"),
    )


BEHIND = "shop__rollback_5d0c6a1e"
CLONE_NAME = "shop__clone_5d0c6a1e"
FAILED_NAME = "shop__failed_5d0c6a1e"


def door_by_renaming() -> tuple[ev.AnyEvent, ...]:
    """The placeholder beforehand, then the door."""
    return (
        ev.DoorPrepared(placeholder="shop__closed_5d0c6a1e"),
        ev.DoorClosed(
            rung="rename",
            connection_limit=-1,
            renamed_to=BEHIND,
            placeholder="shop__closed_5d0c6a1e",
            placeholder_oid=16999,
            properties={"owner": "0a" * 32},
        ),
    )


def recovered_from_the_clone() -> tuple[ev.AnyEvent, ...]:
    """The script ended the transaction; the copy made behind the door took the target's place."""
    return (
        started(),
        *door_by_renaming(),
        ev.CloneStarted(database=CLONE_NAME, estimated_seconds=2.2, strategy="wal_log"),
        ev.CloneMade(database=CLONE_NAME, oid=17001, seconds=1.9, bytes=10_000_000),
        *attempt()[:7],
        ev.TransactionRolledBack(reason="statement 2 ended the transaction"),
        ev.PhaseStarted(phase="recover"),
        ev.SwapStarted(new=CLONE_NAME, new_oid=17001, kept=FAILED_NAME),
        ev.Swapped(new_oid=17001, kept=FAILED_NAME),
        ev.RecoveryStep(name="swap in the clone", ok=True, seconds=0.05, summary="swapped"),
        ev.RecoveryStep(name="compare with before", ok=True, seconds=0.2, summary="as before"),
        ev.PhaseFinished(phase="recover", status="done", seconds=0.3),
        ev.DoorOpened(seconds_closed=12.0),
        finished("recovered"),
    )


def stopped_in_the_middle() -> tuple[ev.AnyEvent, ...]:
    """Statement by statement, resumed: the first was done before, the last has no answer."""
    return (
        started(),
        *door_by_renaming(),
        ev.CloneStarted(database=CLONE_NAME, estimated_seconds=None, strategy="file_copy"),
        ev.CloneMade(database=CLONE_NAME, oid=17001, seconds=1.9, bytes=10_000_000),
        ev.StepsStarted(backend_pid=55, backend_start=1, invalid_indexes=("public.old",)),
        ev.RunRowInserted(judge="version table", why="no CREATE on the database"),
        ev.StatementSkipped(index=1, why="done by the run 4c0ffee0"),
        ev.StatementStarted(index=2),
        attempt()[5],
        ev.StatementFinished(index=2, seconds=0.01, command_tag="ALTER TABLE", rows=None),
        ev.StatementStarted(index=3, alone=True),
        ev.DoorOpened(seconds_closed=8.0),
        finished("needs_operator"),
    )


LEFT = SchemaVerdict(
    kind="leftover",
    origin="recorded",
    baseline_at=BEGAN,
    version="2",
    objects=217,
    fingerprint="5c" * 32,
    leftover=(
        Difference(object="type public.mood", before="sad, ok", after="sad, ok, happy"),
        Difference(object="column public.users.email", before="text NOT NULL", after="text"),
    ),
    drift=(Difference(object="index public.by_hand", before=None, after="CREATE INDEX by_hand"),),
    notes=("order of columns differs: public.users",),
    unsure=True,
    mending=(
        Mending(object="type public.mood", why="PostgreSQL cannot take an enum label away"),
        Mending(
            object="column public.users.email",
            sql=("ALTER TABLE public.users ALTER COLUMN email SET NOT NULL",),
            why="scans the table",
        ),
    ),
)
"""A schema with something of everything: left over, drifted, and only in another order."""


RESTORE_POINT = ev.RestorePointMade(
    provider="pgBackRest",
    stanza="main",
    name="rollback_tui_5d0c6a1e",
    lsn="0/5000140",
    wal="000000010000000000000005",
    archived=True,
    backup="20240114-010000F",
    seconds=1.5,
    commands=("systemctl stop postgresql", "pgbackrest --stanza=main restore"),
)


def proof() -> tuple[ev.AnyEvent, ...]:
    """What is said beforehand of the result, and how it is proven."""
    return (
        ev.SchemaForeseen(verdict=LEFT, accepted="mood is harmless", declared=("type public.x",)),
        ev.ProofPlanned(
            cost=ProofCost(
                budget_seconds=60,
                estimated_seconds=1.5,
                counted=("public.users", "public.settings"),
                fingerprinted=("public.users", "public.huge"),
                others=214,
                beyond=("public.huge",),
                basis="sizes and 400 MiB a second",
            )
        ),
        ev.ContentsTaken(
            when="before",
            contents=(
                Contents(
                    table="public.users", columns=("id", "email"), rows=5000, fingerprint="aa11"
                ),
                Contents(
                    table="public.huge", columns=("id",), rows=None, fingerprint="", why="no time"
                ),
            ),
            seconds=0.4,
        ),
        ev.ContentsTaken(
            when="after",
            contents=(
                Contents(
                    table="public.users", columns=("id", "email"), rows=5000, fingerprint="aa11"
                ),
            ),
            seconds=0.3,
        ),
    )


def recovery_of_a_run() -> tuple[ev.AnyEvent, ...]:
    """An earlier run is undone from its checkpoint; rows written since are lost, as agreed."""
    return (
        started(task="recover", recovers="/srv/runs/20240115_020000_8c3038d4"),
        ev.RecoveryPlanned(
            rung="dump",
            restores="the database as it was at 02:00:01",
            estimated_seconds=31.0,
            steps=("restore checkpoint", "repair schema", "rebuild indexes", "foreign keys"),
        ),
        ev.DoorClosed(rung="limit", connection_limit=-1),
        ev.LostCounted(
            lost=(
                LostRows(table="public.orders", rows=12, basis="compared row by row"),
                LostRows(table="public.events", rows=None, basis=""),
            ),
            agreed=12,
        ),
        ev.RecoveryStep(
            name="restore checkpoint", ok=True, seconds=30.0, summary="12 tables", verdict="pass"
        ),
        ev.RepairProposed(step="rebuild indexes", sql=("REINDEX INDEX public.old",)),
        ev.RecoveryStep(
            name="rebuild indexes",
            ok=True,
            seconds=0.2,
            summary="1 index rebuilt",
            verdict="pass",
            sql=("REINDEX INDEX public.old",),
            evidence=("public.old was invalid",),
        ),
        ev.RecoveryStep(
            name="foreign keys",
            ok=False,
            seconds=0.1,
            summary="could not be read",
            verdict="unknown",
        ),
        ev.DoorOpened(seconds_closed=31.0),
        finished("recovered"),
    )


def check(status: Any = "fail", **changes: Any) -> CheckResult:
    made = CheckResult(
        name="no_writers", title="No writers", status=status, summary="two are writing"
    )
    return msgspec.structs.replace(made, **changes)
