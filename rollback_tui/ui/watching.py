"""What stands around the plan: asked once, and who is in its way, asked again and again while
somebody looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollback_tui.ui.keys import key
from rollback_tui.ui.moment import local_time

if TYPE_CHECKING:
    from rollback_tui.core.model import Plan
    from rollback_tui.core.outlook import InTheWay, Outlook
    from rollback_tui.ui.guide import Guide
    from rollback_tui.ui.requests import Failure

LOOKS = frozenset({2, 3})
"""The steps on which it is shown who is in the way."""
LATE = 2.0
"""An answer that takes longer than this many seconds, or three intervals, leaves the last one
stale."""


class Watching:
    """Keeps ``walk.outlook`` and ``walk.way`` true. All methods are called on the event loop."""

    def __init__(self, guide: Guide) -> None:
        self._guide = guide
        self._step = 0
        self._asked_at = -1e9

    def look(self, step: int) -> None:
        """Take in which step is up: who is in the way is asked only where it is shown."""
        if step in LOOKS and self._step not in LOOKS:
            # What was seen on an earlier visit may be minutes old.
            self._guide.replace(way=None, way_at=None, way_stale="")
            self._asked_at = -1e9
        self._step = step

    def planned(self, plan: Plan) -> None:
        """Ask for what stands around a new plan."""
        guide = self._guide
        guide.replace(outlook=None, outlook_failure=None, way=None, way_at=None, way_stale="")
        self._asked_at = -1e9
        guide.requests.ask(
            "outlook",
            lambda: guide.operations.outlook(plan),
            lambda outlook: self._looked(plan, outlook),
            lambda failure: guide.replace(outlook_failure=failure),
        )

    def _looked(self, plan: Plan, outlook: Outlook) -> None:
        if self._guide.walk.plan is plan:
            self._guide.replace(outlook=outlook)

    def tick(self, now: float) -> None:
        """Ask who is in the way, when it is time and somebody looks."""
        guide, walk = self._guide, self._guide.walk
        plan = walk.plan
        if self._step not in LOOKS or plan is None or walk.target is None:
            return
        if walk.folder is not None:
            # The plan was executed, or refused: nobody can be in its way any more.
            return
        if walk.paused:
            guide.replace(way_stale=f"refreshing is paused ({key('state.pause')} on step 1)")
            return
        if guide.requests.busy("way"):
            if now - self._asked_at > max(LATE, 3 * walk.interval):
                guide.replace(way_stale="no answer from the server yet")
        elif now - self._asked_at >= walk.interval:
            self._asked_at = now
            guide.requests.ask(
                "way",
                lambda: guide.operations.in_the_way(plan),
                lambda found: self._found(plan, found),
                self._not_found,
            )

    def _found(self, plan: Plan, found: tuple[InTheWay, ...]) -> None:
        if self._guide.walk.plan is plan:
            self._guide.replace(way=found, way_at=local_time(), way_stale="")

    def _not_found(self, failure: Failure) -> None:
        self._guide.replace(way_stale=failure.summary)
