"""The confirmation that proves the operator looked: the database's name, the version afterwards,
and how much goes, which only the screen says; then why. A plan that goes statement by statement
asks for one more.

Cancel is focused first. Enter in a field only goes on to the next field; Start stays inert
until everything matches, and then has to be focused on purpose.
"""

from __future__ import annotations

from functools import partial
from pathlib import PurePath

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Static

from rollback_tui.core.confirmation import Fact, fact, toll
from rollback_tui.core.model import Plan
from rollback_tui.core.text import cells, typeable
from rollback_tui.ui.glyphs import plain
from rollback_tui.ui.keys import key
from rollback_tui.ui.listing import listing
from rollback_tui.ui.messages import Confirmed, Declined
from rollback_tui.ui.once import once
from rollback_tui.ui.theme import Tone, line, lines
from rollback_tui.ui.walk import (
    REASON_LENGTH,
    SCHEMA_CHECK,
    Walk,
    not_ready,
    valid_rehearsal,
)
from rollback_tui.ui.widgets.dialogs import More, PlainButton, QuietInput
from rollback_tui.ui.widgets.plan_lines import kept_words
from rollback_tui.ui.widgets.proof_lines import cost_words
from rollback_tui.ui.widgets.schema_lines import foreseen, foreseen_words
from rollback_tui.ui.widgets.status_bar import is_production
from rollback_tui.ui.wording import count, goal_of, made_by, rehearsed_words

FIELDS = ("database", "version", "figure", "undone", "reason")
ROOM, ROOM_NARROW = 46, 29
"""Cells of a label beside its field (``.label`` in app.tcss)."""
UNDONE = "cannot be undone"
"""Typed as well for a plan that is not one transaction."""
DETAILS = 4
"""So many lines at most say what the losses are made of."""
NARROW = 76
"""Columns below which the labels are short, and a mark stands without its words."""

# Asked whenever anything on the screen changes; a plan may have ten thousand statements.
_toll = once(toll)


class TypedConfirm(Vertical):
    """What will happen, the fields, Cancel and Start."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._wanted: dict[str, str] = {}
        self._plan: Plan | None = None
        self._sha256 = ""
        self._keep: frozenset[int] = frozenset()
        self._fact: Fact | None = None
        self._why_not = "not ready"

    def compose(self) -> ComposeResult:
        """Facts above, fields below, the harmless button first."""
        with More(id="confirm-facts"):
            yield Static("", id="facts", markup=False)
        for name in FIELDS:
            with Horizontal(id=f"row-{name}", classes="field"):
                yield Static("", id=f"label-{name}", classes="label", markup=False)
                yield QuietInput(id=f"field-{name}", then=partial(self._go_on, name))
                yield Static("", id=f"state-{name}", classes="state", markup=False)
        with Horizontal(id="confirm-buttons"):
            yield PlainButton("Cancel", id="confirm-no")
            yield PlainButton("Start the rollback", id="confirm-yes", danger=True)
            yield Static("", id="confirm-why", markup=False)

    def focus_cancel(self) -> None:
        """Focus the harmless button."""
        self.query_one("#confirm-no", Button).focus()

    def focus_first_text(self) -> None:
        """Focus the first text that does not match yet. Enter in it says yes to nothing."""
        for name in FIELDS:
            if self._wanted.get(name) != "" and not self._matches(name):
                self.query_one(f"#field-{name}", Input).focus()
                return

    def show(self, walk: Walk) -> bool:
        """Show what would be confirmed now. Return whether texts were forgotten because they had
        been typed for another plan, or for other things to keep."""
        plan, target = walk.plan, walk.target
        if plan is None or target is None:
            return False
        self._wanted = {"database": typeable(target.database), "version": typeable(goal_of(plan))}
        # What was counted anew asks for the new figure: what is typed is judged again below.
        forgotten = False
        if self._fact is None or plan is not self._plan or walk.keep != self._keep:
            if self._fact is not None and (plan.sha256, walk.keep) != (self._sha256, self._keep):
                forgotten = any(map(self._text, FIELDS))
                self.forget()
            self._plan, self._keep, self._fact = plan, walk.keep, fact(plan, walk.keep)
            self._sha256 = plan.sha256
        self.query_one("#facts", Static).update(facts(walk))
        listed = listing(plan)
        self._wanted["undone"] = "" if listed.transactional else UNDONE
        self.query_one("#row-undone").display = not listed.transactional
        narrow = self.app.size.width < NARROW
        labels = _labels(plan, self._fact, typeable(target.database), narrow=narrow)
        for name, label in labels.items():
            self.query_one(f"#label-{name}", Static).update(label)
        self._why_not = not_ready(walk)
        if not self._why_not and not walk.armed:
            self._why_not = f"this terminal is READ-ONLY: {key('step.arm')} arms it"
        if walk.starting:
            self._why_not = "the worker is being started …"
        self._judge()
        return forgotten

    def _text(self, name: str) -> str:
        return self.query_one(f"#field-{name}", Input).value.strip()

    def _matches(self, name: str) -> bool:
        text = self._text(name)
        if name == "reason":
            return len(text) >= REASON_LENGTH
        if name == "figure":
            return self._fact is not None and self._fact.accepts(text)
        wanted = self._wanted.get(name)
        # Or as it is shown where this terminal cannot show it.
        return wanted is not None and text in (wanted, plain(wanted))

    def _judge(self) -> None:
        """Let Start be pressed only when nothing is missing."""
        wrong = "✗" if self.app.size.width < NARROW else "✗ not the same"
        for name in FIELDS:
            good, empty = self._matches(name), not self._text(name)
            mark: tuple[str, Tone] = ("✓", "good") if good else (wrong, "bad")
            if empty or (name == "reason" and not good):
                mark = ("", "dim") if empty else ("· longer", "dim")
            self.query_one(f"#state-{name}", Static).update(line(mark))
        complete = all(self._matches(name) for name in FIELDS)
        narrow = self.app.size.width < NARROW
        unlike = "not all match yet" if narrow else "the texts do not match yet"
        why = self._why_not or ("" if complete else unlike)
        self.query_one("#confirm-yes", Button).disabled = bool(why)
        self.query_one("#confirm-why", Static).update(
            line((f"  {why}", "warn"))
            if why
            else line(("  ready: tab to Start (past Cancel), enter", "good"))
        )

    def forget(self) -> None:
        """Empty the fields: a confirmation counts once."""
        for name in FIELDS:
            self.query_one(f"#field-{name}", Input).value = ""

    @on(Input.Changed)
    def _typed(self) -> None:
        self._judge()

    def _go_on(self, name: str) -> None:
        asked = [n for n in FIELDS if self._wanted.get(n) != ""]
        if name in asked[:-1] and self._matches(name):
            following = asked[asked.index(name) + 1]
            self.query_one(f"#field-{following}", Input).focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "confirm-no":
            self.post_message(Declined())
        elif self._plan is not None and not self._why_not and all(map(self._matches, FIELDS)):
            self.post_message(Confirmed(self._text("reason"), self._plan))


def _labels(plan: Plan, asked: Fact, database: str, *, narrow: bool) -> dict[str, Content]:
    """Return what stands before each field. The figure is not among it: it is to be read above."""
    version = "the target version "
    if plan.version_stays:
        version = "the script's name "
    if narrow:
        version = ""
    return {
        "database": _asked("type ", "" if narrow else "the database ", database, narrow=narrow),
        "version": _asked("type ", version, typeable(goal_of(plan)), narrow=narrow),
        "figure": line(asked.short if narrow else asked.question),
        "undone": line("type ", (UNDONE, "strong")),
        "reason": line("why, " if narrow else "why, in ", f"{REASON_LENGTH} characters or more"),
    }


def _asked(type_it: str, what: str, text: str, *, narrow: bool) -> Content:
    """Return what to type; a text that has no room beside its field stands above, in the facts."""
    if cells(f"{type_it}{what}{text}") < (ROOM_NARROW if narrow else ROOM):
        return line(f"{type_it}{what}", (text, "strong"))
    return line(f"{type_it}{what or 'it '}as it stands above")


def _then(plan: Plan) -> Content:
    """Return which version it is then, and whether the script was given by hand."""
    if plan.version_stays:
        return line(("then it is ", "dim"), ("no other version", "warn"), ": the script is by hand")
    given = f", by the script {PurePath(plan.by_hand).name}, given by hand" if plan.by_hand else ""
    return line(
        ("then it is ", "dim"),
        (typeable(goal_of(plan)), "strong"),
        " (the target version)",
        (given, "warn"),
    )


def _losses(walk: Walk, plan: Plan) -> list[Content]:
    """Return the figure that has to be typed, and what it is made of. Near the top: where not all
    has room, this must be in sight."""
    taken, found = _toll(plan), listing(plan).losses
    kept = kept_words(walk)
    word = "removes in all " if kept else "loses in all  "
    tone: Tone = "bad" if taken.destructive else "good"
    rows = [line((word, "dim"), (taken.describe(), tone))]
    shown = DETAILS if len(found) <= DETAILS else DETAILS - 1
    rows += [line(("           ", "dim"), (loss.describe(), "bad")) for loss in found[:shown]]
    if len(found) > shown:
        rows.append(line(f"           and {len(found) - shown:,} more losses (3 shows all)"))
    if kept:
        rows.append(line(("keeps      ", "dim"), (kept, "good")))
    return rows


def facts(walk: Walk) -> Content:
    """Return what will happen, in the lines that matter most."""
    plan, target = walk.plan, walk.target
    if plan is None or target is None:
        return line("")
    environment: tuple[str, Tone] = (walk.environment.upper() or "not named", "accent")
    if is_production(walk.environment):
        environment = (f" {walk.environment.upper()} ", "alarm")
    listed = listing(plan)
    rehearsal, verdict = valid_rehearsal(walk), foreseen(walk)
    made = made_by(plan)
    by_tool = f", {made} {'from' if 'captured' in made else 'by'} {plan.framework}" if made else ""
    back = ", ".join(m.version for m in plan.migrations)
    rows = [
        line(
            ("You are about to roll back", "strong"),
            *((" ", (" PRODUCTION ", "alarm")) if is_production(walk.environment) else ()),
        ),
        line(
            ("database   ", "dim"),
            (typeable(target.database), "strong"),
            f" on {target.host}:{target.port}  environment ",
            environment,
        ),
        line(("taken back ", "dim"), (back, "warn")),
        _then(plan),
        *_losses(walk, plan),
        line(
            ("runs       ", "dim"),
            f"{count(len(listed.statements), 'statement')} "
            + ("in one transaction" if listed.transactional else "NOT in one transaction")
            + by_tool,
            (", not rehearsed" if rehearsal is None else "", "dim"),
        ),
    ]
    rows += [
        line(("proof adds ", "dim"), cost_words(walk)),
        line(("schema     ", "dim"), foreseen_words(walk)),
    ]
    if not listed.transactional:
        rows.append(
            line(("           what is done stays done; only the checkpoint brings it", "bad"))
        )
        rows.append(line(("           back, and ROLLBACK does not", "bad")))
    if rehearsal is not None:
        tried, tone = rehearsed_words(rehearsal, len(listed.statements))
        rows.append(line(("rehearsed  ", "dim"), (tried.removeprefix("rehearsed "), tone)))
    rows += [
        line(("set aside  ", "dim"), f"{name}: {reason}")
        for name, reason in walk.overrides
        # Said in the line of the schema.
        if not (name == SCHEMA_CHECK and verdict is not None and verdict.leftover)
    ]
    if walk.start_failure is not None:
        failure = walk.start_failure
        rows.append(line(("not started: ", "bad"), failure.summary, f" {failure.remedy}"))
    return lines(rows)
