"""A plan that cannot run in one transaction: statement by statement, each known to be done.

A statement that may run in a transaction has one of its own, in which the run's row counts it.
One that may not runs alone, journaled before and after. What is done stays done; only a
checkpoint brings it back, so there must be one.
"""

from __future__ import annotations

from functools import partial

import psycopg
from psycopg import errors

from rollback_tui.core import events as ev
from rollback_tui.core.errors import RunRefused
from rollback_tui.core.model import Migration, Statement
from rollback_tui.core.text import printable
from rollback_tui.postgres import concurrent, run_row
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.door import backend_start
from rollback_tui.postgres.execute import (
    Answer,
    in_transaction,
    session_timeouts,
    timeouts,
    transaction_id,
)
from rollback_tui.postgres.execute import execute as send
from rollback_tui.postgres.ourselves import OURSELVES
from rollback_tui.postgres.watchdog import answer_within
from rollback_tui.postgres.writes import flush
from rollback_tui.run.context import Aborted, Run, summary_of
from rollback_tui.run.execution import (
    StatementRefused,
    TransactionLost,
    applied_locked,
    failed,
    foresee_losses,
    insert_run_row,
    lock_as_framework,
    losses_of,
    patiently,
    still_applied,
    words_of,
)
from rollback_tui.run.keeping import all_kept, keep, not_together
from rollback_tui.run.request import Resumption
from rollback_tui.run.steps import detaching, half_built
from rollback_tui.run.verifying.capture import capture

_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_LOOK = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_AS_OURSELVES = b"SET LOCAL session_authorization TO DEFAULT; SET LOCAL role TO DEFAULT"
"""A script may have taken another role; what is ours is done as ourselves. SET LOCAL after a SET
lasts to the end of the transaction, and then the SET counts."""
_STAYS = "What came before it stays done; the report says how far it came."


def execute_stepwise(run: Run) -> None:
    """Run the plan to its end, version changes included; then ``run.committed`` is set.

    Raises StatementRefused, TransactionLost, Aborted, RunRefused, OSError (journal) or
    psycopg.Error; some of the plan may be done then, and nothing undoes it.
    """
    if run.view.checkpoint is None and run.view.clone is None:
        raise RunRefused(
            "there is no checkpoint, and nothing else would bring this script back",
            "Set [checkpoint] enabled = true.",
        )
    connection = run.live_target()
    with run.phase("execute", "statement by statement: what is done stays done") as outcome:
        _begin(run, connection)
        _take_over(run, connection)
        gone: list[str] = []
        for migration in run.plan.migrations:
            for statement in migration.script.statements if migration.script else ():
                _step(run, connection, statement)
            connection.execute(OURSELVES)
            gone.append(migration.version)
            patiently(run, partial(_cross_out, run, connection, migration, tuple(gone)))
        outcome.summary = f"{len(run.plan.statements)} statements, each for itself"


def _begin(run: Run, connection: Connection) -> None:
    """Set the limits, look at what is there, and write the run's row, committed at once."""
    _limits(run, connection)
    run.backend_pid = connection.info.backend_pid
    run.backend_start = backend_start(connection)
    flush(connection)
    connection.execute(_LOOK)
    try:
        still_applied(run, connection)
        capture(run, connection, cumulative=True)
        foresee_losses(run, connection)
    finally:
        if not connection.broken:
            connection.execute("ROLLBACK")
    resumed = run.request.resume
    theirs = resumed.invalid_indexes if resumed else ()
    run.write(
        ev.StepsStarted(
            backend_pid=run.backend_pid,
            backend_start=run.backend_start,
            # What an interrupted run left is ours to clear away, also for the next one.
            invalid_indexes=tuple(
                i.name for i in concurrent.invalid_indexes(connection) if i.name not in theirs
            ),
            resumes=resumed.run if resumed else "",
        )
    )
    insert_run_row(run, connection)


def _limits(run: Run, connection: Connection) -> None:
    """Set the session's own limits; again after each statement, because a script may have set
    others. Where commits are not waited for, a crash could take back what is said to be done."""
    limits = run.settings.run
    session_timeouts(connection, limits.lock_timeout_seconds, limits.statement_timeout_seconds)
    connection.execute(
        "SELECT pg_catalog.set_config('synchronous_commit', 'on', false)"
        " WHERE pg_catalog.current_setting('synchronous_commit') = 'off'"
    )


def _take_over(run: Run, connection: Connection) -> None:
    """Take over what an interrupted run has done, and clear away what it left half built."""
    resumed = run.request.resume or Resumption(run="", skip={})
    if resumed.skip:
        # Counted first: what is journaled as skipped must never be missing in the row.
        connection.execute(_BEGIN)
        _count(run, connection, max(resumed.skip))
        connection.execute("COMMIT")
    for index, why in sorted(resumed.skip.items()):
        run.write(ev.StatementSkipped(index=index, why=why))
    _drop_invalid(run, connection, resumed.invalid_indexes)


def _step(run: Run, connection: Connection, statement: Statement) -> None:
    """Do one statement, unless it is known to be done."""
    if run.request.resume and statement.index in run.request.resume.skip:
        return
    alone = statement.effect.transactional is False

    def attempt() -> None:
        nonlocal alone
        if alone:
            _alone(run, connection, statement)
            return
        try:
            _in_its_own_transaction(run, connection, statement)
        except errors.ActiveSqlTransaction:
            # Nothing was done: the server says that it must not be in a transaction.
            not_together(run, statement)
            alone = True
            _alone(run, connection, statement)

    try:
        patiently(run, attempt)
    except errors.QueryCanceled as error:
        failed(run, statement, error)
        run.check_abort()
        raise StatementRefused(
            f"statement {statement.index} was cancelled: {summary_of(error)}",
            "Raise [run] statement_timeout_seconds if it needs longer.",
        ) from None
    except psycopg.Error as error:
        if connection.broken:
            raise
        failed(run, statement, error)
        raise StatementRefused(
            f"statement {statement.index} (line {statement.line}) failed: {words_of(error)}", _STAYS
        ) from None


def _in_its_own_transaction(run: Run, connection: Connection, statement: Statement) -> None:
    """The statement and its count in one transaction: it is done exactly when it is counted."""
    connection.execute(_BEGIN)
    try:
        limits = run.settings.run
        connection.execute(timeouts(limits.lock_timeout_seconds, limits.statement_timeout_seconds))
        losses = losses_of(connection, statement)
        kept = keep(run, connection, statement)
        run.write(ev.StatementStarted(index=statement.index))
        with answer_within(connection, run.patience()):
            answer = send(connection, statement.sql, notices_kept=run.settings.run.notices_kept)
        if not in_transaction(connection):
            raise TransactionLost(
                f"statement {statement.index} ended its transaction",
                "Whether all of it is done cannot be told: look at the database.",
            )
        all_kept(statement, kept, answer.rows)
        _count(run, connection, statement.index)
        _commit(run, connection)
    except BaseException:
        _roll_back(connection)
        raise
    if losses:
        # Not before: an attempt that had to be repeated removed nothing, and kept nothing.
        run.write(ev.LossCounted(statement=statement.index, losses=losses))
    for event in kept:
        run.write(event)
    _finished(run, statement, answer)
    _limits(run, connection)


def _alone(run: Run, connection: Connection, statement: Statement) -> None:
    """A statement that refuses to run in a transaction. What it left half built when it failed
    is cleared away before it is tried again."""
    names = detaching(statement)
    if names and concurrent.part_state(connection, *names) == "pending":
        run.sql(connection, concurrent.finalize_statement(connection, *names))
        _counted(run, connection, statement.index)
        run.write(
            ev.StatementSkipped(index=statement.index, why="it was pending, and is finished now")
        )
        return
    before = tuple(i.name for i in concurrent.invalid_indexes(connection))
    run.write(ev.StatementStarted(index=statement.index, alone=True))
    try:
        with answer_within(connection, run.patience()):
            answer = send(connection, statement.sql, notices_kept=run.settings.run.notices_kept)
    except psycopg.Error:
        if not connection.broken:
            _limits(run, connection)
            _drop_invalid(run, connection, half_built(connection, statement, before))
        raise
    _finished(run, statement, answer)
    _limits(run, connection)
    _counted(run, connection, statement.index)


def _drop_invalid(run: Run, connection: Connection, names: tuple[str, ...]) -> None:
    """Drop indexes that were left half built, by name; one that cannot be dropped stays, and is
    named by whoever says how far the run came."""
    for index in concurrent.invalid_indexes(connection):
        if index.name not in names:
            continue
        run.write(
            ev.Progress(phase="execute", summary=f"{index.name} was left half built: it is dropped")
        )
        try:
            patiently(run, partial(run.sql, connection, concurrent.drop_statement(index)))
        except psycopg.Error as error:
            if connection.broken:
                raise
            run.write(
                ev.Progress(
                    phase="execute", summary=f"{index.name} could not be dropped: {words_of(error)}"
                )
            )


def _cross_out(
    run: Run, connection: Connection, migration: Migration, gone: tuple[str, ...]
) -> None:
    """Take the version out of the framework's table, in one transaction with the count: from
    then on the migration is rolled back. After the last one nothing can be aborted any more."""
    last = migration is run.plan.migrations[-1]
    connection.execute(_BEGIN)
    try:
        limits = run.settings.run
        connection.execute(timeouts(limits.lock_timeout_seconds, limits.statement_timeout_seconds))
        lock_as_framework(run, connection)
        _nobody_else_migrated(run, connection, gone[:-1])
        for text in migration.version_change:
            run.sql(connection, text)
        done = [s.index for s in migration.script.statements] if migration.script else []
        if done:
            _count(run, connection, done[-1])
        xid = transaction_id(connection)
        if last and not run.control.close_abort():
            raise Aborted
        _commit(run, connection)
    except BaseException:
        _roll_back(connection)
        raise
    if last:
        run.xid, run.committed = xid, True
    if migration.version_change:
        run.write(ev.VersionChanged(version=migration.version, sql=migration.version_change))
    if last:
        run.write(ev.Committed(xid=xid))


def _nobody_else_migrated(run: Run, connection: Connection, gone: tuple[str, ...]) -> None:
    """The version table was not locked all the time: it must be as we left it. One that is left
    alone says nothing: pgroll writes into its own what it sees of the script."""
    if run.plan.version_stays:
        return
    applied = applied_locked(run, connection)
    if applied != [m.version for m in run.plan.applied if m.version not in gone]:
        raise StatementRefused(
            "somebody else migrated while the run went on:"
            f" now {printable(applied[0]) if applied else 'nothing'} is the newest",
            "Compare by hand before anything else is done.",
        )


def _count(run: Run, connection: Connection, done: int) -> None:
    """Keep in the run's row, within the open transaction, that ``done`` statements are done."""
    if run.view.judge is not None and run.view.judge.judge == "run row":
        connection.execute(_AS_OURSELVES)
        run_row.progress(connection, run.request.run, done)


def _counted(run: Run, connection: Connection, done: int) -> None:
    """The same in a transaction of its own, behind a statement that had none."""
    connection.execute(_BEGIN)
    try:
        _count(run, connection, done)
        _commit(run, connection)
    except BaseException:
        _roll_back(connection)
        raise


def _commit(run: Run, connection: Connection) -> None:
    """Commit a small transaction. Raises TransactionLost unless the server says COMMIT."""
    with answer_within(connection, run.settings.run.commit_seconds):
        tag = connection.execute("COMMIT").statusmessage
    if tag != "COMMIT":
        raise TransactionLost(f"the server answered {tag} to COMMIT", _STAYS)


def _roll_back(connection: Connection) -> None:
    """Undo a small transaction, where there is somebody to tell; the first error is kept."""
    try:
        connection.execute("ROLLBACK")
    except psycopg.Error:
        connection.close()


def _finished(run: Run, statement: Statement, answer: Answer) -> None:
    run.write(
        ev.StatementFinished(
            index=statement.index,
            seconds=round(answer.seconds, 4),
            command_tag=answer.command_tag,
            rows=answer.rows,
            notices=answer.notices,
        )
    )
