"""The views of the sessions: one list four ways, the tree of locks, the groups."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from rollback_tui.core.activity.groups import DIMENSIONS, Dimension, Group, groups
from rollback_tui.core.activity.views import (
    GROUP_ORDERS,
    ORDERS,
    SHOWS,
    VIEWS,
    Counts,
    ViewName,
    view,
)
from rollback_tui.core.activity.waits import SOME_PREPARED, Row
from rollback_tui.core.model import Activity
from rollback_tui.ui.keys import key
from rollback_tui.ui.moment import steady
from rollback_tui.ui.sessions import listed, old_since, totals
from rollback_tui.ui.theme import Tone, cell, line
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.widgets.live_table import LiveTable
from rollback_tui.ui.widgets.session_cells import (
    GROUPS,
    SESSIONS,
    TREE,
    blocking_pieces,
    cells,
    group_pieces,
    session_pieces,
    tree_pieces,
)
from rollback_tui.ui.wording import count, time_of

SLIP = 2.0
"""Seconds that somebody may take to see that another line is under the cursor."""
_PIECES = {"tree": tree_pieces, "blocking": blocking_pieces}

_NOTHING: dict[ViewName, str] = {
    "all": "nobody else is connected to this database",
    "running": "nobody runs a query just now",
    "waiting": "nobody waits for a lock",
    "blocking": "nobody is waited for",
    "tree": "nobody waits for a lock",
    "groups": "no connections",
}
"""What it means that a view has no line, in a few words."""


class SessionViews(Vertical):
    """Three tables, one of them shown: the sessions, the tree, the groups."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.view: ViewName = "all"
        self.dimension: Dimension = "application"
        self.words = ""
        """Only what matches all of these words is shown."""
        self._orders: dict[ViewName, int] = {}
        self._shown: tuple[Row, ...] = ()
        self._groups: tuple[Group, ...] = ()
        self._made_of: Activity | None = None
        self._made_for: tuple[object, ...] = ()
        self._slip: tuple[str, str | None, float] | None = None

    def compose(self) -> ComposeResult:
        """Make the tables; the sessions first."""
        yield LiveTable(SESSIONS, id="sessions")
        yield LiveTable(TREE, id="tree")
        yield LiveTable(GROUPS, id="groups")

    def on_mount(self) -> None:
        """Show one of them."""
        self._display()

    # --- what is shown ------------------------------------------------------------------------

    @property
    def table(self) -> LiveTable:
        """The table that is shown."""
        return self.query_one(f"#{self._table_id()}", LiveTable)

    def _table_id(self) -> str:
        return self.view if self.view in ("tree", "groups") else "sessions"

    def _display(self) -> None:
        wanted, focused = self._table_id(), False
        for table in self.query(LiveTable):
            focused = focused or table.has_focus
            table.display = table.id == wanted
        if focused:
            self.table.focus()

    def turn(self, by: int, walk: Walk) -> None:
        """Go to another view; the session under the cursor stays under it where it is there."""
        here = self.row
        self.view = VIEWS[(VIEWS.index(self.view) + by) % len(VIEWS)]
        self._display()
        self.show(walk)
        if here is not None:
            self.table.go_to(here.key)

    def open(self, name: ViewName, walk: Walk) -> None:
        """Go to the view ``name``."""
        self.turn(VIEWS.index(name) - VIEWS.index(self.view), walk)

    def next_order(self, walk: Walk) -> str:
        """Take the next order; return why there is none."""
        if self.view == "tree":
            return "the tree has its own order: most behind first"
        self._orders[self.view] = self._orders.get(self.view, 0) + 1
        self.show(walk)
        return ""

    def next_dimension(self, walk: Walk) -> None:
        """Group by something else."""
        self.dimension = DIMENSIONS[(DIMENSIONS.index(self.dimension) + 1) % len(DIMENSIONS)]
        self.show(walk)

    @property
    def row(self) -> Row | None:
        """The line under the cursor; None in the groups, or when there is none."""
        here = self.table.current_key if self.view != "groups" else None
        return next((row for row in self._shown if row.key == here), None)

    def slipped(self) -> str:
        """Return what stood under the cursor when a refresh put another line there, less than
        ``SLIP`` seconds ago; empty when none did, and when it is asked again."""
        slip, self._slip = self._slip, None
        if slip is None or steady() - slip[2] >= SLIP or slip[1] != self.table.current_key:
            return ""
        return slip[0] if slip[0].startswith(SOME_PREPARED) else f"pid {slip[0]}"

    @property
    def group(self) -> Group | None:
        """The group under the cursor."""
        here = self.table.current_key if self.view == "groups" else None
        return next((group for group in self._groups if group.name == here), None)

    # --- showing ------------------------------------------------------------------------------

    def show(self, walk: Walk) -> None:
        """Show ``walk`` in the table that is up."""
        activity = walk.activity
        self.table.say_when_empty(cell(self._nothing(walk), "dim"))
        if activity is None:
            self.table.entitle(line("sessions · waiting for the first look at the server"))
            return
        wanted = (self.view, self._orders.get(self.view, 0), self.words, self.dimension)
        if activity is not self._made_of or wanted != self._made_for:
            # The walk changes more often than the sessions: with each table that is counted.
            # Not by a key of the operator, who then looks at what it brought.
            refreshed = wanted == self._made_for
            self._made_of, self._made_for = activity, wanted
            if self.view == "groups":
                self._show_groups(activity)
            else:
                self._show_rows(activity, armed=walk.armed, refreshed=refreshed)
        number = len(self._groups if self.view == "groups" else self._shown)
        self.table.entitle(self._title(walk, number), self._views(totals(activity)))

    def _show_rows(self, activity: Activity, *, armed: bool, refreshed: bool) -> None:
        every = listed(activity)
        order = self._orders.get(self.view, 0)
        self._shown = view(self.view, every, order=order, words=self.words)
        pieces = _PIECES.get(self.view, session_pieces)
        table, shown = self.table, self._shown
        # A cursor at the top stays there: new trouble must not come above what is visible. Once
        # the keys that end a session work, it stays on its session instead.
        top = table.cursor_row == 0 and not armed
        before = table.current_key
        table.show_made([row.key for row in shown], lambda place: cells(pieces(shown[place])))
        if top:
            table.go_to_row(0)
        if before is not None and refreshed and table.current_key != before:
            self._slip = (before, table.current_key, steady())

    def _show_groups(self, activity: Activity) -> None:
        found = groups(activity.sessions, self.dimension)
        order = GROUP_ORDERS[self._orders.get("groups", 0) % len(GROUP_ORDERS)]
        words = self.words.casefold().split()
        self._groups = tuple(
            group
            for group in sorted(found, key=order.key)
            if all(word in group.name.casefold() for word in words)
        )
        shown = self._groups
        self.table.show_made(
            [group.name for group in shown], lambda place: cells(group_pieces(shown[place]))
        )

    # --- what the border says -----------------------------------------------------------------

    def _title(self, walk: Walk, number: int) -> Content:
        parts: list[str | tuple[object, Tone]] = []
        if (old := old_since(walk)) and not walk.paused:
            parts.append((f"{old} · ", "bad"))
        parts.append(self._what(walk, number))
        if self.words:
            parts.append((f" · filter “{self.words}”", "warn"))
        if walk.paused:
            when = f" at {time_of(walk.refreshed_at)}" if walk.refreshed_at else ""
            parts.append((f" · PAUSED ({key('state.pause')}){when}", "warn"))
        elif walk.interval != 1:
            parts.append(f" · each {walk.interval:g} s")
        return line(*parts)

    def _what(self, walk: Walk, number: int) -> str:
        if self.view == "groups":
            order = GROUP_ORDERS[self._orders.get("groups", 0) % len(GROUP_ORDERS)].name
            by = f"by {self.dimension} ({key('state.group')})"
            return f"{count(number, 'group')} · connections {by} · {order}"
        if self.view == "tree":
            return f"lock tree {number:,} · {SHOWS['tree']}"
        orders = ORDERS[self.view]
        order = orders[self._orders.get(self.view, 0) % len(orders)].name
        if self.view == "all":
            beside = sum(row.session is None for row in self._shown)
            more = f" and {beside:,} without a session" if beside else ""
            return f"sessions {number - beside:,}{more} · {order}"
        found = totals(walk.activity) if walk.activity else Counts()
        unseen = f" · {found.hidden:,} hidden" if self.view == "running" and found.hidden else ""
        return f"{self.view} {number:,} of {found.all:,} · {SHOWS[self.view]} · {order}{unseen}"

    def _nothing(self, walk: Walk) -> str:
        """Return what it means that no line is there."""
        if walk.activity is None:
            return "not looked at yet"
        if self.words:
            return f"nothing matches “{self.words}”; esc takes the filter away"
        if self.view == "running" and (unseen := totals(walk.activity).hidden):
            return f"nobody runs a query, as far as may be seen; {unseen:,} hidden"
        return _NOTHING[self.view]

    def _views(self, found: Counts) -> Content:
        """Return all views with their numbers, the one that is shown in brackets."""
        numbers = {
            "all": found.all,
            "running": found.running,
            "waiting": found.waiting,
            "blocking": found.blocking,
        }
        parts: list[str | tuple[object, Tone]] = [(f"{key('state.view')} ", "accent")]
        for name in VIEWS:
            number = f" {numbers[name]:,}" if name in numbers else ""
            bad = name in ("waiting", "blocking") and numbers[name]
            words = f"[{name}{number}]" if name == self.view else f" {name}{number} "
            parts.append((words, "strong" if name == self.view else "bad" if bad else "dim"))
        return line(*parts)
