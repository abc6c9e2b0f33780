"""One run, followed: its records are polled in a thread and folded on the event loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rollback_tui.core.events import Record
from rollback_tui.core.run_view import RunView, advance
from rollback_tui.ui.operations import Feed
from rollback_tui.ui.requests import Failure

if TYPE_CHECKING:
    from rollback_tui.ui.guide import Guide

QUIET = 2.0
"""Seconds without a record after which the worker is asked whether it is there."""
SILENCES = 3
"""So many times in a row it may not answer (it may still be starting) before we say so."""
DAMAGED = 5.0
"""Seconds between two attempts to read a journal that could not be read."""


class Following:
    """Polls one :class:`Feed` and keeps ``walk.view`` the fold over all its records."""

    def __init__(self, guide: Guide) -> None:
        self._guide = guide
        self._feed: Feed | None = None
        self._silences = 0
        self._asked_alive = 0.0
        self._not_before = 0.0
        self.records: list[Record] = []

    def open(self, folder: Path) -> None:
        """Begin to follow the run in ``folder``."""
        self.records = []
        self._guide.requests.ask(
            "follow",
            lambda: self._guide.operations.follow(folder),
            self._opened,
            lambda failure: self._guide.replace(feed_failure=failure),
        )

    def close(self) -> None:
        """Follow nothing any more."""
        self._feed = None

    def _opened(self, feed: Feed) -> None:
        self._feed = feed
        self._silences = 0
        self._asked_alive = time.monotonic()
        self._guide.replace(feed_failure=None, worker_gone=False, moved_at=time.monotonic())
        self.poll()

    def poll(self) -> None:
        """Ask for new records, unless that question is open already."""
        feed, now = self._feed, time.monotonic()
        if feed is None or self._guide.requests.busy("feed") or now < self._not_before:
            return
        quiet = now - max(self._guide.walk.moved_at, self._asked_alive) > QUIET

        def call() -> tuple[tuple[Record, ...], bool | None]:
            records = feed.poll()
            return records, (feed.alive() if quiet and not records else None)

        if quiet:
            self._asked_alive = now
        self._guide.requests.ask("feed", call, self._arrived, self._damaged)

    def _arrived(self, answer: tuple[tuple[Record, ...], bool | None]) -> None:
        records, alive = answer
        guide = self._guide
        if records:
            first = not self.records
            self.records.extend(records)
            view = guide.walk.view or RunView()
            for record in records:
                view = advance(view, record)
            self._silences = 0
            # After attaching, the last event may be minutes old; from then on only this
            # process's monotonic clock counts.
            age = (datetime.now(UTC) - records[-1].at).total_seconds() if first else 0.0
            guide.replace(
                view=view,
                moved_at=time.monotonic() - max(0.0, age),
                worker_gone=False,
                feed_failure=None,
            )
            if view.finished:
                guide.run_ended()
        elif alive is not None:
            self._silences = 0 if alive else self._silences + 1
            guide.replace(worker_gone=self._silences >= SILENCES)

    def _damaged(self, failure: Failure) -> None:
        self._not_before = time.monotonic() + DAMAGED
        self._guide.replace(feed_failure=failure)

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
