"""Is the schema the one that the target version is supposed to have?"""

from __future__ import annotations

from rollback_tui.core import verify as judge
from rollback_tui.core.model import Verification
from rollback_tui.postgres import catalog
from rollback_tui.postgres.connect import Connection
from rollback_tui.run.context import Run
from rollback_tui.run.verifying.asking import before
from rollback_tui.survey import baseline


def schema_restored(run: Run, connection: Connection) -> Verification:
    """Judge against the baseline of the version that the plan goes back to."""
    directory = run.project / run.settings.verify.baseline_directory
    recorded = baseline.load(directory, run.plan.goal or "")
    return judge.schema_verification(
        catalog.snapshot(connection),
        recorded.snapshot if recorded else None,
        before(run).schema,
    )
