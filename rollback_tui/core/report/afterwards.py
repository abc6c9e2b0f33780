"""After COMMIT: is the application healthy, do its queries fail, are the statistics fresh?"""

from __future__ import annotations

from rollback_tui.core import health, query_errors
from rollback_tui.core.model import Verification
from rollback_tui.core.report import words
from rollback_tui.core.report.pieces import table
from rollback_tui.core.run_view import RunView
from rollback_tui.core.text import markdown


def is_afterwards(verification: Verification) -> bool:
    """Whether it was made after COMMIT: it could not keep anything from being committed."""
    name = verification.name
    return name in (health.NAME, query_errors.NAME) or name.startswith(f"{health.NAME}:")


def verdicts(what: str, found: list[Verification]) -> list[str]:
    """Return a table of what was found; ``what`` heads its first column."""
    return table(
        (what, "Verdict", "Result", "Time"),
        [
            (
                markdown(v.title),
                words.verdict(v),
                markdown(v.summary),
                words.seconds(v.seconds) if v.seconds else "",
            )
            for v in found
        ],
    )


def section(view: RunView) -> list[str]:
    """Return the section; empty when it did not come to that."""
    found = [v for v in view.verifications if is_afterwards(v)]
    lines: list[str] = []
    if found:
        lines += verdicts("Question", found)
        for verification in found:
            if verification.evidence:
                lines += ["", f"{markdown(verification.title)}:", ""]
                lines += [f"- {markdown(text)}" for text in verification.evidence]
    fresh = view.statistics
    if fresh is not None:
        named = markdown(", ".join(fresh.analysed)) or "of no table"
        lines += [""] if lines else []
        lines += [f"Statistics refreshed (ANALYZE): {named}, in {words.seconds(fresh.seconds)}."]
        if fresh.left:
            lines += ["", "Not refreshed:", "", *(f"- {markdown(text)}" for text in fresh.left)]
    return ["## After COMMIT", "", *lines] if lines else []
