"""Who waits for whom on a real server: chains, prepared transactions, parallel queries, backups."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from rollback_tui.cli.state_text import Wanted, state_lines
from rollback_tui.core.activity.groups import groups
from rollback_tui.core.activity.signals import Signal, terminating
from rollback_tui.core.activity.trend import Trend, rates
from rollback_tui.core.activity.views import view
from rollback_tui.core.activity.waits import Row, rows, tree
from rollback_tui.core.model import Activity
from rollback_tui.postgres.activity import activity, terminate
from rollback_tui.postgres.connect import Connection, connect
from tests.conftest import Database
from tests.demo.processes import soon


@contextlib.contextmanager
def waiting(connection: psycopg.Connection[tuple[object, ...]], statement: str) -> Iterator[int]:
    """Have ``connection`` wait with ``statement`` in a thread; the pid."""

    def ask() -> None:
        with contextlib.suppress(psycopg.Error):
            connection.execute(statement.encode())

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield connection.info.backend_pid
    finally:
        connection.cancel_safe()
        thread.join(10)


def seen(ours: Connection, wait_for: int) -> Activity:
    """Look again and again until so many wait for a lock, and it is known for whom."""
    found: list[Activity] = []

    def enough() -> bool:
        found[:] = [activity(ours)]
        return sum(bool(s.blocked_by) for s in found[0].sessions) >= wait_for

    assert soon(enough, 10)
    return found[0]


def lines(now: Activity) -> list[tuple[str, int, int]]:
    return [(row.key, row.depth, row.behind) for row in tree(rows(now))]


@pytest.mark.parametrize("version", ["18", "16"])
def test_a_chain_behind_a_prepared_transaction(
    version: str, request: pytest.FixtureRequest
) -> None:
    """Three sessions and a prepared transaction: the one on top has no session at all."""
    database: Database = request.getfixturevalue("database" if version == "18" else "database16")
    gid = f"{database.name} prepared"
    with connect(database.dsn) as ours, contextlib.ExitStack() as stack:
        ours.execute("CREATE TABLE t (i int PRIMARY KEY, n int)")
        ours.execute("CREATE TABLE u (i int)")
        ours.execute("INSERT INTO t SELECT g, 0 FROM generate_series(1, 3) g")
        idle = database.connect()
        first, second, third = (
            database.connect(autocommit=False, application_name=f"shop-{n}") for n in (1, 2, 3)
        )
        idle.execute("BEGIN")
        idle.execute("UPDATE t SET n = 1 WHERE i = 1")
        idle.execute(f"PREPARE TRANSACTION '{gid}'")
        stack.callback(ours.execute, f"ROLLBACK PREPARED '{gid}'".encode())
        first.execute("UPDATE t SET n = 1 WHERE i = 2")
        second.execute("LOCK TABLE u")
        one = stack.enter_context(waiting(first, "UPDATE t SET n = 2 WHERE i = 1"))
        two = stack.enter_context(waiting(second, "UPDATE t SET n = 2 WHERE i = 2"))
        three = stack.enter_context(waiting(third, "SELECT * FROM u"))
        now = seen(ours, 3)
        key = f"prepared:{gid}"
        assert lines(now) == [(key, 0, 3), (str(one), 1, 2), (str(two), 2, 1), (str(three), 3, 0)]
        [prepared] = now.prepared
        assert prepared.blocks == (one,)
        by_pid = {s.pid: s for s in now.sessions}
        assert by_pid[three].lock == "AccessShare on public.u"
        # The first in the queue for a row holds the row's own lock, which has the table.
        assert by_pid[one].lock.startswith("Share on a row of public.t, transaction ")
        ages = [by_pid[pid].lock_age for pid in (one, two, three)]
        assert all(age is not None and age >= 0 for age in ages)
        shown = list(state_lines(now, Wanted(view="tree")))
        assert [line.split(",")[0].strip() for line in shown[2:]] == [
            f"level {n}" for n in (1, 2, 3, 4)
        ]
        assert gid in shown[2] and "3 behind it" in shown[2]
        assert f"waits for {one}, for Share on a row of public.t" in shown[4]
        assert [row.key for row in view("blocking", rows(now))] == [key, str(one), str(two)]
        [users] = [g for g in groups(now.sessions, "user") if g.name == database.owner]
        assert (users.waiting, users.writing) == (3, 2), "who only reads writes nothing"
        names = {g.name: g.waiting for g in groups(now.sessions, "application")}
        assert (names["shop-1"], names["test"]) == (1, 0)


def test_a_queue_for_one_row_has_one_on_top(database: Database) -> None:
    with connect(database.dsn) as ours, contextlib.ExitStack() as stack:
        ours.execute("CREATE TABLE t AS SELECT 1 AS i")
        holder = database.connect(autocommit=False)
        holder.execute("UPDATE t SET i = 2")
        others = [database.connect(autocommit=False) for _ in range(4)]
        pids = [stack.enter_context(waiting(o, "UPDATE t SET i = 3")) for o in others]
        now = seen(ours, 4)
        top, *below = tree(rows(now))
        assert (top.pid, top.behind, top.depth) == (holder.info.backend_pid, 4, 0)
        assert {row.pid for row in below} == set(pids)
        assert all("a row of public.t" in row.session.lock for row in below if row.session)
        # Ended on top, the rest goes on: what the tree is for.
        start = next(s.backend_start for s in now.sessions if s.pid == top.pid)
        assert terminate(ours, top.pid, start) == Signal(outcome="signalled")
        assert soon(lambda: all(row.pid != top.pid for row in rows(activity(ours))), 10)


def test_a_parallel_query_is_one_line(database: Database) -> None:
    with connect(database.dsn) as ours, contextlib.ExitStack() as stack:
        ours.execute("CREATE TABLE big AS SELECT g AS i FROM generate_series(1, 20000) g")
        ours.execute(
            "CREATE FUNCTION slow(i int) RETURNS int LANGUAGE plpgsql PARALLEL SAFE AS "
            "$$ BEGIN PERFORM pg_sleep(0.01); RETURN i; END $$"
        )
        worker = database.connect()
        for setting in (
            "parallel_setup_cost = 0",
            "parallel_tuple_cost = 0",
            "min_parallel_table_scan_size = 0",
            "max_parallel_workers_per_gather = 2",
        ):
            worker.execute(f"SET {setting}".encode())
        pid = stack.enter_context(waiting(worker, "SELECT count(slow(i)) FROM big"))
        found: list[Row] = []

        def at_work() -> bool:
            now = activity(ours)
            found[:] = [row for row in rows(now) if row.pid == pid and row.workers]
            return bool(found)

        assert soon(at_work, 10), "no parallel worker was started"
        now = activity(ours)
        workers = [s for s in now.sessions if s.leader_pid == pid]
        assert {s.backend_type for s in workers} <= {"parallel worker"}
        listed = {row.pid for row in rows(now)}
        assert pid in listed and not listed & {s.pid for s in workers}


def test_writes_are_counted_as_rates(database: Database) -> None:
    with connect(database.dsn) as ours:
        ours.execute("CREATE TABLE t (i int)")
        before = activity(ours)
        other = database.connect()
        other.execute("INSERT INTO t SELECT generate_series(1, 50)")
        other.execute("DELETE FROM t WHERE i <= 10")
        other.close()
        # Counted when the session ends; before 15 by a process of its own, a moment later.
        assert before.rows_written is not None
        wanted = before.rows_written + 60
        assert soon(lambda: (activity(ours).rows_written or 0) >= wanted, 10)
        now = activity(ours)
        found = rates(before, now)
        assert found.rows_written and found.transactions
        assert Trend().after(None, before).after(before, now).rates == found
        with psycopg.connect(database.superuser_dsn, autocommit=True) as admin:
            admin.execute("SELECT pg_stat_reset()")
        assert soon(lambda: activity(ours).stats_reset != now.stats_reset, 10)
        reset = activity(ours)
        assert rates(now, reset).transactions is None


def test_a_backup_is_recognised(database: Database) -> None:
    database.connect(application_name="pg_dump").execute("SELECT 1")
    with connect(database.dsn) as ours:
        now = activity(ours)
        [row] = [r for r in rows(now) if r.session and r.session.application == "pg_dump"]
        ending = terminating(row, now)
        assert ending.typed and "BACKUP" in ending.warnings[0]


def test_the_command_prints_a_view_and_watches(database: Database, tmp_path: Path) -> None:
    with connect(database.dsn) as ours, contextlib.ExitStack() as stack:
        ours.execute("CREATE TABLE t (i int)")
        holder = database.connect(autocommit=False)
        holder.execute("LOCK TABLE t")
        pid = stack.enter_context(waiting(database.connect(), "SELECT * FROM t"))
        seen(ours, 1)
        program = [sys.executable, "-m", "rollback_tui", "state", "--dsn", database.dsn]
        done = subprocess.run(
            [*program, "--view", "waiting", "--json"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        printed = json.loads(done.stdout)["view"]
        [row] = printed["rows"]
        assert (row["pid"], row["blocked_by"]) == (pid, [str(holder.info.backend_pid)])
        watching = subprocess.Popen(
            [*program, "--watch", "0.5", "--json", "--view", "blocking"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert watching.stdout is not None
            first, second = (json.loads(watching.stdout.readline()) for _ in range(2))
            assert first["rates"] == {"transactions": None, "rows_written": None}
            assert second["rates"]["transactions"] is not None
            assert [r["behind"] for r in second["view"]["rows"]] == [1]
        finally:
            watching.terminate()
            watching.communicate(timeout=20)
