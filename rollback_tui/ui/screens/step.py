"""What the six screens share: the lines around them, the keys between them, help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input

from rollback_tui.ui import first_run
from rollback_tui.ui.hints import Hint, Seen, hint
from rollback_tui.ui.moment import steady
from rollback_tui.ui.screens.help import show_help
from rollback_tui.ui.screens.sql_log import show_sql_log
from rollback_tui.ui.theme import line
from rollback_tui.ui.walk import STEPS, Walk, blocked, hands_off, may_not_answer
from rollback_tui.ui.widgets.dialogs import Ask
from rollback_tui.ui.widgets.status_bar import (
    Bar,
    HintLine,
    KeyBar,
    StaleBar,
    StatusBar,
    StepBar,
    is_production,
)
from rollback_tui.ui.wording import choice_means

if TYPE_CHECKING:
    from rollback_tui.ui.app import RollbackApp
    from rollback_tui.ui.guide import Guide

EVERYWHERE = "step."
"""Bindings with an id that begins so are the same on every screen."""


class StepScreen(Screen[None]):
    """One of the six steps. Subclasses compose the body and show a walk in it."""

    STEP: ClassVar[int]
    HELP: ClassVar[str]
    """What this screen is for and how it is used; shown by ``?``."""
    ESCAPE: ClassVar[str] = "leave the field"
    """What esc does in a field of this screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "arm", "arm", id="step.arm", tooltip="Arm this terminal, or disarm it"),
        Binding("L", "sql_log", "SQL log", id="step.sql", tooltip="Every SQL text that was sent"),
        Binding(
            "question_mark",
            "help",
            "help",
            id="step.help",
            tooltip="The keys of this screen, and its words",
        ),
        Binding("b", "back", "back", id="step.back", tooltip="The step before"),
        Binding("n", "next", "next", id="step.next", tooltip="The step after"),
        Binding("q", "app.quit", "leave", id="step.quit", tooltip="Leave; a run goes on"),
        Binding(
            "h",
            "hide_note",
            "hide the note",
            show=False,
            id="step.hide_note",
            tooltip="Hide the note of the first start for good",
        ),
        *(
            Binding(
                str(n),
                f"step({n})",
                f"step {n}: {name}",
                show=False,
                id=f"step.{n}",
                tooltip=f"Go to {name}",
            )
            for n, name in enumerate(STEPS, 1)
        ),
    ]

    @property
    def help_name(self) -> str:
        """What help calls this screen."""
        return f"{self.STEP} {STEPS[self.STEP - 1]}"

    @property
    def now(self) -> str:
        """The sentence that says what comes next, as it stands above the keys."""
        return self.hint().sentence

    def hint(self) -> Hint:
        """Return what comes next, what is waited for, or why the way is blocked."""
        limits = self.guide.operations.limits
        seen = Seen(self.app.size.width, steady(), self.guide.begun, limits)
        return hint(self.walk_value, self.STEP, seen)

    @property
    def rollback_app(self) -> RollbackApp:
        """The app, with its own type."""
        return cast("RollbackApp", self.app)

    @property
    def guide(self) -> Guide:
        """Who asks the world."""
        return self.rollback_app.guide

    @property
    def walk_value(self) -> Walk:
        """Where the operator stands now."""
        return self.guide.walk

    def compose(self) -> ComposeResult:
        """Put the lines around the body."""
        yield StatusBar(id="status")
        yield StaleBar(id="stale")
        yield StepBar(id="steps")
        with Vertical(id="body"):
            yield from self.compose_body()
        yield Bar(id="note")
        yield HintLine(id="hint")
        yield KeyBar(id="keys")

    def compose_body(self) -> ComposeResult:
        """Yield the widgets of this step."""
        raise NotImplementedError

    def show_step(self, walk: Walk) -> None:
        """Show ``walk`` in the body."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Let the clock of what is waited for go on. Textual calls this for the subclass as
        well as its own."""
        self.set_interval(1.0, self._tick_hint)

    def _tick_hint(self) -> None:
        if self.is_current and self.query(HintLine):
            self.query_one(HintLine).show(self.hint())

    def on_screen_resume(self) -> None:
        """Show what is true now: the walk went on while another screen was up."""
        self.guide.watching.look(self.STEP)
        self.call_after_refresh(self.show_now)

    def on_resize(self) -> None:
        """Fit the lines to the new width."""
        self.call_after_refresh(self.show_now)

    def show_now(self) -> None:
        """Show the walk as it is when this is called, not as it was when it was asked for."""
        self.show(self.walk_value)

    def show(self, walk: Walk) -> None:
        """Show ``walk`` everywhere on this screen."""
        # On a busy machine an answer may arrive between the screen's mount and its widgets'.
        if not self.is_mounted or not self.query(KeyBar):
            return
        note = self.query_one("#note", Bar)
        note.display = self.rollback_app.note is not None
        if note.display:
            note.say(first_run.words())
        self.query_one(StatusBar).show(walk)
        self.query_one(StaleBar).show(walk)
        self.query_one(StepBar).show(walk, self.STEP)
        self.query_one(HintLine).show(self.hint())
        self.query_one(KeyBar).show_keys()
        self.show_step(walk)

    # --- keys ---------------------------------------------------------------------------------

    def unavailable(self, action: str) -> str:
        """Return why ``action`` does nothing now; empty when it works."""
        walk = self.walk_value
        if action == "next":
            return "this is the last step" if self.STEP == 6 else blocked(walk, self.STEP + 1)
        if action == "back":
            return "this is the first step" if self.STEP == 1 else blocked(walk, self.STEP - 1)
        if action == "arm" and walk.read_only:
            return "this terminal was started read-only"
        if action == "arm" and walk.running:
            return hands_off(walk)
        if action == "hide_note" and self.rollback_app.note is None:
            return "no note is shown"
        if action == "take_controls":
            return _not_to_take(walk)
        return ""

    def allowed(self, action: str) -> bool:
        """Return whether ``action`` works now; if not, say why."""
        # Where to go is said, but not to who is there.
        reason = self.unavailable(action).removesuffix(f" (press {self.STEP})")
        if reason:
            self.rollback_app.say(f"Not now: {reason}.", "warning")
        return not reason

    def keys_shown(self) -> Iterator[tuple[str, str, bool]]:
        """Yield (keys, label, usable) for the key line: this screen's own first."""
        if isinstance(self.focused, Input):
            yield from (("enter", "take it", True), ("esc", self.ESCAPE, True))
            yield ("tab", "next field", True)
            return
        shown: dict[str, tuple[list[str], str, bool]] = {}
        bindings = [a.binding for a in self.active_bindings.values() if a.node is self]
        bindings.sort(key=lambda binding: (binding.id or "").startswith(EVERYWHERE))
        for binding in bindings:
            if not binding.show:
                continue
            keys = self.app.get_key_display(binding)
            if binding.action in shown:
                shown[binding.action][0].append(keys)
            else:
                usable = not self.unavailable(binding.action)
                if binding.action in ("take_controls", "stop_rehearsal") and not usable:
                    # Of use to a second console only, and while there is something to stop.
                    continue
                if binding.action == "abort" and not self.walk_value.running:
                    continue
                label = binding.description
                if binding.action == "arm" and self.walk_value.armed:
                    label = "disarm"
                shown[binding.action] = ([keys], label, usable)
        for keys_of, label, usable in shown.values():
            yield "/".join(keys_of), label, usable

    def action_step(self, step: int) -> None:
        """Go to a step by number."""
        self.rollback_app.go_to_step(step)

    def action_next(self) -> None:
        """Go to the step after this one."""
        if self.allowed("next"):
            self.rollback_app.go_to_step(self.STEP + 1)

    def action_back(self) -> None:
        """Go to the step before this one."""
        if self.allowed("back"):
            self.rollback_app.go_to_step(self.STEP - 1)

    def action_hide_note(self) -> None:
        """Show the note of the first start no more."""
        if self.allowed("hide_note"):
            self.rollback_app.note_was_read()
            self.show_now()

    def action_help(self) -> None:
        """Show the keys and what this screen is for."""
        show_help(self)

    def help_more(self) -> list[Content]:
        """Return what the help of this screen has beside its keys."""
        return []

    def action_sql_log(self) -> None:
        """Show the SQL that was sent, by this terminal and by the run."""
        show_sql_log(self.app)

    def action_take_controls(self) -> None:
        """Take the controls of the run: at once when nobody has them, else after a question."""
        if not self.allowed("take_controls"):
            return
        controls = self.walk_value.controls
        if controls is None or controls.free:
            self.guide.take_controls()
            return
        ask = Ask(
            "Take the controls over?",
            [
                line(
                    (controls.holder, "strong"),
                    f" has them since {controls.since}, and may be about to answer. Ask them first,"
                    " unless their link is dead.",
                ),
                line(("Their console then only looks, and says who took over.", "dim")),
            ],
            yes="Take over",
            no="Only look",
        )
        self.app.push_screen(ask, lambda yes: self.guide.take_controls() if yes else None)

    def answer(self, choice: str) -> None:
        """Ask once more, then send the run's answer."""
        walk = self.walk_value
        question = walk.view.question if walk.view else None
        reason = may_not_answer(walk, choice)
        if question is None or reason:
            self.rollback_app.say(f"Not now: {reason}.", "warning")
            return

        def answered(yes: bool | None) -> None:
            # The deadline, or another console, may have come first.
            now = self.walk_value.view
            if yes and now is not None and now.question == question:
                self.guide.answer(choice)

        harmless = choice == question.default
        ask = Ask(
            f"Answer: {choice}?",
            [
                line((question.text, "strong")),
                line("It is what happens anyway when nobody answers.")
                if harmless
                else line("The run goes on with this at once. It cannot be taken back."),
                line((choice_means(choice), "warn")),
            ],
            yes=f"Yes: {choice}",
            no="Not yet",
            danger=not harmless,
        )
        self.app.push_screen(ask, answered)

    def action_arm(self) -> None:
        """Arm this terminal after a question; disarm it at once."""
        walk = self.walk_value
        if walk.armed:
            self.guide.arm(False)
            self.rollback_app.say("READ-ONLY again.", "information")
        elif self.allowed("arm"):
            self.app.push_screen(arming(walk), self._armed)

    def _armed(self, yes: bool | None) -> None:
        if yes:
            self.guide.arm(True)
            self.armed()

    def armed(self) -> None:
        """Do what comes after arming on this step."""


def _not_to_take(walk: Walk) -> str:
    if not walk.running or walk.controls is None:
        return "there is no run to control"
    if walk.read_only:
        return "this terminal was started read-only"
    return "this console is at the controls already" if walk.at_controls else ""


def arming(walk: Walk) -> Ask:
    """Return the question that arms the terminal."""
    target = walk.target
    where = f"{target.database} on {target.host}:{target.port}" if target else "this run"
    production = is_production(walk.environment)
    return Ask(
        "Arm this terminal?",
        [
            line((where, "strong"), "  "),
            line((f" {walk.environment.upper()} ", "alarm" if production else "accent"))
            if walk.environment
            else line(""),
            line("Armed, it can answer the run, also with what changes the database.")
            if walk.running
            else line("Armed, it can cancel queries, end sessions and start a rollback."),
            line(("Each of these still asks by itself.", "dim")),
        ],
        yes="Arm",
        no="Stay read-only",
        danger=production,
    )
