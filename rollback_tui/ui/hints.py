"""The one line above the keys: what the next key is, what is being waited for, or why the way is
blocked. One sentence for every state of every step, never longer than a line of 80 columns."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from rollback_tui.core.text import cells, shorten
from rollback_tui.ui.after import after_of
from rollback_tui.ui.keys import key
from rollback_tui.ui.listing import listing
from rollback_tui.ui.operations import Limits
from rollback_tui.ui.waits import wait
from rollback_tui.ui.walk import (
    Walk,
    blocked,
    hands_off,
    may_not_undo,
    not_ready,
    obstacles,
    unreviewed,
    valid_rehearsal,
)
from rollback_tui.ui.wording import count

Kind = Literal["next", "blocked", "wait"]
MARGIN = 3
"""Columns of the line that the mark and the edge take."""
LEAST = 77
"""A line of 80 columns without its margin: nothing is cut shorter than that on a narrow screen,
where the sentence takes a second line."""


class Hint(NamedTuple):
    """What the line says."""

    sentence: str
    kind: Kind


class Seen(NamedTuple):
    """What a sentence depends on beside the walk: how wide the line is, and what goes on."""

    width: int = 80
    now: float = 0.0
    """Monotonic seconds."""
    begun: Mapping[str, float] = MappingProxyType({})
    """When what goes on began; see :mod:`rollback_tui.ui.waits`."""
    limits: Limits = Limits()

    def fit(self, before: str, variable: str, after: str = "") -> str:
        """Return the three joined, with ``variable`` cut to what the line leaves it."""
        room = max(LEAST, self.width - MARGIN) - cells(before) - cells(after)
        return f"{before}{shorten(variable, max(8, room))}{after}"


def hint(walk: Walk, step: int, seen: Seen | None = None) -> Hint:
    """Return one sentence that says what the next key is, what is waited for, or why the way is
    blocked."""
    seen = seen or Seen()
    if step <= 3 and walk.running:
        return Hint(f"A run goes on: {key('step.4')} shows it.", "next")
    if step <= 3 and walk.finished:
        # What was planned and judged before the run says nothing about the database now.
        report = key("step.6")
        said = f"The run has ended: {report} shows its report. In 1, enter begins another."
        return Hint(said, "next")
    return {1: _state, 2: _safety, 3: _preview, 4: _run, 5: _verify, 6: _report}[step](walk, seen)


def first_blocked(walk: Walk) -> tuple[int, str]:
    """Return the first step that may not be entered, and why; (0, "") when all may."""
    for step in range(1, 7):
        if reason := blocked(walk, step):
            return step, reason
    return 0, ""


def _waiting(walk: Walk, seen: Seen, *topics: str, after: str = "") -> Hint | None:
    """Return the first of ``topics`` that goes on, as a sentence."""
    for topic in topics:
        found = wait(walk, topic, seen.begun, seen.limits)
        if found is not None:
            words = found.words(seen.now)
            return Hint(seen.fit("", f"{words[0].upper()}{words[1:]}", f".{after}"), "wait")
    return None


def _leave() -> str:
    return f" {key('step.quit')} leaves."


# --- before the run -------------------------------------------------------------------------------


def _state(walk: Walk, seen: Seen) -> Hint:
    if walk.target is None and walk.stale:
        return Hint(f"No connection: it is tried again by itself every 3 s.{_leave()}", "blocked")
    if waiting := _waiting(walk, seen, "connecting", "plan", after=_leave()):
        return waiting
    if walk.plan_failure is not None:
        again = f"{key('state.reread')} reads again"
        said = f"There is no plan: above stands why, and what helps. {again}."
        return Hint(said, "blocked")
    if walk.plan is None:
        return Hint(f"The migrations are read next, by itself.{_leave()}", "wait")
    if not walk.plan.migrations:
        return Hint(f"Nothing is applied, so nothing can be rolled back.{_leave()}", "blocked")
    many = len(walk.plan.migrations)
    doing = f"{count(many, 'migration')} {'goes' if many == 1 else 'go'} back; tab and enter choose"
    doing += " others" if many > 1 else " more"
    if walk.plan.by_hand:
        doing = "The script was given by hand"
    return Hint(f"{doing}. Then {key('step.next')}: may we roll back?", "next")


def _safety(walk: Walk, seen: Seen) -> Hint:
    onward = f" {key('step.next')}: read every statement."
    if waiting := _waiting(walk, seen, "plan", after=_leave()):
        return waiting
    if reason := blocked(walk, 3):
        return Hint(seen.fit("Blocked: ", reason, "."), "blocked")
    if walk.waiting_until is not None:
        left = f"until nobody writes, one minute at most; {key('safety.wait')} stops it."
        return Hint(f"Waiting {left}", "wait")
    if waiting := _waiting(walk, seen, "counted", "checks", after=f" {key('step.next')}: read on."):
        return waiting
    again = key("safety.judge")
    if walk.checks_failure is not None:
        return Hint(f"The checks could not be judged: {again} judges them again.", "blocked")
    if walk.plan is not None and not walk.plan.migrations:
        return Hint(f"Nothing is applied, so nothing can be rolled back.{_leave()}", "blocked")
    if walk.checks is None:
        return Hint(f"Nothing has been judged yet: {again} judges the checks.", "blocked")
    standing = obstacles(walk)
    if not standing:
        return Hint(f"Read the evidence of what is not ✓.{onward}", "next")
    mine = [check for check in standing if not check.overridable]
    aside = key("safety.override")
    if mine:
        title = mine[0].title
        return Hint(
            seen.fit("“", title, f"” is never set aside: mend it, then {again}."), "blocked"
        )
    many = f"{count(len(standing), 'check')} in the way"
    onward = f"{key('step.next')}: go on reading."
    said = f"{many}: {aside} sets one aside, {again} judges again. {onward}"
    return Hint(said, "blocked")


def _preview(walk: Walk, seen: Seen) -> Hint:
    stop = key("preview.stop")
    if walk.rehearsing is not None or walk.capturing is not None:
        what = "A rehearsal goes on" if walk.rehearsing is not None else "Capturing goes on"
        return Hint(f"{what}, without a limit: {stop} stops it. Read on meanwhile.", "wait")
    if waiting := _waiting(walk, seen, "plan", after=_leave()):
        return waiting
    if reason := blocked(walk, 3):
        return Hint(seen.fit("Blocked: ", reason, "."), "blocked")
    reason = not_ready(walk)
    waits = _waiting(walk, seen, "counted", "checks")
    if missing := unreviewed(walk):
        doing = f"{key('preview.review')}: reviewed; {key('preview.find_next')}: next. Blocked: "
        return Hint(seen.fit(doing, _unread(len(missing)), "."), "blocked")
    if walk.plan is not None and any(m.capturable for m in walk.plan.migrations):
        capture = f"{key('preview.capture')} captures the script."
        armed = "" if walk.armed else f"{key('step.arm')} arms; then "
        return Hint(_and_blocked(seen, armed + capture, reason), "blocked" if reason else "next")
    if walk.plan is not None and listing(walk.plan).stops:
        stops = f"{key('preview.find_next')}: what stops it."
        return Hint(_and_blocked(seen, stops, reason) if reason else stops, "blocked")
    if waits is not None:
        return Hint(seen.fit("All reviewed. ", waits.sentence), "wait")
    if reason:
        return Hint(_and_blocked(seen, "All reviewed.", reason), "blocked")
    if valid_rehearsal(walk) is None and not walk.read_only:
        arm = "" if walk.armed else f"{key('step.arm')}, then "
        doing = f"All reviewed. {arm}{key('preview.rehearse')} rehearses it."
        return Hint(f"{doing} {key('step.next')}: confirm and run.", "next")
    return Hint(f"All reviewed. {key('step.next')}: confirm and run.", "next")


def _unread(number: int) -> str:
    return f"{count(number, 'destructive statement')} not reviewed"


def _and_blocked(seen: Seen, doing: str, reason: str) -> str:
    if not reason:
        return f"{doing} Then {key('step.next')}: confirm and run."
    return seen.fit(f"{doing} Blocked: ", reason, ".")


# --- the run --------------------------------------------------------------------------------------


def _run(walk: Walk, seen: Seen) -> Hint:
    if walk.folder is None:
        return _confirming(walk, seen)
    if walk.finished:
        onward = f"{key('step.next')} shows the proof and what could undo it"
        return Hint(f"The run has ended: {onward}, {key('step.6')} the report.", "next")
    if waiting := _waiting(walk, seen, "follow"):
        return waiting
    if walk.feed_failure is not None:
        return Hint(f"The journal is read again every 5 s; the run goes on.{_leave()}", "blocked")
    if walk.worker != "running":
        return Hint(f"What is said above holds without this terminal too.{_leave()}", "blocked")
    if not walk.at_controls:
        return Hint(_looking_on(walk, seen), "blocked")
    view = walk.view
    leaves = f"{key('step.quit')} leaves, the run goes on."
    if view is not None and view.question:
        armed = "" if walk.armed else f"{key('step.arm')} arms this terminal, "
        return Hint(f"The run asks you something: {armed}tab chooses, enter presses.", "next")
    if view is not None and view.may_abort:
        return Hint(f"{leaves[:-1]}. {key('run.abort')} aborts it until COMMIT.", "next")
    if view is not None and view.abort_asked and not view.committed:
        return Hint("The abort was asked for: the run stops at the next safe point.", "wait")
    return Hint(f"It can no longer be aborted. {leaves}", "next")


def _looking_on(walk: Walk, seen: Seen) -> str:
    reason = hands_off(walk)
    take = f".{_leave().removesuffix('.')}"
    if walk.controls is not None and walk.controls.holder and not walk.read_only:
        take = f". {key('run.take_controls')} takes over"
    return seen.fit("", f"{reason[0].upper()}{reason[1:]}", f"{take}.")


def _confirming(walk: Walk, seen: Seen) -> Hint:
    if waiting := _waiting(walk, seen, "start", "counted", "checks"):
        return waiting
    if reason := not_ready(walk):
        return Hint(seen.fit("Blocked: ", reason, "."), "blocked")
    if walk.read_only:
        said = "This terminal was started read-only: nothing can be run."
        return Hint(f"{said}{_leave()}", "blocked")
    if not walk.armed:
        said = f"This terminal is READ-ONLY: {key('step.arm')} arms it, then type the texts."
        return Hint(said, "next")
    return Hint(
        "Type the texts; enter or tab: the next one, then Start. Esc leaves a field.", "next"
    )


def _verify(walk: Walk, seen: Seen) -> Hint:
    if walk.folder is None:
        return Hint(f"No run has been started: {key('step.4')} starts one.", "blocked")
    if walk.finished:
        onward = f"{key('step.next')} shows the report."
        if walk.recovering:
            return _waiting(walk, seen, "recover") or Hint(onward, "next")
        if may_not_undo(walk):
            return Hint(f"{onward} enter reads one proof in full.", "next")
        if words := _watched(walk):
            return Hint(f"{words} {onward}", "next")
        undo = f" {key('verify.undo')}: what could undo it, and what that would lose."
        return Hint(onward + undo, "next")
    if walk.view is not None and (walk.view.question or walk.worker != "running"):
        return _run(walk, seen)
    return Hint(f"Proofs appear here as they are judged. {key('step.4')} shows the run.", "next")


def _watched(walk: Walk) -> str:
    """Return what the monitoring wants of somebody; empty when nothing."""
    after = after_of(walk, walk.folder)
    opens = key("verify.monitoring")
    if after is not None and after.standing:
        return f"An alert stands: {opens} shows it, with its course."
    if after is not None and after.unattended and not walk.read_only:
        return f"Nobody looks after the run: {opens}, then {key('monitoring.resume')}."
    return ""


def _report(walk: Walk, seen: Seen) -> Hint:
    if waiting := _waiting(walk, seen, "report", "incident", "history"):
        return waiting
    if walk.report_failure is not None:
        again = key("report.reread")
        return Hint(f"The report could not be read: above stands why. {again} tries again.", "next")
    if walk.report is None:
        return Hint(f"Tab goes to the runs, where enter shows the report of one.{_leave()}", "next")
    after = f"{key('report.incident')} incident report, {key('report.follow_ups')} follow-ups."
    return Hint(f"{after} Tab: the runs, enter shows one.{_leave()}", "next")
