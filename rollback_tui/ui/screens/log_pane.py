"""The application's log files, followed: newest at the bottom, errors after the COMMIT standing
out."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import RichLog

from rollback_tui.core.text import printable, shorten
from rollback_tui.ui.glyphs import escaped
from rollback_tui.ui.log_lines import KEPT, Shown
from rollback_tui.ui.theme import cell, line, lines
from rollback_tui.ui.widgets.pane import Pane
from rollback_tui.ui.widgets.status_bar import Bar
from rollback_tui.ui.wording import count

if TYPE_CHECKING:
    from rollback_tui.ui.app import RollbackApp
    from rollback_tui.ui.log_lines import LogLines

AT_ONCE = 100
"""Lines that are laid out before keys are heard again."""
WIDTH = 2000
"""Characters of one line that are shown."""


class LogPane(Pane[None]):
    """Follows what the guide reads, half a second behind at most."""

    NAME = "The application's logs"
    HELP = (
        "The application's log files, as they are written, newest at the bottom. ✗ marks an error "
        "line that came after the COMMIT: those are what the rollback may have caused. Who scrolls "
        "up reads on there; end goes to the newest line, p makes it stand still. Which files they "
        "are is said in rollback.toml, [recovery] log_files. Nothing has to be done here: esc "
        "leads back."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,q,l", "close", "close", id="logs.close", tooltip="Back to the screen below"
        ),
        Binding("p", "pause", "pause", id="logs.pause", tooltip="Stop following, or go on"),
        Binding("end", "newest", "newest", id="logs.newest", tooltip="Go to the newest line"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._next = 0
        """Number of the next line, from the first that ever came."""
        self._paused = False
        self._when = ""

    @property
    def _logs(self) -> LogLines:
        return cast("RollbackApp", self.app).guide.logs

    def compose(self) -> ComposeResult:
        """Which files, their lines, the keys."""
        with Vertical(id="dialog", classes="-reading -whole"):
            yield Bar(id="log-title")
            yield RichLog(
                id="log-lines",
                max_lines=KEPT,
                min_width=1,
                wrap=True,
                markup=False,
                auto_scroll=True,
            )
            yield Bar(id="log-keys")

    def on_mount(self) -> None:
        """Follow."""
        self.query_one("#log-lines").focus()
        self.set_interval(0.5, self._tick)
        self._tick()

    def _tick(self) -> None:
        logs = self._logs
        self.query_one("#log-title", Bar).say(self._title())
        pause = "goes on" if self._paused else "pauses"
        waiting = logs.left_out + len(logs.lines) - self._next if self._paused else 0
        held = f" · PAUSED, {count(waiting, 'new line')}" if self._paused else ""
        self.query_one("#log-keys", Bar).say(
            line((f"↑ ↓ scroll · end newest · p {pause} · esc closes", "dim"), (held, "warn"))
        )
        if not self._paused:
            self._write()

    def _title(self) -> Content:
        logs = self._logs
        if logs.failure is not None:
            failure = logs.failure
            return line((f"{failure.summary} ", "bad"), failure.remedy)
        if logs.files is None:
            return line(("The log files are being opened …", "dim"))
        if not logs.files:
            return lines(
                [
                    line(("No log files are configured.", "warn")),
                    line("Name them in rollback.toml, and start this terminal again:"),
                    line(""),
                    line(("  [recovery]", "strong")),
                    line(('  log_files = ["/var/log/app/production.log"]', "strong")),
                ]
            )
        errors = cast("RollbackApp", self.app).guide.walk.log_errors
        said = line(("application logs  ", "strong"), ", ".join(logs.files))
        if errors:
            said = lines([said, line((f"✗ {count(errors, 'error line')} after the COMMIT", "bad"))])
        return said

    def _write(self) -> None:
        logs, log = self._logs, self.query_one("#log-lines", RichLog)
        # Who has scrolled up reads there: new lines must not take the text away.
        at_end = log.is_vertical_scroll_end
        missed = logs.left_out - self._next
        if missed > 0:
            log.write(
                cell(f"… {count(missed, 'line')} came too fast to be shown", "warn"),
                scroll_end=at_end,
            )
            self._next = logs.left_out
        first = self._next - logs.left_out
        if len(logs.lines) > first + AT_ONCE:
            # Keys are heard in between.
            self.set_timer(0.02, self._go_on)
        for shown in logs.lines[first : first + AT_ONCE]:
            if shown.when != self._when:
                self._when = shown.when
                log.write(cell(_BEGINS[shown.when], "accent"), scroll_end=at_end)
            log.write(_row(shown, several=len(logs.files or ()) > 1), scroll_end=at_end)
            self._next += 1

    def _go_on(self) -> None:
        if not self._paused:
            self._write()

    def action_pause(self) -> None:
        """Stand still, or go on with what came meanwhile."""
        self._paused = not self._paused
        self._tick()

    def action_newest(self) -> None:
        """Go to the newest line, and stay there."""
        if self._paused:
            self.action_pause()
        self.query_one("#log-lines", RichLog).scroll_end(animate=False)

    def action_close(self) -> None:
        """Close; the files are followed on."""
        self.dismiss(None)

    action_decline = action_close


_BEGINS = {
    "earlier": "── what stood there when this terminal first looked ──",
    "run": "── since then, while the run had the database ──",
    "committed": "── after the COMMIT, with the door open ──",
}


def _row(shown: Shown, *, several: bool) -> Text:
    text = escaped(printable(shown.line.text.expandtabs(4)))[:WIDTH]
    name = shorten(shown.line.file.rpartition("/")[2], 16)
    row = Text()
    if several:
        row.append_text(cell(f"{name} ", "dim"))
    if shown.wrong and shown.when == "committed":
        row.append_text(cell(f"✗ {text}", "bad"))
    else:
        row.append_text(cell(f"  {text}", "warn" if shown.wrong else "plain"))
    row.no_wrap = False
    row.overflow = "fold"
    return row
