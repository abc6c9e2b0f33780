"""What is left to be done after a run: a checklist that is ticked here and kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from rollback_tui.core.follow_ups import FollowUp
from rollback_tui.ui.after import after_of
from rollback_tui.ui.keys import binder, key
from rollback_tui.ui.theme import Tone, cell, line, lines
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.widgets.dialogs import AskText
from rollback_tui.ui.widgets.live_table import Column, LiveTable
from rollback_tui.ui.widgets.pane import Pane
from rollback_tui.ui.widgets.status_bar import Bar
from rollback_tui.ui.wording import run_of

if TYPE_CHECKING:
    from rollback_tui.ui.app import RollbackApp

COLUMNS = (
    Column("done", "", 3),
    Column("text", "to do", 0),
    Column("by", "by", 16, least=90),
    Column("when", "when", 16, least=130),
)

_bind = binder("report")


class FollowUps(Pane[None]):
    """The checklist of one run."""

    NAME = "Follow-ups"
    HELP = (
        "What is left to be done after this run, and who has done what of it. space ticks the one "
        "that is marked, or takes the tick back; e writes a note to it. All of it is kept in the "
        "run's folder at once, with your name and the time, and stands in the incident report. esc "
        "leads back."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        _bind("escape,q,f", "close", "close", "Back to the screen below", name="close_follow_ups"),
        _bind("space", "tick", "done", "Tick it, or take the tick back"),
        _bind("e", "note", "note", "Write a note to it"),
    ]

    def __init__(self, folder: Path) -> None:
        """``folder``: that of the run."""
        super().__init__()
        self._folder = folder

    @property
    def _app(self) -> RollbackApp:
        return cast("RollbackApp", self.app)

    @property
    def _items(self) -> tuple[FollowUp, ...]:
        after = after_of(self._app.guide.walk, self._folder)
        return (after.follow_ups or ()) if after is not None else ()

    @property
    def _item(self) -> FollowUp | None:
        """The one that is marked."""
        marked = self.query_one("#follow-ups", LiveTable).current_key
        return next((item for item in self._items if item.key == marked), None)

    def compose(self) -> ComposeResult:
        """How many are done, the list, the one that is marked in full, the keys."""
        with Vertical(id="dialog", classes="-reading -whole"):
            yield Bar(id="log-title")
            yield LiveTable(COLUMNS, id="follow-ups")
            with VerticalScroll(id="follow-up", can_focus=False):
                yield Static("", id="follow-up-text", markup=False)
            yield Bar(id="log-keys")

    def on_mount(self) -> None:
        """Ask for them, and begin in the list."""
        self.query_one("#follow-ups").focus()
        self._app.guide.afterwards.read_follow_ups(self._folder)
        self.call_after_refresh(lambda: self.show(self._app.guide.walk))

    def show(self, walk: Walk) -> None:
        """Show what is known now."""
        if not self.query("#log-keys"):
            return
        after = after_of(walk, self._folder)
        items = self._items
        table = self.query_one("#follow-ups", LiveTable)
        table.show_rows([(item.key, _row(item)) for item in items])
        title = line((f"Follow-ups of run {run_of(self._folder)}", "strong"))
        failure = after.follow_ups_failure if after is not None else None
        if failure is not None:
            title = lines([title, line((f"{failure.summary} ", "bad"), failure.remedy)])
        elif after is None or after.follow_ups is None:
            title = title + line(("  being read …", "dim"))
        else:
            done = sum(item.done for item in items)
            tone: Tone = "good" if done == len(items) else "warn"
            title = title + line((f"  {done} of {len(items)} done", tone))
        self.query_one("#log-title", Bar).say(title)
        ticks = f"{key('report.tick')} ticks · {key('report.note')} note · "
        only_look = "READ-ONLY terminal: nothing can be ticked · "
        self.query_one("#log-keys", Bar).say(
            line((f"↑ ↓ another · {only_look if walk.read_only else ticks}esc closes", "dim"))
        )
        self._show_item()

    @on(LiveTable.Highlighted, "#follow-ups")
    def _show_item(self) -> None:
        item = self._item
        self.query_one("#follow-up-text", Static).update(_in_full(item) if item else line(""))

    # --- keys ---------------------------------------------------------------------------------

    def unavailable(self, action: str) -> str:
        """Return why a key does nothing now."""
        if action in ("tick", "note"):
            if self._app.guide.walk.read_only:
                return "this terminal was started read-only"
            if self._item is None:
                return "nothing is marked"
        return ""

    def action_tick(self) -> None:
        """Tick it, or take the tick back."""
        item = self._item
        if self._allowed("tick") and item is not None:
            afterwards = self._app.guide.afterwards
            afterwards.tick_off(self._folder, item.key, done=not item.done)

    def action_note(self) -> None:
        """Ask for a note."""
        item = self._item
        if not self._allowed("note") or item is None:
            return
        before = [line(("now: ", "dim"), item.note)] if item.note else []
        ask = AskText(
            "A note to this follow-up",
            [line((item.text, "strong")), *before],
            yes="Keep it",
            wanted="what was found, who does it, where it is written",
            least=1,
            danger=False,
        )
        self.app.push_screen(ask, lambda text: self._noted(item, text))

    def _noted(self, item: FollowUp, text: str | None) -> None:
        if text:
            afterwards = self._app.guide.afterwards
            afterwards.tick_off(self._folder, item.key, done=item.done, note=text)

    def _allowed(self, action: str) -> bool:
        reason = self.unavailable(action)
        if reason:
            self._app.say(f"Not now: {reason}.", "warning")
        return not reason

    def action_close(self) -> None:
        """Close; what was ticked is kept."""
        self.dismiss(None)

    action_decline = action_close


def _row(item: FollowUp) -> tuple[Text, ...]:
    when = item.at.astimezone().strftime("%Y-%m-%d %H:%M") if item.at is not None else ""
    return (
        # Brackets, and not a colour: a box that is ticked or not in every terminal.
        cell("[x]" if item.done else "[ ]", "good" if item.done else "warn"),
        cell(item.text, "dim" if item.done else "plain"),
        cell(item.by, "dim"),
        cell(when, "dim"),
    )


def _in_full(item: FollowUp) -> Content:
    rows = [line(item.text)]
    if item.at is not None:
        when = item.at.astimezone().strftime("%Y-%m-%d %H:%M")
        tone: Tone = "good" if item.done else "warn"
        rows.append(line((f"{item.touched} by {item.by}, {when}", tone)))
    if item.note:
        rows.append(line(("note: ", "dim"), item.note))
    return lines(rows)
