"""Step 6: the report, and the runs before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from rollback_tui.core.run_view import RunSummary
from rollback_tui.core.text import printable
from rollback_tui.ui.after import After, after_of
from rollback_tui.ui.glyphs import plain
from rollback_tui.ui.hints import Hint
from rollback_tui.ui.keys import key
from rollback_tui.ui.screens.step import StepScreen
from rollback_tui.ui.screens.told import Told
from rollback_tui.ui.theme import OUTCOME, cell, line, lines
from rollback_tui.ui.told_words import undelivered_line
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.widgets.live_table import Column, LiveTable
from rollback_tui.ui.widgets.markdown_view import MarkdownView
from rollback_tui.ui.widgets.run_lines import back_again
from rollback_tui.ui.widgets.status_bar import Bar
from rollback_tui.ui.wording import clock, count, run_of

_OF_A_RUN = ("incident", "follow_ups", "monitoring", "told")
"""What is done for the run whose report is shown."""
SHOWN = 200_000
"""Characters of a report that are rendered; the file has all of it."""


class ReportScreen(StepScreen):
    """The Markdown report, rendered; enter on a run shows that run's."""

    STEP = 6
    HELP = (
        "The report of the run, as it was saved. Above are all runs of this directory, newest "
        "first; enter shows the report of one. i shows its incident report instead, which is "
        "written as it is now and kept as Markdown, HTML and JSON; f its follow-ups, to be ticked "
        "with space; w what was measured since; t who was told. c copies the path of the report's "
        "folder, where the terminal allows it."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "c", "copy", "copy path", tooltip="Copy the path of the run's folder", id="report.copy"
        ),
        Binding(
            "i",
            "incident",
            "incident report",
            tooltip="The incident report, or the rollback's again",
            id="report.incident",
        ),
        Binding(
            "f",
            "follow_ups",
            "follow-ups",
            tooltip="What is left to be done, as a checklist",
            id="report.follow_ups",
        ),
        Binding(
            "w",
            "monitoring",
            "watching",
            tooltip="What is measured since the run, with charts",
            id="report.monitoring",
        ),
        Binding(
            "t", "told", "who was told", tooltip="Who was told what, and when", id="report.told"
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
        self._incident: Path | None = None
        """The run whose incident report is shown in the place of its other one."""

    def compose_body(self) -> ComposeResult:
        """Path, what was not delivered, runs, report."""
        yield Bar(id="report-path")
        yield Bar(id="report-post")
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
        after = after_of(walk, walk.report_folder)
        undelivered, bar = undelivered_line(after, self.app.size.width - 1), self._post
        bar.display = undelivered is not None
        if undelivered is not None:
            bar.say(undelivered)
        if self._shows_incident:
            self._show_incident(after)
        else:
            self._show_report(walk)

    @property
    def _post(self) -> Bar:
        return self.query_one("#report-post", Bar)

    def _show_incident(self, after: After | None) -> None:
        path = self.query_one("#report-path", Bar)
        failure = after.incident_failure if after is not None else None
        if failure is not None:
            path.say(line((f" {failure.summary} ", "bad"), failure.remedy))
            return
        if after is None or after.incident is None or after.files is None:
            path.say(line((" The incident report is being written …", "dim")))
            return
        names = ", ".join(one.name for one in (after.files.markdown, after.files.html))
        names = f"{names} and {after.files.json.name}"
        path.say(line((f" {names} in ", "dim"), str(after.files.markdown.parent)))
        self._render_text(after.incident)

    def _render_text(self, text: str) -> None:
        if text != self._rendered:
            self._rendered = text
            shown = plain(printable(text[:SHOWN], keep_lines=True))
            self.query_one("#report", MarkdownView).show(shown)

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
        self._render_text(walk.report)

    @on(LiveTable.Selected, "#runs")
    def _chosen(self, event: LiveTable.Selected) -> None:
        self.guide.afterwards.read_report(Path(event.key))
        self.query_one("#report").focus()

    @property
    def _shows_incident(self) -> bool:
        return self._incident is not None and self._incident == self.walk_value.report_folder

    def keys_shown(self) -> Iterator[tuple[str, str, bool]]:
        """Yield the keys; the one of the incident report leads back while that is shown."""
        for keys, label, usable in super().keys_shown():
            back = self._shows_incident and label == "incident report"
            yield keys, "rollback report" if back else label, usable

    def hint(self) -> Hint:
        """Return what comes next; the key of the incident report leads back while that is shown."""
        said = super().hint()
        if self._shows_incident:
            opens = key("report.incident")
            there, back = f"{opens} incident report", f"{opens} rollback report"
            said = said._replace(sentence=said.sentence.replace(there, back))
        return said

    def unavailable(self, action: str) -> str:
        """Return why there is nothing to copy, or to be done after the run."""
        walk = self.walk_value
        if action in ("copy", *_OF_A_RUN) and walk.report_folder is None:
            return "no report is shown"
        if action in _OF_A_RUN and walk.running and walk.report_folder == walk.folder:
            return "the run has no outcome yet"
        return super().unavailable(action)

    def action_copy(self) -> None:
        """Copy the folder's path through the terminal (OSC 52), and say it."""
        if self.allowed("copy"):
            folder = str(self.walk_value.report_folder)
            self.app.copy_to_clipboard(folder)
            self.rollback_app.say(f"Copied, where the terminal allows it: {folder}", "information")

    def action_incident(self) -> None:
        """Show the incident report in the place of the other, or that one again."""
        folder = self.walk_value.report_folder
        if self.allowed("incident") and folder is not None:
            self._incident = None if self._incident == folder else folder
            if self._incident is not None:
                self.guide.afterwards.read_incident(folder)
            self.show_now()

    def action_follow_ups(self) -> None:
        """Open the checklist."""
        folder = self.walk_value.report_folder
        if self.allowed("follow_ups") and folder is not None:
            from rollback_tui.ui.screens.follow_ups import FollowUps

            self.app.push_screen(FollowUps(folder))

    def action_monitoring(self) -> None:
        """Show what is measured since the run."""
        if self.allowed("monitoring"):
            from rollback_tui.ui.screens.monitoring import show_monitoring

            show_monitoring(self.rollback_app, self.walk_value.report_folder)

    def action_told(self) -> None:
        """Show who was told what."""
        folder = self.walk_value.report_folder
        if self.allowed("told") and folder is not None:
            self.app.push_screen(Told(folder, self.walk_value))

    def action_reread(self) -> None:
        """Read the runs again."""
        self.guide.afterwards.read_history()
        if self.walk_value.report_folder is not None:
            self.guide.afterwards.read_report(self.walk_value.report_folder)
            self.guide.afterwards.look()
        if self._incident is not None:
            self.guide.afterwards.read_incident(self._incident)


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
        return f"{'took back' if run.outcome == 'rolled_back' else 'rollback of'} {versions}"
    earlier = run_of(Path(run.recovers))
    return f"recovery of run {earlier}" if run.task == "recover" else f"up again: {versions}"
