"""One run, followed: its records are polled in a thread and folded on the event loop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from rollback_tui.ui.moment import steady, utc_time

if TYPE_CHECKING:
    from rollback_tui.core.claim import ClaimState, Controls
    from rollback_tui.core.events import Record
    from rollback_tui.ui.guide import Guide
    from rollback_tui.ui.operations import Feed
    from rollback_tui.ui.requests import Failure

QUIET = 2.0
"""Seconds without a record after which the worker is asked whether it is there; and between two
looks at who is at the controls."""
SILENCES = 3
"""So many times in a row it may be gone (its guardian settles in a moment) before we say so."""
DAMAGED = 5.0
"""Seconds between two attempts to read a journal that could not be read."""


class Answer(msgspec.Struct, frozen=True):
    """What one look at the run brought. None: not asked this time."""

    records: tuple[Record, ...]
    state: ClaimState | None
    controls: Controls | None


class Following:
    """Polls one :class:`Feed` and keeps ``walk.view`` the fold over all its records."""

    def __init__(self, guide: Guide) -> None:
        self._guide = guide
        self._feed: Feed | None = None
        self._silences = 0
        self._asked_alive = 0.0
        self._asked_controls = 0.0
        self._not_before = 0.0
        self.records: list[Record] = []

    def open(self, folder: Path) -> None:
        """Begin to follow the run in ``folder``; take its controls when nobody has them."""
        self.records = []
        only_look = self._guide.walk.read_only

        def call() -> tuple[Feed, Controls]:
            feed = self._guide.operations.follow(folder)
            return feed, feed.controls() if only_look else feed.take_controls()

        self._guide.requests.ask(
            "follow",
            call,
            lambda answer: self._opened(*answer),
            lambda failure: self._guide.replace(feed_failure=failure),
        )

    def close(self) -> None:
        """Follow nothing any more."""
        feed, self._feed = self._feed, None
        if feed is not None:
            feed.close()

    def _opened(self, feed: Feed, controls: Controls) -> None:
        self._feed = feed
        self._silences = 0
        now = steady()
        self._asked_alive = self._asked_controls = now
        self._guide.replace(
            feed_failure=None, worker="running", moved_at=now, heard_at=now, controls=controls
        )
        self.poll()

    def poll(self) -> None:
        """Ask for new records, unless that question is open already."""
        feed, now = self._feed, steady()
        if feed is None or self._guide.requests.busy("feed") or now < self._not_before:
            return
        quiet = now - max(self._guide.walk.moved_at, self._asked_alive) > QUIET
        look = now - self._asked_controls > QUIET

        def call() -> Answer:
            records = feed.poll()
            return Answer(
                records,
                feed.state() if quiet and not records else None,
                feed.controls() if look else None,
            )

        if quiet:
            self._asked_alive = now
        if look:
            self._asked_controls = now
        self._guide.requests.ask("feed", call, self._arrived, self._damaged)

    def _arrived(self, answer: Answer) -> None:
        records, guide = answer.records, self._guide
        if answer.controls is not None:
            self._have(answer.controls)
        if records:
            first = not self.records
            self.records.extend(records)
            # Events and their fold: only where there is a run.
            from rollback_tui.core.run_view import RunView, advance

            view = guide.walk.view or RunView()
            for record in records:
                view = advance(view, record)
            self._silences = 0
            # After attaching, the last event may be minutes old; from then on only this
            # process's monotonic clock counts.
            age = (utc_time() - records[-1].at).total_seconds() if first else 0.0
            moved = steady() - max(0.0, age)
            guide.replace(
                view=view, moved_at=moved, heard_at=moved, worker="running", feed_failure=None
            )
            if view.finished:
                guide.run_ended()
        elif answer.state == "running":
            self._silences = 0
            guide.replace(worker="running", heard_at=steady())
        elif answer.state == "stopped":
            self._silences = 0
            guide.replace(worker="stopped")
        elif answer.state == "dead":
            self._silences += 1
            if self._silences >= SILENCES:
                guide.replace(worker="dead")

    def _damaged(self, failure: Failure) -> None:
        self._not_before = steady() + DAMAGED
        self._guide.replace(feed_failure=failure)

    def take_controls(self) -> None:
        """Take the controls: free ones, or from the console that has them."""
        feed = self._feed
        if feed is not None:
            self._guide.requests.ask(
                "controls",
                lambda: feed.take_controls(by_force=True),
                self._have,
                self._guide.complain,
            )

    def _have(self, controls: Controls) -> None:
        guide = self._guide
        before = guide.walk.controls
        if controls == before or guide.walk.finished:
            return
        if not controls.mine:
            # Who only looks is not armed either.
            guide.replace(controls=controls, armed=False)
            if before is not None and before.mine:
                guide.say(f"{controls.holder or 'Somebody'} took the controls over.", "warning")
            return
        guide.replace(controls=controls)
        if before is not None:
            guide.say("This console is at the controls now.", "information")

    def answer(self, choice: str) -> None:
        """Send the operator's choice to the worker."""
        feed = self._feed
        if feed is not None:
            self._tell("answer", lambda: feed.approve(choice))

    def abort(self) -> None:
        """Send the operator's abort to the worker."""
        feed = self._feed
        if feed is not None:
            self._tell("abort", feed.abort)

    def _tell(self, topic: str, call: Callable[[], str]) -> None:
        guide = self._guide
        guide.requests.ask(
            topic, call, lambda words: guide.say(words, "information"), guide.complain
        )
