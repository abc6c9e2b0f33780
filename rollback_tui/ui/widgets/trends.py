"""The last five minutes as three small charts: connections, transactions and rows written.

A picture changes when five seconds are over, and only the lines of it that are different are
repainted. Drawn with one ink; what it shows stands above it in words. This module imports
plotext, which nothing else needs: it is imported when the charts are opened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget
from textual_plotext import Plot

from rollback_tui.core.activity.trend import KEPT_SECONDS, Sample, slots
from rollback_tui.core.text import shorten
from rollback_tui.ui.glyphs import chosen
from rollback_tui.ui.sessions import old_since
from rollback_tui.ui.theme import line, lines, piece
from rollback_tui.ui.walk import Walk

SECONDS = 5.0
"""What one step of a chart stands for; longer when the screen refreshes less often."""

_Value = Callable[[Sample], float | None]


class Trends(Container):
    """The charts, beside each other or, where there is room, below each other."""

    def compose(self) -> ComposeResult:
        """Three charts."""
        yield Chart("connections", lambda s: s.connections, id="trend-connections")
        yield Chart("tx/s", lambda s: s.rates.transactions, id="trend-transactions")
        yield Chart("rows written/s", lambda s: s.rates.rows_written, id="trend-written")

    def show(self, walk: Walk) -> None:
        """Show the trend of ``walk``."""
        for chart in self.query(Chart):
            chart.show(walk)


class Chart(Widget):
    """One line of numbers over five minutes."""

    DEFAULT_CSS = "Chart { width: 1fr; height: 1fr; }"

    def __init__(self, name: str, value: _Value, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._what = name
        self._value = value
        self._walk: Walk | None = None
        self._drawn: object = None
        self._shown: list[Content] = []

    def on_resize(self) -> None:
        """Draw it in its new size."""
        if self._walk is not None:
            self.show(self._walk)

    def show(self, walk: Walk) -> None:
        """Draw what is new; an equal picture costs nothing."""
        self._walk = walk
        seconds = max(SECONDS, walk.interval)
        values = slots(walk.trend, self._value, seconds=seconds)
        old, size = old_since(walk), self.content_size
        key = (values, seconds, old, size)
        if key == self._drawn or not size.width or not size.height:
            return
        self._drawn = key
        drawn = self._picture(values, seconds, old)
        before, self._shown = self._shown, drawn
        if len(before) != len(drawn):
            self.refresh()
            return
        for y, (was, now) in enumerate(zip(before, drawn, strict=True)):
            if was.plain != now.plain:
                self.refresh(Region(0, y, size.width, 1))

    def _picture(self, values: tuple[float | None, ...], seconds: float, old: str) -> list[Content]:
        width, height = self.content_size
        known = [value for value in values if value is not None]
        if len(known) < 2:
            wait = line((f"collecting, {seconds:g} s a step", "dim"))
            return [self._heading(values, old), wait, *[line("")] * (height - 2)]
        drawn = _draw(values, int(KEPT_SECONDS // seconds), width, height - 1)
        rows = [piece(row[:width], "accent") for row in drawn]
        return [self._heading(values, old), *rows]

    def _heading(self, values: tuple[float | None, ...], old: str) -> Content:
        last = values[-1] if values else None
        now = "not known" if last is None else short(last)
        # A line that does not fit would be broken, and push the chart down.
        room = max(1, self.content_size.width - len(self._what))
        words = shorten(f"{now}  {old}" if old else now, room - 1)
        return line((self._what, "strong"), (f" {words}", "bad" if old else "plain"))

    def render(self) -> Content:
        """Return the picture."""
        return lines(self._shown)


def _draw(values: Sequence[float | None], steps: int, width: int, height: int) -> list[str]:
    """Return the rows of a chart of ``values``, the newest at the right; gaps stay gaps."""
    top = max(max((value for value in values if value is not None), default=0.0), 1.0)
    plot = Plot()
    plot.plotsize(width, height)
    # plotsize alone keeps the size of the figure around it (textual-plotext, issue 5).
    plot._set_size(width, height)
    plot.clear_color()
    plot.frame(False)
    marker = "hd" if chosen() == "unicode" else "*"
    first = steps - len(values)
    for run in _runs(values):
        plot.plot(
            [first + place for place, _ in run],
            [value for _, value in run],
            marker=marker,
            fillx=True,
        )
    plot.xlim(0, steps - 1)
    plot.ylim(0, top)
    plot.yticks([0, top], ["0", short(top)])
    plot.xticks([0, steps - 1], ["-5 min", "now"])
    return [row.removesuffix("\x1b[0m") for row in plot.build().splitlines()]


def _runs(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Return (place, value) of the values that follow each other without a gap."""
    runs: list[list[tuple[int, float]]] = [[]]
    for place, value in enumerate(values):
        if value is not None:
            runs[-1].append((place, value))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def short(value: float) -> str:
    """Return a number in at most five characters.

    >>> short(0.25), short(7.0), short(42.4), short(1234), short(56789), short(2_500_000)
    ('0.2', '7', '42', '1.2k', '57k', '2.5M')
    """
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            scaled = value / size
            return f"{scaled:.1f}{unit}" if scaled < 10 else f"{scaled:.0f}{unit}"
    return f"{value:.1f}" if value < 10 and value != int(value) else f"{value:.0f}"
