"""What is known of the time after one run: its monitoring, who was told, what is left to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from rollback_tui.ui.requests import Failure

# Names only: a walk holds such values long before and after it knows any.
if TYPE_CHECKING:
    from rollback_tui.core.follow_ups import FollowUp
    from rollback_tui.core.monitoring.values import MonitorView, Raised
    from rollback_tui.core.notices import Post
    from rollback_tui.ui.aftercare import IncidentFiles, Watched
    from rollback_tui.ui.walk import Walk


class After(msgspec.Struct, frozen=True, kw_only=True):
    """The time after the run in ``folder``, as far as it is known."""

    folder: Path
    watched: Watched | None = None
    """None: not known yet."""
    failure: Failure | None = None
    """Why its monitoring is not known, or not as it is now."""
    post: Post | None = None
    follow_ups: tuple[FollowUp, ...] | None = None
    follow_ups_failure: Failure | None = None
    incident: str | None = None
    """The incident report as Markdown, as it was when it was asked for."""
    files: IncidentFiles | None = None
    incident_failure: Failure | None = None

    @property
    def view(self) -> MonitorView | None:
        """What was measured; None before that is known, and where nothing is."""
        view = self.watched.view if self.watched is not None else None
        return view if view is not None and view.begun is not None else None

    @property
    def standing(self) -> tuple[Raised, ...]:
        """The alerts that stand now, as long as somebody measures: what stood when the monitoring
        ended is history."""
        view = self.view
        return view.standing if view is not None and view.ended is None else ()

    @property
    def unattended(self) -> bool:
        """Whether a process should look after the run, and none does."""
        watched = self.watched
        return watched is not None and watched.expected and not watched.attended


def after_of(walk: Walk, folder: Path | None) -> After | None:
    """Return what is known of the time after the run in ``folder``; None when nothing is."""
    return next((one for one in walk.afters if one.folder == folder), None)


def may_not_stop(walk: Walk, after: After | None) -> str:
    """Return why the monitoring of a run cannot be ended from here and now; empty when it can."""
    if walk.read_only:
        return "this terminal was started read-only"
    if after is None or after.watched is None:
        return "it is not known yet whether it is watched"
    if after.view is None:
        return "nothing is watched"
    return "it has ended already" if after.view.ended is not None else ""


def may_not_resume(walk: Walk, after: After | None) -> str:
    """Return why what looks after a run cannot be started again now; empty when it can."""
    if walk.read_only:
        return "this terminal was started read-only"
    if after is None or after.watched is None:
        return "it is not known yet whether it is watched"
    if after.watched.attended:
        return "somebody looks after the run already"
    return "" if after.watched.expected else "there is nothing left to be looked after"
