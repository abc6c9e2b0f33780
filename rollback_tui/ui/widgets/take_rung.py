"""The confirmation of a recovery: what it costs, the text that must be typed, and why."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Static

from rollback_tui.core.recovery import RecoveryOption
from rollback_tui.core.text import printable
from rollback_tui.ui.glyphs import plain
from rollback_tui.ui.theme import Tone, line, lines
from rollback_tui.ui.walk import REASON_LENGTH
from rollback_tui.ui.widgets.dialogs import More, PlainButton, QuietInput
from rollback_tui.ui.widgets.pane import Pane
from rollback_tui.ui.widgets.proof_items import lost_text
from rollback_tui.ui.wording import about


class TakeRung(Pane[str | None]):
    """Returns the typed reason, or None. The first text that must be typed is focused; Enter in a
    field says yes to nothing."""

    NAME = "The confirmation of a recovery"
    HELP = (
        "Says what this recovery restores and what it loses, and asks for it to be typed: the text "
        "in bold, then why, in ten characters or more. Recover works only when both are there. "
        "tab goes from one to the next; enter in a field goes on and says yes to nothing. esc "
        "closes it, and nothing is done."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape", "decline", "cancel", id="dialog.decline", tooltip="Close; nothing is done"
        )
    ]

    def __init__(self, option: RecoveryOption, *, production: bool) -> None:
        super().__init__()
        self._option = option
        self._production = production

    def compose(self) -> ComposeResult:
        """What it does and loses, the two texts, the two buttons."""
        option = self._option
        seconds = option.estimated_seconds
        long = "nobody can say how long" if seconds is None else about(seconds)
        with Vertical(id="dialog", classes="-danger -asking"):
            yield Static(line((f"{option.title}?", "strong")), id="dialog-title")
            with More(id="dialog-body"):
                rows = [line(option.restores), line(("takes  ", "dim"), long)]
                rows += [line(("loses  ", "dim")), lost_text(option.lost, basis=False)]
                yield Static(lines(rows), markup=False)
            with Vertical(id="row-confirm", classes="asked"):
                # On a line of its own: what must be typed is never cut.
                yield Static(line("type ", (option.confirm, "strong")), markup=False)
                with Horizontal(classes="field"):
                    yield QuietInput(id="field-confirm", then=self._to_reason)
                    yield Static("", id="state-confirm", classes="state", markup=False)
            with Vertical(classes="asked"):
                yield Static(line(f"why, in {REASON_LENGTH} characters or more"), markup=False)
                with Horizontal(classes="field"):
                    yield QuietInput(id="field-why", then=self._to_cancel)
                    yield Static("", id="state-why", classes="state", markup=False)
            with Horizontal(id="dialog-buttons"):
                yield PlainButton("Cancel", id="no")
                yield PlainButton("Recover", id="yes", danger=True)
            yield Static(line(("tab chooses · enter presses · esc cancels", "dim")))

    def on_mount(self) -> None:
        """Focus the first field: what is typed at once must not be lost."""
        self.query_one("#row-confirm").display = bool(self._option.confirm)
        self.query_one("#field-confirm" if self._option.confirm else "#field-why").focus()
        self._judge()

    def _text(self, name: str) -> str:
        return self.query_one(f"#field-{name}", Input).value.strip()

    @property
    def _same(self) -> bool:
        """Whether what is asked for was typed, or how it is shown where this terminal has not all
        of its letters."""
        wanted = printable(self._option.confirm)
        return self._text("confirm") in (wanted, plain(wanted))

    @property
    def _complete(self) -> bool:
        return self._same and len(self._text("why")) >= REASON_LENGTH

    @on(Input.Changed)
    def _judge(self) -> None:
        typed = self._text("confirm")
        mark: tuple[str, Tone] = ("✓", "good") if self._same else ("✗ not the same", "bad")
        self.query_one("#state-confirm", Static).update(line(mark if typed else ("", "dim")))
        long = len(self._text("why")) >= REASON_LENGTH
        mark = ("✓", "good") if long else ("· longer", "dim")
        self.query_one("#state-why", Static).update(
            line(mark if self._text("why") else ("", "dim"))
        )
        self.query_one("#yes", Button).disabled = not self._complete

    def _to_reason(self) -> None:
        self.query_one("#field-why", Input).focus()

    def _to_cancel(self) -> None:
        self.query_one("#no", Button).focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        yes = event.button.id == "yes" and self._complete
        self.dismiss(self._text("why") if yes else None)

    def action_decline(self) -> None:
        """Cancel."""
        self.dismiss(None)
