"""Verification inside the transaction, and of a plan that went statement by statement."""

from __future__ import annotations

from rollback_tui.core import proving
from rollback_tui.core import verify as judge
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.writes import flush
from rollback_tui.run.context import Outcome, Run
from rollback_tui.run.verifying.asking import Question, isolated
from rollback_tui.run.verifying.elsewhere import gone, nothing_else
from rollback_tui.run.verifying.references import (
    constraints_validated,
    foreign_keys_intact,
    indexes_valid,
    sequences_ahead,
)
from rollback_tui.run.verifying.rows import contents_kept, rows_kept
from rollback_tui.run.verifying.schema import schema_restored
from rollback_tui.run.verifying.transaction import (
    constraints_hold,
    same_transaction,
    version_expected,
)

Asked = tuple[str, str, Question]
"""Name and title of a verification, and the question."""


def verify(run: Run, *more: Asked) -> bool:
    """Judge the result before COMMIT, also by ``more``; return whether it may be committed without
    asking.

    Each verification is isolated by a savepoint: one that errors says so, does not count as
    passed, and does not stop the others.
    """
    connection = run.live_target()
    with run.phase("verify") as outcome:
        passed = _judged(
            run,
            connection,
            outcome,
            ("transaction", "Still the transaction that was begun", same_transaction),
            ("constraints", "Deferred constraints hold", constraints_hold),
            *more,
        )
        run.check_abort()
        return passed


def verify_stepwise(run: Run) -> bool:
    """Judge the result of a plan that went statement by statement, when all of it is committed;
    return whether all is as expected.

    In one snapshot that writes nothing. That the transaction is the one that was begun does not
    apply, and deferred constraints were judged at each COMMIT.
    """
    connection = run.live_target()
    with run.phase("verify") as outcome:
        flush(connection)
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            return _judged(run, connection, outcome)
        finally:
            if not connection.broken:
                connection.execute("ROLLBACK")


def _judged(run: Run, connection: Connection, outcome: Outcome, *first: Asked) -> bool:
    """Ask all questions, ``first`` before the others; say in ``outcome`` what came of it. Where no
    version is changed, it is not asked whether it is the right one."""
    version = ("version", "Version table as expected", version_expected)
    sound = [
        # What deferred triggers do stays done: all that follows judges it, too.
        isolated(run, connection, name, title, question, keep=question is constraints_hold)
        for name, title, question in (
            *first,
            ("schema", "Schema restored", schema_restored),
            ("nothing_else", proving.NOTHING_ELSE, nothing_else),
            ("gone", proving.GONE, gone),
            *(() if run.plan.version_stays else (version,)),
            ("rows", "Rows kept", rows_kept),
            ("contents", proving.CONTENTS, contents_kept),
            ("foreign_keys", "Foreign keys intact", foreign_keys_intact),
            ("constraints_validated", proving.VALIDATED, constraints_validated),
            ("indexes", "Indexes valid", indexes_valid),
            ("sequences", "Sequences ahead of their columns", sequences_ahead),
        )
    ]
    judged = run.view.verifications
    failed = [v.title for v in judged if v.verdict == "fail"]
    unknown = sum(v.verdict == "unknown" for v in judged)
    passed = all(sound) and judge.gate(judged) == "passed"
    outcome.summary = (
        f"failed: {', '.join(failed)}"
        if failed
        else f"{len(judged) - unknown} passed, {unknown} unknown"
    )
    if run.before is not None:
        budget = run.before.budget
        outcome.summary += (
            f"; proof took {budget.spent:.2f} s of the downtime, {budget.seconds:g} s allowed"
        )
    if not passed:
        outcome.status = "failed"
    return passed
