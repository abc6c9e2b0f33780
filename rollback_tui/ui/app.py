"""The terminal application: screens, keys that are everywhere, signals, and how it ends."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

from rich.console import ConsoleRenderable
from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen

from rollback_tui.core.claim import Claim
from rollback_tui.core.model import EXIT_CODES
from rollback_tui.core.text import printable
from rollback_tui.ui import first_run, keys
from rollback_tui.ui.crash import FAULT, told
from rollback_tui.ui.dress import Dressed
from rollback_tui.ui.driver import FrugalDriver
from rollback_tui.ui.ending import Ending, terminal
from rollback_tui.ui.glyphs import plain
from rollback_tui.ui.guide import Guide, Severity
from rollback_tui.ui.job_control import JobControl
from rollback_tui.ui.looks import Looks
from rollback_tui.ui.messages import Reply
from rollback_tui.ui.moment import steady
from rollback_tui.ui.operations import Choice, Operations
from rollback_tui.ui.screens.steps import STEP_SCREENS, load
from rollback_tui.ui.theme import line
from rollback_tui.ui.walk import Walk, blocked
from rollback_tui.ui.widgets.dialogs import Ask
from rollback_tui.ui.widgets.too_small import said

LOADED = 1.0
"""Seconds after the start when the other screens are loaded: the first is up by then."""
TICK = 0.25
"""Seconds between two looks at what is due."""
REMOVED = 15.0
"""Seconds that leaving waits for a rehearsal to remove its scratch database."""
MESSAGE = 6.0
"""Seconds that a message stays."""
_MARKS: dict[Severity, str] = {"information": "·", "warning": "!", "error": "✗"}
"""What a message begins with: its colour alone says nothing to many."""
NOT_NOW = "Not now: "
"""What a refusal of a key begins with."""


@runtime_checkable
class Shows(Protocol):
    """A screen that shows the walk, whenever that changes."""

    def show(self, walk: Walk) -> None:
        """Show ``walk``."""


class RollbackApp(Dressed):
    """Leads one operator through the rollback of one database.

    ``folder``: show the run in that folder (``attach``). ``choice``: how far back at first.
    ``claims``: runs of this database without an outcome; they come before everything else.
    ``console``: open the recovery console of the run in ``folder`` as soon as it has its outcome.
    ``note``: what is written when the note for the first start was read; None: it is not shown.
    ``looks``: theme, characters, keys and mouse for this terminal.
    The app's return value is the run's exit code; 0 when it was left without an outcome.
    """

    TITLE = "rollback-tui"
    SCREENS = STEP_SCREENS
    CSS_PATH = ["app.tcss", "adapting.tcss"]  # noqa: RUF012 - Textual declares it so
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "ctrl+q",
            "quit",
            "leave",
            show=False,
            priority=True,
            id="app.quit",
            tooltip="Leave; inside a question: cancel it",
        ),
        Binding("ctrl+c", "quit", "leave", show=False, id="app.interrupt", tooltip="Leave"),
        Binding(
            "ctrl+t",
            "next_theme",
            "colours",
            show=False,
            id="app.theme",
            tooltip="The next colours; they are kept",
        ),
        Binding(
            "ctrl+p",
            "palette",
            "commands",
            show=False,
            # Also where a field has the focus, which takes a colon for text.
            priority=True,
            id="app.palette",
            tooltip="Commands by name: what can be done here and now",
        ),
        Binding(
            "colon",
            "palette",
            "commands",
            show=False,
            id="app.commands",
            tooltip="Commands by name, where no field has the focus",
        ),
    ]

    def __init__(
        self,
        operations: Operations,
        *,
        folder: Path | None = None,
        choice: Choice | None = None,
        claims: tuple[Claim, ...] = (),
        console: bool = False,
        looks: Looks | None = None,
        note: Path | None = None,
    ) -> None:
        super().__init__(looks, driver_class=FrugalDriver)
        self._console = console
        self.note = note
        """The marker of the note for the first start; None when it is not shown."""
        self._said, self._said_until = "", 0.0
        self._ending = Ending(self.leave, self._code)
        self._job_control: JobControl | None = None
        self._leaving = False
        self._fault = ""
        start = Walk(
            environment=operations.environment,
            read_only=operations.read_only,
            attached=folder is not None,
            folder=folder,
            choice=choice or Choice(),
            claims=claims,
            interval=self.looks.interval,
        )
        self.guide = Guide(operations, start, self._deliver, self._changed, self.say)

    @property
    def running_folder(self) -> Path | None:
        """The run that still goes on, so that the command line can say how to attach."""
        return self.guide.walk.folder if self.guide.walk.running else None

    @property
    def failed(self) -> bool:
        """Whether the screens ended by a fault of their own."""
        return bool(self._fault)

    # --- life ---------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Set the looks, open the first screen, ask the first questions."""
        if self._leaving:
            # Told so while the first screen was being made.
            return
        self._take_job_control()
        if self.guide.walk.claims:
            from rollback_tui.ui.screens.beside import BesideScreen

            self.push_screen(BesideScreen())
        else:
            first = 1 if not self.guide.walk.attached else 5 if self._console else 4
            self.push_screen(f"step-{first}")
        for doubt in keys.doubts(self.looks.keymap):
            self.say(doubt, "warning")
        self.guide.begin()
        self.set_interval(TICK, self.guide.tick)
        self.set_timer(LOADED, load)

    def run_here(self) -> int | None:
        """Run the screens in this terminal. From before the first paint until :meth:`ended` every
        signal that ends a program ends them in order; the run is another process and goes on."""
        self._ending.begin()
        try:
            return self.run(mouse=self.looks.mouse)
        finally:
            self._ending.screens_gone()
            if self._fault:
                # Not through Textual, which would cut the path at the edge of the screen.
                with contextlib.suppress(OSError):
                    print(self._fault, file=sys.__stderr__, flush=True)

    def _take_job_control(self) -> None:
        keys, driver = terminal(), self._driver
        if self._ending.begun and keys is not None and driver is not None:
            self._job_control = JobControl(driver, keys, lambda: self._leaving, self._repaint)
            self._job_control.begin()

    def _repaint(self) -> None:
        """Draw everything: another program had the terminal."""
        self.refresh(layout=True)

    def on_load(self) -> None:
        """Be ready to be told to leave before anything is drawn."""
        if self._ending.ready():
            self.leave()

    def on_unmount(self) -> None:
        """Be stopped and continued as any other program again."""
        if self._job_control is not None:
            self._job_control.end()

    @property
    def cleaning_up(self) -> str:
        """What :meth:`ended` has to wait for, in words; empty when there is nothing."""
        rehearsal = "" if self.guide.rehearsing.over else "the rehearsal's scratch database"
        return rehearsal or ("" if self.guide.capturing.over else "the capture's scratch copy")

    def ended(self) -> bool:
        """Called when the screen is restored: see that scratch databases go. Return whether none
        is left; one that is takes too long, or was not waited for, is told of by ``doctor``."""
        waits = (self.guide.rehearsing.join, self.guide.capturing.join)
        removed = [self._ending.wait(join, REMOVED) for join in waits]
        self._ending.end()
        return all(removed)

    def in_brief(self) -> Content:
        """Return what the run does or asks, for a window that has no room for more."""
        return said(self.guide.walk, *self.size)

    def leave(self) -> None:
        """End the application with the run's exit code."""
        self._leaving = True
        self.guide.close()
        self.exit(self._code())

    def _code(self) -> int:
        walk = self.guide.walk
        if walk.view is not None and walk.view.outcome:
            return EXIT_CODES[walk.view.outcome]
        # Left beside a run that nothing works on: somebody has to settle it.
        return EXIT_CODES["needs_operator"] if walk.running and walk.worker == "dead" else 0

    async def action_quit(self) -> None:
        """Leave; inside a question only cancel that; ask when something would be lost."""
        # Above a step stands a question, a pane or the palette: only that is closed.
        decline = getattr(self.screen, "action_decline", None)
        if decline is not None:
            decline()
            return
        walk = self.guide.walk
        if walk.running:
            words = _left_behind(walk)
        elif walk.capturing is not None:
            words = [line("The capture is stopped, and its scratch copy removed.")]
        elif walk.rehearsing is not None:
            words = [line("The rehearsal is stopped, and its scratch database removed.")]
        elif walk.folder is None and (walk.reviewed or walk.overrides):
            words = [line("What you reviewed and set aside is forgotten.")]
        else:
            self.leave()
            return
        ask = Ask("Leave?", words, yes="Leave", no="Stay", danger=False)
        self.push_screen(ask, lambda yes: self.leave() if yes else None)

    def note_was_read(self) -> None:
        """Show the note for the first start never again."""
        if self.note is not None:
            first_run.read(self.note)
            self.note = None

    def action_palette(self) -> None:
        """Open the commands by name."""
        # Nobody needs it for the first look at the database.
        from rollback_tui.ui.commands import Palette

        if not isinstance(self.screen, Palette):
            self.push_screen(Palette())

    # --- showing ------------------------------------------------------------------------------

    def _deliver(self, act: Callable[[], None]) -> bool:
        """Called from threads: run ``act`` on the event loop."""
        try:
            return self.post_message(Reply(act))
        except RuntimeError:
            # The event loop is closed already: nobody is left to be told.
            return False

    @on(Reply)
    def _take_in(self, message: Reply) -> None:
        message.act()

    def _changed(self, walk: Walk) -> None:
        """Show the walk on the step that is up, also under a question."""
        for screen in reversed(self.screen_stack):
            if isinstance(screen, Shows):
                screen.show(walk)
            if not isinstance(screen, ModalScreen):
                break
        if self._console and walk.finished:
            from rollback_tui.ui.screens.verify import VerifyScreen

            if isinstance(self.screen, VerifyScreen):
                self._console = False
                self.screen.action_undo()

    def after_claims(self) -> None:
        """Go on to the target: every run of it has its outcome."""
        from rollback_tui.ui.screens.beside import BesideScreen

        if isinstance(self.screen, BesideScreen) and self.guide.walk.folder is None:
            self.open_step(1)

    def open_step(self, step: int) -> None:
        """Open a step without asking whether it is blocked: its turn has come by itself."""
        self.switch_screen(f"step-{step}")

    def say(self, text: str, severity: Severity = "information") -> None:
        """Show a short message above the keys, in the place of the one before; not again while
        the same one is still there."""
        now, shown = steady(), f"{_MARKS[severity]} {text}"
        if self._said == shown and now < self._said_until:
            return
        self._said, self._said_until = shown, now + MESSAGE
        self.clear_notifications()
        self.notify(printable(plain(shown)), severity=severity, timeout=MESSAGE, markup=False)

    def go_to_step(self, step: int) -> None:
        """Open a step, or say why it is not open."""
        if reason := blocked(self.guide.walk, step):
            self.say(f"Step {step} is blocked: {reason}.", "warning")
        else:
            if self._said.startswith(f"{_MARKS['warning']} {NOT_NOW}"):
                # It was about the step before, and would cover what this one says.
                self._said = ""
                self.clear_notifications()
            self.switch_screen(f"step-{step}")

    def copy_to_clipboard(self, text: str) -> None:
        """Copy through the terminal (OSC 52) what can be pasted into a shell without harm: a name
        that somebody else gave may hold an escape sequence."""
        super().copy_to_clipboard(printable(text, keep_lines=True))

    # --- the end nobody wants -----------------------------------------------------------------

    def _handle_exception(self, error: Exception) -> None:
        """End with the kind and the place of ``error``; never with a value of a variable."""
        if self._exception is None:
            # Textual's test driver raises this one in the test.
            self._exception = error
            self._exception_event.set()
        if self._leaving:
            # A screen that was being made when it was left: what it misses is nobody's fault.
            self._close_messages_no_wait()
        else:
            self._fatal(error)

    def panic(self, *renderables: ConsoleRenderable | str) -> None:  # type: ignore[override]
        """Textual's own way out: what it would print is left out, it may hold values."""
        self._fatal(RuntimeError(f"the screen gave up ({len(renderables)} messages)"))

    def _fatal(self, error: BaseException) -> None:
        if self._fault:
            # The first fault is the one that counts; what follows while we fall is noise.
            return
        self._return_code = FAULT
        self._fault = told(error, self.running_folder)
        self._close_messages_no_wait()


def _left_behind(walk: Walk) -> list[Content]:
    """Say what becomes of the run when this terminal is left, with the command to paste: short
    enough to stay on one line."""
    run = walk.folder.name[16:] if walk.folder else ""
    where = line((f"from the directory of the project ({walk.folder})", "dim"))
    if walk.worker == "dead":
        return [
            line("Nothing works on the run, and it has no outcome. To finish it:"),
            line((f"  rollback-tui settle {run}", "strong")),
            where,
        ]
    return [
        line("The run goes on without this terminal. To see it again:"),
        line((f"  rollback-tui attach {run}", "strong")),
        where,
    ]
