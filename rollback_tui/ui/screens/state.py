"""Step 1: what the database is doing now, and how far back to go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widgets import Input

from rollback_tui.core.activity.signals import Ending, cancelling, terminating
from rollback_tui.core.activity.waits import Row
from rollback_tui.core.model import Session
from rollback_tui.ui.after import after_of
from rollback_tui.ui.keys import binder, key
from rollback_tui.ui.moment import utc_time
from rollback_tui.ui.operations import Choice
from rollback_tui.ui.screens.step import StepScreen
from rollback_tui.ui.server_line import summary
from rollback_tui.ui.sessions import listed, old_since
from rollback_tui.ui.theme import line
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.widgets.dialogs import QuietInput, Read
from rollback_tui.ui.widgets.live_table import LiveTable
from rollback_tui.ui.widgets.session_details import details, title_of
from rollback_tui.ui.widgets.session_views import SessionViews
from rollback_tui.ui.widgets.signal_dialog import SignalDialog
from rollback_tui.ui.widgets.status_bar import Bar
from rollback_tui.ui.widgets.table_cells import (
    MIGRATIONS,
    TABLES,
    migration_rows,
    migrations_title,
    names,
    table_row,
    tables_title,
)

if TYPE_CHECKING:
    from rollback_tui.ui.widgets.trends import Trends

TALL = 34
"""Lines of a terminal that has two for the summary."""

_bind = binder("state")


class StateScreen(StepScreen):
    """Sessions, tables, migrations."""

    STEP = 1
    ESCAPE = "clear the filter"
    HELP = (
        "What the database is doing now. Above: every connection, those that block others or wait "
        "first; one key goes on to those that run a query, wait or block, to the tree of locks and "
        "to groups, and the lower border says where you are. Below left: tables with their rows. "
        "Below right: the applied migrations, newest first; enter on one means: roll back "
        "everything down to and including this one."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        _bind("v", "view(1)", "view", "Running, waiting, blocking, lock tree, groups", name="view"),
        _bind("V", "view(-1)", "view back", "The view before", name="view_back", show=False),
        _bind("t", "trends", "trends", "Charts of the last five minutes, or the tables again"),
        _bind("g", "group", "group by", "Group by application, user or address"),
        Binding(
            "slash",
            "filter",
            "filter",
            # On a slow link the words come in one piece with it, and are no keys.
            priority=True,
            id="state.filter",
            tooltip="Show only what matches all words",
        ),
        _bind("s", "sort", "sort", "Another order"),
        _bind("p", "pause", "pause", "Stop refreshing, or go on"),
        _bind("plus", "interval(1)", "slower", "Refresh less often", name="slower"),
        _bind("minus", "interval(-1)", "faster", "Refresh more often", name="faster"),
        _bind("r", "reread", "reread", "Read migrations and tables again"),
        _bind("w", "monitoring", "watching", "What is measured since the last run", show=False),
        _bind("C", "cancel_query", "cancel", "Cancel the session's query (armed)"),
        _bind("K", "terminate", "end session", "Terminate the session (armed)"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._chosen = False
        self._trends: Trends | None = None

    def compose_body(self) -> ComposeResult:
        """Summary, sessions with their filter, tables beside migrations."""
        yield Bar(id="summary")
        yield Bar(id="watched")
        yield Bar(id="no-plan")
        yield SessionViews(id="views")
        yield QuietInput(id="filter", placeholder="filter: words, all must match")
        with Container(id="below"):
            yield LiveTable(TABLES, id="tables")
            yield LiveTable(MIGRATIONS, id="migrations")

    def on_mount(self) -> None:
        """Hide the filter, begin in the sessions."""
        self.query_one("#filter").display = False
        self.views.table.focus()

    @property
    def views(self) -> SessionViews:
        """The views of the sessions."""
        return self.query_one(SessionViews)

    # --- showing ------------------------------------------------------------------------------

    def show_step(self, walk: Walk) -> None:
        """Show the tables and the summary."""
        head, size = self.query_one("#summary", Bar), self.app.size
        # On a wide screen the tables stand beside, and the line has not the whole width.
        width = (head.size.width or size.width) - 1
        head.say(summary(walk, width, 1 + (size.height >= TALL)))
        self._show_watched(walk)
        failure, bar = walk.plan_failure, self.query_one("#no-plan", Bar)
        bar.display = failure is not None
        if failure is not None:
            # In full, with what helps: the list's border and the last line have not the room.
            bar.say(line((f" ✗ {failure.summary} ", "bad"), ("→ ", "accent"), failure.remedy))
        # What is not looked at any more must not look like what is.
        self.set_class(bool(old_since(walk)) and not walk.paused, "-old")
        self.views.show(walk)
        counting = self.guide.counting_now
        tables, every = self.query_one("#tables", LiveTable), walk.tables or ()
        tables.show_made(names(every), lambda place: table_row(every[place], walk, counting))
        tables.entitle(tables_title(walk, counting))
        migrations = self.query_one("#migrations", LiveTable)
        migrations.show_rows(migration_rows(walk))
        migrations.entitle(*migrations_title(walk))
        if self._trends is not None:
            self._trends.show(walk)

    def _show_watched(self, walk: Walk) -> None:
        """Say that a run of this project is looked after, where it is not the one shown."""
        after, bar = after_of(walk, walk.looked_after), self.query_one("#watched", Bar)
        bar.display = after is not None and walk.folder is None
        if after is not None:
            # Only where something is watched: the first screen comes up without it.
            from rollback_tui.ui.watch_elsewhere import looked_after_line

            bar.say(looked_after_line(after, utc_time(), self.app.size.width - 1))

    # --- actions ------------------------------------------------------------------------------

    def keys_shown(self) -> Iterator[tuple[str, str, bool]]:
        """Yield the keys that count in this view."""
        grouped = self.views.view == "groups"
        for keys, label, usable in super().keys_shown():
            if (label == "group by" and not grouped) or label == "faster":
                continue
            if label == "slower":
                yield f"{keys}/{key('state.faster')}", "interval", usable
                continue
            yield keys, label, usable

    def unavailable(self, action: str) -> str:
        """Return why a session's keys do nothing now."""
        if action in ("cancel_query", "terminate"):
            if not self.walk_value.armed:
                return f"this terminal is READ-ONLY, {key('step.arm')} arms it"
            if self.views.view == "groups":
                return f"choose a session in another view ({key('state.view')})"
        if action == "group" and self.views.view != "groups":
            return f"{key('state.view')} leads to the groups"
        if action == "monitoring" and self._watched is None:
            return "no run of this project is looked after"
        return super().unavailable(action)

    @property
    def _watched(self) -> Path | None:
        """The run whose monitoring is shown: the one of this terminal, or the newest."""
        walk = self.walk_value
        return walk.folder if walk.finished else walk.looked_after

    def action_monitoring(self) -> None:
        """Show what is measured since the newest run."""
        if self.allowed("monitoring"):
            from rollback_tui.ui.screens.monitoring import show_monitoring

            show_monitoring(self.rollback_app, self._watched)

    def action_view(self, by: int) -> None:
        """Go to the next view, or the one before."""
        self.views.turn(by, self.walk_value)
        self.show_now()

    def action_group(self) -> None:
        """Group the connections by something else."""
        if self.allowed("group"):
            self.views.next_dimension(self.walk_value)

    async def action_trends(self) -> None:
        """Open the charts in the place of the lower tables, or close them."""
        if self._trends is not None:
            trends, self._trends = self._trends, None
            self.remove_class("-trends")
            await trends.remove()
            return
        # plotext is of use here only, and takes as long to import as the first screen may.
        from rollback_tui.ui.widgets.trends import Trends

        self.add_class("-trends")
        trends = Trends(id="trends")
        await self.query_one("#below").mount(trends)
        self._trends = trends
        self.call_after_refresh(self.show_now)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the key of the filter to a field that has the focus."""
        if action == "filter" and isinstance(self.focused, Input):
            return False
        return super().check_action(action, parameters)

    def action_filter(self) -> None:
        """Open the filter, and have the focus in it at once."""
        field = self.query_one("#filter", Input)
        field.display = True
        self.set_focus(field)

    @on(Input.Changed, "#filter")
    def _filtering(self, event: Input.Changed) -> None:
        self.views.words = event.value
        self.views.show(self.walk_value)

    @on(Input.Submitted, "#filter")
    def _filtered(self) -> None:
        self._close_filter()

    def key_escape(self) -> None:
        """Leave the filter and forget it."""
        field = self.query_one("#filter", Input)
        if field.display or self.views.words:
            field.value = ""
            self.views.words = ""
            self._close_filter()

    def _close_filter(self) -> None:
        self.query_one("#filter").display = False
        self.views.table.focus()
        self.views.show(self.walk_value)

    def action_sort(self) -> None:
        """Take the next order."""
        if reason := self.views.next_order(self.walk_value):
            self.rollback_app.say(f"Not now: {reason}.", "warning")

    def action_pause(self) -> None:
        """Pause or go on."""
        self.guide.pause()

    def action_interval(self, by: int) -> None:
        """Refresh more or less often."""
        self.guide.change_interval(1 if by > 0 else -1)

    def action_reread(self) -> None:
        """Read the migrations and the tables again."""
        if self.walk_value.running:
            self.rollback_app.say("A run goes on; nothing is read until it ends.", "warning")
            return
        if not self.walk_value.finished:
            # The plan of a run that ended stays beside its proof; enter begins another one.
            # What was chosen in the list may be gone since; the list must come back then.
            lost = self._chosen and self.walk_value.plan_failure is not None
            self.guide.planning.read(Choice() if lost else self.walk_value.choice)
        self.guide.read_tables()

    def action_cancel_query(self) -> None:
        """Cancel the query of the session under the cursor."""
        self._signal(terminate=False)

    def action_terminate(self) -> None:
        """End the session under the cursor."""
        self._signal(terminate=True)

    def _signal(self, *, terminate: bool) -> None:
        if not self.allowed("terminate" if terminate else "cancel_query"):
            return
        row = self.views.row
        if row is None:
            self.rollback_app.say("No session is selected.", "warning")
            return
        if lost := self.views.slipped():
            said = f"{lost} has left the list just now, and the cursor is on another. Look first."
            self.rollback_app.say(said, "warning")
            return
        ending = self._judge(row, terminate=terminate)
        session = row.session
        if ending.refused or session is None:
            self.rollback_app.say(f"Not {title_of(row)}: {ending.refused}.", "warning")
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._send(session, ending, terminate=terminate)

        self.app.push_screen(SignalDialog(row, session, ending, terminate=terminate), answered)

    def _judge(self, row: Row, *, terminate: bool) -> Ending:
        activity = self.walk_value.activity
        if activity is None:
            return Ending(refused="nothing is known of it yet")
        ending = terminating(row, activity) if terminate else cancelling(row, activity)
        old = old_since(self.walk_value)
        if old and not ending.refused:
            # Whoever was idle then may write by now.
            words = f"This is {old}: it may do something else by now."
            return msgspec.structs.replace(ending, warnings=(*ending.warnings, words), typed=True)
        return ending

    def _send(self, session: Session, agreed: Ending, *, terminate: bool) -> None:
        """Send it, unless more is at stake by now than was agreed to."""
        activity = self.walk_value.activity
        for row in listed(activity) if activity else ():
            now = row.session
            if now and (now.pid, now.backend_start) == (session.pid, session.backend_start):
                ending = self._judge(row, terminate=terminate)
                words = ending.refused
                more = (ending.typed and not agreed.typed) or (now.writing and not session.writing)
                if not words and more:
                    words = "it has begun something meanwhile; look at it again"
                    if old_since(self.walk_value):
                        words = "nothing is seen of it any more; look at it again"
                if not words and not terminate and now.query != session.query:
                    words = "it runs another query by now; look at it again"
                if words:
                    self.rollback_app.say(f"Not sent to pid {session.pid}: {words}.", "warning")
                    return
        self.guide.signal(session, terminate)

    @on(LiveTable.Selected, "#sessions")
    @on(LiveTable.Selected, "#tree")
    def _read_session(self) -> None:
        row, activity = self.views.row, self.walk_value.activity
        if row is not None and activity is not None:
            query = row.session.query if row.session else ""
            copies = ("the query", query) if query else ("", "")
            self.app.push_screen(Read(title_of(row), details(row, activity), copies=copies))

    @on(LiveTable.Selected, "#groups")
    def _read_group(self) -> None:
        group = self.views.group
        if group is None:
            return
        if not group.name:
            self.rollback_app.say("They have no name to look for.")
            return
        # The filter that the operator could have typed, so that esc takes it back.
        self.query_one("#filter", Input).value = group.name
        self.views.words = group.name
        self.views.open("all", self.walk_value)

    @on(LiveTable.Selected, "#migrations")
    def _choose(self, event: LiveTable.Selected) -> None:
        plan = self.walk_value.plan
        versions = [m.version for m in plan.applied] if plan else []
        view = self.walk_value.view
        back = plan is not None and view is not None and view.outcome == "rolled_back"
        gone = {m.version for m in plan.migrations} if plan and back else set()
        if event.key in gone:
            self.rollback_app.say("It is rolled back already. Choose one that stays.")
            return
        if plan is not None and plan.by_hand:
            self.rollback_app.say("A script given by hand takes back the newest only.")
            return
        if event.key in versions:
            self._chosen = True
            place = versions.index(event.key) + 1
            # By the version that stays: what is applied may not be what this list shows, after
            # a run for one, and a number of steps would then take back more than was chosen.
            stays = versions[place] if place < len(versions) else None
            self.guide.choose(Choice(steps=place, version=stays))
