"""Keeping what is lost: before a statement removes data, it is copied in the same transaction."""

from __future__ import annotations

from functools import partial

import psycopg

from rollback_tui import __version__
from rollback_tui.core import events as ev
from rollback_tui.core.errors import RunRefused
from rollback_tui.core.model import Statement
from rollback_tui.postgres import archive
from rollback_tui.postgres.archive.cost import keepable
from rollback_tui.postgres.archive.source import sources
from rollback_tui.postgres.archive.values import CannotKeep
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.watchdog import answer_within
from rollback_tui.run.context import AGAIN, Run, summary_of

_ANSWERED = ("DELETE", "UPDATE")
"""Their answer is the number of rows they touched, and of nothing else."""


def refuse_obstacles(run: Run) -> None:
    """Judge again, before anything is touched, whether what is to be kept can be. Raises
    RunRefused, with every reason."""
    if not run.request.keep:
        return
    found = keepable(run.live_target(), run.plan, only=run.request.keep)
    reasons = "; ".join(f"statement {k.statement}: {k.obstacle}" for k in found if k.obstacle)
    if reasons:
        raise RunRefused(
            f"what was to be kept cannot be kept: {reasons}",
            "Leave that statement out of what is kept, or save its data by hand first.",
        )


def keep(run: Run, connection: Connection, statement: Statement) -> tuple[ev.RowsKept, ...]:
    """Copy what ``statement`` is about to remove into the run's archive, where that was asked
    for; return what was kept, to be journaled.

    Raises CannotKeep while nothing is lost yet, Aborted, psycopg.Error when the lock was not given
    or the connection is gone; the transaction then has to be rolled back.
    """
    if statement.index not in run.request.keep:
        return ()
    try:
        found = sources(connection, statement)
        send = partial(_send, run, connection)
        made = archive.make(connection, statement, found, _origin(run, statement), send)
    except AGAIN:
        raise
    except psycopg.Error as error:
        if connection.broken:
            raise
        run.check_abort()
        raise CannotKeep(
            f"what statement {statement.index} removes could not be kept: {summary_of(error)}"
        ) from None
    except CannotKeep as error:
        raise CannotKeep(
            f"what statement {statement.index} removes cannot be kept: {error.summary}"
        ) from None
    return tuple(
        ev.RowsKept(
            statement=statement.index,
            schema=archive.schema_of(run.request.run),
            table=item.table,
            relation=item.relation,
            column=item.column,
            rows=item.rows,
            seconds=round(seconds, 4),
        )
        for item, seconds in made
    )


def _send(run: Run, connection: Connection, text: str) -> int:
    """Send SQL of our own; return how many rows it was about."""
    run.write(ev.SqlSent(connection="target", sql=text))
    with answer_within(connection, run.patience()):
        return connection.execute(text.encode()).rowcount


def _origin(run: Run, statement: Statement) -> archive.Origin:
    """Where in the plan the statement stands."""
    version, sha256 = next(
        (m.version, m.script.sha256)
        for m in run.plan.migrations
        if m.script is not None and any(s.index == statement.index for s in m.script.statements)
    )
    return archive.Origin(
        run=run.request.run, tool_version=__version__, version=version, script_sha256=sha256
    )


def all_kept(statement: Statement, kept: tuple[ev.RowsKept, ...], rows: int | None) -> None:
    """Raise CannotKeep when the statement touched more rows than were kept before it: it chose
    others than it was expected to. The transaction then has to be rolled back."""
    verb = statement.effect.kind.split(" ", 1)[0].upper()
    if kept and verb in _ANSWERED and rows is not None and rows > kept[0].rows:
        raise CannotKeep(
            f"statement {statement.index} touched {rows:,} rows, and {kept[0].rows:,} were kept"
        )


def not_together(run: Run, statement: Statement) -> None:
    """Raise CannotKeep when a statement that the server takes only outside any transaction was to
    be kept: copy and removal would not be one."""
    if statement.index in run.request.keep:
        raise CannotKeep(
            f"statement {statement.index} cannot run in a transaction, and so not together with"
            " a copy of what it removes"
        )


def still_there(run: Run, connection: Connection) -> None:
    """Raise CannotKeep when something that was kept is not there any more before COMMIT: a script
    may drop all that its role owns, and our copies are among that."""
    if not run.view.kept:
        return
    gone = archive.gone(connection, [event.table for event in run.view.kept])
    if gone:
        raise CannotKeep(f"the script dropped what was kept: {', '.join(gone)}")
