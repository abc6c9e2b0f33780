"""Does another run have this target already?"""

from __future__ import annotations

from rollback_tui.core.checks.verdicts import Question, some
from rollback_tui.core.claim import remedy, sentence, who
from rollback_tui.core.facts import Facts
from rollback_tui.core.model import CheckResult

UNFINISHED = Question("unfinished_run", "No unfinished run", fixed=True)


def unfinished_run(facts: Facts) -> CheckResult:
    """A run without an outcome may still have the door, or half a rollback: it comes first."""
    if facts.unfinished is None:
        return UNFINISHED.unknown(
            facts,
            "unfinished",
            "the kept runs could not be read",
            "Look at `rollback-tui history`.",
        )
    if not facts.unfinished:
        return UNFINISHED.passed("every kept run of this database has its outcome")
    first = facts.unfinished[0]
    others = len(facts.unfinished) - 1
    summary = f"run {first.short} of {first.target.database} has no outcome"
    return UNFINISHED.failed(
        summary + (f", and {some(others, 'other')}" if others else ""),
        [
            f"{sentence(claim)}; begun {claim.since:%Y-%m-%d %H:%M:%S} UTC by {who(claim.operator)}"
            for claim in facts.unfinished
        ],
        remedy(first),
    )
