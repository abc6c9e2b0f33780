"""What to rehearse on: each way with what it costs, and why it is not possible now."""

from __future__ import annotations

from typing import ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.events import DescendantFocus
from textual.widget import Widget
from textual.widgets import Button, Static

from rollback_tui.core.rehearsal import Source
from rollback_tui.core.text import data_size
from rollback_tui.ui.theme import Tone, line, lines
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.widgets.dialogs import CHOICE_KEYS, PlainButton
from rollback_tui.ui.widgets.pane import Pane
from rollback_tui.ui.wording import count

WAYS: tuple[tuple[Source, str, str], ...] = (
    ("schema", "schema only", "a database with the same schema and no rows"),
    (
        "dump",
        "with the data",
        "the newest checkpoint, or a new one, restored and so proven",
    ),
    ("clone", "clone", "a copy of the files on the same server"),
)
"""What it is made from, the button, and what that means."""


class RehearseDialog(Pane[Source | None]):
    """Three ways, and the way out first."""

    NAME = "How to rehearse"
    HELP = (
        "A rehearsal executes every statement on a scratch database beside the real one, measures "
        "it, and removes the scratch database again; the real database is only read. Choose what "
        "it is made from: schema only takes seconds and sees everything but what stored rows "
        "refuse; with the data sees that too, and proves the checkpoint. In doubt: schema only. "
        "tab goes to a way, enter begins it, x on the preview stops it. esc closes this, and "
        "nothing is done."
    )
    BINDINGS: ClassVar[list[BindingType]] = CHOICE_KEYS

    def __init__(self, walk: Walk) -> None:
        super().__init__()
        self._walk = walk

    def compose(self) -> ComposeResult:
        """What it is for, the ways with their costs, the buttons."""
        target = self._walk.target
        name = target.database if target else "the target"
        where = f"{target.host}:{target.port}" if target else "the server"
        with Vertical(id="dialog"):
            yield Static(line(("Rehearse on a scratch database?", "strong")), id="dialog-title")
            with VerticalScroll(id="ways", can_focus=False):
                yield Static(
                    line(
                        "Every statement is executed there and measured, and the up scripts "
                        f"after them; then it is removed. It stands beside {name} on {where}; "
                        f"{name} is only read."
                    ),
                    id="ways-purpose",
                )
                with Vertical(id="way-none", classes="way"):
                    yield PlainButton("Cancel", id="no")
                for source, label, meaning in WAYS:
                    with Vertical(id=f"way-{source}", classes="way"):
                        yield PlainButton(label, id=f"rehearse-{source}")
                        yield Static(self._words(source, meaning), markup=False)
            yield Static(line(("tab chooses · enter presses · esc cancels", "dim")))

    def on_mount(self) -> None:
        """Focus the harmless button; those that cannot be pressed say why beside them."""
        for source, _, _ in WAYS:
            self.query_one(f"#rehearse-{source}", Button).disabled = bool(self._obstacle(source))
        self.query_one("#no", Button).focus()

    def _words(self, source: Source, meaning: str) -> Content:
        """Return what a way is, and what it costs or why it is not possible."""
        obstacle = self._obstacle(source)
        more: tuple[str, Tone] = (self._cost(source), "dim")
        if obstacle:
            more = (f"not now: {obstacle}", "warn")
        return lines([line("    ", meaning), line("    ", more)])

    @on(DescendantFocus)
    def _in_sight(self, event: DescendantFocus) -> None:
        """Show the whole of a way when its button gets the focus, with what it costs."""
        if event.widget.parent is not None:
            cast(Widget, event.widget.parent).scroll_visible(animate=False)

    def _cost(self, source: Source) -> str:
        activity = self._walk.activity
        data = (
            f"~{data_size(activity.database_bytes)}" if activity else "as much as the database has"
        )
        return {
            "schema": "seconds, no room; not seen: what stored rows would refuse",
            "dump": f"a dump and a restore, room for {data}; everything is measured",
            "clone": f"room for {data}, nobody may connect; everything is measured",
        }[source]

    def _obstacle(self, source: Source) -> str:
        activity = self._walk.activity
        others = [s for s in activity.sessions if not s.ours] if activity else []
        if source == "clone" and others:
            verb = "is" if len(others) == 1 else "are"
            return f"{count(len(others), 'session')} {verb} connected, and none may be"
        return ""

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        pressed = (event.button.id or "").removeprefix("rehearse-")
        chosen = next((source for source, _, _ in WAYS if source == pressed), None)
        self.dismiss(chosen)

    def action_decline(self) -> None:
        """Cancel."""
        self.dismiss(None)
