"""The SQL log: every text that this terminal sent, and what the run's worker sent, newest last."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Log

from rollback_tui.ui.keys import binder, key
from rollback_tui.ui.moment import local_time
from rollback_tui.ui.sent import Sent, by_terminal, by_worker, in_order
from rollback_tui.ui.theme import line
from rollback_tui.ui.widgets.pane import Pane
from rollback_tui.ui.widgets.status_bar import Bar
from rollback_tui.ui.wording import count

if TYPE_CHECKING:
    from rollback_tui.ui.app import RollbackApp

KEPT = 20_000
"""So many lines are shown; the journal has all of the worker's."""

_bind = binder("sql")


class SqlLog(Pane[None]):
    """What was sent. The worker's lines follow as they come; who scrolled up reads on there."""

    NAME = "SQL log"
    HELP = (
        "Every SQL text that was sent to a server, newest last: when, by whom, and the text. "
        "terminal: by this terminal, which only looks; equal texts are one line with the time of "
        "the last, ×3 says how often. worker: by the run, as its console shows it; these follow "
        "by themselves. Comments and passwords are not in it. Nothing has to be done here: esc "
        "leads back."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        _bind("escape,q,L", "close", "close", "Back to the screen below"),
        _bind("end", "newest", "newest", "Go to the newest line, and stay there"),
        _bind("r", "reread", "reread", "Read again what this terminal sent"),
    ]

    def __init__(self, texts: tuple[str, ...]) -> None:
        super().__init__()
        self._texts = texts
        self._shown = 0
        """So many records of the run are shown, or say nothing of SQL."""

    @property
    def _app(self) -> RollbackApp:
        return cast("RollbackApp", self.app)

    def compose(self) -> ComposeResult:
        """What it is, the lines, the keys."""
        with Vertical(id="dialog", classes="-reading -whole"):
            yield Bar(id="log-title")
            yield Log(id="log-lines", max_lines=KEPT, auto_scroll=True)
            yield Bar(id="log-keys")

    def on_mount(self) -> None:
        """Show all of it, and follow the run."""
        self.query_one("#log-lines").focus()
        self._write_all()
        self.set_interval(1.0, self._follow)

    def _worker(self, since: int) -> list[Sent]:
        walk, records = self._app.guide.walk, self._app.guide.records
        plan = walk.view.started.plan if walk.view and walk.view.started else None
        self._shown = len(records)
        return by_worker(records[since:], plan)

    def _write_all(self) -> None:
        now = local_time()
        sent = in_order([*by_terminal(self._texts, now), *self._worker(0)])
        log = self.query_one("#log-lines", Log)
        log.clear()
        self._write(sent)
        log.scroll_end(animate=False)
        title = f"SQL that was sent, newest last · {count(len(sent), 'line')}"
        empty = "" if sent else "  Nothing was sent yet."
        self.query_one("#log-title", Bar).say(line((title, "strong"), (empty, "dim")))
        ends = f"{key('sql.newest')} newest · {key('sql.reread')} reread · esc closes"
        self.query_one("#log-keys", Bar).say(line((f"↑ ↓ ← → scroll · {ends}", "dim")))

    def _write(self, sent: list[Sent]) -> None:
        if sent:
            log, now = self.query_one("#log-lines", Log), local_time()
            # The newline goes before, not after: an empty last line would cost a row.
            text = "\n".join(one.row(now) for one in sent)
            text = ("\n" if log.line_count > 0 else "") + text
            # Who has scrolled up reads there.
            log.write(text, scroll_end=log.is_vertical_scroll_end)

    def _follow(self) -> None:
        if len(self._app.guide.records) < self._shown:
            self._shown = 0  # another run
        self._write(self._worker(self._shown))

    def action_newest(self) -> None:
        """Go to the newest line."""
        self.query_one("#log-lines", Log).scroll_end(animate=False)

    def action_reread(self) -> None:
        """Read again what this terminal sent."""
        guide = self._app.guide

        def told(texts: tuple[str, ...]) -> None:
            self._texts = texts
            if self.is_mounted:
                self._write_all()

        guide.requests.ask("sql log", guide.operations.sql_log, told, guide.complain)

    def action_close(self) -> None:
        """Close."""
        self.dismiss(None)

    action_decline = action_close


def show_sql_log(app: App[object]) -> None:
    """Read what was sent, and show it above whatever is up."""
    guide = cast("RollbackApp", app).guide
    guide.requests.ask(
        "sql log",
        guide.operations.sql_log,
        lambda texts: _show(app, texts),
        guide.complain,
    )


def _show(app: App[object], texts: tuple[str, ...]) -> None:
    if not isinstance(app.screen, SqlLog):
        app.push_screen(SqlLog(texts))
