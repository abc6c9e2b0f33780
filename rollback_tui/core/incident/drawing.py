"""Small pictures of the run and of what was measured afterwards, as SVG inside the page. Widths are
shares of what there is, so that letters keep their size on a phone; a gap is drawn as one."""

from __future__ import annotations

from html import escape
from itertools import pairwise

from rollback_tui.core.incident.blocks import Course, Curves
from rollback_tui.core.incident.hours_after import amount
from rollback_tui.core.incident.values import Watched
from rollback_tui.core.report import words
from rollback_tui.core.text import printable

_ROW = 22
_LEFT, _WIDE = 22.0, 62.0
"""Percent of the width: where the bars begin, and how much of it they have."""
_HIGH = 96
"""Height of a curve, in pixels."""
_ROOM = 1.15
"""The scale goes a little above the highest value."""


def _inert(text: str) -> str:
    return escape(printable(text), quote=True)


def course(block: Course) -> list[str]:
    """Return the run as bars, one a phase, the closed door behind them."""
    total = max(block.seconds, 0.001)
    if not block.phases:
        return []

    def place(seconds: float) -> float:
        return _LEFT + min(max(seconds / total, 0.0), 1.0) * _WIDE

    high = _ROW * len(block.phases)
    closed = [
        f"{words.seconds(one.since)} to "
        f"{words.seconds(one.until) if one.until is not None else 'now'}"
        for one in block.door
    ]
    said = f"door closed from {', '.join(closed)} of the run" if closed else "door never closed"
    lines = [
        '<figure class="course">',
        f'<svg width="100%" height="{high + 26}" role="img" aria-label="{_inert(said)}">',
    ]
    for one in block.door:
        left = place(one.since)
        width = max(place(total if one.until is None else one.until) - left, 0.3)
        lines.append(
            f'<rect class="door" x="{left:.2f}%" y="0" width="{width:.2f}%" height="{high + 4}"/>'
        )
    for number, (name, began, took, tone) in enumerate(block.phases):
        top = number * _ROW
        left = place(began)
        width = max(place(began + took) - left, 0.3)
        lines += [
            f'<text x="{_LEFT - 1:.2f}%" y="{top + 15}" text-anchor="end">{_inert(name)}</text>',
            f'<rect class="phase {tone}" x="{left:.2f}%" y="{top + 4}" width="{width:.2f}%"'
            f' height="{_ROW - 8}" rx="2"/>',
            f'<text class="took over" x="{left + width + 0.8:.2f}%" y="{top + 15}">'
            f"{_inert(_short(took))}</text>",
        ]
    lines += [
        f'<line class="axis" x1="{_LEFT}%" x2="{_LEFT + _WIDE}%" y1="{high + 5}" y2="{high + 5}"/>',
        f'<text class="took" x="{_LEFT}%" y="{high + 20}">0</text>',
        f'<text class="took" x="{_LEFT + _WIDE}%" y="{high + 20}" text-anchor="end">'
        f"{_inert(_short(block.seconds))}</text>",
        "</svg>",
        f'<figcaption><span class="key door"></span>{_inert(said)}. Bars: the phases, each with'
        " how long it took.</figcaption>",
        "</figure>",
    ]
    return lines


def _short(seconds: float) -> str:
    return words.seconds(seconds).split(" (")[0]


def curves(block: Curves) -> list[str]:
    """Return the metrics as curves, each with its threshold, side by side where there is room."""
    lines = ['<div class="curves">']
    for metric in block.metrics:
        lines += _curve(metric, block.seconds)
    legend = (
        "Dashed: from there it is an alert. Dotted: before the run. Upright: an alert was raised."
        " Shaded: not measured."
    )
    return [*lines, "</div>", f'<p class="more">{legend}</p>']


def _curve(metric: Watched, seconds: float) -> list[str]:
    known = [value for _, value in metric.points if value is not None]
    marks = [value for value in (metric.threshold, metric.usual) if value is not None]
    # A threshold far above everything would press the curve flat: then it is only said.
    highest = max(known)
    drawn = [value for value in marks if value <= max(highest * 8, 1e-9) or highest == 0]
    top = max([highest, *drawn, 1e-9]) * _ROOM

    def across(at: float) -> float:
        return min(max(at / seconds, 0.0), 1.0) * 1000

    def down(value: float) -> float:
        return _HIGH - min(value / top, 1.0) * _HIGH

    def level(value: float, kind: str) -> str:
        at = down(value)
        return f'<line class="{kind}" x1="0" x2="100%" y1="{at:.1f}" y2="{at:.1f}"/>'

    lines = [
        "<figure>",
        f"<figcaption><b>{_inert(metric.metric)}</b> {_inert(_said(metric))}</figcaption>",
        f'<svg width="100%" height="{_HIGH + 18}" role="img"'
        f' aria-label="{_inert(f"{metric.metric}: {_said(metric)}")}">',
    ]
    for began, ended in _gaps(metric):
        left, right = across(began) / 10, across(ended) / 10
        lines.append(
            f'<rect class="gap" x="{left:.2f}%" y="0" width="{right - left:.2f}%"'
            f' height="{_HIGH}"/>'
        )
    if metric.usual in drawn and metric.usual is not None:
        lines.append(level(metric.usual, "usual"))
    lines.append(
        f'<svg width="100%" height="{_HIGH}" viewBox="0 0 1000 {_HIGH}" preserveAspectRatio="none"'
        ' overflow="visible">'
    )
    lines += [
        f'<path class="curve" d="{_path([(across(at), down(v)) for at, v in part])}"/>'
        for part in _parts(metric)
    ]
    lines.append("</svg>")
    if metric.threshold in drawn and metric.threshold is not None:
        lines.append(level(metric.threshold, "threshold"))
    lines += [
        f'<line class="alert" x1="{across(at) / 10:.2f}%" x2="{across(at) / 10:.2f}%" y1="0"'
        f' y2="{_HIGH}"/>'
        for at in metric.raised
    ]
    lines += [
        f'<line class="axis" x1="0" x2="100%" y1="{_HIGH}" y2="{_HIGH}"/>',
        f'<text class="took" x="0" y="{_HIGH + 14}">0</text>',
        f'<text class="took" x="100%" y="{_HIGH + 14}" text-anchor="end">'
        f"{_inert(_short(seconds))}</text>",
        "</svg>",
        "</figure>",
    ]
    return lines


def _said(metric: Watched) -> str:
    """What the picture shows, in words: highest, threshold and usual."""
    unit = metric.unit
    said = [f"worst {amount(metric.worst, unit)}"]
    if metric.threshold is not None:
        said.append(f"alert at {amount(metric.threshold, unit)}")
    if metric.usual is not None:
        said.append(f"before {amount(metric.usual, unit)}")
    if metric.raised:
        said.append(words.some(len(metric.raised), "alert"))
    return ", ".join(said)


def _parts(metric: Watched) -> list[list[tuple[float, float]]]:
    """The curve between its gaps."""
    parts: list[list[tuple[float, float]]] = [[]]
    for at, value in metric.points:
        if value is None:
            parts.append([])
        else:
            parts[-1].append((at, value))
    return [part for part in parts if part]


def _gaps(metric: Watched) -> list[tuple[float, float]]:
    """From the last value before each gap to the first after it."""
    known = [(at, value is not None) for at, value in metric.points]
    found = []
    for place, (at, measured) in enumerate(known):
        if measured:
            continue
        before = next((a for a, ok in reversed(known[:place]) if ok), at)
        after = next((a for a, ok in known[place:] if ok), known[-1][0])
        found.append((before, after))
    return list(dict.fromkeys(found))


def _path(points: list[tuple[float, float]]) -> str:
    """A line through the points; a single one is a dot."""
    first = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    if len(points) == 1:
        return f"{first}h0.1"
    return first + "".join(f"L{x:.1f} {y:.1f}" for _, (x, y) in pairwise(points))
