"""If the answer to COMMIT never comes: why, and what will say whether it happened?"""

from __future__ import annotations

from rollback_tui.core.checks.verdicts import Question
from rollback_tui.core.facts import Facts
from rollback_tui.core.model import CheckResult

RUN_ROW = Question("run_row", "In-doubt COMMIT can be decided")
NEEDED = Question(RUN_ROW.name, RUN_ROW.title, fixed=True)
STANDBY = Question("synchronous_standby", "No synchronous standby is away")


def run_row(facts: Facts) -> CheckResult:
    """The run's own row decides beyond doubt. The version table does it too, as long as nobody
    else migrates in that moment; what it cannot say is whose change it was."""
    problem = facts.run_row_problem
    stays = facts.plan.version_stays
    if problem is None:
        return RUN_ROW.unknown(
            facts,
            "run_row",
            "not known whether the run's own row can be written",
            "Try again; without it the framework's version table decides."
            if not stays
            else "Try again; nothing else would decide it.",
        )
    if problem and stays:
        return NEEDED.failed(
            "nothing would say whether COMMIT happened: no version is changed",
            (problem, stays),
            "Set [run] run_row = true; docs/recovery.md says what the row needs.",
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


def synchronous_standby(facts: Facts) -> CheckResult:
    """Such a COMMIT has happened and is never answered; the run ends the wait and says that it is
    on this server only, but then nobody's copy has it."""
    missing = facts.standby_missing
    if missing is None:
        return STANDBY.unknown(
            facts,
            "synchronous_standby",
            "not known whether a synchronous standby is away",
            "Try again.",
        )
    if missing:
        return STANDBY.warned(
            "a synchronous standby is away or unseen: COMMIT may be on this server only",
            (missing,),
            "Bring the synchronous standby back first.",
        )
    return STANDBY.passed("no synchronous standby is waited for, or it is there")
