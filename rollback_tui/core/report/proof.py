"""How the result was proven before COMMIT, what that cost, and what stayed unknown."""

from __future__ import annotations

from rollback_tui.core.proof import Contents, ProofCost
from rollback_tui.core.report import words
from rollback_tui.core.report.pieces import code, table
from rollback_tui.core.run_view import RunView
from rollback_tui.core.text import markdown

_LISTED = 50
_NAMED = 8
_SHOWN = 20
"""Characters of a fingerprint. It is compared whole."""


def section(view: RunView) -> list[str]:
    """Return the section; empty when no proof was planned."""
    if view.proof is None:
        return []
    cost = view.proof.cost
    rows = [
        ("Time behind the door", _time(view, cost)),
        ("Rows counted", _names(cost.counted)),
        ("Contents read", _names(cost.fingerprinted)),
        ("Everything else", _others(view, cost)),
    ]
    if cost.beyond:
        rows.append(("Beyond the budget", f"{_names(cost.beyond)}: contents **unknown**"))
    return ["## Proof", "", *table(("Fact", "Value"), rows), *_contents(view)]


def _others(view: RunView, cost: ProofCost) -> str:
    """What the server's own counters said, once they were asked; before, how many it is up to."""
    found = next((v for v in view.verifications if v.name == "nothing_else"), None)
    if found is not None:
        return f"{words.verdict(found)}: {markdown(found.summary)}, by the server's own counters"
    return f"{words.some(cost.others, 'table')}, left to the server's own counters"


def used(view: RunView) -> float | None:
    """Return the seconds that the proof took while the door was closed, as far as it was journaled:
    the contents read before, and the verification; None: it did not come to that."""
    verify = next((p.seconds for p in view.phases if p.phase == "verify"), None)
    before = [c.seconds for c in view.contents if c.when == "before"]
    if verify is None and not before:
        return None
    return (verify or 0.0) + sum(before)


def _time(view: RunView, cost: ProofCost) -> str:
    about = (
        "nobody could say how long"
        if cost.estimated_seconds is None
        else f"about {words.seconds(cost.estimated_seconds)} foreseen"
    )
    if cost.basis:
        about += f" ({markdown(cost.basis)})"
    spent = used(view)
    took = f"{words.seconds(spent)} used, " if spent is not None else ""
    return f"{took}{about}, {words.seconds(cost.budget_seconds)} allowed"


def _names(tables: tuple[str, ...]) -> str:
    if not tables:
        return "none"
    more = f" and {len(tables) - _NAMED:,} more" if len(tables) > _NAMED else ""
    return markdown(", ".join(tables[:_NAMED])) + more


def _contents(view: RunView) -> list[str]:
    taken = {event.when: {c.table: c for c in event.contents} for event in view.contents}
    before, after = taken.get("before", {}), taken.get("after", {})
    if not before:
        return []
    rows = [
        (
            markdown(name),
            _rows(one),
            _rows(after.get(name)),
            _fingerprint(one),
            _fingerprint(after.get(name)),
            _compared(one, after.get(name)),
        )
        for name, one in list(before.items())[:_LISTED]
    ]
    head = ("Table", "Rows before", "after", "Contents before", "after", "")
    lines = ["", *table(head, rows)]
    left = len(before) - _LISTED
    return lines + (["", f"… and {left:,} more tables in the journal."] if left > 0 else [])


def _rows(one: Contents | None) -> str:
    return "–" if one is None or one.rows is None else f"{one.rows:,}"


def _fingerprint(one: Contents | None) -> str:
    return code(one.fingerprint[:_SHOWN]) if one is not None and one.fingerprint else "–"


def _compared(before: Contents, after: Contents | None) -> str:
    """What no fingerprint was taken of twice is not called the same."""
    if before.fingerprint and after is None:
        return "not read again"
    if after is None or not before.fingerprint or not after.fingerprint:
        why = before.why or (after.why if after is not None else "")
        return "unknown" + (f": {markdown(why)}" if why else "")
    same = (before.rows, before.fingerprint) == (after.rows, after.fingerprint)
    return "the same" if same else "**not the same**"
