"""A rehearsal that this terminal asked for: begun, told of, stopped, taken in."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from rollback_tui.ui.moment import steady
from rollback_tui.ui.requests import Failure
from rollback_tui.ui.walk import SCHEMA_CHECK, Underway, may_not_rehearse

if TYPE_CHECKING:
    from rollback_tui.core.model import Plan
    from rollback_tui.core.rehearsal import Rehearsal, Source
    from rollback_tui.ui.guide import Guide


class Rehearsing:
    """Keeps ``walk.rehearsal`` true. All methods are called on the event loop."""

    def __init__(self, guide: Guide) -> None:
        self._guide = guide
        self._stop = threading.Event()
        self._over = threading.Event()
        self._over.set()

    def begin(self, source: Source) -> None:
        """Rehearse the plan on a scratch database made from ``source``."""
        guide, plan = self._guide, self._guide.walk.plan
        reason = may_not_rehearse(guide.walk)
        if plan is None or reason:
            guide.say(f"Not now: {reason}.", "warning")
            return
        stop = self._stop = threading.Event()

        over = self._over = threading.Event()

        def call() -> Rehearsal:
            try:
                return guide.operations.rehearse(plan, source, said, stop)
            finally:
                over.set()

        def said(words: str) -> None:
            guide.requests.deliver(lambda: self._said(stop, words))

        guide.replace(
            rehearsing=Underway(source=source, since=steady(), words="it is being begun"),
            rehearsal_failure=None,
        )
        guide.requests.ask(
            "rehearse",
            call,
            lambda rehearsal: self._done(plan, rehearsal),
            lambda failure: self._failed(stop, failure),
        )

    def stop(self) -> None:
        """End it at the next statement; the scratch database is removed all the same."""
        underway = self._guide.walk.rehearsing
        if underway is not None:
            self._stop.set()
            self._said(self._stop, "stopping: the scratch database is being removed")

    @property
    def over(self) -> bool:
        """Whether no rehearsal goes on."""
        return self._over.is_set()

    def join(self, seconds: float) -> bool:
        """Wait until no rehearsal goes on any more, after the screens have gone: its scratch
        database must go first. Return whether none does."""
        self._stop.set()
        return self._over.wait(seconds)

    def _said(self, stop: threading.Event, words: str) -> None:
        underway = self._guide.walk.rehearsing
        # What an earlier rehearsal still says is nobody's business any more.
        if underway is not None and stop is self._stop:
            self._guide.replace(
                rehearsing=Underway(
                    source=underway.source,
                    since=underway.since,
                    words=words,
                    stopping=stop.is_set(),
                )
            )

    def _done(self, plan: Plan, rehearsal: Rehearsal) -> None:
        guide = self._guide
        guide.replace(rehearsing=None)
        now = guide.walk.plan
        if now is None or now.sha256 != plan.sha256 or rehearsal.plan_sha256 != plan.sha256:
            guide.say("The plan is another one now: the rehearsal says nothing of it.", "warning")
            return
        self._forget_what_was_accepted(rehearsal)
        guide.replace(rehearsal=rehearsal)
        # What the schema will be like is a safety question: it has an answer now, or another one.
        guide.planning.judge()
        if not rehearsal.removed:
            guide.say(
                f"The scratch database {rehearsal.database} could not be removed: the next"
                " rehearsal does.",
                "error",
            )

    def _forget_what_was_accepted(self, rehearsal: Rehearsal) -> None:
        """Accepted are exactly the differences that were seen: others must be accepted anew."""
        guide, before = self._guide, self._guide.walk.rehearsal
        seen = before.foreseen.leftover if before and before.foreseen else None
        now = rehearsal.foreseen.leftover if rehearsal.foreseen else None
        if seen != now and SCHEMA_CHECK in dict(guide.walk.overrides):
            guide.take_back(SCHEMA_CHECK)
            guide.say(
                "This rehearsal left other differences: what was set aside of the schema counts"
                " no more.",
                "warning",
            )

    def _failed(self, stop: threading.Event, failure: Failure) -> None:
        if stop.is_set():
            failure = Failure(summary=f"stopped: {failure.summary}", remedy=failure.remedy)
        self._guide.replace(rehearsing=None, rehearsal_failure=failure)
