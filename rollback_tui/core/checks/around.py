"""Who would be waited for now, and who is not done yet with what goes?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rollback_tui.core.checks.verdicts import Question, some
from rollback_tui.core.facts import Facts
from rollback_tui.core.foreseen import waits
from rollback_tui.core.model import CheckResult
from rollback_tui.core.outlook import InTheWay, Mention, locks_unknown
from rollback_tui.core.text import shorten

WAY = Question("in_the_way", "Nobody in the way")
USED = Question("still_used", "Nobody still names what goes")

_LISTED = 12


def in_the_way(facts: Facts) -> CheckResult:
    """Sessions with a lock that conflicts with what a statement needs, by ``pg_locks``."""
    found = facts.in_the_way
    if found is None:
        return WAY.unknown(
            facts, "in_the_way", "pg_locks could not be read", "Look at screen 1 who is busy."
        )
    unknown = locks_unknown(facts.plan.statements)
    stay = [one for one in found if not one.yields]
    lines = [_held(one) for one in (*stay, *(one for one in found if one.yields))]
    if unknown:
        lines.append(f"{_statements(unknown)}: not all of their locks are known")
    if stay:
        holders = len({(one.pid, one.application) for one in stay})
        behind = sum({(one.pid, one.application): one.behind for one in stay}.values())
        waiting = f", {some(behind, 'session')} behind" if behind else ""
        return WAY.warned(
            f"{some(holders, 'session')} in the way now{waiting}; {_then(facts)}",
            lines,
            _remedy(facts, stay),
        )
    if unknown:
        return WAY.warned(
            f"nobody, as far as it is known; {some(len(unknown), 'statement')} may lock more",
            lines,
            "Rehearse the plan (r on screen 3): then the locks are measured.",
        )
    return WAY.passed("nobody holds a lock that the plan needs", lines)


def _then(facts: Facts) -> str:
    if facts.door == "none":
        return "the run would wait for them"
    return "the closing door ends them"


def _remedy(facts: Facts, stay: Iterable[InTheWay]) -> str:
    if any(one.pid == 0 for one in stay):
        return "Finish the prepared transaction: COMMIT PREPARED or ROLLBACK PREPARED, its gid."
    if facts.door == "none":
        return (
            "Wait, or cancel or end them on screen 1. The door stays open, as configured: the run"
            " waits as long as lock_timeout, tries again, and then gives up."
        )
    return "Wait, or cancel or end them on screen 1. The run ends what is left."


def _held(one: InTheWay) -> str:
    text = f"{_statements(one.statements)}: {waits(one)}"
    return text + (f" ({shorten(one.query, 60)})" if one.query and one.pid else "")


def _statements(indexes: Sequence[int]) -> str:
    if len(indexes) > _LISTED:
        return f"statements {indexes[0]} … {indexes[-1]} ({len(indexes):,})"
    return f"statement{'s' if len(indexes) > 1 else ''} {', '.join(map(str, indexes))}"


def still_used(facts: Facts) -> CheckResult:
    """Queries that name what goes, by ``pg_stat_activity`` and ``pg_stat_statements``."""
    found = facts.mentions
    if found is None:
        return USED.unknown(
            facts, "mentions", "the queries could not be read", "Look at them on screen 1."
        )
    limits = "SELECT * and code inside functions name nothing"
    if not facts.statistics:
        limits += "; only what sessions run now was seen, pg_stat_statements cannot be read whole"
    if not found:
        return USED.passed(
            "no query that was seen names what goes"
            + ("" if facts.statistics else " (by what sessions run now)"),
            [limits],
        )
    first = found[0]
    others = len({(m.application or m.user, m.object) for m in found}) - 1
    more = f", and {others} more" if others else ""
    return USED.warned(
        f"{_user(first)} still names {first.object}{_calls(first)}{more}",
        [
            f"statement {m.statement}: {_user(m)} names {m.object}{_calls(m)}: {m.query}"
            for m in found
        ]
        + [limits],
        "Deploy the code that does without it first; these queries fail once it is gone.",
    )


def _user(mention: Mention) -> str:
    if mention.application:
        return f"application {mention.application}"
    return f"role {mention.user or '?'}"


def _calls(mention: Mention) -> str:
    return "" if mention.calls is None else f", {some(mention.calls, 'call')}"
