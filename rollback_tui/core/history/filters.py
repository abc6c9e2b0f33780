"""Which runs are meant: of what outcome, what database, what time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from rollback_tui.core.errors import ConfigurationError
from rollback_tui.core.events import RunStarted
from rollback_tui.core.run_view import RunSummary
from rollback_tui.core.value import Value

OUTCOMES = (
    "rolled_back",
    "refused",
    "unchanged",
    "recovered",
    "needs_operator",
    "running",
    "stopped",
    "unfinished",
    "journal damaged",
)
"""All that the history may say of a run."""

_AGO = re.compile(r"(\d{1,6})\s*(m|h|d|w)")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_STAMP_SLACK = timedelta(hours=1)
"""A folder is made before the run's first event, by seconds; a clock may be set in between."""


class Filters(Value, frozen=True, kw_only=True):
    """What a run must be like; what is empty or None asks for nothing."""

    outcomes: tuple[str, ...] = ()
    """One of these."""
    task: str = ""
    database: str = ""
    environment: str = ""
    version: str = ""
    """One of the versions of its plan."""
    operator: str = ""
    """Who ran it: the user, or who became that by sudo."""
    since: datetime | None = None
    """It began then, or later."""
    until: datetime | None = None
    """It began before then."""
    failed: bool = False
    """It came to anything but what was wanted."""
    limit: int | None = None
    """At most so many, the newest."""

    def takes(self, run: RunSummary, begun: RunStarted | None) -> bool:
        """Whether ``run`` is meant, ``limit`` apart. ``begun``: its first event; None where it is
        not known, and then nothing is true of it that was asked for."""
        if self.outcomes and run.outcome not in self.outcomes:
            return False
        if self.failed and not failed(run):
            return False
        if begun is None:
            return not self._of_beginning
        operators = (begun.operator.user, begun.operator.sudo_user)
        return (
            self.task in ("", run.task)
            and self.database in ("", run.database)
            and self.environment in ("", begun.environment)
            and (not self.version or self.version in run.versions)
            and (not self.operator or self.operator in operators)
            and self._in_time(run.started_at)
        )

    @property
    def _of_beginning(self) -> bool:
        """Whether something is asked that only the first event says."""
        words = (self.task, self.database, self.environment, self.version, self.operator)
        return any(words) or self.since is not None or self.until is not None

    def _in_time(self, started_at: str) -> bool:
        began = datetime.fromisoformat(started_at)
        after = self.since is None or began >= self.since.replace(microsecond=0)
        return after and (self.until is None or began < self.until)

    def may_be(self, folder: str) -> bool:
        """Whether the run in a folder of this name (``20260301_031415_8c3038d4``) may be meant:
        told without reading it."""
        if self.since is None and self.until is None:
            return True
        try:
            made = datetime.strptime(folder[:15], "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            return True
        if self.since is not None and made < self.since - _STAMP_SLACK:
            return False
        return self.until is None or made < self.until + _STAMP_SLACK


def failed(run: RunSummary) -> bool:
    """Whether a run came to anything but what was wanted of it: it is not rolled back (or, when it
    was to bring something back, not recovered), and not at work any more.

    >>> failed(RunSummary(run="1", folder="", started_at="", database="", versions=(),
    ...     outcome="unchanged", seconds=1.0))
    True
    """
    wanted = ("rolled_back", "running")
    return run.outcome not in (wanted if run.task == "rollback" else (*wanted, "recovered"))


def moment(text: str, now: datetime, option: str) -> datetime:
    """Return the time that ``text`` means: a date, a time (ISO 8601; without an offset in UTC), or
    how long ago: ``45m``, ``36h``, ``7d``, ``2w``. Raises ConfigurationError.

    >>> moment("36h", datetime(2026, 3, 3, 12, tzinfo=UTC), "--since").isoformat()
    '2026-03-02T00:00:00+00:00'
    """
    ago = _AGO.fullmatch(text.strip())
    if ago:
        try:
            return now - timedelta(**{_UNITS[ago.group(2)]: int(ago.group(1))})
        except OverflowError:
            pass
    else:
        try:
            found = datetime.fromisoformat(text.strip())
        except ValueError:
            pass
        else:
            return found if found.tzinfo else found.replace(tzinfo=UTC)
    raise ConfigurationError(
        f"{option} {text} is no time",
        "Write a date (2026-03-01), a time in UTC (2026-03-01T03:14), or how long ago: 36h, 7d.",
    )
