"""What is made of one look at the server, made once and in the thread that asked for it.

Who is behind whom takes some milliseconds when two thousand sessions wait: not on the event loop.
"""

from __future__ import annotations

from rollback_tui.core.activity import views, waits
from rollback_tui.core.model import Activity
from rollback_tui.ui.once import once
from rollback_tui.ui.operations import Operations
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.wording import time_of

listed = once(waits.rows)
"""Every line of the list (:func:`rollback_tui.core.activity.waits.rows`), made once for a look."""


@once
def totals(activity: Activity) -> views.Counts:
    """Return how many lines each view has."""
    return views.counts(listed(activity))


def look(operations: Operations) -> Activity:
    """Ask what goes on, and make of it what the screen needs. Called in a thread."""
    activity = operations.activity()
    totals(activity)
    return activity


def old_since(walk: Walk) -> str:
    """Return since when what is shown is not looked at any more; empty when it is fresh."""
    lost = bool(walk.stale or walk.running)
    if walk.activity is None or not (lost or walk.paused):
        return ""
    word = "OLD" if lost else "PAUSED"
    return f"{word}, of {time_of(walk.refreshed_at)}" if walk.refreshed_at else word
