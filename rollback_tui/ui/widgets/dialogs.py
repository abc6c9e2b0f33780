"""The modal questions. Cancel is always focused first, and Enter alone never means yes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from rollback_tui.core.text import printable
from rollback_tui.ui.theme import line, lines
from rollback_tui.ui.walk import REASON_LENGTH


class QuietInput(Input):
    """An input whose cursor does not blink: a blink is 2 kB a second over SSH.

    Tab and enter have priority here: on a slow link text, tab and text arrive in one piece, and
    the focus must have moved before the second text is handed out.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "tab",
            "app.focus_next",
            "next field",
            show=False,
            priority=True,
            id="field.next",
            tooltip="The next field or button",
        ),
        Binding(
            "shift+tab",
            "app.focus_previous",
            "field before",
            show=False,
            priority=True,
            id="field.previous",
            tooltip="The field or button before",
        ),
        Binding(
            "enter",
            "go_on",
            "go on",
            show=False,
            priority=True,
            id="field.go_on",
            tooltip="Go on to what comes next; it never means yes",
        ),
    ]

    def __init__(
        self,
        *,
        id: str,  # noqa: A002 - Textual's name
        placeholder: str = "",
        then: Callable[[], None] | None = None,
    ) -> None:
        """``then``: where enter leads to; it never says yes to anything."""
        super().__init__(id=id, placeholder=placeholder, compact=True)
        self.cursor_blink = False
        self._then = then

    async def action_go_on(self) -> None:
        """Go on at once: the next text may be typed already."""
        if self._then is not None:
            self._then()
        else:
            await self.action_submit()


class PlainButton(Button):
    """A button whose label is plain text, also when a server or a file named it."""

    def __init__(self, label: str, *, id: str, danger: bool = False) -> None:  # noqa: A002
        super().__init__(
            Content(printable(label)),
            id=id,
            variant="error" if danger else "default",
            compact=True,
        )
        self.choice: str | None = None
        """The run's choice that this button stands for."""


class Ask(ModalScreen[bool]):
    """Yes or no. Returns True only when the button of that name was pressed, or ``again``: the
    key that opened the question, where yes must be quick and is safe."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape", "decline", "cancel", id="dialog.decline", tooltip="Close; nothing is done"
        ),
        Binding(
            "left,up",
            "app.focus_previous",
            "",
            show=False,
            id="dialog.previous",
            tooltip="The choice before",
        ),
        Binding(
            "right,down",
            "app.focus_next",
            "",
            show=False,
            id="dialog.following",
            tooltip="The choice after",
        ),
    ]

    def __init__(
        self,
        title: str,
        body: Sequence[Content],
        *,
        yes: str,
        no: str = "Cancel",
        danger: bool = True,
        again: str = "",
    ) -> None:
        super().__init__()
        self._title = title
        self._body = lines(list(body))
        self._yes = yes
        self._no = no
        self._danger = danger
        self._again = again

    def compose(self) -> ComposeResult:
        """Title, text, the two buttons; the harmless one first and focused."""
        with Vertical(id="dialog", classes="-danger" if self._danger else ""):
            yield Static(line((self._title, "strong")), id="dialog-title")
            with VerticalScroll(id="dialog-body", can_focus=False):
                yield Static(self._body)
            with Horizontal(id="dialog-buttons"):
                yield PlainButton(self._no, id="no")
                yield PlainButton(self._yes, id="yes", danger=self._danger)
            quick = f"{self._again} again: {self._yes} · " if self._again else ""
            yield Static(line((f"{quick}tab chooses · enter presses · esc cancels", "dim")))

    def on_mount(self) -> None:
        """Focus the harmless button."""
        self.query_one("#no", Button).focus()

    def on_key(self, event: Key) -> None:
        """Take the key that opened the question as its answer, where that is offered."""
        if self._again and event.key == self._again:
            event.stop()
            self.dismiss(True)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_decline(self) -> None:
        """Cancel."""
        self.dismiss(False)


class AskText(ModalScreen[str | None]):
    """A typed text. Enter in the field does nothing but go on to Cancel."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape", "decline", "cancel", id="dialog.decline", tooltip="Close; nothing is done"
        )
    ]

    def __init__(self, title: str, body: Sequence[Content], *, yes: str, wanted: str) -> None:
        super().__init__()
        self._title = title
        self._body = lines(list(body))
        self._yes = yes
        self._wanted = wanted

    def compose(self) -> ComposeResult:
        """Title, text, the field, the two buttons."""
        with Vertical(id="dialog", classes="-danger"):
            yield Static(line((self._title, "strong")), id="dialog-title")
            with VerticalScroll(id="dialog-body", can_focus=False):
                yield Static(self._body)
            yield QuietInput(id="text", placeholder=self._wanted)
            yield Static("", id="text-state", markup=False)
            with Horizontal(id="dialog-buttons"):
                yield PlainButton("Cancel", id="no")
                yield PlainButton(self._yes, id="yes", danger=True)
            yield Static(line(("tab chooses · enter presses · esc cancels", "dim")))

    def on_mount(self) -> None:
        """Start in the field: typing is what is asked for."""
        self.query_one("#text", Input).focus()
        self._judge("")

    def _judge(self, text: str) -> None:
        missing = REASON_LENGTH - len(text.strip())
        self.query_one("#yes", Button).disabled = missing > 0
        words = line((f"{missing} more characters", "dim")) if missing > 0 else line(("✓", "good"))
        self.query_one("#text-state", Static).update(words)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._judge(event.value)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.query_one("#no", Button).focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        text = self.query_one("#text", Input).value.strip()
        self.dismiss(text if event.button.id == "yes" and len(text) >= REASON_LENGTH else None)

    def action_decline(self) -> None:
        """Cancel."""
        self.dismiss(None)


class Read(ModalScreen[None]):
    """A text to scroll through: help, the SQL log, a session."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,q,enter,question_mark,L",
            "close",
            "close",
            id="read.close",
            tooltip="Back to the screen below",
        ),
        Binding("c", "copy", "copy", id="read.copy", tooltip="Copy, where the terminal allows it"),
    ]

    def __init__(
        self, title: str, body: Content, *, at_end: bool = False, copies: tuple[str, str] = ("", "")
    ) -> None:
        """``copies``: what ``c`` copies, in words, and the text itself."""
        super().__init__()
        self._copies = copies
        self._title = title
        self._body = body
        self._at_end = at_end

    def compose(self) -> ComposeResult:
        """Title, text, how to leave."""
        with Vertical(id="dialog", classes="-reading"):
            yield Static(line((self._title, "strong")), id="dialog-title")
            with VerticalScroll(id="dialog-body"):
                yield Static(self._body)
            copy = f" · c copies {self._copies[0]}" if self._copies[1] else ""
            yield Static(line((f"↑ ↓ scroll{copy} · esc closes", "dim")))

    def on_mount(self) -> None:
        """Let the arrows scroll at once."""
        scroll = self.query_one("#dialog-body", VerticalScroll)
        scroll.focus()
        if self._at_end:
            self.call_after_refresh(scroll.scroll_end, animate=False)

    def action_copy(self) -> None:
        """Copy through the terminal (OSC 52), and say so."""
        what, text = self._copies
        if text:
            copied(self.app, what, text)

    def action_close(self) -> None:
        """Close."""
        self.dismiss(None)

    action_decline: Callable[..., None] = action_close


def copied(app: App[object], what: str, text: str) -> None:
    """Copy ``text`` through the terminal (OSC 52), which may not allow it: say so."""
    app.copy_to_clipboard(text)
    app.notify(
        printable(f"Copied, where the terminal allows it: {what}"), timeout=6.0, markup=False
    )
