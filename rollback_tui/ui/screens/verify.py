"""Step 5: the proof. Verifications, rows before and after, recovery, and what to do next."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from rollback_tui.core.run_view import RunView
from rollback_tui.ui.after import after_of
from rollback_tui.ui.messages import Answer
from rollback_tui.ui.moment import utc_time
from rollback_tui.ui.screens.by_hand import show_guide
from rollback_tui.ui.screens.ladder import RecoveryConsole
from rollback_tui.ui.screens.log_pane import LogPane
from rollback_tui.ui.screens.monitoring import show_monitoring
from rollback_tui.ui.screens.step import StepScreen
from rollback_tui.ui.theme import cell, line, lines
from rollback_tui.ui.walk import Walk, may_not_undo
from rollback_tui.ui.watch_words import watch_line
from rollback_tui.ui.widgets.dialogs import Read
from rollback_tui.ui.widgets.live_table import Column, LiveTable
from rollback_tui.ui.widgets.proof_items import items
from rollback_tui.ui.widgets.question_panel import QuestionPanel
from rollback_tui.ui.widgets.run_lines import alarm_lines
from rollback_tui.ui.widgets.status_bar import Bar
from rollback_tui.ui.wording import count, outcome_of


class VerifyScreen(StepScreen):
    """A list of everything that was proven or repaired, with its evidence."""

    STEP = 5
    HELP = (
        "What was proven. Each verification is judged by itself, inside the transaction where "
        "that is possible; unknown is never a pass. When the run asks whether to commit, the "
        "question is here too. After a failure: the proof that nothing changed, or the steps of "
        "the recovery and the exact commands that come next. ≈ accepted: a difference that was "
        "foreseen and accepted, which is no pass. When the run has ended, u asks what could undo "
        "it, and counts which writes since then each way would lose. m shows how to go on by "
        "hand, l what the application logs. Below the outcome stands whether the application is "
        "watched since then, and what came of it; w shows every metric with its chart."
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "u",
            "undo",
            "undo / recover",
            tooltip="What could undo it, and what that loses",
            id="verify.undo",
        ),
        Binding(
            "m", "guide", "by hand", tooltip="How to go on without this tool", id="verify.guide"
        ),
        Binding(
            "l",
            "logs",
            "app logs",
            tooltip="The application's log files, followed",
            id="verify.logs",
        ),
        Binding(
            "w",
            "monitoring",
            "watching",
            tooltip="What is measured since the run, with charts",
            id="verify.monitoring",
        ),
        Binding(
            "t",
            "take_controls",
            "take the controls",
            tooltip="Answer and abort from here",
            id="verify.take_controls",
        ),
    ]

    def compose_body(self) -> ComposeResult:
        """Outcome, alarms, the question, the list and its evidence."""
        yield Bar(id="outcome")
        yield Bar(id="watched")
        yield Bar(id="alarms")
        with Container(id="pair"):
            yield LiveTable((Column("status", "", 11), Column("title", "proof", 0)), id="proofs")
            with VerticalScroll(id="evidence"):
                yield Static("", id="evidence-text", markup=False)
        yield QuestionPanel(id="question")

    def on_mount(self) -> None:
        """Begin in the list."""
        self.query_one("#proofs").focus()
        self.set_interval(1.0, self._tick)

    def _tick(self) -> None:
        if self.is_current:
            self.query_one(QuestionPanel).tick(self.walk_value)
            self._show_watched(self.walk_value)

    def show_step(self, walk: Walk) -> None:
        """Show the outcome and the list."""
        view = walk.view or RunView()
        self.query_one("#outcome", Bar).say(outcome_line(walk))
        self._show_watched(walk)
        alarms = self.query_one("#alarms", Bar)
        alarms.display = bool(view.alarms)
        alarms.say(alarm_lines(view))
        rows = [(key, (cell(*mark), cell(title))) for key, mark, title, _ in items(view)]
        self.query_one("#proofs", LiveTable).show_rows(rows)
        self.query_one(QuestionPanel).show(walk)
        self._show_evidence()

    def _show_watched(self, walk: Walk) -> None:
        """Say how it stands with the monitoring; its clock goes on by itself."""
        after, bar = after_of(walk, walk.folder), self.query_one("#watched", Bar)
        width = self.app.size.width - 1
        said = watch_line(after, utc_time(), width, key_id="verify.monitoring")
        bar.display = said is not None and walk.finished
        if said is not None:
            bar.say(said)

    @on(LiveTable.Highlighted, "#proofs")
    def _highlighted(self) -> None:
        self._show_evidence()

    @on(LiveTable.Selected, "#proofs")
    def _read(self, event: LiveTable.Selected) -> None:
        """Show one of them in the width of the screen."""
        for key, _, title, text in items(self.walk_value.view or RunView()):
            if key == event.key:
                self.app.push_screen(Read(title, text))

    @on(Answer)
    def _answered(self, message: Answer) -> None:
        self.answer(message.choice)

    # --- keys ---------------------------------------------------------------------------------

    def unavailable(self, action: str) -> str:
        """Return why a key does nothing now."""
        if action == "undo":
            return may_not_undo(self.walk_value)
        if action == "monitoring" and not self.walk_value.finished:
            return "it begins when the run has an outcome"
        return super().unavailable(action)

    def action_undo(self) -> None:
        """Open the recovery console; when a recovery was begun there, watch it."""
        if self.allowed("undo"):
            app = self.rollback_app
            app.push_screen(RecoveryConsole(), lambda begun: app.open_step(4) if begun else None)

    def action_guide(self) -> None:
        """Show how to go on by hand."""
        show_guide(self.rollback_app)

    def action_logs(self) -> None:
        """Follow the application's logs."""
        self.app.push_screen(LogPane())

    def action_monitoring(self) -> None:
        """Show what is measured since the run."""
        if self.allowed("monitoring"):
            show_monitoring(self.rollback_app, self.walk_value.folder)

    def _show_evidence(self) -> None:
        key = self.query_one("#proofs", LiveTable).current_key
        view = self.walk_value.view or RunView()
        found = next((text for item, _, _, text in items(view) if item == key), None)
        ended = self.walk_value.finished
        words = "Nothing was verified before the run ended." if ended else "Nothing yet."
        empty = line((words, "dim"))
        self.query_one("#evidence-text", Static).update(found if found is not None else empty)


def outcome_line(walk: Walk) -> Content:
    """Return the outcome in one line, or what the run is doing."""
    view = walk.view
    said = line((" ▸ ", "accent"), "The run goes on; its proofs appear here.")
    if view is not None and view.finished is not None:
        glyph, words, tone = outcome_of(view)
        said = line((f" {glyph} {words}", tone), f"  {view.finished.summary}")
    if walk.log_errors:
        errors = count(walk.log_errors, "error line")
        words = f" ✗ {errors} in the application's logs after the COMMIT (l shows them)"
        said = lines([said, line((words, "bad"))])
    return said
