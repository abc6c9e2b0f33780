"""The modal questions. Cancel is always focused first, and Enter alone never means yes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.events import Key
from textual.widgets import Button, Input, Static

from rollback_tui.core.text import printable
from rollback_tui.ui.glyphs import plain
from rollback_tui.ui.keys import key, shown
from rollback_tui.ui.theme import line, lines
from rollback_tui.ui.walk import REASON_LENGTH
from rollback_tui.ui.widgets.pane import Pane

if TYPE_CHECKING:
    from rollback_tui.ui.app import RollbackApp


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


class More(VerticalScroll):
    """A text that is on the way of the tab key only when there is more than it shows."""

    def allow_focus(self) -> bool:
        """Return whether there is anything to scroll."""
        return self.max_scroll_y > 0


class PlainButton(Button):
    """A button whose label is plain text, also when a server or a file named it."""

    def __init__(self, label: str, *, id: str, danger: bool = False) -> None:  # noqa: A002
        super().__init__(
            Content(plain(printable(label))),
            id=id,
            variant="error" if danger else "default",
            compact=True,
        )
        self.choice: str | None = None
        """The run's choice that this button stands for."""


CHOICE_KEYS: list[BindingType] = [
    Binding("escape", "decline", "cancel", id="dialog.decline", tooltip="Close; nothing is done"),
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
"""The keys of a question with choices beside or below each other."""


class Ask(Pane[bool]):
    """Yes or no. Returns True only when the button of that name was pressed, or ``again``: the
    key that opened the question, where yes must be quick and is safe."""

    HELP = (
        "A question, yes or no. The harmless answer is at the left and has the focus; enter "
        "presses what has the focus, so enter alone never says yes. tab or an arrow goes to the "
        "other answer. esc closes the question, and nothing is done."
    )
    BINDINGS: ClassVar[list[BindingType]] = CHOICE_KEYS

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
            with More(id="dialog-body"):
                yield Static(self._body)
            with Horizontal(id="dialog-buttons"):
                yield PlainButton(self._no, id="no")
                yield PlainButton(self._yes, id="yes", danger=self._danger)
            quick = f"{shown(self._again)} again: {self._yes} · " if self._again else ""
            rest = "tab chooses · enter presses · esc cancels · ? help"
            yield Static(line((f"{quick}{rest}", "dim")))

    def on_mount(self) -> None:
        """Focus the harmless button."""
        self.query_one("#no", Button).focus()

    def on_key(self, event: Key) -> None:
        """Take the key that opened the question as its answer, where that is offered."""
        if self._again and event.key == self._again:
            event.stop()
            self.dismiss(True)

    def may(self) -> bool:
        """Return whether yes may be said now."""
        return True

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes" and self.may())

    def action_decline(self) -> None:
        """Cancel."""
        self.dismiss(False)


class AskText(Pane[str | None]):
    """A typed text. Enter in the field does nothing but go on to Cancel."""

    HELP = (
        "A question that is answered with a text. Type it: what is typed goes into the field, so "
        "no key means anything else there. tab goes on to Cancel and to the button that takes the "
        "text, which works when the text is long enough; enter presses what has the focus. esc "
        "closes the question, and nothing is done."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape", "decline", "cancel", id="dialog.decline", tooltip="Close; nothing is done"
        )
    ]

    def __init__(
        self,
        title: str,
        body: Sequence[Content],
        *,
        yes: str,
        wanted: str,
        least: int = REASON_LENGTH,
        danger: bool = True,
    ) -> None:
        """``wanted``: what to type, said in the empty field. ``least``: so many characters."""
        super().__init__()
        self._least = least
        self._danger = danger
        self._title = title
        self._body = lines(list(body))
        self._yes = yes
        self._wanted = wanted

    def compose(self) -> ComposeResult:
        """Title, text, the field, the two buttons."""
        with Vertical(id="dialog", classes="-danger" if self._danger else ""):
            yield Static(line((self._title, "strong")), id="dialog-title")
            with More(id="dialog-body"):
                yield Static(self._body)
            yield QuietInput(id="text", placeholder=self._wanted)
            yield Static("", id="text-state", markup=False)
            with Horizontal(id="dialog-buttons"):
                yield PlainButton("Cancel", id="no")
                yield PlainButton(self._yes, id="yes", danger=self._danger)
            yield Static(line(("tab chooses · enter presses · esc cancels", "dim")))

    def on_mount(self) -> None:
        """Start in the field: typing is what is asked for."""
        self.query_one("#text", Input).focus()
        self._judge("")

    def _judge(self, text: str) -> None:
        missing = self._least - len(text.strip())
        self.query_one("#yes", Button).disabled = missing > 0
        words = line(("✓", "good"))
        if missing > 0:
            words = line((f"{missing} more {'character' if missing == 1 else 'characters'}", "dim"))
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
        self.dismiss(text if event.button.id == "yes" and len(text) >= self._least else None)

    def action_decline(self) -> None:
        """Cancel."""
        self.dismiss(None)


class Read(Pane[None]):
    """A text to scroll through: help, a session, a statement."""

    NAME = "A text to read"
    HELP = (
        "A text to read; it changes nothing and waits for nothing. Arrows, pgup and pgdn scroll; "
        "the line below says whether there is more. esc leads back."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,q,enter",
            "close",
            "close",
            id="read.close",
            tooltip="Back to the screen below",
        ),
        Binding("c", "copy", "copy", id="read.copy", tooltip="Copy, where the terminal allows it"),
    ]

    def __init__(
        self,
        title: str,
        body: Content,
        *,
        copies: tuple[str, str] = ("", ""),
        helps: bool = False,
    ) -> None:
        """``copies``: what ``c`` copies, in words, and the text itself. ``helps``: it is help, and
        the key that opened it closes it."""
        super().__init__()
        self._copies = copies
        self._title = title
        self._body = body
        self._helps = helps

    def compose(self) -> ComposeResult:
        """Title, text, how to leave."""
        with Vertical(id="dialog", classes="-reading"):
            yield Static(line((self._title, "strong")), id="dialog-title")
            with VerticalScroll(id="dialog-body"):
                yield Static(self._body)
            yield Static("", id="read-keys", markup=False)

    def on_mount(self) -> None:
        """Let the arrows scroll at once."""
        scroll = self.query_one("#dialog-body", VerticalScroll)
        scroll.focus()
        for name in ("scroll_y", "max_scroll_y"):
            self.watch(scroll, name, self._say_keys, init=False)
        self.call_after_refresh(self._say_keys)

    def on_resize(self) -> None:
        """Say anew whether there is more."""
        self.call_after_refresh(self._say_keys)

    def _say_keys(self) -> None:
        """Say the keys, and whether there is more below."""
        scroll = self.query_one("#dialog-body", VerticalScroll)
        more = "there is more below" if scroll.scroll_y < scroll.max_scroll_y else "this is the end"
        moves = f"↑ ↓ pgdn scroll, {more} · " if scroll.max_scroll_y > 0 else ""
        copy = f"{key('read.copy')} copies {self._copies[0]} · " if self._copies[1] else ""
        self.query_one("#read-keys", Static).update(line((f"{moves}{copy}esc closes", "dim")))

    def unavailable(self, action: str) -> str:
        """Return why nothing can be copied."""
        nothing = action == "copy" and not self._copies[1]
        return "there is nothing to copy" if nothing else ""

    def action_help(self) -> None:
        """Show what this is for; help itself is closed by its own key."""
        if self._helps:
            self.dismiss(None)
        else:
            super().action_help()

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
    cast("RollbackApp", app).say(f"Copied, where the terminal allows it: {what}")
