"""Is it still the transaction that was begun, does it hold together, does it say what it did?"""

from __future__ import annotations

import psycopg

from rollback_tui.core import verify as judge
from rollback_tui.core.model import Verification
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.execute import transaction_id
from rollback_tui.run.context import Run, summary_of
from rollback_tui.survey.applied import versions


def same_transaction(run: Run, connection: Connection) -> Verification:
    """Judge by the transaction's number; remember an escape."""
    verification = judge.transaction_verification(run.xid, transaction_id(connection))
    run.escaped = run.escaped or verification.verdict == "fail"
    return verification


def constraints_hold(_: Run, connection: Connection) -> Verification:
    """Make deferred constraints speak now, and have deferred triggers do now what they would do at
    COMMIT, when nobody looks any more. They stay immediate: our own rows defer nothing."""
    title = "Deferred constraints hold"
    try:
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except psycopg.IntegrityError as error:
        return Verification(
            name="constraints", title=title, verdict="fail", summary=summary_of(error)
        )
    return Verification(
        name="constraints", title=title, verdict="pass", summary="all made immediate"
    )


def version_expected(run: Run, connection: Connection) -> Verification:
    """Judge what the framework's own table says now."""
    applied = versions(connection, run.settings, run.project, run.plan)
    return judge.version_verification(applied, run.plan)
