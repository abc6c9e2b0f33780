"""An earlier run that is to be undone: what its journal says, and what of it still stands."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from rollback_tui.core import events as ev
from rollback_tui.core.errors import ConfigurationError, RunRefused
from rollback_tui.core.model import Target, Value
from rollback_tui.core.run_view import RunView, fold
from rollback_tui.postgres import rename
from rollback_tui.postgres.connect import Connection, target
from rollback_tui.run import folder as run_folder
from rollback_tui.run import journal
from rollback_tui.run.claims import rivals
from rollback_tui.run.context import Run
from rollback_tui.run.preflight import one_run_a_target


class Earlier(Value, frozen=True, kw_only=True):
    """One run of the past."""

    folder: str
    view: RunView
    begun: ev.RunStarted
    xid: str
    """Of its transaction; empty: it committed none, or went statement by statement."""

    @property
    def short(self) -> str:
        """The run's first eight characters."""
        return self.begun.run[:8]

    @property
    def boundary(self) -> str:
        """A transaction id: what was written after it was not written by the run. Empty: nobody
        knows one."""
        if self.view.swapped is not None:
            return self.view.swapped.xid
        return self.xid

    @property
    def own_xid(self) -> str:
        """The transaction whose rows in the target are the run's own work; empty: none."""
        return "" if self.view.swapped is not None else self.xid

    @property
    def left(self) -> dict[str, int]:
        """Rows by table as the run left them, where it counted."""
        return {row.table: row.after for row in self.view.rows if row.after is not None}

    @property
    def removed(self) -> dict[str, int]:
        """How many rows fewer each table had after the run than before it."""
        return {
            row.table: row.before - row.after
            for row in self.view.rows
            if row.before is not None and row.after is not None and row.before > row.after
        }


def read_earlier(folder: Path) -> Earlier:
    """Read the run in ``folder``. Raises ConfigurationError or JournalDamaged."""
    records = journal.read(folder / journal.FILE_NAME)
    view = fold(records)
    if view.started is None:
        raise ConfigurationError(f"{folder} holds no run", "See `rollback-tui history`.")
    begun = [r.event.xid for r in records if isinstance(r.event, ev.TransactionStarted)]
    xid = begun[-1] if view.committed and begun else ""
    return Earlier(folder=str(folder), view=view, begun=view.started, xid=xid)


def earlier_of(run: Run) -> Earlier:
    """Return the run that ``run`` undoes. Raises ConfigurationError or JournalDamaged."""
    return read_earlier(Path(run.view.started.recovers if run.view.started else ""))


def alone_as_looked_at(run: Run) -> Target:
    """Connect; refuse unless it is the database that was looked at and no other run has it or left
    it without an outcome. Raises RunRefused or ConnectionFailed."""
    run.open_connections()
    one_run_a_target(run)
    here = target(run.live_target())
    if here.fingerprint != run.request.fingerprint:
        raise RunRefused(
            f"this is another database ({here.fingerprint}) than the one that was looked at"
            f" ({run.request.fingerprint})",
            "Look at the ways back again.",
        )
    for claim in rivals(run.folder, here):
        raise RunRefused(
            f"run {claim.run[:8]} of this database has no outcome",
            f"rollback-tui settle {claim.run[:8]}",
        )
    return here


class Standing(Value, frozen=True, kw_only=True):
    """A whole database beside the target, as it was at a moment of the run."""

    database: str
    oid: int
    what: Literal["clone", "replaced"]
    """``clone``: copied before the first statement. ``replaced``: what the run put another one in
    the place of."""


def standing(maintenance: Connection, earlier: Earlier) -> Standing | None:
    """Return the database of the run that could be swapped in; None when there is none (any more).

    A database is known by its number, whatever it is called by now. Raises psycopg.Error.
    """
    view = earlier.view
    if view.swapped is not None:
        place = rename.place(maintenance, earlier.begun.target.database_oid)
        if place is None or place.name == earlier.begun.target.database:
            return None
        return Standing(database=place.name, oid=place.oid, what="replaced")
    if view.clone is None:
        return None
    place = rename.place(maintenance, view.clone.oid)
    if place is None or place.name == earlier.begun.target.database:
        return None
    return Standing(database=place.name, oid=place.oid, what="clone")


def same_database(earlier: Earlier, here: Target) -> bool:
    """Return whether ``here`` is the run's target, or what recoveries have put in its place since:
    the number of a database changes with a swap, and the journals beside know of each one."""
    then = earlier.begun.target
    if (then.system_identifier, then.database) != (here.system_identifier, here.database):
        return False
    known = {then.database_oid}
    if here.database_oid in known:
        return True
    for path in run_folder.folders(Path(earlier.folder).parent):
        view = _seen(path)
        begun = view.started
        if view.swapped is not None and begun is not None:
            was = begun.target
            if (was.system_identifier, was.database) == (here.system_identifier, here.database):
                known.add(view.swapped.new_oid)
    return here.database_oid in known


def _seen(path: Path) -> RunView:
    try:
        return fold(journal.read(path / journal.FILE_NAME))
    except journal.JournalDamaged:
        return RunView()
