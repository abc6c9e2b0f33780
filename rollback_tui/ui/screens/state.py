"""Step 1: what the database is doing now, and how far back to go."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input

from rollback_tui.core.model import Session
from rollback_tui.core.text import data_size, printable, shorten
from rollback_tui.ui.keys import binder
from rollback_tui.ui.operations import Choice
from rollback_tui.ui.screens.step import StepScreen
from rollback_tui.ui.server_line import summary
from rollback_tui.ui.theme import Tone, cell, line, lines
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.widgets.dialogs import Ask, QuietInput, Read
from rollback_tui.ui.widgets.live_table import ROWS, Column, LiveTable
from rollback_tui.ui.widgets.status_bar import Bar
from rollback_tui.ui.wording import (
    clock,
    count,
    name_of,
    rows_of,
    state_of,
    took,
)

_Order = Callable[[Session], tuple[object, ...]]

ORDERS: tuple[tuple[str, _Order], ...] = (
    (
        "trouble first",
        lambda s: (not s.blocked_by, not s.writing, -(s.transaction_age or 0), s.pid),
    ),
    ("age", lambda s: (-(s.query_age or 0), s.pid)),
    ("application", lambda s: (s.application, s.user, s.pid)),
    ("pid", lambda s: (s.pid,)),
)
"""The orders that ``s`` goes through."""

SESSIONS = (
    Column("pid", "pid", 7),
    Column("app", "application", 12),
    Column("user", "user", 9, least=100),
    Column("state", "state", 10),
    Column("age", "age", 6),
    Column("wait", "waits for", 13, least=100),
    Column("blocked", "behind", 7),
    Column("writes", "writes", 6),
    Column("query", "query", 0),
)


_bind = binder("state")


class StateScreen(StepScreen):
    """Sessions, tables, migrations."""

    STEP = 1
    HELP = (
        "What the database is doing now. Above: every connection, those that block or write "
        "first. Below left: tables with their rows. Below right: the applied migrations, newest "
        "first; enter on one means: roll back everything down to and including this one."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        _bind("slash", "filter", "filter", "Show only matching sessions"),
        _bind("s", "sort", "sort", "Another order of the sessions"),
        _bind("p", "pause", "pause", "Stop refreshing, or go on"),
        _bind("plus", "interval(1)", "slower", "Refresh less often", name="slower"),
        _bind("minus", "interval(-1)", "faster", "Refresh more often", name="faster"),
        _bind("r", "reread", "reread", "Read migrations and tables again"),
        _bind("C", "cancel_query", "cancel query", "Cancel the session's query (armed)"),
        _bind("K", "terminate", "end session", "Terminate the session (armed)"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._filter = ""
        self._order = 0
        self._chosen = False

    def compose_body(self) -> ComposeResult:
        """Summary, sessions with their filter, tables beside migrations."""
        yield Bar(id="summary")
        yield Bar(id="no-plan")
        yield LiveTable(SESSIONS, id="sessions")
        yield QuietInput(id="filter", placeholder="filter: pid, application, user, state, query")
        with Horizontal(id="below"):
            yield LiveTable(
                (
                    Column("name", "table", 0),
                    Column("rows", "rows", 12),
                    Column("bytes", "size", 7, least=44),
                ),
                id="tables",
            )
            yield LiveTable(
                (
                    Column("goes", "", 6),
                    Column("version", "version", 0),
                    Column("name", "name", 26, least=52),
                ),
                id="migrations",
            )

    def on_mount(self) -> None:
        """Hide the filter, begin in the sessions."""
        self.query_one("#filter").display = False
        self.query_one("#sessions").focus()

    # --- showing ------------------------------------------------------------------------------

    def show_step(self, walk: Walk) -> None:
        """Show the three tables and the summary."""
        self.query_one("#summary", Bar).say(summary(walk))
        failure, bar = walk.plan_failure, self.query_one("#no-plan", Bar)
        bar.display = failure is not None
        if failure is not None:
            # In full, with what helps: the list's border and the last line have not the room.
            bar.say(line((f" ✗ {failure.summary} ", "bad"), ("→ ", "accent"), failure.remedy))
        self._show_sessions(walk)
        self._show_tables(walk)
        self._show_migrations(walk)

    def _show_sessions(self, walk: Walk) -> None:
        table = self.query_one("#sessions", LiveTable)
        every = walk.activity.sessions if walk.activity else ()
        shown = sorted(
            (s for s in every if not s.ours and _matches(s, self._filter)),
            key=ORDERS[self._order][1],
        )
        # A cursor at the top stays there: new trouble must not come above what is visible. Once
        # the keys that end a session work, it stays on its session instead.
        top = table.cursor_row == 0 and not walk.armed
        table.show_rows([(str(s.pid), _session_row(s)) for s in shown])
        if top and shown:
            table.go_to_row(0)
        title = f"sessions {len(shown):,} · {ORDERS[self._order][0]}"
        if self._filter:
            title += f" · filter “{self._filter}”"
        if walk.paused:
            title += " · PAUSED (p)"
        elif walk.interval != 1:
            title += f" · each {walk.interval:g} s"
        table.border_title = Content(printable(title))

    def _show_tables(self, walk: Walk) -> None:
        table = self.query_one("#tables", LiveTable)
        every = walk.tables or ()
        table.show_rows(
            [
                (
                    t.name,
                    (
                        cell(t.name),
                        cell(rows_of(t), "plain" if t.exact is not None else "dim", right=True),
                        cell(data_size(t.bytes), "dim", right=True),
                    ),
                )
                for t in every[:ROWS]
            ]
        )
        exact = sum(t.exact is not None for t in every)
        table.border_title = (
            f"tables · {exact:,}/{len(every):,} counted (~ estimate)"
            if walk.tables is not None
            else "tables · being read"
        )

    def _show_migrations(self, walk: Walk) -> None:
        table = self.query_one("#migrations", LiveTable)
        plan = walk.plan
        goes = {m.version for m in plan.migrations} if plan else set()
        word, ended = "↩ goes", walk.finished and not walk.attached
        if ended and walk.view is not None:
            word = {"rolled_back": "↩ gone", "needs_operator": "? see 6"}.get(
                walk.view.outcome or "", word
            )
        if plan and plan.version_stays and word.startswith("↩"):
            # The version goes nowhere; what was given for it is run.
            word = "script"
        rows = []
        for migration in plan.applied if plan else ():
            back = migration.version in goes
            tone: Tone = "warn" if back else "plain"
            rows.append(
                (
                    migration.version,
                    (
                        cell(word if back else "stays", tone if back else "dim"),
                        cell(migration.version, tone),
                        cell(migration.name, tone if back else "dim"),
                    ),
                )
            )
        if plan and not plan.applied and plan.by_hand:
            # Not that nothing is applied: nobody knows.
            rows = [
                (
                    script.version,
                    (cell(word, "warn"), cell(script.version, "warn"), cell("by hand")),
                )
                for script in plan.migrations
            ]
        table.show_rows(rows)
        if walk.plan_failure:
            title = "migrations · not understood"
        elif walk.planning:
            title = "migrations · reading"
        elif ended:
            title = "as before the run" + ("" if plan and plan.by_hand else " · enter chooses")
        elif plan and plan.by_hand:
            title = "by hand: the newest" if plan.applied else "by hand · history unknown"
        else:
            title = f"back: {count(len(goes), 'migration')} · enter chooses"
        table.border_title = Content(shorten(title, 70))
        # Which tool was recognised: nobody should have to guess it from the versions.
        table.border_subtitle = Content(
            shorten(plan.framework, 30) if plan and plan.version_table else ""
        )

    # --- actions ------------------------------------------------------------------------------

    def unavailable(self, action: str) -> str:
        """Return why a session's keys do nothing now."""
        if action in ("cancel_query", "terminate") and not self.walk_value.armed:
            return "this terminal is READ-ONLY, a arms it"
        return super().unavailable(action)

    def action_filter(self) -> None:
        """Open the filter."""
        field = self.query_one("#filter", Input)
        field.display = True
        field.focus()

    @on(Input.Changed, "#filter")
    def _filtering(self, event: Input.Changed) -> None:
        self._filter = event.value
        self._show_sessions(self.walk_value)

    @on(Input.Submitted, "#filter")
    def _filtered(self) -> None:
        self._close_filter()

    def key_escape(self) -> None:
        """Leave the filter and forget it."""
        field = self.query_one("#filter", Input)
        if field.display or self._filter:
            field.value = ""
            self._filter = ""
            self._close_filter()

    def _close_filter(self) -> None:
        self.query_one("#filter").display = False
        self.query_one("#sessions").focus()
        self._show_sessions(self.walk_value)

    def action_sort(self) -> None:
        """Take the next order."""
        self._order = (self._order + 1) % len(ORDERS)
        self._show_sessions(self.walk_value)

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

    def _session(self) -> Session | None:
        key = self.query_one("#sessions", LiveTable).current_key
        activity = self.walk_value.activity
        sessions = activity.sessions if activity else ()
        return next((s for s in sessions if str(s.pid) == key), None)

    def action_cancel_query(self) -> None:
        """Cancel the query of the session under the cursor."""
        self._signal(terminate=False)

    def action_terminate(self) -> None:
        """End the session under the cursor."""
        self._signal(terminate=True)

    def _signal(self, *, terminate: bool) -> None:
        if not self.allowed("terminate" if terminate else "cancel_query"):
            return
        session = self._session()
        if session is None:
            self.rollback_app.say("No session is selected.", "warning")
            return
        pid = session.pid
        body = [
            line((name_of(session), "strong")),
            line(f"{state_of(session)} for {took(session.query_age)}"),
            line((shorten(session.query, 300) or "no query", "dim")),
        ]
        if terminate:
            body.append(line(("Its open transaction is lost.", "warn")))
        ask = Ask(
            "End this session?" if terminate else "Cancel this query?",
            body,
            yes=f"End pid {pid}" if terminate else f"Cancel the query of {pid}",
            no="Leave it",
        )

        def answered(yes: bool | None) -> None:
            if yes:
                self.guide.signal(pid, terminate)

        self.app.push_screen(ask, answered)

    @on(LiveTable.Selected, "#sessions")
    def _read_session(self) -> None:
        session = self._session()
        if session is not None:
            self.app.push_screen(Read(name_of(session), _session_text(session)))

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


def _matches(session: Session, text: str) -> bool:
    parts = (
        str(session.pid),
        session.application,
        session.user,
        session.address,
        session.state,
        session.query,
    )
    return not text or any(text.casefold() in part.casefold() for part in parts)


def _session_row(session: Session) -> tuple[Text, ...]:
    blocked = ",".join(str(pid) for pid in session.blocked_by)
    state: Tone = "plain"
    if session.state.startswith("idle in transaction"):
        state = "warn"
    elif session.state == "active":
        state = "accent"
    elif session.state == "idle":
        state = "dim"
    return (
        cell(session.pid, right=True),
        cell(session.application or "–"),
        cell(session.user),
        cell(state_of(session), state),
        cell("" if session.query_age is None else clock(session.query_age), right=True),
        cell(session.wait or "", "warn" if blocked else "dim"),
        cell(blocked, "bad"),
        cell("writes" if session.writing else "", "warn"),
        cell(" ".join(session.query.split())[:400], "plain" if state != "dim" else "dim"),
    )


def _session_text(session: Session) -> Content:
    rows = [
        ("state", state_of(session)),
        ("application", session.application or "–"),
        ("user", session.user + (" (superuser)" if session.superuser else "")),
        ("address", session.address),
        ("kind", session.backend_type),
        ("query since", took(session.query_age) or "–"),
        ("transaction", took(session.transaction_age) or "none open"),
        ("waits for", session.wait or "nothing"),
        ("behind", ", ".join(map(str, session.blocked_by)) or "nobody"),
        ("writes", "yes" if session.writing else "no"),
    ]
    body = [line((f"{name:<12} ", "dim"), value) for name, value in rows]
    query = line(printable(session.query, keep_lines=False))
    return lines([*body, line(""), query])
