"""The one line above the keys: what the next key is, or why the way is blocked."""

from __future__ import annotations

from rollback_tui.ui.listing import listing
from rollback_tui.ui.walk import (
    Walk,
    blocked,
    hands_off,
    may_not_undo,
    not_ready,
    obstacles,
    unreviewed,
)


def hint(walk: Walk, step: int) -> tuple[str, bool]:
    """Return one sentence that says what the next key is, and whether the way is blocked."""
    if step <= 3 and walk.running:
        return "A run goes on: press 4 to watch it.", False
    if step <= 3 and walk.finished:
        # What was planned and judged before the run says nothing about the database now.
        return "The run has ended: 6 shows its report. In 1, enter begins another.", False
    if step == 4:
        return _hint_run(walk), bool(walk.folder is None and not_ready(walk))
    if step == 5:
        return _hint_verify(walk), False
    if step == 6:
        return "↑ ↓ scroll. Tab goes to the runs, where enter shows one. q leaves.", False
    if step == 1 and walk.plan_failure is not None:
        again = "r reads again; what you change in rollback.toml needs a new start."
        return f"There is no plan: above stands why, and what helps. {again}", True
    if reason := blocked(walk, step + 1):
        reason = reason.removesuffix(f" (press {step})")
        return f"{_doing(walk, step)} Blocked: {reason}.", True
    return f"{_doing(walk, step)} Then n: {_purpose(step + 1)}", False


def _doing(walk: Walk, step: int) -> str:
    if step == 1:
        given = walk.plan is not None and walk.plan.by_hand
        return "The script was given by hand." if given else "Choose how far back."
    if step == 2:
        failing = obstacles(walk)
        return "o sets a check aside, r judges again." if failing else "Read the evidence."
    if unreviewed(walk):
        return "Space: reviewed; d: next."
    if walk.plan is not None and any(m.capturable for m in walk.plan.migrations):
        return "c captures the script." if walk.armed else "a arms; then c captures the script."
    if walk.plan is not None and listing(walk.plan).stops:
        return "d: what stops it."
    return "All reviewed."


def _purpose(step: int) -> str:
    return {2: "may we roll back?", 3: "read every statement.", 4: "confirm and run."}[step]


def _hint_run(walk: Walk) -> str:
    if walk.starting:
        return "The worker is being started."
    if walk.folder is None:
        if reason := not_ready(walk):
            return f"Blocked: {reason}."
        if not walk.armed:
            return "This terminal is READ-ONLY: press a to arm it, then type the texts."
        return "Type the texts; enter or tab: the next one, then Start. Esc leaves a field."
    if walk.finished:
        return "The run has ended: n shows the proof and what could undo it, 6 the report."
    if walk.worker != "running":
        return "What is said above holds without this terminal too; q leaves."
    if not walk.at_controls:
        reason = hands_off(walk)
        if walk.controls is not None and walk.controls.holder:
            reason += ". t takes over"
        return f"{reason[0].upper()}{reason[1:]}."
    if walk.view and walk.view.question:
        armed = "" if walk.armed else "a arms this terminal, "
        return f"The run asks you something: {armed}tab chooses, enter presses."
    if walk.view is None:
        return "The run goes on without this terminal too."
    if walk.view.may_abort:
        return "The run goes on without this terminal too. x aborts it until COMMIT."
    if walk.view.abort_asked and not walk.view.committed:
        return "The abort was asked for: the run stops at the next safe point."
    return "The run goes on without this terminal too. It can no longer be aborted."


def _hint_verify(walk: Walk) -> str:
    if walk.finished:
        undo = "" if may_not_undo(walk) else " u: what could undo it, and what that would lose."
        return f"n shows the report.{undo}"
    if walk.view and walk.view.question:
        return _hint_run(walk)
    return "Verifications appear here as they are judged; 4 shows the run."
