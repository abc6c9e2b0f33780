"""What a run is for, in words: a rollback, or what is done about an earlier run."""

from __future__ import annotations

from pathlib import PurePath
from typing import Literal

from rollback_tui.core.events import RunStarted

Task = Literal["rollback", "recover", "reapply"]

_DOING: dict[Task, str] = {
    "rollback": "Rollback",
    "recover": "Recovery",
    "reapply": "Reapplication",
}


def run_of(folder: str) -> str:
    """Return the short name of the run whose folder this is (``…/20260301_031415_8c3038d4``)."""
    return PurePath(folder).name.rpartition("_")[2]


def of(task: Task, recovers: str) -> str:
    """Return it for a line of the history: ``rollback``, ``recovery of 8c3038d4``."""
    if task == "rollback":
        return "rollback"
    earlier = run_of(recovers) or "an earlier run"
    return f"recovery of {earlier}" if task == "recover" else f"reapplied after {earlier}"


def migrations(started: RunStarted, *, committed: bool) -> str:
    """Return the title of what the plan holds."""
    if started.task == "recover":
        return "Plan of the earlier run"
    if started.task == "reapply":
        return "Migration applied again" if committed else "Migration that was to be applied again"
    return "Migration rolled back" if committed else "Migration that was to be rolled back"


def title(started: RunStarted | None) -> str:
    """Return what a report is about, without its database: ``Recovery``. Not yet printable."""
    return _DOING[started.task] if started is not None else _DOING["rollback"]
