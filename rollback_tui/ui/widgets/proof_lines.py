"""What proving the result costs: foreseen before the confirmation, and used while it goes on."""

from __future__ import annotations

from textual.content import Content

from rollback_tui.core.model import Verification
from rollback_tui.core.proof import ProofCost
from rollback_tui.core.run_view import RunView
from rollback_tui.ui.theme import STATUS, Tone, line, lines
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.wording import about, count, took

NAMED = 60
"""So many tables are named."""


def cost_words(walk: Walk) -> tuple[str, Tone]:
    """Return what proving adds to the downtime, and its bound; unknown is said."""
    if walk.proof_failure is not None:
        return f"? not known what proving costs: {walk.proof_failure.summary}", "warn"
    cost = walk.proof_cost
    if cost is None:
        return "? being asked what proving the result costs", "dim"
    if cost.estimated_seconds is None:
        long = "nobody knows how long"
    else:
        long = f"{about(min(cost.estimated_seconds, cost.budget_seconds))} of downtime"
    return f"{long}, at most {budget(cost)}", "warn" if beyond(cost) else "plain"


def budget(cost: ProofCost) -> str:
    """Return the budget as it stands in the configuration, in seconds."""
    return f"{cost.budget_seconds:,g} s"


def beyond(cost: ProofCost) -> bool:
    """Return whether something will stay unknown."""
    return bool(cost.beyond) or cost.estimated_seconds is None


def reach_words(cost: ProofCost) -> str:
    """Return how many tables are proven how, in a few words."""
    words = f"{len(cost.counted):,} counted, {len(cost.fingerprinted):,} read"
    if cost.others:
        words += f", {cost.others:,} by counters"
    if cost.beyond:
        words += f", {len(cost.beyond):,} NOT reached"
    return words


def cost_line(walk: Walk) -> Content:
    """Return the line on Safety."""
    words, tone = cost_words(walk)
    cost = walk.proof_cost
    return line(
        (" proof: ", "dim"),
        (words, tone),
        (f" · {reach_words(cost)}" if cost is not None else "", "dim"),
    )


def cost_in_full(walk: Walk) -> Content:
    """Return which tables are read how."""
    words, tone = cost_words(walk)
    cost = walk.proof_cost
    adds = "adds " if cost is not None else ""
    rows = [line(("What proving the result costs", "strong")), line(adds, (words, tone))]
    if cost is None:
        return lines(rows)
    if cost.basis:
        rows.append(line((f"known from: {cost.basis}", "dim")))
    rows += _named("rows counted before and after", cost.counted)
    rows += _named("contents read before and after, and compared", cost.fingerprinted)
    if cost.others:
        rows.append(
            line(
                f"{count(cost.others, 'table')} that the plan does not touch: the server's own"
                " counters tell whether anything was written"
            )
        )
    rows += _named("not reached within the budget: their contents stay unknown", cost.beyond)
    return lines(rows)


def _named(what: str, tables: tuple[str, ...]) -> list[Content]:
    if not tables:
        return []
    more = f" … and {len(tables) - NAMED:,} more" if len(tables) > NAMED else ""
    return [line((f"{what}: ", "dim"), ", ".join(tables[:NAMED]), more)]


def mark(verification: Verification) -> tuple[str, str, Tone]:
    """Return glyph, word and tone of a verification: accepted is never shown as passed."""
    if verification.verdict == "fail" and verification.accepted:
        return STATUS["accepted"]
    return STATUS[verification.verdict]


def tally(verifications: tuple[Verification, ...]) -> str:
    """Return how they were judged: ``7 passed, 1 accepted, 1 unknown``."""
    words = {"pass": "passed", "fail": "failed"}
    found: dict[str, int] = {}
    for verification in verifications:
        word = mark(verification)[1]
        found[word] = found.get(word, 0) + 1
    return ", ".join(f"{number} {words.get(word, word)}" for word, number in found.items())


def marks(verifications: tuple[Verification, ...]) -> str:
    """Return the same as short as a border: ``✓7 ≈1 ?1``."""
    glyphs = [mark(verification)[0] for verification in verifications]
    return " ".join(f"{glyph}{glyphs.count(glyph)}" for glyph in dict.fromkeys(glyphs))


def used(view: RunView, elapsed: float) -> float:
    """Return the seconds that proving has taken so far behind the door: what was read before, and
    the phase that verifies. ``elapsed``: seconds since the run began."""
    before = sum(taken.seconds for taken in view.contents if taken.when == "before")
    phase = next((p for p in view.phases if p.phase == "verify"), None)
    if phase is None or phase.started is None:
        return before
    if phase.seconds is not None:
        return before + phase.seconds
    return before + max(0.0, elapsed - phase.started)


def budget_words(view: RunView, elapsed: float) -> str:
    """Return how much of the budget is used; empty where there is none."""
    if view.proof is None:
        return ""
    return f"{used(view, elapsed):.1f} of {budget(view.proof.cost)} used"


def verification_lines(view: RunView) -> Content:
    """Return the verifications below each other as they arrived, each with its duration."""
    rows = []
    for verification in view.verifications:
        glyph, _, tone = mark(verification)
        said = verification.summary if verification.verdict != "pass" else ""
        if verification.verdict == "fail" and verification.accepted:
            said = verification.accepted
        rows.append(
            line(
                (f"{glyph} {verification.title}", tone),
                (f"  {took(verification.seconds)}", "dim"),
                f"  {said}" if said else "",
            )
        )
    return lines(rows) if rows else line(("Nothing judged yet.", "dim"))


def step_lines(view: RunView) -> Content:
    """Return the steps of a recovery: done, about to send what, and still to come."""
    rows = [
        line(
            (f"{glyph} {step.name}", tone),
            (f"  {took(step.seconds)}", "dim"),
            f"  {step.summary}",
        )
        for step in view.recovery
        for glyph, _, tone in [STATUS[step.verdict or ("pass" if step.ok else "fail")]]
    ]
    done = {step.name for step in view.recovery}
    ended = view.finished is not None
    if view.repair is not None and view.repair.step not in done:
        rows.append(line((f"▸ {view.repair.step}", "accent"), "  is about to send:"))
        rows += [line("    ", (f"{sql};", "strong")) for sql in view.repair.sql]
        done.add(view.repair.step)
    planned = view.planned_recovery.steps if view.planned_recovery else ()
    rows += [
        line((f"{'–' if ended else '·'} {name}", "dim"), ("  not reached" if ended else "", "dim"))
        for name in planned
        if name not in done
    ]
    return lines(rows) if rows else line(("No step has begun yet.", "dim"))
