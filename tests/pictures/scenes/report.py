"""Screen 6: the report, and the runs before."""

from __future__ import annotations

from rollback_tui.ui.screens.report import ReportScreen
from tests.pictures.scene import scene
from tests.pictures.still import Stage


@scene("good/done", ReportScreen)
async def report(_: Stage) -> None:
    """What happened, as it was saved: outcome, downtime, what went, what was proven."""


@scene("bad/failed", ReportScreen)
async def report_failed(_: Stage) -> None:
    """The report of a run that failed: the statement, the server's words, what to do."""


@scene("good/brought-back", ReportScreen)
async def report_history(_: Stage) -> None:
    """Several runs of this project, each with its outcome, newest first."""
