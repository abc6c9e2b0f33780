"""What is said of a run that is watched, where its monitoring is not shown: by a terminal that
follows no run, and by one that is left."""

from __future__ import annotations

from datetime import datetime

from textual.content import Content

from rollback_tui.core.monitoring.values import MonitorView
from rollback_tui.core.text import cells
from rollback_tui.ui.after import After
from rollback_tui.ui.keys import key
from rollback_tui.ui.theme import line, piece
from rollback_tui.ui.watch_words import AS_BEFORE, at, past, unseen
from rollback_tui.ui.wording import count, run_of


def watched_on(after: After | None) -> tuple[str, ...]:
    """Return in lines what somebody who leaves now should know: what is wrong, and that it is
    watched on. Empty when nobody watches."""
    watched = after.watched if after is not None else None
    if after is None or watched is None or not watched.attended or watched.view.ended is not None:
        return ()
    run, view = run_of(after.folder), watched.view
    stand = ", ".join(past(view, one) for one in view.standing)
    alerts = (f"{count(len(view.standing), 'alert')} now: {stand}",) if stand else ()
    until = f" until {at(view.begun.until)}" if view.begun is not None else ""
    return (*alerts, f"Watched{until} without this terminal: rollback-tui monitor {run}")


def looked_after_line(after: After, now: datetime, width: int) -> Content:
    """Return in a line, for a terminal that shows no run, which one is looked after."""
    run = f"run {run_of(after.folder)}"
    view, opens = after.view, key("state.monitoring")
    tail = f"  {opens} shows it"
    if view is None or view.begun is None:
        words = f"{run} is looked after" if not after.unattended else f"nobody looks after {run}"
        said = line((" ▸ " if not after.unattended else " ? ", "accent"), words)
    elif view.ended is not None:
        said = line((" · ", "dim"), f"{run} was watched until {at(view.ended.at)}")
    elif why := unseen(after, now):
        said = line((" ? ", "warn"), (f"{run}: {why}", "warn"))
        said = said + piece(f"; {_alerted(view)}", "bad") if view.standing else said
    elif view.standing:
        said = line((f" ✗ {run} is watched until {at(view.begun.until)}; {_alerted(view)}", "bad"))
    else:
        said = line((" ▸ ", "accent"), f"{run} is watched until {at(view.begun.until)}; no alert")
        if as_before := len(view.as_bad_as_before):
            said = said + piece(f", {as_before} {AS_BEFORE}", "warn")
    fits = said.cell_length + cells(tail) <= width
    return said + piece(tail, "dim") if fits else said


def _alerted(view: MonitorView) -> str:
    several = len(view.standing)
    others = f" +{several - 1}" if several > 1 else ""
    return f"{count(several, 'alert')}: {view.standing[0].metric}{others}"
