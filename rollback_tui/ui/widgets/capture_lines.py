"""The line about what has to be captured, and what was captured in full."""

from __future__ import annotations

from textual.content import Content

from rollback_tui.frameworks.captured import Capture, Captures
from rollback_tui.ui.keys import key
from rollback_tui.ui.moment import steady
from rollback_tui.ui.theme import line, lines
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.wording import clock, count


def capture_line(walk: Walk, now: float | None = None) -> Content | None:
    """Return what is being captured, how that ended, or that it has to be; None: nothing of it.
    ``now``: monotonic seconds."""
    underway = walk.capturing
    if underway is not None:
        gone = clock((steady() if now is None else now) - underway.since)
        stop = "" if underway.stopping else f"  no limit: {key('preview.stop')} stops it"
        return line((f" ▸ capturing {gone} ", "accent"), underway.words, (stop, "dim"))
    if walk.capture_failure is not None:
        failure = walk.capture_failure
        return line((f" ✗ not captured: {failure.summary} ", "bad"), failure.remedy)
    planned = {m.version for m in walk.plan.migrations} if walk.plan else set()
    captured = [c for c in walk.captures.made if c.version in planned] if walk.captures else []
    refused = sum(1 for one in captured if one.refused)
    if refused:
        words = f" ✗ {count(refused, 'migration')} of {len(captured)} cannot be captured"
        return line((words, "bad"), ("  C shows all of it", "dim"))
    wanted = sum(m.capturable for m in walk.plan.migrations) if walk.plan else 0
    if wanted:
        words = f" ! {count(wanted, 'script')} to be captured from the tool itself: "
        return line((words, "warn"), ("c does", "accent"))
    if captured:
        words = f" ✓ {count(len(captured), 'script')} captured"
        return line((words, "good"), ("  C shows what was left out", "dim"))
    return None


def captures_in_full(captures: Captures) -> Content:
    """Return all that was captured: what is the script, and what was left out and why."""
    rows = [line(("note ", "accent"), text) for text in captures.notes]
    for one in captures.made:
        rows += [*_one(one), line("")]
    return lines(rows)


def _one(one: Capture) -> list[Content]:
    rows = [line((one.version, "strong"), f"  by `{one.command}`")]
    if one.refused:
        rows.append(line(("✗ no script: ", "bad"), one.refused))
    rows += [line(("  script  ", "accent"), text) for text in one.statements]
    rows += [line(("  version ", "accent"), text) for text in one.version_change]
    rows += [
        line(("  left out ", "dim"), text, (f"  ({why})", "dim")) for text, why in one.left_out
    ]
    return rows
