"""Do the stored rows let every statement through, and which of them go?"""

from __future__ import annotations

from rollback_tui.core import foreseen
from rollback_tui.core.checks.verdicts import Question, some
from rollback_tui.core.facts import Facts
from rollback_tui.core.model import CheckResult, Statement, Violation

STORED_ROWS = Question("stored_rows", "Stored rows allow it")
DATA_LOSS = Question("data_loss", "Data that goes")

_REMEDY = (
    "Correct these rows (screen 3 shows the statement), or take the rule out of the down migration;"
    " then check again."
)


def stored_rows(facts: Facts) -> CheckResult:
    """A rule that comes back (NOT NULL, UNIQUE, a length …) is checked against every stored row:
    one that breaks it makes the statement fail, and with it all of its transaction."""
    found = [(s, v) for s in facts.plan.statements for v in s.violations]
    certain = [(s, v) for s, v in found if v.certain]
    doubtful = [(s, v) for s, v in found if not v.certain and v.count != 0]
    lines = [_line(s, v) for s, v in (*certain, *doubtful)]
    if certain:
        first, violation = certain[0]
        failing = len({statement.index for statement, _ in certain})
        more = f", and {failing - 1:,} more" if failing > 1 else ""
        rows = some(violation.count or 0, "stored row")
        return STORED_ROWS.failed(
            f"statement {first.index} will fail on {rows}{more}", lines, _REMEDY
        )
    if doubtful:
        return STORED_ROWS.warned(
            f"not certain for {some(len(doubtful), 'restored rule')}",
            lines,
            "Count these rows yourself, or rehearse on a copy of the data (r on screen 3).",
        )
    if found:
        return STORED_ROWS.passed(
            f"{some(len(found), 'rule')} restored, and no stored row breaks "
            + ("it" if len(found) == 1 else "any"),
            [_line(s, v) for s, v in found],
        )
    return STORED_ROWS.passed("it restores no rule that stored rows could break")


def _line(statement: Statement, violation: Violation) -> str:
    return f"statement {statement.index}, line {statement.line}: {foreseen.violation(violation)}"


def data_loss(facts: Facts) -> CheckResult:
    """Say what goes; what nobody counted, and statements nobody could read, count as loss."""
    plan = facts.plan
    acting = [s for s in plan.statements if not s.effect.no_op]
    lines = [
        f"statement {s.index}, line {s.line}: {foreseen.loss(loss)}"
        for s in acting
        for loss in s.loss
    ]
    unread = [s for s in acting if s.effect.loses_data is None and not _counted(s)]
    silent = [s for s in acting if s.effect.loses_data and not s.loss]
    lines += [f"statement {s.index}, line {s.line}: nobody knows what it does" for s in unread]
    lines += [
        f"statement {s.index}, line {s.line}: {s.effect.kind} removes data, not counted"
        for s in silent
    ]
    if not lines:
        return DATA_LOSS.passed("no statement is known to remove data")
    losses = [loss for s in acting for loss in s.loss]
    unknown = len(unread) + len(silent) + sum(loss.count is None for loss in losses)
    if not unknown and not any(loss.count for loss in losses):
        return DATA_LOSS.passed("what it drops is empty now", lines)
    sums = {
        noun: sum(loss.count or 0 for loss in losses if loss.kind == f"{noun}s")
        for noun in ("row", "value")
    }
    parts = [some(number, noun) for noun, number in sums.items() if number]
    if unknown:
        parts.append(f"{unknown} not known")
    return DATA_LOSS.warned(
        "goes for good: " + ", ".join(parts),
        lines,
        "Review these statements in the preview (screen 3); keep a checkpoint.",
    )


def _counted(statement: Statement) -> bool:
    """A type change may lose values; where they were counted it is known whether it does."""
    retyping = statement.effect.kind.endswith("… ALTER COLUMN TYPE")
    return (
        retyping
        and bool(statement.loss)
        and {loss.column for loss in statement.loss if loss.count is not None}
        >= {column for _, column in statement.effect.retyped}
    )
