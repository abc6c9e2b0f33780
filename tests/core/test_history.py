"""Flat records of runs, which of them are meant, what they come to, and who decided what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from rollback_tui.core import events as ev
from rollback_tui.core.claim import Operator
from rollback_tui.core.errors import ConfigurationError
from rollback_tui.core.follow_ups import Ticked
from rollback_tui.core.history import asker, shown, trail
from rollback_tui.core.history.decisions import Decision
from rollback_tui.core.history.filters import Filters, failed, moment
from rollback_tui.core.history.metadata import PHASES, RunMetadata, damaged, metadata
from rollback_tui.core.history.summary import summarise
from rollback_tui.core.monitoring.values import Begun, MonitorView, Raised
from rollback_tui.core.recovery import LostRows
from rollback_tui.core.run_view import RunSummary, fold
from rollback_tui.core.text import cells
from tests.core import example

NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)


def a_summary(**changes: Any) -> RunSummary:
    made = RunSummary(
        run="5d0c6a1e-0000-4000-8000-000000000001",
        folder="/srv/runs/20240115_030000_5d0c6a1e",
        started_at="2024-01-15T03:00:00+00:00",
        database="shop",
        versions=("3",),
        outcome="rolled_back",
        seconds=20.0,
    )
    return msgspec.structs.replace(made, **changes)


def a_record(*events: ev.AnyEvent, **afterwards: Any) -> RunMetadata:
    records = example.records(*events)
    view = fold(records)
    return metadata(
        a_summary(outcome=view.outcome or "unfinished", seconds=view.elapsed), records, **afterwards
    )


# --- one run --------------------------------------------------------------------------------------


def test_a_good_run_as_a_flat_record() -> None:
    found = a_record(*example.rolled_back())
    assert (found.outcome, found.committed, found.proven) == ("rolled_back", True, True)
    assert (found.host, found.port, found.server_version) == ("db1", 5432, 180004)
    assert (found.framework, found.version_before, found.goal) == ("dbmate", "3", "2")
    assert (found.operator, found.operator_uid, found.operator_host) == ("ana", 1000, "jump1")
    assert (found.statements, found.statements_done) == (3, 3)
    assert (found.door, found.sessions_ended) == ("limit", 2)
    # From the door's closing to its opening, one second from event to event.
    closed = [type(e) for e in example.rolled_back()].index(ev.DoorClosed)
    opened = [type(e) for e in example.rolled_back()].index(ev.DoorOpened)
    assert found.downtime_seconds == opened - closed
    # DELETE 7, and 1,204 values of a column.
    assert (found.rows_lost, found.values_lost, found.rows_changed) == (7, 1204, 0)
    assert found.verifications_passed == ("rows",)
    assert found.checkpoint_seconds == 2.5
    assert (found.clone_seconds, found.gate_seconds) == (None, None)
    assert (found.alerts, found.monitored) == (None, False)
    assert found.journal_lines == len(example.rolled_back())


def test_what_nobody_knows_is_none_and_never_zero() -> None:
    unknown = msgspec.structs.replace(example.attempt()[-1], rows=None)
    events = [unknown if e == example.attempt()[-1] else e for e in example.rolled_back()]
    assert a_record(*events).rows_lost is None
    assert a_record(*events).values_lost == 1204

    going_on = a_record(*example.rolled_back()[:8])
    lost = (going_on.rows_lost, going_on.values_lost, going_on.rows_changed)
    assert (lost, going_on.downtime_seconds) == ((None, None, None), None)
    assert (going_on.finished_at, going_on.follow_ups_open) == (None, None)

    nothing = msgspec.structs.asdict(damaged(a_summary(outcome="journal damaged")))
    ours = msgspec.structs.asdict(a_summary())
    assert {v for k, v in nothing.items() if k not in ours and k != "monitored"} == {None}


def test_a_run_that_failed_lost_nothing_only_when_that_is_proven() -> None:
    assert a_record(*example.failed_at_two()).rows_lost == 0
    not_proven = [
        ev.UnchangedProven(proven=False) if isinstance(e, ev.UnchangedProven) else e
        for e in example.failed_at_two()
    ]
    assert a_record(*not_proven).rows_lost is None


@pytest.mark.parametrize(("rows", "lost"), [(12, 15), (None, None)])
def test_a_recovery_takes_away_what_was_written_since(rows: int | None, lost: int | None) -> None:
    tables = (
        LostRows(table="public.a", rows=rows, basis="counted"),
        LostRows(table="public.b", rows=3, basis="counted"),
    )
    events = (
        example.started(task="recover", recovers="/srv/runs/20240114_030000_11112222"),
        ev.RecoveryPlanned(rung="dump", restores="before", estimated_seconds=None, steps=()),
        ev.LostCounted(lost=tables, agreed=20),
        ev.Swapped(new_oid=7, kept="shop__failed"),
        example.finished("recovered"),
    )
    found = a_record(*events)
    assert (found.rows_lost, found.recovery_rung) == (lost, "dump")


def test_who_answered_and_who_aborted_is_in_the_record() -> None:
    who = "deploy (sudo by ada), uid 1000, ssh 10.0.0.7, host ops-1"
    question = ev.Question(
        name="gate", text="?", choices=("commit", "roll back"), default="roll back", seconds=9
    )
    found = a_record(
        example.started(trigger="an alert", attended=True),
        question,
        ev.Answered(name="gate", choice="commit", by="operator", who=who),
        question,
        ev.Answered(name="gate", choice="roll back", by="deadline"),
        ev.AbortAsked(who=who),
        example.finished("unchanged"),
    )
    assert found.questions == 2
    assert found.answers == (f"gate: commit, by {who}", "gate: roll back, by deadline")
    assert (found.abort_asked, found.abort_by) == (True, who)
    assert (found.trigger, found.attended) == ("an alert", True)


def test_what_was_kept_afterwards_is_counted() -> None:
    watched = MonitorView(
        begun=Begun(at=NOW, run="x", until=NOW, interval=15, rules=()),
        raised=tuple(
            Raised(at=NOW, metric=metric, value=1, threshold=0, summary="")
            for metric in ("error_rate", "lock_waits", "error_rate")
        ),
    )
    ticks = (Ticked(key="root_cause", done=True, at=NOW, by="ada"),)
    found = a_record(*example.rolled_back(), monitoring=watched, ticks=ticks)
    before = a_record(*example.rolled_back())
    assert found.alerts == ("error_rate", "lock_waits")
    assert (found.follow_ups_done, before.follow_ups_done) == (1, 0)
    # One is ticked, and each alert is to be looked after.
    assert before.follow_ups_open is not None
    assert found.follow_ups_open == before.follow_ups_open - 1 + 2


# --- which are meant ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ({}, True),
        ({"outcomes": ("refused", "rolled_back")}, True),
        ({"outcomes": ("refused",)}, False),
        ({"failed": True}, False),
        ({"task": "recover"}, False),
        ({"database": "shop", "environment": "production"}, True),
        ({"database": "Shop"}, False),
        ({"environment": "staging"}, False),
        ({"version": "3"}, True),
        ({"version": "2"}, False),
        ({"operator": "ana"}, True),
        ({"operator": "ada"}, True),
        ({"operator": "root"}, False),
        ({"since": example.BEGAN}, True),
        ({"since": example.BEGAN + timedelta(seconds=1)}, False),
        ({"until": example.BEGAN + timedelta(seconds=1)}, True),
        ({"until": example.BEGAN}, False),
    ],
)
def test_a_run_is_meant_or_not(asked: dict[str, Any], meant: bool) -> None:
    begun = example.started(operator=Operator(user="ana", uid=1000, sudo_user="ada"))
    assert Filters(**asked).takes(a_summary(), begun) is meant


def test_of_a_damaged_journal_only_the_outcome_is_true() -> None:
    broken = a_summary(outcome="journal damaged", started_at="", database="")
    assert Filters(failed=True).takes(broken, None)
    assert Filters(outcomes=("journal damaged",)).takes(broken, None)
    assert not Filters(database="shop").takes(broken, None)
    assert not Filters(since=NOW).takes(broken, None)


@pytest.mark.parametrize(
    ("outcome", "task", "is_one"),
    [
        ("rolled_back", "rollback", False),
        ("running", "rollback", False),
        ("stopped", "rollback", True),
        ("recovered", "rollback", True),
        ("recovered", "recover", False),
        ("rolled_back", "reapply", False),
        ("needs_operator", "recover", True),
    ],
)
def test_failed_is_what_did_not_do_what_was_wanted(outcome: str, task: str, is_one: bool) -> None:
    assert failed(a_summary(outcome=outcome, task=task)) is is_one


def test_a_folder_that_cannot_be_meant_is_not_read() -> None:
    filters = Filters(since=NOW, until=NOW + timedelta(days=1))
    assert filters.may_be("20260308_120000_5d0c6a1e")
    assert not filters.may_be("20260308_100000_5d0c6a1e")
    assert not filters.may_be("20260309_140000_5d0c6a1e")
    assert filters.may_be("a folder that was renamed")
    assert Filters().may_be("20200101_000000_5d0c6a1e")


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("7d", "2026-03-01T12:00:00+00:00"),
        ("36 h", "2026-03-07T00:00:00+00:00"),
        ("45m", "2026-03-08T11:15:00+00:00"),
        ("2w", "2026-02-22T12:00:00+00:00"),
        ("2026-03-01", "2026-03-01T00:00:00+00:00"),
        ("2026-03-01T03:14", "2026-03-01T03:14:00+00:00"),
        ("2026-03-01T03:14:15+02:00", "2026-03-01T03:14:15+02:00"),
        ("2026-03-01T03:14:15Z", "2026-03-01T03:14:15+00:00"),
    ],
)
def test_a_time_is_a_date_a_time_or_how_long_ago(text: str, means: str) -> None:
    assert moment(text, NOW, "--since").isoformat() == means


@pytest.mark.parametrize("text", ["yesterday", "7", "7y", "-7d", "999999w", "2026-13-01", ""])
def test_what_is_no_time_is_said_with_what_would_be(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--until .*is no time") as refused:
        moment(text, NOW, "--until")
    assert "36h, 7d" in refused.value.remedy


# --- many of them ---------------------------------------------------------------------------------


def many() -> list[RunMetadata]:
    """Twenty runs of February that took 1, 2, … 20 seconds to execute, and one of March."""
    good = a_record(*example.rolled_back())
    runs = [
        msgspec.structs.replace(
            good,
            run=f"{n:08x}",
            started_at=f"2026-02-{n:02}T03:00:00+00:00",
            execute_seconds=float(n),
            downtime_seconds=n / 2,
            checks_failed=("no_writers",) if n > 14 else (),
            overrides=("no_writers",) if n > 18 else (),
        )
        for n in range(1, 21)
    ]
    doubted = msgspec.structs.replace(runs[0], verifications_failed=("rows",), proven=False)
    bad = msgspec.structs.replace(
        a_record(*example.failed_at_two()),
        run="bad",
        started_at="2026-03-01T03:00:00+00:00",
        database="other\x1b[31m",
        checks_failed=("disk", "no_writers"),
        downtime_seconds=None,
    )
    return [doubted, *runs[1:], bad]


def test_a_summary_counts_and_measures() -> None:
    found = summarise(many())
    assert (found.runs, found.rolled_back, found.proven) == (21, 20, 19)
    assert found.proven_share == 0.95
    assert [(one.name, one.runs) for one in found.outcomes] == [
        ("rolled_back", 20),
        ("unchanged", 1),
    ]
    (execute,) = [one.seconds for one in found.phases if one.phase == "execute"]
    assert (execute.runs, execute.median, execute.p95, execute.longest) == (20, 10.5, 19, 20)
    assert (execute.longest_run, execute.total) == ("00000014", 210)
    assert found.downtime is not None
    assert (found.downtime.total, found.downtime_unknown) == (105, 1)
    assert [(one.name, one.runs) for one in found.checks_failed] == [("no_writers", 7), ("disk", 1)]
    assert [(one.name, one.runs) for one in found.overrides] == [("no_writers", 2)]
    assert [(one.name, one.runs) for one in found.verifications_failed] == [("rows", 1)]
    assert [(one.name, one.runs, one.failed) for one in found.by_month] == [
        ("2026-02", 20, 0),
        ("2026-03", 1, 1),
    ]
    assert [(one.downtime_seconds, one.downtime_unknown) for one in found.by_month] == [
        (105, 0),
        (0, 1),
    ]
    assert found.rows_lost == 140


def test_what_was_applied_again_is_no_rollback_that_went_well() -> None:
    good, *_ = many()
    again = msgspec.structs.replace(good, task="reapply")
    found = summarise([again, good])
    assert (found.runs, found.rolled_back, found.proven_share) == (2, 1, 0.0)
    assert [(one.name, one.runs) for one in found.tasks] == [("reapply", 1), ("rollback", 1)]


def test_of_nothing_there_is_nothing_to_say() -> None:
    found = summarise([])
    assert (found.runs, found.proven_share, found.seconds, found.downtime) == (0, None, None, None)
    assert list(shown.summary_lines(found)) == ["No runs."]
    alone = summarise([damaged(a_summary(outcome="journal damaged", started_at=""))])
    assert (alone.rows_lost, alone.downtime_unknown) == (None, 1)
    assert "rows lost: not known of every run" in list(shown.summary_lines(alone))


def test_the_summary_is_eighty_columns_wide_and_inert() -> None:
    lines = list(shown.summary_lines(summarise(many())))
    assert max(cells(line) for line in lines) <= 80
    text = "\n".join(lines)
    assert "20 rolled back, 19 of them proven (95%)" in text
    assert "other␛[31m" in text and "\x1b" not in text
    assert "not known" in next(line for line in lines if line.startswith("2026-03"))
    assert all(any(line.startswith(phase) for line in lines) for phase in ("execute", "checkpoint"))


def test_every_phase_has_its_seconds() -> None:
    names = {field.name for field in msgspec.structs.fields(RunMetadata)}
    assert {f"{phase}_seconds" for phase in PHASES} <= names


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+49 30", "'+49 30"),
        ("-2", "'-2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("a=b", "a=b"),
        ("\t=1", "␉=1"),
        (-2, -2),
        (None, ""),
        (True, True),
        ((), ""),
        (("=a", "b"), "'=a b"),
        (("no writers", "=b"), "no writers | =b"),
    ],
)
def test_no_cell_is_a_formula(value: object, written: object) -> None:
    assert shown.cell(value) == written


# --- who decided what -----------------------------------------------------------------------------

ADA = "deploy (sudo by ada), uid 1000, ssh 10.0.0.7, host ops-1"


def test_every_decision_inside_a_journal_is_there_with_who_and_from_where() -> None:
    operator = Operator(
        user="deploy", uid=1000, sudo_user="ada", ssh_connection="10.0.0.7 1 2 3", host="ops-1"
    )
    records = example.records(
        example.started(operator=operator, keep=(2, 3), trigger="an alert"),
        ev.CheckOverridden(name="no_writers", reason="the batch job may be ended"),
        ev.SchemaForeseen(verdict=example.LEFT, accepted="it is known"),
        ev.StepsStarted(backend_pid=1),
        ev.PhaseStarted(phase="gate"),
        ev.Answered(name="gate", choice="commit", by="operator", who="kim, uid 7, host b"),
        ev.Answered(name="gate", choice="roll back", by="deadline"),
        ev.AbortAsked(),
        ev.SettleStarted(by="guardian"),
        ev.SettleStarted(by="operator"),
    )
    found = list(trail.of_journal(records))
    assert [(one.what, one.who, one.line) for one in found] == [
        ("plan confirmed", "deploy (sudo by ada)", 1),
        ("loss acknowledged", "deploy (sudo by ada)", 1),
        ("data to be kept", "deploy (sudo by ada)", 1),
        ("check set aside", "deploy (sudo by ada)", 2),
        ("difference accepted", "deploy (sudo by ada)", 3),
        ("statement by statement", "deploy (sudo by ada)", 4),
        ("question answered", "kim", 6),
        ("question not answered", "the deadline", 7),
        ("abort asked for", "a signal", 8),
        ("settled by hand", "", 10),
    ]
    assert found[0].where == "uid 1000, ssh 10.0.0.7, host ops-1"
    assert "trigger: an alert; reason: signups fail" in found[0].detail
    assert found[1].detail == "statements 2, 3"
    assert found[3].detail == "no_writers: the batch job may be ended"
    assert found[4].detail.startswith("type public.mood, ")
    assert found[4].detail.endswith(": it is known")
    assert (found[6].where, found[7].where) == ("uid 7, host b", "")


def test_the_loss_that_a_recovery_was_allowed_is_there() -> None:
    records = example.records(
        example.started(task="recover", recovers="/srv/runs/20240114_030000_11112222"),
        ev.RecoveryPlanned(rung="dump", restores="as it was", estimated_seconds=None, steps=()),
        ev.LostCounted(lost=(), agreed=None),
    )
    assert [(one.what, one.detail) for one in trail.of_journal(records)][1:] == [
        ("way back chosen", "dump: as it was"),
        ("loss agreed to", "an unknown number of rows written since"),
    ]


def test_the_audit_log_and_the_journals_are_one_order_and_eighty_columns_wide() -> None:
    log = Decision(
        seq=4,
        at=example.BEGAN + timedelta(milliseconds=500),
        prev="",
        what="session terminated",
        detail="pid 4711 of a very long application name that goes on and on \x1b[2J " * 3,
        uid=0,
        stated=asker.Asker(user="root", host="ops-1"),
        tty="/dev/pts/3",
        pid=99,
    )
    journal = trail.of_journal(example.records(example.started(), ev.AbortAsked(who=ADA)))
    found = trail.in_order([*journal, *trail.of_log([log])])
    assert [(one.what, one.source) for one in found] == [
        ("plan confirmed", "journal"),
        ("loss acknowledged", "journal"),
        ("session terminated", "log"),
        ("abort asked for", "journal"),
    ]
    assert found[2].where == "uid 0, host ops-1, /dev/pts/3, pid 99"
    lines = list(shown.audit_lines(found))
    assert max(cells(line) for line in lines) <= 80
    assert "\x1b" not in "".join(lines)
    when = "2024-01-15 03:00:01  5d0c6a1e  abort asked for             deploy (sudo by ada)"
    assert when in lines


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("deploy", "deploy, uid 7"),
        ("uid 0", "user uid 0, uid 7"),
        ("a, uid 0", "a; uid 0, uid 7"),
        ("", "uid 7"),
    ],
)
def test_no_name_passes_for_the_kernels_word(user: str, said: str) -> None:
    line = asker.line(asker.Asker(user=user), 7)
    assert line == said
    assert asker.parted(line)[1] == "uid 7"
