"""After COMMIT: fresh statistics for what the run wrote."""

from __future__ import annotations

import time

import psycopg

from rollback_tui.core import events as ev
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.statistics import stale
from rollback_tui.postgres import statistics
from rollback_tui.postgres.execute import session_timeouts
from rollback_tui.run.context import Run, summary_of


def refresh_statistics(run: Run) -> None:
    """ANALYZE what the run wrote, and nothing else: the planner must not work with what is gone.

    Best effort, within ``[health] analyze_seconds``; it is after COMMIT and cannot change the
    outcome. What was not done is named in the journal and in the report.
    """
    seconds = run.settings.health.analyze_seconds
    if not seconds:
        return
    writes = run.before.writes if run.before is not None else None
    tables, unsure = stale(run.plan, writes)
    began = time.monotonic()
    done = statistics.Done((), ())
    try:
        connection = run.live_target()
        connection.execute("RESET ROLE")
        # A synchronous standby that is away must not hold up what comes after the COMMIT.
        connection.execute("SET synchronous_commit = local")
        # The transaction's limits ended with it, and a script may have set others.
        limits = run.settings.run
        session_timeouts(connection, limits.lock_timeout_seconds, limits.statement_timeout_seconds)
        if tables:
            todo = statistics.steps(connection, tables)
            done = statistics.analyze(
                connection,
                todo,
                seconds,
                lambda text, rest: run.sql(connection, text, rest),
                lambda table, took, number: run.write(
                    ev.Progress(
                        phase="health",
                        summary=f"analysed {table} in {took:.2f} s",
                        done=number,
                        total=len(todo),
                    )
                ),
            )
            session_timeouts(
                connection, limits.lock_timeout_seconds, limits.statement_timeout_seconds
            )
    except (psycopg.Error, RollbackTuiError) as error:
        left = [table for table in tables if table not in done.analysed]
        why = summary_of(error)
        done = statistics.Done(done.analysed, tuple(f"{table}: {why}" for table in left) or (why,))
    if done.analysed or done.left or unsure:
        run.write(
            ev.StatisticsRefreshed(
                analysed=done.analysed,
                left=(*done.left, *unsure),
                seconds=round(time.monotonic() - began, 3),
            )
        )
