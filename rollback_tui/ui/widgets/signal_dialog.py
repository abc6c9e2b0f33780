"""The question before a query is cancelled or a session is ended: who it is, what is lost.

Where more than an idle client is at stake, the pid has to be typed: no key pressed once too often
can end a writer, a backup or a replica's connection.
"""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Static

from rollback_tui.core.activity.signals import Ending
from rollback_tui.core.activity.waits import Row
from rollback_tui.core.model import Session
from rollback_tui.core.text import shorten
from rollback_tui.ui.theme import line
from rollback_tui.ui.widgets.dialogs import Ask, PlainButton, QuietInput
from rollback_tui.ui.wording import count, name_of, state_of, took


class SignalDialog(Ask):
    """Cancel is focused first; with a pid to type, the field is, and yes is inert until it says
    exactly that."""

    def __init__(self, row: Row, session: Session, ending: Ending, *, terminate: bool) -> None:
        self._pid = str(session.pid)
        self._typed = ending.typed
        super().__init__(
            "End this session?" if terminate else "Cancel this query?",
            _body(row, session, ending),
            yes=f"End pid {self._pid}" if terminate else f"Cancel the query of {self._pid}",
            no="Leave it",
        )

    def compose(self) -> ComposeResult:
        """Title, text, the field where one is needed, the buttons; the harmless one first."""
        if not self._typed:
            yield from super().compose()
            return
        with Vertical(id="dialog", classes="-danger"):
            yield Static(line((self._title, "strong")), id="dialog-title")
            with VerticalScroll(id="dialog-body", can_focus=False):
                yield Static(self._body)
            yield QuietInput(id="text", placeholder=f"type the pid: {self._pid}", then=self._judge)
            yield Static("", id="text-state", markup=False)
            with Horizontal(id="dialog-buttons"):
                yield PlainButton(self._no, id="no")
                yield PlainButton(self._yes, id="yes", danger=True)
            yield Static(line(("tab chooses · enter presses · esc leaves it", "dim")))

    def on_mount(self) -> None:
        """Begin in the field, where there is one."""
        if self._typed:
            self._judge()
            self.call_after_refresh(self.query_one("#text", Input).focus)

    @on(Input.Changed)
    def _judge(self) -> None:
        text = self.query_one("#text", Input).value.strip()
        good = text == self._pid
        self.query_one("#yes", Button).disabled = not good
        words = line((f"type {self._pid} to go on", "dim"))
        if good:
            words = line(("✓ tab goes to the buttons", "good"))
        elif text:
            words = line((f"✗ not {self._pid}", "bad"))
        self.query_one("#text-state", Static).update(words)

    def may(self) -> bool:
        """Return whether the pid is there, where it has to be."""
        return not self._typed or self.query_one("#text", Input).value.strip() == self._pid


def _body(row: Row, session: Session, ending: Ending) -> list[Content]:
    transaction = (
        f" · transaction open for {took(session.transaction_age)}"
        if session.transaction_age is not None
        else ""
    )
    body = [
        line((name_of(session), "strong"), f" from {session.address or 'not seen'}"),
        line(f"{state_of(session)} for {took(session.query_age) or '?'}{transaction}"),
        line((shorten(session.query, 300) or "no query", "dim")),
    ]
    if row.behind:
        verb = "waits" if row.behind == 1 else "wait"
        body.append(line(f"{count(row.behind, 'session')} {verb} behind it."))
    body += [line((warning, "bad")) for warning in ending.warnings]
    return [*body, line((ending.lost, "warn"))]
