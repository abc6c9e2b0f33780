"""Step 3: every statement that will run, read and marked by the operator."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.events import DescendantBlur, DescendantFocus

from rollback_tui.core.rehearsal import Source
from rollback_tui.core.script.hazards import EXPLANATIONS
from rollback_tui.ui.entries import Entry
from rollback_tui.ui.keys import binder
from rollback_tui.ui.listing import Listing, listing, place_of
from rollback_tui.ui.moment import steady
from rollback_tui.ui.screens.foreseen import schema_dialog
from rollback_tui.ui.screens.step import StepScreen
from rollback_tui.ui.surroundings import around
from rollback_tui.ui.theme import line
from rollback_tui.ui.walk import (
    Walk,
    may_not_capture,
    may_not_rehearse,
    unreviewed,
    valid_rehearsal,
)
from rollback_tui.ui.widgets import plan_lines
from rollback_tui.ui.widgets.capture_lines import capture_line, captures_in_full
from rollback_tui.ui.widgets.dialogs import Read
from rollback_tui.ui.widgets.entry_view import describe, source
from rollback_tui.ui.widgets.rehearse_dialog import RehearseDialog
from rollback_tui.ui.widgets.schema_lines import foreseen_line
from rollback_tui.ui.widgets.statement_cells import LEGEND, columns, marks, row, wanting
from rollback_tui.ui.widgets.statement_list import StatementList
from rollback_tui.ui.widgets.status_bar import Bar
from rollback_tui.ui.wording import keep_cost

_bind = binder("preview")


class PreviewScreen(StepScreen):
    """The list of statements, and the one under the cursor in full."""

    STEP = 3
    HELP = (
        "Everything that will be executed, in order: the statements of the down scripts and the "
        "change of the version table. ● marks a statement that loses data (or nobody knows): "
        "each of these must be read and marked with space, one by one, which acknowledges its "
        "hazards. m marks the harmless ones together. d goes to the next that wants your eyes: "
        "not reviewed, going to fail, blocked, or not as forecast. enter gives the text the "
        "room of the list. r executes the plan on a scratch database and measures it; v then "
        "shows whether the schema is the one that it should be, and what would mend it. k copies "
        "what a statement removes into an archive, in the same transaction. c captures the scripts "
        "of a framework that only runs its down migrations. What runs is the "
        "original text, byte by byte; f only shows it formatted. The list: " + LEGEND + "."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        _bind("space", "review", "reviewed", "Mark it reviewed and go on"),
        _bind("u", "unreview", "unmark", "Take the mark off", show=False),
        _bind("m", "review_harmless", "mark harmless", "Mark all that lose nothing"),
        _bind("d", "find(1)", "next to read", "The next that wants your eyes", name="find_next"),
        _bind(
            "D",
            "find(-1)",
            "",
            "The one before that wants your eyes",
            name="find_before",
            show=False,
        ),
        _bind("enter", "read", "read", "Give the text the room of the list, or back"),
        _bind("r", "rehearse", "rehearse", "Execute it on a scratch database, measured"),
        _bind("R", "show_rehearsal", "results", "The rehearsal in full", show=False),
        _bind("v", "schema", "schema", "The schema afterwards, in full; what mends it"),
        _bind("x", "stop_rehearsal", "stop", "Stop the rehearsal, or capturing", name="stop"),
        _bind("c", "capture", "", "Capture what the tool itself would do", show=False),
        _bind("C", "show_captures", "captured", "What was captured in full", show=False),
        _bind("escape", "escape", "", "Back to the list", name="list", show=False),
        _bind("k", "keep", "keep", "Keep what this statement removes, or not"),
        _bind("K", "keep_all", "keep all", "Keep all that can be kept, or nothing"),
        _bind("f", "toggle_format", "format", "Formatted, or the original", name="format"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._pretty = False
        self._foreseen = Content("")

    def compose_body(self) -> ComposeResult:
        """Summary, list, the statement."""
        yield Bar(id="plan-summary")
        yield Bar(id="plan-losses")
        yield Bar(id="plan-rehearsal")
        yield Bar(id="plan-capture")
        with Container(id="pair"):
            yield StatementList(columns(0, 0), id="entries")
            with VerticalScroll(id="source"):
                yield Bar(id="source-text")
            with VerticalScroll(id="entry"):
                yield Bar(id="entry-text")

    def on_mount(self) -> None:
        """Begin in the list."""
        self.query_one("#entries").focus()
        self.set_interval(1.0, self._tick)

    @on(DescendantFocus)
    @on(DescendantBlur)
    def _make_room(self) -> None:
        """Whatever has the focus gets the room."""
        self.set_class(self.query_one("#entry").has_focus, "-reading")

    def _tick(self) -> None:
        walk = self.walk_value
        if self.is_current and (walk.rehearsing is not None or walk.capturing is not None):
            self._show_rehearsal(walk)

    def show_step(self, walk: Walk) -> None:
        """Show the list and the statement under the cursor."""
        self.query_one("#plan-summary", Bar).say(plan_lines.summary(walk))
        listed = self._listed
        lost = bool(listed and (listed.losses or listed.uncounted))
        self._line("#plan-losses", plan_lines.losses(walk, self.app.size.width) if lost else None)
        self._show_rehearsal(walk)
        # On the border between the list and the text: it is always in sight, and costs no line.
        pane = self.query_one("#entry")
        if (said := foreseen_line(walk) if listed is not None else Content("")) != self._foreseen:
            self._foreseen = pane.border_title = said
        entries = self.query_one("#entries", StatementList)
        if listed is None:
            entries.show_rows((), lambda _: ())
        else:
            entries.set_columns(columns(len(listed.statements), self.app.size.width))
        # On the border: who is in the way comes and goes, and must not push the list about.
        entries.say(plan_lines.in_the_way(walk), line((marks(walk), "accent")))
        if listed is not None:
            entries.show_rows(listed.keys, lambda place: row(listed.entries[place], walk))
        self._show_entry()

    def _line(self, selector: str, content: Content | None) -> None:
        """Show a line above the list, or give its room to the list."""
        bar = self.query_one(selector, Bar)
        bar.display = content is not None
        if content is not None:
            bar.say(content)

    def _show_rehearsal(self, walk: Walk) -> None:
        self._line("#plan-rehearsal", plan_lines.rehearsal(walk, steady()))
        self._line("#plan-capture", capture_line(walk, steady()))

    @property
    def _listed(self) -> Listing | None:
        plan = self.walk_value.plan
        return listing(plan) if plan is not None else None

    def _entry(self) -> Entry | None:
        listed, key = self._listed, self.query_one("#entries", StatementList).current_key
        if listed is None or key not in listed.places:
            return None
        return listed.entries[listed.places[key]]

    @on(StatementList.Highlighted, "#entries")
    def _highlighted(self) -> None:
        self._show_entry()
        for pane in ("#entry", "#source"):
            self.query_one(pane, VerticalScroll).scroll_home(animate=False)

    def _show_entry(self) -> None:
        entry = self._entry()
        text = written = line(("Nothing to show.", "dim"))
        # Where there is room the statement has a pane of its own, and is not said twice.
        apart = bool(self.query_one("#source").styles.display == "block")
        if entry is not None:
            text = describe(entry, self.walk_value, pretty=self._pretty, apart=apart)
            written = source(entry, pretty=self._pretty) if apart else written
        self.query_one("#entry-text", Bar).say(text)
        self.query_one("#source-text", Bar).say(written)

    # --- actions ------------------------------------------------------------------------------

    def unavailable(self, action: str) -> str:
        """Return why a key does nothing now."""
        walk = self.walk_value
        changing = ("review", "unreview", "review_harmless", "keep", "keep_all")
        if action in changing and walk.folder is not None:
            return "this plan was already confirmed"
        if action == "rehearse":
            return may_not_rehearse(walk)
        if action == "stop_rehearsal":
            goes_on = walk.rehearsing is not None or walk.capturing is not None
            return "" if goes_on else "no rehearsal goes on"
        if action == "capture":
            return may_not_capture(walk)
        if action == "show_captures" and walk.captures is None:
            return "nothing was captured in this terminal"
        if action == "show_rehearsal" and valid_rehearsal(walk) is None:
            return "nothing was rehearsed"
        if action in ("keep", "keep_all"):
            return _cannot_keep(walk)
        return super().unavailable(action)

    def action_read(self) -> None:
        """Give the statement the room of the list, or give it back."""
        pane, entries = self.query_one("#entry"), self.query_one("#entries")
        (entries if pane.has_focus else pane).focus()

    def action_escape(self) -> None:
        """Go back to the list; from the list, stop the rehearsal."""
        if self.query_one("#entry").has_focus:
            self.query_one("#entries").focus()
        elif self.walk_value.rehearsing is not None or self.walk_value.capturing is not None:
            self.action_stop_rehearsal()

    def action_review(self) -> None:
        """Mark the statement under the cursor, and go to the next one.

        After the last one comes the first that still has to be read.
        """
        entry = self._entry()
        if entry is None or not self.allowed("review"):
            return
        if entry.statement is not None:
            self.guide.review(frozenset({entry.statement.index}))
        entries = self.query_one("#entries", StatementList)
        missing, plan = unreviewed(self.walk_value), self.walk_value.plan
        if entries.cursor_row + 1 < entries.row_count:
            entries.action_move(1)
        elif missing and plan is not None:
            entries.go_to_row(place_of(plan, missing[0]))

    def action_unreview(self) -> None:
        """Take the mark off."""
        entry = self._entry()
        if entry is not None and entry.statement is not None and self.allowed("unreview"):
            self.guide.unreview(entry.statement.index)

    def action_review_harmless(self) -> None:
        """Mark every statement that loses nothing. The others are never marked in bulk."""
        listed = self._listed
        if listed is not None and self.allowed("review_harmless"):
            self.guide.review(listed.harmless)

    def action_find(self, by: int) -> None:
        """Go to the next (1) or former (-1) entry that wants somebody's eyes; round at the end."""
        plan, listed = self.walk_value.plan, self._listed
        if plan is None or listed is None:
            return
        wanted = wanting(plan, self.walk_value)
        places = sorted({*listed.stops, *(place_of(plan, index) for index in wanted)})
        if not places:
            self.rollback_app.say("Nothing is left that wants your eyes.", "information")
            return
        entries = self.query_one("#entries", StatementList)
        here = entries.cursor_row
        found = bisect_right(places, here) if by > 0 else bisect_left(places, here) - 1
        entries.go_to_row(places[found % len(places)])

    def action_toggle_format(self) -> None:
        """Show the formatted text, or the original."""
        self._pretty = not self._pretty
        self._show_entry()

    # --- rehearsal ----------------------------------------------------------------------------

    def action_rehearse(self) -> None:
        """Ask what to rehearse on."""
        if self.allowed("rehearse"):
            self.app.push_screen(RehearseDialog(self.walk_value), self._rehearse)

    def _rehearse(self, source: Source | None) -> None:
        if source is not None:
            self.guide.rehearsing.begin(source)

    def action_show_rehearsal(self) -> None:
        """Show everything that the rehearsal found out."""
        found = valid_rehearsal(self.walk_value)
        if self.allowed("show_rehearsal") and found is not None:
            self.app.push_screen(Read("The rehearsal", plan_lines.rehearsal_in_full(found)))

    def action_schema(self) -> None:
        """Show what the schema will be like afterwards."""
        self.app.push_screen(schema_dialog(self.walk_value))

    def action_stop_rehearsal(self) -> None:
        """Stop the rehearsal, or the capturing."""
        if self.allowed("stop_rehearsal"):
            self.guide.rehearsing.stop()
            self.guide.capturing.stop()

    # --- capturing ----------------------------------------------------------------------------

    def action_capture(self) -> None:
        """Have the framework's own program run its down migrations on a scratch copy."""
        if self.allowed("capture"):
            self.guide.capturing.begin()

    def action_show_captures(self) -> None:
        """Show everything that was captured, and what was left out."""
        captures = self.walk_value.captures
        if self.allowed("show_captures") and captures is not None:
            self.app.push_screen(Read("Captured", captures_in_full(captures)))

    # --- keeping ------------------------------------------------------------------------------

    def action_keep(self) -> None:
        """Keep what the statement under the cursor removes, or do not."""
        entry, walk = self._entry(), self.walk_value
        if entry is None or entry.statement is None or not self.allowed("keep"):
            return
        index = entry.statement.index
        if index in walk.keep:
            self.guide.keep(walk.keep - {index})
            return
        outlook = walk.outlook
        found = around(outlook).keepable.get(index) if outlook else None
        if not entry.statement.dangerous:
            self.rollback_app.say("It loses no data: there is nothing to keep.", "information")
        elif found is None:
            self.rollback_app.say("What it removes is not known, so it cannot be kept.", "warning")
        elif found.obstacle:
            self.rollback_app.say(f"It cannot be kept: {found.obstacle}.", "warning")
        else:
            self.guide.keep(walk.keep | {index})
            self.rollback_app.say(f"Kept in an archive: {found.what}, {keep_cost(found)}.")

    def action_keep_all(self) -> None:
        """Keep all that can be kept; when all of it is kept, nothing."""
        walk = self.walk_value
        if not self.allowed("keep_all") or walk.outlook is None:
            return
        known = around(walk.outlook).keepable.values()
        possible = frozenset(k.statement for k in known if not k.obstacle)
        if not possible:
            self.rollback_app.say("Nothing of it can be kept; each statement says why.", "warning")
            return
        self.guide.keep(frozenset() if walk.keep >= possible else possible)
        words = plan_lines.kept_words(self.walk_value)
        self.rollback_app.say(f"Keeps {words}." if words else "Keeps nothing.")

    def help_more(self) -> list[Content]:
        """Return every hazard's word with what it means."""
        rows = [line(("Hazards", "strong"), "  (space on a statement acknowledges its own)")]
        for word, meaning in EXPLANATIONS.items():
            first, _, second = meaning.partition("\n")
            rows += [line((f"  {word}  ", "warn"), first), line("    ", second)]
        return rows


def _cannot_keep(walk: Walk) -> str:
    if walk.outlook_failure is not None:
        return f"what could be kept is not known: {walk.outlook_failure.summary}"
    if walk.outlook is None:
        return "it is being asked what could be kept"
    if walk.outlook.keepable is None:
        why = f": {'; '.join(walk.outlook.unreadable)}" if walk.outlook.unreadable else ""
        return f"what could be kept could not be found out{why}"
    return ""
