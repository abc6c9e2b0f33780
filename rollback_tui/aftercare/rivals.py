"""Has another run begun on the database that is monitored? Then what is measured is its work."""

from __future__ import annotations

from pathlib import Path

from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.events import Phase
from rollback_tui.core.model import Target
from rollback_tui.core.run_view import RunView, advance
from rollback_tui.run import folder as run_folder
from rollback_tui.run import journal
from rollback_tui.run.claims import Here, same

_TOUCHES: frozenset[Phase] = frozenset(
    {"close_door", "clone", "execute", "verify", "gate", "commit", "recover", "open_door"}
)
"""A run that is refused before these has touched nothing, and ends no monitoring."""


class Rivals:
    """Follows the journals of the runs that began after ours. A journal is read once, and only as
    long as it is not known whether it is one of ours to look at."""

    def __init__(self, folder: Path, target: Target) -> None:
        """``folder``: of the run that is monitored, beside which the others are."""
        self._own = folder.resolve()
        self._here = Here(
            system_identifier=target.system_identifier,
            database_oid=target.database_oid,
            database=target.database,
            hosts=(target.host,),
            ports=(target.port,),
        )
        self._passed: set[str] = set()
        """Names of the folders of runs that are over, or not on our database."""
        self._following: dict[str, tuple[journal.Follower, RunView]] = {}

    def begun(self) -> str:
        """Return the id of a later run that touches our database; empty when there is none."""
        try:
            folders = run_folder.folders(self._own.parent)
        except RollbackTuiError:
            return ""
        for folder in folders:
            if folder.name <= self._own.name:
                break
            if folder.name not in self._passed and (run := self._touching(folder)):
                return run
        return ""

    def _touching(self, folder: Path) -> str:
        """Return its id when it does; empty when it does not, or not yet."""
        follower, view = self._following.get(folder.name) or (
            journal.Follower(folder / journal.FILE_NAME),
            RunView(),
        )
        try:
            for record in follower.poll():
                view = advance(view, record)
        except RollbackTuiError:
            self._passed.add(folder.name)
            return ""
        self._following[folder.name] = follower, view
        if view.started is None:
            return ""
        if any(one.phase in _TOUCHES and one.status != "waiting" for one in view.phases):
            return view.started.run if same(view.started.target, self._here) else ""
        if view.finished is not None:
            self._passed.add(folder.name)
            del self._following[folder.name]
        return ""
