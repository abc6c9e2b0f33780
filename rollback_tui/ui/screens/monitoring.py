"""The monitoring of one run: every metric with its rule, and the course of the one that is marked.

For the run just done, for an older one that was attached to, and for one chosen in step 6: all are
the fold over the same file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from rollback_tui.core.monitoring.values import Metric, MonitorView, Reading, Usual
from rollback_tui.ui.after import After, after_of, may_not_resume, may_not_stop
from rollback_tui.ui.keys import binder, key
from rollback_tui.ui.metric_course import course
from rollback_tui.ui.moment import utc_time
from rollback_tui.ui.theme import cell, line, lines
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.watch_words import (
    NAMES,
    at,
    in_full,
    in_short,
    reading_of,
    span,
    state_of,
    usual_of,
    watch_line,
)
from rollback_tui.ui.widgets.dialogs import AskText
from rollback_tui.ui.widgets.live_table import Column, LiveTable
from rollback_tui.ui.widgets.pane import Pane
from rollback_tui.ui.widgets.status_bar import Bar
from rollback_tui.ui.wording import run_of

if TYPE_CHECKING:
    from rollback_tui.ui.app import RollbackApp
    from rollback_tui.ui.widgets.metric_chart import MetricChart

COLUMNS = (
    Column("glyph", "", 1),
    Column("metric", "metric", 0),
    Column("now", "now", 8),
    Column("usual", "before", 8, least=64),
    Column("threshold", "alert", 9, least=58),
    Column("state", "state", 17),
)

_bind = binder("monitoring")


class MonitoringPane(Pane[None]):
    """Shows what the guide knows of it, once a second."""

    NAME = "The monitoring after a run"
    HELP = (
        "What is measured after the run, by a process of its own: it goes on when this terminal "
        "is closed. Each metric has its value now, what it was before the run, and from where on "
        "there is an alert: earlier than your usual monitoring would, at a share of its level. ✓ "
        "was measured and is well, ✗ is an alert that stands, ? is not known, and why stands "
        "below; – is measured, but nothing can be said of it; ! was past its threshold before the "
        "run already, and still is: no alert, and not well either. In the chart ╌ is the "
        "threshold, · what was usual, ! an alert for as long as it stood; a gap is time in which "
        "nobody measured. Nothing has to be done here. esc leads back."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        _bind("escape,q,w", "close", "close", "Back to the screen below"),
        _bind("s", "stop", "stop early", "End the monitoring early, with a typed reason"),
        _bind("r", "resume", "start again", "Start it again where it was killed"),
    ]

    def __init__(self, folder: Path) -> None:
        """``folder``: that of the run."""
        super().__init__()
        self._folder = folder
        self._sought = False

    @property
    def _app(self) -> RollbackApp:
        return cast("RollbackApp", self.app)

    @property
    def _after(self) -> After | None:
        return after_of(self._app.guide.walk, self._folder)

    def compose(self) -> ComposeResult:
        """How it stands, the metrics, the one that is marked in words and as a chart."""
        # What draws it is much to load, and nothing else needs it.
        from rollback_tui.ui.widgets.metric_chart import MetricChart

        with Vertical(id="dialog", classes="-reading -whole -monitoring"):
            yield Bar(id="monitor-title")
            with Container(id="monitor"):
                yield LiveTable(COLUMNS, id="metrics")
                with VerticalScroll(id="metric-words"):
                    yield Static("", id="metric-text", markup=False)
                yield MetricChart(id="metric-chart")
            yield Bar(id="monitor-keys")

    def on_mount(self) -> None:
        """Begin in the list."""
        self.query_one("#metrics").focus()
        self.query_one("#metrics", LiveTable).say_when_empty(cell("Nothing is measured.", "dim"))
        self._app.guide.afterwards.look()
        self.set_interval(1.0, self._tick)
        self.call_after_refresh(self._tick)

    def on_resize(self) -> None:
        """Fit the line above to the new width."""
        self.call_after_refresh(self._tick)

    def _tick(self) -> None:
        if self.is_mounted:
            self.show(self._app.guide.walk)

    def show(self, walk: Walk) -> None:
        """Show what is known now."""
        if not self.query("#monitor-keys"):
            return
        after = after_of(walk, self._folder)
        self.query_one("#monitor-title", Bar).say(self._title(after))
        table = self.query_one("#metrics", LiveTable)
        view = after.view if after is not None else None
        rules = view.begun.rules if view is not None and view.begun is not None else ()
        table.show_rows([(rule.metric, self._row(rule.metric)) for rule in rules])
        if not self._sought and view is not None and rules:
            # What is wrong comes first, also where the list has not the room for all of them.
            self._sought = True
            table.go_to(next((one.metric for one in view.standing), None))
        self._show_metric(after)
        moves = "↑ ↓ another metric · " if rules else ""
        stop = "" if may_not_stop(walk, after) else f"{key('monitoring.stop')} stop early · "
        again = "" if may_not_resume(walk, after) else f"{key('monitoring.resume')} start again · "
        self.query_one("#monitor-keys", Bar).say(
            line((f"{moves}{again}{stop}? help · esc closes", "dim"))
        )

    def _title(self, after: After | None) -> Content:
        width = self.query_one("#monitor-title", Bar).content_size.width or self.app.size.width - 8
        name = line((f"Monitoring of run {run_of(self._folder)}", "strong"))
        view = after.view if after is not None else None
        if view is not None and view.begun is not None:
            begun = view.begun
            when = f"  {at(begun.at)} to {at(begun.until)}, each {span(begun.interval)}"
            name = name + line((when, "dim"))
        said = watch_line(after, utc_time(), width, key_id=None)
        return lines([name, said if said is not None else line((" · it is being asked …", "dim"))])

    def _row(self, metric: Metric) -> tuple[Text, ...]:
        after = self._after
        view = after.view if after is not None else None
        if after is None or view is None:
            return (cell(""),) * len(COLUMNS)
        state = state_of(after, metric, utc_time())
        rule, reading = view.rule(metric), reading_of(view, metric)
        value = _value(view, metric, reading)
        threshold = "–"
        if rule is not None and rule.threshold is not None:
            sign = "<" if rule.worse == "below" else ">"
            threshold = f"{sign} {in_short(view, metric, rule.threshold)}"
        before = usual_of(view, metric)
        usual = _value(view, metric, before)
        return (
            cell(state.glyph, state.tone),
            cell(NAMES[metric], "strong" if state.glyph == "✗" else "plain"),
            cell(value, state.tone if state.tone != "good" else "plain", right=True),
            cell(usual, "dim", right=True),
            cell(threshold, "dim", right=True),
            cell(state.words, state.tone),
        )

    def _show_metric(self, after: After | None) -> None:
        metric = cast("Metric | None", self.query_one("#metrics", LiveTable).current_key)
        chart = cast("MetricChart", self.query_one("#metric-chart"))
        text = self.query_one("#metric-text", Static)
        if after is None or after.view is None or metric is None:
            chart.show(None)
            text.update(line(""))
            return
        said = in_full(after, metric, utc_time())
        if self._said != said.plain:
            self._said = said.plain
            text.update(said)
        chart.show(course(after.view, metric))

    _said = ""
    """What stands in the words of the metric: the same words cost nothing."""

    @on(LiveTable.Highlighted, "#metrics")
    def _highlighted(self) -> None:
        self._show_metric(self._after)
        self.query_one("#metric-words", VerticalScroll).scroll_home(animate=False)

    # --- keys ---------------------------------------------------------------------------------

    def unavailable(self, action: str) -> str:
        """Return why a key does nothing now."""
        walk = self._app.guide.walk
        if action == "stop":
            return may_not_stop(walk, self._after)
        return may_not_resume(walk, self._after) if action == "resume" else ""

    def action_stop(self) -> None:
        """Ask why, then end the monitoring."""
        if reason := self.unavailable("stop"):
            self._app.say(f"Not now: {reason}.", "warning")
            return
        view = self._after.view if self._after is not None else None
        until = f"It would go on until {at(view.begun.until)}." if view and view.begun else ""
        ask = AskText(
            f"Stop watching run {run_of(self._folder)} early?",
            [
                line(f"Nobody is told of an alert any more. {until}"),
                line("What was measured stays, and what is queued is still sent."),
                line(("The reason is kept with your name.", "dim")),
            ],
            yes="Stop watching",
            wanted="why it is enough",
        )
        guide, folder = self._app.guide, self._folder
        self.app.push_screen(
            ask, lambda reason: guide.afterwards.stop(folder, reason) if reason else None
        )

    def action_resume(self) -> None:
        """Start it again."""
        self._app.guide.afterwards.resume(self._folder)

    def action_close(self) -> None:
        """Close; it is measured on."""
        self.dismiss(None)

    action_decline = action_close


def _value(view: MonitorView, metric: Metric, found: Reading | Usual | None) -> str:
    """Return it for a column: ``?`` where it is not known, ``–`` where there is nothing."""
    if found is not None and found.nothing:
        return "–"
    return in_short(view, metric, found.value if found is not None else None)


def show_monitoring(app: RollbackApp, folder: Path | None) -> None:
    """Show the monitoring of the run in ``folder``."""
    if folder is None:
        app.say("Not now: no run is chosen.", "warning")
    else:
        app.push_screen(MonitoringPane(folder))
