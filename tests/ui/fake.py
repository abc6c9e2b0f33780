"""A world for the screens: core values that behave like a small shop's database.

It stands outside the machine of the UI; the same screens on a real database are tested
end to end elsewhere.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from rollback_tui.core import events as ev
from rollback_tui.core.activity.signals import Signal
from rollback_tui.core.claim import Claim, ClaimState, Controls
from rollback_tui.core.errors import ConnectionFailed, RollbackTuiError
from rollback_tui.core.logs import LogLine
from rollback_tui.core.model import (
    Activity,
    AppliedMigration,
    Checkpoint,
    CheckResult,
    Effect,
    Lock,
    Loss,
    Migration,
    Operator,
    Plan,
    Replication,
    RowChange,
    Script,
    Session,
    Statement,
    TableCount,
    Target,
    Verification,
)
from rollback_tui.core.outlook import InTheWay, Outlook
from rollback_tui.core.proof import ProofCost
from rollback_tui.core.recovery import RecoveryOption
from rollback_tui.core.rehearsal import Rehearsal, Source
from rollback_tui.core.run_view import RunSummary
from rollback_tui.frameworks.captured import Captures
from rollback_tui.ui.operations import Choice, Feed, Limits, LogFeed
from tests.ui.fake_after import FakeAftercare

HOSTILE = "[/red]\x1b]52;c;aGk=\x07‮evil[bold]x"
"""Markup, an escape sequence, and a right-to-left override."""

T0 = datetime(2026, 3, 14, 3, 12, 9, tzinfo=UTC)
PATH = "db/migrations/20240115103000_add_user_verification.sql"


def target(database: str = "shop") -> Target:
    return Target(
        system_identifier="7301",
        database_oid=16384,
        database=database,
        role="primary",
        server_version=180004,
        host="db-1.shop.example",
        port=5432,
        user="deploy",
    )


def session(pid: int, application: str, state: str, query: str, **more: object) -> Session:
    values: dict[str, object] = {
        "pid": pid,
        "application": application,
        "user": "shop",
        "address": "10.0.0.7",
        "state": state,
        "backend_type": "client backend",
        "query": query,
        "query_age": 0.4,
        "transaction_age": None,
        "wait": None,
        "blocked_by": (),
        "writing": False,
    }
    return Session(**{**values, **more})  # type: ignore[arg-type]


SESSIONS = (
    session(4711, "shop-web", "active", "SELECT * FROM public.products WHERE id = $1"),
    session(4712, "shop-web", "idle", "COMMIT", query_age=3.0),
    session(
        4713,
        "shop-worker",
        "active",
        "UPDATE public.orders\n   SET state = 'paid' WHERE id = 42",
        writing=True,
        transaction_age=2.0,
        wait="Lock:transactionid",
        blocked_by=(4714,),
    ),
    session(
        4714,
        "backoffice",
        "idle in transaction",
        "UPDATE public.orders SET note = 'x'",
        writing=True,
        transaction_age=95.0,
        query_age=90.0,
    ),
    session(4720, "rollback-tui", "active", "SELECT 1", ours=True),
)


def activity(sessions: tuple[Session, ...], at: datetime, commits: int) -> Activity:
    return Activity(
        taken_at=at,
        sessions=sessions,
        prepared=(),
        replication=Replication(standbys=1, replay_lag=0.2),
        commits=commits,
        rollbacks=3,
        connections=len(sessions) + 4,
        max_connections=100,
        database_bytes=182 * 1024 * 1024,
    )


TABLES = (
    TableCount(name="public.orders", kind="table", estimate=120_345, exact=None, bytes=44_000_000),
    TableCount(name="public.users", kind="table", estimate=20_113, exact=None, bytes=9_000_000),
    TableCount(name='public."order"', kind="table", estimate=None, exact=None, bytes=8192),
)
EXACT = {"public.orders": 120_400, "public.users": 20_120, 'public."order"': 0}

_SQL = (
    ("DROP VIEW", "DROP VIEW public.verified_users;", ("public.verified_users",), False, ()),
    (
        "DROP TABLE",
        "DROP TABLE public.verification_tokens;",
        ("public.verification_tokens",),
        True,
        (Loss(kind="rows", relation="public.verification_tokens", count=5321),),
    ),
    (
        "ALTER TABLE … DROP COLUMN",
        "ALTER TABLE public.users\n  DROP COLUMN verified_at;",
        ("public.users",),
        True,
        (Loss(kind="values", relation="public.users", column="verified_at", count=1204),),
    ),
    ("unknown", "DO $$ BEGIN PERFORM cleanup(); END $$;", (), None, ()),
    (
        "CREATE INDEX",
        "CREATE INDEX users_email ON public.users (email);",
        ("public.users",),
        False,
        (),
    ),
)


HAZARDS: dict[str, tuple[str, ...]] = {
    "DROP TABLE": ("deletes_data", "access_exclusive_lock"),
    "ALTER TABLE … DROP COLUMN": ("deletes_data", "access_exclusive_lock"),
    "unknown": ("cannot_forecast",),
}


def statements() -> tuple[Statement, ...]:
    made = []
    for index, (kind, sql, objects, loses, loss) in enumerate(_SQL, 1):
        known = kind != "unknown"
        effect = Effect(
            kind=kind,
            objects=objects,
            locks=tuple(Lock(relation=o, mode="AccessExclusive") for o in objects),
            rewrites=False if known else None,
            loses_data=loses,
            resolved=known,
            hazards=HAZARDS.get(kind, ()),
            transactional=True if known else None,
            basis="forecast" if known else "unknown",
        )
        made.append(
            Statement(
                index=index,
                start=0,
                end=len(sql),
                line=20 + index,
                sql=sql,
                effect=effect,
                loss=loss,
            )
        )
    return tuple(made)


APPLIED = (
    AppliedMigration(version="20240115103000", name="add_user_verification", path=PATH),
    AppliedMigration(version="20240110090000", name="add_products", path="db/migrations/5.sql"),
    AppliedMigration(version="20240101120000", name="create_shop", path="db/migrations/1.sql"),
)


def plan(steps: int = 1) -> Plan:
    script = Script(
        path=PATH,
        sha256="ab" * 32,
        size=900,
        statements=statements(),
        transactional=True,
        wrapper_removed=True,
    )
    older = Script(
        path="db/migrations/5.sql", sha256="cd" * 32, size=0, statements=(), transactional=True
    )
    migrations = tuple(
        Migration(
            version=a.version,
            name=a.name,
            applied_at=T0,
            script=script if place == 0 else older,
            version_change=(f"DELETE FROM public.schema_migrations WHERE version = '{a.version}'",),
        )
        for place, a in enumerate(APPLIED[:steps])
    )
    return Plan(
        framework="dbmate",
        version_table="public.schema_migrations",
        directory="db/migrations",
        current=APPLIED[0].version,
        goal=APPLIED[steps].version if steps < len(APPLIED) else None,
        migrations=migrations,
        applied=APPLIED,
    )


def check(name: str, title: str, status: str = "pass", **more: object) -> CheckResult:
    values: dict[str, object] = {
        "name": name,
        "title": title,
        "status": status,
        "summary": f"{title}: found to be so.",
    }
    return CheckResult(**{**values, **more})  # type: ignore[arg-type]


WRITERS = check(
    "no_writers",
    "Nobody writes",
    "fail",
    summary="2 sessions write now.",
    evidence=("pid 4713 shop-worker shop: UPDATE public.orders", "pid 4714 backoffice shop"),
    remedy="Wait for them (w), or let the run end them.",
)
CHECKS = (
    check("down_migration", "A down migration exists", overridable=False),
    check("not_standby", "This is the primary", overridable=False),
    WRITERS,
    check("privileges", "Our role may do it", "warn", remedy="The door is the connection limit."),
    check("pooler", "Not through a pooler", "unknown", summary="It could not be found out."),
)


def schema_check(rehearsal: Rehearsal) -> CheckResult:
    """What the rehearsal found the schema to be, as a check."""
    verdict = rehearsal.foreseen
    assert verdict is not None
    if not verdict.leftover:
        return check("schema_restored", "Schema restored")
    return check(
        "schema_restored",
        "Schema restored",
        "fail",
        summary=f"{len(verdict.leftover)} objects are not as they should be afterwards.",
        evidence=tuple(d.describe() for d in verdict.leftover),
        remedy="Mend the script, or accept exactly these differences.",
    )


class FakeFeed:
    """A run whose records the test lets happen."""

    def __init__(self, world: World, folder: Path) -> None:
        self.folder = folder
        self._world = world
        self._given = 0

    def poll(self) -> tuple[ev.Record, ...]:
        new = tuple(self._world.records[self._given :])
        self._given += len(new)
        return new

    def state(self) -> ClaimState:
        return self._world.worker

    def take_controls(self, *, by_force: bool = False) -> Controls:
        if by_force or self._world.controls.free:
            self._world.controls = Controls(mine=True)
        return self._world.controls

    def controls(self) -> Controls:
        return self._world.controls

    def close(self) -> None:
        self._world.released += 1

    def approve(self, choice: str) -> str:
        self._world.approved.append(choice)
        self._world.happen(ev.Answered(name="gate", choice=choice, by="operator"))
        return f"taken: {choice}"

    def abort(self) -> str:
        self._world.happen(ev.AbortAsked())
        return "the run aborts at the next safe point"


class FakeLogs:
    """Log files whose next lines a test puts in."""

    def __init__(self, files: tuple[str, ...] = ()) -> None:
        self.files = files
        self.coming: list[LogLine] = []

    def poll(self) -> tuple[LogLine, ...]:
        found, self.coming = tuple(self.coming), []
        return found

    def close(self) -> None:
        self.coming.clear()


class World:
    """The one implementation of Operations for these tests."""

    def __init__(self, *, read_only: bool = False, environment: str = "production") -> None:
        self.environment = environment
        self.read_only = read_only
        self.limits = Limits()
        self.after = FakeAftercare()
        self.the_target = target()
        self.sessions = SESSIONS
        self.the_checks = CHECKS
        self.down = ""
        self.worker: ClaimState = "running"
        self.controls = Controls(mine=False)
        self.released = 0
        self.may_count = threading.Event()
        self.may_count.set()
        self.losses: dict[int, tuple[Loss, ...]] = {}
        self.the_claims: tuple[Claim, ...] = ()
        self.the_outlook = Outlook(dependents=(), mentions=())
        self.the_way: tuple[InTheWay, ...] = ()
        self.way_asked = 0
        self.the_rehearsal: Rehearsal | None = None
        self.rehearsed: list[Source] = []
        self.the_captures: Captures | None = None
        self.captured: list[Choice] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.stopped = False
        self.keep: frozenset[int] = frozenset()
        self.rehearsal_given: Rehearsal | None = None
        self.settled: list[Path] = []
        self.records: list[ev.Record] = []
        self.approved: list[str] = []
        self.may_not_signal = ""
        self.signals: list[tuple[str, int]] = []
        self.started: list[tuple[Plan, dict[str, str], str]] = []
        self.options: tuple[RecoveryOption, ...] = ()
        self.guide_text = ""
        self.ladders: list[Path] = []
        self.recovered: list[tuple[Path, RecoveryOption, str]] = []
        self.log_feed = FakeLogs()
        self.judged_with: list[Rehearsal | None] = []
        self.the_cost = ProofCost(
            budget_seconds=60,
            estimated_seconds=0.2,
            counted=("public.users",),
            fingerprinted=("public.users",),
            others=17,
        )
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.past: tuple[RunSummary, ...] = ()
        self.threads: set[str] = set()
        self.report_text = "# Rollback report\n\nRolled back and *verified*.\n"
        self.make_plan = plan
        self.stepwise_confirmed = False
        self.choices: list[Choice] = []
        self.closed = False
        self._commits = 1000

    def _asked(self) -> None:
        self.threads.add(threading.current_thread().name)
        if self.down:
            raise ConnectionFailed(self.down, "Look at the server.")

    def target(self) -> Target:
        self._asked()
        return self.the_target

    def activity(self) -> Activity:
        self._asked()
        self._commits += 40
        return activity(self.sessions, T0 + timedelta(seconds=self._commits), self._commits)

    def tables(self) -> tuple[TableCount, ...]:
        self._asked()
        return TABLES

    def count(self, table: str) -> TableCount:
        self._asked()
        found = next(t for t in TABLES if t.name == table)
        return msgspec.structs.replace(found, exact=EXACT[table])

    def counted(self, plan: Plan) -> Plan:
        self._asked()
        self.may_count.wait(30)
        return plan.with_statements(lambda s: msgspec.structs.replace(s, loss=self.losses[s.index]))

    def plan(self, choice: Choice, *, count: bool = True) -> Plan:  # noqa: ARG002
        self._asked()
        self.choices.append(choice)
        made = self.make_plan(choice.steps)
        self.losses = {s.index: s.loss for s in made.statements}
        return made.with_statements(lambda s: msgspec.structs.replace(s, loss=()))

    def proof_cost(self, plan: Plan) -> ProofCost:  # noqa: ARG002
        self._asked()
        return self.the_cost

    def recovery_options(self, folder: Path) -> tuple[RecoveryOption, ...]:
        self._asked()
        self.ladders.append(folder)
        self.may_answer.wait(30)
        return self.options

    def recover(self, folder: Path, option: RecoveryOption, *, reason: str) -> Path:
        self._asked()
        self.recovered.append((folder, option, reason))
        self.records.clear()
        self.begin_recovery(folder, option)
        return Path("/srv/rollback_runs/20260314_032000_cd34cd34")

    def guide(self, folder: Path) -> str:
        # From the journal: it must work while nobody can connect.
        self.threads.add(threading.current_thread().name)
        return self.guide_text or f"# By hand\n\nSee `{folder}`.\n"

    def logs(self) -> LogFeed:
        return self.log_feed

    def checks(
        self,
        plan: Plan,  # noqa: ARG002
        rehearsal: Rehearsal | None = None,
    ) -> tuple[CheckResult, ...]:
        self._asked()
        self.judged_with.append(rehearsal)
        found = self.the_checks
        if not any(s.writing for s in self.sessions):
            quiet = check("no_writers", "Nobody writes")
            found = tuple(quiet if c.name == "no_writers" else c for c in found)
        return (*found, schema_check(rehearsal)) if rehearsal and rehearsal.foreseen else found

    def cancel(self, pid: int, backend_start: datetime | None) -> Signal:
        return self._signal("cancel", pid, backend_start)

    def terminate(self, pid: int, backend_start: datetime | None) -> Signal:
        return self._signal("terminate", pid, backend_start)

    def _signal(self, what: str, pid: int, backend_start: datetime | None) -> Signal:
        """As the server does it: only the session that was seen."""
        there = [s for s in self.sessions if (s.pid, s.backend_start) == (pid, backend_start)]
        if there and self.may_not_signal:
            return Signal(outcome="not allowed", why=self.may_not_signal)
        if there:
            self.signals.append((what, pid))
        return Signal(outcome="signalled" if there else "gone")

    def start(
        self,
        plan: Plan,
        overrides: Mapping[str, str],
        reason: str,
        *,
        stepwise_confirmed: bool = False,
        keep: frozenset[int] = frozenset(),
        rehearsal: Rehearsal | None = None,
        trigger: str = "",  # noqa: ARG002 - the screens do not ask for it
    ) -> Path:
        self._asked()
        self.stepwise_confirmed = stepwise_confirmed
        self.keep, self.rehearsal_given = keep, rehearsal
        self.started.append((plan, dict(overrides), reason))
        self.begin(plan, reason)
        return Path("/srv/rollback_runs/run-1")

    def outlook(self, plan: Plan) -> Outlook:  # noqa: ARG002
        self._asked()
        return self.the_outlook

    def in_the_way(self, plan: Plan) -> tuple[InTheWay, ...]:  # noqa: ARG002
        self._asked()
        self.way_asked += 1
        return self.the_way

    def rehearse(
        self, plan: Plan, source: Source, said: Callable[[str], None], stop: threading.Event
    ) -> Rehearsal:
        self._asked()
        self.rehearsed.append(source)
        said("statement 1 of 5")
        while not self.go_on.wait(0.02):
            if stop.is_set():
                self.stopped = True
                raise RollbackTuiError("the rehearsal was stopped", "Nothing is left of it.")
        if self.the_rehearsal is None:
            raise RollbackTuiError("no scratch database here", "Rehearse on a real server.")
        return msgspec.structs.replace(self.the_rehearsal, plan_sha256=plan.sha256, source=source)

    def capture(
        self, choice: Choice, said: Callable[[str], None], stop: threading.Event
    ) -> Captures:
        self._asked()
        self.captured.append(choice)
        said("asking the tool for its status")
        while not self.go_on.wait(0.02):
            if stop.is_set():
                self.stopped = True
                raise RollbackTuiError("it was stopped", "Nothing is left of it.")
        if self.the_captures is None:
            raise RollbackTuiError("`knex migrate:list` did not connect", "Nothing was done.")
        return self.the_captures

    def claims(self) -> tuple[Claim, ...]:
        return self.the_claims

    def settle(self, folder: Path) -> None:
        self._asked()
        self.settled.append(folder)
        self.the_claims = ()
        self.happen(
            ev.TransactionRolledBack(reason="the worker died"),
            ev.UnchangedProven(proven=True, basis="schema, rows and version"),
            ev.DoorOpened(seconds_closed=60),
            ev.RunFinished(
                outcome="unchanged",
                summary="The worker died. Nothing was changed.",
                report="/srv/rollback_runs/run-1/report.md",
            ),
        )
        self.past = (self.summary("unchanged"),)

    def follow(self, folder: Path) -> Feed:
        return FakeFeed(self, folder)

    def report(self, folder: Path) -> str:  # noqa: ARG002
        if not self.records and not self.past:
            raise RollbackTuiError("There is no report there.", "Look into the run's folder.")
        return self.report_text

    def history(self) -> tuple[RunSummary, ...]:
        return self.past

    def sql_log(self) -> tuple[str, ...]:
        return ("SELECT version FROM public.schema_migrations", f"SELECT '{HOSTILE}'")

    def close(self) -> None:
        self.closed = True

    # --- what the worker does, one event after the other ------------------------------------

    def happen(self, *events: ev.AnyEvent) -> None:
        """Let events happen, half a second apart."""
        for event in events:
            seq = len(self.records) + 1
            self.records.append(
                ev.Record(seq=seq, at=datetime.now(UTC), elapsed=seq * 0.5, prev="", event=event)
            )

    def begin(self, the_plan: Plan, reason: str) -> None:
        self.happen(
            ev.RunStarted(
                run="6f1c",
                tool_version="0.1.0",
                target=self.the_target,
                plan=the_plan,
                plan_sha256=the_plan.sha256,
                operator=Operator(user="kim", uid=1000),
                reason=reason,
                environment=self.environment,
                folder="/srv/rollback_runs/run-1",
                worker_pid=4900,
            ),
            ev.PhaseStarted(phase="preflight"),
            ev.PhaseFinished(phase="preflight", status="done", seconds=0.4),
            ev.PhaseStarted(phase="checkpoint"),
            ev.Progress(phase="checkpoint", summary="dumping public.orders", done=3, total=12),
        )

    def drain(self) -> None:
        self.happen(
            ev.CheckpointMade(
                checkpoint=Checkpoint(
                    path="/srv/rollback_checkpoints/20260314_031300",
                    created_at=T0,
                    database="shop",
                    fingerprint=self.the_target.fingerprint,
                    bytes=40_000_000,
                    seconds=3.1,
                    manifest_sha256="ef" * 32,
                    tables=12,
                )
            ),
            ev.PhaseFinished(phase="checkpoint", status="done", seconds=3.1),
            ev.PhaseStarted(phase="announce"),
            ev.MaintenanceChanged(on=True),
            ev.PhaseFinished(phase="announce", status="done", seconds=0.1),
            ev.PhaseStarted(phase="drain"),
            ev.Waiting(
                phase="drain", summary="for writers to finish", pids=(4713, 4714), seconds_left=20
            ),
        )

    def execute(self, upto: int = 5) -> None:
        self.happen(
            ev.PhaseFinished(phase="drain", status="done", seconds=4.0),
            ev.PhaseStarted(phase="close_door"),
            ev.SqlSent(connection="maintenance", sql="ALTER DATABASE shop CONNECTION LIMIT 0"),
            ev.DoorClosed(rung="limit", connection_limit=-1),
            ev.PhaseFinished(phase="close_door", status="done", seconds=0.1),
            ev.PhaseStarted(phase="execute"),
            ev.TransactionStarted(xid="7788", backend_pid=4901, attempt=1),
        )
        for index in range(1, upto + 1):
            self.happen(
                ev.StatementStarted(index=index),
                ev.StatementFinished(index=index, seconds=0.02, command_tag="DROP", rows=None),
            )

    def begin_recovery(self, folder: Path, option: RecoveryOption) -> None:
        """The worker of a recovery, until its first repair is about to be sent."""
        self.begin(plan(), "a reason")
        [started] = [r.event for r in self.records if isinstance(r.event, ev.RunStarted)]
        self.records.clear()
        lost = option.lost or ()
        self.happen(
            msgspec.structs.replace(started, task="recover", recovers=str(folder)),
            ev.PhaseStarted(phase="preflight"),
            ev.PhaseFinished(phase="preflight", status="done", seconds=0.4),
            ev.RecoveryPlanned(
                rung=option.rung,
                restores=option.restores,
                estimated_seconds=option.estimated_seconds,
                steps=(
                    "restore checkpoint",
                    "repair schema inconsistencies",
                    "rebuild indexes",
                    "verify foreign keys",
                ),
            ),
            ev.PhaseStarted(phase="recover"),
            ev.LostCounted(lost=lost, agreed=option.lost_rows),
            ev.RecoveryStep(
                name="restore checkpoint", ok=True, seconds=3.2, summary="the copy is in its place"
            ),
            ev.RepairProposed(
                step="repair schema inconsistencies",
                sql=("ALTER TABLE public.users ALTER COLUMN email SET NOT NULL",),
            ),
        )

    def recovered_well(self) -> None:
        """The rest of it."""
        self.happen(
            ev.RecoveryStep(
                name="repair schema inconsistencies",
                ok=True,
                seconds=0.1,
                summary="1 object mended",
                sql=("ALTER TABLE public.users ALTER COLUMN email SET NOT NULL",),
            ),
            ev.RecoveryStep(
                name="rebuild indexes",
                ok=True,
                seconds=0.2,
                summary="amcheck is not installed here",
                verdict="unknown",
            ),
            ev.PhaseFinished(phase="recover", status="done", seconds=4.0),
            ev.RunFinished(outcome="recovered", summary="shop is as before.", report=""),
        )

    def gate(self) -> None:
        self.happen(
            ev.PhaseFinished(phase="execute", status="done", seconds=0.3),
            ev.PhaseStarted(phase="verify"),
            ev.VerificationJudged(
                verification=Verification(
                    name="rows",
                    title="Row counts",
                    verdict="pass",
                    summary="Every table kept its rows.",
                    evidence=("public.orders 120,400 of 120,400",),
                    seconds=0.4,
                )
            ),
            ev.VerificationJudged(
                verification=Verification(
                    name="schema",
                    title="Schema as it was",
                    verdict="unknown",
                    summary="No baseline was recorded for this version.",
                )
            ),
            ev.RowsCompared(
                rows=(
                    RowChange(table="public.orders", before=120_400, after=120_400),
                    RowChange(table="public.verification_tokens", before=5321, after=None),
                )
            ),
            ev.PhaseFinished(phase="verify", status="done", seconds=0.5),
            ev.PhaseStarted(phase="gate"),
            ev.Question(
                name="gate",
                text="The schema could not be compared. Commit?",
                choices=("commit", "roll back"),
                default="roll back",
                seconds=300,
            ),
        )

    def finish(self) -> None:
        self.happen(
            ev.PhaseFinished(phase="gate", status="done", seconds=2),
            ev.PhaseStarted(phase="commit"),
            ev.Committed(xid="7788"),
            ev.PhaseFinished(phase="commit", status="done", seconds=0.01),
            ev.PhaseStarted(phase="open_door"),
            ev.DoorOpened(seconds_closed=6),
            ev.MaintenanceChanged(on=False),
            ev.PhaseFinished(phase="open_door", status="done", seconds=0.1),
            ev.RunFinished(
                outcome="rolled_back",
                summary="20240115103000 is rolled back and verified.",
                report="/srv/rollback_runs/run-1/report.md",
            ),
        )
        self.past = (self.summary("rolled_back"),)

    def summary(self, outcome: str) -> RunSummary:
        return RunSummary(
            run="6f1c",
            folder="/srv/rollback_runs/run-1",
            started_at="2026-03-14T03:12:09Z",
            database="shop",
            versions=("20240115103000",),
            outcome=outcome,
            seconds=31,
        )

    def fail(self) -> None:
        """A statement fails, and nothing was changed."""
        self.happen(
            ev.StatementStarted(index=3),
            ev.StatementFailed(
                index=3,
                line=23,
                sql=_SQL[2][1],
                sqlstate="2BP01",
                message="cannot drop column verified_at of table users because other objects "
                "depend on it",
                hint="Use DROP ... CASCADE to drop the dependent objects too.",
                position=None,
            ),
            ev.TransactionRolledBack(reason="statement 3 failed"),
            ev.PhaseFinished(phase="execute", status="failed", seconds=0.3),
            ev.PhaseStarted(phase="recover"),
            ev.UnchangedProven(proven=True),
            ev.PhaseFinished(phase="recover", status="done", seconds=0.3),
            ev.DoorOpened(seconds_closed=2),
            ev.Alarm(summary="maintenance mode is still on", remedy="Run: bin/maintenance off"),
            ev.RunFinished(
                outcome="unchanged",
                summary="Statement 3 failed; the database is as it was.",
                report="/srv/rollback_runs/run-1/report.md",
                next_commands=("bin/maintenance off",),
            ),
        )
        self.past = (self.summary("unchanged"),)
