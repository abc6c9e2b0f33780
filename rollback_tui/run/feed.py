"""The terminal's view of a run: its journal followed, its socket asked."""

from __future__ import annotations

from pathlib import Path

from rollback_tui.core.errors import ConfigurationError
from rollback_tui.core.events import Record
from rollback_tui.core.run_view import RunSummary, RunView, fold
from rollback_tui.run import folder as run_folder
from rollback_tui.run import journal
from rollback_tui.run.control import ControlClient, ControlUnavailable
from rollback_tui.run.journal import Follower, JournalDamaged


class RunFeed:
    """One run, followed from outside; see ``rollback_tui.ui.operations.Feed``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._follower = Follower(folder / journal.FILE_NAME)
        self._client = ControlClient(folder)

    def poll(self) -> tuple[Record, ...]:
        """Return the records since the last call. Raises JournalDamaged."""
        return self._follower.poll()

    def alive(self) -> bool:
        """Return whether the worker answers on its socket."""
        try:
            return self._client.ask("status").ok
        except ControlUnavailable:
            return False

    def approve(self, choice: str) -> str:
        """Answer the open question. Raises ControlUnavailable."""
        return self._client.ask("approve", choice).text

    def abort(self) -> str:
        """Ask for an abort before COMMIT. Raises ControlUnavailable."""
        return self._client.ask("abort").text


def summary(folder: Path) -> RunSummary:
    """Return one line of the history."""
    try:
        view = fold(journal.read(folder / journal.FILE_NAME))
    except JournalDamaged:
        view = RunView()
        outcome = "journal damaged"
    else:
        outcome = view.outcome or ("running" if RunFeed(folder).alive() else "unfinished")
    begun = view.started
    return RunSummary(
        run=begun.run if begun else folder.name,
        folder=str(folder),
        started_at=view.started_at.isoformat(timespec="seconds") if view.started_at else "",
        database=begun.target.database if begun else "",
        versions=tuple(m.version for m in begun.plan.migrations) if begun else (),
        outcome=outcome,
        seconds=view.elapsed,
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
