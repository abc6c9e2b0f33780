"""The run's question with its choices. What happens when nobody answers is focused first."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Static

from rollback_tui.core.events import Question
from rollback_tui.ui.messages import Answer
from rollback_tui.ui.moment import steady
from rollback_tui.ui.theme import line
from rollback_tui.ui.walk import Walk, hands_off
from rollback_tui.ui.widgets.dialogs import PlainButton
from rollback_tui.ui.widgets.status_bar import Bar
from rollback_tui.ui.wording import clock


class QuestionPanel(Vertical):
    """Hidden while there is no question."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._asked: tuple[Question, float] | None = None
        self._looking = True

    def compose(self) -> ComposeResult:
        """Text, deadline, buttons."""
        yield Static("", id="question-text", markup=False)
        yield Horizontal(id="question-choices")
        yield Bar(id="question-deadline")

    def on_mount(self) -> None:
        """Wait for a question."""
        self.display = False

    def show(self, walk: Walk) -> None:
        """Show the open question; the buttons are made once for each question."""
        question = walk.view.question if walk.view else None
        if question is None or walk.view is None:
            self._asked = None
            self.display = False
            return
        asked = (question, walk.view.question_asked)
        if asked != self._asked:
            self._asked = asked
            self.display = True
            text = line(("The run asks: ", "warn"), (question.text, "strong"))
            self.query_one("#question-text", Static).update(text)
            self.call_later(self._make_buttons, question)
        self._enable(walk)
        self.tick(walk)

    def _enable(self, walk: Walk) -> None:
        """Who only looks cannot press anything."""
        self._looking = bool(hands_off(walk))
        for button in self.query(PlainButton):
            if button.disabled != self._looking:
                button.disabled = self._looking

    async def _make_buttons(self, question: Question) -> None:
        row = self.query_one("#question-choices", Horizontal)
        await row.remove_children()
        # The safe one first: it is focused, and it is what happens when nobody answers.
        ordered = sorted(question.choices, key=lambda choice: choice != question.default)
        buttons = []
        for number, choice in enumerate(ordered):
            danger = choice != question.default
            button = PlainButton(choice, id=f"choice-{number}", danger=danger)
            button.disabled = self._looking
            button.choice = choice
            buttons.append(button)
        await row.mount_all(buttons)
        if buttons and self.screen.is_current:
            buttons[0].focus()

    def tick(self, walk: Walk) -> None:
        """Count the deadline down."""
        view = walk.view
        if self._asked is None or view is None or view.question is None:
            return
        gone = walk.elapsed(steady()) - view.question_asked
        left = max(0.0, view.question.seconds - gone)
        self.query_one("#question-deadline", Bar).say(
            line(
                (f"asked {clock(gone)} ago, ", "dim"),
                (f"{clock(left)} left", "accent"),
                f" · nobody answers: {view.question.default}",
                (" · only looking", "warn") if hands_off(walk) else "",
            )
        )

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if isinstance(event.button, PlainButton) and event.button.choice is not None:
            self.post_message(Answer(event.button.choice))
