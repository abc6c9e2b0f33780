"""The recovery console: every rung by which a run could be undone, what it restores, what it loses,
and what must be typed to take it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from rollback_tui.core.recovery import RecoveryOption
from rollback_tui.core.text import shorten
from rollback_tui.ui.keys import key
from rollback_tui.ui.moment import steady
from rollback_tui.ui.screens.by_hand import show_guide
from rollback_tui.ui.screens.step import arming
from rollback_tui.ui.theme import Tone, cell, line, lines
from rollback_tui.ui.waits import wait
from rollback_tui.ui.walk import Walk, may_not_take, may_not_undo
from rollback_tui.ui.widgets.dialogs import copied
from rollback_tui.ui.widgets.live_table import Column, LiveTable
from rollback_tui.ui.widgets.pane import Pane
from rollback_tui.ui.widgets.proof_items import lost_text
from rollback_tui.ui.widgets.status_bar import Bar, is_production
from rollback_tui.ui.widgets.take_rung import TakeRung
from rollback_tui.ui.wording import about, clock, count, run_of, time_of

if TYPE_CHECKING:
    from rollback_tui.ui.app import RollbackApp
    from rollback_tui.ui.guide import Guide


class RecoveryConsole(Pane[bool]):
    """The ladder of the run that has ended. Returns True when a recovery was begun."""

    NAME = "Undo: the recovery console"
    HELP = (
        "Every way by which the run that has ended could be undone, best first. Each says what it "
        "restores, how long that takes, and which writes since the run it would lose; opening this "
        "and counting change nothing. Go to a way with the arrows, read it below (tab scrolls it), "
        "and press enter: you are asked to type what it costs before anything begins. ✗ cannot be "
        "taken now and says why; $ is taken by its own commands, which c copies. It needs an "
        "ARMED terminal. Not sure? esc leads back, and nothing is lost by waiting."
    )
    # The classes of the steps: what is beside each other there is so here.
    HORIZONTAL_BREAKPOINTS = [(0, "-small"), (76, "-normal"), (110, "-wide")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,q,u", "close", "back", id="ladder.close", tooltip="Back to the screen below"
        ),
        Binding("a", "arm", "arm", id="ladder.arm", tooltip="Arm this terminal, or disarm it"),
        Binding(
            "r",
            "again",
            "count again",
            id="ladder.again",
            tooltip="Count again what each rung would lose",
        ),
        Binding(
            "c",
            "copy",
            "copy the commands",
            id="ladder.copy",
            tooltip="Copy the commands of the rung",
        ),
        Binding(
            "m", "guide", "by hand", id="ladder.guide", tooltip="How to go on without this tool"
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._recovers = ""

    @property
    def rollback_app(self) -> RollbackApp:
        """The app, with its own type."""
        return cast("RollbackApp", self.app)

    @property
    def _walk(self) -> Walk:
        return self.rollback_app.guide.walk

    def compose(self) -> ComposeResult:
        """Which run, the rungs, the one under the cursor, the keys."""
        with Vertical(id="dialog", classes="-ladder"):
            yield Bar(id="ladder-title")
            yield Bar(id="ladder-state")
            yield LiveTable(
                (
                    Column("mark", "", 1),
                    Column("title", "what could undo it, best first", 0),
                    Column("takes", "takes", 8, least=50),
                    Column("lost", "loses", 16),
                ),
                id="rungs",
            )
            with VerticalScroll(id="rung"):
                yield Static("", id="rung-text", markup=False)
            yield Bar(id="ladder-keys")

    def on_mount(self) -> None:
        """Ask, and let the clock go on."""
        self.query_one("#rungs").focus()
        self.rollback_app.guide.undoing.ask()
        self.set_interval(1.0, self._tick)
        self.show(self._walk)

    def on_screen_resume(self) -> None:
        """Show what is true now: it went on under a question."""
        self.show(self._walk)

    def _tick(self) -> None:
        waiting = self._walk.asking_options is not None or self._walk.recovering
        if self.is_current and waiting:
            self.query_one("#ladder-state", Bar).say(_state(self.rollback_app.guide))

    def show(self, walk: Walk) -> None:
        """Show the ladder; gone when the recovery that was asked for has begun."""
        if not self.is_mounted or not self.query("#ladder-keys"):
            return
        if walk.recovers is not None and walk.running:
            if self.is_current:
                self.dismiss(True)
            return
        self.query_one("#ladder-title", Bar).say(_title(walk, self.app.size.width))
        self.query_one("#ladder-state", Bar).say(_state(self.rollback_app.guide))
        rows = [
            (
                f"{number} {rung.rung}",
                (
                    cell(*_mark(rung)),
                    cell(rung.title, "dim" if rung.obstacle else "plain"),
                    cell(_takes(rung), right=True),
                    cell(*_loses(rung)),
                ),
            )
            for number, rung in enumerate(walk.options or ())
        ]
        self.query_one("#rungs", LiveTable).show_rows(rows)
        self.query_one("#rungs").display = bool(rows)
        self._show_rung()
        keys = [("tab", "text"), ("enter", "take"), (key("ladder.again"), "recount")]
        keys += (
            [(key("ladder.arm"), "disarm" if walk.armed else "arm")] if not walk.read_only else []
        )
        option = self._option()
        keys += [(key("ladder.copy"), "copy")] if option is not None and option.commands else []
        keys += [(key("ladder.guide"), "by hand"), (key("pane.help"), "help"), ("esc", "back")]
        self.query_one("#ladder-keys", Bar).say(
            line(*(line((f"{name} ", "accent"), f"{label}  ") for name, label in keys))
        )

    def _option(self) -> RecoveryOption | None:
        place = self.query_one("#rungs", LiveTable).cursor_row
        options = self._walk.options or ()
        return options[place] if 0 <= place < len(options) else None

    def _show_rung(self) -> None:
        option = self._option()
        text = rung_text(option, self._walk) if option else line("")
        if option is None and self._walk.options is not None:
            nothing = "Nothing is left that could bring it back: no copy and no checkpoint."
            guide = key("ladder.guide")
            by_hand = f"{guide} shows how to go on by hand."
            text = lines([line((nothing, "bad")), line(by_hand)])
        self.query_one("#rung-text", Static).update(text)

    @on(LiveTable.Highlighted, "#rungs")
    def _highlighted(self) -> None:
        self.show(self._walk)
        self.query_one("#rung", VerticalScroll).scroll_home(animate=False)

    @on(LiveTable.Selected, "#rungs")
    def _selected(self) -> None:
        """Ask for what must be typed, where the rung can be taken from here."""
        option = self._option()
        if option is None:
            return
        if reason := may_not_take(self._walk, option):
            self.rollback_app.say(f"Not now: {reason}.", "warning")
            return

        def answered(reason: str | None) -> None:
            if reason is not None:
                self.rollback_app.guide.undoing.recover(option, reason)

        production = is_production(self._walk.environment)
        self.app.push_screen(TakeRung(option, production=production), answered)

    # --- keys ---------------------------------------------------------------------------------

    def action_again(self) -> None:
        """Ask again: what would be lost grows while applications write."""
        if reason := may_not_undo(self._walk):
            self.rollback_app.say(f"Not now: {reason}.", "warning")
        else:
            self.rollback_app.guide.undoing.ask()

    def action_copy(self) -> None:
        """Copy the commands of the rung under the cursor."""
        option = self._option()
        if option is not None and option.commands:
            copied(self.app, f"{count(len(option.commands), 'line')}", "\n".join(option.commands))

    def action_guide(self) -> None:
        """Show how to go on by hand."""
        show_guide(self.rollback_app)

    def action_arm(self) -> None:
        """Arm this terminal after a question; disarm it at once."""
        app, walk = self.rollback_app, self._walk
        if walk.read_only:
            app.say("Not now: this terminal was started read-only.", "warning")
        elif walk.armed:
            app.guide.arm(False)
        else:
            app.push_screen(arming(walk), lambda yes: app.guide.arm(True) if yes else None)

    def action_close(self) -> None:
        """Leave; what is being counted is counted to its end and thrown away."""
        self.dismiss(False)

    action_decline = action_close


def _title(walk: Walk, width: int) -> Content:
    target = walk.target or (walk.view.started.target if walk.view and walk.view.started else None)
    where = f" of {target.database}" if target else ""
    if target and width >= 100:
        where += f" on {target.host}:{target.port}"
    environment: tuple[str, Tone] = ("", "plain")
    if walk.environment:
        tone: Tone = "alarm" if is_production(walk.environment) else "accent"
        environment = (f" {shorten(walk.environment, 16).upper()} ", tone)
    armed: tuple[str, Tone] = (" ARMED ", "armed") if walk.armed else (" READ-ONLY ", "dim")
    return line(
        ("Undo run ", "strong"),
        (run_of(walk.undone), "strong"),
        where,
        " ",
        environment,
        " ",
        armed,
    )


def _state(guide: Guide) -> Content:
    walk = guide.walk
    if walk.asking_options is not None:
        gone = clock(steady() - walk.asking_options)
        return line(
            (f"▸ {gone} ", "accent"),
            "counting what was written since",
            (" · no limit: esc leaves", "dim"),
        )
    if walk.recovering:
        found = wait(walk, "recover", guide.begun, guide.operations.limits)
        return line(("▸ ", "accent"), found.words(steady()) if found else "the worker is starting")
    failure = walk.recover_failure or walk.options_failure
    if failure is not None:
        what = "not begun" if walk.recover_failure else "not known"
        return line((f"✗ {what}: {failure.summary} ", "bad"), failure.remedy)
    if walk.options_at is None:
        return line((f"Nothing was asked yet: {key('ladder.again')} asks.", "dim"))
    counted: tuple[str, Tone] = (
        f"as counted at {time_of(walk.options_at)}; {key('ladder.again')} counts again",
        "dim",
    )
    again = _undone_by(walk)
    if again:
        return line((f"! run {again} has undone it already  ", "warn"), counted)
    return line(counted)


def _undone_by(walk: Walk) -> str:
    """Return the newest run that brought back what this one left, or applied it again; empty:
    none did. What is counted then is of a database that another run has put in place."""
    return next(
        (
            run_of(Path(one.folder))
            for one in walk.history or ()
            if one.outcome == "recovered"
            and walk.undone is not None
            and one.recovers
            and Path(one.recovers).name == walk.undone.name
        ),
        "",
    )


def _mark(option: RecoveryOption) -> tuple[str, Tone]:
    if option.obstacle:
        return "✗", "bad"
    return ("$", "accent") if option.rung == "external" else ("▸", "good")


def _takes(option: RecoveryOption) -> str:
    return about(option.estimated_seconds)


def _loses(option: RecoveryOption) -> tuple[str, Tone]:
    if option.obstacle and option.lost is None:
        # Nothing was counted for a way that cannot be gone.
        return "–", "dim"
    if option.lost_rows is None:
        known = sum(one.rows or 0 for one in option.lost or ())
        return (f"? {known:,}+ rows" if known else "? unknown"), "bad"
    if not option.lost_rows:
        return "nothing", "good"
    return count(option.lost_rows, "row"), "warn"


def rung_text(option: RecoveryOption, walk: Walk) -> Content:
    """Return all of one rung: what it restores, takes and loses; why not; what must be typed."""
    rows = [line((option.title, "strong"))]
    if option.restores:
        rows.append(line(("restores  ", "dim"), option.restores))
    if option.obstacle:
        rows.append(line(("not now   ", "bad"), option.obstacle))
        if option.remedy:
            rows.append(line(("to do     ", "accent"), option.remedy))
        return lines(rows)
    if option.remedy:
        rows.append(line(("note      ", "accent"), option.remedy))
    seconds = option.estimated_seconds
    long = "nobody can say how long" if seconds is None else about(seconds)
    rows.append(line(("takes     ", "dim"), long))
    rows.append(line(("loses     ", "dim"), _total(option)))
    if option.rung != "external":
        reason = may_not_take(walk, option)
        rows.append(
            line((f"Not now: {reason}.", "warn"))
            if reason
            else line(
                ("enter", "accent"), " asks for what must be typed: ", (option.confirm, "strong")
            )
        )
    if option.lost:
        rows.append(lost_text(option.lost))
    if option.commands:
        rows.append(
            line(
                (f"Type these where the database is ({key('ladder.copy')} copies them):", "accent")
            )
        )
        rows += [line(("  $ ", "dim"), command) for command in option.commands]
    return lines(rows)


def _total(option: RecoveryOption) -> tuple[str, Tone]:
    if option.lost is None:
        return "NOT KNOWN which writes since", "bad"
    if option.lost_rows is None:
        return "NOT KNOWN: not every table could be counted", "bad"
    if not option.lost_rows:
        return "nothing that was written since", "good"
    return f"{count(option.lost_rows, 'row')} written since", "warn"
