"""What is read of runs that have ended: report, monitoring, who was told, what is left to be done.

The monitoring is a file that another process writes: it is looked at once a second while somebody
sees it, and every few seconds otherwise, so that an alert is in the header of every step.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.ui.after import After, after_of, may_not_resume, may_not_stop
from rollback_tui.ui.requests import Failure
from rollback_tui.ui.wording import run_of

if TYPE_CHECKING:
    from rollback_tui.core.follow_ups import FollowUp
    from rollback_tui.core.notices import Post
    from rollback_tui.ui.aftercare import Aftercare, IncidentFiles, LookedAfter, Watched
    from rollback_tui.ui.guide import Guide

EVERY = 1.0
"""Seconds between two looks at what is measured."""
SLOWLY = 5.0
"""Seconds between two looks at what has ended, failed, or is nothing; and at who was told."""
KEPT = 3
"""Runs of which something is remembered: the one shown, one chosen in step 6, the newest."""


class _Look(NamedTuple):
    """What one look at one run brought."""

    folder: Path
    watched: Watched | None
    post: Post | None
    """None: not asked this time."""
    failure: Failure | None


class Afterwards:
    """Keeps ``walk.afters`` true, and ``walk.report``. All methods are called on the event loop;
    the files are read in threads."""

    def __init__(self, guide: Guide) -> None:
        self._guide = guide
        self._looked_at = -1e9
        self._post_at = -1e9

    @property
    def _world(self) -> Aftercare:
        return self._guide.operations.after

    # --- the monitoring -----------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Look at the runs in sight when it is time; not while a run goes on, which is not over."""
        guide, folders = self._guide, self._in_sight()
        if not folders or guide.requests.busy("watched"):
            return
        afters = [after_of(guide.walk, folder) for folder in folders]
        live = any(after is None or _goes_on(after) for after in afters)
        if now - self._looked_at >= (EVERY if live else SLOWLY):
            self._look(folders, now)

    def look(self) -> None:
        """Look at them at the next tick."""
        self._looked_at = self._post_at = -1e9

    def _in_sight(self) -> tuple[Path, ...]:
        walk = self._guide.walk
        if walk.running:
            return ()
        found = (walk.folder, walk.report_folder, walk.looked_after)
        return tuple(dict.fromkeys(folder for folder in found if folder is not None))

    def _look(self, folders: tuple[Path, ...], now: float) -> None:
        world, self._looked_at = self._world, now
        with_post = now - self._post_at >= SLOWLY
        if with_post:
            self._post_at = now

        def call() -> tuple[_Look, ...]:
            return tuple(_look(world, folder, with_post=with_post) for folder in folders)

        self._guide.requests.ask("watched", call, self._looked, self._guide.complain)

    def _looked(self, found: tuple[_Look, ...]) -> None:
        for one in found:
            changes: dict[str, Any] = {"failure": one.failure}
            if one.watched is not None:
                changes["watched"] = one.watched
            if one.post is not None:
                changes["post"] = one.post
            self._keep(one.folder, **changes)

    def _keep(self, folder: Path, **changes: Any) -> None:
        walk = self._guide.walk
        known = after_of(walk, folder) or After(folder=folder)
        kept = {folder, walk.folder, walk.report_folder, walk.looked_after}
        others = tuple(a for a in walk.afters if a.folder in kept and a.folder != folder)
        after = msgspec.structs.replace(known, **changes)
        if after != known or known not in walk.afters:
            # In an order of its own: what did not change is the same walk.
            whole = sorted((*others, after), key=lambda one: one.folder)
            self._guide.replace(afters=tuple(whole))

    def find(self) -> None:
        """At the start: go on looking after runs of this project where that was killed, and find
        the newest that is looked after."""
        world, only_look = self._world, self._guide.walk.read_only

        def call() -> tuple[tuple[Path, ...], LookedAfter | None]:
            return () if only_look else world.pick_up(), world.newest()

        self._guide.requests.ask("newest", call, self._found, self._guide.complain)

    def _found(self, answer: tuple[tuple[Path, ...], LookedAfter | None]) -> None:
        begun, newest = answer
        if newest is not None:
            self._guide.replace(looked_after=newest.folder)
            self._keep(newest.folder, watched=newest.watched)
        if begun:
            runs = ", ".join(run_of(folder) for folder in begun)
            self._guide.say(f"Nobody looked after run {runs}: that goes on again.", "information")

    def stop(self, folder: Path, reason: str) -> None:
        """End the monitoring of a run early."""
        guide, world = self._guide, self._world
        if refused := may_not_stop(guide.walk, after_of(guide.walk, folder)):
            guide.say(f"Not now: {refused}.", "warning")
            return
        self._tell(
            "stop watching",
            lambda: world.stop(folder, reason),
            "It was told to stop; what is queued is still sent.",
        )

    def resume(self, folder: Path) -> None:
        """Start the process again that looks after a run."""
        guide, world = self._guide, self._world
        if refused := may_not_resume(guide.walk, after_of(guide.walk, folder)):
            guide.say(f"Not now: {refused}.", "warning")
            return
        self._tell(
            "resume",
            lambda: world.resume(folder),
            f"Run {run_of(folder)} is being looked after again.",
        )

    def _tell(self, topic: str, call: Callable[[], None], said: str) -> None:
        def done(_: None) -> None:
            self._guide.say(said, "information")
            self.look()

        self._guide.requests.ask(topic, call, done, self._guide.complain)

    # --- what is to be read -------------------------------------------------------------------

    def read_report(self, folder: Path) -> None:
        """Ask for a run's report."""
        guide = self._guide
        guide.requests.ask(
            "report",
            lambda: guide.operations.report(folder),
            lambda text: guide.replace(report=text, report_folder=folder, report_failure=None),
            lambda failure: guide.replace(report_folder=folder, report_failure=failure),
        )

    def read_history(self) -> None:
        """Ask for the past runs."""
        guide = self._guide
        guide.requests.ask(
            "history",
            guide.operations.history,
            lambda runs: guide.replace(history=runs),
            lambda failure: guide.say(failure.summary, "warning"),
        )

    def read_incident(self, folder: Path) -> None:
        """Write the incident report of a run as it is now, and ask for it."""
        world = self._world

        def call() -> tuple[str, IncidentFiles]:
            files = world.incident_files(folder)
            return world.incident(folder), files

        self._guide.requests.ask(
            "incident",
            call,
            lambda found: self._keep(
                folder, incident=found[0], files=found[1], incident_failure=None
            ),
            lambda failure: self._keep(folder, incident_failure=failure),
        )

    # --- the follow-ups -----------------------------------------------------------------------

    def read_follow_ups(self, folder: Path) -> None:
        """Ask for the checklist of a run."""
        self._guide.requests.ask(
            "follow_ups",
            lambda: self._world.follow_ups(folder),
            lambda items: self._keep(folder, follow_ups=items, follow_ups_failure=None),
            lambda failure: self._keep(folder, follow_ups_failure=failure),
        )

    def tick_off(self, folder: Path, key: str, *, done: bool, note: str = "") -> None:
        """Tick one of them, take the tick back, or write a note."""
        guide, world = self._guide, self._world
        if guide.walk.read_only:
            guide.say("Not now: this terminal was started read-only.", "warning")
            return

        def kept(_: tuple[FollowUp, ...]) -> None:
            # Another one may have been ticked meanwhile: the file says what holds.
            self.read_follow_ups(folder)

        # A topic for each: none is dropped because the next one was ticked.
        guide.requests.ask(
            f"tick {key}",
            lambda: world.tick(folder, key, done=done, note=note),
            kept,
            guide.complain,
        )


def _look(world: Aftercare, folder: Path, *, with_post: bool) -> _Look:
    """Look at one run, in a thread. What one file does not say hides nothing of the others."""
    watched, post, failure = None, None, None
    try:
        watched = world.watched(folder)
        post = world.post(folder) if with_post else None
    except RollbackTuiError as error:
        failure = Failure(summary=error.summary, remedy=error.remedy)
    return _Look(folder, watched, post, failure)


def _goes_on(after: After) -> bool:
    """Whether something may be measured of this run in a moment."""
    watched = after.watched
    if watched is None or after.failure is not None:
        return False
    return watched.view.ended is None and (watched.attended or watched.expected)
