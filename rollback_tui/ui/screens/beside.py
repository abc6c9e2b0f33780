"""Before the six steps: a run of this database has no outcome. Settle, attach, or leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Button, Static

from rollback_tui.core import events as ev
from rollback_tui.core.claim import Claim, who
from rollback_tui.ui.keys import key
from rollback_tui.ui.moment import steady, utc_time
from rollback_tui.ui.screens.help import show_help
from rollback_tui.ui.screens.sql_log import show_sql_log
from rollback_tui.ui.theme import Tone, line, lines
from rollback_tui.ui.waits import wait
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.widgets.dialogs import Ask, PlainButton
from rollback_tui.ui.widgets.run_lines import NAMES
from rollback_tui.ui.widgets.status_bar import Bar, is_production
from rollback_tui.ui.wording import clock, count

if TYPE_CHECKING:
    from rollback_tui.ui.app import RollbackApp
    from rollback_tui.ui.guide import Guide

_PROCESSES: dict[str, tuple[str, Tone]] = {
    "running": ("its worker is at work and answers", "good"),
    "stopped": ("they exist and do NOT answer: stopped, or a machine that hangs", "alarm"),
    "dead": ("none: nothing works on it any more", "bad"),
}
_ADVICE: dict[str, str] = {
    "running": "Nothing else can begin on this database meanwhile. Attach shows all of the run.",
    "stopped": "It may go on at any moment, so it is not settled: there must never be two workers."
    " Attach and wait; when its processes have ended, it can be settled.",
    "dead": "Settle reads what the database holds, opens the door, and gives the run its outcome"
    " and its report. Nothing else can begin on this database before.",
}


class BesideScreen(Screen[None]):
    """The first screen of a start beside an unfinished run. Leave is focused."""

    help_name = "A run has no outcome yet"
    HELP = (
        "A run of this database was begun and has no outcome: it goes on, it is stopped, or what "
        "worked on it is gone. It comes before everything else, because it may have closed the "
        "door or hold locks. Read what is known of it. Attach shows all of it and changes nothing: "
        "in doubt, that. Settle finishes a run that nothing works on any more, after a question. "
        "Leave has the focus, and does nothing."
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "q,escape", "app.quit", "leave", id="beside.quit", tooltip="Leave; nothing was changed"
        ),
        Binding(
            "A", "attach", "attach", id="beside.attach", tooltip="Look at the run that goes on"
        ),
        Binding(
            "S",
            "settle",
            "settle",
            id="beside.settle",
            tooltip="Finish the run that nothing works on",
        ),
        Binding("o", "other", "other run", id="beside.other", tooltip="The next unfinished run"),
        Binding(
            "L",
            "sql_log",
            "SQL log",
            show=False,
            id="beside.sql",
            tooltip="Every SQL text that was sent",
        ),
        Binding(
            "question_mark",
            "help",
            "help",
            show=False,
            id="beside.help",
            tooltip="What this is, and its keys",
        ),
        Binding(
            "left,up",
            "app.focus_previous",
            "",
            show=False,
            id="beside.previous",
            tooltip="The choice before",
        ),
        Binding(
            "right,down",
            "app.focus_next",
            "",
            show=False,
            id="beside.following",
            tooltip="The choice after",
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._shown = ""
        """The id of the run that is shown; empty: the newest."""

    @property
    def rollback_app(self) -> RollbackApp:
        """The app, with its own type."""
        return cast("RollbackApp", self.app)

    def compose(self) -> ComposeResult:
        """What is so, then the three ways on; the harmless one first."""
        yield Bar(id="beside-title")
        with VerticalScroll(id="beside-body", can_focus=False):
            yield Static("", id="beside-text", markup=False)
        yield Bar(id="beside-state")
        with Horizontal(id="beside-buttons"):
            yield PlainButton("Leave", id="beside-leave")
            yield PlainButton("Attach", id="beside-attach")
            yield PlainButton("Settle …", id="beside-settle", danger=True)
            yield PlainButton("Other run", id="beside-other")
        yield Bar(id="beside-keys")

    def on_mount(self) -> None:
        """Focus the harmless button; let the age go on."""
        self.query_one("#beside-leave", Button).focus()
        self.set_interval(1.0, self._tick)
        # Not at once: until the screen counts as mounted nothing would be shown, for a second.
        self.call_after_refresh(self._tick)

    def _tick(self) -> None:
        if self.is_current:
            self.show(self.rollback_app.guide.walk)

    def _claim(self) -> Claim | None:
        claims = self.rollback_app.guide.walk.claims
        return next((c for c in claims if c.run == self._shown), claims[0] if claims else None)

    def show(self, walk: Walk) -> None:
        """Show the claim that is looked at; without any, the way is free."""
        claim = self._claim()
        if not self.is_mounted or not self.query("#beside-keys"):
            return
        if claim is None:
            self.rollback_app.after_claims()
            return
        self.query_one("#beside-title", Bar).say(title(walk, claim))
        self.query_one("#beside-text", Static).update(facts(claim, len(walk.claims)))
        self.query_one("#beside-state", Bar).say(_state(self.rollback_app.guide))
        may_settle = claim.may_settle and not walk.settling and not walk.read_only
        self.query_one("#beside-settle", Button).disabled = not may_settle
        self.query_one("#beside-attach", Button).disabled = walk.settling
        self.query_one("#beside-other").display = len(walk.claims) > 1
        keys = [(key("beside.quit"), "leave", True)]
        keys += [(key("beside.attach"), "attach", not walk.settling)]
        keys += [(key("beside.settle"), "settle", may_settle)]
        keys += [(key("beside.other"), "other run", len(walk.claims) > 1)]
        keys += [(key("beside.help"), "help", True)]
        self.query_one("#beside-keys", Bar).say(
            line(
                (" tab chooses, enter presses · ", "dim"),
                *(
                    line((f"{name} ", "accent"), f"{label}  ")
                    for name, label, usable in keys
                    if usable
                ),
            )
        )

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        {
            "beside-leave": self.rollback_app.leave,
            "beside-attach": self.action_attach,
            "beside-settle": self.action_settle,
            "beside-other": self.action_other,
        }[event.button.id or "beside-leave"]()

    def unavailable(self, action: str) -> str:
        """Return why a key does nothing now."""
        walk, claim = self.rollback_app.guide.walk, self._claim()
        if action == "settle" and walk.read_only:
            return "this terminal was started read-only"
        if action == "settle" and (claim is None or not claim.may_settle):
            return "only a run that nothing works on any more is settled"
        if action == "other" and len(walk.claims) < 2:
            return "there is only this one"
        return "it is being settled" if walk.settling and action in ("attach", "settle") else ""

    def action_help(self) -> None:
        """Show what this is for, and its keys."""
        show_help(self)

    def action_sql_log(self) -> None:
        """Show the SQL that was sent."""
        show_sql_log(self.app)

    def action_attach(self) -> None:
        """Open the console of the run; it changes nothing."""
        claim = self._claim()
        if claim is not None and not self.rollback_app.guide.walk.settling:
            self.rollback_app.guide.attach(claim)
            self.rollback_app.switch_screen("step-4")

    def action_other(self) -> None:
        """Look at the next of several."""
        claims = self.rollback_app.guide.walk.claims
        current = self._claim()
        if current is not None:
            self._shown = claims[(claims.index(current) + 1) % len(claims)].run
            self.show(self.rollback_app.guide.walk)

    def action_settle(self) -> None:
        """Ask whether to settle."""
        claim, app = self._claim(), self.rollback_app
        walk = app.guide.walk
        if claim is None or not claim.may_settle or walk.settling:
            app.say("Not now: only a run that nothing works on any more is settled.", "warning")
            return

        def answered(yes: bool | None) -> None:
            if yes:
                app.guide.settle(claim, lambda: app.open_step(6))

        ask = Ask(
            f"Settle run {claim.short} of {claim.target.database}?",
            [
                line(
                    "It ends what is left of the run's sessions, looks whether its COMMIT arrived,"
                    " proves what the database holds, and opens the door."
                ),
            ],
            yes="Settle it",
            no="Not yet",
            danger=is_production(walk.environment),
        )
        app.push_screen(ask, answered)


def title(walk: Walk, claim: Claim) -> Content:
    """Return what stands first: which database, and that something comes before all else."""
    target = claim.target
    environment: tuple[str, Tone] = ("", "plain")
    if walk.environment:
        tone: Tone = "alarm" if is_production(walk.environment) else "accent"
        environment = (f" {walk.environment.upper()} ", tone)
    return lines(
        [
            line(
                " ", (target.database, "strong"), f" on {target.host}:{target.port} ", environment
            ),
            line((" A run of this database has no outcome yet. It comes first. ", "alarm")),
        ]
    )


def facts(claim: Claim, how_many: int) -> Content:
    """Return what is known of the run, in plain words."""
    age = max(0.0, (utc_time() - claim.since).total_seconds())
    door: tuple[str, Tone] = ("open: applications can work", "good")
    if claim.door_closed:
        door = ("CLOSED: applications are kept out", "alarm")
    phase = NAMES.get(cast(ev.Phase, claim.phase), "") or "before its first phase"
    rows = [
        line(("run        ", "dim"), (claim.short, "strong")),
        line(("begun      ", "dim"), f"{claim.since:%Y-%m-%d %H:%M:%S} UTC, {clock(age)} ago"),
        line(("by         ", "dim"), who(claim.operator)),
        line(
            ("came to    ", "dim"),
            phase,
            (" · its COMMIT was answered" if claim.committed else "", "warn"),
        ),
        line(("door       ", "dim"), door),
        line(("processes  ", "dim"), _PROCESSES[claim.state]),
        line(("folder     ", "dim"), claim.folder),
        line(""),
        line(_ADVICE[claim.state]),
    ]
    if claim.damaged:
        rows[-1] = line(
            ("Its journal cannot be trusted: ", "bad"),
            f"{claim.damaged}. Follow docs/recovery.md by hand, then move the folder away.",
        )
    if how_many > 1:
        rows.insert(0, line((f"{count(how_many, 'run')} have no outcome; o shows another", "warn")))
    return lines(rows)


def _state(guide: Guide) -> Content:
    walk = guide.walk
    if walk.settling:
        found = wait(walk, "settle", guide.begun, guide.operations.limits)
        return line((" ▸ ", "accent"), found.words(steady()) if found else "settling")
    if walk.settle_failure is not None:
        return line((f" {walk.settle_failure.summary} ", "bad"), walk.settle_failure.remedy)
    return line("")
