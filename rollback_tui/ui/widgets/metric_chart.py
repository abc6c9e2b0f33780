"""The course of one metric as a chart: its line, the threshold, what was usual, and alerts.

Only the lines of it that are different are repainted. Each thing has a mark of its own as well as a
colour: the threshold is dashes, what was usual dots, an alert exclamation marks along the top for
as long as it stood. This module imports plotext, which nothing but charts needs: it is imported
when they are opened.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import timedelta

from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget
from textual_plotext import Plot

from rollback_tui.core.monitoring.words import amount
from rollback_tui.core.text import cells
from rollback_tui.ui.glyphs import chosen
from rollback_tui.ui.metric_course import Course, Point
from rollback_tui.ui.theme import Tone, line, lines, piece
from rollback_tui.ui.watch_words import at, brief

ALERT, THRESHOLD, USUAL = "!", "╌", "·"
HEADROOM = 1.15
"""The line of the alerts stands above everything that was measured."""
LEAST_SECONDS = 60.0
"""A chart is at least so long, however few samples there are."""
TICK = 18
"""Columns that one time on the axis is given."""


class MetricChart(Widget):
    """Draws a :class:`Course`."""

    DEFAULT_CSS = "MetricChart { width: 1fr; height: 1fr; }"

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._course: Course | None = None
        self._drawn: object = None
        self._shown: list[Content] = []

    def on_resize(self) -> None:
        """Draw it in its new size."""
        self.show(self._course)

    def show(self, course: Course | None) -> None:
        """Draw what is new; an equal picture costs nothing."""
        self._course = course
        size = self.content_size
        if not size.width or not size.height or (course, size) == self._drawn:
            return
        self._drawn = (course, size)
        before, self._shown = self._shown, picture(course, size.width, size.height)
        if len(before) != len(self._shown):
            self.refresh()
            return
        for y, (was, now) in enumerate(zip(before, self._shown, strict=True)):
            if was.plain != now.plain or was.spans != now.spans:
                self.refresh(Region(0, y, size.width, 1))

    def render(self) -> Content:
        """Return the picture."""
        return lines(self._shown)


def picture(course: Course | None, width: int, height: int) -> list[Content]:
    """Return the chart in exactly ``height`` lines of at most ``width`` cells."""
    if course is None or not course.runs:
        words = "nothing was measured yet" if course is None else "it could never be measured"
        return [line((words, "dim")), *[line("")] * (height - 1)]
    if height < 4:
        return [line("")] * height
    drawn = [_coloured(row[:width]) for row in _draw(course, width, height - 1)]
    return [_legend(course, width), *drawn]


def _legend(course: Course, width: int) -> Content:
    """Return what the marks mean: only those that are there, and have room."""
    marks: list[tuple[str, Tone]] = []
    if course.threshold is not None:
        threshold = brief(amount(course.threshold, course.unit))
        marks.append((f"{THRESHOLD * 3} alert {course.worse} {threshold}", "warn"))
    if course.usual is not None:
        usual = brief(amount(course.usual, course.unit))
        marks.append((f"{USUAL * 3} before the run {usual}", "dim"))
    if course.alerts:
        marks.append((f"{ALERT * 3} an alert stood", "bad"))
    said = line()
    for text, tone in marks:
        apart = "   " if said.cell_length else ""
        if said.cell_length + cells(apart + text) <= width:
            said = said + piece(apart) + piece(text, tone)
    return said


def _draw(course: Course, width: int, height: int) -> list[str]:
    """Return the rows of the chart, without colours."""
    end = max(course.until, LEAST_SECONDS)
    low, high = _range(course)
    plot = Plot()
    plot.plotsize(width, height)
    # plotsize alone keeps the size of the figure around it (textual-plotext, issue 5).
    plot._set_size(width, height)
    plot.clear_color()
    plot.frame(False)
    for level, marker in ((course.usual, USUAL), (course.threshold, THRESHOLD)):
        if level is not None and low <= level <= high:
            plot.plot([0, end], [level, level], marker=marker)
    marker = "hd" if chosen() == "unicode" else "*"
    for run in course.runs:
        points = _thinned(run, 2 * width, worst=min if course.worse == "below" else max)
        plot.plot([x for x, _ in points], [y for _, y in points], marker=marker)
    for since, until in course.alerts:
        plot.plot([since, min(until, end)], [high, high], marker=ALERT)
    plot.xlim(0, end)
    plot.ylim(low, high)
    plot.yticks(*_value_ticks(course, low, high, height))
    ticks = [end * n / max(1, width // TICK) for n in range(max(1, width // TICK) + 1)]
    exact = end < 30 * 60
    plot.xticks(ticks, [at(course.begun + timedelta(seconds=x), seconds=exact) for x in ticks])
    return [row.removesuffix("\x1b[0m") for row in plot.build().splitlines()]


def _range(course: Course) -> tuple[float, float]:
    values = [value for run in course.runs for _, value in run]
    marks = [one for one in (course.threshold, course.usual) if one is not None]
    if course.worse == "below":
        # What must not become small is read from the top, where nothing is above 100 %.
        top = 1.0 if course.unit == "share" else max([*values, *marks])
        low = min([*values, *marks])
        return max(0.0, top - HEADROOM * (top - low)), top + 0.1 * (top - low or 1.0)
    return 0.0, HEADROOM * max([*values, *marks]) or 1.0


def _value_ticks(
    course: Course, low: float, high: float, height: int
) -> tuple[list[float], list[str]]:
    """Return what stands at the left: the least, the threshold and the most, none over another."""
    top = 1.0 if course.worse == "below" and course.unit == "share" else high / HEADROOM
    apart = 1.5 * (high - low) / max(1, height - 2)
    ticks = [low, top]
    if course.threshold is not None and low + apart < course.threshold:
        # Where both would share a row, the threshold is what matters.
        ticks = [low, course.threshold, *([top] if course.threshold < top - apart else [])]
    return ticks, [brief(amount(one, course.unit)) for one in ticks]


def _thinned(run: Sequence[Point], most: int, *, worst: object) -> list[Point]:
    """Return at most ``most`` points, the worst of those that fall together: no peak is lost."""
    if len(run) <= most:
        return list(run)
    choose = min if worst is min else max
    size = -(-len(run) // most)
    return [choose(run[n : n + size], key=lambda p: p[1]) for n in range(0, len(run), size)]


_TONES: dict[str, Tone] = {ALERT: "bad", THRESHOLD: "warn", USUAL: "dim", "×": "dim"}


def _coloured(row: str) -> Content:
    """Return a row with each mark in its colour. Letters and digits are those of the axes."""
    whole = Content("")
    for tone, run in itertools.groupby(row, key=_tone):
        whole = whole + piece("".join(run), tone)
    return whole


def _tone(character: str) -> Tone:
    if character.isascii() and character not in ("*", ALERT):
        return "dim"
    return _TONES.get(character, "accent")
