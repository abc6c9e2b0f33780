"""The terminal's view of a run: its journal followed, its socket asked."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

from rollback_tui.core.claim import ClaimState, Controls
from rollback_tui.core.errors import ConfigurationError
from rollback_tui.core.events import Record
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

    def __init__(self, folder: Path, *, unattended: bool = False) -> None:
        self.folder = folder
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
            return self._console.take(by_force=by_force)

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


def summary(folder: Path) -> RunSummary:
    """Return one line of the history."""
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
    return RunSummary(
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


def history(directory: Path) -> tuple[RunSummary, ...]:
    """Return all runs kept below ``directory``, newest first."""
    return tuple(summary(folder) for folder in run_folder.folders(directory))


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
