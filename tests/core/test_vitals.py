"""From two looks to readings: what is counted, what is not known, and why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

import msgspec
import pytest

from rollback_tui.core.monitoring.query_text import shown
from rollback_tui.core.monitoring.statement_times import QueryTime, Statements, compare
from rollback_tui.core.monitoring.usual import Probed, UsualVitals, usual_of
from rollback_tui.core.monitoring.values import METRICS, Metric, Reading, Usual
from rollback_tui.core.monitoring.vitals import (
    NO_STANDBY,
    Busy,
    Connections,
    Counted,
    LockWait,
    Logged,
    Standby,
    Vitals,
    Yardstick,
    readings,
)
from rollback_tui.core.query_errors import LoggedError

T0 = datetime(2024, 1, 15, 3, 0, tzinfo=UTC)
BEGAN = T0 - timedelta(days=10)


def counted(**changes: Any) -> Counted:
    start: dict[str, Any] = {
        "commits": 10_000,
        "rollbacks": 100,
        "deadlocks": 2,
        "hit": 990_000,
        "read": 10_000,
        "fatal": 5,
        "abandoned": 1,
        "reset": BEGAN,
    }
    return Counted(**(start | changes))


def vitals(seconds: float = 0, **changes: Any) -> Vitals:
    start: dict[str, Any] = {
        "taken_at": T0 + timedelta(seconds=seconds),
        "started_at": BEGAN,
        "server_version": 160003,
        "in_recovery": False,
        "database": "shop",
        "database_oid": 16400,
        "counted": counted(),
        "connections": Connections(total=40, maximum=100, reserved=3, inside=30, active=2),
    }
    return Vitals(**(start | changes))


def of(metric: Metric, found: tuple[Reading, ...]) -> Reading:
    (reading,) = (one for one in found if one.metric == metric)
    return reading


def between(metric: Metric, before: Counted, now: Counted, **more: Any) -> Reading:
    """The reading of a minute in which these were counted."""
    return of(metric, readings(vitals(counted=before), vitals(60, counted=now), **more))


COUNTING: tuple[Metric, ...] = ("rollbacks", "deadlocks", "cache_hit", "query_errors")


def test_each_metric_of_the_database_has_one_reading() -> None:
    found = [one.metric for one in readings(vitals(), vitals(60))]
    assert sorted(found) == sorted(set(METRICS) - {"database", "error_rate", "response_time"})


def test_what_a_minute_brought_is_told_per_minute_and_as_shares() -> None:
    later = counted(commits=10_700, rollbacks=400, deadlocks=5, hit=999_000, read=11_000)
    rolled = between("rollbacks", counted(), later)
    assert (rolled.value, rolled.counted) == (0.3, 1000)
    assert rolled.evidence == ("300 of 1,000 transactions in 60 s",)
    assert between("deadlocks", counted(), later).value == 3
    cache = between("cache_hit", counted(), later)
    assert (cache.value, cache.counted) == (0.9, 10_000)


def test_our_own_transactions_are_left_out() -> None:
    before = vitals(asked=4)
    ours = Connections(total=40, maximum=100, inside=30, ours=1)
    now = vitals(60, counted=counted(commits=10_004, rollbacks=220), connections=ours)
    reading = of("rollbacks", readings(before, now))
    assert reading.why == "no transaction ended since the last look"
    other = vitals(60, counted=counted(commits=10_104, rollbacks=240), connections=ours)
    reading = of("rollbacks", readings(before, other))
    assert (reading.value, reading.counted) == (20 / 120, 120)
    assert reading.evidence[1] == "120 more that may be of our own sessions are left out"


@pytest.mark.parametrize(
    ("before", "now", "why"),
    [
        (None, vitals(60), "this is the first look"),
        (vitals(), vitals(60, database_oid=16999), "another database has taken its place"),
        (vitals(), vitals(60, database_oid=None, counted=None), "there is no database shop"),
        (vitals(), vitals(-1), "the server's clock went back"),
        (vitals(), vitals(0.4), "the last look was only 0.4 s ago"),
        (vitals(), vitals(60, started_at=T0), "the server was started anew"),
        (vitals(), vitals(60, in_recovery=True), "it is another one"),
        (vitals(), vitals(60, counted=counted(reset=T0)), "were set to zero"),
        (vitals(), vitals(60, counted=counted(hit=5)), "were set to zero"),
        (vitals(counted=counted(reset=None)), vitals(60), "were set to zero"),
    ],
)
def test_what_cannot_be_subtracted_is_not_known(
    before: Vitals | None, now: Vitals, why: str
) -> None:
    found = readings(before, now, Yardstick(load=1.0))
    for metric in (*COUNTING, "query_performance", "query_load"):
        reading = of(metric, found)
        assert reading.value is None
        assert why in reading.why
    assert of("database_connections", found).value == 40


def test_a_database_that_nobody_had_used_yet_begins_to_count() -> None:
    unused = Counted(commits=0, rollbacks=0, deadlocks=0, hit=0, read=0, fatal=0, abandoned=0)
    now = vitals(60, counted=counted(commits=36, rollbacks=4))
    reading = of("rollbacks", readings(vitals(counted=unused), now))
    assert (reading.value, reading.counted) == (0.1, 40)


def test_nothing_asked_for_is_not_a_share_of_nothing() -> None:
    found = readings(vitals(), vitals(60))
    assert of("rollbacks", found).value is None
    assert of("cache_hit", found).why == "no block was asked for since the last look"
    assert of("deadlocks", found).value == 0


def test_connections_are_those_of_the_server_and_say_whose_they_are() -> None:
    seen = Connections(
        total=40,
        maximum=100,
        reserved=3,
        inside=30,
        limit=35,
        idle_in_transaction=4,
        applications=(("shop\x1b[2J", 25), ("", 5)),
    )
    idle = (Busy(pid=9, application="shop", user="app", seconds=75.2, query="SELECT 'secret'"),)
    reading = of("database_connections", readings(None, vitals(connections=seen, idle=idle)))
    assert (reading.value, reading.counted) == (40, 40)
    assert reading.evidence == (
        "40 of 100 connections of the server (3 of them reserved)",
        "30 in shop: shop␛[2J 25, (without a name) 5",
        "the database's own limit is 35",
        "4 idle in transaction",
        "pid 9 (shop) idle in transaction for 75 s, after: SELECT ?",
    )


def test_the_longest_query_is_known_only_where_all_can_be_seen() -> None:
    old = Busy(pid=7, application="shop", user="app", seconds=90.4, query="UPDATE t SET a = 42")
    reading = of("longest_query", readings(None, vitals(oldest=(old,))))
    assert reading.value == 90.4
    assert reading.evidence == ("pid 7 (shop as app) for 90 s: UPDATE t SET a = ?",)
    assert of("longest_query", readings(None, vitals())).value == 0
    reading = of("longest_query", readings(None, vitals(oldest=(old,), hidden=3)))
    assert reading.value is None and "pg_read_all_stats" in reading.why
    assert "3 sessions execute" in reading.why


def test_lock_waits_name_who_is_in_the_way() -> None:
    wait = LockWait(
        pid=11,
        application="worker",
        seconds=12.3,
        lock="RowExclusiveLock on public.users",
        behind=("pid 7 (shop, idle in transaction for 40 s)",),
    )
    reading = of("lock_waits", readings(None, vitals(waiting=3, waits=(wait,))))
    assert reading.value == 3
    assert reading.evidence == (
        "pid 11 (worker) has waited 12 s for RowExclusiveLock on public.users, behind"
        " pid 7 (shop, idle in transaction for 40 s)",
        "… and 2 more",
    )
    unseen = of("lock_waits", readings(None, vitals(waiting=3, waiting_unknown=1)))
    assert unseen.value is None and "1 session wait" in unseen.why


def test_replication() -> None:
    def lag(*standbys: Standby, usual: int | None = 0, **changes: Any) -> Reading:
        now = vitals(standbys=standbys, **changes)
        return of("replication_lag", readings(None, now, Yardstick(standbys=usual)))

    here = Standby(application="a", state="streaming", seconds=0.0, bytes=0)
    late = Standby(application="b", state="streaming", seconds=45.0, bytes=9_000_000)
    silent = Standby(application="c", state="catchup", seconds=None, bytes=512)
    assert (lag().value, lag().why, lag().nothing) == (None, NO_STANDBY, True)
    assert lag(usual=1).why == "no standby any more: there was one before the run"
    assert "nobody looked" in lag(usual=None).why
    assert not lag().unknown
    assert lag(usual=1).unknown
    assert lag(usual=None).unknown, "one that is gone is not told from one that never was"
    assert lag(standbys_hidden=1).unknown
    assert lag(here).value == 0
    assert lag(here, late).value == 45
    assert "b (streaming): 45.0 s, 9,000,000 bytes behind" in lag(here, late).evidence
    assert lag(late, silent).why == "c is behind, the server does not say how long"
    assert lag(here, standbys_hidden=1).value is None
    assert lag(in_recovery=True, behind=2.5).value == 2.5
    assert lag(in_recovery=True).value is None


def errors(*texts: str, state: str = "42703") -> Logged:
    return Logged(
        errors=tuple(
            LoggedError(source="log", text=text, sqlstate=state, application="shop")
            for text in texts
        )
    )


def test_errors_are_of_the_log_and_of_sessions_that_ended_badly() -> None:
    later = counted(fatal=7, abandoned=2)
    both = between("query_errors", counted(), later, logged=errors("a 1", "a 2", "b"))
    assert (both.value, both.counted) == (4, 4)
    assert both.evidence == (
        "2 × (shop): 42703 a 1",
        "1 × (shop): 42703 b",
        "2 sessions ended by an error",
        "1 session whose client was lost",
    )
    unread = between("query_errors", counted(), later, logged=Logged(why="no such file"))
    assert unread.value == 3
    assert "not read: the server's log: no such file" in unread.evidence
    older = {"fatal": None, "abandoned": None}
    of_13 = between("query_errors", counted(**older), counted(**older), logged=Logged(why="gone"))
    assert of_13.value is None and of_13.why.endswith("its log: gone")
    read = between("query_errors", counted(**older), counted(**older), logged=errors("a"))
    assert (read.value, read.source) == (1, "the server's log")


def test_values_that_somebody_typed_do_not_leave_the_house() -> None:
    logged = errors('invalid input syntax for type integer: "4111 1111"', state="22P02")
    (line,) = between("query_errors", counted(), counted(), logged=logged).evidence
    assert line == '1 × (shop): 22P02 invalid input syntax for type integer: "?"'
    assert shown("SELECT 1 FROM \"t 1\" WHERE a = 'it''s' AND b = E'\\'x' -- of ada") == (
        'SELECT ? FROM "t 1" WHERE a = ? AND b = ?'
    )
    assert shown("UPDATE t1 SET a = $1, b = $q$ it's $q$ /* trace='1' */ WHERE c2 > .5e3") == (
        "UPDATE t1 SET a = $1, b = ? WHERE c2 > ?"
    )
    assert shown("ALTER ROLE app PASSWORD 'secret'") == "ALTER ROLE …"
    assert shown("INSERT INTO t VALUES ('cut in the mid") == "INSERT INTO t VALUES (?"
    assert shown("/* trace */ select\n\t1") == "select ?"


# --- queries --------------------------------------------------------------------------------------


def query(number: int, calls: int, seconds: float, text: str = "") -> QueryTime:
    text = text or f"SELECT {number}"
    return QueryTime(id=number, hash=crc32(text.encode()), text=text, calls=calls, seconds=seconds)


def stats(seconds: float, *queries: QueryTime, **changes: Any) -> Statements:
    start: dict[str, Any] = {
        "taken_at": T0 + timedelta(seconds=seconds),
        "calls": sum(one.calls for one in queries),
        "seconds": sum(one.seconds for one in queries),
        "queries": queries,
        "reset": BEGAN,
        "evicted": 0,
    }
    return Statements(**(start | changes))


def measured(usual: Statements, before: Statements, now: Statements) -> tuple[Reading, Reading]:
    found = readings(
        vitals(statements=before),
        vitals(60, statements=now),
        Yardstick(statements=usual, load=0.1, load_of="60 s before the run"),
    )
    return of("query_performance", found), of("query_load", found)


def test_queries_are_compared_with_what_they_took_before_the_run() -> None:
    usual = stats(-9, query(1, 100, 1.0), query(2, 10, 1.0))
    # At the last look they were slow already: that is not what is usual.
    before = stats(0, query(1, 200, 4.0), query(2, 20, 6.0))
    now = stats(60, query(1, 300, 5.0), query(2, 30, 11.0), query(3, 4, 0.8))
    performance, load = measured(usual, before, now)
    # 100 calls of 10 ms and 10 of 100 ms were to be expected: 2 s; they took 6.
    assert (performance.value, performance.counted) == (3.0, 110)
    assert performance.evidence == (
        "100 ms → 500 ms, 10 calls: SELECT 2",
        "not there before: 4 × 200 ms: SELECT 3",
    )
    assert load.value == pytest.approx(6.8 / 60 / 0.1)
    assert load.evidence[1] == "before 0.1 (60 s before the run)"


def test_a_query_with_another_number_and_the_same_text_is_the_same() -> None:
    usual = stats(-9, query(1, 100, 1.0, "SELECT a FROM t"))
    before = stats(0, query(1, 100, 1.0, "SELECT a FROM t"))
    now = stats(60, *before.queries, query(77, 50, 1.0, "SELECT a FROM t"))
    performance, _ = measured(usual, before, now)
    assert (performance.value, performance.counted) == (2.0, 50)
    same_id = stats(60, *before.queries, query(1, 50, 1.0, "SELECT a FROM t -- other comment"))
    assert measured(usual, before, same_id)[0].value == 2.0


def test_what_cannot_be_compared_is_counted_and_left_out() -> None:
    usual = stats(-9, query(1, 100, 1.0), query(2, 100, 1.0))
    before = stats(0, query(1, 100, 1.0), query(2, 100, 1.0), left=40)
    now = stats(60, query(1, 5, 0.5), query(2, 110, 1.1), query(3, 9, 9.0), evicted=1)
    found = compare(usual, before, now)
    assert found.times == pytest.approx(1.0)
    assert (found.calls, found.skipped, found.new) == (10, 2, ())
    # The sum is smaller than before; what was seen to be spent is the least.
    assert found.seconds == pytest.approx(8.6)
    assert "2 queries cannot be compared" in measured(usual, before, now)[0].evidence[-1]
    idle = measured(usual, before, stats(60, *before.queries, left=40))
    assert idle[0].why == "no query that was there before the run was called since the last look"
    assert idle[1].value == 0


def test_statistics_that_were_set_to_zero_say_nothing_of_the_time_before() -> None:
    usual = before = stats(0, query(1, 100, 1.0))
    for now in (
        stats(60, query(1, 900, 9.0), reset=T0),
        stats(60, query(1, 5, 0.1), reset=BEGAN),
        msgspec.structs.replace(stats(60, query(1, 900, 9.0)), taken_at=T0 - timedelta(1)),
    ):
        performance, load = measured(usual, before, now)
        assert performance.value is None and load.value is None
        assert "zero" in performance.why or "clock" in performance.why


def test_without_the_extension_it_is_said() -> None:
    now = vitals(60, statements_why="it is not there")
    found = readings(vitals(), now, Yardstick())
    assert of("query_performance", found).why == "it is not there"
    usual = Yardstick(why="it was not there")
    both = vitals(statements=stats(0)), vitals(60, statements=stats(60, query(1, 5, 1.0)))
    found = readings(*both, usual)
    assert of("query_performance", found).why.endswith("it was not there")
    assert of("query_load", found).value is None
    assert of("query_load", found).evidence == ("0.0167 s of execution a second",)


# --- what was usual -------------------------------------------------------------------------------


def usual(first: Vitals | None, last: Vitals | None, **more: Any) -> UsualVitals:
    settings: dict[str, Any] = {"seconds": 60.0} | more
    return usual_of(T0, first, last, settings.pop("probed", Probed(why="no URL")), **settings)


def was(metric: Metric, found: UsualVitals) -> Usual:
    (one,) = (one for one in found.usual if one.metric == metric)
    return one


def test_of_two_views_the_one_that_alerts_earlier_is_taken_and_named() -> None:
    # All time: 1 % rolled back, 99 % hits. The last minute: 10 %, and 99.9 %.
    later = counted(commits=10_900, rollbacks=200, hit=1_000_000, read=10_010)
    found = usual(vitals(), vitals(60, counted=later))
    rolled = was("rollbacks", found)
    assert rolled.value == pytest.approx(200 / 11_100)
    assert rolled.source == "pg_stat_database, since 2024-01-05 03:00"
    cache = was("cache_hit", found)
    assert cache.value == pytest.approx(0.999, abs=1e-4)
    assert cache.source == "pg_stat_database, 60 s before the run"
    assert was("database_connections", found).value == 40
    lag = was("replication_lag", found)
    assert (lag.why, lag.nothing) == (NO_STANDBY, True)


def test_a_moment_is_not_taken_for_what_is_usual() -> None:
    """A single error in a second would be sixty a minute."""
    later = counted(commits=10_100, deadlocks=3, fatal=6)
    found = usual(vitals(), vitals(1.2, counted=later), seconds=1.2)
    assert was("rollbacks", found).source.startswith("pg_stat_database, since")
    assert was("deadlocks", found).value == pytest.approx(3 / (10 * 1440), rel=0.01)
    errors_ = was("query_errors", found)
    assert (errors_.value, errors_.why) == (None, "measured for 1.2 s only")
    unknown_since = counted(commits=10_100, reset=None)
    found = usual(
        vitals(counted=counted(reset=None)), vitals(1.2, counted=unknown_since), seconds=1.2
    )
    assert was("deadlocks", found).why == "measured for 1.2 s only"
    assert was("rollbacks", found).source == "pg_stat_database, since they began"


def test_what_could_not_be_looked_at_says_why() -> None:
    found = usual(None, None, why="the server answers slowly", probed=Probed(why="no URL"))
    assert {one.value for one in found.usual} == {None}
    assert {one.why for one in found.usual} == {"the server answers slowly", "no URL"}
    assert len(found.usual) == len(METRICS) - 1
    probed = usual(None, None, probed=Probed(probes=4, failed=1, slow=0.2))
    assert was("error_rate", probed).value == 0.25
    assert (was("response_time", probed).value, was("response_time", probed).counted) == (0.2, 4)


def test_the_load_is_of_the_quieter_view_and_never_of_nothing() -> None:
    first = stats(0, query(1, 100, 864.0))
    last = stats(60, query(1, 400, 876.0))
    found = usual(vitals(statements=first), vitals(60, statements=last))
    # 12 s in 60, and 876 in ten days.
    assert found.yardstick.load == pytest.approx(876 / (10 * 86_400 + 60))
    assert found.yardstick.load_of == "since 2024-01-05 03:00"
    assert was("query_load", found).value == 1
    evicted = (msgspec.structs.replace(one, evicted=3) for one in (first, last))
    looks = [vitals(60 * n, statements=one) for n, one in enumerate(evicted)]
    found = usual(*looks)
    assert found.yardstick.load == pytest.approx(0.2)
    assert found.yardstick.load_of == "60 s before the run"
    idle = usual(
        vitals(statements=stats(0, evicted=3)), vitals(60, statements=stats(60, evicted=3))
    )
    assert idle.yardstick.load is None
    assert was("query_load", idle).value is None and was("query_load", idle).why
    assert was("query_performance", idle).why == "no query was executed"


def test_the_file_reads_back_as_it_was_written() -> None:
    found = usual(vitals(statements=stats(0, query(1, 100, 1.0))), vitals(60))
    assert msgspec.json.decode(msgspec.json.encode(found), type=UsualVitals) == found
