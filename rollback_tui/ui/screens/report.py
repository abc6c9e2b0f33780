"""Step 6: the report, and the runs before it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from rollback_tui.core.run_view import RunSummary
from rollback_tui.core.text import printable
from rollback_tui.ui.glyphs import plain
from rollback_tui.ui.screens.step import StepScreen
from rollback_tui.ui.theme import OUTCOME, cell, line, lines
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.widgets.live_table import Column, LiveTable
from rollback_tui.ui.widgets.markdown_view import MarkdownView
from rollback_tui.ui.widgets.run_lines import back_again
from rollback_tui.ui.widgets.status_bar import Bar
from rollback_tui.ui.wording import clock, count, run_of

SHOWN = 200_000
"""Characters of a report that are rendered; the file has all of it."""


class ReportScreen(StepScreen):
    """The Markdown report, rendered; enter on a run shows that run's."""

    STEP = 6
    HELP = (
        "The report of the run, as it was saved. Above are all runs of this directory, newest "
        "first; enter shows the report of one. c copies the path of the report's folder, where "
        "the terminal allows it."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "c", "copy", "copy path", tooltip="Copy the path of the run's folder", id="report.copy"
        ),
        Binding(
            "r",
            "reread",
            "reread",
            tooltip="Read the runs and the report again",
            id="report.reread",
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._rendered: str | None = None

    def compose_body(self) -> ComposeResult:
        """Path, runs, report."""
        yield Bar(id="report-path")
        yield LiveTable(
            (
                Column("started", "started (UTC)", 19),
                Column("database", "database", 16, least=100),
                Column("versions", "what it did", 0),
                Column("outcome", "outcome", 16),
                Column("seconds", "took", 8, least=70),
            ),
            id="runs",
        )
        # Links in a report may come from anywhere: they are text here, never opened.
        yield MarkdownView(id="report")

    def on_mount(self) -> None:
        """Begin in the report, so that the arrows scroll it."""
        self.query_one("#runs", LiveTable).border_title = "runs · enter shows one"
        self.query_one("#report").focus()

    def show_step(self, walk: Walk) -> None:
        """Show the runs and the report."""
        runs = walk.history or ()
        table = self.query_one("#runs", LiveTable)
        # Hundreds of runs, of which half a dozen are in sight.
        table.show_made([run.folder for run in runs], lambda place: _row(runs[place]))
        table.display = bool(runs)
        self._show_report(walk)

    def _show_report(self, walk: Walk) -> None:
        path = self.query_one("#report-path", Bar)
        if walk.report_failure is not None:
            failure = walk.report_failure
            path.say(line((f" {failure.summary} ", "bad"), failure.remedy))
            return
        if walk.report is None:
            path.say(line((" Choose a run with enter.", "dim")))
            return
        where = line((" in ", "dim"), str(walk.report_folder))
        view = walk.view
        if view is not None and view.kept and view.committed and walk.report_folder == walk.folder:
            # Beside the path: the text of the report is long, and this must not be missed.
            what = count(len(view.kept), "table")
            words = f" kept {what} in {view.kept[0].schema}. When it is applied again: "
            where = lines([where, line((words, "good"), (back_again(view), "strong"))])
        path.say(where)
        if walk.report != self._rendered:
            self._rendered = walk.report
            text = plain(printable(walk.report[:SHOWN], keep_lines=True))
            self.query_one("#report", MarkdownView).show(text)

    @on(LiveTable.Selected, "#runs")
    def _chosen(self, event: LiveTable.Selected) -> None:
        self.guide.read_report(Path(event.key))
        self.query_one("#report").focus()

    def unavailable(self, action: str) -> str:
        """Return why there is nothing to copy."""
        if action == "copy" and self.walk_value.report_folder is None:
            return "no report is shown"
        return super().unavailable(action)

    def action_copy(self) -> None:
        """Copy the folder's path through the terminal (OSC 52), and say it."""
        if self.allowed("copy"):
            folder = str(self.walk_value.report_folder)
            self.app.copy_to_clipboard(folder)
            self.rollback_app.say(f"Copied, where the terminal allows it: {folder}", "information")

    def action_reread(self) -> None:
        """Read the runs again."""
        self.guide.read_history()
        if self.walk_value.report_folder is not None:
            self.guide.read_report(self.walk_value.report_folder)


def _row(run: RunSummary) -> tuple[Text, ...]:
    glyph, _, tone = OUTCOME.get(run.outcome, ("?", "", "warn"))
    if run.outcome == "rolled_back" and not run.proven:
        glyph, tone = "!", "warn"
    return (
        cell(run.started_at[:19].replace("T", " ")),
        cell(run.database),
        cell(_what(run)),
        cell(f"{glyph} {run.outcome}", tone),
        cell(clock(run.seconds), "dim", right=True),
    )


def _what(run: RunSummary) -> str:
    """Return what a run did: the versions it took back, or which run it was made for."""
    versions = ", ".join(run.versions)
    if run.task == "rollback":
        return f"took back {versions}"
    earlier = run_of(Path(run.recovers))
    return f"recovery of run {earlier}" if run.task == "recover" else f"up again: {versions}"
