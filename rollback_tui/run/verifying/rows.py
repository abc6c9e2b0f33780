"""Did every table keep its rows?"""

from __future__ import annotations

from rollback_tui.core import events as ev
from rollback_tui.core import verify as judge
from rollback_tui.core.model import Verification
from rollback_tui.postgres.connect import Connection
from rollback_tui.run.context import Run
from rollback_tui.run.execution import look
from rollback_tui.run.expectation import expected_deletes
from rollback_tui.run.verifying.asking import before as captured


def rows_kept(run: Run, connection: Connection) -> Verification:
    """Judge the counts before and after, and journal them."""
    before = captured(run)
    after = look(run, connection)
    verification, rows = judge.rows_verification(
        before.rows,
        after.rows,
        run.dropping,
        run.settings.verify.row_count_tolerance,
        expected_deletes(connection, run.plan, run.view, before.rows),
    )
    run.write(ev.RowsCompared(rows=rows))
    return verification
