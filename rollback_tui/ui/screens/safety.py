"""Step 2: may we roll back, and what stands in the way."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from rollback_tui.core.model import CheckResult
from rollback_tui.core.schema import condensed
from rollback_tui.core.schema_verdict import SchemaVerdict
from rollback_tui.ui.keys import key
from rollback_tui.ui.moment import steady
from rollback_tui.ui.screens.foreseen import schema_dialog
from rollback_tui.ui.screens.step import StepScreen
from rollback_tui.ui.theme import STATUS, cell, line, lines
from rollback_tui.ui.walk import REASON_LENGTH, SCHEMA_CHECK, Walk, obstacles
from rollback_tui.ui.widgets.dialogs import AskText
from rollback_tui.ui.widgets.live_table import Column, LiveTable
from rollback_tui.ui.widgets.plan_lines import in_the_way
from rollback_tui.ui.widgets.proof_lines import cost_line
from rollback_tui.ui.widgets.schema_lines import foreseen, short
from rollback_tui.ui.widgets.status_bar import Bar
from rollback_tui.ui.wording import clock, count, name_of, time_of, writers_of

NAMED = 6
"""So many differences are named in the question that accepts them."""


class SafetyScreen(StepScreen):
    """The checklist, and the evidence of the check under the cursor."""

    STEP = 2
    HELP = (
        "Every safety question with its answer. The pane shows what was found and what to do. "
        "A failed or unknown check stops the way, until it passes or you set it aside with a "
        "typed reason that goes into the journal and the report. Some can never be set aside. "
        "w waits until nobody writes any more, for a minute at most. v shows what the schema will "
        "be like, as a rehearsal found it, and what proving the result costs."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "judge", "check again", tooltip="Judge all checks again", id="safety.judge"),
        Binding(
            "w",
            "wait",
            "wait for writers",
            tooltip="Wait until nobody writes; again: stop",
            id="safety.wait",
        ),
        Binding(
            "o",
            "override",
            "set aside",
            tooltip="Set a failed check aside, or take it back",
            id="safety.override",
        ),
        Binding(
            "v",
            "schema",
            "schema",
            tooltip="The schema afterwards; what proving it costs",
            id="safety.schema",
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._judged_at: datetime | None = None

    def compose_body(self) -> ComposeResult:
        """Verdict, checklist, evidence."""
        yield Bar(id="verdict")
        yield Bar(id="waiting")
        yield Bar(id="safety-way")
        yield Bar(id="safety-proof")
        with Container(id="pair"):
            yield LiveTable((Column("status", "", 10), Column("title", "check", 0)), id="checks")
            with VerticalScroll(id="evidence"):
                yield Static("", id="evidence-text", markup=False)

    def on_mount(self) -> None:
        """Begin in the list."""
        self.query_one("#checks").focus()
        self.set_interval(1.0, self._tick)

    def _tick(self) -> None:
        if self.is_current and self.walk_value.waiting_until is not None:
            self._show_waiting(self.walk_value)

    def show_step(self, walk: Walk) -> None:
        """Show the verdict, the list and the evidence."""
        status, sentence = verdict(walk)
        glyph, _, tone = STATUS[status]
        self.query_one("#verdict", Bar).say(line((f" {glyph} {sentence}", tone)))
        self._show_waiting(walk)
        self.query_one("#safety-way", Bar).say(line(" ", in_the_way(walk)))
        self.query_one("#safety-proof", Bar).say(cost_line(walk))
        table = self.query_one("#checks", LiveTable)
        table.border_title = "checks · being judged …" if walk.judging else "checks"
        if walk.judged_at and not walk.judging:
            table.border_title = f"checks · judged {time_of(walk.judged_at)}"
        aside = {name for name, _ in walk.overrides}
        rows = []
        for check in walk.checks or ():
            mark, word, colour = STATUS[_aside(check) if check.name in aside else check.status]
            rows.append((check.name, (cell(f"{mark} {word}", colour), cell(check.title))))
        table.show_rows(rows)
        if walk.checks and walk.judged_at != self._judged_at:
            self._judged_at = walk.judged_at
            self._go_to_trouble(walk)
        self._show_evidence()

    def _go_to_trouble(self, walk: Walk) -> None:
        """Put the cursor on what stands in the way, unless it is on such a check already."""
        table = self.query_one("#checks", LiveTable)
        worst = [c.name for c in obstacles(walk)]
        worst = worst or [c.name for c in walk.checks or () if c.status == "warn"]
        if worst and table.current_key not in worst:
            table.go_to(worst[0])

    def _show_waiting(self, walk: Walk) -> None:
        bar = self.query_one("#waiting", Bar)
        bar.display = walk.waiting_until is not None
        if walk.waiting_until is None:
            return
        now = steady()
        left = max(0.0, walk.waiting_until - now)
        gone = clock(now - walk.waiting_since) if walk.waiting_since is not None else "?"
        writers = writers_of(walk.activity.sessions) if walk.activity else ()
        names = "; ".join(name_of(s) for s in writers[:3]) + ("; …" if len(writers) > 3 else "")
        bar.say(
            line(
                (f"▸ {gone}, {clock(left)} left ", "accent"),
                f"waiting for {len(writers)} that write: {names}" if writers else "nobody writes",
                (f" ({key('safety.wait')} stops)", "dim"),
            )
        )

    def _check(self) -> CheckResult | None:
        key = self.query_one("#checks", LiveTable).current_key
        return next((c for c in self.walk_value.checks or () if c.name == key), None)

    @on(LiveTable.Highlighted, "#checks")
    def _highlighted(self) -> None:
        self._show_evidence()

    def _show_evidence(self) -> None:
        check = self._check()
        text = line(("The checks are being judged.", "dim"))
        failure = self.walk_value.checks_failure
        if failure is not None:
            text = line((failure.summary, "bad"), "\n", failure.remedy)
        elif check is not None:
            text = evidence(check, dict(self.walk_value.overrides).get(check.name))
        self.query_one("#evidence-text", Static).update(text)

    # --- actions ------------------------------------------------------------------------------

    def unavailable(self, action: str) -> str:
        """Return why a key does nothing now."""
        if action in ("judge", "wait", "override") and self.walk_value.running:
            return "a run goes on"
        return super().unavailable(action)

    def action_judge(self) -> None:
        """Judge again."""
        if self.allowed("judge"):
            self.guide.planning.judge()

    def action_wait(self) -> None:
        """Wait for writers, or stop waiting."""
        if self.walk_value.waiting_until is not None:
            self.guide.waiting.stop()
        elif self.allowed("wait"):
            self.guide.waiting.begin()

    def action_override(self) -> None:
        """Set the check under the cursor aside, or take that back."""
        check = self._check()
        if check is None or not self.allowed("override"):
            return
        if check.name in dict(self.walk_value.overrides):
            self.guide.take_back(check.name)
        elif check.status not in ("fail", "unknown"):
            self.rollback_app.say("Only a failed or unknown check can be set aside.")
        elif not check.overridable:
            self.rollback_app.say(f"“{check.title}” can never be set aside.", "warning")
        else:
            self._ask_reason(check)

    def action_schema(self) -> None:
        """Show what the schema will be like afterwards."""
        self.app.push_screen(schema_dialog(self.walk_value))

    def _ask_reason(self, check: CheckResult) -> None:
        def answered(reason: str | None) -> None:
            if reason:
                self.guide.set_aside(check.name, reason)

        title, text, yes = f"Set aside: {check.title}", [line((check.summary, "bad"))], "Set aside"
        verdict = foreseen(self.walk_value)
        if check.name == SCHEMA_CHECK and verdict is not None and verdict.leftover:
            title, text, yes = acceptance(verdict)
        text.append(line("Why is it right to go on? It goes into the journal and the report."))
        self.app.push_screen(
            AskText(title, text, yes=yes, wanted=f"a reason, at least {REASON_LENGTH} characters"),
            answered,
        )


def acceptance(verdict: SchemaVerdict) -> tuple[str, list[Content], str]:
    """Return title, text and button of the question that accepts what is left over: these
    differences, and no other that may be found at the gate."""
    shown = condensed(verdict.leftover)
    many = len(shown)
    these = "exactly this difference" if many == 1 else f"exactly these {many} differences"
    rows = [line((short(d), "bad")) for d in shown[:NAMED]]
    if many > NAMED:
        rows.append(line(f"… and {many - NAMED} more (v shows all)"))
    rows.append(
        line("Met again before COMMIT they do not stop the run; any other difference does.")
    )
    return f"Accept {these}?", rows, "Accept"


def _aside(check: CheckResult) -> str:
    """Return what a typed reason makes of a check: of the schema, differences are accepted."""
    schema = check.name == SCHEMA_CHECK and check.status == "fail"
    return "accepted" if schema else "overridden"


def evidence(check: CheckResult, reason: str | None) -> Content:
    """Return what was found, and what to do about it."""
    glyph, word, tone = STATUS[check.status]
    rows = [
        line((f"{glyph} {word}", tone), "  ", (check.title, "strong")),
        line(check.summary),
    ]
    if reason is not None:
        word = "accepted: " if _aside(check) == "accepted" else "set aside: "
        rows.append(
            line((word, "warn"), reason, (f"  ({key('safety.override')} takes it back)", "dim"))
        )
    if check.evidence:
        rows += [line(""), *(line(("· ", "dim"), item) for item in check.evidence)]
    if check.remedy:
        rows += [line(""), line(("What to do: ", "accent"), check.remedy)]
    if check.status in ("fail", "unknown") and reason is None:
        can = "o sets it aside with a typed reason." if check.overridable else ""
        if check.name == SCHEMA_CHECK and can:
            can = "v shows all of it. o accepts it with a typed reason: this, and nothing else."
        rows += [line(""), line((can or "It can never be set aside.", "dim"))]
    return lines(rows)


def verdict(walk: Walk) -> tuple[str, str]:
    """Return the overall status (a check's word) and the sentence that says it."""
    if walk.checks_failure:
        return "unknown", f"Not judged: {walk.checks_failure.summary}"
    if walk.checks is None:
        return "unknown", "The checks have not been judged yet."
    if walk.judging:
        return "unknown", "The checks are being judged …"
    standing = obstacles(walk)
    warned = sum(c.status == "warn" for c in walk.checks)
    rest = [f"{len(walk.overrides)} set aside"] if walk.overrides else []
    rest += [count(warned, "warning")] if warned else []
    tail = f" ({', '.join(rest)})" if rest else ""
    if standing:
        named = [
            f"{c.title} ({'unknown' if c.status == 'unknown' else 'failed'})" for c in standing
        ]
        return "fail", f"We may not roll back{tail}. In the way: {'; '.join(named)}"
    return ("warn" if rest else "pass"), f"We may roll back{tail}."
