"""Step 5: the proof. Verifications, rows before and after, recovery, and what to do next."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.widgets import DataTable, Static

from rollback_tui.core.model import RowChange
from rollback_tui.core.run_view import RunView
from rollback_tui.ui.messages import Answer
from rollback_tui.ui.screens.step import StepScreen
from rollback_tui.ui.theme import STATUS, Tone, cell, line, lines
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.widgets.dialogs import Read
from rollback_tui.ui.widgets.live_table import Column, LiveTable
from rollback_tui.ui.widgets.question_panel import QuestionPanel
from rollback_tui.ui.widgets.run_lines import alarm_lines, archived, back_again
from rollback_tui.ui.widgets.status_bar import Bar
from rollback_tui.ui.wording import count, outcome_of, took

Item = tuple[str, tuple[str, Tone], str, Content]
"""Key, mark, title, and the text beside it."""


class VerifyScreen(StepScreen):
    """A list of everything that was proven or repaired, with its evidence."""

    STEP = 5
    HELP = (
        "What was proven. Each verification is judged by itself, inside the transaction where "
        "that is possible; unknown is never a pass. When the run asks whether to commit, the "
        "question is here too. After a failure: the proof that nothing changed, or the steps of "
        "the recovery and the exact commands that come next."
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "take_controls", "take the controls", tooltip="Answer and abort from here"),
    ]

    def compose_body(self) -> ComposeResult:
        """Outcome, alarms, the question, the list and its evidence."""
        yield Bar(id="outcome")
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

    def show_step(self, walk: Walk) -> None:
        """Show the outcome and the list."""
        view = walk.view or RunView()
        self.query_one("#outcome", Bar).say(outcome_line(walk))
        alarms = self.query_one("#alarms", Bar)
        alarms.display = bool(view.alarms)
        alarms.say(alarm_lines(view))
        rows = [(key, (cell(*mark), cell(title))) for key, mark, title, _ in items(view)]
        self.query_one("#proofs", LiveTable).show_rows(rows)
        self.query_one(QuestionPanel).show(walk)
        self._show_evidence()

    @on(DataTable.RowHighlighted, "#proofs")
    def _highlighted(self) -> None:
        self._show_evidence()

    @on(DataTable.RowSelected, "#proofs")
    def _read(self, event: DataTable.RowSelected) -> None:
        """Show one of them in the width of the screen."""
        for key, _, title, text in items(self.walk_value.view or RunView()):
            if key == event.row_key.value:
                self.app.push_screen(Read(title, text))

    @on(Answer)
    def _answered(self, message: Answer) -> None:
        self.answer(message.choice)

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
    if view is None or view.finished is None:
        return line((" ▸ ", "accent"), "The run goes on; its proofs appear here.")
    glyph, words, tone = outcome_of(view)
    return line((f" {glyph} {words}", tone), f"  {view.finished.summary}")


def items(view: RunView) -> list[Item]:
    """Return everything that is known about the result, worst news first."""
    found: list[Item] = []
    if view.finished and view.finished.next_commands:
        text = [line(("Type exactly:", "strong")), line("")]
        text += [line(("  $ ", "dim"), command) for command in view.finished.next_commands]
        found.append(("next", ("→ next", "accent"), "what to do next", lines(text)))
    if view.failure is not None:
        found.append(("failure", ("✗ failed", "bad"), "the failed statement", _failure(view)))
    if view.unchanged is not None:
        proven = view.unchanged.proven
        text = [line("Compared with what was there before the run: ", view.unchanged.basis, ".")]
        text += [line(("· ", "dim"), item) for item in view.unchanged.differences]
        mark: tuple[str, Tone] = ("✓ proven", "good") if proven else ("✗ differs", "bad")
        found.append(("unchanged", mark, "nothing was changed", lines(text)))
    found += [
        (
            f"recovery {number} {step.name}",
            ("✓ done", "good") if step.ok else ("✗ failed", "bad"),
            f"recovery: {step.name}",
            lines([line(step.summary), line((took(step.seconds), "dim"))]),
        )
        for number, step in enumerate(view.recovery)
    ]
    for verification in view.verifications:
        glyph, word, tone = STATUS[verification.verdict]
        text = [
            line((f"{glyph} {word}", tone), "  ", (verification.title, "strong")),
            line(verification.summary),
            line(""),
            *(line(("· ", "dim"), item) for item in verification.evidence),
            line((f"judged in {took(verification.seconds)}", "dim")),
        ]
        item = (
            f"verification {verification.name}",
            (f"{glyph} {word}", tone),
            verification.title,
            lines(text),
        )
        found.append(item)
    if view.kept:
        found.append(
            (
                "kept",
                _kept_mark(view),
                f"kept: {count(len(view.kept), 'archive table')}",
                _kept(view),
            )
        )
    if view.rows:
        changed = sum(row.before != row.after for row in view.rows)
        title = f"rows: {changed:,} of {count(len(view.rows), 'table')} changed"
        found.append(("rows", ("= rows", "accent"), title, rows_text(view.rows)))
    return found


def _failure(view: RunView) -> Content:
    failure = view.failure
    if failure is None:
        return line("")
    rows = [
        line((f"statement {failure.index}, line {failure.line}", "strong")),
        line((f"{failure.sqlstate} ", "bad"), (failure.message, "bad")),
    ]
    rows += [line(failure.detail)] if failure.detail else []
    # The server may say CASCADE here: it must be plain that this is not our advice.
    rows += [line(("the server's hint: ", "dim"), failure.hint)] if failure.hint else []
    if failure.position is not None:
        rows.append(line((f"at character {failure.position}", "dim")))
    return lines([*rows, line(""), line(failure.sql)])


def _kept_mark(view: RunView) -> tuple[str, Tone]:
    """Return the mark of the archive: it is there only when its transaction was committed."""
    if view.committed or view.steps is not None:
        return "✓ kept", "good"
    return ("– undone", "dim") if view.finished is not None else ("· kept", "dim")


def _kept(view: RunView) -> Content:
    rows = [line(("· ", "dim"), archived(event)) for event in view.kept]
    if view.committed or view.steps is not None:
        rows += [
            line(""),
            line("When the migration is applied again, this puts it back:"),
            line(("  $ ", "dim"), back_again(view)),
        ]
    else:
        rows += [
            line(""),
            line("It is in the same transaction, and stands when that commits."),
        ]
    return lines(rows)


def rows_text(rows: tuple[RowChange, ...]) -> Content:
    """Return rows before and after, the changed tables first; not counted is ``?``."""

    def number(value: int | None) -> str:
        return "–" if value is None else f"{value:,}"

    ordered = sorted(rows, key=lambda row: (row.before == row.after, row.table))
    shown = ordered[:200]
    body = [line((f"{'before':>12} {'after':>12}  table  (– not there, or not counted)", "dim"))]
    for row in shown:
        tone: Tone = "plain" if row.before == row.after else "warn"
        body.append(line((f"{number(row.before):>12} {number(row.after):>12}  {row.table}", tone)))
    if len(ordered) > len(shown):
        body.append(line((f"… {len(ordered) - len(shown):,} more tables are in the report", "dim")))
    return lines(body)
