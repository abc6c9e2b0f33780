"""The one transaction: begin, lock, look, execute each statement, change the version."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable

import psycopg
from psycopg import errors, sql

from rollback_tui import __version__
from rollback_tui.core import events as ev
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.model import Loss, Migration, Statement
from rollback_tui.core.text import printable
from rollback_tui.postgres import counts, run_row
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.door import backend_start
from rollback_tui.postgres.execute import Answer, in_transaction, timeouts, transaction_id
from rollback_tui.postgres.execute import execute as send
from rollback_tui.postgres.ourselves import OURSELVES
from rollback_tui.postgres.watchdog import answer_within
from rollback_tui.run.context import AGAIN, Run
from rollback_tui.run.keeping import all_kept, keep, still_there
from rollback_tui.run.verifying.capture import capture
from rollback_tui.run.verifying.expectation import doomed_objects, dropped_tables
from rollback_tui.survey.applied import versions

_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_LOSS_SECONDS = 30.0


class StatementRefused(RollbackTuiError):
    """The server refused a statement of the plan; its words are in the journal."""


class TransactionLost(RollbackTuiError):
    """The transaction is not the one that was begun: the script ended it."""


def execute(run: Run) -> None:
    """Run the plan up to, not including, COMMIT.

    A lock that is not given in time, a deadlock or a serialization failure makes the server
    undo all of it, and then all of it is tried again, a bounded number of times.
    Raises StatementRefused, TransactionLost, Aborted or psycopg.Error; the caller rolls back.
    """
    connection = run.live_target()
    numbers = itertools.count(1)

    def attempt() -> None:
        try:
            _attempt(run, connection, next(numbers))
        except AGAIN as error:
            connection.execute("ROLLBACK")
            run.write(ev.TransactionRolledBack(reason=words_of(error)))
            raise

    with run.phase("execute") as outcome:
        try:
            patiently(run, attempt)
        except AGAIN as error:
            raise StatementRefused(
                f"{words_of(error)} ({run.settings.run.lock_attempts} attempts)",
                "See on the State screen who holds the lock; end it or try later.",
            ) from None
        outcome.summary = f"{len(run.plan.statements)} statements"


def patiently(run: Run, attempt: Callable[[], None]) -> None:
    """Try until no lock is in the way, a bounded number of times, waiting longer each time.

    ``attempt`` leaves nothing behind when it raises one of ``AGAIN``; the last of these is raised.
    Raises Aborted, and whatever else ``attempt`` does.
    """
    attempts = run.settings.run.lock_attempts
    for number in range(1, attempts + 1):
        run.check_abort()
        try:
            attempt()
            return
        except AGAIN as error:
            if number == attempts:
                raise
            pause = min(10.0, 0.5 * 2 ** (number - 1))
            run.write(
                ev.Waiting(
                    phase="execute",
                    summary=f"{words_of(error)}: attempt {number + 1} of {attempts} follows",
                    seconds_left=pause,
                )
            )
            run.control.aborted.wait(pause)


def words_of(error: psycopg.Error) -> str:
    """Return the server's own words for an error, or the client's, on one line."""
    return printable(error.diag.message_primary or " ".join(str(error).split()))


def _attempt(run: Run, connection: Connection, number: int) -> None:
    connection.execute(_BEGIN)
    _assert_timeouts(run, connection)
    run.xid = transaction_id(connection)
    run.backend_pid = connection.info.backend_pid
    run.backend_start = backend_start(connection)
    run.write(
        ev.TransactionStarted(
            xid=run.xid,
            backend_pid=run.backend_pid,
            attempt=number,
            backend_start=run.backend_start,
        )
    )
    insert_run_row(run, connection)
    lock_as_framework(run, connection)
    _lock_relations(run, connection)
    still_applied(run, connection)
    capture(run, connection)
    foresee_losses(run, connection)
    for migration in run.plan.migrations:
        _take_back(run, connection, migration)
    still_there(run, connection)
    if transaction_id(connection) != run.xid:
        # ROLLBACK AND CHAIN: what came before it is undone, the version table says it is not.
        run.escaped = True
        raise TransactionLost("the script began another transaction", "Take that out of it.")
    _row_is_there(run, connection)


def foresee_losses(run: Run, connection: Connection) -> None:
    """Remember which tables and other objects the plan drops, while they are there."""
    run.dropping = dropped_tables(connection, run.plan)
    run.doomed = doomed_objects(connection, run.plan)


def insert_run_row(run: Run, connection: Connection) -> None:
    """Put the run's own row into the transaction, and with it the head of the journal: whoever
    finds the row knows that the rest was committed too, and what the journal said then."""
    head = run.journal.head
    why = "[run] run_row = false"
    if run.settings.run.run_row:
        why = run_row.insert(
            connection,
            run=run.request.run,
            plan_sha256=run.plan.sha256,
            operator=run.request.operator.user,
            tool_version=__version__,
            versions=[m.version for m in run.plan.migrations],
            head=head,
            sent=lambda text: run.write(ev.SqlSent(connection="target", sql=text)),
        )
    if why and run.plan.version_stays:
        raise StatementRefused(
            f"the run's own row cannot be written ({printable(why)}), and no version would say"
            " whether COMMIT happened",
            "Set [run] run_row = true, and give this role the right to make schema rollback_tui.",
        )
    if why:
        run.write(ev.RunRowInserted(judge="version table", why=printable(why)))
    else:
        run.write(ev.RunRowInserted(judge="run row", head=head))


def _row_is_there(run: Run, connection: Connection) -> None:
    """A script that removes the run's row would have its COMMIT taken for a ROLLBACK, if the
    answer were lost."""
    if run.view.judge is None or run.view.judge.judge != "run row":
        return
    # After SET SESSION AUTHORIZATION we may not look; another session will be allowed to.
    with contextlib.suppress(errors.InsufficientPrivilege):
        if not run_row.committed(connection, run.request.run):
            raise StatementRefused(
                f"the script removed the run's own row from {run_row.TABLE}",
                "Take that out of the script, or set [run] run_row = false.",
            )


def lock_as_framework(run: Run, connection: Connection) -> None:
    """Take the lock that the framework keeps in a table: a deploy that starts now waits for us, or
    sees that it is taken. It is gone with the transaction.

    Before any other lock, as the framework does it: whoever has this one may wait for the rest.
    Raises psycopg.Error; it is one of ``AGAIN`` when somebody has the lock.
    """
    for text in run.plan.transaction_lock:
        try:
            run.sql(connection, text)
        except (errors.UniqueViolation, errors.ExclusionViolation) as error:
            # A row that is there already is a lock that is taken, or was left behind by a crash.
            raise errors.LockNotAvailable(
                f"{run.plan.framework} is migrating, or its lock was left behind: {words_of(error)}"
            ) from None


def applied_locked(run: Run, connection: Connection) -> list[str]:
    """Return the applied versions, newest first, and keep others from changing them until the
    transaction ends, where our role may. Without a version table: none. Raises psycopg.Error or
    FrameworkError."""
    if not run.plan.version_table:
        return []
    connection.execute("SAVEPOINT rollback_tui")
    try:
        text = f"LOCK TABLE {run.plan.version_table} IN SHARE ROW EXCLUSIVE MODE"
        connection.execute(text.encode())
    except errors.InsufficientPrivilege:
        connection.execute("ROLLBACK TO SAVEPOINT rollback_tui")
    connection.execute("RELEASE SAVEPOINT rollback_tui")
    return versions(connection, run.settings, run.project, run.plan)


def still_applied(run: Run, connection: Connection) -> None:
    """Raise StatementRefused unless the applied versions are those of the plan.

    The checkpoint may have taken an hour since preflight: what somebody rolled back or applied
    meanwhile must be seen before the first statement. Nobody changes it while we hold the lock."""
    applied = applied_locked(run, connection)
    if applied != [m.version for m in run.plan.applied]:
        raise StatementRefused(
            "the applied migrations have changed since the run began:"
            f" now {printable(applied[0]) if applied else 'none'}",
            "Look at the state again; somebody migrated in the meantime.",
        )


def _assert_timeouts(run: Run, connection: Connection) -> None:
    """Also after each statement: a script may have set its own."""
    limits = run.settings.run
    connection.execute(timeouts(limits.lock_timeout_seconds, limits.statement_timeout_seconds))


_TABLES = """
SELECT DISTINCT c.oid, n.nspname, c.relname
FROM unnest(%s::text[]) AS wanted
JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(wanted)
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p')
ORDER BY c.oid
"""


def _lock_relations(run: Run, connection: Connection) -> None:
    """Lock what the statements will lock exclusively, in a fixed order, before the first of
    them: waiting happens here, where nothing has been done yet, and two runs cannot deadlock."""
    wanted = sorted(
        {
            lock.relation
            for statement in run.plan.statements
            for lock in statement.effect.locks
            if lock.mode == "AccessExclusive"
        }
    )
    connection.execute("SAVEPOINT rollback_tui")
    for _, schema, table in connection.execute(_TABLES, [wanted]).fetchall():
        name = sql.Identifier(schema, table)
        try:
            connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(name))
        except errors.InsufficientPrivilege:
            # The statement itself will say so, in the server's own words.
            connection.execute("ROLLBACK TO SAVEPOINT rollback_tui")
    connection.execute("RELEASE SAVEPOINT rollback_tui")


def _take_back(run: Run, connection: Connection, migration: Migration) -> None:
    for statement in migration.script.statements if migration.script else ():
        run.check_abort()
        losses = losses_of(connection, statement)
        if losses:
            run.write(ev.LossCounted(statement=statement.index, losses=losses))
        kept = keep(run, connection, statement)
        for event in kept:
            run.write(event)
        answer = _send(run, connection, statement)
        # COMMIT AND CHAIN leaves us in a transaction, but in another one.
        if not in_transaction(connection) or answer.command_tag == "COMMIT":
            run.escaped = True
            raise TransactionLost(
                f"statement {statement.index} ended the transaction",
                "What came before it may be committed: see the proof below.",
            )
        all_kept(statement, kept, answer.rows)
        _assert_timeouts(run, connection)
    connection.execute(OURSELVES)
    for text in migration.version_change:
        run.sql(connection, text)
    if migration.version_change:
        run.write(ev.VersionChanged(version=migration.version, sql=migration.version_change))


def losses_of(connection: Connection, statement: Statement) -> tuple[Loss, ...]:
    """Count what goes, in the transaction that removes it: nobody can write in between."""
    named = any(doomed.kind != "rows" for doomed in statement.effect.doomed)
    if not named and not statement.effect.cascade:
        return ()
    return counts.losses(connection, statement, _LOSS_SECONDS, in_run=True)


def _send(run: Run, connection: Connection, statement: Statement) -> Answer:
    """Execute it and return what the server said."""
    run.write(ev.StatementStarted(index=statement.index))
    began = time.monotonic()
    try:
        with answer_within(connection, run.patience()):
            answer = send(connection, statement.sql, notices_kept=run.settings.run.notices_kept)
    except AGAIN:
        raise
    except errors.QueryCanceled as error:
        run.check_abort()
        failed(run, statement, error)
        waited = time.monotonic() - began
        raise StatementRefused(
            f"statement {statement.index} was cancelled after {waited:.1f} s",
            "Raise [run] statement_timeout_seconds if it needs longer.",
        ) from None
    except psycopg.Error as error:
        failed(run, statement, error)
        raise StatementRefused(
            f"statement {statement.index} (line {statement.line}) failed:"
            f" {printable(error.diag.message_primary or str(error))}",
            "Nothing was committed. Correct the down migration and run again.",
        ) from None
    run.write(
        ev.StatementFinished(
            index=statement.index,
            seconds=round(answer.seconds, 4),
            command_tag=answer.command_tag,
            rows=answer.rows,
            notices=answer.notices,
        )
    )
    return answer


def failed(run: Run, statement: Statement, error: psycopg.Error) -> None:
    """Journal that the server refused a statement, in its own words."""
    diagnostic = error.diag
    place = diagnostic.statement_position
    run.write(
        ev.StatementFailed(
            index=statement.index,
            line=statement.line,
            sql=statement.sql,
            sqlstate=diagnostic.sqlstate or "",
            message=diagnostic.message_primary or str(error),
            detail=diagnostic.message_detail or "",
            hint=diagnostic.message_hint or "",
            position=int(place) if place else None,
        )
    )
