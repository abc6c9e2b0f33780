"""The terminal's view of a run: its journal followed, its socket asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from rollback_tui.core.claim import ClaimState, Controls
from rollback_tui.core.errors import ConfigurationError
from rollback_tui.core.events import Record
from rollback_tui.core.history.filters import Filters
from rollback_tui.core.run_view import RunSummary, RunView, fold
from rollback_tui.run import folder as run_folder
from rollback_tui.run import journal
from rollback_tui.run.claims import state_of
from rollback_tui.run.control import ControlClient, ControlUnavailable
from rollback_tui.run.controls import ConsoleLock
from rollback_tui.run.journal import Follower, JournalDamaged

_STATES: dict[ClaimState, str] = {
    "running": "running",
    "stopped": "stopped",
    "dead": "unfinished",
}


class RunFeed:
    """One run, followed from outside; see ``rollback_tui.ui.operations.Feed``."""

    def __init__(
        self,
        folder: Path,
        *,
        unattended: bool = False,
        taken_over: Callable[[str], None] = lambda _holder: None,
    ) -> None:
        """``taken_over`` is told from whom the controls were taken by force."""
        self.folder = folder
        self._taken_over = taken_over
        self._follower = Follower(folder / journal.FILE_NAME)
        self._client = ControlClient(folder)
        self._console = ConsoleLock(folder, unattended=unattended)
        self._turn = threading.Lock()
        self._last_at: datetime | None = None

    def poll(self) -> tuple[Record, ...]:
        """Return the records since the last call. Raises JournalDamaged."""
        records = self._follower.poll()
        if records:
            self._last_at = records[-1].at
        return records

    def alive(self) -> bool:
        """Return whether the worker answers on its socket."""
        try:
            return self._client.ask("status").ok
        except ControlUnavailable:
            return False

    def state(self) -> ClaimState:
        """Return whether a process works on the run, and answers. Takes a second or two when it
        is stopped."""
        quiet = (datetime.now(UTC) - self._last_at).total_seconds() if self._last_at else 0.0
        return state_of(self.folder, quiet)

    def take_controls(self, *, by_force: bool = False) -> Controls:
        """Take the controls of this run, if nobody has them or ``by_force``."""
        with self._turn:
            holder = self._console.look().holder if by_force else ""
            now = self._console.take(by_force=by_force)
        if holder and now.mine:
            self._taken_over(holder)
        return now

    def controls(self) -> Controls:
        """Return who may answer and abort now; takes nothing."""
        with self._turn:
            return self._console.look()

    def close(self) -> None:
        """Give the controls back. Safe to call twice."""
        with self._turn:
            self._console.release()

    def approve(self, choice: str) -> str:
        """Answer the open question. Raises ControlUnavailable, also when another console is at
        the controls."""
        self._leave_to_others()
        return self._client.ask("approve", choice).text

    def abort(self) -> str:
        """Ask for an abort before COMMIT. Raises ControlUnavailable, also when another console
        is at the controls."""
        self._leave_to_others()
        return self._client.ask("abort").text

    def _leave_to_others(self) -> None:
        now = self.controls()
        if now.holder:
            raise ControlUnavailable(
                f"read-only: {now.holder} is at the controls since {now.since}",
                "Ask them, or take the controls over.",
            )


class Past(msgspec.Struct, frozen=True):
    """One run of the history, with what its journal says."""

    folder: Path
    summary: RunSummary
    records: tuple[Record, ...]
    """Empty where the journal is damaged."""
    view: RunView


def summary(folder: Path) -> RunSummary:
    """Return one line of the history."""
    return past(folder).summary


def past(folder: Path) -> Past:
    """Return the run in ``folder``. Never raises for what is in its journal."""
    records: tuple[Record, ...] = ()
    try:
        records = journal.read(folder / journal.FILE_NAME)
        view = fold(records)
    except JournalDamaged:
        view = RunView()
        outcome = "journal damaged"
    else:
        quiet = (datetime.now(UTC) - records[-1].at).total_seconds() if records else 0.0
        outcome = view.outcome or _STATES[state_of(folder, quiet)]
    begun = view.started
    shown = RunSummary(
        run=begun.run if begun else folder.name,
        folder=str(folder),
        started_at=view.started_at.isoformat(timespec="seconds") if view.started_at else "",
        database=begun.target.database if begun else "",
        versions=tuple(m.version for m in begun.plan.migrations) if begun else (),
        outcome=outcome,
        seconds=view.elapsed,
        task=begun.task if begun else "rollback",
        recovers=begun.recovers if begun else "",
        proven=all(v.verdict == "pass" for v in view.verifications),
    )
    return Past(folder, shown, records, view)


def history(directory: Path) -> tuple[RunSummary, ...]:
    """Return all runs kept below ``directory``, newest first."""
    return tuple(summary(folder) for folder in run_folder.folders(directory))


def chosen(directory: Path, filters: Filters) -> Iterator[Past]:
    """Yield the runs below ``directory`` that are meant, newest first; what the name of a folder
    rules out is not read. Raises ConfigurationError."""
    left = filters.limit
    for folder in run_folder.folders(directory):
        if left == 0:
            return
        if not filters.may_be(folder.name):
            continue
        found = past(folder)
        if filters.takes(found.summary, found.view.started):
            left = None if left is None else left - 1
            yield found


def find(directory: Path, run: str | None) -> Path:
    """Return the folder of ``run`` (an id or the beginning of one, a folder's name or its
    path); without one, of the newest. Raises ConfigurationError, also for a beginning that
    several runs share."""
    if run and (Path(run) / journal.FILE_NAME).exists():
        return Path(run)
    found = run_folder.folders(directory)
    if run is not None:
        found = tuple(p for p in found if run and (p.name == run or _begins(p, run)))
        if len(found) > 1:
            raise ConfigurationError(
                f"several runs begin with {run}: {', '.join(p.name for p in found)}",
                "Name one of these folders.",
            )
    if not found:
        which = f"no run {run}" if run else "no run"
        raise ConfigurationError(
            f"{which} in {directory}", "`rollback-tui history` lists them; --config may differ."
        )
    return found[0]


def _begins(folder: Path, run: str) -> bool:
    """A folder's name holds the first eight characters of the run's id."""
    return folder.name[16:].startswith(run[:8])
