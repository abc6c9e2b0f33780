"""One question asked of the result: isolated, timed, journaled."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import msgspec
import psycopg

from rollback_tui.core import events as ev
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.model import Verification
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.watchdog import answer_within
from rollback_tui.run.context import Run, State, summary_of

Question = Callable[[Run, Connection], Verification]
"""Looks inside the transaction of the run; leaves nothing behind."""


def isolated(
    run: Run,
    connection: Connection,
    name: str,
    title: str,
    question: Question,
    *,
    keep: bool = False,
) -> bool:
    """Ask, in a savepoint that is undone, and journal the answer.

    ``keep``: what a passed question did stays, because COMMIT would do the same later, unseen.
    Return False when the verification itself could not be made: then it is unknown.
    """
    began = time.monotonic()
    sound = True
    try:
        with (
            run.before.budget.spending() if run.before else contextlib.nullcontext(),
            answer_within(connection, run.patience(run.settings.verify.budget_seconds)),
        ):
            connection.execute("SAVEPOINT rollback_tui")
            verification = question(run, connection)
    except (psycopg.Error, RollbackTuiError) as error:
        sound = False
        verification = Verification(
            name=name,
            title=title,
            verdict="unknown",
            summary=f"could not be verified: {summary_of(error)}",
        )
    if connection.broken:
        sound = False
    else:
        kept = keep and sound and verification.verdict == "pass"
        connection.execute(f"{'RELEASE' if kept else 'ROLLBACK TO'} SAVEPOINT rollback_tui")
    seconds = round(time.monotonic() - began, 4)
    run.write(
        ev.VerificationJudged(verification=msgspec.structs.replace(verification, seconds=seconds))
    )
    return sound


def before(run: Run) -> State:
    """Return what was there before the first statement. Raises RollbackTuiError."""
    if run.before is None:
        raise RollbackTuiError("the state before was not captured", "")
    return run.before
