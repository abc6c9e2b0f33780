"""Step 3: every statement that will run, read and marked by the operator."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.widgets import DataTable, Static

from rollback_tui.core.text import cells
from rollback_tui.ui.entries import (
    Entry,
    entries,
    lock_of,
    loss_of,
    losses_of,
    objects_of,
    short_kind,
)
from rollback_tui.ui.screens.step import StepScreen
from rollback_tui.ui.theme import Tone, cell, line, lines
from rollback_tui.ui.walk import Walk, unreviewed
from rollback_tui.ui.widgets.entry_view import describe
from rollback_tui.ui.widgets.live_table import Column, LiveTable
from rollback_tui.ui.widgets.status_bar import Bar
from rollback_tui.ui.wording import count, goal_of


class PreviewScreen(StepScreen):
    """The list of statements, and the one under the cursor in full."""

    STEP = 3
    HELP = (
        "Everything that will be executed, in order: the statements of the down scripts and the "
        "change of the version table. ● marks a statement that loses data (or nobody knows): "
        "each of these must be read and marked with space, one by one. m marks the harmless "
        "ones together. What runs is the original text, byte by byte; f only shows it formatted."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "review", "mark reviewed", tooltip="Mark it reviewed and go on"),
        Binding("u", "unreview", "unmark", tooltip="Take the mark off"),
        Binding("m", "review_harmless", "mark harmless", tooltip="Mark all that lose nothing"),
        Binding("f", "toggle_format", "formatted", tooltip="Formatted, or the original"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._pretty = False
        self._entries: tuple[Entry, ...] = ()

    def compose_body(self) -> ComposeResult:
        """Summary, list, the statement."""
        yield Bar(id="plan-summary")
        yield Bar(id="plan-losses")
        with Container(id="pair"):
            yield LiveTable(
                (
                    Column("mark", "", 1),
                    Column("index", "  #", 3),
                    Column("kind", "kind", 15),
                    Column("object", "object", 0),
                    Column("lock", "lock", 15, least=74),
                    Column("loss", "loss", 13),
                ),
                id="entries",
            )
            with VerticalScroll(id="entry"):
                yield Static("", id="entry-text", markup=False)

    def on_mount(self) -> None:
        """Begin in the list."""
        self.query_one("#entries").focus()

    def show_step(self, walk: Walk) -> None:
        """Show the list and the statement under the cursor."""
        self._entries = entries(walk.plan) if walk.plan else ()
        self.query_one("#plan-summary", Bar).say(_summary(walk))
        losses = self.query_one("#plan-losses", Bar)
        losses.display = bool(walk.plan and walk.plan.losses)
        losses.say(_losses(walk, self.app.size.width))
        rows = [(entry.key, _row(entry, walk)) for entry in self._entries]
        self.query_one("#entries", LiveTable).show_rows(rows)
        self._show_entry()

    def _entry(self) -> Entry | None:
        key = self.query_one("#entries", LiveTable).current_key
        return next((e for e in self._entries if e.key == key), None)

    @on(DataTable.RowHighlighted, "#entries")
    def _highlighted(self) -> None:
        self._show_entry()
        self.query_one("#entry", VerticalScroll).scroll_home(animate=False)

    def _show_entry(self) -> None:
        entry = self._entry()
        walk = self.walk_value
        text = line(("Nothing to show.", "dim"))
        if entry is not None and walk.plan is not None:
            marked = entry.statement is not None and entry.statement.index in walk.reviewed
            total = len(walk.plan.statements)
            text = describe(entry, pretty=self._pretty, reviewed=marked, total=total)
        self.query_one("#entry-text", Static).update(text)

    # --- actions ------------------------------------------------------------------------------

    def unavailable(self, action: str) -> str:
        """Return why a key does nothing now."""
        reviewing = action in ("review", "unreview", "review_harmless")
        if reviewing and self.walk_value.folder is not None:
            return "this plan was already confirmed"
        return super().unavailable(action)

    @on(DataTable.RowSelected, "#entries")
    def _selected(self) -> None:
        self.action_review()

    def action_review(self) -> None:
        """Mark the statement under the cursor, and go to the next one.

        After the last one comes the first that still has to be read.
        """
        entry = self._entry()
        if entry is None or not self.allowed("review"):
            return
        if entry.statement is not None:
            self.guide.review(frozenset({entry.statement.index}))
        table = self.query_one("#entries", LiveTable)
        missing = unreviewed(self.walk_value)
        if table.cursor_row + 1 < table.row_count:
            table.move_cursor(row=table.cursor_row + 1, animate=False)
        elif missing:
            left = (e for e in self._entries if e.statement and e.statement.index == missing[0])
            table.go_to(next(left).key)

    def action_unreview(self) -> None:
        """Take the mark off."""
        entry = self._entry()
        if entry is not None and entry.statement is not None and self.allowed("unreview"):
            self.guide.unreview(entry.statement.index)

    def action_review_harmless(self) -> None:
        """Mark every statement that loses nothing. The others are never marked in bulk."""
        if self.allowed("review_harmless"):
            statements = [e.statement for e in self._entries if e.statement is not None]
            self.guide.review(frozenset(s.index for s in statements if not s.dangerous))

    def action_toggle_format(self) -> None:
        """Show the formatted text, or the original."""
        self._pretty = not self._pretty
        self._show_entry()


def _row(entry: Entry, walk: Walk) -> tuple[Text, ...]:
    statement = entry.statement
    if statement is None:
        kind, tone = {
            "version": ("version table", "accent"),
            "problem": ("✗ problem", "bad"),
            "missing": ("✗ no down migration", "bad"),
        }[entry.kind]
        what = entry.problem.summary if entry.problem else entry.migration.version
        table = walk.plan.version_table if walk.plan and entry.kind == "version" else what
        return (
            cell(""),
            cell(""),
            cell(kind, tone),  # type: ignore[arg-type]
            cell(table),
            cell(""),
            cell("–" if entry.kind == "version" else "", "dim"),
        )
    marked = statement.index in walk.reviewed
    mark: tuple[str, Tone] = ("●", "bad") if statement.dangerous else ("·", "dim")
    if marked:
        mark = ("✓", "good")
    lock = lock_of(statement)
    return (
        cell(*mark),
        cell(statement.index, right=True),
        cell(short_kind(statement.effect.kind), "plain" if statement.dangerous else "dim"),
        cell(objects_of(statement) or "–"),
        cell(lock, "warn" if lock in ("AccessExclusive", "unknown") else "dim"),
        cell(loss_of(statement), "bad" if statement.dangerous else "dim"),
    )


def _summary(walk: Walk) -> Content:
    plan = walk.plan
    if plan is None:
        return line((" No plan.", "dim"))
    dangerous = sum(s.dangerous for s in plan.statements)
    missing = len(unreviewed(walk))
    goal = goal_of(plan)
    summary = line(
        f" {count(len(plan.migrations), 'migration')} back to ",
        (goal, "strong"),
        f" · {count(len(plan.statements), 'statement')}, ",
        (f"{dangerous} destructive", "bad" if dangerous else "good"),
        (f", {missing} to review" if missing else ", all reviewed" if dangerous else "", "warn")
        if missing
        else (", all reviewed" if dangerous else "", "good"),
    )
    if plan.transactional:
        return summary
    return lines(
        [line((" NOT ONE TRANSACTION: each statement for itself, done stays done", "bad")), summary]
    )


def _losses(walk: Walk, width: int) -> Content:
    losses = losses_of(walk.plan) if walk.plan else ()
    shown: list[str] = []
    for number, loss in enumerate(losses):
        rest = f" and {len(losses) - number} more"
        if shown and cells("; ".join([*shown, loss.describe()])) > width - 22:
            return line((" loses ", "bad"), "; ".join(shown), (rest, "dim"))
        shown.append(loss.describe())
    return line((" loses ", "bad"), "; ".join(shown))
