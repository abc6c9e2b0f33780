"""Lines of ``monitoring.jsonl`` → :class:`MonitorView`, live or a year later by the same code."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from rollback_tui.core.monitoring.values import (
    Begun,
    Cleared,
    Ended,
    Gap,
    ImpactCounted,
    Line,
    MonitorView,
    Raised,
    Sampled,
)


def fold(lines: Iterable[Line], view: MonitorView | None = None) -> MonitorView:
    """Return ``view`` after ``lines``; from the first where there is none yet."""
    found = view or MonitorView()
    samples, changes = list(found.samples), False
    for line in lines:
        if isinstance(line, Sampled):
            samples.append(line)
            changes = True
        else:
            found = _advance(found, line)
    return msgspec.structs.replace(found, samples=tuple(samples)) if changes else found


def _advance(
    view: MonitorView, line: Begun | Raised | Cleared | Gap | ImpactCounted | Ended
) -> MonitorView:
    replace = msgspec.structs.replace
    match line:
        case Begun():
            return replace(view, begun=line, ended=None)
        case Raised():
            others = tuple(one for one in view.standing if one.metric != line.metric)
            return replace(view, standing=(*others, line), raised=(*view.raised, line))
        case Cleared():
            left = tuple(one for one in view.standing if one.metric != line.metric)
            return replace(view, standing=left, cleared=(*view.cleared, line))
        case Gap():
            return replace(view, gaps=(*view.gaps, line))
        case ImpactCounted():
            return replace(view, impact=line)
        case Ended():
            return replace(view, ended=line)
