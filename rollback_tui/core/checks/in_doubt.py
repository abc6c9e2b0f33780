"""If the answer to COMMIT never comes: what will say whether it happened?"""

from __future__ import annotations

from rollback_tui.core.checks.verdicts import Question
from rollback_tui.core.facts import Facts
from rollback_tui.core.model import CheckResult

RUN_ROW = Question("run_row", "In-doubt COMMIT can be decided")


def run_row(facts: Facts) -> CheckResult:
    """The run's own row decides beyond doubt. The version table does it too, as long as nobody
    else migrates in that moment; what it cannot say is whose change it was."""
    problem = facts.run_row_problem
    if problem is None:
        return RUN_ROW.unknown(
            facts,
            "run_row",
            "not known whether the run's own row can be written",
            "Try again; without it the framework's version table decides.",
        )
    if problem:
        return RUN_ROW.warned(
            "the framework's version table decides, not the run's own row",
            (problem, f"version table {facts.plan.version_table}"),
            "Let nobody else migrate during the run; docs/recovery.md says what the row needs.",
        )
    return RUN_ROW.passed(
        "the run's own row in rollback_tui.runs decides",
        ("schema and table are made in the run's transaction when they are missing",),
    )
