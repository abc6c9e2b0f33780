"""Step 4: the typed confirmation, and then the console of the run."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Log

from rollback_tui.core.run_view import RunView
from rollback_tui.core.text import printable
from rollback_tui.ui.glyphs import plain
from rollback_tui.ui.keys import names
from rollback_tui.ui.listing import keys_of, listing
from rollback_tui.ui.messages import Answer, Confirmed, Declined
from rollback_tui.ui.moment import steady
from rollback_tui.ui.screens.step import StepScreen
from rollback_tui.ui.theme import line, lines
from rollback_tui.ui.walk import Walk, hands_off
from rollback_tui.ui.widgets.dialogs import Ask, Read
from rollback_tui.ui.widgets.live_table import Column
from rollback_tui.ui.widgets.proof_lines import (
    budget_words,
    marks,
    step_lines,
    verification_lines,
)
from rollback_tui.ui.widgets.question_panel import QuestionPanel
from rollback_tui.ui.widgets.run_lines import (
    alarm_lines,
    clocks,
    log_line,
    now_line,
    phase_lines,
    statement_row,
)
from rollback_tui.ui.widgets.sql_view import coloured
from rollback_tui.ui.widgets.statement_list import StatementList
from rollback_tui.ui.widgets.status_bar import Bar
from rollback_tui.ui.widgets.typed_confirm import TypedConfirm
from rollback_tui.ui.wording import count, took


class RunScreen(StepScreen):
    """First the confirmation; once a run exists, what its journal says."""

    STEP = 4
    # Textual would focus a field of the confirmation, also beside a console that hides it.
    AUTO_FOCUS = ""
    HELP = (
        "Before the run: type the database's name, the target version, how much is lost in all (it "
        "stands among the facts above) and a reason; Start works only when all match and this "
        "terminal is armed. During the run: phases with their time, "
        "statements as they end, how long applications have been kept out, and every SQL sent. "
        "The run is another process: leaving, or losing this connection, does not stop it. "
        "x asks it to abort, which works until COMMIT and leaves the database unchanged. One "
        "console at a time is at the controls; another one looks, and t takes them."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "x",
            "abort",
            "abort the run",
            tooltip="Ask for an abort; works until COMMIT",
            id="run.abort",
        ),
        Binding(
            "t",
            "take_controls",
            "take the controls",
            tooltip="Answer and abort from here",
            id="run.take_controls",
        ),
        Binding(
            "escape",
            "leave_field",
            "leave the field",
            show=False,
            id="run.leave_field",
            tooltip="Leave the field",
        ),
        Binding(
            "enter",
            "read_statement",
            "read the statement",
            show=False,
            id="run.read_statement",
            tooltip="Read the statement in full",
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._logged = 0
        self._log_of: object = None
        self._was_asking = False
        self._phase_row = -1
        self._instead = False

    def compose_body(self) -> ComposeResult:
        """The confirmation, and the console that takes its place."""
        yield TypedConfirm(id="confirm")
        with Vertical(id="console"):
            yield Bar(id="clocks")
            yield Bar(id="alarms")
            yield Bar(id="now")
            with Container(id="run-pair"):
                with VerticalScroll(id="phases"):
                    yield Bar(id="phase-lines")
                with Vertical(id="work"):
                    yield StatementList(_columns(0), id="statements")
                    with VerticalScroll(id="judged"):
                        yield Bar(id="judged-lines")
            yield QuestionPanel(id="question")
            yield Log(id="log", max_lines=5000, auto_scroll=True)

    def on_mount(self) -> None:
        """Run the clocks."""
        self.query_one("#log", Log).border_title = "SQL and hooks, as they are sent"
        self.set_interval(1.0, self._tick)
        # What comes last is in sight, also when the lines break anew, until somebody scrolls.
        self.query_one("#judged", VerticalScroll).anchor()
        self._arrange(self.walk_value)
        self._focus_first()

    def on_screen_resume(self) -> None:
        """Begin at the harmless place each time; armed, at the first text."""
        self._focus_first()

    def _focus_first(self) -> None:
        if self.walk_value.folder is None and self.walk_value.armed:
            # The name of the database is typed at once: its letters must not be taken for keys.
            self.query_one(TypedConfirm).focus_first_text()
        elif self.walk_value.folder is None:
            self.query_one(TypedConfirm).focus_cancel()
        elif not (self.walk_value.view and self.walk_value.view.question):
            low = self._instead and not self.has_class("-tall")
            self.query_one("#judged" if low else "#statements").focus()

    def _arrange(self, walk: Walk) -> None:
        asking = walk.folder is None
        self.query_one("#confirm").display = asking
        self.query_one("#console").display = not asking
        if self._was_asking and not asking:
            self.query_one(TypedConfirm).forget()
            self.query_one("#statements").focus()
        self._was_asking = asking

    def show_step(self, walk: Walk) -> None:
        """Show the confirmation or the console."""
        self._arrange(walk)
        if walk.folder is None:
            if self.query_one(TypedConfirm).show(walk):
                said = "The plan, or what it keeps, is another now: what was typed is forgotten."
                self.rollback_app.say(said, "warning")
            return
        view = walk.view or RunView()
        alarms = self.query_one("#alarms", Bar)
        alarms.display = bool(view.alarms)
        alarms.say(alarm_lines(view))
        self._show_statements(view)
        self._show_judged(walk)
        self.query_one(QuestionPanel).show(walk)
        self.query_one("#console").set_class(view.question is not None, "-asked")
        self._write_log(walk)
        self._tick()

    def _show_statements(self, view: RunView) -> None:
        plan = view.started.plan if view.started else None
        table = self.query_one("#statements", StatementList)
        if plan is None or not view.statements:
            table.show_rows((), lambda _: ())
            return
        finished = sum(s.status == "done" for s in view.statements)
        table.border_title = f"statements · {finished} of {len(view.statements)} done"
        table.set_columns(_columns(len(view.statements)))
        before, ended, statements = table.row_count, view.finished is not None, view.statements
        table.show_rows(
            keys_of(plan), lambda place: statement_row(statements[place], plan, ended=ended)
        )
        now = next((s for s in statements if s.status in ("running", "failed")), None)
        if now is not None and before:
            table.go_to_row(now.index - 1)

    def _show_judged(self, walk: Walk) -> None:
        """Show the verifications as they arrive, or the steps of a recovery. Where there is no room
        for both, they take the place of the statements until the run ends."""
        view = walk.view or RunView()
        pane = self.query_one("#judged")
        stepping = bool(view.planned_recovery or view.recovery)
        verify = next((p for p in view.phases if p.phase == "verify"), None)
        verifying = verify is not None and verify.status not in ("waiting", "skipped")
        only = bool(view.started and view.started.task == "recover")
        pane.display = stepping or verifying or only
        instead = only or (pane.display and not walk.finished)
        self.query_one("#console").set_class(instead, "-judging")
        self.query_one("#console").set_class(only, "-recovering")
        if pane.display:
            both = [step_lines(view)] if stepping or only else []
            both += [verification_lines(view)] if view.verifications or not both else []
            self.query_one("#judged-lines", Bar).say(lines(both))
        hidden = instead and not only and not self.has_class("-tall")
        pane.border_subtitle = self.query_one("#statements").border_title if hidden else ""
        if instead != self._instead:
            self._instead = instead
            self.call_after_refresh(self._keep_focus)

    def _keep_focus(self) -> None:
        """Give the focus of a list that has no room any more to the one in its place; never take
        it from a question."""
        pane, statements = self.query_one("#judged"), self.query_one("#statements")
        gone, there = (statements, pane) if self._instead else (pane, statements)
        asked = self.walk_value.view is not None and self.walk_value.view.question is not None
        if self.focused in (None, gone) and not asked and not self.has_class("-tall"):
            there.focus()

    def _title_judged(self, walk: Walk, now: float) -> None:
        view = walk.view
        pane = self.query_one("#judged")
        if view is None or not pane.display:
            return
        if view.planned_recovery is not None or view.recovery:
            said = f"recovery · {count(len(view.recovery), 'step')} done"
        else:
            said = f"verifications {marks(view.verifications)}".rstrip()
            budget = budget_words(view, walk.elapsed(now))
            said += f" · {budget}" if budget else ""
        pane.border_title = Content(plain(said))

    def _write_log(self, walk: Walk) -> None:
        records = self.guide.records
        log = self.query_one("#log", Log)
        if self._log_of != walk.folder or len(records) < self._logged:
            log.clear()
            self._logged, self._log_of = 0, walk.folder
        plan = walk.view.started.plan if walk.view and walk.view.started else None
        texts = [log_line(record, plan) for record in records[self._logged :]]
        self._logged = len(records)
        shown = [printable(text) for text in texts if text is not None]
        if shown:
            # The newline goes before, not after: an empty last line would cost a row.
            text = ("\n" if log.line_count > 0 else "") + "\n".join(shown)
            # Who has scrolled up reads there.
            log.write(text, scroll_end=log.is_vertical_scroll_end)

    def _tick(self) -> None:
        walk = self.walk_value
        if not self.is_current or walk.folder is None:
            return
        now = steady()
        self.query_one("#clocks", Bar).say(clocks(walk, now))
        self.query_one("#now", Bar).say(now_line(walk, now))
        phases = phase_lines(walk, now)
        self.query_one("#phase-lines", Bar).say(phases)
        self._follow_phase(phases.plain.splitlines())
        self._title_judged(walk, now)
        self.query_one(QuestionPanel).tick(walk)

    def _follow_phase(self, rows: list[str]) -> None:
        """Keep the phase that runs in sight where not all have room; scroll only when it moves."""
        running = next((n for n, row in enumerate(rows) if row.startswith(" ▸")), -1)
        if running != self._phase_row:
            self._phase_row = running
            pane = self.query_one("#phases", VerticalScroll)
            pane.scroll_to(y=running - pane.size.height + 2, animate=False)

    def action_read_statement(self) -> None:
        """Show the statement under the cursor with what the server said of it."""
        view = self.walk_value.view
        table = self.query_one("#statements", StatementList)
        if view is None or view.started is None or not table.has_focus or not table.row_count:
            return
        index = table.cursor_row + 1
        shown = view.statements[index - 1]
        statement = listing(view.started.plan).by_index[index]
        head = line((shown.status, "strong"), f"  {shown.command_tag}  {took(shown.seconds)}")
        notices = [line(("notice ", "warn"), text) for text in shown.notices]
        body = lines([head, *notices, line(""), coloured(statement.sql)])
        self.app.push_screen(Read(f"Statement {index}, line {statement.line}", body))

    # --- actions ------------------------------------------------------------------------------

    @on(Confirmed)
    def _confirmed(self, message: Confirmed) -> None:
        if message.plan is self.walk_value.plan:
            self.guide.start(message.reason)
        else:
            self.rollback_app.say("The plan was read anew just now: look again.", "warning")

    @on(Declined)
    def _declined(self) -> None:
        self.query_one(TypedConfirm).forget()
        self.rollback_app.go_to_step(3)

    @on(Answer)
    def _answered(self, message: Answer) -> None:
        self.answer(message.choice)

    def armed(self) -> None:
        """Go on to the first text: what is typed next must not be taken for keys."""
        if self.walk_value.folder is None:
            # After the question has closed, which puts the focus on Cancel again.
            self.call_after_refresh(self.query_one(TypedConfirm).focus_first_text)

    def action_leave_field(self) -> None:
        """Go from a field to the harmless button."""
        if self.walk_value.folder is None:
            self.query_one(TypedConfirm).focus_cancel()

    def unavailable(self, action: str) -> str:
        """Return why an abort is not possible."""
        if action == "abort":
            view = self.walk_value.view
            if self.walk_value.starting:
                return "the worker is being started"
            if self.walk_value.folder is None:
                return "no run goes on"
            if self.walk_value.finished:
                return "the run has ended"
            if reason := hands_off(self.walk_value):
                return reason
            if self.walk_value.worker != "running":
                return "nothing answers that could abort the run"
            if view is None:
                return "the run has not said anything yet"
            if not view.may_abort:
                return "it is too late: the run is past the gate, or an abort was asked already"
        return super().unavailable(action)

    def action_abort(self) -> None:
        """Ask whether to abort."""
        if not self.allowed("abort"):
            return

        def answered(yes: bool | None) -> None:
            # It may have ended while the question was open.
            if yes and self.allowed("abort"):
                self.guide.abort()

        view = self.walk_value.view
        plan = view.started.plan if view and view.started else None
        stepwise = plan is None or not plan.transactional or bool(view and view.steps)
        ask = Ask(
            "Abort this run?",
            _abort_means(self.walk_value),
            yes="Abort the run",
            no="Let it go on",
            # Nobody may leave a plan half done by a key that was held down.
            again="" if stepwise else names("run.abort")[0],
        )
        self.app.push_screen(ask, answered)


def _columns(total: int) -> tuple[Column, ...]:
    """Return the columns for a plan of ``total`` statements."""
    digits = max(3, len(str(total)))
    return (
        Column("mark", "", 1),
        Column("index", "#".rjust(digits), digits),
        Column("what", "statement", 0),
        Column("rows", "", 11, least=60),
        Column("time", "time", 8),
    )


def _abort_means(walk: Walk) -> list[Content]:
    """Say what an abort comes to: a plan that is not one transaction has nothing to roll back."""
    if walk.view is not None and walk.view.steps is not None:
        return [
            line("It stops between two statements. What is done by then stays done, and only"),
            line("the checkpoint brings it back; that is tried while the door is closed."),
            line(("If the last statement comes first, the run goes on to its end.", "dim")),
        ]
    return [
        line("It stops at the next safe point and rolls its transaction back."),
        line("The database stays as it was; the door opens again."),
        line(("If COMMIT comes first, the run goes on to its end.", "dim")),
    ]
