"""The report's sections of what was judged: before the run, and of its result."""

from __future__ import annotations

from rollback_tui.core.report import afterwards, words
from rollback_tui.core.report.pieces import table
from rollback_tui.core.run_view import RunView
from rollback_tui.core.text import markdown

_EVIDENCE_KEPT = 12
_PASSED_KEPT = 4
"""Lines of evidence for what passed: enough to see what it stands on."""


def checks(view: RunView) -> list[str]:
    """Return the safety checks that did not pass, and what the operator set aside."""
    notable = [c for c in view.checks if c.status != "pass"]
    lines: list[str] = []
    if notable:
        lines += table(
            ("Check", "Answer", "Why"),
            [(markdown(c.title), c.status, markdown(c.summary)) for c in notable],
        )
    if view.overrides:
        titles = {c.name: c.title for c in view.checks}
        lines += [""] if lines else []
        lines += ["Set aside by the operator:", ""]
        lines += [
            f"- {markdown(titles.get(o.name, o.name))}: {markdown(o.reason)}"
            for o in view.overrides
        ]
    if not lines:
        return []
    passed = sum(c.status == "pass" for c in view.checks)
    return ["## Safety checks", "", f"{words.some(passed, 'check')} passed.", "", *lines]


def verifications(view: RunView) -> list[str]:
    """Return every verification with its evidence, and the tables whose rows are not as before."""
    found = [v for v in view.verifications if not afterwards.is_afterwards(v)]
    if not found:
        return ["## Verification", "", "Nothing was verified."] if view.committed else []
    lines = afterwards.verdicts("Verification", found)
    for verification in found:
        if verification.evidence:
            most = _PASSED_KEPT if verification.verdict == "pass" else _EVIDENCE_KEPT
            kept = verification.evidence[:most]
            more = len(verification.evidence) - len(kept)
            lines += ["", f"{markdown(verification.title)}:", ""]
            lines += [f"- {markdown(text)}" for text in kept]
            lines += [f"- … and {more:,} more in the journal"] if more else []
    changed = [r for r in view.rows if r.before != r.after or r.before is None]
    if changed:
        lines += ["", "Rows of the tables that are not as before:", ""]
        lines += table(
            ("Table", "Before", "After"),
            [(markdown(r.table), _rows(r.before), _rows(r.after)) for r in changed],
        )
    return ["## Verification", "", *lines]


def _rows(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"
