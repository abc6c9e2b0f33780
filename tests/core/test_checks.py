"""Each safety check in each of its answers: pass, warn, fail, unknown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from rollback_tui.core.checks import CHECKS, judge, may_roll_back, obstacles
from rollback_tui.core.claim import Claim
from rollback_tui.core.facts import (
    CloneFacts,
    Dependent,
    EventTrigger,
    Facts,
    Fleeting,
    Leftover,
    ParserAnswer,
)
from rollback_tui.core.model import (
    CheckResult,
    Doomed,
    Loss,
    Operator,
    PreparedTransaction,
    Problem,
    Violation,
)
from rollback_tui.core.outlook import InTheWay, Mention
from rollback_tui.core.rehearsal import Measured, Rehearsal
from rollback_tui.core.schema import Difference
from rollback_tui.core.schema_verdict import Mending, SchemaVerdict, VerdictKind
from tests.core import example
from tests.core.example import (
    CLONE,
    RIGHTS,
    STORAGE,
    TARGET,
    activity,
    facts,
    migration,
    plan,
    script,
)


def answer(name: str, given: Facts) -> CheckResult:
    return next(r for r in judge(given) if r.name == name)


DOUBTS = (Problem(line=9, offset=120, summary="two readings", rule="boundaries"),)
COMPLAINT = ParserAnswer(index=2, sqlstate="42601", message="at or near", position=9)


def _read(
    *,
    read_twice: bool = True,
    doubts: tuple[Problem, ...] = (),
    parser: tuple[ParserAnswer, ...] | None = (),
) -> Facts:
    """Read twice, or with doubts, and judged by the server's parser or not."""
    made = script(read_twice=read_twice, doubts=doubts)
    return facts(plan=plan(migration(script=made)), parser=parser)


def _problem(rule: str) -> Facts:
    problem = Problem(line=7, offset=91, summary="something is wrong", remedy="Mend it.", rule=rule)
    return facts(plan=plan(migration(script=script(problems=(problem,)))))


def _statement(**effect: Any) -> Facts:
    one = example.statement(1, "SELECT 1", effect.pop("kind", "DROP TABLE"), **effect)
    return facts(plan=plan(migration(script=script(statements=(one,)))))


def _after_a_do(*found: Dependent) -> Facts:
    """Statement 1 of the plan may do anything."""
    return replace(_statement(kind="DO", basis="unknown"), dependents=found)


def _broken(count: int | None, **more: Any) -> Facts:
    violation = Violation(rule="not null", relation="public.t", name="a", count=count, **more)
    one = replace(example.statement(2, "", "ALTER TABLE … SET NOT NULL"), violations=(violation,))
    return facts(plan=plan(migration(script=script(statements=(one,)))))


def _retyped(count: int | None) -> Facts:
    why = "why not" if count is None else ""
    return _statement(
        kind="ALTER TABLE … ALTER COLUMN TYPE",
        loses_data=None,
        retyped=(("t", "a"),),
        loss=(Loss(kind="values", relation="t", column="a", count=count, why=why),),
    )


STEPWISE = facts(plan=plan(migration(script=script(transactional=False))))


def _dependent(cascades: bool) -> Dependent:
    return Dependent(
        statement=2, dropped="column users.a", dependent="view public.v", cascades=cascades
    )


def copied(**changes: Any) -> CloneFacts:
    """A clone that is wanted and possible, unless changed."""
    return replace(CLONE, **({"wanted": "wanted", "remedy": "Go without."} | changes))


def triggered(*tags: str) -> EventTrigger:
    """An event trigger for all commands, or for those."""
    return EventTrigger(
        name="guard", event="ddl_command_start", function="public.no_ddl", tags=tags
    )


def left(kind: Any, size: int | None = 2 << 20) -> Leftover:
    """A database that run 1a2b3c4d left."""
    return Leftover(database=f"shop_{kind}", kind=kind, run="1a2b3c4d", bytes=size)


IDLE = example.session(pid=7, state="idle in transaction", transaction_age=30.0, query_age=20.0)
LONG = example.session(pid=8, state="active", transaction_age=99.0)
SHORT = example.session(pid=9, state="active", transaction_age=0.2, writing=True)
HIDDEN = example.session(pid=10, state="")
OURS = replace(LONG, pid=11, ours=True, writing=True)
VACUUM = replace(LONG, pid=12, backend_type="autovacuum worker", writing=True)
BOSS = example.session(pid=13, superuser=True, application="pgadmin", user="root")

DEAD = Claim(
    run="1a2b3c4d-0000-4000-8000-000000000000",
    folder="/srv/rollback_runs/20260314_031209_1a2b3c4d",
    target=TARGET,
    operator=Operator(user="kim", uid=1000, ssh_connection="10.0.0.7 50 10.0.0.1 22"),
    since=datetime(2026, 3, 14, 3, 12, 9, tzinfo=UTC),
    state="dead",
    phase="execute",
    door_closed=True,
)

WAIT = InTheWay(
    statements=(2, 3),
    relation="public.users",
    needed="AccessExclusive",
    held="RowExclusive",
    granted=True,
    pid=77,
    application="shop",
    user="app",
    state="idle in transaction",
    query="UPDATE users SET id = 1",
    age=12.3,
    behind=4,
)
QUEUED = replace(WAIT, pid=78, granted=False, held="AccessExclusive", behind=0, age=None)
PREPARED = replace(WAIT, pid=0, application="gid-1", state="prepared", query="", behind=1)
CLEANING = replace(WAIT, pid=79, application="autovacuum", user="", query="autovacuum: VACUUM x")
URGENT = replace(CLEANING, query="autovacuum: VACUUM x (to prevent wraparound)")

NAMED = Mention(
    statement=2,
    object="public.users.verified_at",
    source="pg_stat_activity",
    application="shop-web",
    user="app",
    calls=None,
    query="SELECT verified_at FROM users",
)
CALLED = replace(NAMED, source="pg_stat_statements", application="", calls=1204)

LABEL = Difference(object="type public.mood", before=None, after="enum 'a'")
FAILED = Measured(
    index=1,
    seconds=0,
    transactional=True,
    locks=None,
    rewritten=None,
    scanned=None,
    dropped=None,
    changed=None,
    rows=None,
    failed="no such table",
)


def rehearsed(**about: Any) -> Facts:
    """Facts with a rehearsal of their plan."""
    given = facts()
    known: dict[str, Any] = {
        "plan_sha256": given.plan.sha256,
        "source": "schema",
        "embedded": False,
        "server_version": 180004,
        "database": "scratch",
        "made_seconds": 1.0,
        "seconds": 2.0,
        "statements": (),
    }
    return replace(given, rehearsal=Rehearsal(**(known | about)))


def foreseen(kind: VerdictKind, **about: Any) -> Facts:
    """Facts with a rehearsal that came to its end, and its schema verdict."""
    mending = (Mending(object="type public.mood", sql=("DROP TYPE mood",)),)
    found = SchemaVerdict(
        kind=kind, origin="replayed", version="1", objects=3, mending=mending, **about
    )
    return rehearsed(foreseen=found)


CASES: list[tuple[str, str, Facts, str]] = [
    ("unfinished_run", "pass", facts(), ""),
    ("unfinished_run", "fail", facts(unfinished=(DEAD,)), "kim from 10.0.0.7"),
    ("unfinished_run", "fail", facts(unfinished=(DEAD, DEAD)), "and 1 other"),
    ("unfinished_run", "unknown", facts(unfinished=None), ""),
    ("schema_restored", "warn", facts(), "and no baseline"),
    ("schema_restored", "warn", facts(baseline="recorded"), "not rehearsed"),
    ("schema_restored", "pass", foreseen("identical"), "identical with the replayed"),
    ("schema_restored", "pass", foreseen("equivalent", notes=("order",)), "order"),
    ("schema_restored", "pass", foreseen("drift", drift=(LABEL,)), "not this run's doing"),
    ("schema_restored", "fail", foreseen("leftover", leftover=(LABEL,)), "mend: DROP TYPE mood;"),
    (
        "schema_restored",
        "warn",
        replace(foreseen("leftover", leftover=(LABEL,)), accepted_differences=("type public.*",)),
        "declared to be right",
    ),
    (
        "schema_restored",
        "fail",
        replace(foreseen("leftover", leftover=(LABEL,)), accepted_differences=("type",)),
        "",
    ),
    ("schema_restored", "warn", foreseen("unknown", why="no up scripts"), "no up scripts"),
    ("schema_restored", "warn", rehearsed(failure="it was stopped"), "it was stopped"),
    (
        "schema_restored",
        "unknown",
        rehearsed(failure="statement 1 failed", statements=(FAILED,)),
        "failed in the rehearsal",
    ),
    ("target_fingerprint", "pass", facts(), TARGET.fingerprint),
    ("target_fingerprint", "pass", facts(confirmed_fingerprint=None), "shop on db1:5432"),
    ("target_fingerprint", "fail", facts(confirmed_fingerprint="0123"), "confirmed was 0123"),
    ("not_standby", "pass", facts(), ""),
    ("not_standby", "fail", facts(target=replace(TARGET, role="standby")), "recovery"),
    ("no_pooler", "pass", facts(), ""),
    ("no_pooler", "fail", facts(pooler=True), ""),
    ("no_pooler", "unknown", facts(pooler=None, unreadable=("pooler: lost",)), "pooler: lost"),
    ("privileges", "pass", facts(), ""),
    ("privileges", "warn", facts(privileges=replace(RIGHTS, signal_backend=False)), "signal"),
    ("privileges", "fail", facts(privileges=replace(RIGHTS, not_owned=("public.t",))), "public.t"),
    (
        "privileges",
        "fail",
        facts(privileges=replace(RIGHTS, row_security=("public.s",))),
        "public.s",
    ),
    ("privileges", "unknown", facts(privileges=None), ""),
    ("plan_not_empty", "pass", facts(), "3 verify"),
    ("plan_not_empty", "fail", facts(plan=plan(migrations=(), applied=())), ""),
    ("down_migration", "pass", facts(), "3 statements"),
    ("down_migration", "fail", facts(plan=plan(migrations=())), ""),
    (
        "down_migration",
        "fail",
        facts(plan=plan(migration(script=None, why_no_script="only a comment"))),
        "3: only a comment",
    ),
    (
        "down_migration",
        "fail",
        facts(plan=plan(migration(), migration(version="2", script=script(statements=())))),
        "2: db/migrations/3_verify.sql holds no statement",
    ),
    (
        "down_migration",
        "pass",
        facts(plan=plan(migration(script=script(statements=(), nothing_to_undo="a mere merge")))),
        "(a mere merge)",
    ),
    ("later_migrations", "pass", facts(), ""),
    ("later_migrations", "fail", facts(plan=plan(migration(version="2"))), "3 m3"),
    ("later_migrations", "fail", facts(plan=plan(migration(version="9"))), "9"),
    ("script_readable", "pass", facts(), "200 bytes"),
    ("script_readable", "fail", _problem("encoding"), "line 7 (byte 91)"),
    ("script_readable", "fail", _problem("unterminated"), "line 7"),
    ("script_readable", "fail", _problem("a rule of tomorrow"), "line 7"),
    ("script_readable", "pass", _problem("transaction_control"), ""),
    ("no_transaction_control", "pass", facts(), ""),
    ("no_transaction_control", "fail", _problem("transaction_control"), "line 7"),
    (
        "no_transaction_control",
        "pass",
        facts(plan=plan(migration(script=script(wrapper_removed=True)))),
        "taken off",
    ),
    ("no_psql_commands", "pass", facts(), ""),
    ("no_psql_commands", "fail", _problem("psql_command"), "line 7"),
    ("no_psql_commands", "fail", _problem("copy_from_stdin"), "line 7"),
    ("transactional", "pass", facts(), ""),
    ("transactional", "warn", _statement(transactional=False, kind="VACUUM"), "VACUUM"),
    ("transactional", "warn", _statement(transactional=None), "statement"),
    ("transactional", "warn", STEPWISE, "3 is marked"),
    ("transactional", "warn", replace(STEPWISE, run_row_problem="no CREATE"), "say yourself"),
    ("transactional", "fail", _statement(transactional=False, kind="ALTER SYSTEM"), "ALTER SYSTEM"),
    ("transactional", "fail", _statement(transactional=False, kind="DROP DATABASE"), "DATABASE"),
    (
        "transactional",
        "fail",
        facts(
            plan=plan(
                migration(
                    script=script(
                        statements=(example.statement(1, "CREATE ROLE r", "CREATE ROLE"),),
                        transactional=False,
                    )
                )
            )
        ),
        "the whole server's roles",
    ),
    ("transactional", "pass", _statement(kind="CREATE ROLE"), ""),
    (
        "transactional",
        "fail",
        replace(STEPWISE, checkpoint=replace(STORAGE, wanted=False)),
        "enabled = false",
    ),
    (
        "transactional",
        "warn",
        replace(
            STEPWISE, checkpoint=replace(STORAGE, wanted=False), clone=copied(wanted="required")
        ),
        "3 is marked",
    ),
    ("syntax", "pass", facts(), "not executed"),
    (
        "syntax",
        "fail",
        facts(parser=(ParserAnswer(index=2, sqlstate="42601", message="at or near", position=9),)),
        "statement 2, line 4: 42601 at or near at character 9",
    ),
    ("syntax", "unknown", facts(parser=None, unreadable=("parser: gone",)), "parser: gone"),
    ("boundaries", "pass", facts(), "takes each of 3 statements as one command"),
    ("boundaries", "pass", _read(doubts=DOUBTS), "line 9 (byte 120): two readings"),
    ("boundaries", "fail", _read(doubts=DOUBTS, parser=(COMPLAINT,)), "line 9 (byte 120)"),
    ("boundaries", "unknown", _read(doubts=DOUBTS, parser=None), "line 9 (byte 120)"),
    ("boundaries", "unknown", _read(read_twice=False, parser=None), "read by one scanner only"),
    ("boundaries", "warn", _read(read_twice=False, parser=(COMPLAINT,)), "one scanner"),
    ("boundaries", "pass", _read(parser=None), "two readings of each script agree"),
    ("dependents", "pass", facts(), "pg_depend"),
    ("dependents", "warn", facts(dependents=(_dependent(True),)), "view public.v goes with"),
    ("dependents", "fail", facts(dependents=(_dependent(False),)), "view public.v depends on"),
    (
        "dependents",
        "fail",
        facts(dependents=(_dependent(True), _dependent(False))),
        "view public.v depends on",
    ),
    ("dependents", "warn", _after_a_do(_dependent(False)), "unless statement 1 helps"),
    ("dependents", "warn", _after_a_do(_dependent(False), _dependent(True)), "goes with column"),
    (
        "dependents",
        "fail",
        _after_a_do(replace(_dependent(False), statement=1)),
        "view public.v depends on",
    ),
    ("dependents", "unknown", facts(dependents=None), ""),
    ("version_table", "pass", facts(), "public.schema_migrations"),
    (
        "version_table",
        "pass",
        _statement(doomed=(Doomed(kind="table", relation="goose_db_version"),)),
        "public.schema_migrations",
    ),
    (
        "version_table",
        "fail",
        _statement(doomed=(Doomed(kind="rows", relation="schema_migrations"),)),
        "statement 1, line 3: SELECT 1",
    ),
    ("event_triggers", "pass", facts(), ""),
    ("event_triggers", "pass", facts(event_triggers=(triggered("CREATE TABLE"),)), "not for them"),
    ("event_triggers", "warn", facts(event_triggers=(triggered(),)), "guard: public.no_ddl()"),
    ("event_triggers", "warn", facts(event_triggers=(triggered("ALTER TABLE"),)), "guard"),
    ("event_triggers", "unknown", facts(event_triggers=None), ""),
    ("stored_rows", "pass", facts(), "it restores no rule"),
    ("stored_rows", "pass", _broken(0), "0 rows of public.t break not null: a"),
    ("stored_rows", "fail", _broken(1), "1 row of public.t breaks not null: a"),
    ("stored_rows", "warn", _broken(1, after=1), "now; statement 1 changes it first"),
    ("stored_rows", "warn", _broken(None, why="locked"), "locked"),
    ("data_loss", "pass", _statement(), ""),
    ("data_loss", "pass", _statement(loses_data=None, no_op=True), "no statement"),
    ("data_loss", "pass", _retyped(0), "0 values of t.a"),
    ("data_loss", "warn", _retyped(2), "2 values of t.a"),
    ("data_loss", "warn", _retyped(None), "why not"),
    ("data_loss", "warn", facts(), "1,200 values of public.users.verified_at"),
    ("data_loss", "warn", _statement(loses_data=None), "nobody knows"),
    ("data_loss", "warn", _statement(loses_data=True), "not counted"),
    (
        "data_loss",
        "pass",
        _statement(loses_data=True, loss=(Loss(kind="rows", relation="t", count=0),)),
        "0 rows of t",
    ),
    ("checkpoint", "pass", facts(), "/usr/bin/pg_dump 18.4"),
    ("checkpoint", "pass", facts(fleeting=None), "not known whether there are unlogged tables"),
    ("checkpoint", "warn", facts(fleeting=Fleeting(unlogged=("public.u",))), "crash"),
    ("checkpoint", "warn", facts(fleeting=Fleeting(unpopulated=("public.m",))), "never filled"),
    ("checkpoint", "warn", facts(checkpoint=replace(STORAGE, wanted=False)), "enabled"),
    (
        "checkpoint",
        "fail",
        facts(checkpoint=replace(STORAGE, writable=False, why="EROFS")),
        "EROFS",
    ),
    ("checkpoint", "fail", facts(checkpoint=replace(STORAGE, free_bytes=5)), "free"),
    ("checkpoint", "fail", facts(checkpoint=replace(STORAGE, pg_dump=None, why="no file")), "no f"),
    ("checkpoint", "fail", facts(checkpoint=replace(STORAGE, pg_dump_major=17)), "pg_dump"),
    (
        "checkpoint",
        "fail",
        facts(target=replace(TARGET, server_version=160003)),
        "pg_dump",
    ),
    ("checkpoint", "unknown", facts(checkpoint=replace(STORAGE, pg_dump_major=None)), ""),
    ("checkpoint", "unknown", facts(checkpoint=replace(STORAGE, free_bytes=None)), ""),
    ("checkpoint", "unknown", facts(checkpoint=None), ""),
    ("clone", "pass", facts(), "so configured: bringing the database back would take a pg_restore"),
    ("clone", "pass", facts(clone=copied()), "about 2 s (estimate)"),
    ("clone", "pass", replace(STEPWISE, clone=CLONE), "a copy is made although none is configured"),
    (
        "clone",
        "warn",
        replace(STEPWISE, clone=copied(wanted="off", obstacle="too big")),
        "too big",
    ),
    ("clone", "warn", facts(clone=copied(free_bytes=None)), "free on the server: not visible"),
    ("clone", "warn", facts(clone=copied(estimated_seconds=None)), "not known how long"),
    ("clone", "warn", facts(clone=copied(obstacle="too big")), "too big"),
    ("clone", "fail", facts(clone=copied(wanted="required", obstacle="too big")), "too big"),
    ("clone", "unknown", facts(clone=None), "not known whether a clone can be made"),
    ("leftovers", "pass", facts(), "no database of an earlier run"),
    ("leftovers", "warn", facts(leftovers=(left("clone"),)), "1 database of earlier runs, 2.0 MiB"),
    (
        "leftovers",
        "warn",
        facts(leftovers=(left("failed"), left("half made", size=None))),
        "2 databases of earlier runs, 2.0 MiB at least",
    ),
    (
        "leftovers",
        "fail",
        facts(leftovers=(left("clone"), left("closed"))),
        "never opened its door",
    ),
    ("leftovers", "fail", facts(leftovers=(left("placeholder"),)), "run 1a2b3c4d"),
    ("leftovers", "unknown", facts(leftovers=None), "not known what earlier runs left"),
    ("run_directory", "pass", facts(), ""),
    ("run_directory", "fail", facts(run_directory_problem="/x: full"), "/x: full"),
    ("no_prepared_transactions", "pass", facts(), ""),
    (
        "no_prepared_transactions",
        "fail",
        facts(activity=activity(prepared=(PreparedTransaction(gid="g7", owner="o", age=3.0),))),
        "gid g7",
    ),
    ("no_prepared_transactions", "unknown", facts(activity=None), ""),
    ("no_active_transactions", "pass", facts(activity=activity(SHORT)), "1 in a short"),
    ("no_active_transactions", "pass", facts(activity=activity(OURS, VACUUM)), "0 sessions"),
    ("no_active_transactions", "warn", facts(activity=activity(IDLE)), "7 shop app 10.0.0.1"),
    ("no_active_transactions", "warn", facts(activity=activity(LONG)), "8 shop"),
    ("no_active_transactions", "unknown", facts(activity=activity(HIDDEN)), ""),
    ("no_active_transactions", "unknown", facts(activity=None), ""),
    ("no_writers", "pass", facts(activity=activity(LONG, OURS, VACUUM)), "1 session looked at"),
    ("no_writers", "warn", facts(activity=activity(SHORT)), "9 shop app"),
    ("no_writers", "unknown", facts(activity=None), ""),
    ("sessions_endable", "pass", facts(), ""),
    ("sessions_endable", "pass", facts(door="none", unendable=(13,)), ""),
    (
        "sessions_endable",
        "warn",
        facts(privileges=replace(RIGHTS, signal_backend=False)),
        "role app",
    ),
    ("sessions_endable", "fail", facts(activity=activity(BOSS), unendable=(13,)), "13 pgadmin"),
    ("sessions_endable", "fail", facts(unendable=(99,)), "99"),
    ("sessions_endable", "unknown", facts(privileges=None), ""),
    ("in_the_way", "pass", facts(), ""),
    ("in_the_way", "pass", facts(in_the_way=(CLEANING,)), "4 sessions behind, it yields"),
    ("in_the_way", "warn", facts(in_the_way=(URGENT,)), "it does not yield"),
    (
        "in_the_way",
        "warn",
        facts(in_the_way=(WAIT, QUEUED)),
        "statements 2, 3: pid 77 (shop) holds RowExclusive on public.users, in a transaction for 1",
    ),
    ("in_the_way", "warn", facts(in_the_way=(QUEUED,)), "pid 78 (shop) waits for Access"),
    ("in_the_way", "warn", facts(in_the_way=(WAIT,)), "the closing door ends them"),
    ("in_the_way", "warn", facts(in_the_way=(WAIT,), door="none"), "the run would wait"),
    ("in_the_way", "warn", facts(in_the_way=(PREPARED,)), "prepared transaction gid-1 holds"),
    (
        "in_the_way",
        "warn",
        facts(in_the_way=(replace(WAIT, statements=tuple(range(1, 10_001))),)),
        "statements 1 … 10000 (10,000): pid 77",
    ),
    ("in_the_way", "warn", _statement(basis="unknown"), "not all of their locks are known"),
    ("in_the_way", "unknown", facts(in_the_way=None), "pg_locks"),
    ("still_used", "pass", facts(statistics=True), "SELECT * and code"),
    ("still_used", "pass", facts(), "only what sessions run now was seen"),
    ("still_used", "warn", facts(mentions=(NAMED,)), "shop-web still names public.users.verif"),
    (
        "still_used",
        "warn",
        facts(mentions=(NAMED, CALLED), statistics=True),
        "statement 2: role app names public.users.verified_at, 1,204 calls: SELECT verified_at",
    ),
    ("still_used", "warn", facts(mentions=(NAMED, CALLED)), "and 1 more"),
    ("still_used", "unknown", facts(mentions=None), ""),
    ("door", "pass", facts(), "connection limit 0"),
    ("door", "warn", facts(activity=activity(BOSS)), "pgadmin as root"),
    ("door", "warn", facts(door="terminate", door_why=("not the owner",)), "not the owner"),
    ("door", "pass", facts(door="limit", door_why=("no CREATEDB",)), "no CREATEDB"),
    ("door", "warn", facts(door_why=("no CREATEDB",), activity=activity(BOSS)), "no CREATEDB"),
    ("door", "pass", facts(door="rename", activity=activity(BOSS)), "placeholder"),
    (
        "door",
        "unknown",
        facts(door="terminate", unreadable=("door: no such server",)),
        "no such server",
    ),
    ("door", "warn", facts(door="none"), "open"),
    ("synchronous_standby", "pass", facts(), ""),
    ("synchronous_standby", "warn", facts(standby_missing="x is away"), "x is away"),
    (
        "synchronous_standby",
        "unknown",
        facts(standby_missing=None, unreadable=("synchronous_standby: lost",)),
        "synchronous_standby: lost",
    ),
    ("run_row", "pass", facts(), "rollback_tui.runs decides"),
    ("run_row", "warn", facts(run_row_problem="no CREATE here"), "no CREATE here"),
    ("run_row", "warn", facts(run_row_problem="x"), "version table public.schema_migrations"),
    (
        "run_row",
        "unknown",
        facts(run_row_problem=None, unreadable=("run_row: no answer",)),
        "run_row: no answer",
    ),
]


@pytest.mark.parametrize(
    ("name", "status", "given", "evidence"),
    CASES,
    ids=[f"{n}-{s}-{i}" for i, (n, s, _, _) in enumerate(CASES)],
)
def test_each_answer(name: str, status: str, given: Facts, evidence: str) -> None:
    result = answer(name, given)
    assert result.status == status
    assert evidence in "\n".join((result.summary, *result.evidence))
    assert result.summary
    assert len(result.summary) <= 80
    if status != "pass":
        assert result.remedy


@pytest.mark.parametrize(
    ("state", "damaged", "command"),
    [
        ("dead", "", "rollback-tui settle 1a2b3c4d"),
        ("running", "", "rollback-tui attach 1a2b3c4d"),
        ("stopped", "", "not settled while its process exists (pid 4711)"),
        ("dead", "line 7 is damaged", "move /srv/rollback_runs/20260314_031209_1a2b3c4d away"),
    ],
)
def test_the_remedy_for_an_unfinished_run_is_what_is_safe(
    state: Any, damaged: str, command: str
) -> None:
    claim = replace(DEAD, state=state, damaged=damaged, worker_pid=4711)
    result = answer("unfinished_run", facts(unfinished=(claim,)))
    assert command in result.remedy
    assert not result.overridable
    assert ("settle 1a2b3c4d" in result.remedy) == claim.may_settle


def test_every_check_is_asked_once_and_has_a_failing_or_warning_case() -> None:
    names = [r.name for r in judge(facts())]
    # Who has no backups outside is not asked about those.
    assert len(names) == len(set(names)) == len(CHECKS) - 1
    assert {n for n, s, _, _ in CASES if s in ("fail", "warn")} == set(names)


def test_good_facts_let_it_go_ahead() -> None:
    results = judge(facts())
    assert {r.name for r in results if r.status != "pass"} == {"data_loss", "schema_restored"}
    assert may_roll_back(results, {})


def test_nothing_known_is_never_a_pass() -> None:
    blind = facts(
        activity=None,
        privileges=None,
        parser=None,
        dependents=None,
        pooler=None,
        checkpoint=None,
        run_row_problem=None,
        standby_missing=None,
    )
    unknown = {r.name for r in judge(blind) if r.status == "unknown"}
    assert unknown == {
        "no_pooler",
        "privileges",
        "syntax",
        "boundaries",
        "dependents",
        "checkpoint",
        "no_prepared_transactions",
        "no_active_transactions",
        "no_writers",
        "sessions_endable",
        "run_row",
        "synchronous_standby",
    }
    assert not may_roll_back(judge(blind), {})
    assert {r.name for r in obstacles(judge(blind), {})} == unknown


def test_no_results_prove_nothing() -> None:
    assert not may_roll_back((), {})


def test_an_override_needs_a_reason() -> None:
    results = judge(facts(dependents=(_dependent(False),)))
    assert [r.name for r in obstacles(results, {})] == ["dependents"]
    assert not may_roll_back(results, {"dependents": "  "})
    assert not may_roll_back(results, {"syntax": "another one"})
    assert may_roll_back(results, {"dependents": "the view is dropped by hand first"})


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("target_fingerprint", facts(confirmed_fingerprint="0123")),
        ("not_standby", facts(target=replace(TARGET, role="standby"))),
        ("no_pooler", facts(pooler=True)),
        ("plan_not_empty", facts(plan=plan(migrations=()))),
        ("down_migration", facts(plan=plan(migration(script=None)))),
        ("script_readable", _problem("encoding")),
        ("no_transaction_control", _problem("transaction_control")),
        ("no_psql_commands", _problem("psql_command")),
        ("transactional", _statement(transactional=False, kind="ALTER SYSTEM")),
        ("transactional", replace(STEPWISE, checkpoint=replace(STORAGE, wanted=False))),
        (
            "no_prepared_transactions",
            facts(activity=activity(prepared=(PreparedTransaction(gid="g", owner="o", age=1.0),))),
        ),
        ("run_directory", facts(run_directory_problem="full")),
        ("leftovers", facts(leftovers=(left("closed"),))),
        ("checkpoint", facts(checkpoint=replace(STORAGE, writable=False))),
    ],
)
def test_what_no_reason_can_set_aside(name: str, given: Facts) -> None:
    results = judge(given)
    assert not answer(name, given).overridable
    assert name in {r.name for r in obstacles(results, {r.name: "because" for r in results})}


def test_text_of_others_is_made_printable() -> None:
    evil = "a\x1b[2J\u202eb\nc"
    given = facts(
        activity=activity(replace(SHORT, application=evil, query=evil)),
        dependents=(Dependent(statement=1, dropped=evil, dependent=evil, cascades=False),),
        privileges=replace(RIGHTS, not_owned=(evil,)),
        run_directory_problem=evil,
        unreadable=(f"parser: {evil}",),
        parser=None,
        plan=plan(migration(script=None, why_no_script=evil, version=evil)),
    )
    for result in judge(given):
        for text in (result.summary, *result.evidence):
            assert text.isprintable(), (result.name, text)


@pytest.mark.parametrize(
    ("missing", "way"),
    [
        ({"why_no_script": "code", "capturable": True}, "Capture it from the tool itself (c on"),
        ({"why_no_script": "it has none\neither restore"}, "Take one of the ways above"),
        ({"why_no_script": "no such file"}, "Write the down migration, or give"),
    ],
)
def test_what_helps_where_there_is_no_script(missing: dict[str, Any], way: str) -> None:
    remedy = answer("down_migration", facts(plan=plan(migration(script=None, **missing)))).remedy
    assert remedy.startswith(way)
    assert "never just crossed out" in remedy


def test_evidence_is_capped_and_says_so() -> None:
    many = activity(*(replace(SHORT, pid=n) for n in range(500)))
    evidence = answer("no_writers", facts(activity=many)).evidence
    assert len(evidence) == 21
    assert evidence[-1] == "… and 480 more"
