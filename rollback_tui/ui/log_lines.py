"""The application's log files while a run is followed: what came when, and what looks wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from rollback_tui.core.logs import LogLine
    from rollback_tui.ui.guide import Guide
    from rollback_tui.ui.operations import LogFeed
    from rollback_tui.ui.requests import Failure

EVERY = 1.0
"""Seconds between two looks at the files."""
KEPT = 2000
"""So many lines are remembered; the files have all of them."""

When = Literal["earlier", "run", "committed"]
"""``earlier``: stood in the file when this terminal first looked; nobody knows since when. ``run``:
came while the run had the database: who was kept out may well have complained. ``committed``: came
after its COMMIT, or its swap, with the door open again."""

# What loggers call it (level=error, "severity":"ERROR", [error], FATAL:, a traceback's first line),
# and the status of a failed request as web servers log it: "GET / HTTP/1.1" 500 17.
_WRONG = re.compile(
    r"\b(?:error|fatal|panic|critical|exception|traceback|emerg(?:ency)?)s?\b|[\" ]5\d\d (?:\d|-)",
    re.IGNORECASE,
)


class Shown(NamedTuple):
    """One line as it is shown."""

    line: LogLine
    when: When
    wrong: bool
    """It looks like an error."""


def looks_wrong(text: str) -> bool:
    """Return whether a line of a log looks like an error.

    >>> looks_wrong('10.0.0.7 "GET /orders HTTP/1.1" 500 17'), looks_wrong("INFO 500 orders")
    (True, False)
    """
    return bool(_WRONG.search(text))


class _Came(NamedTuple):
    """What one look found."""

    number: int
    wrong: int
    last: tuple[tuple[LogLine, bool], ...]
    """Those that are kept; whether they look wrong."""


def _judged(lines: tuple[LogLine, ...]) -> _Came:
    """Judge the lines. In the thread that read them: a hundred thousand may come at once."""
    judged = [looks_wrong(line.text) for line in lines]
    last = tuple(zip(lines[-KEPT:], judged[-KEPT:], strict=True))
    return _Came(len(lines), sum(judged), last)


class LogLines:
    """Follows :class:`LogFeed` and keeps ``walk.log_errors`` true. All methods are called on the
    event loop; the files are read in threads."""

    def __init__(self, guide: Guide) -> None:
        self._guide = guide
        self._feed: LogFeed | None = None
        self._not_before = 0.0
        self.files: tuple[str, ...] | None = None
        """None: not known yet. Empty: none are configured."""
        self.failure: Failure | None = None
        self.lines: list[Shown] = []
        self.left_out = 0
        """So many lines came before the first of ``lines``, and are forgotten."""
        self._looked = False
        self._done = False
        """Whether the applications had the result already when the files were last looked at."""

    def tick(self, now: float) -> None:
        """Look at the files when it is time, as long as a run is followed."""
        guide = self._guide
        if guide.walk.folder is None or now < self._not_before or guide.requests.busy("logs"):
            return
        self._not_before = now + EVERY
        feed = self._feed
        if feed is None:
            guide.requests.ask("logs", guide.operations.logs, self._opened, self._failed)
        elif self.files:
            guide.requests.ask("logs", lambda: _judged(feed.poll()), self._arrived, self._failed)

    def _opened(self, feed: LogFeed) -> None:
        self._feed, self.files, self.failure = feed, feed.files, None
        self._not_before = 0.0

    def _failed(self, failure: Failure) -> None:
        self.failure = failure

    def _arrived(self, came: _Came) -> None:
        view = self._guide.walk.view
        # What came now was written since the last look: it counts when all was done by then.
        when: When = "earlier" if not self._looked else "committed" if self._done else "run"
        self._done = (
            view is not None
            and (view.committed or view.swapped is not None)
            and view.door_closed_at is None
        )
        self._looked, self.failure = True, None
        if came.number > len(came.last):
            # All that were kept come before those that are left out now.
            self.left_out += len(self.lines) + came.number - len(came.last)
            self.lines = []
        self.lines += [Shown(line, when, wrong) for line, wrong in came.last]
        if (gone := len(self.lines) - KEPT) > 0:
            del self.lines[:gone]
            self.left_out += gone
        if when == "committed":
            self._guide.replace(log_errors=self._guide.walk.log_errors + came.wrong)

    def close(self) -> None:
        """Follow nothing any more."""
        feed, self._feed = self._feed, None
        if feed is not None:
            feed.close()
