"""What is read from a look at the server: who waits for whom, views, groups, rates, signals."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollback_tui.core.activity.groups import groups
from rollback_tui.core.activity.signals import cancelling, terminating
from rollback_tui.core.activity.trend import KEPT_SECONDS, SPARE_SECONDS, Rates, Trend, rates, slots
from rollback_tui.core.activity.views import ORDERS, VIEWS, counts, in_view, matches, view
from rollback_tui.core.activity.waits import Row, rows, tree
from rollback_tui.core.model import Activity, PreparedTransaction, Session
from tests.core.example import activity, session


def waits(pid: int, *blockers: int, **more: object) -> Session:
    return session(pid=pid, state="active", blocked_by=blockers, **more)


def keys(found: tuple[Row, ...]) -> list[str]:
    return [row.key for row in found]


def by_key(now: Activity) -> dict[str, Row]:
    return {row.key: row for row in rows(now)}


# --- who waits for whom -----------------------------------------------------------------------


def test_a_chain_counts_all_that_are_behind() -> None:
    now = activity(session(pid=1), waits(2, 1), waits(3, 2), waits(4, 2, 1), session(pid=5))
    assert {key: row.behind for key, row in by_key(now).items()} == {
        "1": 3,
        "2": 2,
        "3": 0,
        "4": 0,
        "5": 0,
    }
    # 4 waits for 2 and for 1: it stands below the one that is nearest to the top.
    assert [(row.key, row.depth) for row in tree(rows(now))] == [
        ("1", 0),
        ("2", 1),
        ("3", 2),
        ("4", 1),
    ]


def test_a_prepared_transaction_blocks_without_a_pid() -> None:
    prepared = (
        PreparedTransaction(gid="a", owner="o", age=9.0, blocks=(2,)),
        PreparedTransaction(gid="b", owner="o", age=5.0),
    )
    now = activity(waits(2, 0), waits(3, 2), waits(4, 0), prepared=prepared)
    found = by_key(now)
    assert (found["prepared:a"].behind, found["prepared:b"].behind) == (2, 0)
    assert found["prepared:a"].pid == 0 and found["prepared:a"].writing
    # Which one 4 waits for is not known: that is a line of its own, and no guess.
    assert found["4"].blocked_by == ("prepared:",)
    assert [(row.key, row.depth) for row in tree(rows(now))] == [
        ("prepared:a", 0),
        ("2", 1),
        ("3", 2),
        ("prepared:", 0),
        ("4", 1),
    ]
    assert "prepared:b" in keys(view("all", rows(now)))


def test_a_circle_ends_and_says_what_it_is() -> None:
    now = activity(waits(1, 3), waits(2, 1), waits(3, 2), waits(4, 3), waits(9, 9))
    found = tree(rows(now))
    assert sorted(keys(found)) == ["1", "2", "3", "4", "9"]
    assert [row.key for row in found if row.cycle] == ["1"]
    assert {row.key: row.behind for row in found} == {"1": 3, "2": 3, "3": 3, "4": 0, "9": 0}
    assert not by_key(now)["9"].blocked_by, "nobody waits for itself"


def test_who_is_not_in_the_list_still_blocks() -> None:
    found = by_key(activity(waits(2, 77)))
    assert (found["77"].session, found["77"].behind) == (None, 1)


def test_ours_are_shown_only_where_they_matter() -> None:
    quiet = session(pid=7, ours=True)
    assert keys(rows(activity(session(pid=1), quiet))) == ["1"]
    assert keys(rows(activity(waits(1, 7), quiet))) == ["1", "7"]


def test_a_parallel_worker_is_part_of_its_leader() -> None:
    worker = waits(11, 5, leader_pid=10, backend_type="parallel worker")
    blocked = waits(12, 11)
    now = activity(session(pid=5), session(pid=10, state="active"), worker, blocked)
    found = by_key(now)
    assert "11" not in found
    assert (found["10"].workers, found["10"].blocked_by, found["10"].behind) == ((11,), ("5",), 1)
    assert found["12"].blocked_by == ("10",)
    # One whose leader is not to be seen stays: nothing is lost.
    assert "11" in by_key(activity(worker))


def test_behind_a_long_queue_the_blockers_are_those_of_the_first() -> None:
    lock = "RowExclusive on public.t"
    asked = waits(2, 1, lock=lock, lock_age=9.0)
    late = [session(pid=pid, state="active", lock=lock, lock_age=1.0) for pid in range(3, 40)]
    other = session(pid=99, state="active", lock="Share on public.u", lock_age=1.0)
    found = by_key(activity(session(pid=1), asked, *late, other))
    assert found["1"].behind == 38
    assert found["39"].blocked_by == ("1",)
    assert found["99"].waits and not found["99"].blocked_by, "for whom it waits is not known"


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.integers(1, 12),
        st.tuples(st.lists(st.integers(0, 14), max_size=4), st.none() | st.integers(1, 12)),
        max_size=12,
    )
)
def test_the_tree_loses_nobody_and_ends(drawn: dict[int, tuple[list[int], int | None]]) -> None:
    now = activity(
        *(
            session(
                pid=pid,
                state="active",
                blocked_by=tuple(blockers),
                leader_pid=None if leader == pid else leader,
            )
            for pid, (blockers, leader) in drawn.items()
        ),
        prepared=(PreparedTransaction(gid="g", owner="o", age=1.0, blocks=(1, 2)),),
    )
    every = rows(now)
    assert len(set(keys(every))) == len(every)
    shown = tree(every)
    assert sorted(keys(shown)) == sorted(r.key for r in every if r.waits or r.behind)
    depths = [row.depth for row in shown]
    assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(depths))
    # Counted in another way: by going from each to all that wait for it.
    waiters = {row.key: {o.key for o in every if row.key in o.blocked_by} for row in every}
    for row in every:
        reached: set[str] = set()
        new = set(waiters[row.key])
        while new:
            reached |= new
            new = set().union(*(waiters[key] for key in new)) - reached
        assert row.behind == len(reached - {row.key})
        assert not row.behind or waiters[row.key]


# --- views, orders, filter --------------------------------------------------------------------

NOW = activity(
    session(pid=1, state="idle in transaction", transaction_age=60.0, writing=True),
    waits(2, 1, query_age=5.0, transaction_age=4.0),
    session(pid=3, state="active", query_age=50.0, query="VACUUM orders"),
    session(pid=4, state="idle", query_age=900.0, application="Émile"),
    session(pid=5, state="active", backend_type="walsender", query_age=9000.0),
    session(pid=6, state="", query_age=None),
    prepared=(PreparedTransaction(gid="old", owner="o", age=5000.0),),
)


def test_each_view_shows_what_it_says() -> None:
    every = rows(NOW)
    assert keys(view("all", every)) == ["1", "2", "prepared:old", "3", "4", "5", "6"]
    assert keys(view("running", every)) == ["3", "2"], "replication runs no query"
    assert keys(view("waiting", every)) == ["2"]
    assert keys(view("blocking", every)) == ["1"]
    assert keys(view("tree", every)) == ["1", "2"]
    found = counts(every)
    assert (found.all, found.running, found.waiting, found.blocking) == (7, 2, 1, 1)
    assert (found.tree, found.hidden) == (2, 1)


@pytest.mark.parametrize("name", VIEWS[:4])
def test_every_order_keeps_every_line(name: str) -> None:
    every = rows(NOW)
    wanted = sorted(row.key for row in every if in_view(name, row))  # type: ignore[arg-type]
    for order in range(len(ORDERS[name]) + 1):  # type: ignore[index]
        assert sorted(keys(view(name, every, order=order))) == wanted  # type: ignore[arg-type]


def test_the_filter_wants_all_words_in_any_field_and_any_case() -> None:
    found = {
        words: keys(view("all", rows(NOW), words=words))
        for words in (
            "vacuum",
            "VACUUM Shop",
            "vacuum nobody",
            "éMILE",
            "  ",
            "old",
            "walsender",
            "writes",
        )
    }
    assert found["vacuum"] == found["VACUUM Shop"] == ["3"]
    assert found["vacuum nobody"] == []
    assert found["éMILE"] == ["4"]
    assert len(found["  "]) == 7
    assert found["old"] == ["prepared:old"]
    assert found["walsender"] == ["5"]
    assert found["writes"] == ["1", "prepared:old"][:1]
    assert matches(rows(NOW)[0], "prepared transaction")


def test_groups_count_by_application_user_and_address() -> None:
    sessions = (
        session(pid=1, application="web", state="active", transaction_age=2.0),
        session(pid=2, application="web", state="idle in transaction (aborted)", writing=True),
        session(pid=3, application="", state="", user="b"),
        waits(4, 1, application="web", user="b", transaction_age=9.0),
        session(pid=5, application="web", leader_pid=1, backend_type="parallel worker"),
    )
    web, nameless = groups(sessions, "application")
    assert (web.name, web.count, web.active, web.idle_in_transaction) == ("web", 3, 2, 1)
    assert (web.waiting, web.writing, web.hidden, web.longest_transaction) == (1, 1, 0, 9.0)
    assert (nameless.name, nameless.hidden, nameless.longest_transaction) == ("", 1, None)
    assert [(g.name, g.count) for g in groups(sessions, "user")] == [("app", 2), ("b", 2)]
    assert [g.count for g in groups(sessions, "address")] == [4]


# --- rates ------------------------------------------------------------------------------------

T0 = datetime(2026, 3, 1, 3, tzinfo=UTC)


def look(seconds: float, **more: object) -> Activity:
    values: dict[str, object] = {"taken_at": T0 + timedelta(seconds=seconds), "rows_written": 0}
    return activity(**{**values, **more})


def test_rates_are_what_happened_between_two_looks() -> None:
    before = look(0, commits=10, rollbacks=1, rows_written=100)
    after = look(2, commits=29, rollbacks=2, rows_written=130)
    assert rates(before, after) == Rates(transactions=10.0, rows_written=15.0)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, look(1)),
        (look(1, commits=5), look(1, commits=9)),
        (look(2, commits=5), look(1, commits=9)),
        (look(0, commits=5, rows_written=5), look(1, commits=4, rows_written=4)),
        (look(0), look(1, commits=9, rows_written=9, stats_reset=T0)),
        (look(0, stats_reset=T0), look(1, commits=9, stats_reset=T0 + timedelta(seconds=1))),
    ],
    ids=["first", "clock stands", "clock back", "counter back", "first reset", "reset"],
)
def test_a_rate_that_cannot_be_said_is_none(before: Activity | None, after: Activity) -> None:
    assert rates(before, after) == Rates()


def test_a_counter_that_is_not_known_has_no_rate() -> None:
    found = rates(look(0, rows_written=None), look(1, commits=3))
    assert found == Rates(transactions=2.0, rows_written=None)


def test_the_trend_keeps_five_minutes() -> None:
    trend, before = Trend(), None
    for second in range(700):
        now = look(second, commits=1 + 3 * second)
        trend, before = trend.after(before, now), now
    assert len(trend.samples) == KEPT_SECONDS + SPARE_SECONDS + 1
    assert trend.rates.transactions == 3.0
    steps = slots(trend, lambda s: s.rates.transactions)
    assert steps == (3.0,) * 60
    # What goes on now is not in it: the picture stands still for five seconds.
    again = trend.after(before, look(699.5, commits=9000))
    assert slots(again, lambda s: s.rates.transactions) == steps
    # A clock that went back: what was before says nothing about when.
    assert len(trend.after(before, look(100)).samples) == 1


def test_a_gap_stays_a_gap() -> None:
    trend, before = Trend(), None
    for second in (*range(10), *range(20, 31)):
        now = look(second, connections=second)
        trend, before = trend.after(before, now), now
    found = slots(trend, lambda s: s.connections)
    assert found == (2.0, 7.0, None, None, 22.0, 27.0)
    assert slots(Trend(), lambda s: s.connections) == ()


# --- signals ----------------------------------------------------------------------------------

OURS = session(pid=500, ours=True)


def row_of(victim: Session) -> tuple[Row, Activity]:
    return Row(key=str(victim.pid), pid=victim.pid, session=victim), activity(victim, OURS)


@pytest.mark.parametrize(
    ("changes", "warned"),
    [
        ({"writing": True, "transaction_age": 3.0}, ""),
        ({"transaction_age": 3.0}, ""),
        ({"state": ""}, ""),
        ({"backend_type": "walsender"}, "REPLICATION"),
        ({"backend_type": "autovacuum worker", "user": ""}, "AUTOVACUUM"),
        ({"application": "pg_dump"}, "BACKUP"),
        ({"application": "pgBackRest [backup]"}, "BACKUP"),
        ({"application": "rollback_tui worker", "user": "other"}, "RUN"),
    ],
    ids=str,
)
def test_ending_more_than_an_idle_client_needs_the_pid(
    changes: dict[str, object], warned: str
) -> None:
    ending = terminating(*row_of(session(**changes)))
    assert not ending.refused and ending.typed and ending.lost
    assert bool(ending.warnings) is bool(warned)
    assert warned in " ".join(ending.warnings)


def test_an_idle_client_needs_no_typing() -> None:
    ending = terminating(*row_of(session()))
    assert (ending.refused, ending.typed, ending.warnings) == ("", False, ())
    running = cancelling(*row_of(session(state="active", writing=True, transaction_age=1.0)))
    assert (running.refused, running.typed) == ("", False)
    assert "rolled back" in running.lost


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"ours": True}, "our own"),
        ({"superuser": True}, "superuser"),
        ({"backend_type": "logical replication worker"}, "process of the server"),
        ({"backend_type": "parallel worker", "leader_pid": 3}, "pid 3"),
    ],
    ids=str,
)
def test_what_may_not_be_ended_is_refused_before_asking(
    changes: dict[str, object], why: str
) -> None:
    row, now = row_of(session(state="active", **changes))
    assert why in terminating(row, now).refused
    assert why in cancelling(row, now).refused
    mighty = msgspec.structs.replace(OURS, superuser=True)
    may = terminating(row, msgspec.structs.replace(now, sessions=(mighty,)))
    assert bool(may.refused) is ("superuser" not in changes)


def test_what_has_no_session_is_refused() -> None:
    prepared = PreparedTransaction(gid="a", owner="o", age=1.0)
    row = Row(key="prepared:a", pid=0, prepared=prepared)
    assert "ROLLBACK PREPARED" in terminating(row, NOW).refused
    assert terminating(Row(key="9", pid=9), NOW).refused
    assert "nothing to cancel" in cancelling(*row_of(session(state="idle in transaction"))).refused
